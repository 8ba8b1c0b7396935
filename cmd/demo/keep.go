package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// shown is what --keep prints. The commands can be pasted from the folder of the repository; what they make has the number of the
// run in its order number, so that a system that goes on is asked for new payments.
var shown = template.Must(template.New("keep").Parse(`The system is up. Ctrl-C ends it.

  ingress   {{.Ingress}}
  console   {{.Console}}
            (this link signs in once, within ten minutes; for another one:)

  {{.Payctl}} console link \
    --config {{.Config}}

  sandbox   {{.Sandbox}}   (GET / explains its admin API and its faults)
  NATS      {{.NATS}}
{{- range $i, $m := .Metrics}}
  {{if $i}}       {{else}}metrics{{end}}   {{$m}}{{end}}
  state     {{.Dir}}
            ({{.Kept}})
  logs      {{.Dir}}/*.log

The API key, for the commands below:

  export PAYONCE_API_KEY={{.Key}}

A deposit, and what the customer must do:

  curl -s {{.Ingress}}/v1/deposits -H "Authorization: Bearer $PAYONCE_API_KEY" \
    -H 'Content-Type: application/json' \
    -d '{{.Deposit}}'
  curl -s {{.Ingress}}/v1/payments/{{.Provider}}/D-{{.Run}} \
    -H "Authorization: Bearer $PAYONCE_API_KEY" -H 'Prefer: wait=10'

The customer pays, and the payment settles:

  curl -s -X POST {{.Sandbox}}/admin/{{.Provider}}/orders/D-{{.Run}}/pay -d '{}'
  curl -s {{.Ingress}}/v1/payments/{{.Provider}}/D-{{.Run}}/events \
    -H "Authorization: Bearer $PAYONCE_API_KEY"

A payout whose reply the provider drops:

  curl -s {{.Ingress}}/v1/payouts -H "Authorization: Bearer $PAYONCE_API_KEY" \
    -H 'Content-Type: application/json' \
    -d '{{.Payout}}'
  curl -s {{.Ingress}}/v1/payments/{{.Provider}}/P-x-drop-{{.Run}} \
    -H "Authorization: Bearer $PAYONCE_API_KEY" -H 'Prefer: wait=10'

Payments found in the archive, newest first:

  curl -s '{{.Ingress}}/v1/payments?provider={{.Provider}}&status=settled' \
    -H "Authorization: Bearer $PAYONCE_API_KEY"

How everything stands, and one payment explained, for operators (docs/payctl.md has all commands):

  {{.Payctl}} status \
    --config {{.Config}}
  {{.Payctl}} payments list \
    --config {{.Config}}
  {{.Payctl}} payment show {{.Provider}} D-{{.Run}} \
    --config {{.Config}}

What the provider's records say:

  curl -s {{.Sandbox}}/admin/truth

A ledger that books the outcomes, in another terminal, into ledger.jsonl:

  go run ./examples/ledger --nats {{.NATS}} --create
`))

// payctl is how payctl is called in the folder of the repository.
const payctl = "go run ./cmd/payctl"

// keepUp shows how to use the running system and waits until it is to end.
func keepUp(ctx context.Context, s *stack, out io.Writer) {
	run := fmt.Sprint(s.state.Runs)
	var metrics []string
	for _, m := range s.metrics {
		metrics = append(metrics, fmt.Sprintf("%-8s   %s", m.process, m.url))
	}
	s.Must(shown.Execute(out, map[string]any{
		"Ingress": s.ingress, "Console": s.link(), "Sandbox": s.At.Sandbox, "NATS": s.At.NATS[0], "Metrics": metrics, "Dir": s.Dir,
		"Kept": s.state.described(), "Key": s.APIKey, "Provider": provider, "Run": run, "Config": s.Config, "Payctl": payctl,
		"Deposit": spread(deposit("D-"+run, "10000")), "Payout": spread(payout("P-x-drop-"+run, "20000")),
	}))
	<-ctx.Done()
	fmt.Fprintln(out, "\nStopping.")
}

// spread puts the objects of a command on lines of their own.
func spread(command string) string {
	for _, field := range []string{`"amount":`, `"customer":`, `"account":`, `"metadata":`} {
		command = strings.Replace(command, ","+field, ",\n         "+field, 1)
	}
	return command
}
