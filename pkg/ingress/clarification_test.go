package ingress_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// askingConnector is a provider that may want to know more about a payment.
type askingConnector struct{ fakeConnector }

func (askingConnector) Clarify(context.Context, connectors.Query, map[string]map[string]string) (payment.Observation, error) {
	panic("the ingress never clarifies")
}

func withAsking(o *ingress.Options) {
	o.Registry = connectors.NewRegistry(map[string]connectors.Connector{"fake-kr": askingConnector{}, "other-kr": askingConnector{}, "mute-kr": muteConnector{}})
}

const (
	clarifyPath = "/v1/payments/fake-kr/D-1/clarification"
	answerBody  = `{"fields":{"customer":{"last_name":"HongGilDong"},"avs_data":{"avsPostCode":"900101"}}}`
)

func asks(p payment.Payment) payment.Payment {
	p.Action = &payment.Action{Type: payment.ActionClarification, Clarification: &payment.Clarification{
		Fields: map[string][]string{"customer": {"last_name"}, "avs_data": {"avsPostCode"}},
	}}
	return p
}

// whoAsks is a border with a payment that has two events; with the second the provider asks.
func whoAsks(t *testing.T) *border {
	t.Helper()
	b := newBorder(t, withAsking)
	b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
	b.log.append(asks(paymentOf(t, payment.Deposit, depositBody, payment.Pending)))
	return b
}

// queuedAnswers returns the answers that wait.
func (b *border) queuedAnswers() []events.Clarification {
	b.t.Helper()
	var all []events.Clarification
	for _, out := range b.queue.answers {
		c, err := events.DecodeClarification(events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data})
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func TestClarificationIsTaken(t *testing.T) {
	b := whoAsks(t)
	for range 2 { // the second is the same request again
		a := b.do("POST", clarifyPath, answerBody)
		view := a.mustBe(t, http.StatusAccepted)
		if view["status"] != "pending" || view["order"] != "D-1" || view["revision"] != 2.0 {
			t.Errorf("the view is %s", a.body)
		}
		mustHideAll(t, "the view", a.body)
	}
	waiting := b.queuedAnswers()
	if len(waiting) != 1 {
		t.Fatalf("%d answers wait, want 1", len(waiting))
	}
	if c := waiting[0]; c.Ref != ref || c.Revision != 2 || !c.RequestedAt.Equal(start) || c.Fields["customer"]["last_name"] != "HongGilDong" || c.Fields["avs_data"]["avsPostCode"] != "900101" {
		t.Errorf("queued %+v", c)
	}
	b.do("POST", clarifyPath, strings.Replace(answerBody, "Hong", "Kim", 1)).mustRefuse(t, 409, "clarification_queued", "")
	if len(b.queue.commands) != 0 {
		t.Error("a clarification was queued as a command")
	}
	// The provider asks the same again: the same answer is a new one.
	clear(b.queue.answers)
	b.do("POST", clarifyPath, answerBody).mustBe(t, 202)
	b.log.append(asks(paymentOf(t, payment.Deposit, depositBody, payment.Pending)))
	b.do("POST", clarifyPath, answerBody).mustRefuse(t, 409, "clarification_queued", "")
}

func TestClarificationMayNameItsPayment(t *testing.T) {
	b := whoAsks(t)
	with := func(more string) string { return strings.Replace(answerBody, "{", "{"+more+",", 1) }
	b.do("POST", clarifyPath, with(`"provider":"other-kr"`)).mustRefuse(t, 422, "invalid_field", "provider")
	b.do("POST", clarifyPath, with(`"order":"D-2"`)).mustRefuse(t, 422, "invalid_field", "order")
	b.do("POST", clarifyPath, with(`"revision":1`)).mustRefuse(t, 409, "clarification_not_asked", "")
	b.do("POST", clarifyPath, with(`"revision":3`)).mustRefuse(t, 503, "unavailable", "")
	b.do("POST", clarifyPath, with(`"provider":"fake-kr","order":"D-1","revision":2,"requested_at":"2020-01-01T00:00:00Z"`)).mustBe(t, 202)
	if c := b.queuedAnswers()[0]; !c.RequestedAt.Equal(start) {
		t.Errorf("requested at %s, the time of transfer is %s", c.RequestedAt, start)
	}
}

func TestClarificationThatIsNotAskedFor(t *testing.T) {
	b := newBorder(t, withAsking)
	b.do("POST", clarifyPath, answerBody).mustRefuse(t, 404, "not_found", "")
	b.do("POST", "/v1/payments/Fake/D.1/clarification", answerBody).mustRefuse(t, 404, "not_found", "")
	b.queue.put(queuedMessage(t, payment.Deposit, depositBody, "x"))
	b.do("POST", clarifyPath, answerBody).mustRefuse(t, 409, "clarification_not_asked", "") // requested
	for _, p := range []payment.Payment{
		paymentOf(t, payment.Deposit, depositBody, payment.Pending), asks(paymentOf(t, payment.Deposit, depositBody, payment.Settled)),
	} {
		b.log.append(p)
		b.do("POST", clarifyPath, answerBody).mustRefuse(t, 409, "clarification_not_asked", "")
	}
	mute := strings.Replace(depositBody, "fake-kr", "mute-kr", 1)
	b.log.append(asks(paymentOf(t, payment.Deposit, mute, payment.Pending)))
	b.do("POST", "/v1/payments/mute-kr/D-1/clarification", answerBody).mustRefuse(t, 409, "clarification_not_asked", "")
	if len(b.queue.answers) != 0 {
		t.Errorf("queued %v", b.queue.answers)
	}
}

func TestClarificationWithOtherFields(t *testing.T) {
	b := whoAsks(t)
	for body, c := range map[string]struct {
		status      int
		kind, field string
	}{
		`{"fields":{"customer":{"last_name":"HongGilDong"}}}`:                              {422, "invalid_field", "fields.avs_data.avsPostCode"},
		strings.Replace(answerBody, `"HongGilDong"`, `"HongGilDong","HongGilDong":"x"`, 1): {422, "invalid_field", "fields"},
		strings.Replace(answerBody, `"HongGilDong"`, `"HongGilDong","last_name":"x"`, 1):   {422, "invalid_field", "fields"},
		strings.Replace(answerBody, `"HongGilDong"`, `""`, 1):                              {422, "invalid_field", "fields"},
		strings.Replace(answerBody, `"HongGilDong"`, `5`, 1):                               {422, "invalid_field", "fields"},
		`{"fields":{}}`: {422, "invalid_field", "fields"}, `{}`: {422, "invalid_field", "fields"},
		`{"feilds":{}}`: {422, "invalid_field", "feilds"}, `{`: {400, "malformed", ""}, `[]`: {400, "malformed", ""},
		`{"x":"` + strings.Repeat("x", events.MaxCommandBytes) + `"}`: {413, "too_large", ""},
	} {
		b.do("POST", clarifyPath, body).mustRefuse(t, c.status, c.kind, c.field)
	}
	b.do("POST", clarifyPath, answerBody, "Content-Type", "text/plain").mustRefuse(t, 415, "unsupported_media_type", "")
	if len(b.queue.answers) != 0 {
		t.Errorf("queued %v", b.queue.answers)
	}
}

func TestClarificationNeedsAKeyForThePayment(t *testing.T) {
	b := whoAsks(t)
	b.do("POST", clarifyPath, answerBody, "Authorization", "").mustRefuse(t, 401, "unauthorized", "")
	narrow := []string{"Authorization", "Bearer " + narrowKey}
	b.do("POST", clarifyPath, answerBody, narrow...).mustRefuse(t, 403, "forbidden", "")
	other := strings.Replace(depositBody, "fake-kr", "other-kr", 1)
	b.log.append(asks(paymentOf(t, payment.Payout, strings.Replace(other, "D-1", "P-1", 1), payment.Pending)))
	b.log.append(asks(paymentOf(t, payment.Deposit, other, payment.Pending)))
	b.do("POST", "/v1/payments/other-kr/P-1/clarification", answerBody, narrow...).mustRefuse(t, 403, "forbidden", "")
	b.do("POST", "/v1/payments/other-kr/D-1/clarification", answerBody, narrow...).mustBe(t, 202)
}

func TestClarificationThatIsNotStored(t *testing.T) {
	b := whoAsks(t)
	b.queue.publish = func() error { return errors.New("no answer") }
	b.do("POST", clarifyPath, answerBody).mustRefuse(t, 503, "unavailable", "")
	b.queue.publish = nil
	b.log.last = func(int) error { return errors.New("no answer") }
	b.do("POST", clarifyPath, answerBody).mustRefuse(t, 503, "unavailable", "")
	b.log.last = nil
	b.do("POST", clarifyPath, answerBody).mustBe(t, 202)
}

func TestClarificationOnNATS(t *testing.T) {
	b, conn := onNATS(t, withAsking)
	first, err := conn.Append(t.Context(), paymentOf(t, payment.Deposit, depositBody, payment.Submitting), 0)
	if err != nil {
		t.Fatal(err)
	}
	p := asks(paymentOf(t, payment.Deposit, depositBody, payment.Pending))
	p.Revision = 2
	if _, err := conn.Append(t.Context(), p, first); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b.do("POST", clarifyPath, answerBody).mustBe(t, 202)
	}
	b.do("POST", clarifyPath, strings.Replace(answerBody, "Hong", "Kim", 1)).mustRefuse(t, 409, "clarification_queued", "")
	// It neither hides the payment nor is it taken for the command.
	if view := b.do("GET", "/v1/payments/fake-kr/D-1", "").mustBe(t, 200); view["status"] != "pending" {
		t.Errorf("status %v", view["status"])
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var got events.Clarification
	if err := conn.ConsumeCommands(ctx, "fake-kr", 1, func(_ context.Context, m events.Message) queue.Verdict {
		defer cancel()
		if got, err = events.DecodeClarification(m); err != nil {
			t.Error(err)
		}
		return queue.Acknowledge()
	}); err != nil || got.Revision != 2 || got.Fields["customer"]["last_name"] != "HongGilDong" {
		t.Errorf("got %+v, %v", got, err)
	}
}
