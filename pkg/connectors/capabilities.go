package connectors

import (
	"context"

	"payonce/pkg/payment"
)

// Clarifier is the capability to answer a provider that wants to know more about a payment before it
// goes on ([payment.ActionClarification]).
type Clarifier interface {
	// Clarify sends the values that the provider asked for, by group and field name. It makes exactly one
	// request. The observation is Accepted: the provider took the values and goes on. Every error is a
	// classified [*Error] and speaks of this request only: it is never Rejected, because values that were
	// refused leave the payment where it was.
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
