package campaign

import (
	"context"
	"fmt"
	"slices"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// DeadLetter is one dead letter.
type DeadLetter struct {
	Sequence uint64
	Ref      payment.Ref // zero if it names no payment
	Reason   events.DeadReason
	Detail   string
	Subject  string // where the message was
}

func (l DeadLetter) String() string { return fmt.Sprintf("%s: %s (%s)", l.Reason, l.Detail, l.Subject) }

// readDeadLetters reads all dead letters.
func (s *system) readDeadLetters(ctx context.Context) ([]DeadLetter, error) {
	const page = 100
	var all []DeadLetter
	for after := uint64(0); ; {
		deadLetters, err := s.Log.DeadLetters(ctx, after, page)
		if err != nil {
			return nil, err
		}
		for _, deadLetter := range deadLetters {
			after = deadLetter.Sequence
			ref, _ := events.SubjectRef(deadLetter.Message.Subject)
			if ref == (payment.Ref{}) { // a short subject names its payment in the body
				if op, known := events.SubjectOperation(deadLetter.Message.Subject); known {
					cmd, _ := events.ParseCommand(op, deadLetter.Message.Data)
					ref = cmd.Ref
				}
			}
			all = append(all, DeadLetter{deadLetter.Sequence, ref, deadLetter.Reason, deadLetter.Detail, deadLetter.Message.Subject})
		}
		if len(deadLetters) < page {
			return all, nil
		}
	}
}

// byPayment sorts dead letters by what they name.
func byPayment(deadLetters []DeadLetter) map[payment.Ref][]DeadLetter {
	all := map[payment.Ref][]DeadLetter{}
	for _, deadLetter := range deadLetters {
		all[deadLetter.Ref] = append(all[deadLetter.Ref], deadLetter)
	}
	return all
}

// excused reports whether there must, or may, be a dead letter for what was done to a payment.
func (e Evidence) excused(l DeadLetter) bool {
	actions := e.Actions[l.Ref]
	switch {
	case e.ForeignOrders[l.Ref]:
		return l.Reason == events.DeadUnknownOrder
	case events.IsClarification(l.Subject): // of two answers one comes too late
		return actions.AnswersTried > 1 && l.Reason == events.DeadInvalid
	}
	return actions.OthersTried > 0 && l.Reason == events.DeadOrderReused
}

// owed returns what was taken and can only end as a dead letter, and is none.
func owed(e Evidence) []Finding {
	var all []Finding
	has := func(ref payment.Ref, reason events.DeadReason) bool {
		return e.Actions[ref].Dropped > 0 || slices.ContainsFunc(e.Dead[ref], func(l DeadLetter) bool { return l.Reason == reason })
	}
	for ref, actions := range e.Actions {
		if actions.OthersTaken > 0 && !has(ref, events.DeadOrderReused) {
			all = append(all, Finding{ref, "another command under its number was taken, and there is no dead letter of it"})
		}
	}
	statement(e, func(ref payment.Ref, o sandbox.Order) {
		heard := slices.ContainsFunc(o.Callbacks, func(c sandbox.Callback) bool { return c.Acknowledged > 0 })
		if e.ForeignOrders[ref] && heard && !has(ref, events.DeadUnknownOrder) {
			all = append(all, Finding{ref, "a webhook of an order that nobody knows was taken, and there is no dead letter of it"})
		}
	})
	slices.SortFunc(all, func(a, b Finding) int { return compareRefs(a.Ref, b.Ref) })
	return all
}
