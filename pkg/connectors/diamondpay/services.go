package diamondpay

import (
	"maps"
	"regexp"
	"slices"

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

// depositServices are those of the deposit pages; the first of an account's is its default. [Settings].Services
// changes and adds some.
var depositServices = []service{
	{krw, v1, methodATM, "SVC0026"},
	{twd, v1, methodATM, "SVC0025"},
	{krw, v2, methodCard, "SVC0015"},
	{krw, v2, methodDirect, "SVC0016"},
	{krw, v2, methodQR, "SVC0017"},
}

const payoutService = "SVC0004" // apayasia korea/api/create-withdraw

var (
	methodPattern  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	servicePattern = regexp.MustCompile(`^[A-Za-z0-9]{1,7}$`) // seven characters at most on all pages
)

// methods returns the methods that the account's deposits can have: those of its pages, then the configuration's own.
func (s Settings) methods() []string {
	var methods []string
	for _, service := range depositServices {
		if service.currency == s.Currency && service.version == s.Version {
			methods = append(methods, service.method)
		}
	}
	for _, method := range slices.Sorted(maps.Keys(s.Services)) {
		if !slices.Contains(methods, method) {
			methods = append(methods, method)
		}
	}
	return methods
}

// operationsOf returns what a currency has. Only deposits are documented for TWD (the TWD deposit page); the payouts
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
	if id, configured := c.settings.Services[method]; configured {
		return id
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
		Account:           s.account(),
		Merchant:          s.PlatformID,
		Endpoints:         []string{s.BaseURL},
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
	maxOrderV1 = 32 // the v1 deposit pages; payment-docs-aay create-withdraw-krw
	maxOrderV2 = 64 // the v2 deposit page; apayasia create-withdraw
)
