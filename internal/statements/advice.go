package statements

import (
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// Advice says what a person can do about a finding. It names commands that are there.
func Advice(provider string, f reconcile.Finding) string {
	// An order that we would not take can be anything, a shell's word too.
	ref := provider + " ORDER"
	if payment.ValidOrder(f.Order) {
		ref = provider + " " + f.Order
	}
	show := "payctl payment show " + ref
	resolve := "payctl payment resolve " + ref + " --settled or --failed"
	switch f.Kind {
	case reconcile.MissingHere:
		return "Ask the provider who ordered it, and check whether its command is queued or was refused: " + show + ". If the log lost events, start no worker until this is explained."
	case reconcile.MissingThere:
		return "Ask the provider, which reported it as paid, and inform the owner of the ledger: " + show
	case reconcile.PaidThere, reconcile.DeclinedThere, reconcile.ReversalThere:
		return "Inform the owner of the ledger and ask the provider to resend its callback, which makes the payment a conflict or reversed. Decide a conflict with " + resolve
	case reconcile.FinalThere:
		return finalThere(ref, resolve, f)
	case reconcile.OpenThere:
		if f.Ours != nil && f.Ours.Status == string(payment.Parked) {
			return "The log has no request for it, but the provider has it: ask the provider before it is sent again. payctl parked cancel " + ref + " stops it from being sent."
		}
		return "It may still be paid or declined there: ask the provider, and compare again tomorrow."
	case reconcile.AmountDiffers:
		return "Compare both amounts and ask the provider what moved: " + show
	case reconcile.ChargedTwice:
		return "Ask the provider to reverse all but one of them, by their reference numbers. For ours see " + show
	case reconcile.ReferenceDiffers:
		return "These may be two payments: ask the provider about both reference numbers. For ours see " + show
	case reconcile.UnreadableHere:
		return "An event of the log cannot be read, so the payment's state is unknown until an operator skips the event: " + show + ", then payctl log skip " + ref
	case reconcile.OpenHere:
		return "No action needed: it is looked up automatically. " + show
	case reconcile.Moving:
		return "Compare again later: it changed while the statement was being made."
	case reconcile.NotCovered:
		return "Compare again with a statement that includes the day before and the day after."
	}
	return "Check it in the provider's console. Map an unknown status with --statuses; for times that are not covered use an earlier --from."
}

// finalThere says how an open payment comes to its outcome.
func finalThere(ref, resolve string, f reconcile.Finding) string {
	status := ""
	if f.Ours != nil {
		status = f.Ours.Status
	}
	switch payment.Status(status) {
	case payment.InDoubt, payment.Submitting:
		return "It is looked up automatically; payctl parked release " + ref + " looks it up now, if its command is parked. If it stays in doubt, decide it with " + resolve
	case payment.Parked:
		return "The log has no request for it, but the provider has it: ask the provider before it is sent again. payctl parked cancel " + ref + " stops it from being sent."
	case payment.Pending:
		return "It is looked up automatically until the provider's threshold. If that is too late, ask the provider, then " + resolve
	}
	return "An operator must decide: ask the provider, then " + resolve
}
