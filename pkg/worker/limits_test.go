package worker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/pkg/limits"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

var breaker = limits.Breaker{Failures: 3, OpenFor: 30 * time.Second, Probes: 2}

// limited runs a test whose provider has a policy.
func limited(t *testing.T, policy limits.Policy, test func(d *testbed)) {
	t.Helper()
	inBubble(t, func(d *testbed) {
		d.limit(policy)
		test(d)
	})
}

func (d *testbed) limit(policy limits.Policy) {
	d.t.Helper()
	policy.AccountPause = time.Minute
	l, err := limits.New(limits.Options{Policies: map[string]limits.Policy{acme: policy}, Now: d.now})
	if err != nil {
		d.t.Fatal(err)
	}
	d.options.Limits = l
}

// trip lets payments fail until the breaker is open.
func (d *testbed) trip(p *process) {
	d.t.Helper()
	for range breaker.Failures {
		name := fmt.Sprintf("trip-%d", d.ids.Add(1))
		d.provider.script(name, repeat(reply{err: errThrottled}, 1000)...)
		p.Command(context.Background(), d.message(d.order(name)))
	}
	if _, _, ok := d.options.Limits.Enter(context.Background(), acme); ok {
		d.t.Fatal("the breaker is not open")
	}
}

func TestAnOpenBreakerParksAndSendsNothing(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		p := d.start()
		d.trip(p)
		m := d.message(d.order("o-1"))
		v := p.Command(context.Background(), m)
		delay := d.want(v, queue.Park)
		d.log.want("o-1", payment.Parked)
		d.reason("o-1", payment.ReasonBreakerOpen, "")
		is := d.log.now("o-1")
		if delay < breaker.OpenFor || delay > 2*breaker.OpenFor || !is.ResumeAt.Equal(v.At) || is.Attempts != 0 {
			t.Errorf("parked for %s, the log says %s with %d attempts", delay, is.ResumeAt.Sub(d.now()), is.Attempts)
		}
		d.sent("o-1", 0, 0)
		d.want(d.settle(p, m), queue.Done) // the provider is back
		d.log.want("o-1", payment.Parked, payment.Submitting, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

func TestDeclinesAndLowBalanceDoNotOpenTheBreaker(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		p := d.start()
		for n := range 10 {
			name := fmt.Sprintf("n-%d", n)
			d.provider.script(name, reply{err: errRefused})
			if n%2 == 0 {
				d.provider.script(name, reply{err: errBalance})
			}
			p.Command(context.Background(), d.message(d.order(name)))
			d.sent(name, 1, 0)
		}
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

// Many payments wait for an hour: each writes a few events, and none while the pause has its full length.
func TestWaitingForLongWritesFewEvents(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		p := d.start()
		down := d.now()
		m := d.message(d.order("o-1"))
		visits, resumes := 0, time.Time{}
		for d.now().Sub(down) < 3*time.Hour {
			d.trip(p) // another payment tries again and again
			v := p.Command(context.Background(), m)
			delay := d.want(v, queue.Park)
			if delay <= 0 {
				t.Fatal("it would come back at once")
			}
			is := d.log.now("o-1")
			if delay < breaker.OpenFor || delay > d.options.Timing.ParkMax*3/2 {
				t.Errorf("parked for %s", delay)
			}
			if is.ResumeAt.Before(resumes) || is.ResumeAt.After(v.At) {
				t.Errorf("the log says %s, the verdict %s", is.ResumeAt, v.At)
			}
			visits, resumes = visits+1, is.ResumeAt
			time.Sleep(delay)
		}
		if n := len(d.log.history("o-1")); n > 6 || n < 3 || visits < 10 {
			t.Errorf("%d events after %d visits", n, visits)
		}
		d.sent("o-1", 0, 0)
		time.Sleep(breaker.OpenFor + time.Second)
		d.want(d.settle(p, m), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

func TestExactlyTheProbesAreSentOverAllSlots(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		p := d.start()
		d.trip(p)
		time.Sleep(breaker.OpenFor + time.Second)
		verdicts := make(chan queue.Verdict)
		const slots = 20
		for n := range slots {
			name := fmt.Sprintf("p-%d", n)
			d.provider.script(name, reply{execute: true, takes: 5 * time.Second, says: accepted(name)})
			go func() { verdicts <- p.Command(context.Background(), d.message(d.order(name))) }()
		}
		count := map[queue.Kind]int{}
		for range slots {
			count[(<-verdicts).Kind]++
		}
		if count[queue.Done] != breaker.Probes || count[queue.Park] != slots-breaker.Probes {
			t.Errorf("verdicts: %v", count)
		}
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done) // it has closed
	})
}

// A probe that ends without a call gives its place back, also when the process breaks off.
func TestAProbeThatSendsNothingGivesItsPlaceBack(t *testing.T) {
	one := breaker
	one.Probes = 1
	limited(t, limits.Policy{Breaker: one}, func(d *testbed) {
		p := d.start()
		d.trip(p)
		time.Sleep(breaker.OpenFor + time.Second)
		p.ports.on("append", 1, failBefore) // the intent
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Retry)
		q := d.start()
		q.ports.crashAt = worker.StepIntended // a panic
		if _, crashed := q.command(context.Background(), d.message(d.order("o-2"))); !crashed {
			t.Fatal("no crash")
		}
		d.want(p.Command(context.Background(), d.message(d.order("o-3"))), queue.Done)
		d.sent("o-3", 1, 1)
	})
}

// A probe that finds no place in the budget gives its place in the breaker back.
func TestAProbeWithoutBudgetGivesItsPlaceBack(t *testing.T) {
	one := breaker
	one.Probes = 1
	limited(t, limits.Policy{Breaker: one, Rate: limits.Rate{Calls: 1, Per: 5 * time.Minute, Burst: breaker.Failures + 1}}, func(d *testbed) {
		p := d.start()
		d.trip(p)
		time.Sleep(breaker.OpenFor + time.Second)
		p.ports.on("append", 1, failBefore) // uses the last place of the budget
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Retry)
		d.want(p.Command(context.Background(), d.message(d.order("o-2"))), queue.Park)
		d.reason("o-2", payment.ReasonRateLimited, "")
		time.Sleep(10 * time.Minute)
		d.want(p.Command(context.Background(), d.message(d.order("o-3"))), queue.Done)
		d.sent("o-3", 1, 1)
	})
}

// A look-up that gets no answer counts like a request.
func TestLookupsOpenTheBreakerToo(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		p, m := d.start(), d.message(d.order("o-1"))
		d.provider.script("o-1", reply{execute: true, err: errTimedOut}) // the first failure
		p.ports.fault = func(_ int, name string) fault { return map[string]fault{"lookup": failBefore}[name] }
		for n := range breaker.Failures - 1 {
			if done, _, ok := d.options.Limits.Enter(context.Background(), acme); !ok {
				t.Fatalf("open after %d look-ups", n)
			} else {
				done(false, nil)
			}
			time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		}
		if _, _, ok := d.options.Limits.Enter(context.Background(), acme); ok {
			t.Error("the breaker is closed")
		}
	})
}

func TestDepositsCanBeRejectedWhileTheProviderIsDown(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		d.options.GiveUpPolicy = func(provider string, op payment.Operation) worker.GiveUpPolicy {
			if provider == acme && op == payment.Deposit {
				return worker.GiveUpPolicy{Down: worker.RejectDown}
			}
			return worker.GiveUpPolicy{}
		}
		p := d.start()
		d.trip(p)
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Failed)
		d.reason("o-1", payment.ReasonBreakerOpen, "")
		payout := d.order("o-2")
		payout.Operation = payment.Payout
		d.want(p.Command(context.Background(), d.message(payout)), queue.Park)
		d.sent("o-1", 0, 0)
	})
}

// A payment that may have been sent is neither failed nor written again while the provider is down.
func TestADoubtWaitsWhileTheBreakerIsOpen(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy {
			return worker.GiveUpPolicy{Down: worker.RejectDown, GiveUpAfter: time.Second}
		}
		p, m := d.start(), d.message(d.order("o-1"))
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		p.ports.on("lookup", 1, failBefore)
		d.want(p.Command(context.Background(), m), queue.Park)
		before := d.log.statuses("o-1")
		d.trip(p)
		lookups := p.ports.count("lookup")
		if delay := d.want(p.Command(context.Background(), m), queue.Park); delay < breaker.OpenFor-time.Second || delay > 2*breaker.OpenFor {
			t.Errorf("asked again after %s", delay)
		}
		if is := d.log.statuses("o-1"); is != before || p.ports.count("lookup") != lookups {
			t.Errorf("%s, then %s; %d look-ups", before, is, p.ports.count("lookup")-lookups)
		}
		d.want(d.settle(p, m), queue.Done) // a look-up is a probe, too
		d.sent("o-1", 1, 1)
	})
}

func TestTheRateIsKeptByWaitingInTheHandler(t *testing.T) {
	limited(t, limits.Policy{Rate: limits.Rate{Calls: 2, Per: time.Second, Burst: 1}}, func(d *testbed) {
		p := d.start()
		verdicts := make(chan queue.Verdict)
		const slots = 100 // the last waits for nearly 50 s: longer than a lease
		began := time.Now()
		for n := range slots {
			go func() { verdicts <- p.Command(context.Background(), d.message(d.order(fmt.Sprintf("p-%d", n)))) }()
		}
		for range slots {
			d.want(<-verdicts, queue.Done)
		}
		if took := time.Since(began); took != (slots-1)*500*time.Millisecond {
			t.Errorf("%d payments took %s", slots, took)
		}
		for n := range slots {
			name := fmt.Sprintf("p-%d", n)
			d.sent(name, 1, 1)
			d.log.want(name, payment.Submitting, payment.Pending)
		}
	})
}

func TestLookupsTakeBudgetToo(t *testing.T) {
	limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: 10 * time.Second, Burst: 1}}, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		began := time.Now()
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		if took := time.Since(began); took != 10*time.Second || d.provider.lookups != 1 {
			t.Errorf("took %s for a request and %d look-ups", took, d.provider.lookups)
		}
	})
}

func TestABudgetThatIsFarAwayParks(t *testing.T) {
	limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: 2 * time.Minute, Burst: 1}}, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("first"))), queue.Done)
		began, m := time.Now(), d.message(d.order("o-1"))
		delay := d.want(p.Command(context.Background(), m), queue.Park)
		if took := time.Since(began); took != 0 || delay < 2*time.Minute || delay > 3*time.Minute {
			t.Errorf("took %s, parked for %s", took, delay)
		}
		d.reason("o-1", payment.ReasonRateLimited, "")
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Parked, payment.Submitting, payment.Pending)
	})
}

func TestStoppingWhileWaitingForTheBudget(t *testing.T) {
	limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: 50 * time.Second, Burst: 1}}, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("first"))), queue.Done)
		ctx, stop := context.WithCancel(context.Background())
		const long = 20 * time.Second // after which a lease is too short for a call
		time.AfterFunc(long, stop)
		began, m := time.Now(), d.message(d.order("o-1"))
		if delay := d.want(p.Command(ctx, m), queue.Retry); delay != 0 || time.Since(began) != long || p.ports.count("renew") != 0 {
			t.Errorf("after %s: again in %s", time.Since(began), delay)
		}
		d.log.want("o-1") // no park, no attempt
		d.want(d.settle(d.start(), m), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

// While a worker waits for the budget its lease can run out, and another can take the order.
func TestAWaitLongerThanTheLease(t *testing.T) {
	for name, taken := range map[string]bool{"nobody took the order": false, "another took the order": true} {
		t.Run(name, func(t *testing.T) {
			limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: 50 * time.Second, Burst: 1}}, func(d *testbed) {
				p := d.start()
				d.want(p.Command(context.Background(), d.message(d.order("first"))), queue.Done)
				m := d.message(d.order("o-1"))
				verdict := make(chan queue.Verdict)
				go func() { verdict <- p.Command(context.Background(), m) }()
				time.Sleep(d.options.Timing.Lease + time.Second)
				if taken {
					d.options.Limits = nil
					d.want(d.start().Command(context.Background(), m), queue.Done)
				}
				want := queue.Done
				if taken {
					want = queue.Retry
				}
				d.want(<-verdict, want)
				d.sent("o-1", 1, 1)
				d.log.want("o-1", payment.Submitting, payment.Pending)
			})
		})
	}
}

// After a wait the rest of the lease is long enough for a call and the look-up after it, or the lease begins again.
func TestTheRestOfTheLeaseIsLongEnough(t *testing.T) {
	timing := worker.DefaultTiming()
	enough := timing.Lease - timing.RetryFor - 2*timing.SubmitTimeout
	for wait, renewed := range map[time.Duration]int{enough - 1: 0, enough: 1} {
		limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: wait, Burst: 1}}, func(d *testbed) {
			p := d.start()
			d.want(p.Command(context.Background(), d.message(d.order("first"))), queue.Done)
			d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
			if n := p.ports.count("renew"); n != renewed {
				t.Errorf("after %s renewed %d times, want %d", wait, n, renewed)
			}
		})
	}
}

// A lease that was slow to renew counts from when that was asked for: it is not known when the store did it.
func TestARenewedLeaseCountsFromTheQuestion(t *testing.T) {
	limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: 20 * time.Second, Burst: 1}}, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("first"))), queue.Done)
		p.ports.fault = func(_ int, name string) fault {
			if name == "renew" {
				time.Sleep(14 * time.Second)
			}
			return fine
		}
		d.provider.script("o-1", reply{execute: true, takes: 14 * time.Second, err: errTimedOut})
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
		if n := p.ports.count("lookup"); n != 0 || p.ports.count("renew") != 1 {
			t.Errorf("%d look-ups at the end of a lease that was renewed %d times", n, p.ports.count("renew"))
		}
	})
}

// The claim store is gone after the wait: the log alone is enough, unless claims are required.
func TestAWaitLongerThanTheLeaseWithoutTheClaimStore(t *testing.T) {
	for _, required := range []bool{false, true} {
		limited(t, limits.Policy{Rate: limits.Rate{Calls: 1, Per: 50 * time.Second, Burst: 1}}, func(d *testbed) {
			d.options.ClaimsRequired = required
			p := d.start()
			d.want(p.Command(context.Background(), d.message(d.order("first"))), queue.Done)
			p.ports.fault = func(_ int, name string) fault { return map[string]fault{"renew": failBefore}[name] }
			verdict := make(chan queue.Verdict)
			go func() { verdict <- p.Command(context.Background(), d.message(d.order("o-1"))) }()
			if required {
				d.want(<-verdict, queue.Retry)
				d.sent("o-1", 0, 0)
				return
			}
			d.want(<-verdict, queue.Done)
			d.sent("o-1", 1, 1)
			if !strings.Contains(d.logs.String(), "cannot renew the claim") {
				t.Error("nobody is told")
			}
		})
	}
}

func TestWhatExpiresIsNotKeptBackBeyondThat(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		p := d.start()
		d.trip(p)
		cmd := d.order("o-1")
		cmd.ExpiresAt = d.now().Add(10 * time.Second)
		m := d.message(cmd)
		if delay := d.want(p.Command(context.Background(), m), queue.Park); delay != 10*time.Second {
			t.Errorf("parked for %s", delay)
		}
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Parked, payment.Failed)
		d.reason("o-1", payment.ReasonExpired, "")
		d.sent("o-1", 0, 0)
	})
}
