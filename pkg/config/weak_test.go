package config_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/config"
)

const testEnvironment = "environment: test\n"

// checkWeak wants a secret to be refused in production with these words, and to be warned of in a test, and never shown.
func checkWeak(t *testing.T, secret, want string) {
	t.Helper()
	yaml := "providers:\n" + diamond("first", "https://gateway.example", "PF0001", won)
	env := map[string]string{"FIRST": secret}
	_, err := connect(t, yaml, env, nil)
	if want == "" {
		if err != nil {
			t.Errorf("%q: %v", secret, err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), "providers.first.settings.secret: "+want) || strings.Contains(err.Error(), secret) {
		t.Errorf("%q, want %q: %v", secret, want, err)
	}
	c, err := connect(t, testEnvironment+yaml, env, nil)
	if err != nil || !c.SecretsWarned() || !strings.Contains(strings.Join(c.Warnings(), "\n"), want) || strings.Contains(strings.Join(c.Warnings(), "\n"), secret) {
		t.Errorf("%q in a test: %v, %q", secret, err, c.Warnings())
	}
}

func TestWeakSecretsAreRefusedInProduction(t *testing.T) {
	for secret, want := range map[string]string{
		"2I9Q4nExEddsH6zo":       "is published", // the key of Diamond Pay's signature page
		"2i9q4nexeddsh6zo":       "is published",
		"ThisIsYourSecretKey123": "is published",
		"aaaaaaaaaaaaaaaa":       "repeats itself",
		"abababababababab":       "repeats itself",
		"abcdeabcdeabcdea":       "repeats itself",
		"PasswordPassword":       "repeats itself",
		"passwordPassword1":      "repeats itself",
		"1!PasswordPassword":     "repeats itself",
		"aaaaaaaaaaaaaaab":       "has few different characters",
		"aabbaababbaabbab":       "has few different characters",
		"1234567890123456":       "counts up or down",
		"zyxwvutsrqponmlk":       "counts up or down",
		"112233445566778899":     "counts up or down",
		"zzyyxxwwvvuuttss":       "counts up or down",
		"aaaaaaaaaaaaaaaaxyz12":  "counts up or down",
	} {
		checkWeak(t, secret, want)
	}
}

// TestGoodSecretsAreTaken tries random ones: none of the rules may refuse what a generator made.
func TestGoodSecretsAreTaken(t *testing.T) {
	for range 200 {
		text := make([]byte, 16)
		if _, err := rand.Read(text); err != nil {
			t.Fatal(err)
		}
		checkWeak(t, hex.EncodeToString(text), "")
	}
}

// TeemoPay's page about keys prints a pair as an example. With its public key an account would accept any forgery.
func TestThePublishedKeyPairIsRefused(t *testing.T) {
	const published = `MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDYYiW70DK6/dmiLw7Aj1WIxFnDYt5AFYYMskeN00xcBPC8qWjn1tkfJncBdBMCdXBvtw1K2QcIHJ8xcSAjhxkySjeON7ufpqyDLzv5MWMTWjnIxhLdP3D29tAwkdY/lnG2qlhWz17YzOuDfY26h85TqigNuB6XscZ0EuFNbHX8xwIDAQAB`
	private, _ := rsaPair(t)
	for name, key := range map[string]string{
		"alone": published, "PEM": "-----BEGIN PUBLIC KEY-----\n" + published + "\n-----END PUBLIC KEY-----\n",
		"wrapped": published[:64] + "\n" + published[64:128] + "\n" + published[128:192] + "\n" + published[192:],
	} {
		_, err := connect(t, "providers:\n  first: {kind: teemopay, settings: {base_url: \"https://t.example\", app_code: a, merchant_name: m, private_key_file: a, platform_public_keys_file: [p]}}\n",
			nil, map[string]string{"conf/a": private, "conf/p": key})
		if err == nil || !strings.Contains(err.Error(), "platform_public_keys[0]: is published") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneSecretOfTwoProviders(t *testing.T) {
	private, public := rsaPair(t)
	second := diamond("same", "https://other.example", "PF0002", won)
	teemopay := func(name, app, key string) string {
		return fmt.Sprintf("  %s: {kind: teemopay, settings: {base_url: \"https://t.example\", app_code: %s, merchant_name: m, private_key_file: %s, platform_public_keys_file: [p]}}\n", name, app, key)
	}
	for name, yaml := range map[string]string{
		"the current ones":    second,
		"one of a rotation":   strings.Replace(strings.ReplaceAll(second, "SAME", "SECOND"), "sign_type", "previous_secrets: [\"${SAME}\"], sign_type", 1),
		"of different kinds":  "  same: {kind: ecommpay, settings: {project_id: 7, secret: \"${SAME}\"}}\n",
		"a key in two forms":  teemopay("one", "a", "pem") + teemopay("same", "b", "text"),
		"a token as a secret": strings.Replace(strings.ReplaceAll(second, "SAME", "SECOND"), "sign_type", "authorization: \"${SAME}\", sign_type", 1),
	} {
		files := map[string]string{"conf/pem": private, "conf/p": public, "conf/text": bare(private)}
		yaml = "providers:\n" + diamond("first", "https://gateway.example", "PF0001", won) + yaml
		_, err := connect(t, yaml, ownSecrets, files)
		var problems *config.Error
		if !errors.As(err, &problems) || len(problems.Problems) != 1 || !strings.HasPrefix(problems.Problems[0].Key, "providers.same.settings.") ||
			!strings.Contains(err.Error(), "is also a secret of provider ") || strings.Contains(err.Error(), "k3j4h5") {
			t.Errorf("%s: %v", name, err)
		}
		if c, err := connect(t, testEnvironment+yaml, ownSecrets, files); err != nil || !c.SecretsWarned() || len(c.Warnings()) != 1 {
			t.Errorf("%s in a test: %v", name, err)
		}
	}
}

// A service that asks for payments must not be able to sign their webhooks.
func TestASecretOfAProviderIsNoAPIKey(t *testing.T) {
	sum := sha256.Sum256([]byte(ownSecrets["FIRST"]))
	for name, hashes := range map[string]string{
		"sha256":          "sha256: " + hex.EncodeToString(sum[:]),
		"previous_sha256": "sha256: " + hash + ", previous_sha256: [" + hex.EncodeToString(sum[:]) + "]",
	} {
		yaml := "ingress: {api_keys: [{name: shop, " + hashes + ", providers: [first]}]}\nproviders:\n" + diamond("first", "https://gateway.example", "PF0001", won)
		const want = "providers.first.settings.secret: is also the API key of shop"
		_, err := connect(t, yaml, ownSecrets, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "k3j4h5") {
			t.Errorf("%s: %v", name, err)
		}
		if c, err := connect(t, testEnvironment+yaml, ownSecrets, nil); err != nil || !strings.Contains(strings.Join(c.Warnings(), "\n"), want) {
			t.Errorf("%s in a test: %v, %q", name, err, c.Warnings())
		}
	}
}

// bare takes the lines of PEM off a key, as TeemoPay's console shows it.
func bare(key string) string {
	lines := strings.Split(strings.TrimSpace(key), "\n")
	return strings.Join(lines[1:len(lines)-1], "")
}

// How long the token of Diamond Pay's look-ups is, the provider says; a secret that signs is never short.
func TestATokenOfTheProvidersMayBeShort(t *testing.T) {
	yaml := "providers:\n" + strings.Replace(diamond("first", "https://gateway.example", "PF0001", won), "sign_type", "authorization: \"${TOKEN}\", sign_type", 1)
	for token, taken := range map[string]bool{"k7Q-x2vP9": true, "abababab": false} {
		_, err := connect(t, yaml, map[string]string{"FIRST": ownSecrets["FIRST"], "TOKEN": token}, nil)
		if (err == nil) != taken {
			t.Errorf("%s: %v", token, err)
		}
	}
}

func TestWeakPasswordsAndAPIKeys(t *testing.T) {
	yaml := "nats: {user: me, password: \"${A}\"}\nredis: {password: \"${B}\", sentinel_password: \"${C}\"}\n" +
		"ingress: {api_keys: [{name: shop, sha256: 3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9, " +
		"previous_sha256: [e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855]}]}\n" + least
	env := map[string]string{"A": strings.Repeat("ab", 8), "B": strings.Repeat("x", 20), "C": "2I9Q4nExEddsH6zo"}
	_, err := connect(t, yaml, env, nil)
	for _, want := range []string{"nats.password: repeats", "redis.password: repeats", "redis.sentinel_password: is published", "api_keys[0].sha256: is the hash", "api_keys[0].previous_sha256[0]: is the hash"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	c, err := config.Load(testFile, fake(testEnvironment+yaml, env, nil))
	if err != nil || len(c.Warnings()) != 5 {
		t.Errorf("in a test: %v, %q", err, c.Warnings())
	}
}
