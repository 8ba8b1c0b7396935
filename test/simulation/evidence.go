package simulation

import (
	"math"
	"slices"
	"strconv"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// never is later than every run.
const never = time.Duration(math.MaxInt64)

// unreadable is a statement of the provider that its connector cannot map.
func (w *world) unreadable() payment.Observation {
	code := [...]string{"amount_unreadable", "partially_paid", "status_99"}[w.rng.IntN(3)]
	return payment.Observation{Kind: payment.Indeterminate, Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: code}}
}

// speakUnreadably sends unreadable webhooks about an order that the provider has heard of: before its reply, long
// after the outcome, and the same ones again.
func (w *world) speakUnreadably(o *order) {
	if !w.chance(unreadableWebhook) {
		return
	}
	for range 1 + w.rng.IntN(3) {
		w.after([...]time.Duration{0, w.between(0, 5*time.Second), w.between(0, 40*time.Minute)}[w.rng.IntN(3)], func() {
			o.unreadable = true
			w.tell(o, w.unreadable())
		})
	}
}

// drawUnreadable draws a time in which no worker can read what the provider says of a deal.
func (w *world) drawUnreadable(d *deal) {
	if !w.chance(unreadableStatus) {
		return
	}
	d.unreadable, d.unreadableFrom = w.unreadable(), w.now+[...]time.Duration{0, w.between(0, 10*time.Minute)}[w.rng.IntN(2)]
	d.unreadable.Known = true
	if d.unreadableUntil = never; w.rng.IntN(3) > 0 {
		d.unreadableUntil = d.unreadableFrom + w.between(time.Minute, 30*time.Minute)
	}
}

// readable reports whether what the provider says of the deal now can be read.
func (w *world) readable(d *deal) bool {
	return w.now < d.unreadableFrom || w.now >= d.unreadableUntil
}

// says is what the provider says of a deal now.
func (w *world) says(d *deal) payment.Observation {
	if w.readable(d) {
		return d.report()
	}
	return d.unreadable
}

// judgeAcknowledged checks that an unreadable statement has left a trace before the message is done with that
// brought it, or that led to the look-up: an annotation in the log, or a dead letter after the outcome.
func (w *world) judgeAcknowledged(t *task, v queue.Verdict) {
	if t.m.stream == events.StreamWebhooks && v.Kind == queue.Done {
		if said := w.noticeOf(t.m); said.observation.Kind == payment.Indeterminate && !w.annotated(said.ref, payment.FromWebhook, said.observation) {
			w.problem("%s: an unreadable webhook is acknowledged and left no trace", said.ref.Order)
		}
	}
	if t.unreadable != nil && v.Kind != queue.Retry && !w.log.last(t.m.ref).stands.Status.Ended() && !w.annotated(t.m.ref, payment.FromLookup, *t.unreadable) {
		w.problem("%s: an unreadable look-up left no trace", t.m.ref.Order)
	}
}

// noticeOf is what a webhook says.
func (w *world) noticeOf(m *message) notice {
	n, err := strconv.Atoi(string(m.Data))
	if err != nil {
		panic(err) // receive wrote it
	}
	return w.notices[n]
}

// annotated reports whether an event of the log keeps what the provider said.
func (w *world) annotated(ref payment.Ref, source payment.Source, o payment.Observation) bool {
	return slices.ContainsFunc(w.log.lists[ref], func(e *logEvent) bool {
		return slices.ContainsFunc(e.stands.Annotations, func(a payment.Annotation) bool {
			return a.Source == source && a.Kind == o.Kind && a.Reason != nil && *a.Reason == *o.Reason
		})
	})
}

// judgeNotices checks which webhooks became dead letters: those of no order, and unreadable ones after the outcome.
func (w *world) judgeNotices() {
	deadLettered := map[payment.Ref]bool{}
	for _, d := range w.dead {
		if d.stream != events.StreamWebhooks {
			continue
		}
		deadLettered[d.ref] = true
		said := w.noticeOf(d.message)
		orphan := said.ref.Order == orphanOrder && d.reason == events.DeadUnknownOrder
		late := said.observation.Kind == payment.Indeterminate && d.reason == events.DeadUnexplained &&
			slices.ContainsFunc(w.log.lists[d.ref], func(e *logEvent) bool { return e.stands.Status.Ended() })
		if !orphan && !late {
			w.problem("a webhook for %s is a dead letter: %s", said.ref.Order, d.reason)
		}
	}
	for _, said := range w.notices {
		if said.ref.Order == orphanOrder && !deadLettered[said.ref] {
			w.problem("a webhook of no order is no dead letter")
		}
	}
}

// afterwards lists the statuses that are also right for an order of whose deal the provider spoke unreadably.
func (w *world) afterwards(o *order) []payment.Status {
	d := o.deal
	if d == nil || d.unreadableUntil == 0 {
		return nil
	}
	var also []payment.Status
	if d.state == payment.Reversal { // a dead letter says it
		also = append(also, payment.Settled)
	}
	if d.unreadableUntil == never || w.hours[o.cmd.Operation].shut { // to be looked up at the opening
		also = append(also, payment.Pending, payment.InDoubt)
	}
	return also
}
