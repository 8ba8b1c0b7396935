package config_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/config"
)

// diamond is the section of a provider of Diamond Pay's, with a secret of its own.
func diamond(name, baseURL, platform, rest string) string {
	return fmt.Sprintf("  %s:\n    kind: diamondpay\n    settings: {base_url: %q, platform_id: %s, secret: \"${%s}\", sign_type: MD5, callback_url: \"https://pay.example/webhooks\", %s}\n",
		name, baseURL, platform, strings.ToUpper(strings.ReplaceAll(name, "-", "_")), rest)
}

var ownSecrets = map[string]string{
	"FIRST": "9f2kd83-first-k3j4h5", "SECOND": "8d72hsk-second-1k2j3", "THIRD": "7s6d5f4-third-z0x9c8", "SAME": "9f2kd83-first-k3j4h5",
}

const won, dollars = "currency: KRW, version: v1", "currency: TWD, version: v1"

func connect(t *testing.T, yaml string, env, files map[string]string) (*config.Config, error) {
	t.Helper()
	c, err := config.Load(testFile, fake(yaml, env, files))
	if err != nil {
		return &c, err
	}
	_, err = c.Connectors(app.Kinds(), time.Now)
	return &c, err
}

// Two providers that are one account there have one space of order numbers there and two here.
func TestProvidersThatAreOneAccountAreRefused(t *testing.T) {
	const at = "https://gateway.example"
	for name, second := range map[string]string{
		"another currency":      diamond("second", at, "PF0001", dollars),
		"another version":       diamond("second", at, "PF0001", "currency: KRW, version: v2"),
		"a slash":               diamond("second", at+"/", "PF0001", won),
		"large letters":         diamond("second", "https://GATEWAY.example", "PF0001", won),
		"the scheme's port":     diamond("second", at+":443", "PF0001", won),
		"that with a zero":      diamond("second", at+":0443", "PF0001", won),
		"a dot":                 diamond("second", "https://gateway.example.", "PF0001", won),
		"a path":                diamond("second", at+"/v1", "PF0001", won),
		"the id's small letter": diamond("second", at, "pf0001", won),
	} {
		for _, environment := range []string{"", "environment: test\n"} {
			_, err := connect(t, environment+"providers:\n"+diamond("first", at, "PF0001", won)+second+diamond("third", at, "PF0003", won), ownSecrets, nil)
			var problems *config.Error
			if !errors.As(err, &problems) || len(problems.Problems) != 1 || problems.Problems[0].Key != "providers.second" ||
				!strings.Contains(err.Error(), "is the same account as provider first (") || strings.Contains(err.Error(), "k3j4h5") {
				t.Errorf("%s, %q: %v", name, environment, err)
			}
		}
	}
	for name, second := range map[string]string{
		"another platform": diamond("second", at, "PF0002", won),
		"another host":     diamond("second", "https://other.example", "PF0001", won),
		"another port":     diamond("second", at+":8443", "PF0001", won),
	} {
		if _, err := connect(t, "providers:\n"+diamond("first", at, "PF0001", won)+second, ownSecrets, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneServerHasManyTexts(t *testing.T) {
	for first, second := range map[string]string{
		"https://203.0.113.5":        "https://[::ffff:203.0.113.5]",
		"https://[2001:db8::1]":      "https://[2001:db8:0::0:1]",
		"https://[2001:DB8::a]:8443": "https://[2001:db8::A]:08443",
	} {
		_, err := connect(t, "providers:\n"+diamond("first", first, "PF0001", won)+diamond("second", second, "PF0001", won), ownSecrets, nil)
		if err == nil || !strings.Contains(err.Error(), "providers.second: is the same account as provider first") {
			t.Errorf("%s and %s: %v", first, second, err)
		}
	}
	_, err := connect(t, "providers:\n"+diamond("first", "https://b\u00fccher.example", "PF0001", won), ownSecrets, nil)
	if err == nil || !strings.Contains(err.Error(), "providers.first: is at bücher.example: write its host in ASCII") {
		t.Errorf("a host that has another text in ASCII: %v", err)
	}
}

// A simulator plays one account at each path; a real provider does not, however it is reached.
func TestPathsTellAccountsOfASimulatorApart(t *testing.T) {
	pair := func(environment, first, second string) error {
		_, err := connect(t, environment+"providers:\n"+diamond("first", first, "PF0001", won)+diamond("second", second, "PF0001", won), ownSecrets, nil)
		return err
	}
	const at = "http://127.0.0.1:8090"
	if err := pair("environment: test\n", at+"/first", at+"/second"); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"production":    pair("", at+"/first", at+"/second"),
		"one path":      pair("environment: test\n", at+"/first", at+"/first/"),
		"doubled slash": pair("environment: test\n", at+"/first", at+"//first"),
		"another name":  pair("environment: test\n", at+"/first", "http://localhost:8090/first"),
		"by IPv6":       pair("environment: test\n", at+"/first", "http://[::1]:8090/first"),
		"escaped":       pair("environment: test\n", at+"/first", at+"/%66irst"),
	} {
		if err == nil || !strings.Contains(err.Error(), "providers.second: is the same account as provider first") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One of an ECommPay account's two hosts is enough, and every kind names its account.
func TestAccountsOfAllKinds(t *testing.T) {
	private, public := rsaPair(t)
	other, _ := rsaPair(t)
	files := map[string]string{"conf/a": private, "conf/b": other, "conf/p": public}
	ecommpay := func(name, host, page string) string {
		return fmt.Sprintf("  %s: {kind: ecommpay, settings: {project_id: 7, secret: \"${%s}\", base_url: %q, payment_page_url: %q}}\n", name, strings.ToUpper(name), host, page)
	}
	teemopay := func(name, key string) string {
		return fmt.Sprintf("  %s: {kind: teemopay, settings: {base_url: \"https://t.example\", app_code: a, merchant_name: m, private_key_file: %s, platform_public_keys_file: [p]}}\n", name, key)
	}
	for name, yaml := range map[string]string{
		"gate":     ecommpay("first", "https://a.example", "https://b.example/payment") + ecommpay("second", "https://a.example", "https://c.example/payment"),
		"page":     ecommpay("first", "https://a.example", "https://b.example/payment") + ecommpay("second", "https://c.example", "https://b.example/other"),
		"teemopay": teemopay("first", "a") + teemopay("second", "b"),
	} {
		_, err := connect(t, "providers:\n"+yaml, ownSecrets, files)
		if err == nil || !strings.Contains(err.Error(), "providers.second: is the same account as provider first") || strings.Count(err.Error(), "\n") != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
