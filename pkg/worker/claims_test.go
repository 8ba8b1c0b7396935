package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

func TestTwoWorkersWithClaims(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := d.message(d.order("o-1"))
		d.provider.script("o-1", reply{execute: true, takes: 10 * time.Second, says: accepted("o-1")})
		first := make(chan queue.Verdict)
		go func() { first <- d.start().Command(context.Background(), m) }()
		time.Sleep(time.Second)
		second := d.start()
		delay := d.want(second.Command(context.Background(), m), queue.Retry)
		if delay <= 0 || delay > 2*time.Second {
			t.Errorf("busy: delivered again after %s", delay)
		}
		if n := second.ports.count(""); n != 1 {
			t.Errorf("the busy worker called %v", second.ports.calls)
		}
		d.want(<-first, queue.Done)
		d.want(second.Command(context.Background(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

func TestBusyWaitsNoLongerThanTheLease(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := d.message(d.order("o-1"))
		p := d.start()
		p.ports.crashAt = worker.StepClaimed
		if _, crashed := p.command(context.Background(), m); !crashed {
			t.Fatal("not crashed")
		}
		time.Sleep(d.options.Timing.Lease - 300*time.Millisecond)
		if delay := d.want(d.start().Command(context.Background(), m), queue.Retry); delay != 300*time.Millisecond {
			t.Errorf("delivered again after %s, the lease ends in 300 ms", delay)
		}
	})
}

// Without claims both begin at once; the intent's append decides.
func TestTwoWorkersWithoutClaims(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.server.SetError("LOADING")
		m := d.message(d.order("o-1"))
		d.provider.script("o-1", reply{execute: true, takes: time.Second, says: accepted("o-1")})
		workers, verdicts := []*process{d.start(), d.start(), d.start()}, make(chan queue.Verdict)
		for _, p := range workers {
			go func() { verdicts <- p.Command(context.Background(), m) }()
		}
		submits, lookups := 0, 0
		for range workers {
			if v := <-verdicts; v.Kind != queue.Done && v.Kind != queue.Park {
				t.Errorf("the verdict is %+v", v)
			}
		}
		for _, p := range workers {
			submits, lookups = submits+p.ports.count("submit"), lookups+p.ports.count("lookup")
		}
		if submits != 1 || lookups == 0 { // a third one may see already what the second was told
			t.Errorf("%d submits and %d look-ups, want one worker to send and the others to ask", submits, lookups)
		}
		d.sent("o-1", 1, 1)
		d.log.want("o-1", payment.Submitting, payment.Pending)
	})
}

func TestStoreDownGoesOnAndIsNotAskedForEachMessage(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.server.SetError("LOADING")
		p := d.start()
		for range 5 {
			d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
			d.want(p.Command(context.Background(), d.message(d.order("o-2"))), queue.Done)
		}
		if n := p.ports.count("claim"); n != 1 {
			t.Errorf("the store was asked %d times within its pause", n)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending)
		d.log.want("o-2", payment.Submitting, payment.Pending)
		d.sent("o-1", 1, 1)
		time.Sleep(time.Second)
		d.server.SetError("")
		d.want(p.Command(context.Background(), d.message(d.order("o-3"))), queue.Done)
		if n := p.ports.count("claim"); n != 2 || p.ports.count("release") != 1 {
			t.Errorf("after the pause: %v", p.ports.calls)
		}
	})
}

// An outage of the store is logged once, and so is its end.
func TestStoreDownIsLoggedOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		var lines bytes.Buffer
		d.options.Logger = slog.New(slog.NewTextHandler(&lines, nil))
		p := d.start()
		for i, broken := range []string{"LOADING", "LOADING", "LOADING", "", "", "LOADING", ""} {
			d.server.SetError(broken)
			d.want(p.Command(context.Background(), d.message(d.order(fmt.Sprintf("o-%d", i)))), queue.Done)
			time.Sleep(2 * time.Second)
		}
		for line, want := range map[string]int{"claim store unavailable": 2, "claim store available again": 2} {
			if got := strings.Count(lines.String(), line); got != want {
				t.Errorf("%q was said %d times, want %d:\n%s", line, got, want, lines.String())
			}
		}
	})
}

func TestStoreDownAndRequiredWaits(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.server.SetError("LOADING")
		d.options.ClaimsRequired = true
		p, m := d.start(), d.message(d.order("o-1"))
		for range 3 {
			if delay := d.want(p.Command(context.Background(), m), queue.Retry); delay <= 0 {
				t.Error("delivered again at once")
			}
		}
		if n := p.ports.count(""); n != 1 {
			t.Errorf("calls: %v", p.ports.calls)
		}
		d.log.want("o-1")
		d.sent("o-1", 0, 0)
		d.server.SetError("")
		d.want(d.settle(p, m), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

// A store that hangs must not eat the lease that is being asked for.
func TestAHangingStoreIsNotWaitedForLong(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.claims = hanging{d.claims}
		began := time.Now()
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		if took := time.Since(began); took > d.options.Timing.SubmitTimeout {
			t.Errorf("took %s", took)
		}
		d.sent("o-1", 1, 1)
	})
}

type hanging struct{ idempotency.Store }

func (hanging) Claim(ctx context.Context, _ payment.Ref, _ idempotency.Request) (idempotency.Claim, error) {
	<-ctx.Done()
	return idempotency.Claim{}, ctx.Err()
}

// An unknown outcome of a claim is not a "go ahead".
func TestAnUnknownOutcomeOfAClaimWaits(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.claims = silentStore{d.claims}
		if delay := d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Retry); delay <= 0 {
			t.Error("delivered again at once")
		}
		d.sent("o-1", 0, 0)
	})
}

type silentStore struct{ idempotency.Store }

func (silentStore) Claim(context.Context, payment.Ref, idempotency.Request) (idempotency.Claim, error) {
	return idempotency.Claim{}, nil
}

func TestRedisFlushedBetweenAnyTwoSteps(t *testing.T) {
	for _, at := range worker.Steps() {
		t.Run(string(at), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				m, second := d.message(d.order("o-1")), queue.Verdict{}
				d.options.OnStep = func(s worker.Step, _ payment.Ref) {
					if s == at {
						d.options.OnStep = nil
						d.server.FlushAll()
						second = d.start().Command(context.Background(), m) // nothing holds it back now
					}
				}
				first := d.start()
				v := first.Command(context.Background(), m)
				for _, v := range []queue.Verdict{v, second} {
					if v.Kind != queue.Done && v.Kind != queue.Park {
						t.Errorf("the verdict is %+v", v)
					}
				}
				d.want(d.settle(d.start(), m), queue.Done)
				d.sent("o-1", 1, 1)
				if is := d.log.now("o-1"); is.Status != payment.Pending || is.Attempts != 1 {
					t.Errorf("the log says %s", d.log.statuses("o-1"))
				}
			})
		})
	}
}

// The claim is given back with every verdict, so that a redelivery need not wait for the lease.
func TestTheClaimIsGivenBack(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := d.message(d.order("o-1"))
		p := d.start()
		p.ports.on("append", 1, failBefore)
		d.want(p.Command(context.Background(), m), queue.Retry)
		d.want(p.Command(context.Background(), m), queue.Done)
		p.ports.on("release", 1, failBefore) // then another waits for the lease
		d.want(p.Command(context.Background(), m), queue.Done)
		d.want(d.settle(d.start(), m), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

// A claim that was lost is left alone: the worker that holds it now keeps it.
func TestALostClaimIsNotGivenBack(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := d.message(d.order("o-1"))
		d.options.OnStep = func(s worker.Step, ref payment.Ref) {
			if s == worker.StepAppended {
				time.Sleep(d.options.Timing.Lease)
				claim, err := d.claims.Claim(context.Background(), ref, idempotency.Request{
					Owner: "other", Lease: time.Hour, Retention: 2 * time.Hour})
				if err != nil || claim.Outcome != idempotency.Won {
					t.Errorf("not taken over: %+v %v", claim, err)
				}
			}
		}
		d.want(d.start().Command(context.Background(), m), queue.Done)
		d.options.OnStep = nil
		d.want(d.start().Command(context.Background(), m), queue.Retry)
	})
}

// A claim store that failed is asked again after a moment, also when the clock was set back meanwhile.
func TestAClockSetBackDoesNotPutTheStoreOff(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.ahead = time.Hour
		p := d.start()
		p.ports.on("claim", 1, failBefore)
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		if d.want(p.Command(context.Background(), d.message(d.order("o-2"))), queue.Done); p.ports.count("claim") != 1 {
			t.Fatal("it is asked for every message")
		}
		d.ahead = 0
		if d.want(p.Command(context.Background(), d.message(d.order("o-3"))), queue.Done); p.ports.count("claim") != 2 {
			t.Error("it is not asked for an hour")
		}
	})
}
