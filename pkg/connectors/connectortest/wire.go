package connectortest

import (
	"fmt"
	"sync"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// made submits a command and returns the request that it makes: the one that arrives, or the page that
// the customer opens.
func (s *ruleTest) made(cmd payment.Command) (Received, bool) {
	s.Helper()
	if s.h.Submit.Silent {
		o, e := s.submit(s.Context(), s.connect(nowhere, nil), cmd)
		return s.page(cmd, o, e)
	}
	p := s.serve(always(send(s.accept(cmd.Order, cmd.Amount))))
	o, e := s.submit(s.Context(), s.connect(p.url(), nil), cmd)
	s.taken(cmd, o, e)
	return s.only(p)
}

// page returns the redirect of a silent submit as a request.
func (s *ruleTest) page(cmd payment.Command, o payment.Observation, e *connectors.Error) (Received, bool) {
	s.Helper()
	s.taken(cmd, o, e)
	if o.Action == nil || o.Action.Redirect == nil {
		return Received{}, false
	}
	r, err := redirected(*o.Action.Redirect)
	if err != nil {
		s.Errorf("the redirect is no URL: %v", err)
	}
	return r, err == nil
}

func exampleOnTheWire(s *ruleTest) {
	if r, ok := s.made(s.h.Command); ok {
		s.signed(r)
		for _, problem := range s.h.Submit.Example.differs(r) {
			s.Errorf("%s", problem)
		}
		s.carries(r, s.h.Command)
	}
}

// carries tests that a request names our order and the amount in the provider's unit.
func (s *ruleTest) carries(r Received, cmd payment.Command) {
	s.Helper()
	fields, err := r.Fields()
	if err != nil {
		s.Errorf("%v", err)
		return
	}
	if got := fields[s.h.Submit.OrderField]; got != cmd.Order && got != fmt.Sprintf("%q", cmd.Order) {
		s.Errorf("the order %s is sent as %s", cmd.Order, got)
	}
	if got, want := fields[s.h.Submit.AmountField], s.h.Submit.Amount(cmd.Amount); got != want {
		s.Errorf("%s is sent as %s, want %s", cmd.Amount, got, want)
	}
}

// limits returns the smallest and the largest amount that must be taken, and whether one below or above
// must be refused.
func (h Harness) limits() (least, most payment.Money, below, above bool) {
	least, most = h.Amounts.Min, h.Amounts.Max
	below, above = !least.IsZero() && least.Minor > 1, !most.IsZero()
	if least.IsZero() {
		least = payment.Money{Minor: 1, Currency: h.Command.Amount.Currency}
	}
	if most.IsZero() {
		most = payment.Money{Minor: 99_999_999, Currency: h.Command.Amount.Currency}
	}
	return least, most, below, above
}

func amountsOnTheWire(s *ruleTest) {
	least, most, below, above := s.h.limits()
	for i, amount := range []payment.Money{least, s.h.Command.Amount, most} {
		cmd := s.command(order(i), amount)
		if err := connectors.Check(s.connect(nowhere, nil), cmd); err != nil {
			s.Errorf("%s is refused: %v", amount, err)
			continue
		}
		if r, ok := s.made(cmd); ok {
			s.signed(r)
			s.carries(r, cmd)
		}
	}
	refused := s.h.Amounts.Refused
	if below {
		refused = append(refused, payment.Money{Minor: 1, Currency: least.Currency}, payment.Money{Minor: least.Minor - 1, Currency: least.Currency})
	}
	if above {
		refused = append(refused, payment.Money{Minor: most.Minor + 1, Currency: most.Currency})
	}
	for _, amount := range refused {
		if connectors.Check(s.connect(nowhere, nil), s.command(order(1), amount)) == nil {
			s.Errorf("%s is not refused before a request", amount)
		}
	}
}

// atOnce submits many orders at the same time on one connector.
func atOnce(s *ruleTest) {
	const workers = 24
	p := s.serve(func(_ int, r Received) play {
		for i := range workers {
			if cmd := s.command(order(i), s.amount(int64(i))); s.isOf(r, cmd) {
				return send(s.accept(cmd.Order, cmd.Amount))
			}
		}
		return send(Reply{Status: 400})
	})
	c := s.connect(p.url(), nil)
	var group sync.WaitGroup
	pages := make(chan Received, workers)
	for i := range workers {
		group.Go(func() {
			cmd := s.command(order(i), s.amount(int64(i)))
			o, err := c.Submit(s.Context(), cmd)
			e := s.judged("Submit", cmd, o, err)
			s.taken(cmd, o, e)
			if !s.h.Submit.Silent {
				return
			}
			if r, ok := s.page(cmd, o, e); ok {
				pages <- r
			}
		})
	}
	s.await("Submit", group.Wait)
	close(pages)
	all := p.requests()
	for r := range pages {
		all = append(all, r)
	}
	if len(all) != workers {
		s.Errorf("%d requests for %d submits", len(all), workers)
	}
	for i := range workers {
		found := 0
		for _, r := range all {
			if s.isOf(r, s.command(order(i), s.amount(int64(i)))) {
				found++
			}
		}
		if found != 1 {
			s.Errorf("order %s with its amount arrived %d times", order(i), found)
		}
	}
	s.unlike(all)
}

// isOf reports whether a request carries the order and the amount of a command.
func (s *ruleTest) isOf(r Received, cmd payment.Command) bool {
	fields, err := r.Fields()
	got := fields[s.h.Submit.OrderField]
	return err == nil && (got == cmd.Order || got == fmt.Sprintf("%q", cmd.Order)) && fields[s.h.Submit.AmountField] == s.h.Submit.Amount(cmd.Amount)
}

// unlike tests that each request is signed by itself and shares nothing unique with another.
func (s *ruleTest) unlike(all []Received) {
	seen := map[string]bool{}
	for _, r := range all {
		s.signed(r)
		fields, _ := r.Fields()
		for _, name := range s.h.Submit.Unique {
			value, ok := r.Line(name)
			if !ok {
				value, ok = fields[name]
			}
			if !ok || seen[name+"="+value] {
				s.Errorf("%s is missing or not new in each request", name)
			}
			seen[name+"="+value] = true
		}
	}
}

// later makes the clock go on between two requests of one connector.
func later(s *ruleTest) {
	p := s.serve(func(_ int, r Received) play { s.signed(r); return send(s.accepted(1)) })
	c := s.connect(p.url(), nil)
	for range 2 {
		cmd := s.command(order(1), s.h.Command.Amount)
		o, e := s.submit(s.Context(), c, cmd)
		s.taken(cmd, o, e)
		if s.h.Submit.Silent {
			if r, ok := s.page(cmd, o, e); ok {
				s.signed(r)
			}
		}
		s.advance(10 * time.Minute)
	}
	s.unlikeIfSent(p)
}

func (s *ruleTest) unlikeIfSent(p *provider) {
	s.Helper()
	want := 2
	if s.h.Submit.Silent {
		want = 0
	}
	if got := len(p.requests()); got != want {
		s.Errorf("%d requests arrived, want %d", got, want)
	}
}
