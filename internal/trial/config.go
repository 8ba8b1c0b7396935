// Package trial sets up what the demo and the fault tests have in common: a configuration for one
// account at the provider's sandbox, and workers that are processes, so that they can be killed.
package trial

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"payonce/pkg/ingress"
	"payonce/pkg/sandbox/teemopay"
)

// Provider is the name of the account.
const Provider = "teemopay-kr"

// AppCode is the application's code at the sandbox.
const AppCode = "trial-app"

// Addresses say where the parts of a trial are.
type Addresses struct {
	NATS    string // URL
	Redis   string // host:port
	Listen  string // host:port of the ingress
	Sandbox string // base URL
}

// CallbackURL is where the sandbox sends its callbacks.
func (a Addresses) CallbackURL() string { return "http://" + a.Listen + "/webhooks/" + Provider }

// WriteConfig writes the configuration of ingress and workers into dir, with the account's keys beside
// it, and returns the file's path and the API key of the ingress. The times in it are short, so that a
// trial need not wait long for the end of a lease.
func WriteConfig(dir string, keys teemopay.Keys, at Addresses) (path, apiKey string, err error) {
	if err := keys.Write(filepath.Join(dir, "keys")); err != nil {
		return "", "", err
	}
	public, err := os.ReadFile(filepath.Join(dir, "keys", teemopay.PlatformPublicFile))
	if err != nil {
		return "", "", err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", "", err
	}
	apiKey = hex.EncodeToString(secret)
	hash, err := ingress.HashKey(apiKey)
	if err != nil {
		return "", "", err
	}
	var text bytes.Buffer
	err = configTemplate.Execute(&text, map[string]any{
		"At": at, "Hash": hash, "Provider": Provider, "AppCode": AppCode,
		"PublicKey": strings.ReplaceAll(strings.TrimSpace(string(public)), "\n", "\n          "),
	})
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(dir, "payonce.yaml")
	return path, apiKey, os.WriteFile(path, text.Bytes(), 0o600)
}

var configTemplate = template.Must(template.New("config").Parse(`# Written for a trial. The times are far too short for production.
environment: test
nats:
  urls: ["{{.At.NATS}}"]
redis:
  addresses: ["{{.At.Redis}}"]
ingress:
  listen: "{{.At.Listen}}"
  api_keys:
    - name: trial
      sha256: {{.Hash}}
worker:
  submit_timeout: 1s
  retry_for: 500ms
  lease: 3s
  ack_wait: 4s
  lookup_min: 1s
  lookup_max: 5s
  park_min: 1s
  park_max: 5s
log:
  level: debug
  format: text
providers:
  {{.Provider}}:
    kind: teemopay
    settings:
      base_url: {{.At.Sandbox}}/{{.Provider}}
      app_code: {{.AppCode}}
      private_key_file: keys/merchant_private.pem
      platform_public_keys:
        - |
          {{.PublicKey}}
      merchant_name: Trial Shop
      callback_url: {{.At.CallbackURL}}
      settling_delay: 5s
`))
