package endpoints

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// Queue gives the events of endpoints. Its methods are called concurrently, once for each endpoint, and return when ctx ends.
type Queue interface {
	// ConsumeEndpoint gives new events and those that are due again to handler, at most slots of each at the same time.
	// The verdict [queue.Park] keeps an event until its time and counts an attempt.
	ConsumeEndpoint(ctx context.Context, endpoint string, slots int, handler queue.Handler) error
	// AnswerEndpointTests has test send a test event where an operator asks for one.
	AnswerEndpointTests(ctx context.Context, test func(ctx context.Context, endpoint string) (events.EndpointTest, bool)) error
	// EndpointBacklog returns what an endpoint has not taken.
	EndpointBacklog(ctx context.Context, endpoint string) (events.EndpointBacklog, error)
}

// Options of a [Notifier].
type Options struct {
	Endpoints []Endpoint
	// Timeout bounds one request, from the resolution of the name to the answer.
	Timeout time.Duration
	// RetryMin and RetryMax bound the pause between two attempts of an event, which grows from one to the other.
	RetryMin, RetryMax time.Duration
	// GiveUpAfter is how long after the first attempt an event is sent again; then it becomes a dead letter.
	GiveUpAfter time.Duration
	Breaker     Breaker
	Now         func() time.Time
	Logger      *slog.Logger
	// Transport replaces the network in tests. It checks no address; nil dials public ones.
	Transport http.RoundTripper
}

// Notifier sends events to endpoints. Each endpoint has its own requests, breaker and waiting events.
type Notifier struct {
	Options
	receivers map[string]*receiver
	metrics   *instruments
}

// receiver is an endpoint at work.
type receiver struct {
	Endpoint
	*sender
	breaker *breaker
	slots   chan struct{} // a token for each request that may be sent
	history history
}

// New checks the options.
func New(o Options) (*Notifier, error) {
	if o.Now == nil || o.Logger == nil || o.Timeout <= 0 || o.RetryMin <= 0 || o.RetryMax < o.RetryMin || o.GiveUpAfter <= 0 || o.Breaker.Failures < 1 || o.Breaker.OpenFor <= 0 {
		return nil, errors.New("endpoints: a clock, a logger and positive times are required")
	}
	metrics, err := newInstruments()
	if err != nil {
		return nil, fmt.Errorf("endpoints: make instruments: %w", err)
	}
	n := &Notifier{Options: o, receivers: map[string]*receiver{}, metrics: metrics}
	for _, e := range o.Endpoints {
		if err := e.validate(); err != nil {
			return nil, err
		}
		if n.receivers[e.Name] != nil {
			return nil, fmt.Errorf("endpoint %s: occurs twice", e.Name)
		}
		s, err := newSender(e, o.Timeout, o.Now)
		if err != nil {
			return nil, err
		}
		if o.Transport != nil {
			s.client.Transport = o.Transport
		}
		r := &receiver{Endpoint: e, sender: s, slots: make(chan struct{}, e.Concurrency)}
		r.breaker = newBreaker(e.Name, o.Breaker, func(from, to gobreaker.State) { n.stateChanged(r, from, to) })
		n.receivers[e.Name] = r
		metrics.breakerIs(e.Name, gobreaker.StateClosed)
	}
	return n, nil
}

// startAgain is the pause before the events of an endpoint are asked for again.
const startAgain = 10 * time.Second

// Run sends events until ctx ends. An endpoint whose events cannot be read keeps no other from its own.
func (n *Notifier) Run(ctx context.Context, q Queue) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range n.receivers {
		group.Go(func() error {
			for ctx.Err() == nil {
				err := q.ConsumeEndpoint(ctx, r.Name, r.Concurrency, func(ctx context.Context, m events.Message) queue.Verdict { return n.handle(ctx, r, m) })
				if err == nil || ctx.Err() != nil {
					return nil
				}
				n.Logger.Error("cannot read the events of an endpoint; will retry", "endpoint", r.Name, "error", err, "next", "payctl streams apply")
				select {
				case <-ctx.Done():
				case <-time.After(startAgain):
				}
			}
			return nil
		})
	}
	group.Go(func() error { return q.AnswerEndpointTests(ctx, n.Test) })
	group.Go(func() error { n.measureBacklogs(ctx, q); return nil })
	return group.Wait()
}

// backlogEvery is how often it is measured what waits.
const backlogEvery = 10 * time.Second

// measureBacklogs measures what waits for each endpoint, until ctx ends.
func (n *Notifier) measureBacklogs(ctx context.Context, q Queue) {
	ticker := time.NewTicker(backlogEvery)
	defer ticker.Stop()
	for {
		for name, r := range n.receivers {
			waits, err := q.EndpointBacklog(ctx, name)
			if err != nil { // what else fails with it is logged
				n.Logger.DebugContext(ctx, "cannot measure what waits for an endpoint", "endpoint", name, "error", err)
				r.history.waits(nil)
				continue
			}
			r.history.waits(&waits)
			n.metrics.waits(ctx, name, waits)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// holdFor is how long an event is kept here while its endpoint's breaker is open. Then it goes back to the broker, which may have
// another process for it, or none while an operator has disabled the endpoint.
const holdFor = 10 * time.Second

// handle sends one event.
func (n *Notifier) handle(ctx context.Context, r *receiver, m events.Message) queue.Verdict {
	id := m.Header.Get("ce-id")
	p, err := events.DecodePayment(m.Data)
	if err != nil || id == "" {
		n.Logger.ErrorContext(ctx, "an event of the log cannot be read; not sent", "endpoint", r.Name, "subject", m.Subject, "sequence", m.Sequence,
			"next", "read docs/operators.md; after payctl log skip a later event has the payment")
		n.metrics.event(ctx, r.Name, resultUnreadable)
		return queue.Acknowledge()
	}
	if !r.Wants(p) {
		return queue.Acknowledge()
	}
	return n.deliver(ctx, r, m, p, id)
}

// deliver makes one attempt, if the endpoint's breaker lets it.
func (n *Notifier) deliver(ctx context.Context, r *receiver, m events.Message, p payment.Payment, id string) queue.Verdict {
	attempts, first := events.EndpointAttempts(m.Header)
	late := func() bool { return !first.IsZero() && !n.Now().Before(first.Add(n.GiveUpAfter)) }
	done, ok := r.enter(ctx)
	switch {
	case !ok && late() && ctx.Err() == nil:
		return n.giveUp(ctx, r, p, attempts, "its endpoint is down")
	case !ok:
		return queue.RetryAfter(0)
	}
	// A request that was sent is awaited also when this process must stop: its answer saves a repetition.
	came := n.request(context.WithoutCancel(ctx), r, id, m.Header, m.Data)
	done(came.delivered())
	r.history.note(p, came, n.Now().UTC())
	switch {
	case came.delivered():
		n.metrics.event(ctx, r.Name, resultDelivered)
		return queue.Acknowledge()
	case late():
		return n.giveUp(ctx, r, p, attempts+1, came.problem)
	case !first.IsZero() && r.breaker.open(): // this one tries whether the endpoint is back
		return queue.RetryAfter(0)
	}
	return n.postpone(ctx, r, p, came, attempts, first)
}

// request makes one request, and counts what came of it.
func (n *Notifier) request(ctx context.Context, r *receiver, id string, attributes events.Header, body []byte) result {
	came := r.send(ctx, id, attributes, body)
	n.metrics.request(ctx, r.Name, came)
	return came
}

// postpone has the broker keep an event until its next attempt, the last of which is when it is given up.
func (n *Notifier) postpone(ctx context.Context, r *receiver, p payment.Payment, came result, attempts int, first time.Time) queue.Verdict {
	at := n.Now().Add(max(n.pause(attempts+1), came.retryAfter))
	if !first.IsZero() && at.After(first.Add(n.GiveUpAfter)) {
		at = first.Add(n.GiveUpAfter)
	}
	n.Logger.WarnContext(ctx, "an endpoint did not take an event; will retry", "endpoint", r.Name, "provider", p.Provider, "order", p.Order,
		"status", p.Status, "problem", came.problem, "attempts", attempts+1, "at", at.UTC())
	n.metrics.event(ctx, r.Name, resultPostponed)
	return queue.ParkUntil(at)
}

// enter waits until a request may be sent, for at most holdFor.
func (r *receiver) enter(ctx context.Context) (done func(delivered bool), ok bool) {
	ctx, cancel := context.WithTimeout(ctx, holdFor)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	report, ok := r.breaker.enter(ctx)
	if !ok {
		<-r.slots
		return nil, false
	}
	return func(delivered bool) { report(delivered); <-r.slots }, true
}

func (n *Notifier) giveUp(ctx context.Context, r *receiver, p payment.Payment, attempts int, problem string) queue.Verdict {
	n.metrics.event(ctx, r.Name, resultDeadLettered)
	n.Logger.ErrorContext(ctx, "an endpoint did not take an event in all the time; dead-lettered", "endpoint", r.Name, "provider", p.Provider,
		"order", p.Order, "status", p.Status, "problem", problem, "attempts", attempts, "next", "when the endpoint works again: payctl endpoints replay "+r.Name)
	return queue.DeadLetter(events.DeadEndpoint, fmt.Sprintf("endpoint %s, after %d attempts in %s: %s", r.Name, attempts, n.GiveUpAfter, problem))
}

// Growth and jitter of the pauses: 5s, 15s, 45s … for an event, and a fifth more or less, so that those that failed together do
// not come back together.
const (
	pauseGrowth = 3
	pauseJitter = 0.2
)

// pause returns how long an event waits after so many attempts.
func (n *Notifier) pause(attempts int) time.Duration {
	pause := n.RetryMin
	for range attempts - 1 {
		if pause *= pauseGrowth; pause >= n.RetryMax {
			pause = n.RetryMax
			break
		}
	}
	return time.Duration(float64(pause) * (1 - pauseJitter + 2*pauseJitter*rand.Float64()))
}

// Test sends a test event to an endpoint, whatever its breaker says, and returns what came of it. known is false where there is no
// such endpoint.
func (n *Notifier) Test(ctx context.Context, endpoint string) (test events.EndpointTest, known bool) {
	r := n.receivers[endpoint]
	if r == nil {
		return events.EndpointTest{}, false
	}
	id := uuid.NewString()
	out := events.EncodeEndpointTest(endpoint, id, n.Now())
	came := n.request(ctx, r, id, out.Header, out.Data)
	return events.EndpointTest{ID: id, Delivered: came.delivered(), Status: came.status, Problem: came.problem, Seconds: came.took.Seconds()}, true
}

func (n *Notifier) stateChanged(r *receiver, from, to gobreaker.State) {
	n.metrics.breakerIs(r.Name, to)
	r.history.opened(to, n.Now().Add(n.Breaker.OpenFor).UTC())
	switch to {
	case gobreaker.StateOpen:
		n.Logger.Warn("endpoint unavailable: its events wait", "endpoint", r.Name, "was", from.String(), "next", "nothing if it is short; payctl endpoints show "+r.Name)
	case gobreaker.StateClosed:
		n.Logger.Info("endpoint available again", "endpoint", r.Name, "was", from.String())
	}
}
