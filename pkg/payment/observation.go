package payment

import "time"

// Kind says what was learned or decided about a payment. Its text is used in docs and metrics.
type Kind string

// The kinds of observations.
const (
	// Intend: a worker is about to send the request. Only the worker that appends the result may send it.
	Intend Kind = "intend"
	// Park: it was decided, before any request, to try later.
	Park Kind = "park"
	// Refuse: it was decided, before any request, never to try (expired, invalid, cancelled).
	Refuse Kind = "refuse"
	// NotExecuted: a request was tried and it is proven that nothing was executed.
	NotExecuted Kind = "not_executed"
	// Indeterminate: a request was made or an answer came, and its meaning is not known.
	Indeterminate Kind = "indeterminate"
	// Accepted: the provider has the payment and has not finished it.
	Accepted Kind = "accepted"
	// Paid: the provider says money moved.
	Paid Kind = "paid"
	// Declined: the provider says no money moved and none will.
	Declined Kind = "declined"
	// Unknown: asked by our order number, the provider says it does not know the order.
	Unknown Kind = "unknown"
	// Reversal: the provider says a settled payment was refunded, reversed or charged back.
	Reversal Kind = "reversed"
	// PartialReversal: the provider says that part of a settled payment was refunded, reversed or charged back.
	PartialReversal Kind = "partially_reversed"
	// Overdue: it was decided that a person must look at an open payment: right after the provider was asked,
	// because it has been open for longer than its provider needs, or for the Reason of the observation. The
	// person is told; nothing else changes.
	Overdue Kind = "overdue"
	// ApproveRetry: a named person lets a payment in doubt be sent once more that its provider does not know.
	ApproveRetry Kind = "approve_retry"
	// ManuallySettled: a named person decided, with a reason, that money moved.
	ManuallySettled Kind = "manually_settled"
	// ManuallyFailed: a named person decided, with a reason, that no money moved and none will.
	ManuallyFailed Kind = "manually_failed"
)

// Source says where an observation comes from. All sources take the same way into the log.
type Source string

// The sources.
const (
	FromWorker    Source = "worker"
	FromSubmit    Source = "submit"
	FromWebhook   Source = "webhook"
	FromLookup    Source = "lookup"
	FromStatement Source = "statement"
	FromPerson    Source = "person"
)

// Observation is what was learned about one payment at one time. Connectors make them from replies and
// webhooks, the worker from its own decisions, people by command.
type Observation struct {
	Kind   Kind
	Source Source
	Reason *Reason
	// Reference is the provider's number of the payment.
	Reference string
	// OneReference says that the provider has one number for an order, for ever: another one is another
	// payment.
	OneReference bool
	// Amount is the ordered amount as the provider echoes it; zero when it does not.
	Amount Money
	// AmountTolerance is by how many minor units Amount may differ from what was ordered and still be this order's,
	// for a provider that puts a little on or off an amount to distinguish transfers. 0 allows no difference.
	AmountTolerance int64
	// SettledAmount is what moved, for Paid; zero takes the ordered amount.
	SettledAmount Money
	// Transfers are the single transfers, for Paid, where the provider reports them one by one.
	Transfers []Transfer
	// Report is what ledgers book beside the amount, for Paid and Declined.
	Report Report
	// Action is what the customer must do, for Accepted.
	Action *Action
	// PageClosesAt says, for Accepted, that nothing was sent: the action is the link to a page of the provider's,
	// made here, and this is until when the customer can confirm the payment there. It is zero where the
	// provider itself accepted the payment, and where its page does not close.
	PageClosesAt time.Time
	// ActionDone is the action that was done, for Accepted without an Action. The payment forgets it,
	// unless it asks for another one by now.
	ActionDone *Action
	// ResumeAt is when to try again, for Park and NotExecuted.
	ResumeAt time.Time
	// Attempt is the attempt that a submit's result belongs to, for observations FromSubmit; a late
	// result of an earlier attempt says nothing about the attempt under way.
	Attempt int
	// Withdrawn says, for NotExecuted FromSubmit, that our own stop cut the attempt short before anything was
	// sent: it does not count.
	Withdrawn bool
	// Known says that the provider showed that it has the order, for Indeterminate (a duplicate refused, an
	// undocumented status). A webhook shows that without it.
	Known bool
	// Refused says, for Indeterminate FromSubmit, that the answer was a refusal by a code that no page gives a meaning.
	Refused bool
	// Settling is how long after a request the provider may still not know an order that it has, for
	// Unknown. An Unknown before that is not believed. It must be longer than a request can be under
	// way.
	Settling time.Duration
	// PageGrace is how long after a page closed the provider may still not know an order that was confirmed
	// there, for Unknown FromLookup. An Unknown that was asked for before that is not believed; 0 believes none.
	PageGrace time.Duration
}
