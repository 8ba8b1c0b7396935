package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

var (
	errCrash = errors.New("the process ended")
	errPort  = errors.New("the port failed")
)

// process is one worker process.
type process struct {
	w      *world
	name   string
	clocks clocks
	engine *worker.Worker
	ctx    context.Context
	stop   context.CancelFunc
	timers []timer // nil before the first event of a payment
	gate   *gate
	batch  *batch // that was made last; nil for none
	person bool   // an operator
	dead   bool
	told   bool          // to stop
	frozen time.Duration // until then nothing in it moves
	tasks  []*task
}

// startProcess starts a worker.
func (w *world) startProcess() {
	p := &process{w: w, name: fmt.Sprintf("w%d", len(w.processes)+1), clocks: w.drawClocks()}
	p.ctx, p.stop = context.WithCancel(context.Background())
	var log worker.Log = logPort{p}
	if w.mutant.log != nil {
		log = w.mutant.log(w, log)
	}
	var conn connectors.Connector = providerPort{p}
	if w.mutant.connector != nil {
		conn = w.mutant.connector(w, providerPort{p})
	}
	p.gate = p.newGate()
	var spare worker.Limits
	if spare = p.gate; w.mutant.limits != nil {
		spare = w.mutant.limits(w, p.gate)
	}
	engine, err := worker.New(worker.Options{
		FenceKeptConnections: w.fenceKept, Limits: spare, Wait: p.wait, GiveUpPolicy: p.timeout, Threshold: func(string) time.Duration { return threshold },
		Log: log, Claims: exclusive{w.mutant.store(claimsPort{p}), w}, Timing: w.mutant.timed(timing()), Now: p.now, Local: p.local, Measure: p.measure, NewID: w.id, Opening: p.opening,
		DecodeCommand: w.decodeCommand, NewPayment: w.newPayment, Meter: unread, Bound: unbounded, Connectors: connectors.NewRegistry(map[string]connectors.Connector{acme: conn}),
	})
	if err != nil {
		panic(err) // the timing of this package does not fit the engine
	}
	p.engine = engine
	w.processes = append(w.processes, p)
	w.note("%s starts", p.name)
}

// unread makes metrics that have no reader.
var unread = noop.NewMeterProvider().Meter("")

// unbounded is the context of a call that ends in no real time.
func unbounded(context.Context, time.Duration) (context.Context, context.CancelFunc) {
	return context.Background(), func() {}
}

// kill ends a process: whatever it was doing stops where it is.
func (w *world) kill(p *process) {
	p.dead = true
	p.stop()
	for _, t := range p.tasks {
		if t.coroutine != nil {
			t.coroutine.resume() // to find that its process is dead
			t.coroutine = nil
		}
	}
	p.tasks = nil
}

// task is one handler at work on one delivery.
type task struct {
	p              *process
	m              *message
	n              int // of the delivery
	handle         queue.Handler
	coroutine      *coroutine           // nil before the first step and after the last
	asked          time.Duration        // when it asked for the time last, by its monotonic clock
	started        time.Duration        // when it asked for the time first: its lease begins then
	intent         time.Duration        // when the log wrote its intent
	looked         time.Duration        // when it asked for the time last
	seen           seen                 // of its clocks, since the claim store has confirmed its lease last
	confirmed      bool                 // that was in the last check
	trusted        bool                 // the claim store said so in the last check, perhaps as a lie
	wrote          uint64               // the sequence of what it wrote last; only a planted mistake looks at it
	dialed         bool                 // the connection to the provider is new
	kept           bool                 // a connection to the provider is open
	fenced         *fenced              // the last check before its request leaves is made
	exposed        bool                 // see [process.exposed]
	logFenced      bool                 // the log was asked in the last check
	slow           bool                 // it went by a time of before a suspension
	sawOpen        bool                 // that the provider was open, when it asked for the hours last
	openAt         time.Duration        // when it saw that
	refused        bool                 // by the breaker, when it asked last
	accountRefused bool                 // by the breaker of our account, when it asked last
	answered       bool                 // a look-up had an answer
	hung           bool                 // a look-up had none, as those of many others
	unreadable     *payment.Observation // the last answer of a look-up, when it could not be read
	hours          *hours               // that it asked for last
	hoursAsked     bool                 // that it asked for any
	hoursAt        time.Duration        // when
	sawClosed      bool                 // that the provider was closed, when it asked for the hours last
	verdict        queue.Verdict
	ended          bool // with a verdict
}

// begin lets a process work on a delivery.
func (p *process) begin(m *message, h queue.Handler) {
	t := &task{p: p, m: m, n: m.Deliveries, handle: h}
	p.tasks = append(p.tasks, t)
	p.w.advance(t)
}

// advance lets a task run until its next call of a port.
func (w *world) advance(t *task) {
	p := t.p
	switch {
	case p.dead:
		return
	case p.frozen > w.now:
		w.resume(p.frozen-w.now, t)
		return
	}
	if t.coroutine == nil {
		t.coroutine = w.coroutineFor(t)
	}
	w.current = t
	pause, more := t.coroutine.resume()
	w.current = nil
	if more {
		w.resume(pause, t)
		return
	}
	t.coroutine = nil
	switch {
	case t.ended:
		p.forget(t)
		w.settle(t)
	default:
		w.crashed(p)
	}
}

func (p *process) forget(done *task) {
	for i, t := range p.tasks {
		if t == done {
			p.tasks = append(p.tasks[:i], p.tasks[i+1:]...)
			return
		}
	}
}

// crashed cleans up after a process that died by itself.
func (w *world) crashed(p *process) {
	w.note("%s crashes", p.name)
	for _, t := range p.tasks {
		w.silent(t.m, t.n)
	}
	w.kill(p)
	if !p.person {
		w.after(w.between(0, 30*time.Second), w.startProcess)
	}
}

// silent delivers a message again of whose handler the queue hears nothing more.
func (w *world) silent(m *message, n int) {
	w.after(w.between(ackWait*2/3, ackWait), func() { w.redeliver(m, n) })
}

// disturb lets happen to the process what can happen at every call: one thing at most, so that one draw does.
func (t *task) disturb() {
	w := t.p.w
	if w.now >= w.calm {
		return
	}
	x := w.rng.Float64()
	if x >= w.trouble {
		return
	}
	for _, f := range troubles {
		if x < w.rates[f] {
			t.suffer(f)
			return
		}
		x -= w.rates[f]
	}
}

// suffer lets one thing happen to the process.
func (t *task) suffer(f fault) {
	p, w := t.p, t.p.w
	if f == stop && (p.person || p.told) || f == paused && p.exposed() {
		return
	}
	w.happened[f]++
	switch f {
	case crash:
		p.dead = true
		panic(errCrash)
	case stop:
		w.note("%s is told to stop", p.name)
		p.told = true
		p.stop()
		w.after(w.between(0, 30*time.Second), w.startProcess)
	case freeze:
		long := t.standstill()
		w.note("%s freezes for %s", p.name, long)
		t.freeze(long)
	case suspended, paused:
		t.suspend(f == paused)
	case timeMoves:
		p.clocks.skew = w.extreme(-maxSkew, maxSkew)
		w.note("%s is ahead by %s now", p.name, p.clocks.skew)
	case clockSet:
		p.setClock(w.between(-maxSet, maxSet))
	}
}

// freeze lets a process stand still, whatever its clocks do.
func (t *task) freeze(long time.Duration) {
	t.p.frozen = t.p.w.now + long
	for _, other := range t.p.tasks {
		if long > ackWait*2/3 {
			t.p.w.silent(other.m, other.n)
		}
	}
	t.wait(0)
}

// wait gives control back to the world.
func (t *task) wait(d time.Duration) {
	if !t.coroutine.yield(d) {
		panic(errCrash)
	}
}

// call is the way of every call to a port: what can happen to the process, and the time that it takes
// until the call is there. It returns the task, or an error when the process is dead.
func (p *process) call() (*task, error) {
	t := p.w.current
	if p.dead || t == nil {
		return nil, errPort
	}
	t.disturb()
	return t, nil
}

// travel is the time that a call or its answer needs.
func (t *task) travel() {
	if t.p.w.fails(slowPort) {
		t.wait(t.p.w.between(0, 5*time.Second))
		return
	}
	t.wait(t.p.w.latency())
}
