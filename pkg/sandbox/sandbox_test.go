package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/teemopay"
)

func TestOneOrderAtOnceIsChargedOnce(t *testing.T) {
	g := newRig(t, nil)
	var wait sync.WaitGroup
	codes := make([]int, 40)
	for i := range codes {
		wait.Go(func() { codes[i] = g.payout("P1").code() })
	}
	wait.Wait()
	accepted := 0
	for _, code := range codes {
		switch code {
		case 200:
			accepted++
		case 426:
		default:
			t.Errorf("code %d", code)
		}
	}
	o := g.wait("P1", sandbox.Acknowledged(1))
	if accepted != 1 || len(o.Charges) != 1 || len(o.Movements) != 1 || o.Creates != len(codes) {
		t.Errorf("%d accepted, %+v", accepted, o)
	}
}

func TestRequestsAreBoundedAndCounted(t *testing.T) {
	g := newRig(t, func(o *sandbox.Options, a *sandbox.AccountConfig) { a.AutoPay, o.MaxOrders = false, 1 })
	for range sandbox.MaxKept + 3 {
		g.deposit("D1")
	}
	if o := g.order("D1"); len(o.Requests) != sandbox.MaxKept || o.Creates != sandbox.MaxKept+3 {
		t.Errorf("%d kept, %d counted", len(o.Requests), o.Creates)
	}
	if a := g.deposit("D2"); a.status != 503 {
		t.Errorf("%+v", a)
	}
	if a := g.query(sandbox.Deposit, "D2"); a.status != 503 {
		t.Errorf("%+v", a)
	}
	if err := g.box.SetFaults(config, "D2"); !errors.Is(err, sandbox.ErrFull) {
		t.Error(err)
	}
}

func TestBalanceLimitsPayouts(t *testing.T) {
	g := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) { a.Balance, a.MoveDelay = 1500, time.Hour })
	if a, b := g.payout("P1"), g.payout("P2"); a.code() != 200 || b.code() != 425 || !strings.Contains(b.body, "Insufficient merchant balance") {
		t.Errorf("%+v, %+v", a, b)
	}
	balance := func() map[string]any {
		return g.post(t.Context(), "/api/pay/merchant/balance", map[string]any{}).data()
	}
	if b := balance(); b["totalAmount"] != "1500.00" || b["frozenAmount"] != "1000.00" || b["availAmount"] != "500.00" {
		t.Errorf("%v", b)
	}
	if err := g.box.Pay(config, "P1", 0); err != nil {
		t.Fatal(err)
	}
	if b := balance(); b["totalAmount"] != "500.00" || b["frozenAmount"] != "0.00" {
		t.Errorf("%v", b)
	}
	if err := g.box.Refund(config, "P1"); err != nil {
		t.Fatal(err)
	}
	if b := balance(); b["totalAmount"] != "1500.00" {
		t.Errorf("%v", b)
	}
	if truth := lastRequest(g.order("P2")); truth != `create refused "no_balance" [] 200` {
		t.Error(truth)
	}
}

func TestPayByHand(t *testing.T) {
	g := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) { a.AutoPay, a.MoveDelay = false, time.Hour })
	if err := g.box.Pay(config, "D1", 0); !errors.Is(err, sandbox.ErrUnknownOrder) {
		t.Error(err)
	}
	g.deposit("D1")
	for _, amount := range []int64{400, 600, 0} {
		if err := g.box.Pay(config, "D1", amount); err != nil {
			t.Fatal(err)
		}
	}
	o := g.wait("D1", sandbox.Acknowledged(3))
	if m := o.Movements; m[0].Amount != 400 || m[1].Amount != 600 || m[2].Amount != 1000 || o.State != sandbox.Paid {
		t.Errorf("%+v", m)
	}
	if err := g.box.Fail(config, "D1"); err != nil { // success, then failure: providers do that
		t.Fatal(err)
	}
	if o := g.wait("D1", sandbox.Acknowledged(4)); o.State != sandbox.Failed || o.Callbacks[3].State != sandbox.Failed {
		t.Errorf("%+v", o)
	}
	g.payout("P1")
	for name, err := range map[string]error{
		"refund before": g.box.Refund(config, "P1"), "in part": g.box.Pay(config, "P1", 1), "negative": g.box.Pay(config, "D1", -1),
		"refund of a deposit": g.box.Refund(config, "D1"),
	} {
		if !errors.Is(err, sandbox.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := g.box.Pay(config, "P1", 0); err != nil {
		t.Fatal(err)
	}
	if err := g.box.Pay(config, "P1", 0); !errors.Is(err, sandbox.ErrInvalid) {
		t.Errorf("a payout was paid twice: %v", err)
	}
	if err := g.box.Pay("nobody", "D1", 0); !errors.Is(err, sandbox.ErrUnknownAccount) {
		t.Error(err)
	}
}

func TestPayoutPaidByHandIsNotPaidAgainByTime(t *testing.T) {
	accepted, due := make(chan struct{}), make(chan struct{})
	g := newRig(t, func(o *sandbox.Options, _ *sandbox.AccountConfig) {
		o.Wait = func(context.Context, time.Duration) error {
			close(accepted)
			<-due
			return nil
		}
	})
	g.payout("P1")
	<-accepted
	if err := g.box.Pay(config, "P1", 0); err != nil {
		t.Fatal(err)
	}
	close(due)
	g.box.Close() // waits for the scheduled work
	if o := g.order("P1"); len(o.Movements) != 1 {
		t.Errorf("%+v", o.Movements)
	}
}

func TestWaitForEnds(t *testing.T) {
	g := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.box.WaitFor(ctx, config, "D1", sandbox.Seen(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := g.box.WaitFor(t.Context(), config, "not an order", sandbox.Seen(1)); !errors.Is(err, sandbox.ErrInvalid) {
		t.Error(err)
	}
	if _, err := g.box.WaitFor(t.Context(), "nobody", "D1", sandbox.Seen(1)); !errors.Is(err, sandbox.ErrUnknownAccount) {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := g.box.WaitFor(context.Background(), config, "D1", sandbox.InState(sandbox.Paid))
		ended <- err
	}()
	g.box.Close()
	if err := <-ended; !errors.Is(err, sandbox.ErrClosed) {
		t.Error(err)
	}
}

func TestCloseEndsWhatIsHeld(t *testing.T) {
	g := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) {
		a.Retry = sandbox.Retry{First: time.Hour}
	})
	g.merchant.answer = func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) }
	g.deposit("D1") // waits an hour for its second delivery
	g.wait("D1", func(o sandbox.Order) bool { return len(o.Callbacks) == 1 && len(o.Callbacks[0].Deliveries) == 1 })
	before, after := hanging(t.Context(), g, "P1-x-hang-before"), hanging(t.Context(), g, "P2-x-hang")
	if err := g.box.SetFaults(config, "P3", sandbox.Fault{Name: sandbox.Slow, Millis: 60_000}); err != nil {
		t.Fatal(err)
	}
	slow := hanging(t.Context(), g, "P3")
	for _, order := range []string{"P1-x-hang-before", "P2-x-hang", "P3"} {
		g.wait(order, held)
	}
	if err := g.box.SetFaults(config, "P3"); err != nil {
		t.Fatal(err)
	}
	g.box.Close()
	for name, got := range map[string]<-chan answer{"hang-before": before, "hang": after, "slow": slow} {
		if a := <-got; a.err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if p1, p2, p3 := g.order("P1-x-hang-before"), g.order("P2-x-hang"), g.order("P3"); len(p1.Charges) != 0 || len(p2.Charges) != 1 || len(p3.Charges) != 0 {
		t.Errorf("%+v, %+v, %+v", p1, p2, p3)
	}
	if a := g.deposit("D2"); a.status != 503 {
		t.Errorf("%+v", a)
	}
}

func TestNewRefusesWrongOptions(t *testing.T) {
	protocol, err := teemopay.New(teemopay.Settings{AppCode: appCode, MerchantKey: &keys().Merchant.PublicKey, PlatformKey: keys().Platform})
	if err != nil {
		t.Fatal(err)
	}
	good := sandbox.AccountConfig{Name: "a", Protocol: protocol}
	with := func(change func(*sandbox.AccountConfig)) sandbox.AccountConfig {
		a := good
		change(&a)
		return a
	}
	for name, accounts := range map[string][]sandbox.AccountConfig{
		"no name":       {with(func(a *sandbox.AccountConfig) { a.Name = "" })},
		"name":          {with(func(a *sandbox.AccountConfig) { a.Name = "A/b" })},
		"admin":         {with(func(a *sandbox.AccountConfig) { a.Name = "admin" })},
		"no protocol":   {{Name: "a"}},
		"twice":         {good, good},
		"unknown fault": {with(func(a *sandbox.AccountConfig) { a.Faults = []sandbox.Fault{{Name: "x"}} })},
		"fault time":    {with(func(a *sandbox.AccountConfig) { a.Faults = []sandbox.Fault{{Name: sandbox.Lag, Millis: -1}} })},
		"retry":         {with(func(a *sandbox.AccountConfig) { a.Retry.Factor = 0.5 })},
		"waits":         {with(func(a *sandbox.AccountConfig) { a.Retry.Waits = []time.Duration{-1} })},
		"many waits":    {with(func(a *sandbox.AccountConfig) { a.Retry.Waits = make([]time.Duration, sandbox.MaxKept/2) })},
		"hours": {with(func(a *sandbox.AccountConfig) {
			a.Hours = sandbox.Hours{Zone: time.UTC, From: 2, To: 1, Days: []time.Weekday{1}}
		})},
		"no days": {with(func(a *sandbox.AccountConfig) { a.Hours = sandbox.Hours{Zone: time.UTC, To: time.Hour} })},
	} {
		if _, err := sandbox.New(sandbox.Options{Accounts: accounts, Now: time.Now}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := sandbox.New(sandbox.Options{Accounts: []sandbox.AccountConfig{good}}); err == nil {
		t.Error("no clock was taken")
	}
}

// TestImportsNoConnector keeps the simulator a second reading of the providers' documents.
func TestImportsNoConnector(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	for _, dep := range deps {
		if strings.HasPrefix(dep, "payonce/") && !strings.HasPrefix(dep, "payonce/pkg/sandbox") {
			t.Errorf("the sandbox imports %s", dep)
		}
	}
	for _, kind := range []string{"teemopay", "ecommpay", "diamondpay"} {
		if !slices.Contains(deps, "payonce/pkg/sandbox/"+kind) {
			t.Errorf("go list said %d packages, without %s", len(deps), kind)
		}
	}
}

func BenchmarkDeposit(b *testing.B) {
	// The simulator must not be the slowest part of a benchmark.
	protocol, err := teemopay.New(teemopay.Settings{AppCode: appCode, MerchantKey: &keys().Merchant.PublicKey, PlatformKey: keys().Platform})
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now() // the clock stands still, so that requests signed beforehand do not get stale
	box, err := sandbox.New(sandbox.Options{Now: func() time.Time { return began }, Accounts: []sandbox.AccountConfig{{Name: config, Protocol: protocol, CallbackURL: "http://127.0.0.1:1"}}})
	if err != nil {
		b.Fatal(err)
	}
	defer box.Close()
	requests := make([]*http.Request, b.N)
	for i := range requests {
		header, body, err := teemopay.SignedRequest(keys().Merchant, appCode, depositOf(fmt.Sprintf("D%d", i)), began)
		if err != nil {
			b.Fatal(err)
		}
		requests[i], _ = http.NewRequest(http.MethodPost, "/"+config+"/api/pay/payment/create/v1", bytes.NewReader(body))
		requests[i].Header = http.Header{}
		for name, values := range header {
			requests[i].Header.Set(name, values[0])
		}
	}
	b.ResetTimer()
	for _, r := range requests {
		box.ServeHTTP(discard{}, r)
	}
	if n := box.Truth().Summary().Charges; n != b.N {
		b.Fatalf("%d charges of %d", n, b.N)
	}
}

type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
