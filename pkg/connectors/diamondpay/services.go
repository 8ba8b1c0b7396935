package diamondpay

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
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

// name is how [Settings].Services names a service where the method alone could be another one.
func (s service) name() string { return s.currency + "/" + s.version + "/" + s.method }

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

// interfaces returns the pairs of currency and version that the account has, without a method, in the order of its versions.
func (s Settings) interfaces() (all []service) {
	for _, version := range s.Versions {
		for _, currency := range s.Currencies {
			if version == v1 || currency == krw {
				all = append(all, service{currency: currency, version: version})
			}
		}
	}
	return all
}

// services returns the services of the account's deposits, those of its pages first, and what is wrong with those of the
// configuration.
func (s Settings) services() (all []service, problems check.Problems) {
	for _, at := range s.interfaces() {
		for _, service := range depositServices {
			if service.currency == at.currency && service.version == at.version {
				all = append(all, service)
			}
		}
	}
	ofPages := len(all)
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		meant := s.meant(all[:ofPages], name)
		problems.Must(len(meant) == 1, "services: %.40q must be a method of one currency and version of the account: write it as KRW/v2/method", name)
		if len(meant) != 1 {
			continue
		}
		one := meant[0]
		one.id = s.Services[name]
		problems.Must(methodPattern.MatchString(one.method), "services: %.40q must be 1 to 32 lowercase letters, digits, - or _, beginning with a letter", name)
		problems.Must(servicePattern.MatchString(one.id), "services: %.40q must have a service id of 1 to 7 letters and digits", name)
		same := func(other service) bool { return other.currency == one.currency && other.method == one.method }
		i := slices.IndexFunc(all, same)
		switch {
		case i < 0:
			all = append(all, one)
		case all[i].version == one.version && i < ofPages:
			all[i] = one
		default:
			problems.Must(false, "services: %.40q occurs twice, or the method belongs to another version", name)
		}
	}
	return all, problems
}

// meant returns the services that a name of [Settings].Services can mean: a method of the pages, or else one of any
// interface of the account.
func (s Settings) meant(ofPages []service, name string) (all []service) {
	for _, service := range ofPages {
		if service.method == name {
			all = append(all, service)
		}
	}
	if len(all) > 0 {
		return all
	}
	for _, at := range s.interfaces() {
		prefix := service{currency: at.currency, version: at.version}.name()
		at.method = name
		if method, exact := strings.CutPrefix(name, prefix); exact {
			at.method = method
			return []service{at}
		}
		all = append(all, at)
	}
	if strings.Contains(name, "/") {
		return nil
	}
	return all
}

// methodsOf returns the methods of services, each once.
func methodsOf(services []service) (methods []string) {
	for _, service := range services {
		if !slices.Contains(methods, service.method) {
			methods = append(methods, service.method)
		}
	}
	return methods
}

// operations returns what the account's currencies have. Only deposits are documented for TWD (the TWD deposit page); the
// payouts of apayasia are in won.
func (s Settings) operations() []string {
	if !slices.Contains(s.Currencies, krw) {
		return []string{string(payment.Deposit)}
	}
	return []string{string(payment.Deposit), string(payment.Payout)}
}

// service returns the service of a deposit; without a method the first of the account's methods that has the currency.
func (c *Connector) service(currency, method string) (found service, ok bool) {
	for _, allowed := range c.settings.DepositMethods {
		for _, service := range c.services {
			if service.currency == currency && service.method == allowed && (method == "" || method == allowed) {
				return service, true
			}
		}
	}
	return service{}, false
}

// way returns the service of a deposit that passed [Connector.Check].
func (c *Connector) way(cmd payment.Command) service {
	found, _ := c.service(cmd.Amount.Currency, cmd.Method)
	return found
}

// Form returns what the provider's pages say that a way takes, without what could not be read back. Payouts in a currency
// other than won are on no page.
func (c *Connector) Form(op payment.Operation, method, currency string) (check.Form, bool) {
	if op == payment.Payout {
		return c.payouts, method == methodBank && currency == krw
	}
	way, ok := c.service(currency, method)
	return c.deposits[way], ok
}

// traits are the promises of the pages for a valid configuration.
func (s Settings) traits() connectors.Traits {
	t := connectors.Traits{
		Kind:              kindName,
		Account:           s.account(),
		Merchant:          s.PlatformID,
		Endpoints:         []string{s.BaseURL},
		Currencies:        s.Currencies,
		MaxOrderLength:    maxOrderV1,
		Methods:           map[payment.Operation][]string{},
		RefusesDuplicates: true, // showdoc: code 0014
		OneReference:      true, // payment_id and payout_id are the platform's numbers of the order (showdoc, order states)
		SettlingDelay:     s.SettlingDelay,

		RefusalLeavesNoOrder: s.RefusalLeavesNoOrder,
	}
	if !slices.Contains(s.Versions, v1) {
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
