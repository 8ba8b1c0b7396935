package simulation

import (
	"fmt"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// order is one order number, with the truth about it.
type order struct {
	ref      payment.Ref
	cmd      payment.Command
	commands []string      // fingerprints of all commands under this number
	old      bool          // the command is older than the log's memory
	requests int           // that the provider received
	deal     *deal         // nil: the provider executed nothing
	purged   bool          // its command was deleted from the queue after it may have been sent
	ahead    bool          // the upstream's clock is ahead
	hangs    time.Duration // look-ups about it get no answer until then
	page     time.Duration // when the last page closes that the customer has; 0 for none

	sent       int             // requests that may have been executed
	approvals  int             // of persons, to send it once more
	notFound   []time.Duration // when look-ups were asked that did not know it
	refuses    bool            // the provider will refuse it for ever
	refused    bool            // it has
	rejected   bool            // by a documented decision
	unreadable bool            // a webhook said something of it that cannot be read
}

// order draws what is asked for under one order number.
func (w *world) order(n int) {
	ref := payment.Ref{Provider: acme, Order: fmt.Sprintf("o%d-%d", n+1, w.rng.IntN(1000))} // its place after an opening depends on it
	cmd := payment.Command{
		Ref: ref, Operation: payment.Operations()[w.rng.IntN(2)], Amount: payment.KRW(10000), RequestedAt: epoch,
	}
	o := &order{ref: ref}
	if w.chance(commandExpires) {
		cmd.ExpiresAt = epoch.Add(w.between(time.Minute, [...]time.Duration{10 * time.Minute, time.Hour}[w.rng.IntN(2)]))
	}
	if w.chance(commandOld) {
		o.old, cmd.RequestedAt = true, epoch.Add(-timing().Retention-time.Hour)
	}
	o.ahead = !o.old && cmd.ExpiresAt.IsZero() && w.chance(commandAhead)
	w.drawHanging(o)
	if cmd.Operation == payment.Deposit && w.oneOf(6, byPage) {
		cmd.Method = methodPage
	}
	o.cmd, o.refuses = cmd, w.oneOf(10, refusesForEver)
	w.orders = append(w.orders, o)
	if !o.old {
		w.planPeople(o)
	}
	w.ask(o, cmd, w.between(0, 2*time.Minute))
	if w.chance(commandAgain) {
		w.ask(o, cmd, w.between(0, 20*time.Minute))
	}
	if !o.old && w.chance(secondCommand) {
		cmd.Amount = payment.KRW(20000)
		w.ask(o, cmd, w.between(0, 2*time.Minute))
	}
}

// ask publishes a command after a while.
func (w *world) ask(o *order, cmd payment.Command, wait time.Duration) {
	if w.mutant.forgetExpiry {
		cmd.ExpiresAt = time.Time{}
	}
	if o.ahead {
		cmd.RequestedAt = epoch.Add(wait + payment.MaxAhead)
	}
	out, err := events.EncodeCommand(cmd, w.id())
	if err != nil {
		panic(err)
	}
	if w.chance(commandShort) {
		out.Subject = events.ShortSubject(cmd.Operation)
	}
	asked := payment.New(cmd)
	o.commands = append(o.commands, asked.Fingerprint)
	w.after(wait, func() {
		w.publish(message{
			stream: events.StreamCommands, ref: o.ref, fingerprint: asked.Fingerprint, command: &cmd, asked: &asked,
			Message: events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data},
		})
	})
}

func (w *world) orderOf(ref payment.Ref) *order {
	for _, o := range w.orders {
		if o.ref == ref {
			return o
		}
	}
	panic("an order that nobody made: " + ref.Order)
}

// intents counts the requests that the log allowed.
func (w *world) intents(ref payment.Ref) int {
	n := 0
	for _, event := range w.log.lists[ref] {
		if event.stands.Status == payment.Submitting {
			n++
		}
	}
	return n
}
