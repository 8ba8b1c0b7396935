package worker_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

func TestRejectedFails(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errRefused})
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Failed)
		d.reason("o-1", payment.ReasonDeclined, "51")
		d.sent("o-1", 1, 0)
		if d.provider.lookups != 0 {
			t.Error("a documented decision was looked up")
		}
	})
}

func TestPaidAtOnceSettles(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, says: paid()})
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Settled)
	})
}

func TestUnreachableIsTriedAgainAtOnceThenParked(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", repeat(reply{err: errUnreached}, 1000)...)
		began := time.Now()
		v := d.start().Command(context.Background(), d.message(d.order("o-1")))
		took := time.Since(began)
		delay := d.want(v, queue.Park)
		if delay != d.options.Timing.ParkMin {
			t.Errorf("parked for %s, want %s", delay, d.options.Timing.ParkMin)
		}
		if tries := d.provider.of("o-1").submitted; tries < 4 || tries > 40 {
			t.Errorf("%d tries, want some, with growing pauses", tries)
		}
		if least, most := d.options.Timing.RetryFor/2, d.options.Timing.RetryFor; took < least || took > most {
			t.Errorf("tried for %s, want %s to %s", took, least, most)
		}
		d.log.want("o-1", payment.Submitting, payment.Parked)
		d.reason("o-1", payment.ReasonUnreachable, "")
		if is := d.log.now("o-1"); !is.ResumeAt.Equal(v.At) || is.Attempts != 1 {
			t.Errorf("resume at %s with %d attempts, the verdict says %s", is.ResumeAt, is.Attempts, v.At)
		}
	})
}

func TestUnreachableForAMomentIsOneIntent(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errUnreached}, reply{err: errUnreached})
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending)
		d.sent("o-1", 3, 1)
	})
}

func TestRetriesEndWithTheFirstCallThatMayHaveArrived(t *testing.T) {
	named := &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonUnreachable, Evidence: "a code proves nothing"}
	for name, err := range map[string]error{"timed out": errTimedOut, "not classified": errPlain, "called unreachable": named} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.provider.script("o-1", reply{err: errUnreached}, reply{execute: true, err: err})
				d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
				d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
				d.sent("o-1", 2, 1)
			})
		})
	}
}

func TestParkingDoublesUpToItsMost(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", repeat(reply{err: errBalance}, 9)...)
		p, m := d.start(), d.message(d.order("o-1"))
		for _, want := range []time.Duration{10, 20, 40, 80, 160, 320, 600, 600, 600} {
			if delay := d.want(p.Command(context.Background(), m), queue.Park); delay != want*time.Second {
				t.Errorf("parked for %s, want %ds", delay, want)
			}
			time.Sleep(time.Until(d.log.now("o-1").ResumeAt))
		}
		d.want(p.Command(context.Background(), m), queue.Done)
		d.sent("o-1", 10, 1)
	})
}

func TestLowBalanceIsNotTriedAgainAtOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errBalance})
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
		d.sent("o-1", 1, 0)
		d.log.want("o-1", payment.Submitting, payment.Parked)
		d.reason("o-1", payment.ReasonBalance, "309")
	})
}

func TestThrottledIsParkedAsLongAsAsked(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errThrottled})
		p, m := d.start(), d.message(d.order("o-1"))
		if delay := d.want(p.Command(context.Background(), m), queue.Park); delay != errThrottled.RetryAfter {
			t.Errorf("parked for %s, the provider asked for %s", delay, errThrottled.RetryAfter)
		}
		d.sent("o-1", 1, 0)
		d.reason("o-1", payment.ReasonThrottled, "http_429")
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting, payment.Pending)
	})
}

func TestParkedIsNotBegunBeforeItsTime(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errThrottled})
		p, m := d.start(), d.message(d.order("o-1"))
		first := p.Command(context.Background(), m)
		time.Sleep(errThrottled.RetryAfter - time.Nanosecond) // a schedule may fire early
		for _, q := range []*process{p, d.start()} {
			if v := q.Command(context.Background(), m); !reflect.DeepEqual(v, first) {
				t.Errorf("early: %+v, want the same %+v", v, first)
			}
		}
		d.server.FlushAll()
		if v := p.Command(context.Background(), m); v.Kind != queue.Park || !v.At.Equal(first.At) {
			t.Errorf("early, without Redis: %+v, want %+v", v, first)
		}
		d.sent("o-1", 1, 0)
		time.Sleep(time.Nanosecond)
		d.want(p.Command(context.Background(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting, payment.Pending)
		if is := d.log.now("o-1"); is.Attempts != 2 || !is.ResumeAt.IsZero() {
			t.Errorf("%d attempts, resume at %s", is.Attempts, is.ResumeAt)
		}
	})
}

func TestExpiredIsNotBegun(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.ExpiresAt = time.Now()
		d.want(d.start().Command(context.Background(), d.message(cmd)), queue.Done)
		d.log.want("o-1", payment.Failed)
		d.reason("o-1", payment.ReasonExpired, "")
		d.sent("o-1", 0, 0)
	})
}

func TestExpiredWhileParkedFails(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.ExpiresAt = time.Now().Add(time.Minute)
		d.provider.script("o-1", reply{err: errThrottled})
		d.want(d.settle(d.start(), d.message(cmd)), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Failed)
		d.reason("o-1", payment.ReasonExpired, "")
		d.sent("o-1", 1, 0)
	})
}

func TestStoppingBeginsNothing(t *testing.T) {
	inBubble(t, func(d *testbed) {
		ctx, stop := context.WithCancel(context.Background())
		stop()
		p, m := d.start(), d.message(d.order("o-1"))
		if delay := d.want(p.Command(ctx, m), queue.Retry); delay != 0 {
			t.Errorf("delivered again after %s, want at once", delay)
		}
		d.log.want("o-1")
		d.sent("o-1", 0, 0)
		d.want(d.start().Command(context.Background(), m), queue.Done) // the claim was given back
		d.sent("o-1", 1, 1)
	})
}

func TestStoppingAsksNothing(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := d.message(d.order("o-1"))
		p := d.start()
		p.ports.on("append", 2, failBefore)
		d.want(p.Command(context.Background(), m), queue.Retry)
		ctx, stop := context.WithCancel(context.Background())
		stop()
		if delay := d.want(d.start().Command(ctx, m), queue.Retry); delay != 0 || d.provider.lookups != 0 {
			t.Errorf("delivered again after %s, %d look-ups", delay, d.provider.lookups)
		}
	})
}

func TestStoppingDuringTheRetriesCostsNothing(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", repeat(reply{err: errUnreached}, 1000)...)
		ctx, stop := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, stop)
		m, began := d.message(d.order("o-1")), time.Now()
		v := d.start().Command(ctx, m)
		if delay := d.want(v, queue.Retry); delay != 0 {
			t.Errorf("delivered again after %s, want at once", delay)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("stopped after %s, want 1 s", took)
		}
		d.log.want("o-1", payment.Submitting, payment.Parked)
		d.reason("o-1", payment.ReasonStopping, "")
		if is := d.log.now("o-1"); is.Attempts != 0 || is.ResumeAt.After(began) {
			t.Errorf("%d attempts, resumes at %s", is.Attempts, is.ResumeAt)
		}
		d.provider.script("o-1")
		d.want(d.start().Command(context.Background(), m), queue.Done) // another worker, at once
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting, payment.Pending)
		if is := d.log.now("o-1"); is.Attempts != 1 {
			t.Errorf("%d attempts", is.Attempts)
		}
	})
}

// A time that runs out is no stop: what was tried counts.
func TestATimeThatRunsOutIsNoStop(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", repeat(reply{err: errUnreached}, 1000)...)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		d.want(d.start().Command(ctx, d.message(d.order("o-1"))), queue.Park)
		d.reason("o-1", payment.ReasonUnreachable, "")
		if is := d.log.now("o-1"); is.Attempts != 1 {
			t.Errorf("%d attempts", is.Attempts)
		}
	})
}

func TestStoppingLetsTheCallEnd(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, takes: 10 * time.Second, says: accepted("o-1")})
		ctx, stop := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, stop)
		d.want(d.start().Command(ctx, d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

func TestStoppingBetweenIntentAndCallSendsAllTheSame(t *testing.T) {
	inBubble(t, func(d *testbed) {
		ctx, stop := context.WithCancel(context.Background())
		d.options.OnStep = func(s worker.Step, _ payment.Ref) {
			if s == worker.StepIntended {
				stop()
			}
		}
		d.want(d.start().Command(ctx, d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending)
	})
}

func TestACallIsCutOffByItsTimeout(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, takes: time.Hour})
		began := time.Now()
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		if took := time.Since(began); took != d.options.Timing.SubmitTimeout {
			t.Errorf("took %s", took)
		}
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

func repeat(r reply, n int) []reply {
	all := make([]reply, n)
	for i := range all {
		all[i] = r
	}
	return all
}

// Between two tries of one attempt the command expires, or the provider closes.
func TestNothingIsTriedAgainTooLate(t *testing.T) {
	unreachable := func(d *testbed) {
		d.options.Timing.RetryInitial = 2 * time.Second // the pause is one second at least
		d.provider.script("o-1", repeat(reply{err: errUnreached}, 100)...)
	}
	inBubble(t, func(d *testbed) {
		unreachable(d)
		cmd := d.order("o-1")
		cmd.ExpiresAt = d.now().Add(500 * time.Millisecond)
		d.want(d.settle(d.start(), d.message(cmd)), queue.Done)
		d.sent("o-1", 1, 0)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Failed)
		d.reason("o-1", payment.ReasonExpired, "")
	})
	atHours(t, friday.Add(-500*time.Millisecond), worker.ParkClosed, func(d *testbed) {
		unreachable(d)
		p, m := d.start(), d.message(d.order("o-1"))
		time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		if v := p.Command(context.Background(), m); v.Kind != queue.Park || v.At.Before(monday) {
			t.Errorf("%+v", v)
		}
		d.sent("o-1", 1, 0)
	})
}
