package worker_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// interrupted leaves an order whose intent is in the log and whose worker died before the call
// (sent false) or after it.
func interrupted(d *testbed, cmd payment.Command, sent bool) events.Message {
	d.t.Helper()
	m, p := d.message(cmd), d.start()
	p.ports.on("submit", 1, map[bool]fault{false: crashBefore, true: crashAfter}[sent])
	if v, crashed := p.command(context.Background(), m); !crashed {
		d.t.Fatalf("not interrupted: %+v", v)
	}
	time.Sleep(d.options.Timing.Lease)
	return m
}

func TestDoubtIsAskedAtOnceThenOnTheSchedule(t *testing.T) {
	for name, err := range map[string]error{"timed out": errTimedOut, "not classified": errPlain} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.options.Timing.LookupMax = 10 * time.Minute
				d.provider.script("o-1", reply{err: err})
				d.provider.lookup = func(connectors.Query) (payment.Observation, error) {
					return payment.Observation{Kind: payment.Indeterminate, Reason: &payment.Reason{Code: payment.ReasonIndeterminate}}, nil
				}
				p, m := d.start(), d.message(d.order("o-1"))
				began := time.Now()
				for i, want := range []time.Duration{ // half the age, at least 5 s, at most 10 minutes
					5, 5, 5, 7500 * time.Millisecond / time.Second, 11, 16, 25, 37, 56, 85,
				} {
					delay := d.want(p.Command(context.Background(), m), queue.Park)
					if exact := min(max(time.Since(began)/2, 5*time.Second), 10*time.Minute); delay != exact {
						t.Errorf("step %d: asked again after %s, want %s", i, delay, exact)
					}
					if delay/time.Second != want {
						t.Errorf("step %d: asked again after %s, want about %d s", i, delay, want)
					}
					if d.provider.lookups != i+1 {
						t.Errorf("step %d: %d look-ups, want one each time", i, d.provider.lookups)
					}
					time.Sleep(delay)
				}
				time.Sleep(24 * time.Hour)
				if delay := d.want(p.Command(context.Background(), m), queue.Park); delay != 10*time.Minute {
					t.Errorf("after a day: asked again after %s", delay)
				}
				d.log.want("o-1", payment.Submitting, payment.InDoubt)
				d.reason("o-1", payment.ReasonNoAnswer, "")
				d.sent("o-1", 1, 0)
			})
		})
	}
}

func TestAKnownDuplicateIsAdopted(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, err: errDuplicate})
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
		if before := d.log.history("o-1")[1]; !before.Known || before.Reason.ProviderCode != "426" {
			t.Errorf("in doubt: %+v", before.Reason)
		}
		d.sent("o-1", 1, 1)
	})
}

func TestKnownIsNeverSentAgain(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errDuplicate}) // and the look-up never knows the order
		p, m := d.start(), d.message(d.order("o-1"))
		for range 12 {
			time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		}
		is := d.log.now("o-1")
		if age := time.Since(is.SubmittedAt); age < 3*settling {
			t.Fatalf("the doubt is only %s old", age)
		}
		d.sent("o-1", 1, 0)
		if is.Status != payment.InDoubt || is.Attempts != 1 {
			t.Errorf("%s after %d attempts", is.Status, is.Attempts)
		}
	})
}

func TestInterruptedIsLookedUpNotSent(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := interrupted(d, d.order("o-1"), true)
		q := d.start()
		d.want(q.Command(context.Background(), m), queue.Done)
		if q.ports.count("submit") != 0 || q.ports.count("lookup") != 1 {
			t.Errorf("calls: %v", q.ports.calls)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

func TestInterruptedAndNotToBeAskedIsInDoubt(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := interrupted(d, d.order("o-1"), true)
		p := d.start()
		p.ports.on("lookup", 1, failBefore)
		d.want(p.Command(context.Background(), m), queue.Park)
		d.log.want("o-1", payment.Submitting, payment.InDoubt)
		d.reason("o-1", payment.ReasonInterrupted, "")
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

func TestUnknownBeforeSettlingIsNotBelieved(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.hidden = settling - time.Second // the look-up does not know what was executed
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
		d.sent("o-1", 1, 1)
		if d.provider.lookups < 5 {
			t.Errorf("%d look-ups", d.provider.lookups)
		}
	})
}

// A connector that forgets to say how late its look-up is, is still not believed too early.
func TestUnknownIsHeldToTheTraits(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		d.provider.lookup = func(connectors.Query) (payment.Observation, error) {
			return payment.Observation{Kind: payment.Unknown}, nil
		}
		p, m := d.start(), d.message(d.order("o-1"))
		for range 6 { // 5, 10, 15, 22, 33, 50 s
			time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		}
		d.log.want("o-1", payment.Submitting, payment.InDoubt)
		d.sent("o-1", 1, 1)
	})
}

// What counts is when the provider was asked, not when its answer came.
func TestUnknownIsAsOldAsItsQuestion(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.hidden = settling
		m := interrupted(d, d.order("o-1"), true)
		d.provider.takes = 10 * time.Second // asked before the delay has passed, answered after it
		time.Sleep(settling - d.options.Timing.Lease - 5*time.Second)
		d.want(d.start().Command(context.Background(), m), queue.Park)
		if is := d.log.now("o-1"); is.NotFound != 0 {
			t.Errorf("believed %s after the request", is.NotFoundAt.Sub(is.SubmittedAt))
		}
		d.want(d.settle(d.start(), m), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

// A worker that was frozen with an old answer in its hand must not use it against the next attempt.
func TestAnUnknownOfTheFirstAttemptSaysNothingAboutTheSecond(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := interrupted(d, d.order("o-1"), false)
		time.Sleep(settling)
		d.log.beforeAppend = func(payment.Payment) { // between the answer and its append, others go on
			p := d.log.now("o-1")
			p.Status, p.Attempts, p.Revision = payment.InDoubt, 2, p.Revision+1
			p.SubmittedAt = time.Now().UTC()
			d.log.put(p)
			d.ahead += 2 * settling // and this worker is suspended
		}
		d.want(d.start().Command(context.Background(), m), queue.Park)
		if is := d.log.now("o-1"); is.NotFound != 0 {
			t.Errorf("an answer from before the second attempt counts for it: %d", is.NotFound)
		}
	})
}

func TestTwoUnknownsSendAgainOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errTimedOut})
		p, m := d.start(), d.message(d.order("o-1"))
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt, payment.Submitting, payment.Pending)
		all := d.log.history("o-1")
		if first, second := all[2], all[3]; first.NotFound != 1 || first.NotFoundAt.Sub(all[0].SubmittedAt) < settling ||
			second.NotFound != 2 || second.NotFoundAt.Sub(first.NotFoundAt) < settling {
			t.Errorf("believed after %s and %s", first.NotFoundAt.Sub(all[0].SubmittedAt), second.NotFoundAt.Sub(first.NotFoundAt))
		}
		if is := d.log.now("o-1"); is.Attempts != 2 || is.NotFound != 0 {
			t.Errorf("%d attempts, %d not found", is.Attempts, is.NotFound)
		}
		d.sent("o-1", 2, 1)
		d.want(p.Command(context.Background(), m), queue.Done)
		d.sent("o-1", 2, 1)
	})
}

func TestTheSecondAttemptIsInDoubtAgain(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errTimedOut}, reply{execute: true, err: errTimedOut})
		d.provider.hidden = settling - time.Second
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt, payment.Submitting, payment.InDoubt, payment.Pending)
		d.sent("o-1", 2, 1)
	})
}

func TestExpiredAfterProvenUnknownFails(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.ExpiresAt = time.Now().Add(time.Minute)
		d.provider.script("o-1", reply{err: errTimedOut})
		d.want(d.settle(d.start(), d.message(cmd)), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt, payment.Failed)
		d.reason("o-1", payment.ReasonExpired, "")
		d.sent("o-1", 1, 0)
	})
}

func TestTimeAloneFailsNothing(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.ExpiresAt = time.Now().Add(time.Minute)
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		d.provider.lookup = func(connectors.Query) (payment.Observation, error) { return payment.Observation{}, errPlain }
		p, m := d.start(), d.message(cmd)
		for range 100 {
			time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		}
		d.log.want("o-1", payment.Submitting, payment.InDoubt)
		d.sent("o-1", 1, 1)
		d.provider.lookup = nil
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
	})
}

// The worker of attempt 1 is suspended between its call and the result, until attempt 2 is under way.
func TestALateResultOfAnEarlierAttemptChangesNothing(t *testing.T) {
	for name, err := range map[string]error{"rejected": errRefused, "not sent": errBalance, "in doubt": errTimedOut} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				m := d.message(d.order("o-1"))
				d.provider.script("o-1", reply{err: err})
				d.options.OnStep = func(s worker.Step, _ payment.Ref) {
					if s == worker.StepCalled {
						d.options.OnStep = nil
						time.Sleep(d.options.Timing.Lease) // gone: others take over
						d.want(d.settle(d.start(), m), queue.Done)
					}
				}
				slow := d.start()
				d.want(slow.Command(context.Background(), m), queue.Done)
				d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.Submitting, payment.Pending)
				d.sent("o-1", 2, 1)
			})
		})
	}
}

func TestALateAcceptanceOfAnEarlierAttemptIsTheTruth(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := payment.New(d.order("o-1"))
		m := d.message(d.order("o-1"))
		slow := d.start()
		slow.ports.fault = func(n int, name string) fault {
			if name == "append" && slow.ports.count("append") == 2 {
				p = d.log.now("o-1")
				p.Status, p.Attempts, p.Revision, p.SubmittedAt = payment.Submitting, 2, 2, time.Now().UTC()
				d.log.put(p)
			}
			return fine
		}
		d.want(slow.Command(context.Background(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Submitting, payment.Pending)
	})
}
