package contracts

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// mistakesPage is the table of what beginners do wrong and what they are answered. It is written by this test.
const mistakesPage = "../../docs/mistakes.md"

const goodCommand = `{"provider":"teemopay-kr","order":"ORDER","amount":{"value":"10000","currency":"KRW"},"customer":{"name":"Kim Minsu"}}`

// mistakes are what beginners send, each as a change of a good command.
var mistakes = []struct{ name, old, new string }{
	{"no amount", `"amount":{"value":"10000","currency":"KRW"},`, ``},
	{"amount as a number", `{"value":"10000","currency":"KRW"}`, `10000`},
	{"value as a number", `"10000"`, `10000`},
	{"separators in the value", `"10000"`, `"10,000"`},
	{"decimals of a currency without", `"10000"`, `"10000.00"`},
	{"no currency", `,"currency":"KRW"`, ``},
	{"a currency that the provider does not take", `KRW`, `TWD`},
	{"a currency that payonce does not know", `KRW`, `USD`},
	{"an unknown method", `"amount"`, `"method":"card","amount"`},
	{"a misspelt field", `"customer"`, `"custmer"`},
	{"a misspelt nested field", `"name"`, `"fullname"`},
	{"a field of another object", `"customer"`, `"email":"kim@example.com","customer"`},
	{"metadata that is no text", `"customer"`, `"metadata":{"cart":77},"customer"`},
	{"no provider", `"provider":"teemopay-kr",`, ``},
	{"a provider that is not configured", `teemopay-kr`, `teemo`},
	{"an order number with a blank", `ORDER`, `ORDER 1`},
	{"a command that has expired", `"customer"`, `"expires_at":"2020-01-01T00:00:00Z","customer"`},
	{"a time that is none", `"customer"`, `"expires_at":"tomorrow","customer"`},
	{"several at once", `{"value":"10000","currency":"KRW"},"customer":{"name":"Kim Minsu"}`, `{"value":10000},"customer":{"phone":"12","fullname":"Kim"},"method":"cash"`},
	{"a comma too many", `"Kim Minsu"}}`, `"Kim Minsu"},}`},
	{"single quotes", `"order"`, `'order'`},
	{"an empty body", goodCommand, ``},
	{"the same order with another amount", `"10000"`, `"20000"`},
	{"the same order as a payout", ``, ``},
}

// TestMistakes sends each mistake by HTTP and by NATS, and writes what is answered: what HTTP says at once, and what the publisher
// reads of a refusal. With -update the page is written.
func TestMistakes(t *testing.T) {
	server := natstest.Start(t)
	s := testenv.NewSystem(t, t.TempDir(), testenv.Addresses{NATS: []string{server.URL()}, Redis: miniredis.RunT(t).Addr()}, nil)
	logs := testenv.NewLogs(t)
	for _, service := range []app.Service{app.Ingress(), app.Worker()} {
		rt, err := app.Load(service, s.Config, logs)
		s.Must(err)
		testenv.Serve(t, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
	}
	nc, err := nats.Connect(server.URL())
	s.Must(err)
	t.Cleanup(nc.Close)
	js, err := njs.New(nc)
	s.Must(err)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	s.Log = testenv.Connect(t, jetstream.Options{URLs: s.At.NATS})
	// The order of two of the mistakes is known, by either way.
	for _, order := range []string{"H-known", "N-known"} {
		if status, text := s.Post(ctx, "/v1/deposits", strings.Replace(goodCommand, "ORDER", order, 1)); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, text)
		}
		s.Until(ctx, payment.Ref{Provider: testenv.TeemoPay, Order: order}, "is pending", func(p payment.Payment) bool { return p.Status == payment.Pending })
	}
	var page strings.Builder
	page.WriteString(`# What beginners do wrong, and the answers

Each row was sent to a real ingress and, past it, to NATS with a worker; ` + "`test/contracts`" + ` (` + "`TestMistakes`" + `) writes this page. By HTTP the answer
is a problem with ` + "`errors`" + `: a JSON pointer and what is wrong there. By NATS it is the event ` + "`command.refused`" + `, or ` + "`payment.failed`" + ` where
the command was in order and its time had passed. See [upstream.md](upstream.md).

| mistake | by HTTP | by NATS |
|---|---|---|
`)
	for i, m := range mistakes {
		op, order := payment.Deposit, fmt.Sprint("-", i)
		if strings.HasPrefix(m.name, "the same order") {
			order = "-known"
		}
		if strings.HasSuffix(m.name, "payout") {
			op = payment.Payout
		}
		body := strings.Replace(goodCommand, m.old, m.new, 1)
		status, text := s.Post(ctx, "/v1/"+string(op)+"s", strings.Replace(body, "ORDER", "H"+order, 1))
		fmt.Fprintf(&page, "| %s | %s | %s |\n", m.name, answeredByHTTP(t, status, text),
			answeredByNATS(ctx, t, s, js, op, "N"+order, strings.Replace(body, "ORDER", "N"+order, 1)))
	}
	if *update {
		s.Must(os.WriteFile(mistakesPage, []byte(page.String()), 0o644))
	}
	want, err := os.ReadFile(mistakesPage)
	s.Must(err)
	if page.String() != string(want) {
		t.Errorf("docs/mistakes.md is not what is answered: run go test ./test/contracts -run Mistakes -update\n%s", page.String())
	}
}

func answeredByHTTP(t *testing.T, status int, text string) string {
	t.Helper()
	var p struct {
		Type, Detail string
		Errors       []events.RefusedField
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%d %s", status, text)
	}
	answer := fmt.Sprintf("%d `%s`", status, strings.TrimPrefix(p.Type, "urn:payonce:problem:"))
	if len(p.Errors) == 0 {
		return answer + " " + cell(p.Detail)
	}
	return answer + listed(p.Errors)
}

// answeredByNATS publishes to the long subject, and reads the refusal of that very message or the end of its payment.
func answeredByNATS(ctx context.Context, t *testing.T, s *testenv.System, js njs.JetStream, op payment.Operation, order, body string) string {
	t.Helper()
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: order}
	ack, err := js.Publish(ctx, events.CommandSubject(op, ref), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, events.StreamRefusals)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if raw, err := stream.GetLastMsgForSubject(ctx, events.RefusalOf("", ref)); err == nil {
			r, err := events.DecodeRefusal(raw.Data)
			if err != nil {
				t.Fatal(err)
			}
			if r.Sequence == ack.Sequence {
				if len(r.Errors) == 0 {
					return fmt.Sprintf("`%s` %s", r.Reason, cell(r.Detail))
				}
				return fmt.Sprintf("`%s`", r.Reason) + listed(r.Errors)
			}
		}
		if p, _, err := s.Log.Last(ctx, ref); err == nil && p.Status == payment.Failed && p.Reason.Code != payment.ReasonInvalid {
			return fmt.Sprintf("`payment.failed` `%s`", p.Reason.Code)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("nothing is said of %s", body)
		case <-tick.C:
		}
	}
}

func listed(errors []events.RefusedField) string {
	var b strings.Builder
	for _, one := range errors {
		fmt.Fprintf(&b, "<br>`%s` %s", one.Pointer, cell(one.Detail))
	}
	return b.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
