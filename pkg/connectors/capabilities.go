package connectors

import (
	"context"
	"time"

	"payonce/pkg/payment"
)

// Clarifier is the capability to answer a provider that wants to know more about a payment before it
// goes on ([payment.ActionClarification]).
type Clarifier interface {
	// Clarify sends the values that the provider asked for, by group and field name. It makes exactly one
	// request. The observation is Accepted: the provider took the values and goes on. Every error is a
	// classified [*Error] and is about this request only: it is never Rejected, because values that were
	// refused leave the payment where it was. Such a refusal is NotSent with payment.ReasonInvalid.
	Clarify(ctx context.Context, q Query, fields map[string]map[string]string) (payment.Observation, error)
}

// BankLister is the capability to ask a provider for the banks it serves at the moment.
type BankLister interface {
	// Banks returns the banks for an operation in the provider's order. It may answer from memory, and it
	// makes at most one request. The caller must not change the list.
	Banks(ctx context.Context, op payment.Operation) ([]Bank, error)
}

// Bank is a bank as a provider knows it.
type Bank struct {
	Code       string // the provider's own, fit for [payment.Account.BankCode]
	Name       string // in English
	NativeName string // in the country's language, empty where the provider does not give it
}

// Balancer is the capability to ask a provider what the merchant's account there holds.
type Balancer interface {
	// Balance returns one entry for each currency of the account. It makes exactly one request.
	Balance(ctx context.Context) ([]Balance, error)
}

// Balance is what the merchant's account at a provider holds in one currency.
type Balance struct {
	Currency  string        // ISO 4217
	Available payment.Money // can be paid out now
	Frozen    payment.Money // is there and cannot be paid out yet
}

// StatementReader is the capability to read a provider's records, to compare them with the log.
type StatementReader interface {
	// Statement returns one page of the payments of an operation that the provider made between from and
	// to, both included, in the provider's order. cursor is empty for the first page and else the next of
	// the page before; next is empty after the last page. It makes exactly one request. An error says
	// that nothing was learned.
	Statement(ctx context.Context, from, to time.Time, op payment.Operation, cursor string) (lines []StatementLine, next string, err error)
}

// StatementLine is one payment in a provider's records.
type StatementLine struct {
	Order       string // as the provider has it; it can be one that we never made
	Operation   payment.Operation
	CreatedAt   time.Time
	CompletedAt time.Time // zero where the provider gives none
	// Observation is what the line says about the payment, FromStatement.
	Observation payment.Observation
}

// Clock is the capability to ask a provider's server for its time. Some providers refuse requests whose
// timestamp is too far from theirs, and webhooks carry their times.
type Clock interface {
	// Time returns the time of the provider's server, in whole seconds. It makes exactly one request, which
	// carries no credentials and asks for nothing that could be executed. An error says that nothing was
	// learned.
	Time(ctx context.Context) (time.Time, error)
}
