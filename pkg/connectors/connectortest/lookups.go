package connectortest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// find looks up order(1) at a provider that answers so, and tests that only queries were made.
func (s *ruleTest) find(r Reply) (payment.Observation, *connectors.Error) {
	s.Helper()
	p := s.serve(always(send(r)))
	o, e := looksUp(s, s.Context(), s.connect(p.url(), nil))
	all := p.requests()
	if len(all) == 0 {
		s.Errorf("no query was made")
	}
	for _, r := range all {
		s.query(r)
	}
	return o, e
}

// query tests that a request changes nothing at the provider, is signed, and names our order.
func (s *ruleTest) query(r Received) {
	s.Helper()
	path, _, _ := strings.Cut(r.Target, "?")
	named := strings.Contains(string(r.Body), order(1)) || strings.Contains(r.Target, order(1))
	if !slices.ContainsFunc(s.h.Lookup.Queries, func(q string) bool { return strings.ReplaceAll(q, "{order}", order(1)) == r.Method+" "+path }) {
		s.Errorf("a lookup makes the request %s %s, which is no query", r.Method, path)
	}
	if !named {
		s.Errorf("a lookup does not name our order: %s %s", r.Method, r.Target)
	}
	s.signed(r)
}

func (s *ruleTest) lookupCommand() payment.Command { return s.command(order(1), s.h.Command.Amount) }

func foundStatuses(s *ruleTest) {
	for _, m := range s.h.Lookup.Statuses {
		cmd := s.lookupCommand()
		o, e := s.find(s.h.Lookup.Status(cmd.Order, cmd.Amount, m.Text))
		s.mean(m, o, e)
		if e == nil && o.Source != payment.FromLookup {
			s.Errorf("%q: the source is %q", m.Text, o.Source)
		}
		if next := s.decide(s.pending(cmd), o); m.Kind == payment.Paid && (next.Status != payment.Settled || next.SettledAmount != cmd.Amount) {
			s.Errorf("%q makes the payment %s with %s", m.Text, next.Status, next.SettledAmount)
		}
	}
}

func foundUnknownStatuses(s *ruleTest) {
	for _, status := range s.h.Lookup.UnknownStatuses {
		o, e := s.find(s.h.Lookup.Status(order(1), s.h.Command.Amount, status))
		s.doubt(fmt.Sprintf("the status %q, which no page documents,", status), o, e)
	}
}

// foundAmount answers with another amount: it must never settle the payment as ordered.
func foundAmount(s *ruleTest) {
	cmd := s.lookupCommand()
	for _, m := range s.h.Lookup.Statuses {
		if m.Kind == payment.Paid {
			o, e := s.find(s.h.Lookup.Status(cmd.Order, s.amount(7), m.Text))
			s.notSettledAsOrdered(cmd, o, e)
		}
	}
}

func (s *ruleTest) notSettledAsOrdered(cmd payment.Command, o payment.Observation, e *connectors.Error) {
	s.Helper()
	if e != nil {
		s.doubt("another amount", o, e)
		return
	}
	if next := s.decide(s.pending(cmd), o); next.Status == payment.Settled && next.SettledAmount == cmd.Amount {
		s.Errorf("the provider reports %s, and the payment of %s is settled as ordered", s.amount(7), cmd.Amount)
	}
}

func foundOrder(s *ruleTest) {
	for _, m := range s.h.Lookup.Statuses {
		o, e := s.find(s.h.Lookup.Status(order(2), s.h.Command.Amount, m.Text))
		if e == nil {
			s.Errorf("an answer about another order (%q) is taken as %s", m.Text, o.Kind)
		}
	}
}

// unknown plays a provider that does not know the order: soon after the request this is not believed,
// later it is.
func unknown(s *ruleTest) {
	settling := s.h.Traits.SettlingDelay
	for _, say := range s.h.Lookup.Unknown {
		o, e := s.find(say(order(1)))
		if e != nil || o.Kind != payment.Unknown || o.Settling != settling || o.Known || o.Source != payment.FromLookup {
			s.Errorf("an order that the provider does not know gives %+v, %v", o, e)
			continue
		}
		cmd := s.lookupCommand()
		p := s.decide(s.submitting(cmd), payment.Observation{Kind: payment.Indeterminate, Source: payment.FromSubmit})
		if early := s.decide(p, o); early.NotFound != 0 || early.Status != payment.InDoubt {
			s.Errorf("at once, it makes the payment %s and is believed %d times", early.Status, early.NotFound)
		}
		s.advance(settling + time.Second)
		if late := s.decide(p, o); late.NotFound != 1 || late.Status != payment.InDoubt {
			s.Errorf("after the settling delay it makes the payment %s and is believed %d times", late.Status, late.NotFound)
		}
	}
}

// learned tests that a lookup learned nothing.
func (s *ruleTest) learned(what string, o payment.Observation, e *connectors.Error) {
	s.Helper()
	switch {
	case e == nil:
		s.Errorf("%s is taken as %s", what, o.Kind)
	case e.Class == connectors.Rejected:
		s.Errorf("%s is a lookup that rejects the payment: %v", what, e)
	}
}

func lookupErrors(s *ruleTest) {
	for i, r := range s.h.Lookup.Errors {
		o, e := s.find(r)
		s.learned(fmt.Sprintf("Lookup.Errors[%d]", i), o, e)
	}
	for name, body := range map[string]string{"empty": "", "HTML": "<html>not found</html>", "garbage": "\x00\xff{]", "null": "null", "a list": "[]", "an empty object": "{}"} {
		o, e := s.find(Reply{Body: body})
		s.learned(name, o, e)
	}
	for _, status := range badStatuses {
		o, e := s.find(Reply{Status: status, Body: "<html>not found</html>"})
		s.learned(fmt.Sprintf("HTTP %d", status), o, e)
	}
}

func lookupFaults(s *ruleTest) {
	p := s.serve(always(hangUp))
	p.close()
	o, e := looksUp(s, s.Context(), s.connect(p.url(), nil))
	s.learned("a refused connection", o, e)
	for name, what := range s.broken() {
		o, e := looksUp(s, s.Context(), s.connect(s.serve(always(what)).url(), nil))
		s.learned(name, o, e)
	}
	s.stopped(looksUp)
	known := s.h.Lookup.Status(order(1), s.h.Command.Amount, s.h.Lookup.Statuses[0].Text)
	o, e, taken := s.flooded(looksUp, known)
	s.learned("an endless reply", o, e)
	s.bounded(taken)
}
