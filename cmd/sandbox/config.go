package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"payonce/pkg/sandbox"
)

// flags of the server.
type flags struct {
	listen           string
	certificate, key string // files; both or none
	allowNonLoopback bool
	config           string
	account          accountConfig
}

func defaultFlags() *flags {
	return &flags{
		listen: "127.0.0.1:8090",
		account: accountConfig{
			Name: "teemopay-kr", Keys: "sandbox-keys", MoveDelay: 100 * time.Millisecond,
			Teemopay: teemopayConfig{AppCode: "sandbox-app"},
		},
	}
}

// accountFlags describe the demo accounts; they exclude --config.
var accountFlags = []string{"provider", "app-code", "keys", "callback-url", "auto-pay", "move-delay"}

func (f *flags) bind(set *pflag.FlagSet) {
	a := &f.account
	set.StringVar(&f.listen, "listen", f.listen, "address to serve on; port 0 takes a free one")
	set.StringVar(&f.certificate, "tls-cert", "", "certificate `FILE`: serve https, which payonce requires of providers on other machines")
	set.StringVar(&f.key, "tls-key", "", "key `FILE` of the certificate")
	set.BoolVar(&f.allowNonLoopback, "allow-non-loopback", false, "allow --listen to be reachable from other machines")
	set.StringVar(&f.config, "config", "", "YAML file with the accounts")
	set.StringVar(&a.Name, "provider", a.Name, "name of the TeemoPay account")
	set.StringVar(&a.Teemopay.AppCode, "app-code", a.Teemopay.AppCode, "the TeemoPay account's app_code")
	set.StringVar(&a.Keys, "keys", a.Keys, "folder with the files of 'sandbox keys'; created if missing")
	set.StringVar(&a.CallbackURL, "callback-url", "", "callback URL of requests without one; {provider} is the account's name")
	set.BoolVar(&a.AutoPay, "auto-pay", false, "simulated customers pay their deposits automatically")
	set.DurationVar(&a.MoveDelay, "move-delay", a.MoveDelay, "time until the money of an order moves")
}

// fileConfig is the YAML file.
type fileConfig struct {
	Accounts []accountConfig `yaml:"accounts"`
}

// maxConfig bounds the file.
const maxConfig = 1 << 20

// accounts reads what the flags or the file describe.
func (f *flags) accounts(changed func(flag string) bool, stdout io.Writer) ([]sandbox.AccountConfig, error) {
	configs, err := f.configs(changed, stdout)
	if err != nil {
		return nil, usageError{err}
	}
	var accounts []sandbox.AccountConfig
	for _, c := range configs {
		account, err := c.account()
		if err != nil {
			return nil, usageError{fmt.Errorf("account %q: %w", c.Name, err)}
		}
		accounts = append(accounts, account)
	}
	return accounts, nil
}

func (f *flags) configs(changed func(flag string) bool, stdout io.Writer) ([]accountConfig, error) {
	if f.config == "" {
		return demoAccounts(f.account), makeMissingKeys(f.account.Keys, stdout)
	}
	for _, name := range accountFlags {
		if changed(name) {
			return nil, fmt.Errorf("--%s and --config exclude each other", name)
		}
	}
	return readConfig(f.config)
}

// payonceKeys are at the top of a configuration of payonce itself, and never in one of the sandbox.
var payonceKeys = []string{"nats", "redis", "ingress", "worker", "providers"}

func readConfig(path string) ([]accountConfig, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(content) > maxConfig {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxConfig)
	}
	var top map[string]any
	_ = yaml.Load(content, &top) // what is wrong with it is said below
	for _, key := range payonceKeys {
		if _, found := top[key]; found {
			return nil, fmt.Errorf("%s: a configuration of payonce (it has %q): the sandbox must not run with real payments", path, key)
		}
	}
	var config fileConfig
	if err := yaml.Load(content, &config, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(config.Accounts) == 0 {
		return nil, fmt.Errorf("%s: no accounts", path)
	}
	for i := range config.Accounts {
		if keys := config.Accounts[i].Keys; !filepath.IsAbs(keys) {
			config.Accounts[i].Keys = filepath.Join(filepath.Dir(path), keys)
		}
	}
	return config.Accounts, nil
}
