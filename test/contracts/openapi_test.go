package contracts

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

const openAPI = "../../docs/contracts/openapi.yaml"

// client sends the document's examples and holds every answer against it.
type client struct {
	*stack
	t    *testing.T
	doc  *OpenAPI
	sent map[string]int // by operation
}

// example sends an operation as its examples say, and returns the body of the answer that must have the status.
func (c *client) example(id string, status int, header http.Header) []byte {
	c.t.Helper()
	for path, item := range c.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.OperationID != id {
				continue
			}
			query := url.Values{}
			for _, parameter := range slices.Concat(item.Parameters, operation.Parameters) {
				if parameter.Value.Example == nil && !parameter.Value.Required {
					continue
				}
				switch name, text := parameter.Value.Name, fmt.Sprint(parameter.Value.Example); parameter.Value.In {
				case "path":
					path = strings.ReplaceAll(path, "{"+name+"}", text)
				case "query":
					query.Set(name, text)
				}
			}
			if len(query) > 0 {
				path += "?" + query.Encode()
			}
			body := ""
			if operation.RequestBody != nil && operation.RequestBody.Value.Content["application/json"] != nil {
				text, err := json.Marshal(operation.RequestBody.Value.Content["application/json"].Example)
				if err != nil {
					c.t.Fatal(err)
				}
				body = string(text)
			}
			c.sent[id]++
			return c.send(method, path, body, status, header)
		}
	}
	c.t.Fatalf("there is no operation %s", id)
	return nil
}

func (c *client) send(method, path, body string, status int, header http.Header) []byte {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.ingress+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.apiKey)
	req.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		req.Header[name] = values
	}
	reply, err := (&http.Client{Timeout: 2 * timeout}).Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.doc.CheckRequest(method, path, req.Header, body); err != nil && status < 300 {
		c.t.Errorf("taken, but not as in openapi.yaml: %v", err)
	}
	if err := c.doc.Check(method, path, reply.StatusCode, reply.Header, text); err != nil {
		c.t.Errorf("not as in openapi.yaml: %v", err)
	}
	if reply.StatusCode != status {
		c.t.Fatalf("%s %s: %d, want %d: %s", method, path, reply.StatusCode, status, text)
	}
	return text
}

// until reads a payment, waiting, until it is as wanted.
func (c *client) until(ref payment.Ref, wanted func(payment.Payment) bool) {
	c.t.Helper()
	for deadline := time.Now().Add(timeout); ; {
		var p payment.Payment
		if err := json.Unmarshal(c.send("GET", "/v1/payments/"+ref.String(), "", 200, http.Header{"Prefer": {"wait=5"}}), &p); err != nil {
			c.t.Fatal(err)
		}
		if wanted(p) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s is %s", ref, p.Status)
		}
	}
}

// Every operation is sent with its examples, by HTTP to a real ingress with a worker and the sandbox behind it, and
// taken; every answer is as the document says.
func TestOpenAPIExamplesAreTaken(t *testing.T) {
	doc, err := OpenOpenAPI(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{stack: startStack(t), t: t, doc: doc, sent: map[string]int{}}
	for _, id := range []string{"healthz", "readyz", "providers", "oneProvider", "status", "banks", "balance"} {
		c.example(id, 200, nil)
	}
	deposit, payout := payment.Ref{Provider: testenv.TeemoPay, Order: "D-1001"}, payment.Ref{Provider: testenv.TeemoPay, Order: "P-1001"}
	for _, want := range []string{`"duplicate":false`, `"duplicate":true`} {
		for _, id := range []string{"deposit", "payout"} {
			if body := c.example(id, 202, nil); !strings.Contains(string(body), want) {
				t.Errorf("%s is not %s: %s", id, want, body)
			}
		}
	}
	c.until(deposit, func(p payment.Payment) bool { return p.Action != nil })
	if err := c.sandbox.Pay(deposit.Provider, deposit.Order, 0); err != nil {
		t.Fatal(err)
	}
	ended := func(p payment.Payment) bool { return p.Status == payment.Settled }
	c.until(deposit, ended)
	c.until(payout, ended)
	c.example("payment", 200, nil)
	c.example("payment", 200, http.Header{"Prefer": {"wait=1"}})
	if body := c.example("timeline", 200, nil); strings.Count(string(body), `"sequence"`) < 3 {
		t.Errorf("the timeline is %s", body)
	}
	if body := c.example("payments", 200, nil); !strings.Contains(string(body), `"looked"`) || !strings.Contains(string(body), `"D-1001"`) {
		t.Errorf("the log was searched: %s", body)
	}
	c.clarification()
	c.example("webhook", 401, nil) // only a provider can sign one; those of the sandbox settled the payments
	if len(c.sent) != len(doc.Routes()) {
		t.Errorf("%v were sent, the document has %d", c.sent, len(doc.Routes()))
	}
}

// clarification answers the question of the provider whose payment is the example's.
func (c *client) clarification() {
	c.t.Helper()
	ref := payment.Ref{Provider: testenv.ECommPay, Order: "D-x-clarification-1005"}
	v := testenv.Variant{Account: ref.Provider, Method: "gate", Operation: payment.Deposit, Amount: payment.KRW(10_000)}
	c.send("POST", "/v1/deposits", v.Command(ref), 202, nil)
	c.until(ref, func(p payment.Payment) bool { return p.Action != nil && p.Action.Clarification != nil })
	c.example("clarify", 202, nil)
	c.until(ref, func(p payment.Payment) bool { return p.Action != nil && p.Action.Transfer != nil })
}

// What the document says must fail where it is wrong: each of these answers has one mistake.
func TestWrongAnswersAreFound(t *testing.T) {
	doc, err := OpenOpenAPI(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	queued, err := json.Marshal(payment.New(payment.Command{Ref: payment.Ref{Provider: "p", Order: "o"}, Operation: payment.Deposit, Amount: payment.KRW(1)}))
	if err != nil {
		t.Fatal(err)
	}
	view := string(queued)
	accepted := strings.TrimSuffix(view, "}") + `,"duplicate":false}`
	refusal := `{"type":"urn:payonce:problem:rate_limited","title":"t","status":429,"instance":"urn:payonce:request:1"}`
	plain := func() http.Header { return http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"1"}} }
	located := func() http.Header { h := plain(); h.Set("Location", "/v1/payments/p/o"); return h }
	later := func() http.Header {
		return http.Header{"Content-Type": {"application/problem+json"}, "X-Request-Id": {"1"}, "Retry-After": {"5"}}
	}
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
		good   bool
	}{
		"taken":                     {202, located(), accepted, true},
		"refused":                   {429, later(), refusal, true},
		"another status":            {201, located(), accepted, false},
		"an unknown property":       {202, located(), strings.Replace(accepted, "{", `{"colour":"red",`, 1), false},
		"a property is missing":     {202, located(), view, false},
		"a type is wrong":           {202, located(), strings.Replace(accepted, "false", `"no"`, 1), false},
		"no Location":               {202, plain(), accepted, false},
		"a wrong Location":          {202, func() http.Header { h := located(); h.Set("Location", "/elsewhere"); return h }(), accepted, false},
		"an unknown header":         {202, func() http.Header { h := located(); h.Set("X-New", "1"); return h }(), accepted, false},
		"another media type":        {202, func() http.Header { h := located(); h.Set("Content-Type", "text/plain"); return h }(), accepted, false},
		"no Retry-After":            {429, func() http.Header { h := later(); h.Del("Retry-After"); return h }(), refusal, false},
		"a Retry-After as a date":   {429, func() http.Header { h := later(); h.Set("Retry-After", "tomorrow"); return h }(), refusal, false},
		"a problem of another":      {429, later(), strings.Replace(refusal, "rate_limited", "not_found", 1), false},
		"a problem with more in it": {429, later(), strings.Replace(refusal, "{", `{"colour":"red",`, 1), false},
	} {
		if err := doc.Check("POST", "/v1/deposits", c.status, c.header, []byte(c.body)); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for body, good := range map[string]bool{view: true, strings.Replace(view, "{", `{"colour":"red",`, 1): false} { // its schema is in another file
		tagged := plain()
		tagged.Set("ETag", `"0"`)
		if err := doc.Check("GET", "/v1/payments/p/o", 200, tagged, []byte(body)); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
	if err := doc.Check("GET", "/v1/nothing", 200, plain(), []byte("{}")); err == nil {
		t.Error("a path that is not in the document is answered 200")
	}
}

// The payment of the document has every field of the events' schema, and no other.
func TestOpenAPIHasTheFieldsOfTheEvents(t *testing.T) {
	doc, err := OpenOpenAPI(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	var event struct{ Properties map[string]any }
	if err := json.Unmarshal(events.PaymentSchema, &event); err != nil {
		t.Fatal(err)
	}
	has := doc.Components.Schemas["accepted"].Value.OneOf[1].Value.Properties
	for _, ours := range []string{"duplicate", "retry", "detail"} { // about the command
		delete(has, ours)
	}
	if got, want := slices.Sorted(maps.Keys(has)), slices.Sorted(maps.Keys(event.Properties)); !slices.Equal(got, want) {
		t.Errorf("the answer to a command has\n%v\nevents have\n%v", got, want)
	}
}
