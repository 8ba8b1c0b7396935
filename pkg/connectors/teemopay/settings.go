package teemopay

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
	"payonce/pkg/connectors/signedtext"
	"payonce/pkg/secret"
)

// Settings of one account (an "application") at TeemoPay.
type Settings struct {
	// BaseURL of the gateway, e.g. "https://…-gateway.teemopay.com". https is required except on a
	// loopback host. The docs do not publish the host of the Korean production system: ask TeemoPay.
	BaseURL string `yaml:"base_url"`
	// AppCode is the application's code, at most 32 characters. It is no secret.
	AppCode string `yaml:"app_code"`
	// Country is "KR", also when empty. The payment types and the currency here are those of Korea.
	Country string `yaml:"country"`
	// PrivateKey signs our requests, see [ParsePrivateKey] for its forms.
	PrivateKey secret.Value `yaml:"private_key"`
	// PlatformPublicKeys verify the provider's callbacks, see [ParsePublicKey]. At least one; several
	// while the provider changes its key.
	PlatformPublicKeys []string `yaml:"platform_public_keys"`
	// MerchantName is shown to the paying customer, at most 64 characters.
	MerchantName string `yaml:"merchant_name"`
	// CallbackURL is sent with each deposit and payout, at most 200 characters. Empty takes what the
	// merchant's dashboard says (pay-in page). It can have a query with several parameters: the provider signs
	// what it sends there, not where, and its pages repeat the address in nothing.
	CallbackURL string `yaml:"callback_url"`
	// Codes changes the meaning of single error codes of create requests: "423": "rejected". It goes before what
	// the pages and the text say, for deposits and payouts. See [connectors.Meaning] for the meanings.
	Codes map[string]connectors.Meaning `yaml:"codes"`
	// RefusalLeavesNoOrder says that a create request that was refused with a code that no page explains left no
	// order, so that it fails when the lookup then says twice that it does not know the order, and is not sent
	// again. The pages call their codes those of a check before an order is made, but a code that is on no
	// page, and 412 and 500 that say nothing of what was done, need not be. So it is off; ask TeemoPay.
	RefusalLeavesNoOrder bool `yaml:"refusal_leaves_no_order"`
	// SettlingDelay is how long after a request the lookup may not know the order yet; 0 takes
	// [connectors.DefaultSettlingDelay].
	SettlingDelay time.Duration `yaml:"settling_delay"`
	// WebhookTolerance refuses callbacks whose timestamp is further away than this; 0, the default,
	// does not look. The docs give a window only for our requests, do not say whether a repeated
	// callback gets a new timestamp, and leave the timestamp out of the signature, so that looking
	// keeps no attacker away.
	WebhookTolerance time.Duration `yaml:"webhook_tolerance"`
}

const (
	country        = "KR"
	maxAppCode     = 32  // guides/authentication
	maxMerchant    = 64  // pay-in page
	maxCallbackURL = 200 // pay-in page
)

// keys are the parsed keys of the settings.
type keys struct {
	private  *rsa.PrivateKey
	platform []*rsa.PublicKey
}

// validate fills the defaults and returns all problems, joined. No problem holds a secret.
func (s *Settings) validate() (keys, error) {
	if s.Country == "" {
		s.Country = country
	}
	if s.SettlingDelay == 0 {
		s.SettlingDelay = connectors.DefaultSettlingDelay
	}
	var p check.Problems
	p.Must(check.URL(s.BaseURL, false) == "", "base_url %s", check.URL(s.BaseURL, false))
	p.Must(s.AppCode != "" && len(s.AppCode) <= maxAppCode && headerSafe(s.AppCode), "app_code must have 1 to %d printable characters", maxAppCode)
	p.Must(s.Country == country, "country must be %s", country)
	p.Must(strings.TrimSpace(s.MerchantName) != "" && utf8.RuneCountInString(s.MerchantName) <= maxMerchant, "merchant_name must have 1 to %d characters", maxMerchant)
	p.Must(!signedtext.HoldsField(s.MerchantName), "merchant_name %s", badText)
	p.Must(s.CallbackURL == "" || check.URL(s.CallbackURL, true) == "", "callback_url %s", check.URL(s.CallbackURL, true))
	p.Must(len(s.CallbackURL) <= maxCallbackURL, "callback_url must have at most %d characters", maxCallbackURL)
	p.Must(s.SettlingDelay > 0, "settling_delay must not be negative")
	p.Must(s.WebhookTolerance >= 0, "webhook_tolerance must not be negative")
	k, err := s.parseKeys()
	return k, errors.Join(p.Err(), connectors.ValidateMeanings(s.Codes, validCode), err)
}

// account says which account valid settings are of. The merchant's name is none of it: it is only shown to customers.
func (s *Settings) account() string {
	return fmt.Sprintf("at %s app_code %s country %s", check.Endpoint(s.BaseURL), s.AppCode, s.Country)
}

func (s *Settings) parseKeys() (k keys, err error) {
	var problems []error
	if k.private, err = ParsePrivateKey(s.PrivateKey.Reveal()); err != nil {
		problems = append(problems, fmt.Errorf("private_key: %w", err))
	} else if _, err = Sign(k.private, []byte(`{}`), "0"); err != nil {
		problems = append(problems, fmt.Errorf("private_key: %w", err))
	}
	if len(s.PlatformPublicKeys) == 0 {
		problems = append(problems, errors.New("platform_public_keys must have at least one key"))
	}
	for i, text := range s.PlatformPublicKeys {
		key, err := ParsePublicKey(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("platform_public_keys[%d]: %w", i, err))
		}
		k.platform = append(k.platform, key)
	}
	return k, errors.Join(problems...)
}

func headerSafe(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
