package ingress_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

func TestCommandIsTaken(t *testing.T) {
	for path, op := range map[string]payment.Operation{"/v1/deposits": payment.Deposit, "/v1/payouts": payment.Payout} {
		t.Run(string(op), func(t *testing.T) {
			b := newBorder(t)
			var a answer
			mustCount(t, ingress.CounterCommandsAccepted, []attribute.KeyValue{
				attribute.String("provider", "fake-kr"), attribute.String("operation", string(op)), attribute.Bool("duplicate", false),
			}, func() { a = b.do("POST", path, depositBody, "Content-Type", "application/json; charset=UTF-8") })
			view := a.mustBe(t, http.StatusAccepted)
			for name, want := range map[string]any{
				"provider": "fake-kr", "order": "D-1", "operation": string(op), "status": "requested", "duplicate": false,
				"requested_at": "2026-11-22T00:00:00Z", "revision": float64(0),
			} {
				if view[name] != want {
					t.Errorf("%s is %v, want %v", name, view[name], want)
				}
			}
			if a.header.Get("Location") != "/v1/payments/fake-kr/D-1" || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("header %v", a.header)
			}
			mustHideAll(t, "the view", a.body)
			m := b.queue.commands[ref]
			cmd, err := events.DecodeCommand(m)
			if err != nil || m.Subject != events.CommandSubject(op, ref) {
				t.Fatalf("queued %s: %v", m.Subject, err)
			}
			if cmd.Customer.Name != "HongGilDong" || !cmd.RequestedAt.Equal(start) || cmd.Amount != payment.KRW(10000) {
				t.Errorf("the queue holds another command: %s", m.Data)
			}
		})
	}
}

func TestCommandContinuesTheCallersTrace(t *testing.T) {
	b := newBorder(t)
	b.do("POST", "/v1/deposits", depositBody, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").mustBe(t, 202)
	if got := trace.SpanContextFromContext(b.queue.published[0]).TraceID().String(); got != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("published in trace %s", got)
	}
}

func TestCommandWithoutKeyIsRefused(t *testing.T) {
	b := newBorder(t)
	for name, value := range map[string]string{
		"none": "", "no scheme": apiKey, "other scheme": "Basic " + apiKey, "wrong": "Bearer " + strings.Repeat("0", 64),
		"empty": "Bearer", "part": "Bearer " + apiKey[:63], "more": "Bearer " + apiKey + "0", "its hash": "Bearer " + mustHash(t, apiKey),
	} {
		t.Run(name, func(t *testing.T) {
			// A body that is wrong in every way shows that the key is checked first.
			a := b.do("POST", "/v1/deposits", "{", "Authorization", value, "Content-Type", "text/plain")
			a.mustRefuse(t, 401, "unauthorized", "")
			want := "The API key is not known."
			if slices.Contains([]string{"none", "no scheme", "other scheme", "empty"}, name) {
				want = "An API key is required: send it as Authorization: Bearer."
			}
			if !strings.Contains(a.body, `"detail":"`+want+`"`) {
				t.Errorf("want %q: %s", want, a.body)
			}
			if got := a.header.Get("WWW-Authenticate"); got != `Bearer realm="payonce"` {
				t.Errorf("WWW-Authenticate %q", got)
			}
		})
	}
	t.Run("twice", func(t *testing.T) {
		req, _ := http.NewRequest("GET", b.url+"/v1/providers", nil)
		req.Header["Authorization"] = []string{"Bearer " + apiKey, "Bearer " + apiKey}
		b.send(http.DefaultTransport, req).mustRefuse(t, 401, "unauthorized", "")
	})
	b.do("GET", "/v1/providers", "", "Authorization", "bEARER  "+apiKey).mustBe(t, 200)
}

func mustHash(t *testing.T, key string) string {
	t.Helper()
	hash, err := ingress.HashKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestKeyIsOnlyForItsProvidersAndOperations(t *testing.T) {
	b := newBorder(t)
	narrow := []string{"Authorization", "Bearer " + narrowKey}
	other := strings.Replace(depositBody, "fake-kr", "other-kr", 1)
	b.do("POST", "/v1/deposits", other, narrow...).mustBe(t, 202)
	b.do("POST", "/v1/deposits", depositBody, narrow...).mustRefuse(t, 403, "forbidden", "provider")
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, "fake-kr", "nobody", 1), narrow...).mustRefuse(t, 403, "forbidden", "provider")
	b.do("POST", "/v1/payouts", other, narrow...).mustRefuse(t, 403, "forbidden", "")
	b.log.append(paymentOf(t, payment.Payout, strings.Replace(other, "D-1", "P-1", 1), payment.Settled))
	for _, tail := range []string{"", "/events"} {
		b.do("GET", "/v1/payments/fake-kr/D-1"+tail, "", narrow...).mustRefuse(t, 403, "forbidden", "")
		b.do("GET", "/v1/payments/other-kr/P-1"+tail, "", narrow...).mustRefuse(t, 403, "forbidden", "")
		b.do("GET", "/v1/payments/other-kr/D-1"+tail, "", narrow...).mustBe(t, 200)
		b.do("GET", "/v1/payments/other-kr/P-1"+tail, "").mustBe(t, 200)
	}
}

func TestCommandThatCannotBeRead(t *testing.T) {
	b := newBorder(t)
	for name, c := range map[string]struct {
		headers []string
		body    string
		status  int
		kind    string
	}{
		"no type":         {[]string{"Content-Type", ""}, depositBody, 415, "unsupported_media_type"},
		"form":            {[]string{"Content-Type", "application/x-www-form-urlencoded"}, depositBody, 415, "unsupported_media_type"},
		"latin":           {[]string{"Content-Type", "application/json; charset=iso-8859-1"}, depositBody, 415, "unsupported_media_type"},
		"compressed":      {[]string{"Content-Encoding", "gzip"}, depositBody, 415, "unsupported_media_type"},
		"no identity":     {[]string{"Content-Encoding", "identity"}, "", 400, "malformed"},
		"type goes first": {[]string{"Content-Type", "text/plain"}, strings.Repeat("x", 70<<10), 415, "unsupported_media_type"},
		"too large":       {nil, strings.Repeat(" ", events.MaxCommandBytes) + "x", 413, "too_large"},
		"largest":         {nil, strings.Repeat("x", events.MaxCommandBytes), 400, "malformed"},
		"empty":           {nil, "", 400, "malformed"},
		"array":           {nil, "[]", 400, "malformed"},
		"cut":             {nil, depositBody[:50], 400, "malformed"},
		"two documents":   {nil, depositBody + "{}", 400, "malformed"},
		"brace too many":  {nil, depositBody + "}", 400, "malformed"},
		"no UTF-8":        {nil, strings.Replace(depositBody, "HongGilDong", "\xff", 1), 400, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			mustCount(t, ingress.CounterCommandsRefused, []attribute.KeyValue{
				attribute.String("operation", "deposit"), attribute.String("problem", c.kind),
			}, func() { b.do("POST", "/v1/deposits", c.body, c.headers...).mustRefuse(t, c.status, c.kind, "") })
		})
	}
	if n := b.queue.publishes(); n != 0 {
		t.Errorf("%d commands were published", n)
	}
}

func TestCommandWithAFieldThatIsNotAcceptable(t *testing.T) {
	b := newBorder(t)
	change := func(old, new string) string {
		if !strings.Contains(depositBody, old) {
			t.Fatalf("%q is not in the body", old)
		}
		return strings.Replace(depositBody, old, new, 1)
	}
	for name, c := range map[string]struct{ body, field string }{
		"unknown provider":   {change("fake-kr", "nobody"), "provider"},
		"invalid provider":   {change("fake-kr", "Fake KR"), "provider"},
		"no provider":        {change(`"provider":"fake-kr",`, ""), "provider"},
		"provider a number":  {change(`"fake-kr"`, "7"), "provider"},
		"invalid order":      {change("D-1", "D 01098765432"), "order"},
		"long order":         {change("D-1", strings.Repeat("D", 21)), "order"},
		"amount a number":    {change(`"10000"`, "10000"), "amount.value"},
		"decimals of won":    {change("10000", "10000.00"), "amount.value"},
		"nothing":            {change(`"10000"`, `"0"`), "amount.value"},
		"unknown currency":   {change("KRW", "EUR"), "amount.currency"},
		"other's currency":   {change("KRW", "TWD"), "amount.currency"},
		"misspelt field":     {change(`"order"`, `"emial":"hong@example.com","order"`), "emial"},
		"a value as name":    {change(`"order"`, `"hong@example.com":1,"order"`), ""},
		"doubled field":      {change(`"order"`, `"order":"D-2","order"`), "order"},
		"doubled metadata":   {change(`"shop":"7"`, `"01098765432":"a","01098765432":"b"`), "metadata"},
		"other operation":    {change(`"order"`, `"operation":"payout","order"`), "operation"},
		"unknown method":     {change(`"order"`, `"method":"01098765432","order"`), "method"},
		"address":            {change(`"name"`, `"ip_address":"01098765432","name"`), "customer.ip_address"},
		"connector's rule":   {change(`"name":"HongGilDong",`, ""), "customer.name"},
		"connector's secret": {change(`"order"`, `"description":"broken connector","order"`), ""},
		"not a time":         {change(`"order"`, `"requested_at":"01098765432","order"`), "requested_at"},
		"future":             {change(`"order"`, `"requested_at":"2026-11-22T00:05:01Z","order"`), "requested_at"},
		"after all years":    {change(`"order"`, `"expires_at":"9999-12-31T23:59:59-01:00","order"`), "expires_at"},
	} {
		t.Run(name, func(t *testing.T) {
			b.do("POST", "/v1/deposits", c.body).mustRefuse(t, 422, "invalid_field", c.field)
		})
	}
	if n := b.queue.publishes(); n != 0 {
		t.Errorf("%d commands were published", n)
	}
	b.do("POST", "/v1/deposits", change(`"order"`, `"requested_at":"2026-11-22T09:05:00+09:00","order"`)).mustBe(t, 202)
}

func TestCommandThatMayNotBeStored(t *testing.T) {
	for name, spoil := range map[string]func(*border){
		"log down before publishing": func(b *border) { b.log.last = func(int) error { return errors.New("no answer") } },
		"publish not acknowledged":   func(b *border) { b.queue.publish = func() error { return errors.New("no acknowledgement") } },
		"queue unreadable": func(b *border) {
			b.queue.put(queuedMessage(b.t, payment.Deposit, depositBody, "x"))
			b.queue.read = func() (events.Message, error) { return events.Message{}, errors.New("no answer") }
		},
		"log down after publishing": func(b *border) {
			b.log.last = func(call int) error {
				if call > 1 {
					return errors.New("no answer")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBorder(t)
			spoil(b)
			a := b.do("POST", "/v1/deposits", depositBody)
			a.mustRefuse(t, 503, "unavailable", "")
			if !strings.Contains(a.body, "may have been accepted: send the same request again") {
				t.Errorf("the client is not told what to do: %s", a.body)
			}
			if !strings.Contains(b.logged.String(), "no a") || !strings.Contains(b.logged.String(), `"order":"D-1"`) {
				t.Errorf("the log does not tell: %s", b.logged.String())
			}
		})
	}
}

func TestPanicIsOurFault(t *testing.T) {
	b := newBorder(t)
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, `"order"`, `"description":"panic","order"`, 1)).mustRefuse(t, 500, "internal", "")
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, `"order"`, `"description":"crash","order"`, 1)).mustRefuse(t, 500, "internal", "")
	if logged := b.logged.String(); !strings.Contains(logged, `"panic":"string"`) || !strings.Contains(logged, "index out of range") {
		t.Errorf("the panics are not logged: %s", logged)
	}
	b.do("POST", "/v1/deposits", depositBody).mustBe(t, 202)
}

func TestTenMegabytesAreNotRead(t *testing.T) {
	for _, path := range []string{"/v1/deposits", "/webhooks/fake-kr"} {
		for name, length := range map[string]int64{"with length": 10 << 20, "chunked": -1} {
			t.Run(path+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, lines := newPiped(t)
					body := &countingReader{Reader: bytes.NewReader(make([]byte, 10<<20))}
					req, _ := http.NewRequest("POST", b.url+path, body)
					req.ContentLength = length
					req.Header.Set("Authorization", "Bearer "+apiKey)
					req.Header.Set("Content-Type", "application/json")
					a := b.send(stubborn{lines}, req)
					a.mustRefuse(t, 413, "too_large", "")
					if !a.closed {
						t.Error("the connection stays open")
					}
					if body.n.Load() > 2<<20 { // what is allowed, what net/http reads to be polite, and buffers
						t.Errorf("%d bytes were taken", body.n.Load())
					}
					if n := b.queue.publishes() + len(b.sink.webhooks); n != 0 {
						t.Errorf("%d messages were published", n)
					}
				})
			})
		}
	}
}

type countingReader struct {
	io.Reader
	n atomic.Int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(int64(n))
	return n, err
}
