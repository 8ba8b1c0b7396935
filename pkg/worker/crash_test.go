package worker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
	"payonce/test/race"
)

// path is a way that a payment goes when nothing fails; the harness lets everything fail on it.
type path struct {
	name    string
	replies []reply
	hidden  time.Duration
}

func paths() []path {
	return []path{
		{"accepted", nil, 0},
		{"executed, no answer", []reply{{execute: true, err: errTimedOut}}, settling - time.Second},
		{"not executed, no answer", []reply{{err: errTimedOut}}, 0},
		{"parked", []reply{{err: errThrottled}}, 0},
		{"unreachable", []reply{{err: errUnreached}, {err: errUnreached}}, 0},
	}
}

// webhooks says when the provider's webhook "paid" comes, if the order was executed by then.
type webhooks string

const (
	never  webhooks = "no webhook"
	early  webhooks = "webhook before the redelivery"
	at     webhooks = "webhook during the call"
	finish webhooks = "webhook at the end"
)

// run delivers one command until it is done with, with faults in the first process, and in the second
// from its own first call on. It then holds the log against the hidden truth.
func (d *testbed) run(way path, faults [2]func(int, string) fault, when webhooks) (calls [2][]string) {
	d.t.Helper()
	d.provider.replies["o-1"], d.provider.hidden = append([]reply(nil), way.replies...), way.hidden
	m := d.message(d.order("o-1"))
	if when == at {
		d.options.OnStep = func(s worker.Step, _ payment.Ref) {
			if s == worker.StepCalled {
				d.takeIn(d.webhook("o-1", paid()), 1)
			}
		}
	}
	for i := range faults {
		p := d.start()
		p.ports.fault = faults[i]
		ended := d.work(p, m)
		calls[i] = p.ports.calls
		if when == early {
			d.takeIn(d.webhook("o-1", paid()), 1)
		}
		if ended {
			break
		}
	}
	last := d.start()
	d.want(d.settle(last, m), queue.Done)
	if when != never {
		d.takeIn(d.webhook("o-1", paid()), 100)
	}
	d.want(d.settle(last, m), queue.Done)
	d.checkTruth(when)
	return calls
}

// work delivers the command to one process until it is done with or the process dies. A queue delivers
// the message of a dead process again after its ack wait, which is longer than the lease.
func (d *testbed) work(p *process, m events.Message) (done bool) {
	for range 60 {
		v, crashed := p.command(context.Background(), m)
		if crashed {
			time.Sleep(time.Second) // too early: the order is still held, or not known yet
			d.start().Command(context.Background(), m)
			time.Sleep(d.options.Timing.Lease)
			return false
		}
		switch v.Kind {
		case queue.Retry:
			time.Sleep(v.Delay)
		case queue.Park:
			time.Sleep(time.Until(v.At))
		default:
			return true
		}
	}
	return false
}

// takeIn delivers a webhook, if the provider executed the order and so sends one.
func (d *testbed) takeIn(m events.Message, deliveries int) {
	d.t.Helper()
	if d.provider.of("o-1").executed == 0 {
		return
	}
	for range deliveries {
		v := d.start().Webhook(context.Background(), m)
		if v.Kind == queue.Done {
			return
		}
		time.Sleep(v.Delay)
	}
	if deliveries > 1 {
		d.t.Error("the webhook is never done with")
	}
}

// checkTruth holds the log against what the provider really did.
func (d *testbed) checkTruth(when webhooks) {
	d.t.Helper()
	is, says := d.provider.of("o-1"), d.log.now("o-1")
	want := payment.Pending
	if when != never {
		want = payment.Settled
	}
	if is.executed != 1 {
		d.t.Errorf("executed %d times", is.executed)
	}
	if says.Status != want {
		d.t.Errorf("the payment is %s, want %s", says.Status, want)
	}
	outcomes := 0
	for i, p := range d.log.history("o-1") {
		if p.Status.Ended() {
			outcomes++
		}
		if p.Revision != i+1 {
			d.t.Errorf("event %d has revision %d", i+1, p.Revision)
		}
	}
	if outcomes > 1 {
		d.t.Errorf("%d outcomes", outcomes)
	}
	if d.t.Failed() {
		d.t.Logf("the log: %s", d.log.statuses("o-1"))
	}
}

// nth makes the k-th call of any port fail.
func nth(k int, f fault) func(int, string) fault {
	return func(n int, _ string) fault {
		if n == k {
			return f
		}
		return fine
	}
}

func TestCrashAtEveryStep(t *testing.T) {
	for _, way := range paths() {
		for _, step := range worker.Steps() {
			for _, when := range []webhooks{never, early, finish} {
				t.Run(fmt.Sprintf("%s/%s/%s", way.name, step, when), func(t *testing.T) {
					inBubble(t, func(d *testbed) {
						d.provider.replies["o-1"], d.provider.hidden = append([]reply(nil), way.replies...), way.hidden
						m, p := d.message(d.order("o-1")), d.start()
						p.ports.crashAt = step
						if d.work(p, m) {
							t.Fatal("the process did not die")
						}
						if when == early {
							d.takeIn(d.webhook("o-1", paid()), 100)
						}
						d.want(d.settle(d.start(), m), queue.Done)
						if when != never {
							d.takeIn(d.webhook("o-1", paid()), 100)
						}
						d.want(d.settle(d.start(), m), queue.Done)
						d.checkTruth(when)
					})
				})
			}
		}
	}
}

// Every call that a path makes when nothing fails, fails once in each of the four ways; under the race detector, in one.
func TestEveryCallFailsOnce(t *testing.T) {
	cases := 0
	for _, way := range paths() {
		for _, when := range []webhooks{never, early, at, finish} {
			var length int
			synctest.Test(t, func(t *testing.T) {
				length = len(newTestbed(t, nil).run(way, [2]func(int, string) fault{}, when)[0])
			})
			if length < 5 { // claim, append, submit, append, complete
				t.Errorf("%s: only %d calls", way.name, length)
			}
			for k := range length {
				ways := []fault{crashBefore, crashAfter, failBefore, failAfter}
				if race.Enabled {
					ways = ways[k%4 : k%4+1]
				}
				for _, f := range ways {
					synctest.Test(t, func(t *testing.T) {
						calls := newTestbed(t, nil).run(way, [2]func(int, string) fault{nth(k+1, f)}, when)
						if t.Failed() {
							t.Fatalf("%s/%s: %s call %d: calls %v", way.name, when, f, k+1, calls)
						}
					})
					cases++
				}
			}
		}
	}
	t.Logf("%d cases", cases)
}

// Two faults, one in each of two processes that follow each other: all pairs on the plain path, one pair in
// 31 on the others, and on all under the race detector.
func TestTwoCallsFail(t *testing.T) {
	faults := []fault{crashBefore, crashAfter, failBefore, failAfter}
	cases, pair := 0, 0
	for i, way := range paths()[:3] {
		length := [...]int{8, 24, 24}[i]
		for a := range length * len(faults) {
			for b := range length * len(faults) {
				if pair++; (i > 0 || race.Enabled) && pair%31 != 0 {
					continue
				}
				k1, f1, k2, f2 := a/4+1, faults[a%4], b/4+1, faults[b%4]
				when := []webhooks{never, early, at, finish}[cases%4]
				synctest.Test(t, func(t *testing.T) {
					d := newTestbed(t, nil)
					calls := d.run(way, [2]func(int, string) fault{nth(k1, f1), nth(k2, f2)}, when)
					if t.Failed() {
						t.Fatalf("%s/%s: %s call %d, then %s call %d: calls %v", way.name, when, f1, k1, f2, k2, calls)
					}
				})
				cases++
			}
		}
	}
	t.Logf("%d cases", cases)
}
