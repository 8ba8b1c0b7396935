package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v4"

	"payonce/pkg/client"
	"payonce/pkg/payment"
)

var ref = client.Ref{Provider: "teemopay-kr", Order: "D-1001"}

const accepted = `{"provider":"teemopay-kr","order":"D-1001","operation":"deposit","status":"requested","revision":0,"attempts":0,"updated_at":"2026-11-30T09:00:00Z","duplicate":true}`

// ingress answers each request with the next function; the last one answers all that follow.
type ingress struct {
	mu       sync.Mutex
	answers  []func(w http.ResponseWriter)
	requests []string // method, path, what decides, and body
}

func (i *ingress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	i.requests = append(i.requests, strings.Join([]string{r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("Prefer"), string(body)}, " "))
	answer := i.answers[0]
	if len(i.answers) > 1 {
		i.answers = i.answers[1:]
	}
	i.mu.Unlock()
	answer(w)
}

func start(t *testing.T, answers ...func(w http.ResponseWriter)) (*ingress, *client.Client) {
	t.Helper()
	i := &ingress{answers: answers}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, "key")
	if err != nil {
		t.Fatal(err)
	}
	c.Pause(func() backoff.BackOff { return backoff.NewConstantBackOff(time.Millisecond) })
	return i, c
}

func say(status int, body string, headers ...string) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func cut(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// A command that got no answer, or none about itself, is sent again with the same bytes, until there is one.
func TestCommandIsRepeatedUntilItIsAnswered(t *testing.T) {
	i, c := start(t, cut, say(503, `{"type":"urn:payonce:problem:unavailable"}`, "Retry-After", "0"), say(429, "{}"), say(408, ""), say(500, "<html>"), say(502, "no JSON"),
		say(202, `{"provider":`), say(202, accepted))
	answer, err := c.Deposit(t.Context(), client.Command{Ref: ref, Amount: client.KRW(10000), Metadata: map[string]string{"b": "2", "a": "1"}})
	if err != nil || !answer.Duplicate || answer.Status != payment.Requested {
		t.Fatalf("%+v, %v", answer, err)
	}
	want := `POST /v1/deposits Bearer key application/json  {"provider":"teemopay-kr","order":"D-1001","operation":"deposit","amount":{"value":"10000","currency":"KRW"},"metadata":{"a":"1","b":"2"}}`
	if len(i.requests) != 8 || len(slices.Compact(slices.Clone(i.requests))) != 1 || i.requests[0] != want {
		t.Errorf("%d requests, the first: %s", len(i.requests), i.requests[0])
	}
}

// A refusal is an answer: it is not asked for again, and it names every field that is wrong.
func TestRefusalIsReturned(t *testing.T) {
	for status, body := range map[int]string{
		400: `{"type":"urn:payonce:problem:malformed","title":"Body unreadable","status":400}`,
		401: `{"type":"urn:payonce:problem:unauthorized","title":"API key missing or unknown","status":401}`,
		404: "<html>another server</html>",
		409: `{"type":"urn:payonce:problem:order_reused","title":"Order number already used","status":409,"errors":[{"pointer":"/amount/value","detail":"differs"}]}`,
		422: `{"type":"urn:payonce:problem:invalid_field","title":"Invalid field","status":422,"errors":[{"pointer":"/customer/name","detail":"is required"},{"pointer":"/amount","detail":"is too large"}]}`,
		302: "",
	} {
		i, c := start(t, say(status, body, "Location", "http://127.0.0.1:1/elsewhere"))
		_, err := c.Payout(t.Context(), client.Command{Ref: ref, Amount: client.TWD(100)})
		var problem *client.Problem
		if !errors.As(err, &problem) || problem.Status != status || len(i.requests) != 1 {
			t.Errorf("%d: %d requests, %v", status, len(i.requests), err)
			continue
		}
		for _, e := range problem.Errors {
			if !strings.Contains(err.Error(), e.Pointer+" "+e.Detail) {
				t.Errorf("%v does not say %v", err, e)
			}
		}
		if strings.Contains(body, "urn:") != (problem.Code() != "") {
			t.Errorf("%d has the code %q", status, problem.Code())
		}
	}
}

// The caller's time ends it, and the error says what was wrong before.
func TestContextEndsTheTries(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	_, c := start(t, func(w http.ResponseWriter) {
		say(503, `{"type":"urn:payonce:problem:overloaded","title":"At capacity"}`)(w)
		stop()
	})
	_, err := c.Deposit(ctx, client.Command{Ref: ref, Amount: client.KRW(1)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func view(status, more string) func(w http.ResponseWriter) {
	return say(200, `{"provider":"teemopay-kr","order":"D-1001","operation":"deposit","revision":1,"attempts":1,"updated_at":"2026-11-30T09:00:00Z","status":"`+status+`"`+more+`}`)
}

// It asks the ingress to wait, goes on through what the caller does not wait for, statuses of later versions too, and pauses where the
// ingress answers at once.
func TestWaitUntil(t *testing.T) {
	action := `,"action":{"type":"redirect","redirect":{"url":"https://pay.example/1"}}`
	for name, test := range map[string]struct {
		until func(client.Payment) bool
		want  payment.Status
		asked int
	}{"the customer must act": {client.Actionable, payment.Pending, 3}, "it has ended": {client.Ended, payment.Settled, 6}} {
		t.Run(name, func(t *testing.T) {
			i, c := start(t, view("requested", ""), view("polishing", ""), view("pending", action), say(503, ""), view("pending", action), view("settled", ""))
			pauses := 0
			c.Pause(func() backoff.BackOff { return counted{&pauses} })
			p, err := c.Wait(t.Context(), ref, test.until)
			if err != nil || p.Status != test.want || len(i.requests) != test.asked {
				t.Fatalf("%s after %d requests, %v", p.Status, len(i.requests), err)
			}
			if pauses != test.asked-1 {
				t.Errorf("%d pauses between %d requests", pauses, test.asked)
			}
			if want := "GET /v1/payments/teemopay-kr/D-1001 Bearer key  wait=60 "; i.requests[0] != want {
				t.Errorf("asked %q, want %q", i.requests[0], want)
			}
		})
	}
}

// counted pauses for no time and counts.
type counted struct{ n *int }

func (c counted) NextBackOff() time.Duration { *c.n++; return 0 }
func (c counted) Reset()                     {}

// A pause grows while the ingress answers at once, and is short again once it has waited.
func TestPausesAreShortAgainAfterAWait(t *testing.T) {
	waited := say(200, `{"provider":"teemopay-kr","order":"D-1001","operation":"deposit","revision":1,"attempts":1,"updated_at":"2026-11-30T09:00:00Z","status":"submitting"}`, "Preference-Applied", "wait=60")
	_, c := start(t, view("submitting", ""), waited, view("settled", ""))
	resets := 0
	c.Pause(func() backoff.BackOff { return reset{&resets} })
	if _, err := c.Wait(t.Context(), ref, client.Ended); err != nil || resets != 1 {
		t.Errorf("%d resets, %v", resets, err)
	}
}

type reset struct{ n *int }

func (r reset) NextBackOff() time.Duration { return 0 }
func (r reset) Reset()                     { *r.n++ }

func TestWaitEndsWithTheContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	_, c := start(t, view("submitting", ""), func(w http.ResponseWriter) { view("in_doubt", "")(w); stop() })
	p, err := c.Wait(ctx, ref, client.Ended)
	if !errors.Is(err, context.Canceled) || p.Status != payment.InDoubt && p.Status != payment.Submitting {
		t.Errorf("%s, %v", p.Status, err)
	}
}

func TestWrongAddressesAreRefused(t *testing.T) {
	for _, address := range []string{"", "payments.example.com", "ftp://payments.example.com", "https://", "https://a:secret@payments.example.com", "https://payments.example.com?a=b", "https://a:secret%zz@payments.example.com"} {
		if _, err := client.New(address, "key"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := client.New("https://payments.example.com", ""); err == nil {
		t.Error("an empty key is taken")
	}
	c, _ := client.New("https://payments.example.com", "key")
	if _, err := c.Payment(t.Context(), client.Ref{Provider: "a/../b", Order: "D"}); err == nil {
		t.Error("a provider that is a path is taken")
	}
}
