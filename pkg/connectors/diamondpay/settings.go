package diamondpay

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// Settings of one account (a "platform") at Diamond Pay.
type Settings struct {
	// BaseURL of the gateway; the provider names it to each merchant. https is required except on a
	// loopback host.
	BaseURL string `yaml:"base_url"`
	// PlatformID is the merchant's number, e.g. "PF0002". It is no secret.
	PlatformID string `yaml:"platform_id"`
	// Secret signs requests and verifies what the provider signs; at least 16 bytes.
	Secret secret.Value `yaml:"secret"`
	// PreviousSecrets still verify what the provider signs, while the secret is changed.
	PreviousSecrets []secret.Value `yaml:"previous_secrets"`
	// SignType is "MD5" or "HMAC-SHA256". The provider wants to end MD5 (apayasia). With HMAC-SHA256
	// nothing that is signed with MD5 is believed any more, also of older orders.
	SignType string `yaml:"sign_type"`
	// Authorization is the platform's token for lookups and balances (showdoc). Without it none is sent,
	// and the provider answers them with code 0005. The provider makes it, and no page says how long it is.
	Authorization secret.Value `yaml:"authorization" length:"any"`
	// Currency is "KRW" or "TWD", and Currencies are several, the default first: one of the two is given. Both
	// currencies of a platform have one space of order numbers.
	Currency   string   `yaml:"currency"`
	Currencies []string `yaml:"currencies"`
	// Version of the API for deposits, lookups of deposits, and balances: "v1" or "v2"; Versions are several, the default
	// first. The method of a command chooses among them. TWD has only v1.
	Version  string   `yaml:"version"`
	Versions []string `yaml:"versions"`
	// PayoutQueryVersion is the version for lookups of payouts; empty takes "v2", with which they are
	// created.
	PayoutQueryVersion string `yaml:"payout_query_version"`
	// Operations of the account: "deposit", "payout"; empty takes all that the currency has. No page
	// describes payouts in TWD.
	Operations []string `yaml:"operations"`
	// DepositMethods that the account may use, the default first; empty takes all of the version: v1
	// "atm", v2 "card", "direct", "qr".
	DepositMethods []string `yaml:"deposit_methods"`
	// Services are the service ids of deposits by method, where the account has others than the pages name, or
	// more: atm: "SVC0026". A method that is not among those of the version is added to them. Where it could be of
	// several currencies or versions it is written with them: KRW/v2/wallet.
	Services map[string]string `yaml:"services"`
	// PayoutService is the service id of payouts; empty takes "SVC0004".
	PayoutService string `yaml:"payout_service"`
	// NotifyURL receives the notifications of deposits, at most 256 characters.
	NotifyURL string `yaml:"callback_url" was:"notify_url"`
	// PayoutNotifyURL receives those of payouts; empty sends none, and payouts are then looked up.
	PayoutNotifyURL string `yaml:"payout_callback_url" was:"payout_notify_url"`
	// AllowPlainCallbacks lets the callback URLs begin with http://. The pages take both; an http notification
	// can be read on its way, and not be changed, because it is signed.
	AllowPlainCallbacks bool `yaml:"allow_plain_callbacks"`
	// BankCodes maps an upstream's bank code to the provider's, e.g. "004": "KBSTAR_KR". A code that is
	// not in it is sent as it is, because the provider's whole list is not published.
	BankCodes map[string]string `yaml:"bank_codes"`
	// DepositStatuses and PayoutStatuses change the meaning of single statuses: "2": "paid". Meanings are
	// "pending", "paid", "failed" and "indeterminate". Very old documents call payout status 2 a success; the
	// default is 3.
	DepositStatuses map[string]string `yaml:"deposit_statuses"`
	PayoutStatuses  map[string]string `yaml:"payout_statuses"`
	// Codes changes the meaning of single error codes of create requests, which is an assumption:
	// "0011": "rejected". See [connectors.Meaning].
	Codes map[string]connectors.Meaning `yaml:"codes"`
	// RefusalLeavesNoOrder says that a create request that was refused by a code of unknown meaning, without
	// data, made no order. No page says so, so the default is false; set it when the provider confirmed it.
	// See [connectors.Traits].
	RefusalLeavesNoOrder bool `yaml:"refusal_leaves_no_order"`
	// MaxAmountDifference is by how much the amount of a deposit that the provider names may differ from the
	// ordered one, in whole won or dollars; 0 allows none. The example of the v2 deposit page answers with
	// another amount than its request has. Within the difference the customer is told to transfer the
	// provider's amount, and what arrives is settled; beyond it the payment is in doubt.
	MaxAmountDifference int64 `yaml:"max_amount_difference"`
	// AllowPlainLinks lets customers be sent to http:// pages. The examples of the KRW v1 and TWD deposit pages
	// have such links; an attacker who changes one on the way changes the account that the customer pays to.
	AllowPlainLinks bool `yaml:"allow_plain_links"`
	// SettlingDelay is how long after a request the lookup may not know the order yet; 0 takes
	// [connectors.DefaultSettlingDelay].
	SettlingDelay time.Duration `yaml:"settling_delay"`
}

const (
	minSecret    = 16  // the length of the published test key
	maxNotifyURL = 256 // the deposit pages
	v1, v2       = "v1", "v2"
	krw, twd     = "KRW", "TWD"
)

// platformPattern: the v1 deposit pages give 7 characters, the v2 deposit page gives 6.
var platformPattern = regexp.MustCompile(`^[A-Za-z0-9]{1,7}$`)

// validate fills the defaults and returns all problems, joined. No problem holds a secret.
func (s *Settings) validate() error {
	if s.SettlingDelay == 0 {
		s.SettlingDelay = connectors.DefaultSettlingDelay
	}
	if s.PayoutQueryVersion == "" {
		s.PayoutQueryVersion = v2
	}
	var p check.Problems
	p.Must(check.URL(s.BaseURL, false) == "", "base_url %s", check.URL(s.BaseURL, false))
	p.Must(platformPattern.MatchString(s.PlatformID), "platform_id must have 1 to 7 letters and digits")
	s.validateInterfaces(&p)
	p.Must(s.PayoutQueryVersion == v1 || s.PayoutQueryVersion == v2, "payout_query_version must be v1 or v2")
	p.Must(s.SettlingDelay > 0, "settling_delay must not be negative")
	p.Must(s.MaxAmountDifference >= 0 && s.MaxAmountDifference <= maxUnits/perWon, "max_amount_difference must be 0 to %d", maxUnits/perWon)
	s.validateSecrets(&p)
	s.validateServices(&p)
	validateStatuses(&p, "deposit_statuses", s.DepositStatuses)
	validateStatuses(&p, "payout_statuses", s.PayoutStatuses)
	if err := connectors.ValidateMeanings(s.Codes, isErrorCode); err != nil {
		p = append(p, err)
	}
	for _, name := range slices.Sorted(maps.Keys(s.BankCodes)) {
		code := s.BankCodes[name]
		p.Must(code != "" && len(code) <= maxBankCode, "bank_codes: %.16q must map to a code of 1 to %d characters", name, maxBankCode)
	}
	return p.Err()
}

// account says which account valid settings are of. The versions belong to it, because orders are looked up by them and no
// page says that one version knows the orders of the other.
func (s *Settings) account() string {
	return fmt.Sprintf("at %s platform_id %s currency %s version %s payout_query_version %s",
		check.Endpoint(s.BaseURL), s.PlatformID, listed(s.Currencies), listed(s.Versions), s.PayoutQueryVersion)
}

// listed writes a list in an order that does not depend on which is the default.
func listed(values []string) string {
	return strings.Join(slices.Sorted(slices.Values(values)), ",")
}

// validateInterfaces makes lists of what is given alone.
func (s *Settings) validateInterfaces(p *check.Problems) {
	one := func(key, list, value string, values *[]string, allowed ...string) {
		p.Must(value == "" || len(*values) == 0, "%s must be left out beside %s", key, list)
		if value != "" {
			*values = []string{value}
		} else if len(*values) > 0 {
			key = list
		}
		ok := len(*values) > 0
		for i, value := range *values {
			ok = ok && slices.Contains(allowed, value) && !slices.Contains((*values)[:i], value)
		}
		p.Must(ok, "%s must be %s", key, strings.Join(allowed, " or "))
	}
	one("currency", "currencies", s.Currency, &s.Currencies, krw, twd)
	one("version", "versions", s.Version, &s.Versions, v1, v2)
	key := "version"
	if s.Version == "" {
		key = "versions"
	}
	has := func(version string) bool { return slices.Contains(s.Versions, version) }
	p.Must((!has(v2) || slices.Contains(s.Currencies, krw)) && (has(v1) || !slices.Contains(s.Currencies, twd)), "%s must be v1, or v2 for KRW", key)
}

func (s *Settings) validateSecrets(p *check.Problems) {
	p.Must(s.SignType == MD5 || s.SignType == HMACSHA256, "sign_type must be %s or %s", MD5, HMACSHA256)
	p.Must(len(s.Secret.Reveal()) >= minSecret, "secret must have at least %d bytes", minSecret)
	for i, previous := range s.PreviousSecrets {
		p.Must(len(previous.Reveal()) >= minSecret, "previous_secrets[%d] must have at least %d bytes", i, minSecret)
	}
	token := s.Authorization.Reveal()
	p.Must(!strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }), "authorization must have printable characters only")
}

// validateServices checks what the account can do, and where it is notified of it.
func (s *Settings) validateServices(p *check.Problems) {
	services, problems := s.services()
	*p = append(*p, problems...)
	if s.PayoutService == "" {
		s.PayoutService = payoutService
	}
	p.Must(servicePattern.MatchString(s.PayoutService), "payout_service must have 1 to 7 letters and digits")
	possible := methodsOf(services)
	if len(s.DepositMethods) == 0 {
		s.DepositMethods = possible
	}
	for i, method := range s.DepositMethods {
		ok := slices.Contains(possible, method) && !slices.Contains(s.DepositMethods[:i], method)
		p.Must(ok, "deposit_methods[%d] must be one of %s, once", i, strings.Join(possible, ", "))
	}
	operations := s.operations()
	if len(s.Operations) == 0 {
		s.Operations = operations
	}
	for i, operation := range s.Operations {
		ok := slices.Contains(operations, operation) && !slices.Contains(s.Operations[:i], operation)
		p.Must(ok, "operations[%d] must be one of %s, once", i, strings.Join(operations, ", "))
	}
	s.mustNotify(p, "callback_url", s.NotifyURL)
	s.mustNotify(p, "payout_callback_url", s.PayoutNotifyURL)
	deposits := slices.Contains(s.Operations, string(payment.Deposit))
	p.Must(!deposits || s.NotifyURL != "", "callback_url is required for deposits")
}

func (s *Settings) mustNotify(p *check.Problems, key, address string) {
	secured := address
	if plain, isPlain := strings.CutPrefix(address, "http://"); isPlain && s.AllowPlainCallbacks {
		secured = "https://" + plain
	}
	p.Must(address == "" || check.URL(secured, true) == "", "%s %s", key, check.URL(secured, true))
	p.Must(len(address) <= maxNotifyURL, "%s must have at most %d characters", key, maxNotifyURL)
}

// validateStatuses checks a table that changes the meaning of statuses.
func validateStatuses(p *check.Problems, key string, table map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		meaning := table[name]
		p.Must(statusPattern.MatchString(name), "%s: %.16q is not the provider's way of writing one", key, name)
		p.Must(slices.Contains(statusMeanings, meaning), "%s: %.16q must be one of %s", key, name, strings.Join(statusMeanings, ", "))
	}
}
