package connectortest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// ask submits a command to a provider that answers so, and tests that exactly one request was made.
func (s *ruleTest) ask(cmd payment.Command, r Reply) (payment.Observation, *connectors.Error) {
	s.Helper()
	p := s.serve(always(send(r)))
	o, e := s.submit(s.Context(), s.connect(p.url(), nil), cmd)
	s.only(p)
	return o, e
}

// doubt tests that nothing was concluded from an answer.
func (s *ruleTest) doubt(what string, o payment.Observation, e *connectors.Error) {
	s.Helper()
	switch {
	case e == nil && o.Kind == payment.Indeterminate:
	case e == nil:
		s.Errorf("%s is taken as %s", what, o.Kind)
	case e.Class != connectors.InDoubt:
		s.Errorf("%s is taken as %s: %v", what, e.Class, e)
	}
}

func (s *ruleTest) accepted(n int) Reply { return s.accept(order(n), s.h.Command.Amount) }

// accept is the answer that takes a payment; some JSON where a submit makes no request.
func (s *ruleTest) accept(order string, amount payment.Money) Reply {
	if s.h.Submit.Accepted == nil {
		return Reply{Body: `{"unasked":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}`}
	}
	return s.h.Submit.Accepted(order, amount)
}

// accepts plays a payment that the provider takes.
func accepts(s *ruleTest) {
	cmd := s.command(order(1), s.h.Command.Amount)
	o, e := s.ask(cmd, s.accepted(1))
	s.taken(cmd, o, e)
}

// taken tests the observation of a payment that was accepted.
func (s *ruleTest) taken(cmd payment.Command, o payment.Observation, e *connectors.Error) {
	s.Helper()
	if e != nil || o.Source != payment.FromSubmit {
		s.Errorf("an accepted payment gives %+v, %v", o, e)
		return
	}
	kind, status := payment.Accepted, payment.Pending
	if s.h.Submit.Kind == payment.Paid {
		kind, status = payment.Paid, payment.Settled
	}
	if next := s.decide(s.submitting(cmd), o); o.Kind != kind || next.Status != status {
		s.Errorf("an accepted payment is %s and becomes %s, want %s and %s", o.Kind, next.Status, kind, status)
	}
	if !s.h.Submit.Silent && !o.PageClosesAt.IsZero() {
		s.Errorf("a payment that was sent is said to be no more than a page that closes %s", o.PageClosesAt)
	}
	switch action := o.Action; {
	case action == nil && s.h.Submit.Action == "":
	case action == nil || action.Type != s.h.Submit.Action:
		s.Errorf("what the customer must do is %+v, want a %q", action, s.h.Submit.Action)
	case (action.Redirect != nil) != (action.Type == payment.ActionRedirect),
		(action.Transfer != nil) != (action.Type == payment.ActionTransfer),
		(action.Clarification != nil) != (action.Type == payment.ActionClarification):
		s.Errorf("the action %+v does not fit its type", action)
	}
}

func codes(s *ruleTest) {
	for i, m := range s.h.Submit.Codes {
		cmd := s.command(order(i), s.h.Command.Amount)
		o, e := s.ask(cmd, s.h.Submit.Code(cmd.Order, cmd.Amount, m.Text))
		s.mean(m, o, e)
	}
}

func unknownCodes(s *ruleTest) {
	for i, code := range s.h.Submit.UnknownCodes {
		cmd := s.command(order(i), s.h.Command.Amount)
		o, e := s.ask(cmd, s.h.Submit.Code(cmd.Order, cmd.Amount, code))
		s.doubt(fmt.Sprintf("the code %q, which no page documents,", code), o, e)
	}
}

func statuses(s *ruleTest) {
	for i, m := range s.h.Submit.Statuses {
		cmd := s.command(order(i), s.h.Command.Amount)
		o, e := s.ask(cmd, s.h.Submit.Status(cmd.Order, cmd.Amount, m.Text))
		s.mean(m, o, e)
	}
}

func unknownStatuses(s *ruleTest) {
	for i, status := range s.h.Submit.UnknownStatuses {
		cmd := s.command(order(i), s.h.Command.Amount)
		o, e := s.ask(cmd, s.h.Submit.Status(cmd.Order, cmd.Amount, status))
		s.doubt(fmt.Sprintf("the status %q, which no page documents,", status), o, e)
	}
}

func duplicate(s *ruleTest) {
	cmd := s.command(order(1), s.h.Command.Amount)
	_, e := s.ask(cmd, s.h.Submit.Duplicate(cmd.Order, cmd.Amount))
	if e == nil || e.Class != connectors.InDoubt || !e.Known {
		s.Errorf("a refused duplicate gives %+v, want it in doubt and known, so that it is looked up", e)
	}
}

func amountEcho(s *ruleTest) {
	cmd := s.command(order(1), s.h.Command.Amount)
	o, e := s.ask(cmd, s.h.Submit.Accepted(cmd.Order, s.amount(7)))
	if e != nil {
		s.doubt("an answer about another amount", o, e)
		return
	}
	if next := s.decide(s.submitting(cmd), o); next.Status != payment.InDoubt {
		s.Errorf("an answer about another amount makes the payment %s: the observation does not carry the echo (%v)", next.Status, o.Amount)
	}
}

func orderEcho(s *ruleTest) {
	o, e := s.ask(s.command(order(1), s.h.Command.Amount), s.accepted(2))
	s.doubt("an answer about another order", o, e)
	if o.Known || e != nil && e.Known {
		s.Errorf("an answer about another order does not show that the provider has ours")
	}
}

// freeText plays a decline whose text repeats personal data.
func freeText(s *ruleTest) {
	const sane = 600 // bytes: 200 characters of Korean
	cmd := s.command(order(1), s.h.Command.Amount)
	text := strings.Join(private(cmd), " ; ") + " " + strings.Repeat("x", 5000)
	_, e := s.ask(cmd, s.h.Submit.Refusal(cmd.Order, cmd.Amount, text))
	switch {
	case e == nil || e.Class != connectors.Rejected && e.Class != connectors.InDoubt: // in doubt: too long to be read for its meaning
		s.Errorf("a documented decline gives %v", e)
	case len(e.Message) > sane:
		s.Errorf("the provider's text is kept with %d bytes", len(e.Message))
	}
}

// noAnswers are replies with status 200 that say nothing.
func (s *ruleTest) noAnswers() map[string]Reply {
	all := map[string]Reply{
		"empty": {}, "HTML": {Body: "<html><body>OK</body></html>"}, "garbage": {Body: "\x00\xff\xfe{]"},
		"null": {Body: "null"}, "a list": {Body: "[]"}, "a text": {Body: `"success"`}, "an empty object": {Body: "{}"},
	}
	if accepted := s.accepted(1); strings.HasPrefix(strings.TrimSpace(accepted.Body), "{") {
		all["half an answer"] = Reply{Body: accepted.Body[:len(accepted.Body)/2]}
		all["an answer and something else"] = Reply{Body: accepted.Body + accepted.Body}
	}
	return all
}

func noAnswers(s *ruleTest) {
	for name, r := range s.noAnswers() {
		o, e := s.ask(s.command(order(1), s.h.Command.Amount), r)
		s.doubt(name, o, e)
	}
}

// badStatuses say by themselves nothing about the payment.
var badStatuses = []int{400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 429, 500, 501, 502, 503, 504, 520}

func httpStatuses(s *ruleTest) {
	for _, status := range badStatuses {
		accepted := s.accepted(1)
		accepted.Status = status
		for name, r := range map[string]Reply{"empty": {Status: status}, "HTML": {Status: status, Body: "<html></html>"}, "accepted": accepted} {
			o, e := s.ask(s.command(order(1), s.h.Command.Amount), r)
			if m, documented := s.h.Submit.HTTP[status]; documented {
				s.mean(m, o, e)
				continue
			}
			what := fmt.Sprintf("HTTP %d (%s)", status, name)
			if e == nil {
				s.Errorf("%s is taken as %s", what, o.Kind)
			}
			s.doubt(what, o, e)
		}
	}
}

func retryAfter(s *ruleTest) {
	const wait = 90 * time.Second
	for _, text := range []string{"90", s.now().Truncate(time.Second).Add(wait).Format(http.TimeFormat)} {
		_, e := s.ask(s.command(order(1), s.h.Command.Amount), Reply{Status: 429, Header: map[string]string{"Retry-After": text}})
		if e == nil || !slices.Contains([]connectors.Class{connectors.InDoubt, connectors.Throttled}, e.Class) {
			s.Errorf("HTTP 429 gives %v", e)
			continue
		}
		if (e.RetryAfter - wait).Abs() > time.Second {
			s.Errorf("Retry-After: %s is read as %s", text, e.RetryAfter)
		}
	}
}
