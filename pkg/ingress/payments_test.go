package ingress_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

func TestPaymentIsShownAsItsEventHasIt(t *testing.T) {
	b := newBorder(t)
	p := paymentOf(t, payment.Deposit, depositBody, payment.Submitting)
	b.log.append(p)
	p.Status, p.SettledAmount, p.ProviderReference = payment.Settled, payment.KRW(9900), "P-77"
	b.log.append(p)
	a := b.do("GET", "/v1/payments/fake-kr/D-1", "")
	a.mustBe(t, 200)
	p.Revision = 2
	event, err := json.Marshal(p)
	if err != nil || strings.TrimSpace(a.body) != string(event) {
		t.Errorf("got  %s\nwant %s (%v)", a.body, event, err)
	}
	if a.header.Get("ETag") != `"2"` || a.header.Get("Preference-Applied") != "" {
		t.Errorf("header %v", a.header)
	}
}

func TestParkedPaymentShowsWhyAndUntilWhen(t *testing.T) {
	b := newBorder(t)
	p := paymentOf(t, payment.Deposit, depositBody, payment.Parked)
	p.ResumeAt, p.Reason = p.RequestedAt.Add(time.Hour), &payment.Reason{Code: payment.ReasonReleased, By: "kim", Message: "ticket 4711"}
	b.log.append(p)
	view := b.do("GET", "/v1/payments/fake-kr/"+p.Order, "").mustBe(t, 200)
	reason, _ := view["reason"].(map[string]any)
	if view["status"] != "parked" || view["resume_at"] != p.ResumeAt.Format(time.RFC3339Nano) || reason["code"] != "released" || reason["by"] != "kim" {
		t.Errorf("got %v", view)
	}
}

func TestQueuedPaymentIsShownWithoutPersonalData(t *testing.T) {
	b := newBorder(t)
	b.queue.put(queuedMessage(t, payment.Deposit, depositBody, "x"))
	a := b.do("GET", "/v1/payments/fake-kr/D-1", "")
	view := a.mustBe(t, 200)
	mustHideAll(t, "the view", a.body)
	if view["status"] != "requested" || view["fingerprint"] == "" || a.header.Get("ETag") != `"0"` {
		t.Errorf("%s, ETag %s", a.body, a.header.Get("ETag"))
	}
	events := b.do("GET", "/v1/payments/fake-kr/D-1/events", "")
	if list, ok := events.mustBe(t, 200)["events"].([]any); !ok || len(list) != 0 {
		t.Errorf("a queued payment has events: %s", events.body)
	}
}

func TestPaymentThatIsNotKnown(t *testing.T) {
	b := newBorder(t)
	for _, path := range []string{"fake-kr/D-1", "nobody/D-1", "Fake/D-1", "fake-kr/D.1", "fake-kr/" + strings.Repeat("D", 65), "fake-kr/%00", "a%2Fb/c"} {
		for _, tail := range []string{"", "/events"} {
			b.do("GET", "/v1/payments/"+path+tail, "").mustRefuse(t, 404, "not_found", "")
		}
	}
}

// A worker writes to the log before it takes the command from the queue.
func TestPaymentThatMovesFromQueueToLogIsFound(t *testing.T) {
	b := newBorder(t)
	b.queue.read = func() (events.Message, error) {
		b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Pending))
		return events.Message{}, events.ErrNotQueued
	}
	if view := b.do("GET", "/v1/payments/fake-kr/D-1", "").mustBe(t, 200); view["status"] != "pending" {
		t.Errorf("status %v", view["status"])
	}
}

func TestTimeline(t *testing.T) {
	b := newBorder(t)
	p := paymentOf(t, payment.Deposit, depositBody, payment.Submitting)
	b.log.append(p)
	p.Status = payment.Failed
	b.log.append(p)
	a := b.do("GET", "/v1/payments/fake-kr/D-1/events", "")
	a.mustBe(t, 200)
	var got struct {
		Provider, Order string
		Events          []struct {
			Sequence int
			ID       string
			StoredAt string `json:"stored_at"`
			Payment  payment.Payment
		}
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Provider != "fake-kr" || got.Order != "D-1" || len(got.Events) != 2 {
		t.Fatalf("got %s", a.body)
	}
	second := got.Events[1]
	if second.Sequence != 102 || second.ID != "event-2" || second.StoredAt != "2026-11-22T00:00:00Z" || second.Payment.Status != payment.Failed {
		t.Errorf("second event %+v", second)
	}
}

func TestPaymentThatCannotBeRead(t *testing.T) {
	b := newBorder(t)
	b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Settled))
	b.log.history = errors.New("no answer")
	b.do("GET", "/v1/payments/fake-kr/D-1/events", "").mustRefuse(t, 503, "unavailable", "")
	b.queue.read = func() (events.Message, error) { return events.Message{}, errors.New("no answer") }
	b.do("GET", "/v1/payments/fake-kr/D-2", "").mustRefuse(t, 503, "unavailable", "")
	b.log.last = func(int) error { return errors.New("no answer") }
	for _, tail := range []string{"", "/events"} {
		b.do("GET", "/v1/payments/fake-kr/D-1"+tail, "").mustRefuse(t, 503, "unavailable", "")
	}
	b.do("GET", "/v1/payments/fake-kr/D-1", "", "Prefer", "wait=10").mustRefuse(t, 503, "unavailable", "")
}

func TestUnchangedPaymentIsNotSentAgain(t *testing.T) {
	b := newBorder(t)
	b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Settled))
	for value, status := range map[string]int{
		`"1"`: 304, `W/"1"`: 304, `"7", "1"`: 304, "*": 304, `"2"`: 200, "1": 200, `"11"`: 200,
	} {
		a := b.do("GET", "/v1/payments/fake-kr/D-1", "", "If-None-Match", value)
		if a.status != status || a.header.Get("ETag") != `"1"` || (status == 304) != (a.body == "") {
			t.Errorf("If-None-Match %s: %d %q, want %d", value, a.status, a.body, status)
		}
	}
	b.do("GET", "/v1/payments/fake-kr/D-1", "", "If-None-Match", `"1"`, "Prefer", "wait=1").mustBe(t, 200)
}

func TestProviders(t *testing.T) {
	b := newBorder(t)
	got := b.do("GET", "/v1/providers", "", "Authorization", "Bearer "+narrowKey)
	want := `{"providers":[{"name":"other-kr","kind":"fake","operations":["deposit","payout"],"currencies":["KRW"],` +
		`"methods":{"deposit":["va","card"]},"max_order_length":20}]}`
	if got.mustBe(t, 200); strings.TrimSpace(got.body) != want {
		t.Errorf("got  %s\nwant %s", got.body, want)
	}
	if list, _ := b.do("GET", "/v1/providers", "").mustBe(t, http.StatusOK)["providers"].([]any); len(list) != 3 {
		t.Errorf("the wide key sees %d providers, want 3", len(list))
	}
}

// What the customer had to do is shown while it is kept; afterwards only that there was something.
func TestPaymentWhoseActionWasErased(t *testing.T) {
	b := newBorder(t)
	p := paymentOf(t, payment.Deposit, depositBody, payment.Pending)
	p.Action = &payment.Action{Type: payment.ActionRedirect, Stored: "a-1", Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/1"}}
	b.log.append(p)
	view := b.do("GET", "/v1/payments/fake-kr/D-1", "").mustBe(t, 200)
	if action, _ := view["action"].(map[string]any); action["redirect"] == nil || view["stored_action"] != nil {
		t.Errorf("while it is kept: %v", view)
	}
	p.Action = &payment.Action{Type: payment.ActionRedirect, Stored: "a-2"}
	b.log.append(p)
	gone := func(view map[string]any) {
		t.Helper()
		if stored, _ := view["stored_action"].(map[string]any); view["action"] != nil || stored["type"] != "redirect" || stored["id"] != "a-2" {
			t.Errorf("after an erasure: %v", view)
		}
	}
	gone(b.do("GET", "/v1/payments/fake-kr/D-1", "").mustBe(t, 200))
	list := b.do("GET", "/v1/payments/fake-kr/D-1/events", "").mustBe(t, 200)["events"].([]any)
	gone(list[1].(map[string]any)["payment"].(map[string]any))
}
