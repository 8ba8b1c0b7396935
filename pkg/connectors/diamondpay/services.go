package diamondpay

import (
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// The methods of deposits and payouts.
const (
	methodATM    = "atm"
	methodCard   = "card"
	methodDirect = "direct"
	methodQR     = "qr"
	methodBank   = "bank"
)

// service is one way of paying: a service_id of the provider.
type service struct {
	currency, version, method, id string
}

// depositServices are those of seeds 000 to 002; the first of an account's is its default.
var depositServices = []service{
	{krw, v1, methodATM, "SVC0026"},    // seed 000
	{twd, v1, methodATM, "SVC0025"},    // seed 002
	{krw, v2, methodCard, "SVC0015"},   // seed 001
	{krw, v2, methodDirect, "SVC0016"}, // seed 001
	{krw, v2, methodQR, "SVC0017"},     // seed 001
}

const payoutService = "SVC0004" // apayasia korea/api/create-withdraw

// methodsOf returns the methods of deposits in a currency and version.
func methodsOf(currency, version string) []string {
	var methods []string
	for _, s := range depositServices {
		if s.currency == currency && s.version == version {
			methods = append(methods, s.method)
		}
	}
	return methods
}

// operationsOf returns what a currency has. Only deposits are documented for TWD (seed 002); the payouts
// of apayasia are in won.
func operationsOf(currency string) []string {
	if currency == twd {
		return []string{string(payment.Deposit)}
	}
	return []string{string(payment.Deposit), string(payment.Payout)}
}

// serviceID returns the service of a deposit.
func (c *Connector) serviceID(method string) string {
	if method == "" {
		method = c.settings.DepositMethods[0]
	}
	for _, s := range depositServices {
		if s.currency == c.settings.Currency && s.version == c.settings.Version && s.method == method {
			return s.id
		}
	}
	return ""
}

// traits are the promises of the pages for a valid configuration.
func (s Settings) traits() connectors.Traits {
	t := connectors.Traits{
		Kind:              kindName,
		Currencies:        []string{s.Currency},
		MaxOrderLength:    maxOrderV1,
		Methods:           map[payment.Operation][]string{},
		RefusesDuplicates: true, // showdoc: code 0014
		OneReference:      true, // payment_id and payout_id are the platform's numbers of the order (showdoc, order states)
		SettlingDelay:     s.SettlingDelay,

		RefusalLeavesNoOrder: s.RefusalLeavesNoOrder,
	}
	if s.Version == v2 {
		t.MaxOrderLength = maxOrderV2
	}
	for _, name := range s.Operations {
		operation := payment.Operation(name)
		t.Operations = append(t.Operations, operation)
		t.Methods[operation] = s.DepositMethods
		if operation == payment.Payout {
			t.Methods[operation] = []string{methodBank}
		}
	}
	return t
}

// The longest order numbers. A trait holds for both operations, so an account with v1 deposits also has
// payouts of 32 characters, which every version of the payouts' page takes.
const (
	maxOrderV1 = 32 // seeds 000 and 002; payment-docs-aay create-withdraw-krw
	maxOrderV2 = 64 // seed 001; apayasia create-withdraw
)
