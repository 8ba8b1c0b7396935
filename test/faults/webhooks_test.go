package faults

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// webhookProviders are of different kinds: one reports single transfers and signs by RSA over a nonce in the
// header, one signs by HMAC in the body and has a number for each attempt.
var webhookProviders = []string{testenv.TeemoPay, testenv.ECommPay}

// postOffice sends webhooks with the provider's own signature, at any time and in any order. The sandbox
// itself sends none for the orders that it is given.
type postOffice struct {
	*system
	t         *testing.T
	provider  string
	protocol  sandbox.Protocol
	url       string
	completed time.Time
}

func (s *system) office(t *testing.T, provider string) *postOffice {
	t.Helper()
	accounts, err := s.Keys.Accounts(s.At, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(accounts, func(a sandbox.AccountConfig) bool { return a.Name == provider })
	return &postOffice{s, t, provider, accounts[at].Protocol, s.At.CallbackURL(provider), time.Now()}
}

// quiet makes an order of which the sandbox reports nothing.
func (p *postOffice) quiet(name string, op payment.Operation, faults ...sandbox.FaultName) order {
	p.t.Helper()
	o := order{payment.Ref{Provider: p.provider, Order: name}, op}
	list := []sandbox.Fault{{Name: sandbox.LostCallback}}
	for _, f := range faults {
		list = append(list, sandbox.Fault{Name: f})
	}
	p.Must(p.Sandbox.SetFaults(o.ref.Provider, o.ref.Order, list...))
	return o
}

// notice is what the provider would say of an order: with its own numbers where it has the order.
func (p *postOffice) notice(o order, state sandbox.State, edit ...func(*sandbox.Notice)) sandbox.Notice {
	n := sandbox.Notice{Order: o.ref.Order, State: state, Echo: 10_000}
	if truth, err := p.Sandbox.Order(o.ref.Provider, o.ref.Order); err == nil && len(truth.Charges) > 0 {
		n.Charge = truth.Charges[0]
	} else {
		n.Charge = sandbox.Charge{
			Serial: 999_001, Operation: sandbox.Operation(o.op), Amount: 10_000, At: p.completed, Method: "801",
			Reference: p.protocol.Reference(sandbox.DepositReference, 999_001, p.completed),
		}
	}
	n.Charge.CompletedAt, n.Charge.State = p.completed, state
	if state != sandbox.Failed {
		n.Received = 10_000
		n.Movement = sandbox.Movement{Amount: 10_000, Serial: n.Charge.Serial, Reference: p.protocol.Reference(sandbox.MovementReference, n.Charge.Serial, p.completed)}
	} else {
		n.Charge.Failure = sandbox.DeclinedByBank
	}
	for _, e := range edit {
		e(&n)
	}
	return n
}

// post signs a notice again and sends it; the ingress must take it.
func (p *postOffice) post(n sandbox.Notice) {
	p.t.Helper()
	call, err := p.protocol.Callback(n, time.Now())
	p.Must(err)
	p.Must(p.deliver(call))
}

func (p *postOffice) deliver(call sandbox.Call) error {
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url, bytes.NewReader(call.Body))
	if err != nil {
		return err
	}
	request.Header = call.Header.Clone()
	status, body := p.Do(request)
	if !call.Acknowledged(status, []byte(body)) {
		return fmt.Errorf("the ingress answers %d %s", status, body)
	}
	return nil
}

// pending publishes the command of an order and waits until the provider has it.
func (p *postOffice) pending(ctx context.Context, o order) {
	p.t.Helper()
	p.publish(ctx, o)
	p.stands(ctx, o, payment.Pending)
}

// becomes waits until the payment has exactly these statuses, and that nothing follows: a marker that is
// sent afterwards is worked after all that was sent before.
func (p *postOffice) becomes(ctx context.Context, o order, want ...payment.Status) payment.Payment {
	p.t.Helper()
	last := want[len(want)-1]
	p.stands(ctx, o, last)
	marker := p.quiet("after-"+o.ref.Order, payment.Payout)
	p.pending(ctx, marker)
	p.post(p.notice(marker, sandbox.Paid))
	p.stands(ctx, marker, payment.Settled)
	records, err := p.Log.History(ctx, o.ref)
	p.Must(err)
	got := statuses(records)
	if want[0] == submitting && want[1] == settled { // see "before the reply"
		got = slices.DeleteFunc(got, func(st payment.Status) bool { return st == inDoubt })
	}
	if last == inDoubt { // the provider is asked about the doubt, and what it says is a further event: before or after the marker
		got = slices.Compact(got)
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s: %v, want %v", o.ref, got, want)
	}
	return records[len(records)-1].Payment
}

// alarmed waits until a worker has written an error about the order. What it did can be seen before.
func (p *postOffice) alarmed(ctx context.Context, o order, want string) {
	p.t.Helper()
	p.happens(ctx, o.ref.String()+": an error in the worker's log with "+want, func() bool {
		for line := range strings.Lines(p.LogOf("worker-1")) {
			if strings.Contains(line, "level=ERROR") && strings.Contains(line, "provider="+p.provider+" order="+o.ref.Order+" ") && strings.Contains(line, want) {
				return true
			}
		}
		return false
	})
}

const (
	submitting, pending, inDoubt = payment.Submitting, payment.Pending, payment.InDoubt
	settled, conflict, reversed  = payment.Settled, payment.Conflict, payment.Reversed
)

// TestWebhookCases sends what providers send at bad times, over real HTTP with real signatures, and holds
// each case to the one answer that docs/webhooks.md gives.
func TestWebhookCases(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Unhurried()
	s.inOrder()
	s.worker()
	ctx := within(t, 2*timeout)
	for _, provider := range webhookProviders {
		for name, play := range webhookCases {
			t.Run(provider+"/"+name, func(t *testing.T) { play(ctx, s.office(t, provider), strings.ReplaceAll(name, " ", "-")) })
		}
	}
}

// webhookCases are the cases of docs/webhooks.md.
var webhookCases = map[string]func(ctx context.Context, p *postOffice, name string){
	"before the reply": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout, sandbox.Hang)
		p.publish(ctx, o)
		if _, err := p.Sandbox.WaitFor(ctx, o.ref.Provider, o.ref.Order, sandbox.ChargedTimes(1)); err != nil {
			p.t.Fatal(err)
		}
		p.post(p.notice(o, sandbox.Paid))
		p.stands(ctx, o, settled)
		p.Must(p.Sandbox.Release(o.ref.Provider, o.ref.Order))
		// A slow machine may take the call for timed out before the webhook comes: then it was in doubt.
		p.becomes(ctx, o, submitting, settled)
	},
	"twice": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout)
		p.pending(ctx, o)
		p.post(p.notice(o, sandbox.Paid))
		p.post(p.notice(o, sandbox.Paid))
		p.becomes(ctx, o, submitting, pending, settled)
	},
	"1000 times": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout)
		p.pending(ctx, o)
		n := p.notice(o, sandbox.Paid)
		var group errgroup.Group
		group.SetLimit(16)
		for range 1000 {
			group.Go(func() error {
				call, err := p.protocol.Callback(n, time.Now())
				if err != nil {
					return err
				}
				return p.deliver(call)
			})
		}
		p.Must(group.Wait())
		p.becomes(ctx, o, submitting, pending, settled)
	},
	"out of order": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout)
		p.pending(ctx, o)
		p.post(p.notice(o, sandbox.Refunded))
		p.post(p.notice(o, sandbox.Paid))
		p.becomes(ctx, o, submitting, pending, settled, reversed)
	},
	"contradiction": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout)
		p.pending(ctx, o)
		p.post(p.notice(o, sandbox.Paid))
		p.stands(ctx, o, settled)
		p.post(p.notice(o, sandbox.Failed))
		last := p.becomes(ctx, o, submitting, pending, settled, conflict)
		if last.Reason.Code != payment.ReasonContradiction || !slices.Equal(last.Evidence, []payment.Kind{payment.Declined, payment.Paid}) {
			p.t.Errorf("%+v, heard %v", last.Reason, last.Evidence)
		}
		p.alarmed(ctx, o, "status=conflict")
	},
	"another amount": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout, sandbox.Query503) // what it would answer depends on when
		p.pending(ctx, o)
		p.post(p.notice(o, sandbox.Paid, func(n *sandbox.Notice) { n.Echo = 1_000_000 }))
		last := p.becomes(ctx, o, submitting, pending, inDoubt)
		if last.Reason.Code != payment.ReasonAmountMismatch || !last.SettledAmount.IsZero() {
			p.t.Errorf("%+v, settled %s", last.Reason, last.SettledAmount)
		}
		p.alarmed(ctx, o, "reason=amount_mismatch")
	},
	"reversal": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout)
		p.pending(ctx, o)
		p.post(p.notice(o, sandbox.Paid))
		p.stands(ctx, o, settled)
		p.post(p.notice(o, sandbox.Refunded))
		p.becomes(ctx, o, submitting, pending, settled, reversed)
	},
	"reversal before settlement": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout)
		p.pending(ctx, o)
		p.post(p.notice(o, sandbox.Refunded))
		last := p.becomes(ctx, o, submitting, pending, settled, reversed)
		if last.SettledAmount != payment.KRW(10_000) {
			p.t.Errorf("settled %s", last.SettledAmount)
		}
	},
	"second reference": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout)
		p.pending(ctx, o)
		before, _, err := p.Log.Last(ctx, o.ref)
		p.Must(err)
		p.post(p.notice(o, sandbox.Paid, func(n *sandbox.Notice) {
			n.Charge.Serial = 999_002
			n.Charge.Reference = p.protocol.Reference(sandbox.PayoutReference, 999_002, p.completed)
		}))
		if p.provider == testenv.ECommPay { // its reference is that of an attempt
			p.becomes(ctx, o, submitting, pending, settled)
			return
		}
		last := p.becomes(ctx, o, submitting, pending, inDoubt)
		if last.Reason.Code != payment.ReasonSecondReference || last.ProviderReference != before.ProviderReference {
			p.t.Errorf("%+v, reference %s", last.Reason, last.ProviderReference)
		}
		p.alarmed(ctx, o, "reason=second_reference")
	},
	"before the command": func(ctx context.Context, p *postOffice, name string) {
		o := p.quiet(name, payment.Payout)
		n := p.notice(o, sandbox.Paid)
		n.Charge.Reference = "" // it would be that of another payment than the one to come
		p.post(n)
		p.waits(ctx, o)
		p.publish(ctx, o)
		p.becomes(ctx, o, submitting, pending, settled)
	},
}

// waits waits until the broker holds a webhook of the order.
func (p *postOffice) waits(ctx context.Context, o order) {
	p.t.Helper()
	filter := strings.TrimSuffix(events.WaitingSubject(o.ref, "x"), "x") + "*"
	webhooks, err := natstest.JetStream(p.t, p.nats.URL).Stream(ctx, events.StreamWebhooks)
	p.Must(err)
	p.happens(ctx, o.ref.String()+" has a webhook that waits", func() bool {
		info, err := webhooks.Info(ctx, jetstream.WithSubjectFilter(filter))
		return err == nil && len(info.State.Subjects) > 0
	})
}

// A webhook of an order that never gets a command is kept, tried again, and then a dead letter with an
// alarm. Webhooks of good orders pass it meanwhile.
func TestWebhookOfAnOrderThatNeverComes(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Unhurried()
	s.Edit("\nworker:\n", "\nworker:\n  unknown_order_for: 12s\n")
	s.worker()
	ctx := within(t, timeout)
	want := map[events.DeadReason]int{}
	for _, provider := range webhookProviders {
		p := s.office(t, provider)
		orphan := order{payment.Ref{Provider: provider, Order: "orphaned"}, payment.Payout}
		p.post(p.notice(orphan, sandbox.Paid))
		want[events.DeadUnknownOrder]++
		p.waits(ctx, orphan)
		good := p.quiet("good", payment.Payout)
		p.pending(ctx, good)
		p.post(p.notice(good, sandbox.Paid))
		p.becomes(ctx, good, submitting, pending, settled)
	}
	s.untilDead(ctx, want)
	for _, provider := range webhookProviders {
		p := s.office(t, provider)
		p.alarmed(ctx, order{payment.Ref{Provider: provider, Order: "orphaned"}, payment.Payout}, "reason=unknown_order")
	}
}
