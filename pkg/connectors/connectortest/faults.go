package connectortest

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// deadline is a context whose time ends when the rule says so, as a real deadline does.
type deadline struct {
	context.Context
	done  chan struct{}
	ended atomic.Bool
}

func (s *ruleTest) deadline() *deadline {
	return &deadline{Context: s.Context(), done: make(chan struct{})}
}

func (d *deadline) expire() {
	if d.ended.CompareAndSwap(false, true) {
		close(d.done)
	}
}

func (d *deadline) Done() <-chan struct{}       { return d.done }
func (d *deadline) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }

func (d *deadline) Err() error {
	if d.ended.Load() {
		return context.DeadlineExceeded
	}
	return nil
}

// call is Submit or Lookup.
type call func(s *ruleTest, ctx context.Context, c connectors.Connector) (payment.Observation, *connectors.Error)

func submits(s *ruleTest, ctx context.Context, c connectors.Connector) (payment.Observation, *connectors.Error) {
	return s.submit(ctx, c, s.command(order(1), s.h.Command.Amount))
}

func looksUp(s *ruleTest, ctx context.Context, c connectors.Connector) (payment.Observation, *connectors.Error) {
	return s.lookup(ctx, c, s.command(order(1), s.h.Command.Amount))
}

// mustBe tests the class of an error.
func (s *ruleTest) mustBe(class connectors.Class, what string, o payment.Observation, e *connectors.Error) {
	s.Helper()
	switch {
	case e == nil:
		s.Errorf("%s is taken as %s", what, o.Kind)
	case e.Class != class:
		s.Errorf("%s is %s, want %s: %v", what, e.Class, class, e)
	}
}

// refused plays a provider whose address no process listens on.
func refused(s *ruleTest) {
	p := s.serve(always(hangUp))
	p.close()
	o, e := submits(s, s.Context(), s.connect(p.url(), nil))
	s.mustBe(connectors.NotSent, "a refused connection", o, e)
}

// handshakeBroken resets the connection inside the TLS handshake, before any byte of the request.
func handshakeBroken(s *ruleTest) {
	p := s.greets(func(conn net.Conn) bool {
		_, _ = conn.Read(make([]byte, 1)) // the client has begun
		return reset(conn)
	})
	o, e := submits(s, s.Context(), s.connect(p.url(), nil))
	s.mustBe(connectors.NotSent, "a reset in the TLS handshake", o, e)
	if n := p.dialed(); n != 1 {
		s.Errorf("%d connections were made, want 1", n)
	}
}

func trust(s *ruleTest) {
	p, roots := s.serveTLS(always(send(s.accepted(1))))
	o, e := submits(s, s.Context(), s.connect(p.url(), nil))
	s.mustBe(connectors.NotSent, "a certificate that nobody trusts", o, e)
	if n := len(p.requests()); n != 0 {
		s.Errorf("%d requests went to a server that nobody trusts", n)
	}
	o, e = submits(s, s.Context(), s.connect(p.url(), roots))
	s.taken(s.command(order(1), s.h.Command.Amount), o, e)
	s.only(p)
	conn, err := tls.Dial("tcp", p.listener.Addr().String(), &tls.Config{RootCAs: roots})
	if err != nil { // otherwise the first half would prove nothing
		s.Errorf("the suite's own certificate is bad: %v", err)
		return
	}
	_ = conn.Close()
}

// broken are ways in which a connection ends after the request arrived.
func (s *ruleTest) broken() map[string]play {
	answer := s.accepted(1)
	return map[string]play{
		"a reset after the request":           reset,
		"an end after the request":            hangUp,
		"a reset inside the body of a reply":  half(answer, reset),
		"an end inside the body of a reply":   half(answer, hangUp),
		"an end inside the header of a reply": func(conn net.Conn) bool { _, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nConte")); return false },
		"a reply that is no HTTP":             func(conn net.Conn) bool { _, _ = conn.Write([]byte("220 mail.example.com\r\n\r\n")); return false },
	}
}

func brokenConnections(s *ruleTest) {
	for name, what := range s.broken() {
		p := s.serve(always(what))
		o, e := submits(s, s.Context(), s.connect(p.url(), nil))
		s.mustBe(connectors.InDoubt, name, o, e)
		s.only(p)
	}
}

// timeouts let the deadline pass, or the caller give up, once the request has arrived.
func timeouts(s *ruleTest) { s.stopped(submits) }

func (s *ruleTest) stopped(what call) {
	answer := s.accepted(1)
	for name, slow := range map[string]func(begins func()) play{
		"before any answer":        silence,
		"inside the answer's body": func(begins func()) play { return half(answer, silence(begins)) },
	} {
		d := s.deadline()
		p := s.serve(always(slow(d.expire)))
		o, e := what(s, d, s.connect(p.url(), nil))
		s.mustBe(connectors.InDoubt, "a deadline that passes "+name, o, e)
		s.only(p)

		ctx, cancel := context.WithCancel(s.Context())
		p = s.serve(always(slow(cancel)))
		o, e = what(s, ctx, s.connect(p.url(), nil))
		s.mustBe(connectors.InDoubt, "a call cancelled "+name, o, e)
		s.only(p)
		cancel()
	}
}

// cancelledBefore plays a call whose time has ended before it begins.
func cancelledBefore(s *ruleTest) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	d := s.deadline()
	d.expire()
	for name, ended := range map[string]context.Context{"a cancelled call": ctx, "a call after its deadline": d} {
		p := s.serve(always(send(s.accepted(1))))
		o, e := submits(s, ended, s.connect(p.url(), nil))
		s.mustBe(connectors.NotSent, name, o, e)
		if n := len(p.requests()); n != 0 {
			s.Errorf("%s sends %d requests", name, n)
		}
	}
}

// dropped closes a kept connection when its second request has arrived. Go's own client sends some
// requests again then.
func dropped(s *ruleTest) {
	const tries = 50
	var drops atomic.Int64
	p := s.serve(func(n int, _ Received) play {
		if n == 1 {
			return send(s.accepted(1))
		}
		drops.Add(1)
		return hangUp
	})
	c := s.connect(p.url(), nil)
	submitted := 0
	for drops.Load() == 0 && submitted < tries { // a connection is kept a moment after its answer was read
		o, e := submits(s, s.Context(), c)
		if submitted++; drops.Load() > 0 {
			s.mustBe(connectors.InDoubt, "a kept connection that drops", o, e)
		}
	}
	if drops.Load() == 0 {
		s.Logf("no connection was used twice in %d calls", tries)
	}
	if got := len(p.requests()); got != submitted {
		s.Errorf("%d requests arrived for %d submits", got, submitted)
	}
}

func redirects(s *ruleTest) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		target := s.serve(always(send(s.accepted(1))))
		p := s.serve(always(send(Reply{Status: status, Header: map[string]string{"Location": target.url() + "/elsewhere"}})))
		o, e := submits(s, s.Context(), s.connect(p.url(), nil))
		s.mustBe(connectors.InDoubt, fmt.Sprintf("HTTP %d", status), o, e)
		s.only(p)
		if n := len(target.requests()); n != 0 {
			s.Errorf("HTTP %d: %d requests were made to where it points", status, n)
		}
	}
}

// endless sends a good answer and blanks behind it. A connector that reads them all has no limit.
func endless(s *ruleTest) {
	o, e, taken := s.flooded(submits, s.accepted(1))
	s.mustBe(connectors.InDoubt, "an endless reply", o, e)
	s.bounded(taken)
}

func (s *ruleTest) flooded(what call, r Reply) (o payment.Observation, e *connectors.Error, taken int) {
	s.Helper()
	size := make(chan int, 1)
	p := s.serve(always(flood(r, func(n int) { size <- n })))
	o, e = what(s, s.Context(), s.connect(p.url(), nil))
	s.only(p)
	s.await("the connection of an endless reply", func() { taken = <-size })
	return o, e, taken
}

// bounded allows for what the buffers of the kernel hold besides the connector's own limit.
func (s *ruleTest) bounded(taken int) {
	s.Helper()
	if taken > maxFlood/2 {
		s.Errorf("%d MB of an endless reply were taken", taken>>20)
	}
}
