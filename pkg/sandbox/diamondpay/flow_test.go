package diamondpay

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

// TestFaults plays each fault once and reads both sides: what the merchant sees, and what is true.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		order   string
		op      sandbox.Operation
		dropped bool
		status  int
		body    string // in the answer
		charges int
		moved   int
		calls   []string
	}{
		{"D-x-refuse503", sandbox.Deposit, false, 503, "Service Unavailable", 0, 0, nil},
		{"D-x-blackhole", sandbox.Deposit, true, 0, "", 0, 0, nil},
		{"D-x-drop", sandbox.Deposit, true, 0, "", 1, 1, []string{`"status":2`}},
		{"P-x-drop", sandbox.Payout, true, 0, "", 1, 1, []string{`"status":3`}},
		{"D-x-slow", sandbox.Deposit, false, 200, `"0000"`, 1, 1, []string{`"status":2`}},
		{"D-x-error500", sandbox.Deposit, false, 500, "Internal", 1, 1, []string{`"status":2`}},
		{"D-x-garbage", sandbox.Deposit, false, 200, "<html>", 1, 1, []string{`"status":2`}},
		{"D-x-decline", sandbox.Deposit, false, 200, `"0008"`, 0, 0, nil},
		{"P-x-decline", sandbox.Payout, false, 200, `"0000"`, 1, 0, []string{`"status":5`}},
		{"D-x-channel", sandbox.Deposit, false, 200, `"0013"`, 1, 0, nil},
		{"P-x-channel", sandbox.Payout, false, 200, `"0017"`, 1, 0, nil},
		{"D-x-early-callback", sandbox.Deposit, false, 200, `"0000"`, 1, 1, []string{`"status":2`}},
		{"P-x-early-callback", sandbox.Payout, false, 200, `"0000"`, 1, 1, []string{`"status":3`}},
		{"D-x-wrong-amount", sandbox.Deposit, false, 200, `"0000"`, 1, 1, []string{`"amount":130000100,"real_amount":130000000`}},
		{"D-x-other-amount", sandbox.Deposit, false, 200, `"0000"`, 1, 1, []string{`"amount":130000000,"real_amount":129999900`}},
		{"D-x-multi", sandbox.Deposit, false, 200, `"0000"`, 1, 2, []string{`"real_amount":130000000`, `"real_amount":260000000`}},
		{"P-x-refund", sandbox.Payout, false, 200, `"0000"`, 1, 2, []string{`"status":3`, `"status":5`}},
		{"D-x-refund-x-clarification", sandbox.Deposit, false, 200, `"0000"`, 1, 1, []string{`"status":2`}},
		{"D-x-duplicate-callback", sandbox.Deposit, false, 200, `"0000"`, 1, 1, []string{`"status":2`, `"status":2`}},
		{"D-x-lost-callback", sandbox.Deposit, false, 200, `"0000"`, 1, 1, nil},
	} {
		t.Run(c.order, func(t *testing.T) {
			s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.AutoPay = true })
			path, content := v1Path, s.exampleKRW(c.order)
			if c.op == sandbox.Payout {
				path, content = payoutPath, s.payout(c.order)
			}
			body, err := SignedRequest(MD5, secret, content)
			if err != nil {
				t.Fatal(err)
			}
			status, answer, err := s.send(path, body)
			if (err != nil) != c.dropped || status != c.status || !strings.Contains(answer, c.body) {
				t.Errorf("%v %d %s", err, status, answer)
			}
			s.wait(c.order, func(o sandbox.Order) bool { return len(o.Charges) == c.charges && len(o.Movements) == c.moved })
			all := ""
			for range c.calls { // of two movements at once either notification may come first
				all += s.next() + "\n"
			}
			for _, want := range c.calls {
				if !strings.Contains(all, want) {
					t.Errorf("no notification with %s in %s", want, all)
				}
			}
			s.box.Close()
			if len(s.calls) != 0 {
				t.Errorf("one more notification: %s", <-s.calls)
			}
		})
	}
}

func TestFailedChannelIsSeenByQueries(t *testing.T) {
	s := newStand(t, nil)
	s.post(v1Path, s.exampleKRW("D-x-channel"))
	s.post(payoutPath, s.payout("P-x-channel"))
	if answer := s.get(v2Path + "/D-x-channel"); !strings.Contains(answer, `"real_amount":0,"fee":0,"status":4`) {
		t.Error(answer)
	}
	if answer := s.get(payoutPath + "/P-x-channel"); !strings.Contains(answer, `"status":5,"error_msg":"The channel failed"`) {
		t.Error(answer)
	}
}

func TestQueryFaultsAndDuplicates(t *testing.T) {
	s := newStand(t, byHand)
	const order = "D-x-lag-x-accept-duplicates"
	for range 2 {
		if answer := s.post(v1Path, s.exampleKRW(order)); code(answer) != codeOK {
			t.Error(answer)
		}
	}
	if o := s.order(order); len(o.Charges) != 2 {
		t.Errorf("%+v", o)
	}
	if v1, v2 := s.get(v1Path+"?payment_cl_id="+order), s.get(v2Path+"/"+order); code(v2) != codeNotFound || !strings.Contains(v1, `"data":[]`) {
		t.Errorf("%s, %s", v1, v2)
	}
	if status, _ := s.getWith(v2Path+"/D-x-query503", token); status != http.StatusServiceUnavailable {
		t.Error(status)
	}
	for _, order := range []string{"D-x-hang", "D-x-hang-before"} {
		if err := s.box.Release(provider, order); err != nil {
			t.Fatal(err)
		}
		if answer := s.post(v1Path, s.exampleKRW(order)); code(answer) != codeOK {
			t.Error(answer)
		}
	}
}

func TestNotificationsAreRepeatedUntilTheRightAnswer(t *testing.T) {
	answers := []string{"", "SUCCESS", `{"error_code":"0001"}`, `{"error_code":0}`, `["0000"]`, `{"errorCode":"0000"}`, "500", `{"error_code":"0000","status":3}`}
	var calls atomic.Int32
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer := answers[calls.Add(1)-1]
		if answer == "500" {
			w.WriteHeader(http.StatusInternalServerError)
			answer = `{"error_code":"0000"}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer hook.Close()
	s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.Retry, a.AutoPay = Retry(1), true })
	s.post(v1Path, with(s.exampleKRW("D1"), change{"notify_url": hook.URL}))
	o := s.wait("D1", sandbox.Acknowledged(1))
	if int(calls.Load()) != len(answers) || len(o.Callbacks[0].Deliveries) != len(answers) {
		t.Errorf("%d calls, %+v", calls.Load(), o.Callbacks)
	}
}

func TestNotificationsAreAbandoned(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") }))
	defer hook.Close()
	s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.Retry, a.AutoPay = Retry(1), true })
	s.post(v1Path, with(s.exampleKRW("D1"), change{"notify_url": hook.URL}))
	o := s.wait("D1", func(o sandbox.Order) bool { return len(o.Callbacks) == 1 && o.Callbacks[0].Abandoned })
	if n := len(o.Callbacks[0].Deliveries); n != 11 { // one, and ten again
		t.Errorf("%d deliveries", n)
	}
	if r := Retry(60); r.First != 6*time.Second {
		t.Error(r.First)
	}
}
