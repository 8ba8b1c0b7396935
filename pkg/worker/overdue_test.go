package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// threshold is the limit of these tests.
const threshold = 48 * time.Hour

// event is the last event of an order as a reader of the log gets it.
func (d *testbed) event(order string) events.Message {
	d.t.Helper()
	p, seq, err := d.log.Last(context.Background(), payment.Ref{Provider: acme, Order: order})
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := events.EncodePayment(p, "event")
	if err != nil {
		d.t.Fatal(err)
	}
	return events.Message{Subject: out.Subject, Data: out.Data, Sequence: seq, Deliveries: 1, StoredAt: p.UpdatedAt}
}

// pendingFor leaves an order that is pending for a while, of which the command is gone.
func (d *testbed) pendingFor(order string, long time.Duration) {
	d.t.Helper()
	d.want(d.start().Command(context.Background(), d.message(d.order(order))), queue.Done)
	d.log.want(order, payment.Submitting, payment.Pending)
	time.Sleep(long)
}

// lookupSays makes the look-up say the same always.
func (d *testbed) lookupSays(o payment.Observation, err error) {
	d.provider.lookup = func(connectors.Query) (payment.Observation, error) { return o, err }
}

func (d *testbed) errorsLogged() int { return strings.Count(d.logs.String(), `"level":"ERROR"`) }

func TestAPaymentWhoseWebhookNeverComesEnds(t *testing.T) {
	for _, c := range []struct {
		says payment.Observation
		want payment.Status
	}{
		{paid(), payment.Settled}, {payment.Observation{Kind: payment.Declined}, payment.Failed},
	} {
		t.Run(string(c.want), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.pendingFor("o-1", 10*time.Minute)
				d.lookupSays(c.says, nil)
				p := d.start()
				d.want(p.Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
				d.log.want("o-1", payment.Submitting, payment.Pending, c.want)
				if got := p.ports.calls; strings.Join(got, " ") != "last lookup append" {
					t.Errorf("calls: %v", got)
				}
				d.sent("o-1", 1, 1)
			})
		})
	}
}

func TestWhatIsStillPendingWritesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		says payment.Observation
		err  error
		want queue.Kind
	}{
		"pending":            {accepted("o-1"), nil, queue.Done},
		"unknown":            {payment.Observation{Kind: payment.Unknown}, nil, queue.Done}, // the provider had it: never believed
		"could not be asked": {payment.Observation{}, errPlain, queue.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.pendingFor("o-1", threshold-time.Second)
				d.lookupSays(c.says, c.err)
				for range 3 {
					d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), c.want)
				}
				d.log.want("o-1", payment.Submitting, payment.Pending)
				if d.provider.lookups != 3 || d.errorsLogged() != 0 {
					t.Errorf("%d look-ups, logs: %s", d.provider.lookups, d.logs)
				}
			})
		})
	}
}

func TestAtTheThresholdAPersonIsToldOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", threshold)
		first := d.event("o-1")
		for range 2 { // the acknowledgement is lost
			d.want(d.start().Overdue(context.Background(), first, threshold), queue.Done)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending)
		d.reason("o-1", payment.ReasonOverdue, "")
		is := d.log.now("o-1")
		if !is.OverdueAt.Equal(d.now()) || is.Action == nil || d.provider.lookups != 1 || d.errorsLogged() != 1 {
			t.Errorf("overdue at %s after %d look-ups, action %v, logs: %s", is.OverdueAt, d.provider.lookups, is.Action, d.logs)
		}
		// The wait begins again.
		time.Sleep(threshold - time.Second)
		d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending)
		time.Sleep(time.Second)
		d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Pending)
		// And ends with the truth.
		d.lookupSays(paid(), nil)
		d.want(d.start().Overdue(context.Background(), d.event("o-1"), 0), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Pending, payment.Settled)
		if is := d.log.now("o-1"); !is.OverdueAt.IsZero() {
			t.Errorf("settled, and overdue at %s", is.OverdueAt)
		}
	})
}

// Clocks differ: the process that keeps the time says when it is over.
func TestWithoutALimitAPersonIsTold(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", time.Second)
		d.want(d.start().Overdue(context.Background(), d.event("o-1"), 0), queue.Done)
		d.reason("o-1", payment.ReasonOverdue, "")
	})
}

// A provider that keeps reporting something new must not keep a person from being told.
func TestNewActionsDoNotPutThePersonOff(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", 0)
		for n := 0; d.log.now("o-1").OverdueAt.IsZero(); n++ {
			if n > 5 {
				t.Fatalf("nobody was told in %s", time.Since(d.log.now("o-1").SubmittedAt))
			}
			time.Sleep(10 * time.Hour)
			o := accepted("o-1")
			o.Action.Redirect.URL += strings.Repeat("x", n)
			d.lookupSays(o, nil)
			d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		}
	})
}

// A doubt whose command is gone: no worker can send it again, so it waits for a person, and each "unknown" must
// not begin the wait again.
func TestADoubtWithoutACommandWaitsForAPerson(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errTimedOut})
		cmd := d.order("o-1")
		d.want(d.start().Command(context.Background(), d.message(cmd)), queue.Park) // and the command is purged
		for range 30 {
			time.Sleep(2 * time.Hour)
			d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		}
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt, payment.InDoubt)
		is := d.log.now("o-1")
		if is.NotFound != 2 || is.OverdueAt.Sub(is.SubmittedAt) != threshold || d.errorsLogged() != 1 {
			t.Errorf("not found %d times, overdue after %s", is.NotFound, is.OverdueAt.Sub(is.SubmittedAt))
		}
		d.reason("o-1", payment.ReasonNoAnswer, "")
		d.sent("o-1", 1, 0)
		// A person brings the command back: then it is asked for once more, and sent.
		d.want(d.settle(d.start(), d.message(cmd)), queue.Done)
		d.sent("o-1", 2, 1)
	})
}

func TestAnAmountInDoubtIsNotSettledByALookUp(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", 0)
		o := paid()
		o.Amount = payment.KRW(1)
		d.lookupSays(payment.Observation{}, errPlain)
		d.want(d.start().Webhook(context.Background(), d.webhook("o-1", o)), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.InDoubt)
		time.Sleep(threshold)
		d.lookupSays(payment.Observation{Kind: payment.Paid}, nil) // how much, it does not say
		d.want(d.start().Overdue(context.Background(), d.event("o-1"), 0), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.InDoubt, payment.InDoubt, payment.InDoubt)
		d.reason("o-1", payment.ReasonAmountMismatch, "")
		if is := d.log.now("o-1"); len(is.Annotations) != 2 || is.Annotations[1].Kind != payment.Paid || is.Annotations[1].Source != payment.FromLookup || is.OverdueAt.IsZero() {
			t.Errorf("annotations %+v, a person was told at %s", is.Annotations, is.OverdueAt)
		}
	})
}

// A worker died between its intent and the answer, and an operator purged the command.
func TestAnIntentWithoutACommandIsLookedUp(t *testing.T) {
	for name, c := range map[string]struct {
		sent  bool
		err   error
		after time.Duration
		want  payment.Status
	}{
		"sent": {true, nil, settling, payment.Pending}, "not sent": {false, nil, settling, payment.InDoubt},
		"could not be asked": {true, errPlain, settling, payment.InDoubt},
		// The clocks differ: "unknown" is too early to be believed, and no other timer reads intents.
		"asked too early": {false, nil, time.Second, payment.InDoubt},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				interrupted(d, d.order("o-1"), c.sent)
				time.Sleep(c.after)
				if c.err != nil {
					d.lookupSays(payment.Observation{}, c.err)
				}
				d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
				d.log.want("o-1", payment.Submitting, c.want)
			})
		})
	}
}

func TestAnOlderEventIsDoneWith(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", 0)
		m := d.event("o-1")
		d.want(d.start().Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done)
		time.Sleep(threshold)
		p := d.start()
		d.want(p.Overdue(context.Background(), m, 0), queue.Done)
		m.Sequence++ // also when the last event needs no care
		d.want(p.Overdue(context.Background(), m, 0), queue.Done)
		m.Subject = strings.ReplaceAll(m.Subject, "o-1", "o-2") // forgotten by the log
		d.want(p.Overdue(context.Background(), m, 0), queue.Done)
		m.Subject = "payment.pending.nobody-kr.o-1"
		d.want(p.Overdue(context.Background(), m, 0), queue.Done)
		if d.provider.lookups != 0 {
			t.Errorf("%d look-ups", d.provider.lookups)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
	})
}

func TestOverdueTriesAgain(t *testing.T) {
	stopped, stop := context.WithCancelCause(context.Background())
	stop(errors.New("stopping"))
	for name, c := range map[string]struct {
		prepare func(d *testbed, p *process, m *events.Message)
		ctx     context.Context
		lookups int
	}{
		"the log cannot be read":    {func(_ *testbed, p *process, _ *events.Message) { p.ports.on("last", 1, failBefore) }, context.Background(), 0},
		"the log cannot be written": {func(_ *testbed, p *process, _ *events.Message) { p.ports.on("append", 1, failBefore) }, context.Background(), 1},
		"a replica lags behind":     {func(_ *testbed, _ *process, m *events.Message) { m.Sequence++ }, context.Background(), 0},
		"the worker stops":          {func(*testbed, *process, *events.Message) {}, stopped, 0},
		"a webhook is faster": {func(d *testbed, _ *process, _ *events.Message) {
			d.log.beforeAppend = func(payment.Payment) {
				d.want(d.start().Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done)
			}
		}, context.Background(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.pendingFor("o-1", threshold)
				p, m := d.start(), d.event("o-1")
				c.prepare(d, p, &m)
				d.want(p.Overdue(c.ctx, m, 0), queue.Retry)
				if is := d.log.now("o-1"); !is.OverdueAt.IsZero() || d.provider.lookups != c.lookups {
					t.Errorf("overdue at %s, %d look-ups", is.OverdueAt, d.provider.lookups)
				}
			})
		})
	}
}

// An outage of the provider just when a payment is due must not put the payment off until the next step of
// the lookup schedule, which is six times as far away.
func TestALookUpWithoutAnAnswerIsRepeated(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", 10*time.Minute)
		d.lookupSays(payment.Observation{}, errors.New("503"))
		p, m := d.start(), d.event("o-1")
		for n := range 3 {
			v := p.Overdue(context.Background(), m, threshold)
			pause := d.want(v, queue.Retry)
			if pause <= 0 || pause > 15*time.Minute || d.provider.lookups != n+1 || !v.Unanswered {
				t.Errorf("%d look-ups, the next after %s, unanswered: %t", d.provider.lookups, pause, v.Unanswered)
			}
			time.Sleep(pause)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending)
		p.ports.on("last", 1, failBefore) // the provider was not asked: it must not give way to others
		if v := p.Overdue(context.Background(), m, threshold); d.want(v, queue.Retry) <= 0 || v.Unanswered {
			t.Errorf("the log cannot be read: %+v", v)
		}
		d.lookupSays(paid(), nil)
		d.want(p.Overdue(context.Background(), m, threshold), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
	})
}

// At the threshold a person is told all the same.
func TestALookUpWithoutAnAnswerDoesNotPutThePersonOff(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", threshold)
		d.lookupSays(payment.Observation{}, errors.New("503"))
		d.want(d.start().Overdue(context.Background(), d.event("o-1"), 0), queue.Done)
		if is := d.log.now("o-1"); is.OverdueAt.IsZero() || is.Status != payment.Pending {
			t.Errorf("%s, overdue at %s", is.Status, is.OverdueAt)
		}
	})
}

// What the provider said and no look-up explains is told to a person as soon by a timer as by the message that brought it, which
// may be gone.
func TestATimerTellsOfAnUnexplainedStatement(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", 10*time.Minute)
		d.lookupSays(payment.Observation{}, errors.New("503"))
		p := d.start()
		_ = d.want(p.Webhook(context.Background(), d.webhook("o-1", unreadable())), queue.Park) // and it is lost
		time.Sleep(5*time.Minute - time.Second)
		_ = d.want(p.Overdue(context.Background(), d.event("o-1"), threshold), queue.Retry)
		if is := d.log.now("o-1"); len(is.Annotations) != 1 || !is.OverdueAt.IsZero() {
			t.Fatalf("told at %s of %+v", is.OverdueAt, is.Annotations)
		}
		time.Sleep(time.Second)
		d.want(p.Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		if is := d.log.now("o-1"); is.OverdueAt.IsZero() || is.Status != payment.Pending {
			t.Errorf("%s, told at %s", is.Status, is.OverdueAt)
		}
		d.reason("o-1", payment.ReasonUnexplained, "2")
	})
}

func TestAClosedProviderIsNotAsked(t *testing.T) {
	for _, policy := range []worker.ClosedPolicy{worker.ParkClosed, worker.RejectClosed, worker.SendClosed} {
		atHours(t, friday.Add(-time.Hour), policy, func(d *testbed) {
			d.pendingFor("o-1", time.Hour)
			p, m := d.start(), d.event("o-1")
			if delay := d.want(p.Overdue(context.Background(), m, threshold), queue.Retry); delay != monday.Sub(friday) {
				t.Errorf("asks again after %s", delay)
			}
			time.Sleep(time.Until(monday.Add(-1)))
			d.want(p.Overdue(context.Background(), m, threshold), queue.Retry)
			if d.provider.lookups != 0 {
				t.Errorf("%d look-ups while it was closed", d.provider.lookups)
			}
			time.Sleep(time.Nanosecond)
			d.want(p.Overdue(context.Background(), m, threshold), queue.Done)
			if d.provider.lookups != 1 {
				t.Errorf("%d look-ups at the opening", d.provider.lookups)
			}
		})
	}
}

// While the provider is closed no worker asks what became of an intent, and it is seen to be in doubt.
func TestAnIntentIsInDoubtWhileItsProviderIsClosed(t *testing.T) {
	atHours(t, friday.Add(-time.Hour), worker.ParkClosed, func(d *testbed) {
		p, m := d.start(), d.message(d.order("o-1"))
		p.ports.crashAt = worker.StepIntended
		if _, crashed := p.command(context.Background(), m); !crashed {
			t.Fatal("it did not crash")
		}
		time.Sleep(2 * time.Hour)
		intent := d.event("o-1")
		for range 2 {
			d.want(d.start().Overdue(context.Background(), intent, threshold), queue.Done)
			d.log.want("o-1", payment.Submitting, payment.InDoubt)
		}
		if is := d.log.now("o-1"); is.Reason == nil || is.Reason.Code != payment.ReasonInterrupted || d.provider.lookups != 0 {
			t.Errorf("%+v, %d look-ups", is.Reason, d.provider.lookups)
		}
	})
}

// Two days from Friday night are the time until the Wednesday after.
func TestTheThresholdCountsOpenTime(t *testing.T) {
	atHours(t, friday.Add(-time.Hour), worker.ParkClosed, func(d *testbed) {
		hours := d.options.Opening(acme, payment.Deposit).Hours
		d.pendingFor("o-1", 0)
		due, _ := hours.AddOpen(d.now(), threshold)
		if due.Sub(d.now()) < 4*24*time.Hour {
			t.Fatalf("due at %s", due.In(kst))
		}
		for _, at := range []time.Time{due.Add(-1), due} {
			time.Sleep(time.Until(at))
			d.want(d.start().Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
			if told := !d.log.now("o-1").OverdueAt.IsZero(); told != at.Equal(due) {
				t.Errorf("at %s: told %v", at.In(kst), told)
			}
		}
	})
}

// A threshold of any time goes on over the weekend, and is reported when the provider has opened and was asked.
func TestTheThresholdCanCountAnyTime(t *testing.T) {
	atHours(t, friday.Add(-time.Hour), worker.ParkClosed, func(d *testbed) {
		of := d.options.Opening
		d.options.Opening = func(provider string, op payment.Operation) worker.Opening {
			opening := of(provider, op)
			opening.WallThreshold = true
			return opening
		}
		d.pendingFor("o-1", 0)
		for _, step := range []struct {
			at      time.Time
			lookups int
			told    bool
		}{
			{d.now().Add(20 * time.Minute), 1, false}, // Friday night
			{d.now().Add(threshold), 1, false},        // Sunday night: closed, so the provider is not asked
			{monday, 2, true},
		} {
			time.Sleep(time.Until(step.at))
			_ = d.start().Overdue(context.Background(), d.event("o-1"), threshold)
			if told := !d.log.now("o-1").OverdueAt.IsZero(); told != step.told || d.provider.lookups != step.lookups {
				t.Errorf("at %s: told %v after %d look-ups", step.at.In(kst), told, d.provider.lookups)
			}
		}
	})
}

func TestOverdueIsCounted(t *testing.T) {
	reader := sdk.NewManualReader()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(noop.NewMeterProvider()) })
	inBubble(t, func(d *testbed) {
		d.pendingFor("o-1", threshold)
		p := d.start()
		d.want(p.Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		d.want(p.Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		d.lookupSays(paid(), nil)
		d.want(p.Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
	})
	got := collect(t, reader)
	for want, n := range map[string]int64{
		worker.MetricOverdue + " operation=deposit provider=acme-kr status=pending": 1,
		worker.MetricOpenAge + " operation=deposit provider=acme-kr status=pending": 2,
	} {
		if got[want] != n {
			t.Errorf("%s: %d, want %d, of %v", want, got[want], n, got)
		}
	}
}
