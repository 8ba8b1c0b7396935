package sandbox_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/teemopay"
)

func TestCallbackIsRepeatedUntilExactlySuccess(t *testing.T) {
	var mu sync.Mutex
	var waits []time.Duration
	g := newRig(t, func(o *sandbox.Options, a *sandbox.AccountConfig) {
		a.MoveDelay = 42 * time.Minute
		a.Retry = sandbox.Retry{First: time.Minute, Factor: 3, Max: time.Hour, Attempts: 10}
		o.Wait = func(ctx context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, d)
			return ctx.Err()
		}
	})
	answers := []func(http.ResponseWriter){
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, "success") },
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, "SUCCESS\n") },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated); _, _ = io.WriteString(w, "SUCCESS") },
		func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(http.StatusFound) },
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, "SUCCESS") },
	}
	g.merchant.answer = func(n int, w http.ResponseWriter) { answers[n-1](w) }
	g.payout("P1")
	o := g.wait("P1", sandbox.Acknowledged(1))
	calls := g.merchant.received()
	if len(calls) != len(answers) || len(o.Callbacks) != 1 || len(o.Callbacks[0].Deliveries) != len(answers) || o.Callbacks[0].Abandoned {
		t.Fatalf("%d calls, %+v", len(calls), o.Callbacks)
	}
	nonces, signs := map[string]bool{}, map[string]bool{}
	for _, c := range calls {
		nonces[c.header.Get("nonce")] = true
		signs[string(c.body)] = true
		if !teemopay.VerifyCallback(&keys().Platform.PublicKey, c.header, c.body) {
			t.Errorf("the signature of %s is wrong", c.body)
		}
	}
	if len(nonces) != len(calls) || len(signs) != len(calls) {
		t.Error("a repetition carries an old nonce or signature")
	}
	d := o.Callbacks[0].Deliveries
	if d[0].Answer != "success" || d[2].Status != 201 || d[3].Status != 302 || d[4].Status != 0 || d[4].Error == "" || d[5].Answer != "SUCCESS" {
		t.Errorf("%+v", d)
	}
	mu.Lock()
	defer mu.Unlock()
	m := time.Minute
	if want := []time.Duration{42 * m, m, 3 * m, 9 * m, 27 * m, 60 * m}; !slices.Equal(waits, want) {
		t.Errorf("waits %v, want %v", waits, want)
	}
}

func TestCallbackIsAbandoned(t *testing.T) {
	g := newRig(t, nil)
	g.merchant.answer = func(_ int, w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
	g.deposit("D1")
	o := g.wait("D1", func(o sandbox.Order) bool { return len(o.Callbacks) == 1 && o.Callbacks[0].Abandoned })
	if n := len(o.Callbacks[0].Deliveries); n != 5 || o.Callbacks[0].Acknowledged != 0 || o.State != sandbox.Paid {
		t.Errorf("%d deliveries, %+v", n, o)
	}
}

func TestCallbackURLOfTheRequestComesFirst(t *testing.T) {
	g := newRig(t, nil)
	content := depositOf("D1")
	content["callbackUrl"] = g.merchant.url + "/of-the-request"
	if a := g.post(t.Context(), "/api/pay/payment/create/v1", content); a.code() != 200 {
		t.Fatal(a)
	}
	g.deposit("D2")
	one, two := g.wait("D1", sandbox.Acknowledged(1)), g.wait("D2", sandbox.Acknowledged(1))
	if one.Charges[0].CallbackURL != g.merchant.url+"/of-the-request" || two.Charges[0].CallbackURL != g.merchant.url+"/default" {
		t.Errorf("%s, %s", one.Charges[0].CallbackURL, two.Charges[0].CallbackURL)
	}
}

func TestDuplicateAndLostCallbacks(t *testing.T) {
	g := newRig(t, nil)
	g.deposit("D1-x-duplicate-callback")
	o := g.wait("D1-x-duplicate-callback", sandbox.Acknowledged(2))
	if len(o.Movements) != 1 || len(o.Callbacks) != 1 || len(o.Callbacks[0].Deliveries) != 2 {
		t.Errorf("%+v", o)
	}
	calls := g.merchant.received()
	if string(calls[0].body) == string(calls[1].body) || calls[0].header.Get("nonce") == calls[1].header.Get("nonce") {
		t.Error("the duplicate is a copy, not a new call")
	}
	g.deposit("D2-x-lost-callback")
	o = g.wait("D2-x-lost-callback", sandbox.Moved(1))
	if !o.Callbacks[0].Lost || len(o.Callbacks[0].Deliveries) != 0 {
		t.Errorf("%+v", o)
	}
	g.box.Close() // whatever would still be sent is sent or ended now
	for _, c := range g.merchant.received() {
		if strings.Contains(string(c.body), "D2-x-lost") {
			t.Error("a lost callback was sent")
		}
	}
}

func TestCallbacksOnTheWireAreBounded(t *testing.T) {
	var mu sync.Mutex
	var now, most int
	g := newRig(t, func(o *sandbox.Options, _ *sandbox.AccountConfig) { o.MaxCallbacks = 2 })
	both := make(chan struct{})
	g.merchant.answer = func(n int, w http.ResponseWriter) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		if n == 2 {
			close(both)
		}
		<-both // the first two are on the wire together
		mu.Lock()
		now--
		mu.Unlock()
		_, _ = io.WriteString(w, "SUCCESS")
	}
	orders := []string{"a", "b", "c", "d", "e", "f"}
	for _, order := range orders {
		g.deposit(order)
	}
	for _, order := range orders {
		g.wait(order, sandbox.Acknowledged(1))
	}
	mu.Lock()
	defer mu.Unlock()
	if most != 2 {
		t.Errorf("%d at once", most)
	}
}
