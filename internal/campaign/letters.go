package campaign

import (
	"context"
	"fmt"
	"slices"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// Letter is one dead letter.
type Letter struct {
	Sequence uint64
	Ref      payment.Ref // zero if it names no payment
	Reason   events.DeadReason
	Detail   string
	Subject  string // where the message was
}

func (l Letter) String() string { return fmt.Sprintf("%s: %s (%s)", l.Reason, l.Detail, l.Subject) }

// readLetters reads all dead letters.
func (s *system) readLetters(ctx context.Context) ([]Letter, error) {
	const page = 100
	var all []Letter
	for after := uint64(0); ; {
		letters, err := s.log.DeadLetters(ctx, after, page)
		if err != nil {
			return nil, err
		}
		for _, letter := range letters {
			after = letter.Sequence
			ref, _ := events.SubjectRef(letter.Message.Subject)
			if ref == (payment.Ref{}) { // a short subject names its payment in the body
				if op, known := events.SubjectOperation(letter.Message.Subject); known {
					cmd, _ := events.ParseCommand(op, letter.Message.Data)
					ref = cmd.Ref
				}
			}
			all = append(all, Letter{letter.Sequence, ref, letter.Reason, letter.Detail, letter.Message.Subject})
		}
		if len(letters) < page {
			return all, nil
		}
	}
}

// byPayment sorts dead letters by what they name.
func byPayment(letters []Letter) map[payment.Ref][]Letter {
	all := map[payment.Ref][]Letter{}
	for _, letter := range letters {
		all[letter.Ref] = append(all[letter.Ref], letter)
	}
	return all
}

// excused reports whether there must, or may, be a dead letter for what was done to a payment.
func (e Evidence) excused(l Letter) bool {
	deeds := e.Deeds[l.Ref]
	switch {
	case e.Strangers[l.Ref]:
		return l.Reason == events.DeadUnknownOrder
	case events.IsClarification(l.Subject): // of two answers one comes too late
		return deeds.AnswersTried > 1 && l.Reason == events.DeadInvalid
	}
	return deeds.OthersTried > 0 && l.Reason == events.DeadOrderReused
}

// owed returns what was taken and can only end as a dead letter, and is none.
func owed(e Evidence) []Finding {
	var all []Finding
	has := func(ref payment.Ref, reason events.DeadReason) bool {
		return e.Deeds[ref].Dropped > 0 || slices.ContainsFunc(e.Dead[ref], func(l Letter) bool { return l.Reason == reason })
	}
	for ref, deeds := range e.Deeds {
		if deeds.OthersTaken > 0 && !has(ref, events.DeadOrderReused) {
			all = append(all, Finding{ref, "another command under its number was taken, and there is no dead letter of it"})
		}
	}
	books(e, func(ref payment.Ref, o sandbox.Order) {
		heard := slices.ContainsFunc(o.Callbacks, func(c sandbox.Callback) bool { return c.Acknowledged > 0 })
		if e.Strangers[ref] && heard && !has(ref, events.DeadUnknownOrder) {
			all = append(all, Finding{ref, "a webhook of an order that nobody knows was taken, and there is no dead letter of it"})
		}
	})
	slices.SortFunc(all, func(a, b Finding) int { return compareRefs(a.Ref, b.Ref) })
	return all
}
