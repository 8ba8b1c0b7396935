package payment

import (
	"slices"
	"strings"
	"time"
)

// MaxAnnotations is how many annotations a payment keeps. The events before have the older ones.
const MaxAnnotations = 16

// Annotation is something that a provider said of a payment and that cannot be mapped to a status: an amount
// that cannot be read, a status or code that no page lists, a partial payment.
type Annotation struct {
	At     time.Time `json:"at"`     // when it was learned
	Source Source    `json:"source"` // webhook, lookup or statement
	Kind   Kind      `json:"kind"`   // what it would have meant, where that is certain, else "indeterminate"
	Reason *Reason   `json:"reason,omitempty"`
}

// Unexplained reports whether the provider has said something of an open payment that cannot be mapped, and
// no person was told since. It must be looked up at once, and a person told if that does not end it. A payment
// whose reason calls a person by itself needs no more.
func (p Payment) Unexplained() bool {
	if len(p.Annotations) == 0 || p.Status.Ended() || p.CallsPerson() {
		return false
	}
	return p.Annotations[len(p.Annotations)-1].At.After(p.OverdueAt)
}

// CallsPerson reports whether a payment is in doubt for a reason that calls a person by itself: another amount, a
// second number, or a part that went back.
func (p Payment) CallsPerson() bool { return p.amountDoubted() || waitsForPerson(p) }

// FailedUnsaid reports whether a payment failed without the provider's word: it was never sent, the provider did not
// know it, or a person decided so. That the provider has it after all may mean that money moves.
func (p Payment) FailedUnsaid() bool {
	return p.Status == Failed && (!p.Known || p.Reason != nil && p.Reason.Code == ReasonResolvedByPerson)
}

// toldAt is when a person is told of a payment: not before what the person is told, whichever clock that has.
func (p Payment) toldAt(now time.Time) time.Time {
	if n := len(p.Annotations); n > 0 && p.Annotations[n-1].At.After(now) {
		return p.Annotations[n-1].At
	}
	return now
}

// annotating is the evidence that leaves an annotation where it does not end the payment.
var annotating = []Evidence{Evidence(Indeterminate), firstHeard, secondReference, Evidence(PartialReversal), mismatch}

// annotation returns what an observation of the provider leaves on a payment that it does not end.
func annotation(p Payment, o Observation, evidence Evidence, to Status, now time.Time) (a Annotation, extra bool) {
	told := o.Source == FromWebhook || o.Source == FromLookup || o.Source == FromStatement
	open := to == InDoubt || to == Pending || to == Conflict && p.Status == Conflict // which keeps its first reason
	again := o.Kind == Accepted && evidence != secondReference && evidence != mismatch
	if !slices.Contains(annotating, evidence) || !told || !open || !providerSpoke(o) || again {
		return Annotation{}, false
	}
	a = Annotation{At: now.UTC(), Source: o.Source, Kind: o.Kind, Reason: o.Reason}
	if !a.At.After(p.OverdueAt) { // another worker's clock is ahead, or this one waited: no person was told of this
		a.At = p.OverdueAt.Add(1)
	}
	if o.Kind != Indeterminate {
		a.Reason = because(ReasonIndeterminate, said(p, o), o.Reason)
	}
	return a, true
}

// said names the reference and the amount of an observation.
func said(p Payment, o Observation) string {
	var parts []string
	if o.Reference != "" {
		parts = append(parts, "reference "+o.Reference)
	}
	if echoDiffers(p, o) {
		parts = append(parts, "amount "+spokenOf(p, o))
	} else if m := firstAmount(o.SettledAmount, o.Amount); !m.IsZero() {
		parts = append(parts, "amount "+m.String())
	}
	return strings.Join(parts, ", ")
}

// Annotated reports whether the payment keeps what a webhook or look-up says already.
func (p Payment) Annotated(o Observation) bool {
	return slices.ContainsFunc(p.Annotations, func(a Annotation) bool {
		return a.Source == o.Source && a.Kind == o.Kind && sameReason(a.Reason, o.Reason)
	})
}

// MaxTransfers is how many transfers a payment keeps of webhooks: every event has all of them, and one that is larger than the broker
// takes could not be written. A customer makes them, and can make many.
const MaxTransfers = 500

// Overfull reports whether a webhook would only add one more annotation to a payment that is full of them, or one more transfer. Each
// would write an event, and an annotation cost a look-up and a further event, without end.
func (p Payment) Overfull(o Observation) bool {
	open := p.Status == Pending || p.Status == InDoubt || p.Status == Conflict
	return o.Kind == Indeterminate && open && p.Known && len(p.Annotations) >= MaxAnnotations && !p.Annotated(o) || p.TooManyTransfers(o)
}

// TooManyTransfers reports whether an observation has a transfer that is new to a payment which has as many as it keeps.
func (p Payment) TooManyTransfers(o Observation) bool {
	return len(p.Transfers) >= MaxTransfers && slices.ContainsFunc(o.Transfers, func(t Transfer) bool {
		return !slices.ContainsFunc(p.Transfers, func(known Transfer) bool { return known.Reference == t.Reference })
	})
}

// annotated adds a to what there is, unless it was said before: providers repeat themselves.
func annotated(known []Annotation, a Annotation) []Annotation {
	for _, k := range known {
		if k.Source == a.Source && k.Kind == a.Kind && sameReason(k.Reason, a.Reason) {
			return known
		}
	}
	all := append(slices.Clone(known), a)
	return all[max(0, len(all)-MaxAnnotations):]
}

func sameReason(a, b *Reason) bool {
	return a == b || a != nil && b != nil && *a == *b
}
