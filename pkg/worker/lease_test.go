package worker_test

import (
	"context"
	"testing"
	"time"
	"unsafe"

	"github.com/alicebob/miniredis/v2"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// A process that was suspended between its intent and its call does not send any more, whichever clock
// has noticed.
func TestFrozenBetweenIntentAndCall(t *testing.T) {
	left := worker.DefaultTiming().Lease - worker.DefaultTiming().SubmitTimeout
	for name, moved := range map[string]struct {
		wall, monotonic time.Duration
		sent            bool
	}{
		"both clocks":                 {left + time.Second, left + time.Second, false},
		"suspended: the wall clock":   {left + time.Second, 0, false},
		"set back: the monotonic":     {-time.Hour, left + time.Second, false},
		"enough of the lease is left": {left - time.Second, left - time.Second, true},
	} {
		t.Run(name, func(t *testing.T) { // outside of a bubble, whose times have no monotonic reading
			d := newTestbed(t, miniredis.RunT(t))
			var wall, monotonic time.Duration
			base := time.Now() // from here on only the test moves the clocks: this machine can stand still, too
			d.options.Now = func() time.Time {
				now := setWall(base.Add(monotonic), wall-monotonic)
				if now.Sub(base) != monotonic || now.Round(0).Sub(base.Round(0)) != wall {
					t.Errorf("the clocks moved by %s and %s", now.Round(0).Sub(base.Round(0)), now.Sub(base))
				}
				return now
			}
			d.options.OnStep = func(s worker.Step, _ payment.Ref) {
				if s == worker.StepIntended {
					wall, monotonic = moved.wall, moved.monotonic
				}
			}
			p := d.start()
			v := p.Command(context.Background(), d.message(d.order("o-1")))
			if moved.sent {
				d.want(v, queue.Done)
				d.sent("o-1", 1, 1)
				return
			}
			d.want(v, queue.Park)
			if p.ports.count("submit") != 0 {
				t.Error("sent after the lease")
			}
			d.log.want("o-1", payment.Submitting, payment.Parked)
			d.reason("o-1", payment.ReasonInterrupted, "")
		})
	}
}

// setWall moves the wall clock of a time and leaves its monotonic reading, which no function of package
// time does: it writes the seconds, bits 30 to 62 of a time's first word. Its caller checks that both
// readings are as wanted.
func setWall(t time.Time, by time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) += uint64(int64(by/time.Second)) << 30
	return t
}

// A process that is suspended between two tries, after it has looked at everything but the lease, sends no more.
func TestFrozenBetweenTwoTries(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errUnreached})
		p := d.start()
		hours := p.Opening
		p.Opening = func(provider string, op payment.Operation) worker.Opening {
			if p.ports.count("submit") == 1 {
				time.Sleep(p.Timing.Lease)
			}
			return hours(provider, op)
		}
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
		if n := p.ports.count("submit"); n != 1 {
			t.Errorf("sent %d times", n)
		}
		d.log.want("o-1", payment.Submitting, payment.Parked)
		d.reason("o-1", payment.ReasonInterrupted, "")
	})
}

// What others wrote while the process was suspended stays.
func TestFrozenWhileOthersMoveOn(t *testing.T) {
	for name, others := range map[string]func(*payment.Payment){
		"a second attempt": func(p *payment.Payment) { p.Attempts, p.SubmittedAt = 2, time.Now().UTC() },
		"settled":          func(p *payment.Payment) { p.Status, p.SettledAmount, p.Known = payment.Settled, p.Amount, true },
		"in doubt":         func(p *payment.Payment) { p.Status, p.Reason = payment.InDoubt, &payment.Reason{Code: "x"} },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				var wrote payment.Payment
				d.options.OnStep = func(s worker.Step, _ payment.Ref) {
					if s == worker.StepIntended {
						time.Sleep(d.options.Timing.Lease)
						wrote = d.log.now("o-1")
						others(&wrote)
						wrote.Revision++
						d.log.put(wrote)
					}
				}
				p := d.start()
				p.Command(context.Background(), d.message(d.order("o-1")))
				d.log.want("o-1", payment.Submitting, wrote.Status)
				d.sent("o-1", 0, 0)
			})
		})
	}
}

// Too late for a look-up as well: the claim may be another's by the time of the answer.
func TestNoLookupAtTheEndOfTheLease(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := interrupted(d, d.order("o-1"), true)
		d.options.OnStep = func(worker.Step, payment.Ref) {
			d.options.OnStep = nil
			time.Sleep(d.options.Timing.Lease - d.options.Timing.SubmitTimeout + 1)
		}
		p := d.start()
		d.options.OnStep = nil
		d.want(p.Command(context.Background(), m), queue.Park)
		if p.ports.count("lookup") != 0 {
			t.Error("asked at the end of the lease")
		}
	})
}
