package diamondpay_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/secret"
)

func TestSettings(t *testing.T) {
	try := func(a account, f func(*diamondpay.Settings)) error {
		_, err := diamondpay.New("diamondpay", with(a, f)("https://gateway.example.com/kr/"), httpcall.NewClient(httpcall.Options{}), clock)
		return err
	}
	for _, a := range []account{krwV1, krwV2, twd, hmacOf(krwV1)} {
		if err := try(a, func(s *diamondpay.Settings) { s.Authorization = secret.Value{} }); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []func(*diamondpay.Settings){
		func(s *diamondpay.Settings) {
			s.AllowPlainCallbacks, s.NotifyURL, s.PayoutNotifyURL = true, "http://example.com/n", "http://example.com/n?a=1"
		},
		func(s *diamondpay.Settings) {
			s.Services, s.DepositMethods = map[string]string{"phone": "SVC0009"}, []string{"phone", "atm"}
		},
		func(s *diamondpay.Settings) { s.MaxAmountDifference = 99_999_999 },
	} {
		if err := try(krwV1, f); err != nil {
			t.Error(err)
		}
	}
	bad := []struct {
		want string
		f    func(*diamondpay.Settings)
	}{
		{"base_url must be", func(s *diamondpay.Settings) { s.BaseURL = "gateway" }},
		{"base_url must begin", func(s *diamondpay.Settings) { s.BaseURL = "http://gateway.example.com" }},
		{"base_url must have no", func(s *diamondpay.Settings) { s.BaseURL = "https://gateway.example.com/?a=1" }},
		{"platform_id", func(s *diamondpay.Settings) { s.PlatformID = "PF000002" }},
		{"platform_id", func(s *diamondpay.Settings) { s.PlatformID = "" }},
		{"secret must have at least 16", func(s *diamondpay.Settings) { s.Secret = secret.New(strings.Repeat("x", 15)) }},
		{"secret must have at least 16", func(s *diamondpay.Settings) { s.Secret = secret.Value{} }},
		{"previous_secrets[1]", func(s *diamondpay.Settings) { s.PreviousSecrets = append(s.PreviousSecrets, secret.Value{}) }},
		{"authorization", func(s *diamondpay.Settings) { s.Authorization = secret.New("a\r\nb") }},
		{"sign_type", func(s *diamondpay.Settings) { s.SignType = "" }},
		{"sign_type", func(s *diamondpay.Settings) { s.SignType = "md5" }},
		{"currency", func(s *diamondpay.Settings) { s.Currency = "CNY" }},
		{"version", func(s *diamondpay.Settings) { s.Version = "" }},
		{"version must be", func(s *diamondpay.Settings) { s.Currency, s.Version = "TWD", "v2" }},
		{"payout_query_version", func(s *diamondpay.Settings) { s.PayoutQueryVersion = "v3" }},
		{"operations[0]", func(s *diamondpay.Settings) { s.Operations = []string{"refund"} }},
		{"operations[1]", func(s *diamondpay.Settings) { s.Operations = []string{"payout", "payout"} }},
		{"operations[0]", func(s *diamondpay.Settings) { s.Currency, s.Operations = "TWD", []string{"payout"} }},
		{"deposit_methods[0]", func(s *diamondpay.Settings) { s.DepositMethods = []string{"card"} }},
		{"deposit_methods[1]", func(s *diamondpay.Settings) { s.DepositMethods = []string{"atm", "atm"} }},
		{"callback_url is required", func(s *diamondpay.Settings) { s.NotifyURL = "" }},
		{"callback_url must begin", func(s *diamondpay.Settings) { s.NotifyURL = "http://example.com" }},
		{"callback_url must have at most", func(s *diamondpay.Settings) { s.NotifyURL = "https://example.com/" + strings.Repeat("x", 256) }},
		{"payout_callback_url must begin", func(s *diamondpay.Settings) { s.PayoutNotifyURL = "http://example.com" }},
		{"bank_codes", func(s *diamondpay.Settings) { s.BankCodes = map[string]string{"004": ""} }},
		{"bank_codes", func(s *diamondpay.Settings) { s.BankCodes = map[string]string{"004": strings.Repeat("B", 17)} }},
		{"deposit_statuses", func(s *diamondpay.Settings) { s.DepositStatuses = map[string]string{"02": "paid"} }},
		{"deposit_statuses", func(s *diamondpay.Settings) { s.DepositStatuses = map[string]string{"2": "success"} }},
		{"payout_statuses", func(s *diamondpay.Settings) { s.PayoutStatuses = map[string]string{"paid": "2"} }},
		{"codes", func(s *diamondpay.Settings) { s.Codes = map[string]connectors.Meaning{"0014": "ok"} }},
		{"codes", func(s *diamondpay.Settings) { s.Codes = map[string]connectors.Meaning{"14": "rejected"} }},
		{`codes: "0000" is not`, func(s *diamondpay.Settings) { s.Codes = map[string]connectors.Meaning{"0000": "rejected"} }},
		{"max_amount_difference", func(s *diamondpay.Settings) { s.MaxAmountDifference = -1 }},
		{"max_amount_difference", func(s *diamondpay.Settings) { s.MaxAmountDifference = 100_000_000 }},
		{"callback_url must be", func(s *diamondpay.Settings) { s.NotifyURL, s.AllowPlainCallbacks = "ftp://example.com", true }},
		{"callback_url must have no", func(s *diamondpay.Settings) { s.NotifyURL, s.AllowPlainCallbacks = "http://a@example.com", true }},
		{"services", func(s *diamondpay.Settings) { s.Services = map[string]string{"atm": ""} }},
		{"services", func(s *diamondpay.Settings) { s.Services = map[string]string{"atm": "SVC00026"} }},
		{"services", func(s *diamondpay.Settings) { s.Services = map[string]string{"": "SVC0026"} }},
		{"services", func(s *diamondpay.Settings) { s.Services = map[string]string{"a method": "SVC0026"} }},
		{"payout_service", func(s *diamondpay.Settings) { s.PayoutService = "SVC 004" }},
		{"settling_delay", func(s *diamondpay.Settings) { s.SettlingDelay = -1 }},
	}
	for _, b := range bad {
		if err := try(krwV1, b.f); err == nil || !strings.Contains(err.Error(), b.want) {
			t.Errorf("%s: got %v", b.want, err)
		}
	}
	err := try(krwV1, func(s *diamondpay.Settings) {
		s.Codes = map[string]connectors.Meaning{"0014": "ok", "14": "rejected", "0000": "paid", "0011": "misconfigured"}
	})
	for _, problem := range []string{`"0000" is not`, `"14" is not`, "0000 must be one of", "0014 must be one of"} {
		if err == nil || !strings.Contains(err.Error(), problem) || strings.Contains(err.Error(), "0011") {
			t.Errorf("%s: got %v", problem, err)
		}
	}
	_, err = diamondpay.New("diamondpay", diamondpay.Settings{}, nil, clock)
	for _, field := range []string{"base_url", "platform_id", "secret", "sign_type", "currency", "version", "callback_url"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not among all problems: %v", field, err)
		}
	}
}

func TestKind(t *testing.T) {
	const text = `{base_url: "https://gateway.example.com", platform_id: PF0002, sign_type: HMAC-SHA256, currency: KRW, version: v2, operations: [deposit],
		deposit_methods: [qr], callback_url: "https://example.com/n", bank_codes: {"004": KBSTAR_KR}, codes: {"0011": rejected, "0030": misconfigured}, refusal_leaves_no_order: true, payout_statuses: {"2": paid},
		settling_delay: 2m, allow_plain_links: true, payout_query_version: v1}`
	c, err := diamondpay.Kind.New("diamondpay-kr", func(settings any) error {
		if err := yaml.Unmarshal([]byte(text), settings); err != nil {
			return err
		}
		settings.(*diamondpay.Settings).Secret = secret.New(key)
		return nil
	}, clock)
	if err != nil {
		t.Fatal(err)
	}
	if traits := c.Traits(); traits.SettlingDelay != 2*time.Minute || len(traits.Methods) != 1 || traits.Methods["deposit"][0] != "qr" || !traits.RefusalLeavesNoOrder {
		t.Errorf("got %+v", traits)
	}
	broken := errors.New("broken")
	if c, err := diamondpay.Kind.New("x", func(any) error { return broken }, clock); c != nil || !errors.Is(err, broken) {
		t.Errorf("got %v, %v", c, err)
	}
	if c, err := diamondpay.Kind.New("x", func(any) error { return nil }, clock); c != nil || err == nil {
		t.Errorf("got %v, %v", c, err)
	}
}
