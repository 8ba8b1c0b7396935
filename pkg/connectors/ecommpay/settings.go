package ecommpay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// Settings of one project at ECommPay.
type Settings struct {
	// ProjectID is the project's number. It is no secret.
	ProjectID int64 `yaml:"project_id"`
	// Secret signs our requests and verifies the provider's callbacks and answers, at least 16 bytes.
	Secret secret.Value `yaml:"secret"`
	// SecretsPrevious verify callbacks and answers too, while the secret is being changed.
	SecretsPrevious []secret.Value `yaml:"previous_secrets" was:"secrets_previous"`
	// GateURL of the Gate API; empty takes [DefaultGateURL]. https is required except on a loopback host.
	GateURL string `yaml:"base_url" was:"gate_url"`
	// PaymentPageURL of the Payment Page; empty takes [DefaultPaymentPageURL].
	PaymentPageURL string `yaml:"payment_page_url"`
	// MerchantCallbackURL is sent with each payment. Empty takes what the project's settings say.
	MerchantCallbackURL string `yaml:"callback_url" was:"merchant_callback_url"`
	// ReturnURL is where the customer's browser goes afterwards, for commands that do not say.
	ReturnURL string `yaml:"return_url"`
	// Language of the provider's pages for commands that do not say, two letters; empty takes
	// [DefaultLanguage], as the provider's own default is English (Korean banks page).
	Language string `yaml:"language"`
	// DepositMethod is the way of paying for commands that name none, see [MethodPage]; empty takes
	// MethodPage.
	DepositMethod string `yaml:"deposit_method"`
	// PageLifetime is how long the Payment Page is open to the customer of a command that has no expires_at; 0
	// takes [DefaultPageLifetime]. It is at most [MaxPageLifetime].
	PageLifetime time.Duration `yaml:"page_lifetime"`
	// SettlingDelay is how long after a request the lookup may not know the payment yet; 0 takes
	// [connectors.DefaultSettlingDelay]. It is at least [MinSettlingDelay].
	SettlingDelay time.Duration `yaml:"settling_delay"`
	// BankListCache is how long a list of banks is used before it is asked for again; 0 takes
	// [DefaultBankListCache].
	BankListCache time.Duration `yaml:"bank_list_cache"`
	// Codes changes what single error codes of create requests mean for the money, e.g. "3299": rejected. The
	// defaults are those of en_Gate__Unified_Codes, see [connectors.Meaning] for the values.
	Codes map[string]connectors.Meaning `yaml:"codes"`
	// RefusalLeavesNoOrder says that an error answer leaves no order at the provider, see [connectors.Traits].
	// Left out, it is true: "an error answer means that no operation was created" (en_Gate__Unified_Codes).
	RefusalLeavesNoOrder *bool `yaml:"refusal_leaves_no_order"`
}

// Defaults and bounds of [Settings].
const (
	DefaultGateURL        = "https://api.ecommpay.com"                 // en_gate_interaction_organisation
	DefaultPaymentPageURL = "https://paymentpage.ecommpay.com/payment" // the provider's SDKs
	DefaultLanguage       = "ko"
	// MinSettlingDelay: a payment that is asked for earlier may be reported as missing
	// (en_Gate_payment_status_request).
	MinSettlingDelay     = 10 * time.Second
	DefaultBankListCache = time.Hour
	// DefaultPageLifetime is ours: a customer who goes on the next day to pay what was ordered is rare, and what
	// the customer never pays should end some day.
	DefaultPageLifetime = 24 * time.Hour
	// MaxPageLifetime: the provider ignores a best_before that is more than 30 days away (en_PP_Parameters). One
	// hour is for a clock of the provider's that is behind ours.
	MaxPageLifetime = 30*24*time.Hour - time.Hour
	// MinPageLifetime is our own bound: below it a number without its unit is more likely than an intention.
	MinPageLifetime = time.Minute
)

// minSecret is our own bound: a short secret can be guessed from one signed message.
const minSecret = 16

var languagePattern = regexp.MustCompile(`^[a-z]{2}$`)

// validate fills the defaults and returns all problems, joined. No problem holds a secret.
func (s *Settings) validate() error {
	setDefault(&s.GateURL, DefaultGateURL)
	setDefault(&s.PaymentPageURL, DefaultPaymentPageURL)
	setDefault(&s.Language, DefaultLanguage)
	setDefault(&s.DepositMethod, MethodPage)
	setDefault(&s.SettlingDelay, connectors.DefaultSettlingDelay)
	setDefault(&s.BankListCache, DefaultBankListCache)
	setDefault(&s.PageLifetime, DefaultPageLifetime)
	if s.RefusalLeavesNoOrder == nil {
		byDefault := true
		s.RefusalLeavesNoOrder = &byDefault
	}
	var p check.Problems
	if err := connectors.ValidateMeanings(s.Codes, validCode); err != nil {
		p = append(p, err)
	}
	exists := s.Codes[codeDuplicate]
	p.Must(exists == "" || exists == connectors.MeansDuplicate || exists == connectors.MeansInDoubt,
		"codes: %s must be %s or %s: the provider has the payment", codeDuplicate, connectors.MeansDuplicate, connectors.MeansInDoubt)
	p.Must(s.ProjectID > 0, "project_id must be positive")
	p.Must(len(s.Secret.Reveal()) >= minSecret, "secret must have at least %d bytes", minSecret)
	for i, previous := range s.SecretsPrevious {
		p.Must(len(previous.Reveal()) >= minSecret, "previous_secrets[%d] must have at least %d bytes", i, minSecret)
	}
	p.Must(check.URL(s.GateURL, false) == "", "base_url %s", check.URL(s.GateURL, false))
	p.Must(check.URL(s.PaymentPageURL, false) == "", "payment_page_url %s", check.URL(s.PaymentPageURL, false))
	p.Must(s.MerchantCallbackURL == "" || check.URL(s.MerchantCallbackURL, true) == "", "callback_url %s", check.URL(s.MerchantCallbackURL, true))
	p.Must(!strings.Contains(s.MerchantCallbackURL, ";"), "callback_url must have no semicolon")
	p.Must(s.ReturnURL == "" || returnable(s.ReturnURL), "return_url must be an absolute URL without a semicolon")
	p.Must(len(s.MerchantCallbackURL) <= payment.MaxURL && len(s.ReturnURL) <= payment.MaxURL, "callback_url and return_url must have at most %d bytes", payment.MaxURL)
	p.Must(languagePattern.MatchString(s.Language), "language must be two lowercase letters")
	p.Must(slices.Contains(depositMethods, s.DepositMethod), "deposit_method must be one of %s", strings.Join(depositMethods, ", "))
	p.Must(s.SettlingDelay >= MinSettlingDelay, "settling_delay must be at least %v", MinSettlingDelay)
	p.Must(s.PageLifetime >= MinPageLifetime && s.PageLifetime <= MaxPageLifetime, "page_lifetime must be %v to %v", MinPageLifetime, MaxPageLifetime)
	p.Must(s.BankListCache > 0, "bank_list_cache must not be negative")
	return p.Err()
}

// account says which account valid settings are of. A payment that a customer confirms on the Payment Page is looked up at
// the Gate, so both belong to it.
func (s *Settings) account() string {
	return fmt.Sprintf("at %s and %s project_id %d", check.Endpoint(s.GateURL), check.Endpoint(s.PaymentPageURL), s.ProjectID)
}

func setDefault[T comparable](value *T, byDefault T) {
	var none T
	if *value == none {
		*value = byDefault
	}
}

// returnable reports whether the customer's browser can be sent to a URL of the merchant's. The
// provider's own example has a plain http one.
func returnable(text string) bool {
	return payment.ReturnURLProblem(text) == "" && !strings.Contains(text, ";")
}
