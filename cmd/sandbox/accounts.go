package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/diamondpay"
	"payonce/pkg/sandbox/ecommpay"
	"payonce/pkg/sandbox/teemopay"
)

// accountConfig is one account. Relative paths in a file begin at the file's folder.
type accountConfig struct {
	Name        string        `yaml:"name"`
	Kind        string        `yaml:"kind"`
	Keys        string        `yaml:"keys"`
	CallbackURL string        `yaml:"callback_url"`
	AutoPay     bool          `yaml:"auto_pay"`
	MoveDelay   time.Duration `yaml:"move_delay"`
	TellDelay   time.Duration `yaml:"tell_delay"`
	Balance     int64         `yaml:"balance"`
	Faults      []faultConfig `yaml:"faults"`
	Retry       retryConfig   `yaml:"retry"`

	Teemopay   teemopayConfig   `yaml:",inline"`
	Ecommpay   ecommpayConfig   `yaml:",inline"`
	Diamondpay diamondpayConfig `yaml:",inline"`
}

type teemopayConfig struct {
	AppCode             string `yaml:"app_code"`
	RefusalCode         int    `yaml:"refusal_code"`
	CashierURL          string `yaml:"cashier_url"`
	RequireHolderNumber bool   `yaml:"require_holder_number"`
}

type ecommpayConfig struct {
	ProjectID    int64           `yaml:"project_id"`
	Redirect     bool            `yaml:"redirect"`
	SignGeneral  bool            `yaml:"sign_general"`
	MinDeposit   int64           `yaml:"min_deposit"`
	MaxDeposit   int64           `yaml:"max_deposit"`
	MinPayout    int64           `yaml:"min_payout"`
	MaxPayout    int64           `yaml:"max_payout"`
	RefuseLimits bool            `yaml:"refuse_limits"`
	Banks        []ecommpay.Bank `yaml:"banks"`
	Timeout      int             `yaml:"timeout"`
	BankURL      string          `yaml:"bank_url"`
	OfficeHours  bool            `yaml:"office_hours"`
}

type diamondpayConfig struct {
	PlatformID   string `yaml:"platform_id"`
	SignType     string `yaml:"sign_type"`
	Currency     string `yaml:"currency"`
	PaymentInfo  *bool  `yaml:"payment_info"` // nil is true
	ExactAmounts bool   `yaml:"exact_amounts"`
	CamelCase    bool   `yaml:"camel_case"`
	MinAmount    int64  `yaml:"min_amount"`
	MaxAmount    int64  `yaml:"max_amount"`
	OldPayouts   bool   `yaml:"old_payouts"`
	PortalURL    string `yaml:"portal_url"`
}

type faultConfig struct {
	Fault  string `yaml:"fault"`
	Times  int    `yaml:"times"`
	Millis int64  `yaml:"ms"`
	Amount int64  `yaml:"amount"`
}

// retryConfig is a schedule of callbacks. Speed takes the provider's documented one, so many times as fast.
type retryConfig struct {
	First    time.Duration `yaml:"first"`
	Factor   float64       `yaml:"factor"`
	Max      time.Duration `yaml:"max"`
	Attempts int           `yaml:"attempts"`
	Speed    float64       `yaml:"speed"`
}

// demoAccounts are the accounts without a file: each kind, each way of processing, each currency.
func demoAccounts(base accountConfig) []accountConfig {
	account := func(name, kind string, change func(*accountConfig)) accountConfig {
		c := base
		c.Name, c.Kind, c.Teemopay = name, kind, teemopayConfig{}
		change(&c)
		return c
	}
	base.Kind = "teemopay"
	set := []accountConfig{
		base,
		account("ecommpay-kr", "ecommpay", func(c *accountConfig) { c.Ecommpay = ecommpayConfig{ProjectID: 200, Redirect: true} }),
		account("ecommpay-kr-direct", "ecommpay", func(c *accountConfig) { c.Ecommpay = ecommpayConfig{ProjectID: 1840} }),
		account("diamondpay-kr", "diamondpay", func(c *accountConfig) {
			c.Diamondpay = diamondpayConfig{PlatformID: "PF0002", SignType: string(diamondpay.HMACSHA256)}
		}),
		account("diamondpay-tw", "diamondpay", func(c *accountConfig) {
			c.Diamondpay = diamondpayConfig{PlatformID: "PF0003", Currency: "TWD", CamelCase: true}
		}),
	}
	for i := range set {
		set[i].CallbackURL = strings.ReplaceAll(set[i].CallbackURL, "{provider}", set[i].Name)
	}
	return set
}

// account makes what the configuration describes.
func (c accountConfig) account() (sandbox.AccountConfig, error) {
	kinds := map[string]struct {
		protocol func() (sandbox.Protocol, error)
		settings any
		retry    func(speed float64) sandbox.Retry
	}{
		"teemopay":   {c.teemopay, c.Teemopay, nil},
		"ecommpay":   {c.ecommpay, c.Ecommpay, ecommpay.Retry},
		"diamondpay": {c.diamondpay, c.Diamondpay, diamondpay.Retry},
	}
	kind, known := kinds[c.Kind]
	if !known {
		return sandbox.AccountConfig{}, fmt.Errorf("kind %q is not known; there are teemopay, ecommpay and diamondpay", c.Kind)
	}
	for name, other := range kinds {
		if name != c.Kind && !reflect.ValueOf(other.settings).IsZero() {
			return sandbox.AccountConfig{}, fmt.Errorf("it has keys of kind %s", name)
		}
	}
	protocol, err := kind.protocol()
	if err != nil {
		return sandbox.AccountConfig{}, err
	}
	account := sandbox.AccountConfig{
		Name: c.Name, Protocol: protocol, CallbackURL: c.CallbackURL, AutoPay: c.AutoPay, MoveDelay: c.MoveDelay,
		TellDelay: c.TellDelay, Balance: c.Balance,
	}
	if c.Ecommpay.OfficeHours {
		account.Hours = ecommpay.Hours()
	}
	for _, f := range c.Faults {
		account.Faults = append(account.Faults, sandbox.Fault{
			Name: sandbox.FaultName(f.Fault), Times: f.Times, Millis: f.Millis, Amount: f.Amount,
		})
	}
	account.Retry, err = c.Retry.retry(kind.retry)
	return account, err
}

func (r retryConfig) retry(documented func(speed float64) sandbox.Retry) (sandbox.Retry, error) {
	plain := sandbox.Retry{First: r.First, Factor: r.Factor, Max: r.Max, Attempts: r.Attempts}
	switch {
	case r.Speed == 0:
		return plain, nil
	case documented == nil:
		return plain, errors.New("retry: speed needs a provider that documents its schedule")
	case r.Speed < 0 || r != (retryConfig{Speed: r.Speed}):
		return plain, errors.New("retry: speed must be positive and stand alone")
	}
	return documented(r.Speed), nil
}

func (c accountConfig) teemopay() (sandbox.Protocol, error) {
	merchant, errMerchant := teemopay.ReadPublic(filepath.Join(c.Keys, teemopay.MerchantPublicFile))
	platform, errPlatform := teemopay.ReadPrivate(filepath.Join(c.Keys, teemopay.PlatformPrivateFile))
	if err := errors.Join(errMerchant, errPlatform); err != nil {
		return nil, err
	}
	s := c.Teemopay
	return teemopay.New(teemopay.Settings{
		AppCode: s.AppCode, MerchantKey: merchant, PlatformKey: platform, RefusalCode: s.RefusalCode,
		CashierURL: s.CashierURL, RequireHolderNumber: s.RequireHolderNumber,
	})
}

func (c accountConfig) ecommpay() (sandbox.Protocol, error) {
	secret, err := sandbox.ReadSecret(filepath.Join(c.Keys, ecommpaySecretFile))
	if err != nil {
		return nil, err
	}
	s := c.Ecommpay
	return ecommpay.New(ecommpay.Settings{
		ProjectID: s.ProjectID, Secret: secret, Redirect: s.Redirect, SignGeneral: s.SignGeneral,
		MinDeposit: s.MinDeposit, MaxDeposit: s.MaxDeposit, MinPayout: s.MinPayout, MaxPayout: s.MaxPayout,
		RefuseLimits: s.RefuseLimits, Banks: s.Banks, Timeout: s.Timeout, BankURL: s.BankURL,
	})
}

func (c accountConfig) diamondpay() (sandbox.Protocol, error) {
	secret, errSecret := sandbox.ReadSecret(filepath.Join(c.Keys, diamondpaySecretFile))
	token, errToken := sandbox.ReadSecret(filepath.Join(c.Keys, diamondpayTokenFile))
	if err := errors.Join(errSecret, errToken); err != nil {
		return nil, err
	}
	s := c.Diamondpay
	return diamondpay.New(diamondpay.Settings{
		PlatformID: s.PlatformID, Secret: secret, SignType: diamondpay.SignType(s.SignType), Token: token,
		Currency: s.Currency, LinksOnly: s.PaymentInfo != nil && !*s.PaymentInfo, ExactAmounts: s.ExactAmounts, CamelCase: s.CamelCase, MinAmount: s.MinAmount,
		MaxAmount: s.MaxAmount, OldPayouts: s.OldPayouts, PortalURL: s.PortalURL,
	})
}
