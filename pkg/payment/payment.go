package payment

import (
	"time"
)

// Payment is one payment as it stands. Every event in the log carries it whole, so the last event of
// an order is the payment. It holds what a ledger needs. What the customer must be shown to pay ([Action]) can be
// personal: a log keeps the content of actions elsewhere, see [Action.Stored].
type Payment struct {
	Ref
	Operation Operation `json:"operation"`
	Status    Status    `json:"status"`
	// Revision counts the events of this payment from 1. A reader that has seen revision n can drop
	// everything up to n.
	Revision int `json:"revision"`
	// Reason says why the payment is in this status, where that is not plain.
	Reason *Reason `json:"reason,omitempty"`
	// Amount is what was asked for. It is missing only where a command was refused because of it: in
	// failed, and in what came of that: a conflict, and what a person made of it.
	Amount Money `json:"amount,omitzero"`
	// SettledAmount is what the provider says moved; it can differ from Amount.
	SettledAmount Money `json:"settled_amount,omitzero"`
	// Transfers are the single transfers that make SettledAmount, where the provider reports them one by one.
	Transfers []Transfer `json:"transfers,omitempty"`
	// Fee is what the provider says it keeps of the payment. It is missing where the provider did not tell it with the outcome, and
	// an annotation with ReasonFeeUnreadable says that it could not be read; ReasonFeeImpossible that it contradicts the amount.
	Fee Fee `json:"fee,omitzero"`
	// ProviderCompletedAt is when the payment ended by the provider's own clock and in its zone. It is missing where the provider
	// does not tell it. It says nothing about the order of events.
	ProviderCompletedAt time.Time `json:"provider_completed_at,omitzero"`
	// Evidence lists what the provider has said of a payment in conflict, each kind once, in the order of the
	// alphabet: accepted, declined, paid, partially_reversed, reversed.
	Evidence []Kind `json:"evidence,omitempty"`
	// ProviderReference is the provider's own number of this payment.
	ProviderReference string `json:"provider_reference,omitempty"`
	// Attempts counts how often it was tried to send a request to pay. One that a stopping worker withdrew,
	// because nothing had been sent, does not count.
	Attempts int `json:"attempts"`
	// ResumeAt is when a parked payment is tried again.
	ResumeAt time.Time `json:"resume_at,omitzero"`
	// Action is what the customer must do now.
	Action *Action `json:"action,omitempty"`
	// WithheldAction is what the provider would have the customer do while the payment is in doubt about its amount.
	// It is for the people who decide, and must not be shown to the customer.
	WithheldAction *Action `json:"withheld_action,omitempty"`
	// PageClosesAt is until when the customer can confirm the payment on the provider's page, where the link to
	// it was made here and nothing was sent. See [Payment.AwaitsPage].
	PageClosesAt time.Time `json:"page_closes_at,omitzero"`
	// SubmittedAt is when the last attempt began.
	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	// FirstSubmittedAt is when the first request began that may have reached the provider. The age of a doubt, the
	// threshold at which a payment is overdue and their metrics count from it, however often the payment is sent again.
	FirstSubmittedAt time.Time `json:"first_submitted_at,omitzero"`
	// Submits counts the requests to pay that may have reached the provider. One that is proven not to have
	// been executed does not count. Workers send no more than their configured limit by themselves.
	Submits int `json:"submits,omitempty"`
	// RetryApproved is true while a named person lets a payment be sent once more that has reached that limit.
	RetryApproved bool `json:"retry_approved,omitempty"`
	// Refused is true, in doubt, when the provider answered the only request that may have reached it with a refusal
	// that its documents do not explain. It proves nothing by itself. A refusal of a later request says nothing of
	// the earlier ones.
	Refused bool `json:"refused,omitempty"`
	// Annotations are what the provider said of the payment that changes no status, because it cannot be
	// mapped to one: the last [MaxAnnotations], oldest first. See [Payment.Unexplained].
	Annotations []Annotation `json:"annotations,omitempty"`
	// Known is true once the provider has spoken of this payment. From then on its "I do not know this
	// order" is not believed any more, and the order is never sent again.
	Known bool `json:"known,omitempty"`
	// NotFound counts the provider's answers "I do not know this order" since the last attempt that
	// were given late enough to be believed, or since the customer's page closed; NotFoundAt is when the last of them came.
	NotFound   int       `json:"not_found,omitempty"`
	NotFoundAt time.Time `json:"not_found_at,omitzero"`
	// OverdueAt is when a person was told last that the payment has been open for too long. It is zero
	// until then, and again when the payment is open no more.
	OverdueAt time.Time `json:"overdue_at,omitzero"`
	// Fingerprint of the command, so that another command under the same order is noticed even when
	// Redis has forgotten the first.
	Fingerprint string    `json:"fingerprint,omitempty"`
	RequestedAt time.Time `json:"requested_at,omitzero"`
	UpdatedAt   time.Time `json:"updated_at"`
	// Upstream is the service that asked for the payment. It is empty for one that was asked for before versions knew
	// upstreams, or with payctl: every API key of its provider may see it.
	Upstream string            `json:"upstream,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// OpenSince is when the payment was sent first, however often it was sent again. One that came back to life from
// parked was never sent by us, and an event of an older version knows the last time only.
func (p Payment) OpenSince() time.Time {
	for _, at := range []time.Time{p.FirstSubmittedAt, p.SubmittedAt} {
		if !at.IsZero() {
			return at
		}
	}
	return p.UpdatedAt
}

// AsStored returns the payment with what its last event says of now moved to when the broker stored that event, if that is
// later. Its writer can have been suspended, with its clocks, before it wrote: a request that began later than is written
// would be given up too early. FirstSubmittedAt stays: alarms that come earlier do no harm.
func (p Payment) AsStored(at time.Time) Payment {
	if !at.After(p.UpdatedAt) {
		return p
	}
	written := p.UpdatedAt
	for _, t := range []*time.Time{&p.SubmittedAt, &p.NotFoundAt} {
		if t.Equal(written) {
			*t = at.UTC()
		}
	}
	return p
}

// Requests returns how many requests to pay may have reached the provider. Where that is in doubt and no
// [Payment.Submits] were counted, each attempt may have been one: in an event of an older version, and of a payment
// that was parked while another worker did not know its request's result.
func (p Payment) Requests() int {
	if p.Submits == 0 && p.FirstSubmittedAt.IsZero() && (p.Status == Submitting || p.Status == InDoubt) {
		return p.Attempts
	}
	return p.Submits
}

// New returns the payment that a command asks for, in status [Requested]. It is not in the log yet.
// Metadata that Validate refuses is left out, so that the event of a refused command keeps its schema.
func New(c Command) Payment {
	p := Payment{
		Ref: c.Ref, Operation: c.Operation, Status: Requested, Amount: c.Amount,
		Fingerprint: c.Fingerprint(), RequestedAt: c.RequestedAt.UTC(), UpdatedAt: c.RequestedAt.UTC(), Upstream: c.Upstream,
	}
	if metadataProblem(c.Metadata) == "" {
		p.Metadata = c.Metadata
	}
	return p
}

// Reason says why a payment has its status. Code is one of the Reason… constants; a provider's
// own code and text are in ProviderCode and Message.
type Reason struct {
	Code         string `json:"code"`
	ProviderCode string `json:"provider_code,omitempty"` // as the provider wrote it, e.g. "426"
	Message      string `json:"message,omitempty"`       // for people; without personal data and secrets
	By           string `json:"by,omitempty"`            // who decided, where a person did
}

// Line returns the reason in a line for people: the code, the provider's own code, who decided, and the message; "" of none.
func (r *Reason) Line() string {
	if r == nil {
		return ""
	}
	text := r.Code
	if r.ProviderCode != "" {
		text += " (" + r.ProviderCode + ")"
	}
	if r.By != "" {
		text += " by " + r.By
	}
	if r.Message != "" {
		text += ": " + r.Message
	}
	return text
}

// The reason codes. They are on the wire and only ever added to.
const (
	ReasonDeclined             = "declined"              // the provider refused this payment, see provider_code
	ReasonUnreachable          = "provider_unreachable"  // no byte of the request could be sent
	ReasonThrottled            = "throttled"             // the provider asks to come back later
	ReasonClosed               = "provider_closed"       // outside the provider's opening hours
	ReasonBalance              = "low_balance"           // the merchant's balance at the provider is too low
	ReasonAccountMisconfigured = "account_misconfigured" // the provider refuses our account and not this payment, see provider_code
	ReasonNotExecuted          = "not_executed"          // nothing was executed, without a reason
	ReasonBreakerOpen          = "breaker_open"          // the provider was not available to other payments: it is left in peace for a while
	ReasonRateLimited          = "rate_limited"          // the budget of calls to the provider is used up for long
	ReasonGaveUp               = "gave_up"               // nothing could be executed within the configured time
	ReasonStopping             = "worker_stopping"       // the worker stopped before anything was sent
	ReasonNoAnswer             = "no_answer"             // a request was made, no usable answer came
	ReasonIndeterminate        = "indeterminate_answer"  // an answer came that is not documented
	ReasonInterrupted          = "interrupted"           // a worker ended between the request and its result
	ReasonNotFound             = "provider_unknown"      // the provider says it does not know the order
	ReasonNoInstructions       = "no_instructions"       // the provider took the deposit, and its answer does not say how the customer can pay
	ReasonAmountMismatch       = "amount_mismatch"       // the provider reports another amount
	ReasonContradiction        = "contradiction"         // the provider says the opposite of the outcome
	ReasonExtraTransfer        = "extra_transfer"        // more money arrived after the outcome
	ReasonReversed             = "reversed"              // the provider took the payment back
	ReasonExpired              = "expired"               // the command's expires_at passed before anything was sent
	ReasonAbandoned            = "abandoned"             // the customer's page closed, and long after the provider said twice that it does not know the order
	ReasonInvalid              = "invalid_command"       // the command cannot be executed as it is
	ReasonResolvedByPerson     = "resolved_manually"     // a named person decided, see by and message
	ReasonReleased             = "released"              // a named person let it be tried before its time, see by and message
	ReasonCancelled            = "cancelled"             // a named person gave it up before anything was sent, see by and message
	ReasonSecondReference      = "second_reference"      // the provider has a second number for the order: perhaps two payments
	ReasonPartlyReversed       = "partly_reversed"       // the provider took part of the payment back
	ReasonReversalOfUnknown    = "settled_by_reversal"   // a reversal proved that the payment had settled
	ReasonUnexplained          = "unexplained_evidence"  // the provider said something that cannot be mapped, and a look-up did not explain it
	ReasonSubmitLimit          = "submit_limit"          // sent as often as configured, and the provider does not know the order: only a person sends it again
	ReasonRetryApproved        = "retry_approved"        // a named person lets it be sent once more, see by and message
	ReasonUnreadable           = "unreadable_event"      // an event of the log could not be read, and a named person stepped over it, see by and message
	ReasonOverdue              = "overdue"               // still pending after the longest time that the provider needs
	ReasonFeeUnreadable        = "fee_unreadable"        // of an annotation: the provider told a fee that cannot be read, so there is none
	ReasonFeeImpossible        = "fee_impossible"        // of an annotation: the fee is less than zero, more than the payment, or in another currency
	ReasonCompletionUnreadable = "completion_unreadable" // of an annotation: the provider told a time of completion that cannot be read
	ReasonReferenceUnreadable  = "reference_unreadable"  // of an annotation: the provider told a number of its own that cannot be kept
)

// ReversalPending reports whether the provider said that the payment was reversed, and only the first of the two events of that
// is written: the one that settles it.
func (p Payment) ReversalPending() bool {
	return p.Status == Settled && p.Reason != nil && p.Reason.Code == ReasonReversalOfUnknown
}

// Transfer is one transfer of money that belongs to a payment.
type Transfer struct {
	Reference string `json:"reference"` // the provider's number of this transfer
	Amount    Money  `json:"amount"`
	Fee       Fee    `json:"fee,omitzero"` // what the provider says it keeps of this transfer, where it tells that
}

// same reports whether two transfers move the same money. Their fees are not compared: a fee can be told later.
func (t Transfer) same(u Transfer) bool { return t.Reference == u.Reference && t.Amount == u.Amount }
