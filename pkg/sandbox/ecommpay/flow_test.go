package ecommpay

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

func TestClarificationWhenNamesAreMissing(t *testing.T) {
	s := newStand(t, func(settings *Settings, a *sandbox.AccountConfig) { settings.Redirect, a.AutoPay = false, true })
	content := sale("D1", change{"customer": change{"id": "customer123", "ip_address": "248.1.1.1"}})
	s.taken(salePath, content)
	asked := s.next()
	if !strings.Contains(asked, `"status":"awaiting clarification"`) || !strings.Contains(asked, `"clarification_fields":{"customer":["first_name","last_name"]}`) ||
		strings.Contains(asked, "provider_extra_fields") {
		t.Error(asked)
	}
	if _, answer := s.post(statusPath, general("D1")); !strings.Contains(answer, `"clarification_fields":{"customer":["first_name","last_name"]}`) {
		t.Error(answer)
	}
	given := with(general("D1"), change{"additional_data": change{"customer": change{"first_name": "Kon", "last_name": "Do"}}})
	s.taken(clarificationPath, given)
	if told := s.next(); !strings.Contains(told, `"provider_extra_fields":{"timeout":60`) || !strings.Contains(told, `"awaiting customer"`) {
		t.Error(told)
	}
	if status, answer := s.post(clarificationPath, given); status != 400 || field(answer, "code") != "3060" {
		t.Errorf("%d %s", status, answer)
	}
	s.refusedAs("D1", "not_asked")
	s.clock.until(t, wednesday.Add(time.Second))
	s.clock.set(wednesday.Add(time.Second))
	if paid := s.next(); !strings.Contains(paid, `"status":"success"`) {
		t.Error(paid)
	}
	if o := s.order("D1"); o.State != sandbox.Paid || len(o.Callbacks) != 3 || o.Callbacks[0].Stage != sandbox.AwaitingClarification || o.Charges[0].Details["last_name"] != "Do" {
		t.Errorf("%+v", o)
	}
}

func TestClarificationBySwitchEndsAfterHalfAnHour(t *testing.T) {
	s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.AutoPay = true })
	s.taken(salePath, sale("D1-x-clarification", nil))
	if asked := s.next(); !strings.Contains(asked, `"clarification_fields":{"customer":["last_name"]}`) {
		t.Error(asked)
	}
	s.clock.until(t, wednesday.Add(30*time.Minute))
	s.clock.set(wednesday.Add(30 * time.Minute))
	if late := s.next(); !strings.Contains(late, `"status":"decline"`) || !strings.Contains(late, `"code":"20602","message":"Time-out"`) {
		t.Error(late)
	}
	if o := s.order("D1-x-clarification"); o.Charges[0].Failure != sandbox.NotClarified {
		t.Errorf("%+v", o)
	}
}

func TestClarificationByHand(t *testing.T) {
	s := newStand(t, nil)
	ask := func() error { return s.box.AskClarification(provider, "D1") }
	if ask() == nil {
		t.Error("asked about nothing")
	}
	s.taken(salePath, sale("D1", nil))
	s.next()
	admin := strings.Replace(s.url, "/"+provider, "/admin/"+provider+"/orders/D1/clarify", 1)
	response, err := s.client.Post(admin, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if asked := s.next(); response.StatusCode != 200 || !strings.Contains(asked, `"awaiting clarification"`) {
		t.Errorf("%d %s", response.StatusCode, asked)
	}
	if ask() == nil {
		t.Error("asked twice")
	}
	s.taken(clarificationPath, with(general("D1"), change{"additional_data": change{"customer": change{"last_name": "Kim"}}}))
	if told := s.next(); !strings.Contains(told, `"lastname":"Kim"`) {
		t.Error(told)
	}
}

// friday night in Korea, and the opening on Monday.
var (
	fridayNight = time.Date(2019, 10, 18, 23, 59, 0, 0, korea)
	monday      = time.Date(2019, 10, 21, 8, 0, 0, 0, korea)
)

func TestNothingIsProcessedOutsideTheHours(t *testing.T) {
	s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.Hours, a.AutoPay = Hours(), true })
	s.taken(salePath, sale("D0", nil)) // Wednesday: notified at once, paid on Friday night
	s.next()
	s.clock.until(t, wednesday.Add(time.Second)) // the customer's way to the bank
	s.clock.set(fridayNight)
	if err := s.box.Pay(provider, "D0", 0); err != nil {
		t.Fatal(err)
	}
	s.taken(payoutPath, payoutOf("P1", nil))
	s.taken(salePath, sale("D1-x-early-callback", nil))
	s.clock.until(t, fridayNight.Add(time.Second)) // the payout's way to the bank
	s.clock.untilAll(t, 3, monday)                 // D0's customer and callback, and D1's notification
	s.clock.set(fridayNight.Add(time.Second))
	s.clock.untilAll(t, 4, monday)
	if _, answer := s.post(statusPath, general("P1")); !strings.Contains(answer, `"status":"processing"`) {
		t.Error(answer)
	}
	for order, state := range map[string]sandbox.State{"P1": sandbox.Pending, "D1-x-early-callback": sandbox.Pending, "D0": sandbox.Paid} {
		if o := s.order(order); o.State != state || len(o.Charges) != 1 {
			t.Errorf("%+v", o)
		}
	}
	select {
	case told := <-s.calls:
		t.Errorf("told while closed: %s", told)
	default:
	}
	s.clock.set(monday)
	s.wait("P1", sandbox.Acknowledged(1))
	s.wait("D0", sandbox.Acknowledged(2))
	o := s.wait("D1-x-early-callback", sandbox.Acknowledged(1))
	if o.Callbacks[0].Stage != sandbox.AwaitingCustomer {
		t.Errorf("%+v", o)
	}
	for _, order := range []string{"P1", "D0", "D1-x-early-callback"} {
		for _, c := range s.order(order).Callbacks {
			for _, d := range c.Deliveries {
				if d.At.After(wednesday) && d.At.Before(monday) {
					t.Errorf("%s: told at %s", order, d.At)
				}
			}
		}
	}
}

func TestHours(t *testing.T) {
	h := Hours()
	for at, want := range map[time.Time]time.Duration{
		wednesday: 0,
		time.Date(2019, 10, 16, 8, 0, 0, 0, korea):    0,
		time.Date(2019, 10, 16, 7, 59, 59, 0, korea):  time.Second,
		time.Date(2019, 10, 16, 23, 58, 59, 0, korea): 0,
		time.Date(2019, 10, 16, 23, 59, 0, 0, korea):  8*time.Hour + time.Minute,
		fridayNight: monday.Sub(fridayNight),
		time.Date(2019, 10, 20, 12, 0, 0, 0, time.UTC): 11 * time.Hour, // Sunday, 21:00 in Korea
	} {
		if got := h.Until(at); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}

// TestFaults plays each fault once and reads both sides: what the merchant sees, and what is true.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		order    string
		op       sandbox.Operation
		dropped  bool
		status   int
		body     string // in the answer
		charges  int
		moved    int
		calls    []string // one after the other, after the instructions
		received int64
	}{
		{"D-x-refuse503", sandbox.Deposit, false, 503, "Service Unavailable", 0, 0, nil, 0},
		{"D-x-blackhole", sandbox.Deposit, true, 0, "", 0, 0, nil, 0},
		{"D-x-drop", sandbox.Deposit, true, 0, "", 1, 1, []string{`"status":"success"`}, 10000},
		{"D-x-error500", sandbox.Deposit, false, 500, "Internal", 1, 1, []string{`"status":"success"`}, 10000},
		{"D-x-garbage", sandbox.Deposit, false, 200, "<html>", 1, 1, []string{`"status":"success"`}, 10000},
		{"D-x-decline", sandbox.Deposit, false, 200, `"success"`, 1, 0, []string{`"code":"20000"`}, 0},
		{"P-x-decline", sandbox.Payout, false, 200, `"success"`, 1, 0, []string{`"code":"20000"`}, 0},
		{"D-x-channel", sandbox.Deposit, false, 200, `"success"`, 1, 0, []string{`"code":"20202","message":"PSP system is unavailable"`}, 0},
		{"P-x-channel", sandbox.Payout, false, 200, `"success"`, 1, 0, []string{`"code":"20202"`}, 0},
		{"D-x-early-callback", sandbox.Deposit, false, 200, `"success"`, 1, 1, []string{`"status":"success"`}, 10000},
		{"P-x-early-callback", sandbox.Payout, false, 200, `"success"`, 1, 1, []string{`"status":"success"`}, 10000},
		{"D-x-wrong-amount", sandbox.Deposit, false, 200, `"success"`, 1, 1, []string{`"sum":{"amount":10001,"currency":"KRW"}`}, 10000},
		{"D-x-other-amount", sandbox.Deposit, false, 200, `"success"`, 1, 1, []string{`"sum":{"amount":9999,"currency":"KRW"}`}, 9999},
		{"D-x-multi", sandbox.Deposit, false, 200, `"success"`, 1, 2, []string{`"amount":10000`, `"sum":{"amount":20000,"currency":"KRW"}`}, 20000},
		{"D-x-refund", sandbox.Deposit, false, 200, `"success"`, 1, 2, []string{`"status":"success"`, `"status":"refunded"`}, 10000},
		{"P-x-refund", sandbox.Payout, false, 200, `"success"`, 1, 2, []string{`"status":"success"`, `"status":"reversed"`}, 10000},
		{"P-x-duplicate-callback", sandbox.Payout, false, 200, `"success"`, 1, 1, []string{`"status":"success"`, `"status":"success"`}, 10000},
		{"P-x-lost-callback", sandbox.Payout, false, 200, `"success"`, 1, 1, nil, 10000},
	} {
		t.Run(c.order, func(t *testing.T) {
			s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.AutoPay, a.MoveDelay = true, 0 })
			path, content := salePath, sale(c.order, nil)
			if c.op == sandbox.Payout {
				path, content = payoutPath, payoutOf(c.order, nil)
			}
			body, err := SignedRequest(secret, content)
			if err != nil {
				t.Fatal(err)
			}
			status, answer, err := s.send(path, body)
			if (err != nil) != c.dropped || status != c.status || !strings.Contains(answer, c.body) {
				t.Errorf("%v %d %s", err, status, answer)
			}
			o := s.wait(c.order, func(o sandbox.Order) bool { return len(o.Charges) == c.charges && len(o.Movements) == c.moved })
			var received int64
			for _, m := range o.Movements {
				if m.Kind == sandbox.Paid {
					received += m.Amount
				}
			}
			if received != c.received {
				t.Errorf("received %d", received)
			}
			told := c.charges == 1 && c.op == sandbox.Deposit && !strings.Contains(c.order, "decline") && !strings.Contains(c.order, "channel")
			if told {
				if first := s.next(); !strings.Contains(first, "redirect_data") {
					t.Errorf("first %s", first)
				}
			}
			seen := map[string]bool{}
			for range c.calls { // of two movements at once either callback may come first
				seen[s.next()] = true
			}
			for _, want := range c.calls {
				found := false
				for call := range seen {
					found = found || strings.Contains(call, want)
				}
				if !found {
					t.Errorf("no callback with %s in %v", want, seen)
				}
			}
			s.box.Close()
			if len(s.calls) != 0 {
				t.Errorf("one more callback: %s", <-s.calls)
			}
		})
	}
}

func TestQueryFaultsAndDuplicates(t *testing.T) {
	s := newStand(t, nil)
	s.taken(payoutPath, payoutOf("P-x-lag-x-accept-duplicates", nil))
	if _, answer := s.post(statusPath, general("P-x-lag-x-accept-duplicates")); !strings.Contains(answer, `"3061"`) {
		t.Error(answer)
	}
	s.clock.set(wednesday.Add(2 * time.Second))
	if _, answer := s.post(statusPath, general("P-x-lag-x-accept-duplicates")); strings.Contains(answer, `"3061"`) {
		t.Error(answer)
	}
	s.taken(payoutPath, payoutOf("P-x-lag-x-accept-duplicates", nil))
	if o := s.order("P-x-lag-x-accept-duplicates"); len(o.Charges) != 2 {
		t.Errorf("%+v", o)
	}
	if status, _ := s.post(statusPath, general("P-x-query503")); status != http.StatusServiceUnavailable {
		t.Error(status)
	}
	if err := s.box.Release(provider, "P-x-hang"); err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"P-x-hang", "P-x-hang-before"} {
		if err := s.box.Release(provider, order); err != nil {
			t.Fatal(err)
		}
		s.taken(payoutPath, payoutOf(order, nil))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.post(payoutPath, payoutOf("P-x-slow", nil))
	}()
	s.clock.until(t, wednesday.Add(4*time.Second))
	if o := s.order("P-x-slow"); len(o.Charges) != 0 {
		t.Errorf("%+v", o)
	}
	s.clock.set(wednesday.Add(4 * time.Second))
	<-done
	if o := s.order("P-x-slow"); len(o.Charges) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestRefundOfAPurchaseIsAnOperationOfItsOwn(t *testing.T) {
	s := newStand(t, nil)
	s.taken(salePath, sale("D1", nil))
	s.next()
	s.pay("D1")
	s.next()
	if err := s.box.Refund(provider, "D1"); err != nil {
		t.Fatal(err)
	}
	refunded := s.next()
	for _, part := range []string{`"type":"purchase","status":"refunded"`, `"type":"refund","status":"success"`, `"id":1737000000003,`} {
		if !strings.Contains(refunded, part) {
			t.Errorf("%s is not in %s", part, refunded)
		}
	}
	_, answer := s.post(statusPath, general("D1"))
	if strings.Count(answer, `"request_id":`) != 3 || !strings.Contains(answer, `"status":"refunded"`) {
		t.Error(answer)
	}
	if sum := s.box.Truth().Summary(); sum.Deposited != 0 || sum.Movements != 2 {
		t.Errorf("%+v", sum)
	}
	if err := s.box.Refund(provider, "D1"); err == nil {
		t.Error("refunded twice")
	}
}

func TestRetryIsTheDocumentedOne(t *testing.T) {
	r := Retry(1)
	var total time.Duration
	for i, wait := range r.Waits {
		total += wait
		if i < 6 && wait != 10*time.Second || i > 6 && wait < r.Waits[i-1] || wait > 4*time.Hour {
			t.Errorf("wait %d is %s", i+1, wait)
		}
	}
	// n = 7: 70 + 10·1.12³ s
	if got := r.Waits[6].Truncate(time.Millisecond); got != 84049*time.Millisecond {
		t.Error(got)
	}
	if len(r.Waits)+1 > 120 || total > 11*24*time.Hour || total < 9*24*time.Hour {
		t.Errorf("%d waits, %s", len(r.Waits), total)
	}
	if fast := Retry(100); fast.Waits[0] != 100*time.Millisecond {
		t.Error(fast.Waits[0])
	}
}

func TestOnlyHTTP200Acknowledges(t *testing.T) {
	p, err := New(Settings{ProjectID: 200, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	call, err := p.Callback(sandbox.Notice{Order: "D1", State: sandbox.Paid}, wednesday)
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]bool{200: true, 201: false, 204: false, 302: false, 400: false, 500: false} {
		if call.Acknowledged(status, nil) != want {
			t.Errorf("%d", status)
		}
	}
}

func TestRefundDoesNotFollowAFailureByHand(t *testing.T) {
	s := newStand(t, nil)
	s.taken(payoutPath, payoutOf("P-x-refund", nil))
	s.clock.until(t, wednesday.Add(time.Second))
	s.clock.set(wednesday.Add(time.Second))
	s.wait("P-x-refund", sandbox.Acknowledged(1))
	s.clock.until(t, wednesday.Add(2*time.Second)) // the refund is on its way
	if err := s.box.Fail(provider, "P-x-refund"); err != nil {
		t.Fatal(err)
	}
	s.clock.set(wednesday.Add(2 * time.Second))
	// A later payout takes the same way behind the refund, so the refund has had its turn or never will.
	s.taken(payoutPath, payoutOf("P2", nil))
	s.clock.until(t, wednesday.Add(3*time.Second))
	s.clock.set(wednesday.Add(3 * time.Second))
	s.wait("P2", sandbox.Acknowledged(1))
	if o := s.order("P-x-refund"); o.State != sandbox.Failed || len(o.Movements) != 1 {
		t.Errorf("%+v", o)
	}
}
