package campaign

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// Evidence is what is left when nothing moves any more.
type Evidence struct {
	Orders []*Order
	// Log holds all events of the log, by payment, in their order.
	Log   map[payment.Ref][]events.Record
	Truth sandbox.Truth
	// Queued are the payments whose command waits in the queue, parked or not.
	Queued map[payment.Ref]bool
	// Dead are the dead letters, by payment.
	Dead map[payment.Ref][]DeadLetter
	// Actions are what was done to payments besides ordering them.
	Actions map[payment.Ref]Actions
	// ForeignOrders are orders that another system made at the providers.
	ForeignOrders map[payment.Ref]bool
	// Closings are when providers were closed, by account, without any margin.
	Closings map[string][]closing
	Forged   []Forgery
	Deploys  int64     // in which workers were replaced
	At       time.Time // when it was collected
}

// Finding is something that is not as it must be.
type Finding struct {
	Ref     payment.Ref
	Problem string
}

// Verdict is what the audit found.
type Verdict struct {
	Orders   int                    // accepted
	Statuses map[payment.Status]int // of all orders
	// ChargedTwice: the provider executed an order more than once. Lost: an accepted order of which the
	// log says nothing, or nothing that explains where it is. WrongOutcome: the log and the provider's
	// statement, or the events of one payment, contradict each other.
	ChargedTwice, Lost, WrongOutcome []Finding
}

// Good reports whether the promise held.
func (v Verdict) Good() bool { return len(v.ChargedTwice)+len(v.Lost)+len(v.WrongOutcome) == 0 }

// Audit holds every order against the log, and the log against the provider's records.
func Audit(e Evidence) Verdict {
	v := Verdict{Statuses: map[payment.Status]int{}}
	statement := map[payment.Ref]sandbox.Order{}
	for _, account := range e.Truth.Accounts {
		for _, o := range account.Orders {
			statement[payment.Ref{Provider: o.Provider, Order: o.Order}] = o
		}
	}
	known := map[payment.Ref]bool{}
	for _, o := range e.Orders {
		known[o.Ref] = true
		v.auditOrder(e, o, statement[o.Ref])
	}
	for _, ref := range slices.SortedFunc(maps.Keys(statement), compareRefs) {
		if !known[ref] && !e.ForeignOrders[ref] && len(statement[ref].Charges) > 0 {
			v.wrong(ref, "the provider executed it, and nobody ordered it")
		}
		v.auditHours(e, ref, statement[ref])
	}
	for _, ref := range slices.SortedFunc(maps.Keys(e.Log), compareRefs) {
		if !known[ref] {
			v.wrong(ref, "it is in the log, and nobody ordered it")
		}
	}
	v.auditDeadLetters(e)
	for _, forgery := range e.Forged {
		if forgery.Status != http.StatusUnauthorized {
			v.wrong(forgery.Ref, "a forged webhook was answered %d", forgery.Status)
		}
	}
	return v
}

// auditDeadLetters looks for dead letters that nothing explains, and for what should have become one.
func (v *Verdict) auditDeadLetters(e Evidence) {
	for _, ref := range slices.SortedFunc(maps.Keys(e.Dead), compareRefs) {
		for _, deadLetter := range e.Dead[ref] {
			if ref != (payment.Ref{}) && !e.excused(deadLetter) {
				v.wrong(ref, "there is a dead letter: %s", deadLetter)
			}
		}
	}
	v.Lost = append(v.Lost, owed(e)...)
}

// auditHours looks for requests to pay that reached a provider while it was closed.
func (v *Verdict) auditHours(e Evidence, ref payment.Ref, truth sandbox.Order) {
	for _, request := range truth.Requests {
		for _, shut := range e.Closings[ref.Provider] {
			if request.Action == sandbox.ActionCreate && !request.At.Before(shut.from) && request.At.Before(shut.to) {
				v.wrong(ref, "a request to pay came at %s, and the provider was closed from %s to %s",
					request.At.UTC().Format(clock), shut.from.UTC().Format(clock), shut.to.UTC().Format(clock))
			}
		}
	}
}

// clock shows times of a run.
const clock = "15:04:05.000"

func compareRefs(a, b payment.Ref) int { return strings.Compare(a.String(), b.String()) }

func (v *Verdict) wrong(ref payment.Ref, format string, args ...any) {
	v.WrongOutcome = append(v.WrongOutcome, Finding{ref, fmt.Sprintf(format, args...)})
}

func (v *Verdict) lost(ref payment.Ref, format string, args ...any) {
	v.Lost = append(v.Lost, Finding{ref, fmt.Sprintf(format, args...)})
}

func (v *Verdict) auditOrder(e Evidence, o *Order, truth sandbox.Order) {
	history, dead := e.Log[o.Ref], e.Dead[o.Ref]
	if o.Accepted {
		v.Orders++
	}
	v.auditCharges(o, truth)
	if len(history) == 0 {
		switch {
		case o.Accepted:
			v.lost(o.Ref, "it was accepted (%s), and the log knows nothing of it; dead letters: %v", o.Way, dead)
		case len(truth.Charges) > 0:
			v.wrong(o.Ref, "the provider executed it, and the log knows nothing of it")
		}
		return
	}
	last := history[len(history)-1].Payment
	v.Statuses[last.Status]++
	v.auditHistory(o, history)
	v.auditOutcome(o, last, truth)
	v.auditQueue(e, o, last)
	v.auditActions(e.Actions[o.Ref], last, truth)
}

// auditActions checks that what payonce took besides the order came true.
func (v *Verdict) auditActions(actions Actions, last payment.Payment, truth sandbox.Order) {
	cancelled := last.Status == payment.Failed && last.Reason != nil && last.Reason.Code == payment.ReasonCancelled
	if actions.Cancelled && !cancelled {
		v.wrong(last.Ref, "a person was told that it is cancelled, and it is %s", last.Status)
	}
	if len(truth.Charges) == 0 {
		return
	}
	charge := truth.Charges[len(truth.Charges)-1]
	if charge.State != sandbox.Pending || charge.Stage != sandbox.AwaitingClarification {
		return
	}
	if _, asked := last.Clarification(); !asked {
		v.lost(last.Ref, "the provider waits for an answer, and nobody was told")
	} else if actions.AnswersTaken > 0 {
		v.lost(last.Ref, "an answer to the provider was taken, and the provider still waits for it")
	}
}

// auditCharges looks for money that moved more than once. A customer who pays twice by herself is no
// second charge.
func (v *Verdict) auditCharges(o *Order, truth sandbox.Order) {
	paid := 0
	for _, m := range truth.Movements {
		if m.Kind == sandbox.Paid {
			paid++
		}
	}
	if len(truth.Charges) > 1 || paid > 1 && !slices.Contains(o.Faults, sandbox.Multi) {
		v.ChargedTwice = append(v.ChargedTwice, Finding{o.Ref, fmt.Sprintf("the provider executed it %d times, money moved %d times", len(truth.Charges), paid)})
	}
}

// auditHistory checks what holds for the events of every payment, whatever happened.
func (v *Verdict) auditHistory(o *Order, history []events.Record) {
	attempts := 0
	for i, r := range history {
		p := r.Payment
		if p.Revision != i+1 {
			v.wrong(o.Ref, "event %d has revision %d", i+1, p.Revision)
		}
		if p.Status == payment.Submitting {
			attempts++
		}
		if isParkedFor(p, payment.ReasonStopping) { // a deploy costs no attempt
			attempts--
		}
		if p.Attempts != attempts {
			v.wrong(o.Ref, "event %d has %d attempts after %d intents", i+1, p.Attempts, attempts)
		}
		if p.Operation != o.Operation || p.Amount != o.Amount || p.Fingerprint != history[0].Payment.Fingerprint {
			v.wrong(o.Ref, "event %d is a %s of %s: another command's", i+1, p.Operation, p.Amount)
		}
		if i > 0 && history[i-1].Payment.Status.Ended() && !mayFollow(history[i-1].Payment.Status, p.Status) {
			v.wrong(o.Ref, "%s after %s", p.Status, history[i-1].Payment.Status)
		}
	}
}

// mayFollow reports whether a status may come after an outcome, when no person acts.
func mayFollow(outcome, next payment.Status) bool {
	return next == payment.Conflict || outcome == payment.Settled && next == payment.Reversed
}

// auditOutcome compares the state of a payment with the provider's records.
func (v *Verdict) auditOutcome(o *Order, last payment.Payment, truth sandbox.Order) {
	want, received := allowed(o, truth)
	switch {
	case last.Status == payment.Submitting:
		v.lost(o.Ref, "it stands at submitting, and nobody works on it")
		return
	case last.Status != payment.Settled && last.Status != payment.Pending && last.Reason == nil:
		v.lost(o.Ref, "it is %s without a reason", last.Status)
		return
	case !slices.Contains(want, last.Status):
		v.wrong(o.Ref, "the log says %s, the records allow %v (provider: %s, %d charges, %d moved)", last.Status, want, truth.State, len(truth.Charges), received)
		return
	}
	if got := last.SettledAmount; last.Status == payment.Settled && (got.Minor != received || got.Currency != o.Amount.Currency) {
		v.wrong(o.Ref, "the log says %s arrived, the records say %d minor units", got, received)
	}
}

// auditQueue looks for payments of which something is still to be done, and no worker will do it: their command
// has left the queue. A doubt about the amount is for a person.
func (v *Verdict) auditQueue(e Evidence, o *Order, last payment.Payment) {
	undone := last.Status == payment.Parked || last.Status == payment.InDoubt && !slices.Contains(o.Faults, sandbox.WrongAmount)
	switch {
	case undone && !e.Queued[o.Ref]:
		v.lost(o.Ref, "it is %s, and its command is not in the queue any more", last.Status)
	case last.Status == payment.Parked && e.At.Sub(last.ResumeAt) > overslept:
		v.lost(o.Ref, "it was parked until %s, and nobody took it up", last.ResumeAt.UTC().Format(clock))
	}
}

// overslept is how late a parked payment may be taken up when everything runs.
const overslept = time.Minute

// allowed returns the statuses that agree with the records, and how much was paid.
func allowed(o *Order, truth sandbox.Order) (statuses []payment.Status, received int64) {
	times, reversal := 0, false
	for _, m := range truth.Movements {
		if m.Kind == sandbox.Refunded {
			reversal = true
			continue
		}
		received += m.Amount
		times++
	}
	switch {
	case slices.Contains(o.Faults, sandbox.WrongAmount): // the doubt is for a person
		return []payment.Status{payment.InDoubt, payment.Conflict}, received
	case reversal:
		return []payment.Status{payment.Reversed}, received
	case times > 1: // the rest can come after the outcome
		return []payment.Status{payment.Settled, payment.Conflict}, received
	case times == 1:
		return []payment.Status{payment.Settled}, received
	case truth.State == sandbox.Failed:
		return []payment.Status{payment.Failed}, received
	case len(truth.Charges) > 0:
		return []payment.Status{payment.Pending}, received
	case o.Page: // the provider hears of it when the customer comes
		return []payment.Status{payment.Failed, payment.Parked, payment.Pending, payment.InDoubt}, received
	default: // the provider refused it, or does not know it
		return []payment.Status{payment.Failed, payment.Parked, payment.InDoubt}, received
	}
}
