package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/teemopay"
)

// flags of the server.
type flags struct {
	listen           string
	allowNonLoopback bool
	config           string
	account          accountConfig
}

func defaultFlags() *flags {
	return &flags{
		listen:  "127.0.0.1:8090",
		account: accountConfig{Name: "teemopay-kr", Kind: "teemopay", AppCode: "sandbox-app", MoveDelay: 100 * time.Millisecond},
	}
}

// accountFlags describe one account; they exclude --config.
var accountFlags = []string{"provider", "app-code", "keys", "callback-url", "auto-pay", "move-delay"}

func (f *flags) bind(set *pflag.FlagSet) {
	a := &f.account
	set.StringVar(&f.listen, "listen", f.listen, "address to serve on; port 0 takes a free one")
	set.BoolVar(&f.allowNonLoopback, "allow-non-loopback", false, "let --listen be reachable from other machines")
	set.StringVar(&f.config, "config", "", "YAML file with the accounts")
	set.StringVar(&a.Name, "provider", a.Name, "name of the account")
	set.StringVar(&a.AppCode, "app-code", a.AppCode, "the account's app_code")
	set.StringVar(&a.Keys, "keys", "", "folder with the key files of 'sandbox keys'")
	set.StringVar(&a.CallbackURL, "callback-url", "", "where callbacks go when a request names no address")
	set.BoolVar(&a.AutoPay, "auto-pay", false, "customers pay their deposits by themselves")
	set.DurationVar(&a.MoveDelay, "move-delay", a.MoveDelay, "time until the money of an order moves")
}

// fileConfig is the YAML file.
type fileConfig struct {
	Accounts []accountConfig `yaml:"accounts"`
}

// accountConfig is one account. Relative paths in a file begin at the file's folder.
type accountConfig struct {
	Name                string        `yaml:"name"`
	Kind                string        `yaml:"kind"`
	AppCode             string        `yaml:"app_code"`
	Keys                string        `yaml:"keys"`
	RefusalCode         int           `yaml:"refusal_code"`
	CashierURL          string        `yaml:"cashier_url"`
	RequireHolderNumber bool          `yaml:"require_holder_number"`
	CallbackURL         string        `yaml:"callback_url"`
	AutoPay             bool          `yaml:"auto_pay"`
	MoveDelay           time.Duration `yaml:"move_delay"`
	Balance             int64         `yaml:"balance"`
	Faults              []faultConfig `yaml:"faults"`
	Retry               retryConfig   `yaml:"retry"`
}

type faultConfig struct {
	Fault  string `yaml:"fault"`
	Times  int    `yaml:"times"`
	Millis int64  `yaml:"ms"`
	Amount int64  `yaml:"amount"`
}

type retryConfig struct {
	First    time.Duration `yaml:"first"`
	Factor   float64       `yaml:"factor"`
	Max      time.Duration `yaml:"max"`
	Attempts int           `yaml:"attempts"`
}

// maxConfig bounds the file.
const maxConfig = 1 << 20

// accounts reads what the flags or the file describe.
func (f *flags) accounts(changed func(flag string) bool) ([]sandbox.Account, error) {
	configs := []accountConfig{f.account}
	if f.config != "" {
		for _, name := range accountFlags {
			if changed(name) {
				return nil, usageError{fmt.Errorf("--%s and --config exclude each other", name)}
			}
		}
		var err error
		if configs, err = readConfig(f.config); err != nil {
			return nil, usageError{err}
		}
	} else if f.account.Keys == "" {
		return nil, usageError{errors.New("--keys or --config is required; make keys with: sandbox keys --dir keys")}
	}
	var accounts []sandbox.Account
	for _, c := range configs {
		account, err := c.account()
		if err != nil {
			return nil, usageError{fmt.Errorf("account %q: %w", c.Name, err)}
		}
		accounts = append(accounts, account)
	}
	return accounts, nil
}

func readConfig(path string) ([]accountConfig, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(content) > maxConfig {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxConfig)
	}
	var config fileConfig
	if err := yaml.Load(content, &config, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(config.Accounts) == 0 {
		return nil, fmt.Errorf("%s: no accounts", path)
	}
	for i := range config.Accounts {
		if keys := config.Accounts[i].Keys; keys != "" && !filepath.IsAbs(keys) {
			config.Accounts[i].Keys = filepath.Join(filepath.Dir(path), keys)
		}
	}
	return config.Accounts, nil
}

func (c accountConfig) account() (sandbox.Account, error) {
	if c.Kind != "teemopay" {
		return sandbox.Account{}, fmt.Errorf("kind %q is not known; there is teemopay", c.Kind)
	}
	merchant, errMerchant := teemopay.ReadPublic(filepath.Join(c.Keys, teemopay.MerchantPublicFile))
	platform, errPlatform := teemopay.ReadPrivate(filepath.Join(c.Keys, teemopay.PlatformPrivateFile))
	if err := errors.Join(errMerchant, errPlatform); err != nil {
		return sandbox.Account{}, err
	}
	protocol, err := teemopay.New(teemopay.Settings{
		AppCode: c.AppCode, MerchantKey: merchant, PlatformKey: platform, RefusalCode: c.RefusalCode,
		CashierURL: c.CashierURL, RequireHolderNumber: c.RequireHolderNumber,
	})
	if err != nil {
		return sandbox.Account{}, err
	}
	account := sandbox.Account{
		Name: c.Name, Protocol: protocol, CallbackURL: c.CallbackURL, AutoPay: c.AutoPay, MoveDelay: c.MoveDelay,
		Balance: c.Balance, Retry: sandbox.Retry{First: c.Retry.First, Factor: c.Retry.Factor, Max: c.Retry.Max, Attempts: c.Retry.Attempts},
	}
	for _, f := range c.Faults {
		account.Faults = append(account.Faults, sandbox.Fault{
			Name: sandbox.FaultName(f.Fault), Times: f.Times, Millis: f.Millis, Amount: f.Amount,
		})
	}
	return account, nil
}
