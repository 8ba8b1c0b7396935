package simulation

import (
	"net/http"
	"strconv"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// deal is what the provider really has of an order. No worker sees it.
type deal struct {
	state     payment.Kind // Accepted, Paid, Declined or Reversal
	ordered   payment.Money
	echo      payment.Money // what the provider says was ordered
	transfers []payment.Transfer
	single    bool          // reports distinguish the transfers
	visible   time.Duration // since when look-ups know it

	unreadable                      payment.Observation // what look-ups and webhooks say from then until then
	unreadableFrom, unreadableUntil time.Duration

	forgotten  bool          // look-ups know it no more, see lookupForgets
	blindUntil time.Duration // look-ups did not know it until then, see lookupBlinks

	told                          bool // the outcome's webhook is sent
	reversed, extra, contradicted bool // it happens, and a webhook says so
}

func (d *deal) moved() payment.Money {
	total := payment.Money{Currency: "KRW"}
	for _, r := range d.transfers {
		total.Minor += r.Amount.Minor
	}
	return total
}

// report is what the provider says now.
func (d *deal) report() payment.Observation {
	o := payment.Observation{Kind: d.state, Reference: "ref", Amount: d.echo}
	switch d.state {
	case payment.Accepted:
		o.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/"}}
	case payment.Paid:
		if d.single {
			o.Transfers = append(o.Transfers, d.transfers...)
		} else {
			o.SettledAmount = d.moved()
		}
	case payment.Declined:
		o.Reason = &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "51"}
	}
	return o
}

// arrive is the provider's work on one request.
func (w *world) arrive(r request) (payment.Observation, error) {
	o, cmd, sent := r.o, r.cmd, r.sent
	o.requests++
	w.judgeArrival(r)
	if intents := w.intents(o.ref); o.requests > intents {
		w.problem("%s: request %d, and the log has %d intents", o.ref.Order, o.requests, intents)
	}
	w.speakUnreadably(o)
	switch {
	case o.deal != nil:
		w.problem("%s: sent again while the provider has it", o.ref.Order)
		return o.deal.report(), nil
	case w.refusesAccount(cmd):
		o.sent--
		return payment.Observation{}, misconfigured()
	case w.fails(throttled):
		o.sent--
		return payment.Observation{}, &connectors.Error{Class: connectors.Throttled, Code: payment.ReasonThrottled, RetryAfter: w.between(0, 2*time.Minute)}
	case w.fails(lowBalance):
		o.sent--
		return payment.Observation{}, &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonBalance}
	case w.chance(rejected):
		w.note("provider rejects %s", o.ref.Order)
		o.rejected = true
		return payment.Observation{}, &connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined, ProviderCode: "51"}
	case o.refuses:
		return payment.Observation{}, w.refuse(o, cmd, sent)
	}
	if d := w.accept(o, cmd, sent); w.readable(d) {
		return d.report(), nil
	}
	return payment.Observation{}, &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "status_99", Known: true}
}

// accept makes the deal and draws its whole life.
func (w *world) accept(o *order, cmd payment.Command, sent time.Duration) *deal {
	d := &deal{state: payment.Accepted, ordered: cmd.Amount, echo: cmd.Amount, single: w.rng.IntN(2) == 0, visible: w.now}
	o.deal = d
	w.note("provider accepts %s", o.ref.Order)
	if w.chance(lookupLags) {
		d.visible = max(w.now, sent+w.between(0, settling()))
	}
	if w.chance(otherEcho) {
		d.echo.Minor++
	}
	w.drawUnreadable(d)
	if w.rng.IntN(3) == 0 {
		w.tell(o, w.says(d))
	}
	outcome := payment.Paid
	switch {
	case w.chance(endless):
		return d
	case w.chance(declined):
		outcome = payment.Declined
	}
	d.told = !w.chance(webhookMissing)
	if w.chance(paidAtOnce) {
		w.finish(o, d, outcome)
	} else {
		w.after(w.between(0, 10*time.Minute), func() { w.finish(o, d, outcome) })
	}
	return d
}

// finish is the outcome at the provider, and what comes after it.
func (w *world) finish(o *order, d *deal, outcome payment.Kind) {
	w.note("provider: %s is %s", o.ref.Order, outcome)
	d.state = outcome
	if outcome == payment.Paid {
		arrived := d.ordered
		if w.chance(otherAmount) {
			arrived.Minor -= 1000
		}
		d.transfers = []payment.Transfer{{Reference: "r-1", Amount: arrived}}
	}
	d.contradicted = w.chance(contradiction) && d.echo == d.ordered && d.unreadableUntil == 0
	d.told = d.told || d.contradicted
	if d.told {
		w.tell(o, w.says(d))
		d.told = w.readable(d)
	}
	switch {
	case d.contradicted:
		w.tell(o, w.opposite(d))
	case outcome == payment.Paid && w.chance(reversal):
		d.reversed = true
		w.after(w.between(0, 30*time.Minute), func() {
			w.note("provider takes %s back", o.ref.Order)
			d.state = payment.Reversal
			w.tell(o, w.says(d))
		})
	case outcome == payment.Paid && d.single && d.unreadableUntil == 0 && w.chance(extraTransfer):
		d.extra = true
		w.after(w.between(0, 30*time.Minute), func() {
			w.note("provider: %s is paid once more", o.ref.Order)
			d.transfers = append(d.transfers, payment.Transfer{Reference: "r-2", Amount: d.ordered})
			w.tell(o, d.report())
		})
	}
}

// opposite contradicts the outcome.
func (w *world) opposite(d *deal) payment.Observation {
	if d.state == payment.Declined {
		return payment.Observation{Kind: payment.Paid, Amount: d.echo}
	}
	return payment.Observation{Kind: payment.Declined, Amount: d.echo}
}

// notice is what a webhook says; its body is the notice's number.
type notice struct {
	ref         payment.Ref
	operation   payment.Operation
	observation payment.Observation
}

// tell sends a webhook.
func (w *world) tell(o *order, says payment.Observation) {
	w.notices = append(w.notices, notice{o.ref, o.cmd.Operation, says})
	n := len(w.notices) - 1
	times := 1
	if w.chance(webhookTwice) {
		times = 2
	}
	for range times {
		wait := w.between(0, 5*time.Second)
		if w.chance(webhookLate) {
			wait = w.between(0, 30*time.Minute)
		}
		w.after(wait, func() { w.receive(n) })
	}
}

// receive is the ingress.
func (w *world) receive(n int) {
	said := w.notices[n]
	out, err := events.EncodeWebhook(events.Webhook{
		Ref: said.ref, Header: http.Header{}, Body: []byte(strconv.Itoa(n)), ReceivedAt: w.time(),
	}, w.id())
	if err != nil {
		panic(err)
	}
	w.note("webhook for %s: %s", said.ref.Order, said.observation.Kind)
	w.publish(message{
		stream: events.StreamWebhooks, ref: said.ref,
		Message: events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data},
	})
}

const orphanOrder = "orphaned"

// orphanWebhook comes for an order that no upstream made.
func (w *world) orphanWebhook() {
	orphan := &order{ref: payment.Ref{Provider: acme, Order: orphanOrder}, cmd: payment.Command{Operation: payment.Deposit}}
	w.after(w.between(0, w.calm), func() { w.tell(orphan, payment.Observation{Kind: payment.Declined}) })
}

// providerPort is the connector of one process.
type providerPort struct{ p *process }

func (c providerPort) Traits() connectors.Traits {
	t := c.p.w.traits
	t.RefusalLeavesNoOrder = c.p.w.refusalLeavesNoOrder
	return t
}

// Webhook reads what tell wrote.
func (c providerPort) Webhook(_ http.Header, body []byte, _ time.Time) (connectors.Notice, error) {
	n, err := strconv.Atoi(string(body))
	if err != nil {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadWebhook, Problem: "no number"}
	}
	said := c.p.w.notices[n]
	return connectors.Notice{Order: said.ref.Order, Operation: said.operation, Observation: said.observation}, nil
}
