package reconcile

import (
	"time"

	"payonce/pkg/payment"
)

// FindingKind says in what a provider's records and our log differ. Its text is in the output of payctl and is
// only ever added to.
type FindingKind string

// The findings.
const (
	MissingHere      FindingKind = "missing_here"      // in the provider's statement and not in our log
	MissingThere     FindingKind = "missing_there"     // settled or reversed with us and not in the provider's statement
	PaidThere        FindingKind = "paid_there"        // failed or reversed with us, and the provider has money for it
	DeclinedThere    FindingKind = "declined_there"    // settled or reversed with us and declined there
	ReversalThere    FindingKind = "reversed_there"    // settled or failed with us; reversed there, all of it or a part
	FinalThere       FindingKind = "final_there"       // open with us and final there
	OpenThere        FindingKind = "open_there"        // final with us, or never sent, and still open there
	AmountDiffers    FindingKind = "amount_differs"    // another amount or currency
	ChargedTwice     FindingKind = "charged_twice"     // they have two payments of one order that were not declined
	ReferenceDiffers FindingKind = "reference_differs" // their number of the payment is not the one that we know
	UnreadableHere   FindingKind = "unreadable_here"   // the last event of it in our log cannot be read: nothing is known of it until a person steps over that
	Indeterminate    FindingKind = "indeterminate"     // what they say is not known to mean anything, or cannot be proven
)

// The notes: differences that are no findings, because they are expected or cannot be judged yet.
const (
	OpenHere   FindingKind = "open_here"   // open with us and not in the provider's statement
	Moving     FindingKind = "moving"      // differs, and changed so shortly before the statement was read that they cannot know
	NotCovered FindingKind = "not_covered" // not in the provider's statement, and they may have made it when the statement does not cover
)

// FindingKinds lists all findings, and then all notes.
func FindingKinds() []FindingKind {
	return []FindingKind{
		MissingHere, MissingThere, PaidThere, DeclinedThere, ReversalThere, FinalThere, OpenThere, AmountDiffers, ChargedTwice,
		ReferenceDiffers, UnreadableHere, Indeterminate, OpenHere, Moving, NotCovered,
	}
}

// Note reports whether k is a note and no finding.
func (k FindingKind) Note() bool { return k == OpenHere || k == Moving || k == NotCovered }

// Finding is one difference between a provider's records and our log.
type Finding struct {
	Kind      FindingKind       `json:"finding"`
	Order     string            `json:"order"` // as the provider writes it; it can be one that we would not take
	Operation payment.Operation `json:"operation,omitempty"`
	Ours      *Side             `json:"ours,omitempty"`   // nil when our log has no such payment
	Theirs    []Side            `json:"theirs,omitempty"` // empty when the provider's statement has none; several when they charged twice
	Detail    string            `json:"detail,omitempty"` // for people, where the sides do not say it
}

// Side is what one of the two says about a payment.
type Side struct {
	// Status is one of the statuses of our log, or a kind of observation with them: accepted, paid, declined,
	// reversed, partially_reversed, or anything else for what is not known.
	Status        string        `json:"status"`
	Amount        payment.Money `json:"amount,omitzero"`         // as ordered
	SettledAmount payment.Money `json:"settled_amount,omitzero"` // what moved
	Reference     string        `json:"reference,omitempty"`     // the provider's number
	// At is when we sent it last, or when they made it.
	At time.Time `json:"at,omitzero"`
}

func ourSide(p payment.Payment) *Side {
	return &Side{
		Status: string(p.Status), Amount: p.Amount, SettledAmount: p.SettledAmount, Reference: p.ProviderReference, At: p.SubmittedAt,
	}
}

func theirSides(lines []line) []Side {
	var sides []Side
	for _, l := range lines {
		sides = append(sides, Side{
			Status: string(l.kind), Amount: l.amount, SettledAmount: l.settled, Reference: l.reference, At: l.created,
		})
	}
	return sides
}
