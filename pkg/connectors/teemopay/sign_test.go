package teemopay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/secret"
)

func TestVectors(t *testing.T) {
	f := vectors(t)
	if len(f.Vectors) < 4 {
		t.Fatalf("%d vectors", len(f.Vectors))
	}
	for _, v := range f.Vectors {
		t.Run(v.ID, func(t *testing.T) {
			text, err := teemopay.SigningString(v.Params, v.Nonce)
			if err != nil || text != v.Text {
				t.Errorf("got %q, %v\nwant %q", text, err, v.Text)
			}
			body := withSign(t, v.Params, v.Sign)
			if err := teemopay.Verify([]*rsa.PublicKey{f.key}, body, v.Nonce); err != nil {
				t.Error(err)
			}
			if teemopay.Verify([]*rsa.PublicKey{f.key}, body, v.Nonce+"0") == nil {
				t.Error("verifies with another nonce")
			}
			if teemopay.Verify([]*rsa.PublicKey{&merchantKey().PublicKey}, body, v.Nonce) == nil {
				t.Error("verifies with another key")
			}
			if teemopay.Verify(nil, body, v.Nonce) == nil {
				t.Error("verifies without a key")
			}
		})
	}
}

func withSign(t testing.TB, body []byte, sign string) []byte {
	t.Helper()
	quoted, err := json.Marshal(sign)
	if err != nil {
		t.Fatal(err)
	}
	open := strings.TrimSuffix(strings.TrimSpace(string(body)), "}")
	if strings.TrimSpace(open) != "{" {
		open += ","
	}
	return []byte(open + `"sign":` + string(quoted) + "}")
}

func TestSigningString(t *testing.T) {
	cases := []struct{ name, body, want string }{
		{"empty", `{}`, "nonce=n"},
		{"sorted, sign left out", `{"b":"2","a":"1","sign":"x","B":"3"}`, "B=3&a=1&b=2&nonce=n"},
		{"numbers as written", `{"a":801,"b":1000.00,"c":1e3,"d":true,"e":false}`, "a=801&b=1000.00&c=1e3&d=true&e=false&nonce=n"},
		{"null and blank left out", "{\"a\":null,\"b\":\"\",\"c\":\" \\t\\n\",\"d\":\"\u3000\u2003\",\"e\":\"\\u001c\"}", "nonce=n"},
		{"no-break spaces are values in Java", "{\"a\":\"\u00a0\",\"b\":\"\u2007\",\"c\":\"\u202f\"}", "a=\u00a0&b=\u2007&c=\u202f&nonce=n"},
		{"values are not trimmed", `{"a":" x "}`, "a= x &nonce=n"},
		{"escapes are read", `{"a":"\ud64d\u0026"}`, "a=홍&&nonce=n"},
	}
	for _, c := range cases {
		if got, err := teemopay.SigningString([]byte(c.body), "n"); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	for _, bad := range []string{
		``, `[]`, `"a"`, `1`, `null`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1}x`, `{"a":1}{}`, `{"a":1,"a":1}`, `{"sign":"1","sign":"1"}`,
		`{"a":{"b":1}}`, `{"a":[1]}`, "{\"a\":\"\xff\"}", `{"a":tru}`, `{a:1}`, `{"a":1 "b":2}`, `{1:2}`,
	} {
		if got, err := teemopay.SigningString([]byte(bad), "n"); err == nil {
			t.Errorf("%q gives %q", bad, got)
		}
		if _, err := teemopay.Sign(merchantKey(), []byte(bad), "n"); err == nil {
			t.Errorf("%q can be signed", bad)
		}
	}
}

func TestParsePrivateKey(t *testing.T) {
	key := merchantKey()
	der := pkcs8(t, key)
	good := map[string]string{
		"bare PKCS#8":    base64Text(der),
		"wrapped base64": " " + base64Text(der)[:64] + "\n" + base64Text(der)[64:] + "\n",
		"PKCS#8 PEM":     pemText("PRIVATE KEY", der),
		"PKCS#1 PEM":     pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
	}
	for name, text := range good {
		if got, err := teemopay.ParsePrivateKey(text); err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0") // or no short key can be made
	weak, err := rsa.GenerateKey(rand.Reader, 1016)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"empty": " ", "no base64": "key!", "no DER": "AAAA", "broken PEM": "-----BEGIN PRIVATE KEY-----\nx", "two blocks": good["PKCS#8 PEM"] + good["PKCS#8 PEM"],
		"a public key": pemText("PUBLIC KEY", spki(t, &key.PublicKey)), "another algorithm": base64Text(pkcs8(t, curve)),
		"bad PKCS#1": pemText("RSA PRIVATE KEY", der), "too short": pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak)),
	}
	for name, text := range bad {
		if _, err := teemopay.ParsePrivateKey(text); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	public := spki(t, &key.PublicKey)
	for name, text := range map[string]string{"bare": base64Text(public), "PEM": pemText("PUBLIC KEY", public)} {
		if got, err := teemopay.ParsePublicKey(text); err != nil || !got.Equal(&key.PublicKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	badPublic := map[string]string{
		"empty": "", "no base64": "?", "a private key": good["PKCS#8 PEM"], "a bare private key": base64Text(der),
		"another algorithm": base64Text(spki(t, &curve.PublicKey)), "too short": base64Text(spki(t, &weak.PublicKey)),
	}
	for name, text := range badPublic {
		if _, err := teemopay.ParsePublicKey(text); err == nil || len(text) > 20 && strings.Contains(err.Error(), text[5:20]) {
			t.Errorf("%s is taken, or shown: %v", name, err)
		}
	}
}

func TestSettings(t *testing.T) {
	change := func(f func(*teemopay.Settings)) error {
		s := settings(t, "https://gateway.example.com/kr/")
		f(&s)
		_, err := teemopay.New("teemopay-kr", s, httpcall.NewClient(httpcall.Options{}), clock, rand.Reader)
		return err
	}
	if err := change(func(*teemopay.Settings) {}); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(*teemopay.Settings){
		"base_url must be":             func(s *teemopay.Settings) { s.BaseURL = "gateway" },
		"base_url must begin":          func(s *teemopay.Settings) { s.BaseURL = "http://gateway.example.com" },
		"base_url must have no":        func(s *teemopay.Settings) { s.BaseURL = "https://user:pass@gateway.example.com" },
		"app_code":                     func(s *teemopay.Settings) { s.AppCode = "a\r\nb" },
		"country":                      func(s *teemopay.Settings) { s.Country = "MX" },
		"merchant_name":                func(s *teemopay.Settings) { s.MerchantName = strings.Repeat("가", 65) },
		"callback_url must begin":      func(s *teemopay.Settings) { s.CallbackURL = "http://example.com" },
		"callback_url must have":       func(s *teemopay.Settings) { s.CallbackURL = "https://example.com/" + strings.Repeat("x", 200) },
		"settling_delay":               func(s *teemopay.Settings) { s.SettlingDelay = -1 },
		"webhook_tolerance":            func(s *teemopay.Settings) { s.WebhookTolerance = -1 },
		"private_key: is missing":      func(s *teemopay.Settings) { s.PrivateKey = secret.Value{} },
		"platform_public_keys must":    func(s *teemopay.Settings) { s.PlatformPublicKeys = nil },
		"platform_public_keys[1]: is ": func(s *teemopay.Settings) { s.PlatformPublicKeys = append(s.PlatformPublicKeys[:1], "") },
	} {
		if err := change(f); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	_, err := teemopay.New("teemopay-kr", teemopay.Settings{}, nil, clock, rand.Reader)
	for _, field := range []string{"base_url", "app_code", "merchant_name", "private_key", "platform_public_keys"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not among all problems: %v", field, err)
		}
	}
}

func TestKind(t *testing.T) {
	text := fmt.Sprintf("base_url: https://gateway.example.com\napp_code: a\nprivate_key: %s\nplatform_public_keys: [%s]\nmerchant_name: M\n"+
		"callback_url: https://example.com/hook\nsettling_delay: 90s\nwebhook_tolerance: 5m\ncountry: KR\n"+
		"codes: {\"423\": rejected}\nrefusal_leaves_no_order: true\n",
		base64Text(pkcs8(t, merchantKey())), base64Text(spki(t, &platformKey().PublicKey)))
	decode := func(settings any) error { return yaml.Load([]byte(text), settings, yaml.WithKnownFields(true)) }
	c, err := teemopay.Kind.New("teemopay-kr", decode, clock)
	if err != nil || c.Traits().SettlingDelay != 90*time.Second || !c.Traits().RefusalLeavesNoOrder {
		t.Fatalf("got %v", err)
	}
	broken := errors.New("broken")
	if c, err := teemopay.Kind.New("teemopay-kr", func(any) error { return broken }, clock); !errors.Is(err, broken) || c != nil {
		t.Errorf("got %v, %v", c, err)
	}
	if c, err := teemopay.Kind.New("teemopay-kr", func(any) error { return nil }, clock); err == nil || c != nil {
		t.Errorf("got %v, %v", c, err)
	}
}
