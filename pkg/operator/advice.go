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
		return byHand(p, "the provider reports another amount: ask it by our order number what moved.")
	}
	if open && p.Reason != nil {
		switch p.Reason.Code {
		case payment.ReasonSubmitLimit:
			return byHand(p, fmt.Sprintf("it reached its submit limit: ask the provider why it refuses it. To submit it once more: payctl payment retry %s %s.", p.Provider, p.Order))
		case payment.ReasonUnexplained:
			return byHand(p, "the provider reported something unknown, see the annotations: ask it by our order number.")
		}
	}
	if open && p.Reason != nil && p.Reason.Code == payment.ReasonNoInstructions {
		return byHand(p, "the customer cannot pay: ask the provider by our order number to cancel it, or to send the customer payment instructions.")
	}
	switch p.Status {
	case payment.Requested:
		return "check that workers run and are ready: no worker has started it"
	case payment.Parked:
		return nextOfParked(p)
	case payment.Submitting:
		return "nothing: if its worker does not return, it is looked up at the provider"
	case payment.InDoubt:
		return byHand(p, "nothing for an hour while it is looked up; then ask the provider by our order number. Never send it again under another number.")
	case payment.Pending:
		if p.OverdueAt.IsZero() {
			return "nothing: the provider waits for the customer or the bank; you are alerted when it is overdue"
		}
		return byHand(p, "it is overdue: ask the provider by our order number.")
	case payment.Conflict:
		if p.Reason != nil && p.Reason.Code == payment.ReasonUnreadable {
			return byHand(p, "only its order number is known: ask the upstream what it is, and the provider by our order number what it did.")
		}
		return byHand(p, "the provider contradicts a published outcome: inform the owner of the ledger and check the provider's console.")
	}
	return nextOfEnded(p)
}

// NextWithoutCommand says what a person does next about a payment whose command is neither queued nor parked. Only a payment
// that may still be sent needs one: the others are Next's.
func NextWithoutCommand(p payment.Payment) string {
	switch p.Status {
	case payment.Parked:
		return fmt.Sprintf("nothing will happen automatically: its command is gone. Check again; then let the upstream send the same command again, "+
			"which continues this payment. To cancel it instead, wait until that command is there: payctl parked cancel %s %s", p.Provider, p.Order)
	case payment.Submitting, payment.InDoubt:
		if p.NotFound == 0 {
			return "it is looked up, but not sent again automatically: its command is gone. " + Next(p)
		}
		return byHand(p, "nothing will happen automatically: the provider does not know it, and its command is gone. "+
			"To pay it, let the upstream send the same command again; otherwise ask the provider by our order number.")
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
		return "the provider refuses our account: correct the settings, or ask the provider to; it is then retried automatically, or now with: " + again
	case payment.ReasonBalance:
		return "top up the account at the provider; it is retried automatically, or now with: " + again
	case payment.ReasonUnreachable, payment.ReasonBreakerOpen, payment.ReasonThrottled:
		return "nothing: it is retried automatically; if this lasts, ask the provider and run worker --check"
	case payment.ReasonRateLimited:
		return "nothing: it is tried when the rate limit allows; raise a limit that is always reached"
	}
	return "nothing: it was not sent and is tried at its time; to try it now: " + again
}

// nextOfEnded is about a payment with an outcome, which needs no person unless its reason reports other money.
func nextOfEnded(p payment.Payment) string {
	if p.Reason == nil {
		return "nothing"
	}
	switch p.Reason.Code {
	case payment.ReasonSecondReference:
		return "ask the provider whether it executed the order twice: it reported a second reference"
	case payment.ReasonPartlyReversed:
		return "ask the provider how much it reversed, and inform the owner of the ledger"
	case payment.ReasonAmountMismatch:
		return "ask the provider which amount is right, and inform the owner of the ledger"
	}
	return "nothing"
}

// NextOfDeadLetter says what a person does about a dead letter with a reason. docs/operators.md has the same words.
func NextOfDeadLetter(reason events.DeadReason) string {
	if text, known := ofDeadLetters[reason]; known {
		return text
	}
	return "written by a newer version: see its docs/operators.md"
}

var ofDeadLetters = map[events.DeadReason]string{
	events.DeadUndecodable:     "the upstream sent an invalid command: it must send a valid one; drop this one",
	events.DeadTooBig:          "the command is too big: the upstream must send a smaller one; drop this one",
	events.DeadInvalid:         "fix the field upstream and resend (with a new order number if `payctl payment show` says failed), then drop this one",
	events.DeadUnknownProvider: "configure the provider and start workers with it, then replay; or drop it if the name is wrong",
	events.DeadMismatch:        "the upstream must use the same provider and order in the subject and in the body; drop this one",
	events.DeadOrderReused:     "the first command of this order counts; the upstream must send the second one under another order number; drop this one",
	events.DeadTooOld:          "the log no longer covers it, so it may have been paid: ask the provider by our order number before it is sent again; drop this one",
	events.DeadUnknownOrder:    "ask the provider what it is: another merchant may be using our account; replay it if the command has arrived meanwhile",
	events.DeadBadWebhook:      "if a secret was removed too early, restore it and replay; otherwise ask the provider what it sent",
	events.DeadUnexplained:     "ask the provider what it means: it may report a payment; record what you find, then drop this one",
	events.DeadHostile:         "the message has headers that give the broker orders: find out which key published it and revoke it; replay only what you have verified",
	events.DeadMaxDeliveries:   "a consumer was given a delivery limit: check `payctl streams diff`, correct it, then replay",
	events.DeadEndpoint:        "the endpoint must work again: see `payctl endpoints test`; then replay",
	events.DeadTerminated:      "it was terminated manually: find out who did it and why, then replay",
}
