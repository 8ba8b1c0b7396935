package operator

import (
	"fmt"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Next says what a person does next about a payment as it stands, with the command to type where there is one.
// It is for people and may be worded again at any time.
func Next(p payment.Payment) string {
	open := p.Status == payment.InDoubt || p.Status == payment.Pending
	if open && p.Reason != nil && p.Reason.Code == payment.ReasonAmountMismatch {
		return byHand(p, "the provider speaks of another amount: ask it by our order number what really moved.")
	}
	if open && p.Reason != nil {
		switch p.Reason.Code {
		case payment.ReasonSubmitLimit:
			return byHand(p, fmt.Sprintf("it was sent as often as configured: ask the provider why it refuses it. To send it once more: payctl payment retry %s %s.", p.Provider, p.Order))
		case payment.ReasonUnexplained:
			return byHand(p, "the provider said something of it that cannot be mapped, see its annotations: ask it by our order number.")
		}
	}
	if open && p.Reason != nil && p.Reason.Code == payment.ReasonNoInstructions {
		return byHand(p, "the customer cannot pay: ask the provider by our order number to end it, or to tell the customer where to pay.")
	}
	switch p.Status {
	case payment.Requested:
		return "see that workers run and are ready: no worker has begun it"
	case payment.Parked:
		return nextOfParked(p)
	case payment.Submitting:
		return "nothing: if its worker does not come back, it is looked up at the provider"
	case payment.InDoubt:
		return byHand(p, "nothing for an hour, it is looked up; then ask the provider by our order number. Never send it again under another number.")
	case payment.Pending:
		if p.OverdueAt.IsZero() {
			return "nothing: the provider waits for the customer or the bank; a person is told when it is overdue"
		}
		return byHand(p, "it is overdue: ask the provider by our order number.")
	case payment.Conflict:
		if p.Reason != nil && p.Reason.Code == payment.ReasonUnreadable {
			return byHand(p, "nothing is known of it but its name: ask its upstream what it is, and the provider by our order number what it did.")
		}
		return byHand(p, "the provider contradicts an end that was published: tell the owner of the ledger, compare with the provider's list.")
	}
	return nextOfEnded(p)
}

// NextWithoutCommand says what a person does next about a payment whose command is neither queued nor parked. Only a payment
// that may still be sent needs one: the others are Next's.
func NextWithoutCommand(p payment.Payment) string {
	switch p.Status {
	case payment.Parked:
		return fmt.Sprintf("nothing will happen by itself: no command of it is left. Look again; then let the upstream send the same command again, "+
			"which goes on with this payment. To end it instead, do so when its command is there: payctl parked cancel %s %s", p.Provider, p.Order)
	case payment.Submitting, payment.InDoubt:
		if p.NotFound == 0 {
			return "it is looked up, and never sent again by itself: no command of it is left. " + Next(p)
		}
		return byHand(p, "nothing will happen by itself: the provider does not know it, and no command of it is left. "+
			"If it shall still be paid, let the upstream send the same command again; else ask the provider by our order number.")
	}
	return Next(p)
}

// byHand ends with the command that writes down what a person found out.
func byHand(p payment.Payment, first string) string {
	return fmt.Sprintf("%s Then: payctl payment resolve %s %s --settled or --failed", first, p.Provider, p.Order)
}

func nextOfParked(p payment.Payment) string {
	reason := ""
	if p.Reason != nil {
		reason = p.Reason.Code
	}
	again := fmt.Sprintf("payctl parked release %s %s", p.Provider, p.Order)
	switch reason {
	case payment.ReasonAccountMisconfigured:
		return "the provider refuses our account: put the settings right, or ask the provider to; it is then tried again by itself, or now with: " + again
	case payment.ReasonBalance:
		return "put money into the account at the provider; it is tried again by itself, or now with: " + again
	case payment.ReasonUnreachable, payment.ReasonBreakerOpen, payment.ReasonThrottled:
		return "nothing, it is tried again by itself; if it stays so, ask the provider and try: worker --check"
	case payment.ReasonRateLimited:
		return "nothing, it is tried when the budget of calls allows it; a limit that is always reached is too low"
	}
	return "nothing: nothing was sent, and it is tried at its time; if it must not wait: " + again
}

// nextOfEnded is about a payment with an outcome, which needs nobody unless its reason speaks of other money.
func nextOfEnded(p payment.Payment) string {
	if p.Reason == nil {
		return "nothing"
	}
	switch p.Reason.Code {
	case payment.ReasonSecondReference:
		return "ask the provider whether it executed the order twice: it named a second number for it"
	case payment.ReasonPartlyReversed:
		return "ask the provider how much it took back, and tell the owner of the ledger"
	case payment.ReasonAmountMismatch:
		return "ask the provider which amount is true, and tell the owner of the ledger"
	}
	return "nothing"
}

// NextOfDeadLetter says what a person does about a dead letter with a reason. docs/operators.md has the same words.
func NextOfDeadLetter(reason events.DeadReason) string {
	if text, known := ofDeadLetters[reason]; known {
		return text
	}
	return "a newer version gave it up: look into its docs/operators.md"
}

var ofDeadLetters = map[events.DeadReason]string{
	events.DeadUndecodable:     "the upstream sends what no worker can read: it must send a right command; drop this one",
	events.DeadTooBig:          "the upstream sends more than a command may have: it must send a smaller one; drop this one",
	events.DeadInvalid:         "fix the field upstream and resend (with a new order number if `payctl payment show` says failed), then drop this one",
	events.DeadUnknownProvider: "configure the account and start workers with it, then replay; or drop it, if the name is wrong",
	events.DeadMismatch:        "the upstream must name the same provider and order in the subject and in the body; drop this one",
	events.DeadOrderReused:     "the first command under this order stands; the upstream must ask for the second under another number; drop this one",
	events.DeadTooOld:          "nobody knows any more whether it was paid: ask the provider by our order number before anybody sends it again; drop this one",
	events.DeadUnknownOrder:    "ask the provider what it is: perhaps somebody else sells under our account; replay, if the command came meanwhile",
	events.DeadBadWebhook:      "if a key was taken away too early, put it back and replay; otherwise ask the provider what it sent",
	events.DeadUnexplained:     "ask the provider what it means: it may speak of money; write down what you found, then drop this one",
	events.DeadHostile:         "somebody who can publish to our streams tries to steer the broker: find out whose key it is and revoke it; replay only what you know to be right",
	events.DeadMaxDeliveries:   "somebody gave a consumer a limit: look with `payctl streams diff`, put it back, then replay",
	events.DeadTerminated:      "somebody terminated it by hand: find out who and why, then replay",
}
