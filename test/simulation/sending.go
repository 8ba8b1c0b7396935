package simulation

import (
	"context"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// request is one request to pay, on its way.
type request struct {
	o       *order
	cmd     payment.Command
	sent    time.Duration
	attempt int  // that the log allowed
	unsure  bool // no clock could bound when it left: see judgeArrival
}

// fenced is what was true when the last check began.
type fenced struct {
	wall time.Time
	mono time.Duration
}

// fenceTimeout bounds the question to the claim store, as in pkg/worker.
const fenceTimeout = time.Second

// Submit makes a connection, unless one is open, asks whether the request may leave, and sends it at once. After its
// deadline it sends nothing. What becomes of it then does not depend on the process any more.
func (c providerPort) Submit(ctx context.Context, cmd payment.Command) (payment.Observation, error) {
	w, deadline := c.p.w, c.p.mono()
	if w.current != nil {
		deadline = w.current.asked // the engine looks at the clock after it sets the deadline
	}
	deadline += timing().SubmitTimeout
	if w.current != nil {
		defer func(t *task) { t.exposed = false }(w.current)
	}
	t, err := c.p.call()
	if err != nil || c.p.mono() >= deadline && !w.mutant.sendLate {
		return c.tooLate()
	}
	if cmd.Method == methodPage {
		return w.makeLink(w.orderOf(cmd.Ref), cmd, c.p.clock()), nil
	}
	w.note("%s submits %s", c.p.name, cmd.Order)
	sending := connectors.SendingOf(ctx)
	dialed := !t.kept || sending.NewConnection
	t.kept, t.dialed = false, dialed
	check := func() error { return c.check(ctx, t, sending.Check, dialed) }
	if w.mutant.fenceFirst {
		err, check = check(), func() error { return nil }
		t.exposed, t.logFenced = false, false
	}
	switch {
	case err != nil:
	case !dialed:
		t.disturb()
	case !c.dial(t):
		c.p.gate.calls.truly++
		return payment.Observation{}, &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonUnreachable, Evidence: "dial"}
	}
	if err == nil {
		err = check()
	}
	if err != nil {
		return payment.Observation{}, &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonInterrupted, Evidence: "the last check refused it", Err: err}
	}
	if c.p.mono() >= deadline && !w.mutant.sendLate {
		return c.tooLate()
	}
	w.judgeFence(t, dialed || w.fenceKept)
	return c.exchange(t, cmd, deadline)
}

// tooLate is a call whose time is over.
func (c providerPort) tooLate() (payment.Observation, error) {
	c.p.gate.calls.truly++
	return payment.Observation{}, context.DeadlineExceeded
}

// dial makes the connection, with TLS. Anything can happen to the process meanwhile.
func (c providerPort) dial(t *task) bool {
	if c.p.w.fails(notSent) {
		t.wait(c.p.w.between(time.Millisecond, 10*time.Second))
		return false
	}
	t.disturb()
	t.travel()
	t.disturb()
	return true
}

// check is the last thing before the first byte leaves.
func (c providerPort) check(ctx context.Context, t *task, check func(context.Context, bool) error, dialed bool) error {
	w := c.p.w
	t.logFenced, t.confirmed, t.trusted = false, false, false
	t.fenced = &fenced{w.time().Add(c.p.clocks.wall), c.p.mono()}
	defer func() { t.fenced = nil }()
	if w.mutant.fence != nil {
		return w.mutant.fence(ctx, check, dialed)
	}
	return check(ctx, dialed)
}

// exchange is the request on the wire, from its first byte on.
func (c providerPort) exchange(t *task, cmd payment.Command, deadline time.Duration) (says payment.Observation, err error) {
	w, o := c.p.w, c.p.w.orderOf(cmd.Ref)
	r := request{o: o, cmd: cmd, sent: w.now, attempt: w.log.last(cmd.Ref).stands.Attempts, unsure: t.seen.blind()}
	t.exposed = false
	w.note("a request for %s leaves %s", cmd.Order, c.p.name)
	w.judgeRequest(t, o)
	w.judgeSending(o)
	left := deadline - c.p.mono()
	if left <= 0 {
		w.problem("%s: sent after the deadline of its call", cmd.Order)
	}
	left = max(left, 0)
	if w.fails(requestLost) {
		c.p.gate.calls.truly++
		t.wait(left)
		return says, context.DeadlineExceeded
	}
	if last := w.lastMoment(t); last || w.fails(acceptLate) {
		return c.late(t, r, left, last)
	}
	way := w.latency()
	w.after(way, func() { says, err = w.arrive(r) })
	back := w.latency()
	if w.fails(webhookEarly) {
		back = w.between(0, timing().SubmitTimeout)
	}
	t.wait(way + time.Nanosecond + back)
	if c.p.mono() > deadline || w.fails(replyLost) {
		c.p.gate.calls.truly++
		t.wait(max(deadline-c.p.mono(), 0))
		return payment.Observation{}, context.DeadlineExceeded
	}
	switch {
	case err == nil:
	case connectors.ClassOf(err) == connectors.Throttled:
		c.p.gate.calls.truly++
	case connectors.ClassOf(err) == connectors.Misconfigured:
		c.p.gate.judgeOutage(cmd)
	}
	return says, err
}

// late is a request that its caller gives up before it is executed. The kernel delivers what was written until the
// timeout of the call is over, also for a process that stands still (TCP_USER_TIMEOUT), and the provider needs up to
// as long for what arrived in the last moment: so the settling delay counts it ([connectors.Settling]).
func (c providerPort) late(t *task, r request, left time.Duration, last bool) (payment.Observation, error) {
	w := c.p.w
	c.p.gate.calls.truly++
	way := 2 * timing().SubmitTimeout
	if !last {
		way = w.extreme(time.Millisecond, way)
	}
	w.after(way, func() { _, _ = w.arrive(r) })
	if w.rng.IntN(2) == 0 {
		t.wait(left)
		return payment.Observation{}, context.DeadlineExceeded
	}
	t.wait(w.between(0, left))
	return payment.Observation{}, &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "http_502"}
}

// lastMoment reports whether a request that leaves at the end of its lease is late besides: then the settling delay is
// tight.
func (w *world) lastMoment(t *task) bool {
	return w.now-t.started > timing().Lease-timing().SubmitTimeout-2*time.Second && w.rates[acceptLate] > 0
}

// judgeFence checks what the last check is for: a request leaves so early that it ends within the lease. Where no clock
// of the machine shows how much of it has passed, the claim store was asked and told the truth, or the log was asked; ask says that one
// of them had to be.
func (w *world) judgeFence(t *task, ask bool) {
	most := timing().Lease - timing().SubmitTimeout
	switch {
	case t.seen.blind() && ask && !t.logFenced && !t.confirmed:
		w.problem("%s: sent by a worker whose clocks stood still, and nobody was asked", t.m.ref.Order)
	case t.seen.blind():
	case w.now-t.intent > most:
		w.problem("%s: sent %s after its intent", t.m.ref.Order, w.now-t.intent)
	}
}

// judgeArrival checks what the settling delay is for: when a request arrives, no worker has believed that the provider does
// not know the order, and none may send it again. Where both clocks of a machine stood still and the claim store
// could not be asked, only the second holds.
func (w *world) judgeArrival(r request) {
	p := w.log.last(r.o.ref).stands
	switch {
	case p.Attempts > r.attempt:
		w.problem("%s: request %d arrives after the intent of another", r.o.ref.Order, r.attempt)
	case p.NotFound > 0 && !r.unsure:
		w.problem("%s: arrives after an 'unknown' was believed", r.o.ref.Order)
	}
}

// intended draws whether the request of a new intent finds a connection. The first request of an order may. Where both clocks stood still
// while the append was on its way and no check follows, it does not: that is a window that no check closes (docs/failure-modes.md).
func (t *task) intended(p payment.Payment) {
	w := t.p.w
	t.intent = w.now
	t.kept = p.Submits <= 1 && w.oneOf(2, connectionKept) && (w.fenceKept || !t.seen.blind())
	t.exposed = t.kept && !w.fenceKept
}
