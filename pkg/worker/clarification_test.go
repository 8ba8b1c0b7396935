package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// asker is a provider that wants to know more before it goes on.
type asker struct {
	*provider
	answers []error // of the next calls; afterwards the values are taken
	calls   []map[string]map[string]string
	query   connectors.Query
	says    payment.Observation
	during  func(ctx context.Context)
}

func (a *asker) Clarify(ctx context.Context, q connectors.Query, fields map[string]map[string]string) (payment.Observation, error) {
	a.calls, a.query = append(a.calls, fields), q
	if a.during != nil {
		a.during(ctx)
	}
	if len(a.answers) > 0 {
		err := a.answers[0]
		if a.answers = a.answers[1:]; err != nil {
			return payment.Observation{}, err
		}
	}
	return a.says, nil
}

// asked is a testbed with a worker and a pending payment o-1 whose provider wants to know a name.
type asked struct {
	*testbed
	*asker
	worker *worker.Worker
	ports  *ports
}

func question(fields ...string) *payment.Action {
	return &payment.Action{Type: payment.ActionClarification, Clarification: &payment.Clarification{Fields: map[string][]string{"customer": fields}}}
}

func whenAsked(t *testing.T, test func(a asked)) {
	t.Helper()
	inBubble(t, func(d *testbed) {
		a := asked{testbed: d, asker: &asker{provider: d.provider, says: payment.Observation{Kind: payment.Accepted}}, ports: &ports{testbed: d}}
		o := d.options
		o.Log, o.Claims = logPort{a.ports}, d.claims
		o.Connectors = connectors.NewRegistry(map[string]connectors.Connector{acme: a.asker, "silent": silent{d.provider}})
		var err error
		if a.worker, err = worker.New(o); err != nil {
			t.Fatal(err)
		}
		d.want(a.worker.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		a.hear(payment.Observation{Kind: payment.Accepted, Action: question("last_name")})
		test(a)
	})
}

// hear delivers a webhook.
func (a asked) hear(o payment.Observation) {
	a.t.Helper()
	a.want(a.worker.Webhook(context.Background(), a.webhook("o-1", o)), queue.Done)
}

func lastName(order string) events.Clarification {
	return events.Clarification{
		Ref: payment.Ref{Provider: acme, Order: order}, Fields: map[string]map[string]string{"customer": {"last_name": persons[0]}},
	}
}

// reply is a clarification as the queue delivers it.
func (a asked) reply(c events.Clarification) events.Message {
	a.t.Helper()
	if c.RequestedAt.IsZero() {
		c.RequestedAt = a.now()
	}
	out, err := events.EncodeClarification(c, "clarification-id")
	if err != nil {
		a.t.Fatal(err)
	}
	return events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Deliveries: 1, StoredAt: a.now()}
}

func (a asked) give(m events.Message) queue.Verdict {
	return a.worker.Command(context.Background(), m)
}

// called fails the test unless Clarify was called this often, and Submit never but for the command.
func (a asked) called(times int) {
	a.t.Helper()
	if len(a.calls) != times {
		a.t.Errorf("the provider was told %d times, want %d", len(a.calls), times)
	}
	a.sent("o-1", 1, 1)
}

// stillAsks fails the test unless the payment waits for the same answer as before.
func (a asked) stillAsks() {
	a.t.Helper()
	a.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending)
	if q, asks := a.log.now("o-1").Clarification(); !asks || q.Fields["customer"][0] != "last_name" {
		a.t.Errorf("the payment asks for %+v, %v", q, asks)
	}
}

func TestClarificationIsGivenOnce(t *testing.T) {
	whenAsked(t, func(a asked) {
		m := a.reply(lastName("o-1"))
		a.want(a.give(m), queue.Done)
		a.called(1)
		if a.calls[0]["customer"]["last_name"] != persons[0] || a.query.Order != "o-1" || a.query.Operation != payment.Deposit || a.query.Reference != "ref-o-1" || a.query.Amount != payment.KRW(10000) {
			t.Errorf("asked %+v about %+v", a.calls, a.query)
		}
		a.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Pending)
		if is := a.log.now("o-1"); is.Action != nil {
			t.Errorf("the payment still asks: %+v", is.Action)
		}
		m.Deliveries = 2 // its acknowledgement was lost
		a.want(a.give(m), queue.Done)
		a.called(1)
		a.want(a.give(a.reply(lastName("o-1"))), queue.Dead, events.DeadInvalid)
		a.hear(paid())
		a.want(a.give(a.reply(lastName("o-1"))), queue.Done)
		a.called(1)
	})
}

func TestClarificationThatNobodyWaitsFor(t *testing.T) {
	whenAsked(t, func(a asked) {
		a.want(a.give(a.reply(lastName("unknown"))), queue.Dead, events.DeadInvalid)
		a.testbed.provider.script("parked", reply{err: errBalance})
		a.want(a.give(a.message(a.order("parked"))), queue.Park)
		a.want(a.give(a.reply(lastName("parked"))), queue.Dead, events.DeadInvalid)
		a.want(a.give(a.message(a.order("pays"))), queue.Done) // pending, and wants a redirect
		a.want(a.give(a.reply(lastName("pays"))), queue.Dead, events.DeadInvalid)
		for _, fields := range []map[string]string{{"last_name": "x", "first_name": "x"}, {"first_name": "x"}} {
			c := lastName("o-1")
			c.Fields["customer"] = fields
			a.want(a.give(a.reply(c)), queue.Dead, events.DeadInvalid)
		}
		c := lastName("o-1")
		c.Provider = "silent"
		a.want(a.give(a.reply(c)), queue.Dead, events.DeadInvalid)
		c.Provider = "nobody"
		a.want(a.give(a.reply(c)), queue.Dead, events.DeadUnknownProvider)
		a.called(0)
		a.stillAsks()
	})
}

// A clarification that cannot be read says nothing about its payment, whether that is known or not.
func TestUnreadableClarificationLeavesThePayment(t *testing.T) {
	whenAsked(t, func(a asked) {
		for _, order := range []string{"o-1", "unknown"} {
			for text, reason := range map[string]events.DeadReason{
				"{": events.DeadUndecodable, `{"provider":"acme-kr","order":"other","fields":{"a":{"b":"c"}}}`: events.DeadMismatch,
				`{"provider":"acme-kr","order":"` + order + `","fields":{}}`: events.DeadInvalid,
				strings.Repeat("x", events.MaxCommandBytes+1):                events.DeadTooBig,
			} {
				m := a.reply(lastName(order))
				m.Data = []byte(text)
				a.want(a.give(m), queue.Dead, reason)
			}
		}
		a.called(0)
		a.stillAsks()
		a.log.want("unknown")
	})
}

func TestClarificationThatTheProviderDoesNotTake(t *testing.T) {
	refusedValues := &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonInvalid, ProviderCode: "2004", Known: true}
	for name, c := range map[string]struct {
		err    error
		kind   queue.Kind
		reason events.DeadReason
		least  time.Duration
	}{
		"unreachable":       {errUnreached, queue.Retry, "", time.Second},
		"throttled":         {errThrottled, queue.Retry, "", 90 * time.Second},
		"in doubt":          {errTimedOut, queue.Retry, "", time.Second},
		"not classified":    {errPlain, queue.Retry, "", time.Second},
		"rejected":          {errRefused, queue.Dead, events.DeadInvalid, 0},
		"values not taken":  {refusedValues, queue.Dead, events.DeadInvalid, 0},
		"with the customer": {errors.New(persons[0]), queue.Retry, "", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			whenAsked(t, func(a asked) {
				a.answers = []error{c.err}
				m := a.reply(lastName("o-1"))
				v := a.give(m)
				if delay := a.want(v, c.kind, c.reason); delay != c.least {
					t.Errorf("comes again after %s, want %s", delay, c.least)
				}
				if code := connectors.Classify(c.err).ProviderCode; v.Kind == queue.Dead && !strings.Contains(v.Detail, code) {
					t.Errorf("the dead letter does not name the provider's code %s: %s", code, v.Detail)
				}
				a.called(1)
				a.stillAsks()
				if m.Deliveries++; c.kind == queue.Retry {
					a.want(a.give(m), queue.Done)
					a.called(2)
				}
			})
		})
	}
}

// A doubt is tried again for as long as the provider waits, and not longer.
func TestClarificationInDoubtIsDeadLetteredInTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		requested time.Duration // from when it was stored
		lasts     time.Duration
	}{"as long as it waits": {0, clarifyFor}, "from when the upstream asked": {-20 * time.Minute, 10 * time.Minute}, "a clock that is ahead": {4 * time.Minute, clarifyFor}} {
		t.Run(name, func(t *testing.T) {
			whenAsked(t, func(a asked) {
				a.answers = make([]error, 1000)
				for i := range a.answers {
					a.answers[i] = errTimedOut
				}
				began, answer := a.now(), lastName("o-1")
				answer.RequestedAt = began.Add(c.requested)
				m := a.reply(answer)
				v := a.give(m)
				for ; v.Kind == queue.Retry && m.Deliveries < 500; v = a.give(m) {
					time.Sleep(v.Delay)
					m.Deliveries++
				}
				a.want(v, queue.Dead, events.DeadTooOld)
				if lasted := a.now().Sub(began); lasted <= c.lasts || lasted > c.lasts+time.Minute {
					t.Errorf("given up after %s, want soon after %s", lasted, c.lasts)
				}
				a.called(m.Deliveries - 1)
				a.stillAsks()
				a.hear(payment.Observation{Kind: payment.Declined})
				a.want(a.give(m), queue.Done)
			})
		})
	}
}

const clarifyFor = 30 * time.Minute // as long as the provider waits

// A worker that reads a replica of the log that lags behind must not take an answer for one too many.
func TestClarificationWaitsForTheRevisionThatAsked(t *testing.T) {
	whenAsked(t, func(a asked) {
		c := lastName("o-1")
		c.Revision = a.log.now("o-1").Revision
		m := a.reply(c)
		a.log.behind = 1
		a.want(a.give(m), queue.Retry)
		a.called(0)
		m.Deliveries++
		a.want(a.give(m), queue.Done)
		a.called(1)
		if is := a.log.now("o-1"); is.Action != nil {
			t.Errorf("the payment still asks: %+v", is.Action)
		}
	})
}

// The provider asks for something else while it gets the answer: the new question stays.
func TestClarificationKeepsANewQuestion(t *testing.T) {
	whenAsked(t, func(a asked) {
		a.during = func(context.Context) { a.hear(payment.Observation{Kind: payment.Accepted, Action: question("email")}) }
		a.want(a.give(a.reply(lastName("o-1"))), queue.Done)
		a.called(1)
		if q, asks := a.log.now("o-1").Clarification(); !asks || q.Fields["customer"][0] != "email" {
			t.Errorf("the payment asks for %+v, %v", q, asks)
		}
	})
}

func TestClarificationWhileTheLogIsDown(t *testing.T) {
	for _, port := range []string{"last", "append"} {
		for _, f := range []fault{failBefore, failAfter} {
			t.Run(port+" "+f.String(), func(t *testing.T) {
				whenAsked(t, func(a asked) {
					a.ports.on(port, 1, f)
					m := a.reply(lastName("o-1"))
					a.want(a.give(m), queue.Retry)
					m.Deliveries++
					a.want(a.give(m), queue.Done)
					if is := a.log.now("o-1"); is.Action != nil || is.Status != payment.Pending {
						t.Errorf("%s, asks %+v", is.Status, is.Action)
					}
					a.sent("o-1", 1, 1)
				})
			})
		}
	}
}

// A process that stops begins no call, and lets the one end that it has begun.
func TestClarificationWhileStopping(t *testing.T) {
	whenAsked(t, func(a asked) {
		ctx, stop := context.WithCancel(context.Background())
		a.during = func(call context.Context) {
			stop()
			if _, bounded := call.Deadline(); call.Err() != nil || !bounded {
				t.Errorf("the call ends with the process, or never: %v", call.Err())
			}
		}
		a.want(a.worker.Command(ctx, a.reply(lastName("o-1"))), queue.Done)
		if a.log.now("o-1").Action != nil {
			t.Error("what was learned is not written")
		}
		a.hear(payment.Observation{Kind: payment.Accepted, Action: question("last_name")})
		if delay := a.want(a.worker.Command(ctx, a.reply(lastName("o-1"))), queue.Retry); delay != 0 {
			t.Errorf("another worker must wait %s", delay)
		}
		a.called(1)
	})
}

// Whatever a provider answers to a clarification is processed like any other news.
func TestClarificationThatSettles(t *testing.T) {
	whenAsked(t, func(a asked) {
		a.says = paid()
		a.want(a.give(a.reply(lastName("o-1"))), queue.Done)
		a.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Settled)
	})
}
