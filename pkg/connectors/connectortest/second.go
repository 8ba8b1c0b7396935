package connectortest

import (
	"fmt"
	"net"
	"sync/atomic"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// secondTries is how often a connection must be used twice; a connector that makes one for each request never does.
const secondTries = 5

// twice plays a gateway that answers requests twice: the second answer comes when the next request has come over the
// same connection, before its own. right answers the n-th call. It returns whether the second of two calls
// went over a connection of its own.
func (s *ruleTest) twice(second Reply, right func(n int) Reply, call func(n int, c connectors.Connector)) (own bool) {
	s.Helper()
	for range secondTries {
		var calls atomic.Int64
		p := s.serve(func(n int, _ Received) play {
			answer := send(right(int(calls.Load())))
			if n == 1 {
				return answer
			}
			return func(conn net.Conn) bool { return send(second)(conn) && answer(conn) }
		})
		c := s.connect(p.url(), nil)
		for n := 1; n <= 2; n++ {
			calls.Store(int64(n))
			call(n, c)
		}
		if p.dialed() == 1 {
			return false
		}
	}
	return true
}

// secondAnswers are answers to the first order's request.
func (s *ruleTest) secondAnswers() map[string]Reply {
	amount, submit := s.h.Command.Amount, s.h.Submit
	all := map[string]Reply{"an accepted payment": s.accepted(1)}
	if submit.Code != nil {
		for _, m := range submit.Codes {
			all["the code "+m.Text] = submit.Code(order(1), amount, m.Text)
		}
	}
	if submit.Status != nil {
		for _, m := range submit.Statuses {
			all["the status "+m.Text] = submit.Status(order(1), amount, m.Text)
		}
	}
	if submit.Duplicate != nil {
		all["a duplicate"] = submit.Duplicate(order(1), amount)
	}
	return all
}

// secondSubmit tests that nothing is concluded for an order from an answer to another one's request.
func secondSubmit(s *ruleTest) {
	for name, second := range s.secondAnswers() {
		var last payment.Observation
		var failed *connectors.Error
		own := s.twice(second, s.accepted, func(n int, c connectors.Connector) {
			last, failed = s.submit(s.Context(), c, s.command(order(n), s.h.Command.Amount))
			if n == 1 {
				s.taken(s.command(order(1), s.h.Command.Amount), last, failed)
			}
		})
		if own {
			s.taken(s.command(order(2), s.h.Command.Amount), last, failed)
			return // whatever the answer is: it does not come this way
		}
		s.doubt(fmt.Sprintf("%s, a second answer to another request,", name), last, failed)
	}
}

// secondLookup tests that no order becomes unknown by an answer about another one.
func secondLookup(s *ruleTest) {
	var paid string
	for _, m := range s.h.Lookup.Statuses {
		if m.Kind == payment.Paid {
			paid = m.Text
		}
	}
	for _, unknown := range s.h.Lookup.Unknown {
		right := func(n int) Reply { return s.h.Lookup.Status(order(n), s.h.Command.Amount, paid) }
		s.twice(unknown(order(1)), right, func(n int, c connectors.Connector) {
			o, e := s.lookup(s.Context(), c, s.command(order(n), s.h.Command.Amount))
			if e == nil && o.Kind != payment.Paid {
				s.Errorf("an order is %s by a second answer about another one", o.Kind)
			}
		})
	}
}
