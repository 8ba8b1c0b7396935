package config_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
)

const exampleFile = "../../payonce.example.yaml"

// optional finds the keys of the example that are commented out: "  # user: payonce".
var optional = regexp.MustCompile(`(?m)^( *)# ((?:- )?[a-z0-9_]+:(?: *#.*| \S.*))$`)

func TestExampleLoadsWithTheDefaults(t *testing.T) {
	yaml, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"conf/secrets/payonce.creds": "a nkey seed and more"}
	source := fake(string(yaml), map[string]string{"REDIS_PASSWORD": password}, files)
	c, err := config.Load(testFile, source, config.RoleIngress, config.RoleWorker)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Defaults()
	if c.Worker != want.Worker || c.Log != want.Log || c.Redis.ClaimRetention != want.Redis.ClaimRetention ||
		c.NATS.PaymentsRetention != want.NATS.PaymentsRetention || c.NATS.WebhooksRetention != want.NATS.WebhooksRetention ||
		c.NATS.DeadLettersRetention != want.NATS.DeadLettersRetention || c.NATS.AuditRetention != want.NATS.AuditRetention || c.NATS.URLs[0] != want.NATS.URLs[0] ||
		c.Redis.Addresses[0] != want.Redis.Addresses[0] || c.Ingress.Listen != want.Ingress.Listen ||
		c.Ingress.MaxWait != want.Ingress.MaxWait || c.Ingress.MaxWaiting != want.Ingress.MaxWaiting ||
		limitsOf(c.Ingress) != limitsOf(want.Ingress) || c.Ingress.TLS.ClientCertificates != want.Ingress.TLS.ClientCertificates || c.ReloadEvery != want.ReloadEvery ||
		c.Ingress.ProxyHeader != want.Ingress.ProxyHeader || c.NATS.Replicas != want.NATS.Replicas || c.NATS.GroupCommit != want.NATS.GroupCommit {
		t.Errorf("the example says that these are the defaults:\n%s", c.Summary())
	}
}

// limitsOf are the limits of the ingress, in a form that can be compared.
func limitsOf(in config.Ingress) [18]int64 {
	return [...]int64{
		int64(in.MaxConnections), int64(in.MaxRequests), int64(in.RequestsPerSecond), int64(in.Burst), int64(in.HeaderBytes),
		int64(in.ReadHeaderTimeout), int64(in.ReadTimeout), int64(in.IdleTimeout), int64(in.BackendTimeout),
		int64(in.MaxWaitingPerKey), int64(in.MaxConnectionsPerAddress), int64(in.MaxRequestsPerKey), int64(in.MaxRequestsPerProvider),
		int64(in.BytesPerSecond), int64(in.BytesBurst), int64(in.BodyBytes), int64(in.BodyBytesPerSource), int64(in.BodyBytesPerProvider),
	}
}

// TestExampleMakesItsProviders reads the settings with the real kinds, and wants every key of every kind.
func TestExampleMakesItsProviders(t *testing.T) {
	yaml, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	private, public := rsaPair(t)
	c := load(t, string(yaml), map[string]string{"REDIS_PASSWORD": password}, map[string]string{
		"conf/secrets/payonce.creds": "a nkey seed and more", "conf/secrets/teemopay-kr.pem": private, "conf/secrets/teemopay-platform.pem": public,
		"conf/secrets/ecommpay-kr.secret": "ecommpay-" + password, "conf/secrets/diamondpay-kr.secret": password, "conf/secrets/diamondpay-kr.token": password,
	})
	if _, err := c.Connectors(app.Kinds(), time.Now); err != nil {
		t.Fatal(err)
	}
	providers := sectionOf(string(yaml), "providers")
	for _, kind := range app.Kinds() {
		_, account, found := strings.Cut(providers, "    kind: "+kind.Name+"\n")
		if !found {
			t.Errorf("the example has no account of the kind %s", kind.Name)
			continue
		}
		if end := regexp.MustCompile(`(?m)^  [a-z]`).FindStringIndex(account); end != nil {
			account = account[:end[0]]
		}
		settings := settingsOf(t, kind)
		for i := range settings.NumField() {
			key := settings.Field(i).Tag.Get("yaml")
			if key == "" || !regexp.MustCompile(`(?m)^      (# )?`+key+`(_file)?:`).MatchString(account) {
				t.Errorf("the example lacks the setting %s %q of %s", settings.Field(i).Name, key, kind.Name)
			}
		}
	}
}

// settingsOf returns the type that a kind reads its settings into.
func settingsOf(t *testing.T, kind connectors.Kind) (settings reflect.Type) {
	t.Helper()
	enough := errors.New("enough")
	decode := func(into any) error { settings = reflect.TypeOf(into).Elem(); return enough }
	if _, err := kind.New("any", decode, time.Now); !errors.Is(err, enough) || settings.NumField() == 0 {
		t.Fatalf("%s: %v", kind.Name, err)
	}
	return settings
}

// rsaPair returns a private key and its public key in PEM form.
func rsaPair(t *testing.T) (private, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER}))
}

// TestExampleHoldsEveryKey also proves that the keys that are commented out are right: with them, no
// key is unknown.
func TestExampleHoldsEveryKey(t *testing.T) {
	yaml, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	full := optional.ReplaceAllString(string(yaml), "$1$2")
	if strings.Count(full, "\n") != strings.Count(string(yaml), "\n") || full == string(yaml) {
		t.Fatal("nothing is commented out")
	}
	_, err = config.Load(testFile, fake(full, nil, nil))
	if err == nil || strings.Contains(err.Error(), "is not a known key") || strings.Contains(err.Error(), "not YAML") {
		t.Errorf("with all keys: %v", err)
	}
	var missing []string
	walkKeys(reflect.TypeFor[config.Config](), "", func(section, key string) {
		if !regexp.MustCompile(`(?m)^[ -]*` + key + `(_file)?:`).MatchString(sectionOf(full, section)) {
			missing = append(missing, section+"."+key)
		}
	})
	if len(missing) > 0 {
		t.Errorf("the example lacks %v", missing)
	}
}

// walkKeys calls see for each YAML key with the top section that it is in.
func walkKeys(t reflect.Type, section string, see func(section, key string)) {
	for t.Kind() == reflect.Map || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		key := t.Field(i).Tag.Get("yaml")
		if t.Field(i).Anonymous {
			walkKeys(t.Field(i).Type, section, see)
		}
		if key == "" {
			continue
		}
		top := section
		if top == "" {
			top = key
		}
		see(top, key)
		walkKeys(t.Field(i).Type, top, see)
	}
}

// sectionOf returns the part of the file from a top key to the next.
func sectionOf(yaml, section string) string {
	_, after, _ := strings.Cut("\n"+yaml, "\n"+section+":")
	end := regexp.MustCompile(`(?m)^[a-z]+:`).FindStringIndex(after)
	if end != nil {
		after = after[:end[0]]
	}
	return section + ":" + after
}
