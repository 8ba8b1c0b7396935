package main

import (
	"bytes"
	"strings"
	"text/template"

	"payonce/pkg/ingress"
)

type configValues struct {
	NATS, Redis, Listen, APIKey, Provider, Sandbox, Ingress, PublicKey string
}

var configTemplate = template.Must(template.New("config").Funcs(template.FuncMap{
	"hash":   ingress.HashKey,
	"indent": func(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n          ") },
}).Parse(`# Written by the demo. The times are far too short for production.
nats:
  urls: ["{{.NATS}}"]
redis:
  addresses: ["{{.Redis}}"]
ingress:
  listen: "{{.Listen}}"
  api_keys:
    - name: demo
      sha256: {{hash .APIKey}}
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
      base_url: {{.Sandbox}}/{{.Provider}}
      app_code: demo-app
      private_key_file: keys/merchant_private.pem
      platform_public_keys:
        - |
          {{indent .PublicKey}}
      merchant_name: Demo Shop
      callback_url: {{.Ingress}}/webhooks/{{.Provider}}
      settling_delay: 5s
`))

func demoConfig(values configValues) ([]byte, error) {
	var b bytes.Buffer
	err := configTemplate.Execute(&b, values)
	return b.Bytes(), err
}
