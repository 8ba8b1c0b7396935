package teemopay_test

import (
	"crypto/rand"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	simulated "payonce/pkg/sandbox/teemopay"
	"payonce/pkg/secret"
)

// simulate connects to the provider's simulator, which was written from the provider's pages apart from
// the connector. Its clock is that of these tests.
func simulate(t *testing.T) (*sandbox.Sandbox, *teemopay.Connector) {
	t.Helper()
	return simulateAt(t, clock)
}

// simulateAt is simulate with another clock of the provider. It sends no callback.
func simulateAt(t *testing.T, providers func() time.Time) (*sandbox.Sandbox, *teemopay.Connector) {
	t.Helper()
	box, url := simulateWith(t, providers, simulated.Settings{}, sandbox.Fault{Name: sandbox.LostCallback})
	return box, connect(t, settings(t, url), rand.Reader)
}

// simulateWith starts the simulator with an account of the tests' keys, and returns its gateway's address.
func simulateWith(t *testing.T, providers func() time.Time, s simulated.Settings, faults ...sandbox.Fault) (*sandbox.Sandbox, string) {
	t.Helper()
	s.AppCode, s.MerchantKey, s.PlatformKey = "app-code-1", &merchantKey().PublicKey, platformKey()
	protocol, err := simulated.New(s)
	if err != nil {
		t.Fatal(err)
	}
	box, err := sandbox.New(sandbox.Options{Now: providers, Accounts: []sandbox.AccountConfig{{
		Name: "teemopay-kr", Protocol: protocol, Balance: 1_000_000, MoveDelay: time.Millisecond, Faults: faults,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	t.Cleanup(func() { server.Close(); box.Close() })
	return box, server.URL + "/teemopay-kr"
}

// place submits an order of 1000 won.
func place(t *testing.T, c *teemopay.Connector, cmd payment.Command, order string) payment.Command {
	t.Helper()
	cmd.Order = order
	if o, err := c.Submit(testContext(t), cmd); err != nil || o.Kind != payment.Accepted {
		t.Fatalf("%s: %+v, %v", order, o, err)
	}
	return cmd
}

func within(t *testing.T, box *sandbox.Sandbox, order string, until sandbox.Condition) {
	t.Helper()
	if _, err := box.WaitFor(testContext(t), "teemopay-kr", order, until); err != nil {
		t.Fatal(err)
	}
}

// A clock that is off by more than the 30 s that the provider allows: nothing is executed, and a look-up
// learns nothing, above all not that an order is unknown.
func TestSimulatedClockDiffers(t *testing.T) {
	for _, off := range []time.Duration{-time.Minute, time.Minute} {
		var skew time.Duration
		box, c := simulateAt(t, func() time.Time { return clock().Add(skew) })
		early := place(t, c, deposit(""), "D-early")
		skew = off
		late := deposit("")
		late.Order = "D-late"
		if o, err := c.Submit(testContext(t), late); err == nil {
			t.Errorf("%s: taken: %+v", off, o)
		}
		if truth, err := box.Order("teemopay-kr", late.Order); err == nil && len(truth.Charges) > 0 {
			t.Errorf("%s: %d charges", off, len(truth.Charges))
		}
		q := query(payment.Deposit)
		q.Order = early.Order
		if o, err := c.Lookup(testContext(t), q); err == nil {
			t.Errorf("%s: learned: %+v", off, o)
		}
		skew = off / 2 // at the limit
		place(t, c, deposit(""), "D-limit")
	}
}

func TestSimulatedBalance(t *testing.T) {
	box, c := simulate(t)
	mustHold := func(available, frozen int64) {
		t.Helper()
		got, err := c.Balance(testContext(t))
		if err != nil || !slices.Equal(got, []connectors.Balance{{Currency: "KRW", Available: payment.KRW(available), Frozen: payment.KRW(frozen)}}) {
			t.Errorf("%+v, %v, want %d and %d", got, err, available, frozen)
		}
	}
	mustHold(1_000_000, 0)
	place(t, c, deposit(""), "D-1")
	if err := box.Pay("teemopay-kr", "D-1", 500); err != nil {
		t.Fatal(err)
	}
	mustHold(1_000_500, 0)
	place(t, c, payout(""), "P-1")
	within(t, box, "P-1", sandbox.Moved(1))
	mustHold(999_500, 0)
}

// The statement, the query and the callbacks must say the same of each payment.
func TestSimulatedStatement(t *testing.T) {
	box, c := simulate(t)
	for _, order := range []string{"waits", "paid", "twice"} {
		place(t, c, deposit(""), order)
	}
	for order, amounts := range map[string][]int64{"paid": {1000}, "twice": {1000, 700}} {
		for _, amount := range amounts {
			if err := box.Pay("teemopay-kr", order, amount); err != nil {
				t.Fatal(err)
			}
		}
	}
	for order, want := range map[string]struct {
		fault sandbox.FaultName
		until sandbox.Condition
	}{"sent": {sandbox.LostCallback, sandbox.Moved(1)}, "declined": {sandbox.Decline, sandbox.InState(sandbox.Failed)}, "refunded": {sandbox.Refund, sandbox.InState(sandbox.Refunded)}} {
		if err := box.SetFaults("teemopay-kr", order, sandbox.Fault{Name: want.fault}, sandbox.Fault{Name: sandbox.LostCallback}); err != nil {
			t.Fatal(err)
		}
		place(t, c, payout(""), order)
		within(t, box, order, want.until)
	}
	for op, orders := range map[payment.Operation]map[string]payment.Kind{
		payment.Deposit: {"waits": payment.Accepted, "paid": payment.Paid, "twice": payment.Paid},
		payment.Payout:  {"sent": payment.Paid, "declined": payment.Declined, "refunded": payment.Reversal},
	} {
		lines, next, err := c.Statement(testContext(t), now.Add(-time.Hour), now, op, "")
		if err != nil || next != "" || len(lines) != len(orders) {
			t.Fatalf("%s: %+v, %q, %v", op, lines, next, err)
		}
		for _, line := range lines {
			o := line.Observation
			if o.Kind != orders[line.Order] || o.Amount != payment.KRW(1000) || !line.CreatedAt.Equal(now) || o.Reference == "" {
				t.Errorf("%s: %+v", line.Order, line)
			}
			q := query(op)
			q.Order = line.Order
			asked, err := c.Lookup(testContext(t), q)
			if err != nil || asked.Kind != o.Kind || asked.Reference != o.Reference || !slices.EqualFunc(asked.Transfers, o.Transfers, sameMoney) || !asked.Report.CompletedAt.Equal(o.Report.CompletedAt) || asked.Report.Fee != o.Report.Fee {
				t.Errorf("%s: the query says %+v, %v, the statement %+v", line.Order, asked, err, o)
			}
			if received := map[string]int64{"paid": 1000, "twice": 1700}[line.Order]; op == payment.Deposit && o.SettledAmount.Minor != received {
				t.Errorf("%s: received %s, want %d", line.Order, o.SettledAmount, received)
			}
		}
	}
	if lines, _, err := c.Statement(testContext(t), now.Add(-time.Hour), now.Add(-time.Minute), payment.Deposit, ""); err != nil || len(lines) != 0 {
		t.Errorf("before the first: %+v, %v", lines, err)
	}
}

func TestSimulatedStatementPages(t *testing.T) {
	_, c := simulate(t)
	const orders = 501 // one more than a page
	for i := range orders {
		place(t, c, deposit(""), "D-"+time.Duration(i).String())
	}
	seen, cursor := map[string]bool{}, ""
	for page := 1; ; page++ {
		lines, next, err := c.Statement(testContext(t), now, now, payment.Deposit, cursor)
		if err != nil || page > 2 {
			t.Fatalf("page %d: %v", page, err)
		}
		for _, line := range lines {
			seen[line.Order] = true
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if len(seen) != orders {
		t.Errorf("%d orders on all pages, want %d", len(seen), orders)
	}
}

// What the simulator refuses for the account's sake is ours, and what it refuses for the payment's sake is not. A
// look-up then says that there is no order.
func TestSimulatedRefusals(t *testing.T) {
	box, url := simulateWith(t, clock, simulated.Settings{}, sandbox.Fault{Name: sandbox.LostCallback})
	mine := map[string]func(*teemopay.Settings){
		"another key":     func(s *teemopay.Settings) { s.PrivateKey = secret.New(base64Text(pkcs8(t, retiredKey()))) },
		"another app":     func(s *teemopay.Settings) { s.AppCode = "app-code-2" },
		"no callback URL": func(s *teemopay.Settings) { s.CallbackURL = "" },
	}
	for name, change := range mine {
		s := settings(t, url)
		change(&s)
		for _, cmd := range []payment.Command{deposit(""), payout("")} {
			if name == "no callback URL" && cmd.Operation == payment.Payout {
				continue // not refused by the simulator
			}
			_, err := connect(t, s, rand.Reader).Submit(testContext(t), cmd)
			if e := classified(t, err); e.Class != connectors.Misconfigured || e.Code != payment.ReasonAccountMisconfigured {
				t.Errorf("%s, %s: %+v", name, cmd.Operation, e)
			}
		}
	}
	c := connect(t, settings(t, url), rand.Reader)
	if err := box.SetFaults("teemopay-kr", order, sandbox.Fault{Name: sandbox.Decline}); err != nil {
		t.Fatal(err)
	}
	_, err := c.Submit(testContext(t), deposit(""))
	if e := classified(t, err); e.Class != connectors.Rejected || e.ProviderCode != "414" {
		t.Errorf("declined: %+v", e)
	}
	if o, err := c.Lookup(testContext(t), query(payment.Deposit)); err != nil || o.Kind != payment.Unknown {
		t.Errorf("looked up: %+v, %v", o, err)
	}
}

// sameMoney compares transfers without their fees, which the statement does not tell.
func sameMoney(a, b payment.Transfer) bool { return a.Reference == b.Reference && a.Amount == b.Amount }
