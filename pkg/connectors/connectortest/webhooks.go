package connectortest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// receiver returns the connector as a receiver of calls.
func (s *ruleTest) receiver() connectors.Webhooks {
	s.Helper()
	w, ok := s.connect(nowhere, nil).(connectors.Webhooks)
	if !ok {
		s.Fatalf("the connector takes no webhooks")
	}
	return w
}

// event is a payment that was paid, signed now with the current key.
func (s *ruleTest) event() Event {
	for _, m := range s.h.Webhooks.Statuses {
		if m.Kind == payment.Paid {
			return Event{Order: order(1), Amount: s.h.Command.Amount, Status: m.Text, At: s.now()}
		}
	}
	return Event{}
}

// hear gives a call to the connector. What it returns must not show secrets, and an error
// nothing of the body.
func (s *ruleTest) hear(w connectors.Webhooks, c Call) (connectors.Notice, error) {
	s.Helper()
	n, err := w.Webhook(c.Header, c.Body, s.now())
	if err != nil {
		s.shows("a webhook's error", err, append([]string{order(1)}, s.h.Secrets...))
	} else {
		s.shows("a notice", n, s.h.Secrets)
	}
	return n, err
}

// mustRefuse tests that a call is not let in.
func (s *ruleTest) mustRefuse(what string, want connectors.WebhookRefusal, n connectors.Notice, err error) {
	s.Helper()
	var e *connectors.WebhookError
	switch {
	case err == nil:
		s.Errorf("a webhook %s is let in: %+v", what, n)
	case !errors.As(err, &e):
		s.Errorf("a webhook %s gives an error that is no *connectors.WebhookError: %T", what, err)
	case want != "" && e.Refusal != want:
		s.Errorf("a webhook %s is refused as %s, want %s", what, e.Refusal, want)
	case !reflect.ValueOf(n).IsZero():
		s.Errorf("a webhook %s is refused, and gives a notice: %+v", what, n)
	}
}

func calls(s *ruleTest) {
	w, cmd := s.receiver(), s.command(order(1), s.h.Command.Amount)
	for _, key := range []Key{CurrentKey, RotatedKey} {
		for _, m := range s.h.Webhooks.Statuses {
			e := s.event()
			e.Status, e.Key = m.Text, key
			n, err := s.hear(w, s.h.Webhooks.Make(s.TB, e))
			if err != nil {
				s.Errorf("a call with status %q and key %d is refused: %v", m.Text, key, err)
				continue
			}
			s.mean(m, n.Observation, nil)
			s.noticed(n)
			if next := s.decide(s.pending(cmd), n.Observation); m.Kind == payment.Paid && (next.Status != payment.Settled || next.SettledAmount != cmd.Amount) {
				s.Errorf("%q makes the payment %s with %s", m.Text, next.Status, next.SettledAmount)
			}
		}
	}
}

// noticed tests what every notice has.
func (s *ruleTest) noticed(n connectors.Notice) {
	s.Helper()
	if n.Order != order(1) || n.Observation.Source != payment.FromWebhook {
		s.Errorf("the notice is about %q from %q", n.Order, n.Observation.Source)
	}
	if n.Operation != "" && n.Operation != s.h.Command.Operation {
		s.Errorf("the notice is about a %s, want %s", n.Operation, s.h.Command.Operation)
	}
	if n.Answer != s.h.Webhooks.Answer {
		s.Errorf("the answer is %+v, want %+v", n.Answer, s.h.Webhooks.Answer)
	}
}

func callsUnknownStatus(s *ruleTest) {
	w := s.receiver()
	for _, status := range s.h.Webhooks.UnknownStatuses {
		e := s.event()
		e.Status = status
		n, err := s.hear(w, s.h.Webhooks.Make(s.TB, e))
		if err != nil || n.Observation.Kind != payment.Indeterminate {
			s.Errorf("the status %q, which no page documents, is taken as %s, %v", status, n.Observation.Kind, err)
		}
	}
}

func callsAmount(s *ruleTest) {
	e := s.event()
	e.Amount = s.amount(7)
	n, err := s.hear(s.receiver(), s.h.Webhooks.Make(s.TB, e))
	if err != nil {
		s.Errorf("a call about another amount is refused: %v", err)
		return
	}
	s.notSettledAsOrdered(s.command(order(1), s.h.Command.Amount), n.Observation, nil)
}

func callsTwice(s *ruleTest) {
	w, call := s.receiver(), s.h.Webhooks.Make(s.TB, s.event())
	body, header := string(call.Body), call.Header.Clone()
	first, err := s.hear(w, call)
	if err != nil {
		s.Errorf("refused: %v", err)
	}
	second, err := s.hear(w, call)
	if err != nil || !reflect.DeepEqual(first, second) {
		s.Errorf("the same call gives %+v, then %+v, %v", first, second, err)
	}
	if string(call.Body) != body || !reflect.DeepEqual(call.Header, header) {
		s.Errorf("the call was changed")
	}
	// The same call with other blanks, where the signature does not cover them.
	var spaced bytes.Buffer
	if json.Indent(&spaced, call.Body, "", "\t") != nil || first.Order == "" {
		return
	}
	other, err := s.hear(w, Call{Header: call.Header, Body: spaced.Bytes()})
	if err == nil && (other.Digest != first.Digest || other.Digest == connectors.Notice{}.Digest) {
		s.Errorf("the same call with other blanks has another digest, or none: it would be stored again")
	}
}

func callsForeignKey(s *ruleTest) {
	e := s.event()
	e.Key = ForeignKey
	n, err := s.hear(s.receiver(), s.h.Webhooks.Make(s.TB, e))
	s.mustRefuse("with a foreign key", connectors.BadSignature, n, err)
}

func callsTime(s *ruleTest) {
	w := s.receiver()
	tolerance := s.h.Webhooks.Tolerance
	hear := func(age time.Duration) (connectors.Notice, error) {
		e := s.event()
		e.At = s.now().Add(-age)
		return s.hear(w, s.h.Webhooks.Make(s.TB, e))
	}
	if tolerance == 0 { // a call that the provider repeats for days is not lost
		for _, age := range []time.Duration{time.Hour, 11 * 24 * time.Hour} {
			if _, err := hear(age); err != nil {
				s.Errorf("a call that is %s old is refused: %v", age, err)
			}
		}
		return
	}
	for _, age := range []time.Duration{tolerance - time.Second, time.Second - tolerance} {
		if _, err := hear(age); err != nil {
			s.Errorf("a call that is %s old is refused: %v", age, err)
		}
	}
	for _, age := range []time.Duration{tolerance + 2*time.Second, -tolerance - 2*time.Second} {
		n, err := hear(age)
		s.mustRefuse(fmt.Sprintf("that is %s old", age), connectors.StaleWebhook, n, err)
	}
}

func callsWithoutSignature(s *ruleTest) {
	w, good := s.receiver(), s.h.Webhooks.Make(s.TB, s.event())
	for name, c := range s.resigned(good) {
		n, err := s.hear(w, c)
		s.mustRefuse(name, connectors.BadSignature, n, err)
	}
	for name, c := range map[string]Call{
		"without a body": {Header: good.Header}, "without a header or body": {Header: http.Header{}}, "that is null": {Header: good.Header, Body: []byte("null")},
	} {
		n, err := s.hear(w, c)
		s.mustRefuse(name, "", n, err)
	}
}
