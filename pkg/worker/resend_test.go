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

// errUndocumented is a refusal by a code that no page lists.
var errUndocumented = &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "440", Refused: true}

// refusedFor delivers a command for a time to a provider that refuses it for ever.
func refusedFor(d *testbed, p *process, m events.Message, period time.Duration) {
	d.t.Helper()
	for end := time.Now().Add(period); time.Now().Before(end); {
		m.Deliveries++
		v := p.Command(context.Background(), m)
		if v.Kind != queue.Park && v.Kind != queue.Retry {
			d.t.Fatalf("%+v\n%s", v, d.logs)
		}
		time.Sleep(max(v.Delay, v.At.Sub(d.now())))
	}
}

// A provider that refuses for ever with a code that no page lists, and says that it does not know the order, gets
// the order as often as configured. Then the payment stays in doubt, and a person is told once.
func TestAnOrderIsSentAsOftenAsConfigured(t *testing.T) {
	for limit, want := range map[int]int{0: 1, 1: 1, 2: 2, 5: 5} {
		inBubble(t, func(d *testbed) {
			d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy { return worker.GiveUpPolicy{MaxSubmits: limit} }
			d.provider.script("o-1", repeat(reply{err: errUndocumented}, 1000)...)
			refusedFor(d, d.start(), d.message(d.order("o-1")), 48*time.Hour)
			d.sent("o-1", want, 0)
			is := d.log.now("o-1")
			if is.Status != payment.InDoubt || is.Submits != want || is.OverdueAt.Sub(is.FirstSubmittedAt) > time.Hour || d.errorsLogged() != 1 {
				t.Errorf("%s after %d submits, told after %s, %d errors", is.Status, is.Submits, is.OverdueAt.Sub(is.FirstSubmittedAt), d.errorsLogged())
			}
			d.reason("o-1", payment.ReasonSubmitLimit, "440")
			if events := is.Revision; events > 6*want {
				t.Errorf("%d events", events)
			}
		})
	}
}

// A worker that ends after the provider's second "unknown", before it told a person, leaves that to the next one.
func TestThePersonIsToldOfTheLimitAfterACrash(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy { return worker.GiveUpPolicy{MaxSubmits: 1} }
		cmd := d.order("o-1")
		is := payment.New(cmd)
		for _, o := range []payment.Observation{
			{Kind: payment.Intend}, {Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: 1}, {Kind: payment.Unknown}, {Kind: payment.Unknown},
		} {
			next, changed, err := payment.Decide(is, o, d.now())
			if err != nil || !changed {
				t.Fatal(o.Kind, changed, err)
			}
			is = next
			d.log.put(is)
			time.Sleep(settling)
		}
		refusedFor(d, d.start(), d.message(cmd), 6*time.Hour)
		d.sent("o-1", 0, 0)
		d.reason("o-1", payment.ReasonSubmitLimit, "")
		if is := d.log.now("o-1"); is.Revision != 6 {
			t.Errorf("%d events", is.Revision)
		}
	})
}

// The age of a doubt and the threshold count from the first request, however often it is sent again.
func TestTheThresholdCountsFromTheFirstRequest(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.options.Threshold = func(string) time.Duration { return threshold }
		d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy { return worker.GiveUpPolicy{MaxSubmits: 1000} }
		d.provider.traits.SettlingDelay = time.Hour
		d.provider.script("o-1", repeat(reply{err: errUndocumented}, 1000)...)
		p, m, began := d.start(), d.message(d.order("o-1")), time.Now()
		refusedFor(d, p, m, threshold-time.Hour)
		if is := d.log.now("o-1"); !is.OverdueAt.IsZero() || is.Submits < 10 || !is.FirstSubmittedAt.Equal(began) {
			t.Errorf("told at %s after %d submits, the first at %s", is.OverdueAt, is.Submits, is.FirstSubmittedAt)
		}
		refusedFor(d, p, m, 2*time.Hour)
		if is := d.log.now("o-1"); is.OverdueAt.Before(began.Add(threshold)) {
			t.Errorf("told at %s after %d submits", is.OverdueAt, is.Submits)
		}
	})
}

// give_up_after bounds the sending, too.
func TestAnOrderIsNotSentAgainAfterGivingUp(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy {
			return worker.GiveUpPolicy{GiveUpAfter: time.Minute}
		}
		d.provider.script("o-1", repeat(reply{err: errUndocumented}, 1000)...)
		refusedFor(d, d.start(), d.message(d.order("o-1")), time.Hour)
		d.sent("o-1", 1, 0)
		d.reason("o-1", payment.ReasonSubmitLimit, "440")
	})
}

// An order of which no request has left is not at its limit, also where that is 0: each worker was stopped before its request, and a look-up
// made the payment in doubt. (The simulation found it, in seed 334816.)
func TestAnOrderThatWasNeverSentIsNotAtItsLimit(t *testing.T) {
	for _, limit := range []int{0, 1} {
		inBubble(t, func(d *testbed) {
			d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy { return worker.GiveUpPolicy{MaxSubmits: limit} }
			cmd := d.order("o-1")
			is := payment.New(cmd)
			is.Status, is.Revision, is.UpdatedAt = payment.InDoubt, 1, d.now()
			d.log.put(is)
			d.want(d.settle(d.start(), d.message(cmd)), queue.Done)
			d.sent("o-1", 1, 1)
		})
	}
}

// expires_at ends it as before: the provider said twice that nothing is there.
func TestAnOrderAtItsLimitExpires(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.ExpiresAt = d.now().Add(6 * time.Hour)
		d.provider.script("o-1", repeat(reply{err: errUndocumented}, 1000)...)
		p, m := d.start(), d.message(cmd)
		refusedFor(d, p, m, 5*time.Hour)
		d.sent("o-1", 3, 0)
		d.want(d.settle(p, m), queue.Done)
		d.reason("o-1", payment.ReasonExpired, "")
		d.sent("o-1", 3, 0)
	})
}

// Only a named person has it sent once more, and once is once.
func TestAPersonHasItSentOnceMore(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", repeat(reply{err: errUndocumented}, 4)...)
		p, m := d.start(), d.message(d.order("o-1"))
		refusedFor(d, p, m, 6*time.Hour)
		d.sent("o-1", 3, 0)
		d.approve("o-1")
		refusedFor(d, p, m, 6*time.Hour)
		d.sent("o-1", 4, 0)
		d.reason("o-1", payment.ReasonSubmitLimit, "440")
		d.approve("o-1")
		d.want(d.settle(p, m), queue.Done)
		d.sent("o-1", 5, 1)
		if is := d.log.now("o-1"); is.Status != payment.Pending || is.RetryApproved {
			t.Errorf("%+v", is)
		}
	})
}

// approve writes that a person lets an order be sent once more.
func (d *testbed) approve(order string) {
	d.t.Helper()
	is, seq, err := d.log.Last(context.Background(), payment.Ref{Provider: acme, Order: order})
	if err != nil {
		d.t.Fatal(err)
	}
	next, changed, err := payment.Decide(is, payment.Observation{
		Kind: payment.ApproveRetry, Source: payment.FromPerson, Reason: &payment.Reason{Code: payment.ReasonRetryApproved, By: "kim", Message: "ticket 4711"},
	}, d.now())
	if err != nil || !changed {
		d.t.Fatal(changed, err)
	}
	if _, err := d.log.Append(context.Background(), next, seq); err != nil {
		d.t.Fatal(err)
	}
}

// Where the documents say that a refused request leaves no order, an unexplained refusal and "unknown" twice
// end the payment; a doubt that came without a refusal does not.
func TestARefusalThatLeavesNoOrderEndsByEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want payment.Status
	}{
		"refused":  {errUndocumented, payment.Failed},
		"no reply": {errTimedOut, payment.InDoubt},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.provider.traits.RefusalLeavesNoOrder = true
				d.provider.script("o-1", repeat(reply{err: c.err}, 1000)...)
				p, m := d.start(), d.message(d.order("o-1"))
				if c.want == payment.InDoubt {
					refusedFor(d, p, m, 24*time.Hour)
					d.sent("o-1", 3, 0)
					return
				}
				d.want(d.settle(p, m), queue.Done)
				d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt, payment.Failed)
				d.reason("o-1", payment.ReasonDeclined, "440")
				d.sent("o-1", 1, 0)
				if is := d.log.now("o-1"); is.UpdatedAt.Sub(is.SubmittedAt) < 2*settling {
					t.Errorf("it ends %s after the request", is.UpdatedAt.Sub(is.SubmittedAt))
				}
			})
		})
	}
}

// The first request got no answer and was executed, and the provider's look-ups lag behind for long. A refusal of the
// second request must not end what the first one did.
func TestARefusalDoesNotEndAnEarlierRequest(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.traits.RefusalLeavesNoOrder = true
		d.provider.script("o-1", append([]reply{{err: errTimedOut}}, repeat(reply{err: errUndocumented}, 1000)...)...)
		refusedFor(d, d.start(), d.message(d.order("o-1")), 24*time.Hour)
		d.sent("o-1", 3, 0)
		d.reason("o-1", payment.ReasonSubmitLimit, "440")
		if is := d.log.now("o-1"); is.Status != payment.InDoubt {
			t.Errorf("%s", is.Status)
		}
	})
}

// A doubt of the version before, which was sent three times, is not sent three times more.
func TestADoubtOfAnOlderVersionIsBounded(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		next, _, err := payment.Decide(payment.New(cmd), payment.Observation{Kind: payment.Intend}, d.now())
		if err != nil {
			t.Fatal(err)
		}
		next.Status, next.Attempts, next.Submits, next.FirstSubmittedAt = payment.InDoubt, 3, 0, time.Time{}
		next.Reason = &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: "440"}
		d.log.put(next)
		d.provider.script("o-1", repeat(reply{err: errUndocumented}, 1000)...)
		refusedFor(d, d.start(), d.message(cmd), 24*time.Hour)
		d.sent("o-1", 0, 0)
		d.reason("o-1", payment.ReasonSubmitLimit, "440")
	})
}

// A worker that stood still takes the time for earlier than it is, until it has measured. At the limit that changes nothing: the
// order is not sent again, and the person is not told a second time.
func TestTheLimitStaysThoughTheTimeIsBehind(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy {
			return worker.GiveUpPolicy{GiveUpAfter: 15 * time.Minute, MaxSubmits: 1000}
		}
		d.provider.script("o-1", repeat(reply{err: errUndocumented}, 1000)...)
		m := d.message(d.order("o-1"))
		refusedFor(d, d.start(), m, time.Hour)
		told := d.log.now("o-1")
		d.reason("o-1", payment.ReasonSubmitLimit, "440")
		d.ahead = -50 * time.Minute
		submitted := told.Submits
		d.want(d.start().Command(context.Background(), m), queue.Park)
		if is := d.log.now("o-1"); is.Revision != told.Revision || is.Submits != submitted {
			t.Errorf("revision %d after %d, %d submits after %d: %+v", is.Revision, told.Revision, is.Submits, submitted, is.Reason)
		}
	})
}
