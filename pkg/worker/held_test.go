package worker_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/limits"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// gatekeeper limits as a test says, and remembers.
type gatekeeper struct {
	shutUntil time.Time // zero: it is open
	reserved  int
	called    []bool // of each call that ended
}

func (g *gatekeeper) Enter(context.Context, string) (func(bool, error), time.Time, bool) {
	if !g.shutUntil.IsZero() {
		return nil, g.shutUntil, false
	}
	return func(called bool, _ error) { g.called = append(g.called, called) }, time.Time{}, true
}

func (g *gatekeeper) EnterAccount(context.Context, payment.Ref, string) (func(bool, error), time.Time, bool) {
	return func(bool, error) {}, time.Time{}, true
}

func (g *gatekeeper) Reserve(context.Context, string, time.Duration) (time.Duration, bool) {
	g.reserved++
	return 0, true
}

func guarded(t *testing.T, test func(d *testbed, g *gatekeeper)) {
	t.Helper()
	inBubble(t, func(d *testbed) {
		g := &gatekeeper{}
		d.options.Limits = g
		test(d, g)
	})
}

// A place in the budget is for one call, and the lease is not renewed where it is long enough.
func TestAPlaceIsForOneCall(t *testing.T) {
	limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: 2 * time.Second, Burst: 1}}, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("first"))), queue.Done)
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		began := time.Now()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		if took := time.Since(began); took != 4*time.Second || p.ports.count("renew") != 0 {
			t.Errorf("a request and a look-up took %s, %d renewals", took, p.ports.count("renew"))
		}
	})
}

func TestOnlyABreakerRejects(t *testing.T) {
	limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: 2 * time.Minute, Burst: 1}}, func(d *testbed) {
		d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy {
			return worker.GiveUpPolicy{Down: worker.RejectDown}
		}
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("first"))), queue.Done)
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
		d.reason("o-1", payment.ReasonRateLimited, "")
	})
}

// A pause doubles only while its reason stays.
func TestAnotherReasonBeginsItsPauseAgain(t *testing.T) {
	guarded(t, func(d *testbed, g *gatekeeper) {
		p, m := d.start(), d.message(d.order("o-1"))
		d.provider.script("o-1", repeat(reply{err: errBalance}, 6)...)
		for range 6 {
			time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		}
		g.shutUntil = d.now().Add(30 * time.Second)
		if delay := d.want(p.Command(context.Background(), m), queue.Park); delay < 30*time.Second || delay > 45*time.Second {
			t.Errorf("kept back for %s", delay)
		}
		d.reason("o-1", payment.ReasonBreakerOpen, "")
	})
}

// What a breaker keeps back does not come back all at once, and never at once.
func TestWhatIsKeptBackIsSpread(t *testing.T) {
	guarded(t, func(d *testbed, g *gatekeeper) {
		p := d.start()
		for _, order := range []string{"doubt-1", "doubt-2"} {
			interrupted(d, d.order(order), true)
		}
		g.shutUntil = d.now().Add(30 * time.Second)
		delay := map[string]time.Duration{}
		for _, order := range []string{"o-1", "o-2", "doubt-1", "doubt-2"} {
			delay[order] = d.want(p.Command(context.Background(), d.message(d.order(order))), queue.Park)
			if delay[order] < 30*time.Second || delay[order] > 45*time.Second {
				t.Errorf("%s is kept back for %s", order, delay[order])
			}
		}
		if delay["o-1"] == delay["o-2"] || delay["doubt-1"] == delay["doubt-2"] {
			t.Errorf("together: %v", delay)
		}
		g.shutUntil = d.now().Add(-time.Minute)
		if again := d.want(p.Command(context.Background(), d.message(d.order("o-3"))), queue.Park); again < time.Second {
			t.Errorf("comes back in %s", again)
		}
	})
}

// The answer "unknown" allows one more request at once: it takes no place of its own.
func TestSendingAgainTakesNoPlace(t *testing.T) {
	guarded(t, func(d *testbed, g *gatekeeper) {
		m := interrupted(d, d.order("o-1"), false)
		g.reserved = 0
		p := d.start()
		d.want(d.settle(p, m), queue.Done)
		d.sent("o-1", 1, 1)
		if n := p.ports.count("lookup"); g.reserved != n || n < 2 {
			t.Errorf("%d places for %d look-ups", g.reserved, n)
		}
	})
}

// A call that was not made says nothing about the provider.
func TestASpentLeaseIsNoCall(t *testing.T) {
	guarded(t, func(d *testbed, g *gatekeeper) {
		d.options.OnStep = func(s worker.Step, _ payment.Ref) {
			if s == worker.StepIntended {
				time.Sleep(d.options.Timing.Lease)
			}
		}
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
		d.sent("o-1", 0, 0)
		if len(g.called) != 1 || g.called[0] {
			t.Errorf("calls: %v", g.called)
		}
	})
}

// The provider refused this attempt; that the process stops is no reason to take it back.
func TestStoppingTakesNoAnswerBack(t *testing.T) {
	inBubble(t, func(d *testbed) {
		ctx, stop := context.WithCancel(context.Background())
		d.options.OnStep = func(s worker.Step, _ payment.Ref) {
			if s == worker.StepIntended {
				stop()
			}
		}
		d.provider.script("o-1", reply{err: errBalance})
		delay := d.want(d.start().Command(ctx, d.message(d.order("o-1"))), queue.Park)
		if is := d.log.now("o-1"); is.Attempts != 1 || delay != d.options.Timing.ParkMin {
			t.Errorf("%d attempts, parked for %s", is.Attempts, delay)
		}
		d.reason("o-1", payment.ReasonBalance, "309")
	})
}

// A connector can know that "unknown" needs longer to be believed than its provider's ordinary delay.
func TestAnUnknownCanAskForMoreTime(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := interrupted(d, d.order("o-1"), false)
		d.lookupSays(payment.Observation{Kind: payment.Unknown, Settling: time.Hour}, nil)
		time.Sleep(30 * time.Minute)
		d.want(d.start().Command(context.Background(), m), queue.Park)
		if n := d.log.now("o-1").NotFound; n != 0 {
			t.Errorf("believed %d times", n)
		}
	})
}

// A payment that was parked here and begun elsewhere has no time of sending: it is open since our first event of it.
func TestAPaymentThatWeNeverSentIsNotOverdueAtOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errBalance})
		cmd := d.order("o-1")
		guardedPark(d, cmd)
		d.want(d.start().Webhook(context.Background(), d.webhook("o-1", accepted("o-1"))), queue.Done)
		d.log.want("o-1", payment.Parked, payment.Pending)
		d.lookupSays(accepted("o-1"), nil)
		time.Sleep(10 * time.Minute)
		d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		if is := d.log.now("o-1"); !is.OverdueAt.IsZero() {
			t.Errorf("overdue: %+v", is.Reason)
		}
	})
}

// guardedPark parks a command before anything is sent.
func guardedPark(d *testbed, cmd payment.Command) {
	d.t.Helper()
	before := d.options.Limits
	d.options.Limits = &gatekeeper{shutUntil: d.now().Add(time.Hour)}
	d.want(d.start().Command(context.Background(), d.message(cmd)), queue.Park)
	d.options.Limits = before
}
