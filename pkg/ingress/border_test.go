package ingress_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
	"payonce/test/contracts"
)

const (
	apiKey    = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	narrowKey = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

// personal is what must never be seen in a log line or a problem.
var personal = []string{"HongGilDong", "01098765432", "hong@example.com", "110-222-333444", "900101", apiKey, narrowKey, "webhook-secret"}

// depositBody is a whole command with personal data in every place that has some.
const depositBody = `{"provider":"fake-kr","order":"D-1","amount":{"value":"10000","currency":"KRW"},
 "customer":{"name":"HongGilDong","phone":"01098765432","email":"hong@example.com","id_number":"900101"},
 "account":{"number":"110-222-333444","holder":"HongGilDong"},"metadata":{"shop":"7"}}`

var (
	start  = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	ref    = payment.Ref{Provider: "fake-kr", Order: "D-1"}
	reader = metric.NewManualReader()
)

func TestMain(m *testing.M) {
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	var err error
	if document, err = contracts.OpenOpenAPI("../../docs/contracts/openapi.yaml"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if all := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" &&
		flag.Lookup("test.list").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == "" && flag.Lookup("test.bench").Value.String() == ""; all && code == 0 {
		code = unseen()
	}
	os.Exit(code)
}

// document is what every answer of these tests is held against.
var document *contracts.OpenAPI

// unseen fails where openapi.yaml promises what no test of this package was answered.
func unseen() int {
	if promises := document.Unseen(); len(promises) > 0 {
		fmt.Fprintf(os.Stderr, "openapi.yaml promises what no test was answered:\n%s\n", strings.Join(promises, "\n"))
		return 1
	}
	return 0
}

// border is an ingress with fakes behind its ports and a real HTTP server before it.
type border struct {
	t      *testing.T
	log    *fakeLog
	queue  *fakeQueue
	sink   *fakeSink
	logged *lockedBuffer
	ready  error
	server *ingress.Server
	url    string
}

func newServer(t *testing.T, change ...func(*ingress.Options)) *border {
	t.Helper()
	b := &border{t: t, log: newFakeLog(), queue: newFakeQueue(), sink: &fakeSink{}, logged: &lockedBuffer{}}
	var ids atomic.Int64
	options := b.options(func() string { return fmt.Sprintf("id-%d", ids.Add(1)) })
	for _, c := range change {
		c(&options)
	}
	server, err := ingress.New(options)
	if err != nil {
		t.Fatal(err)
	}
	b.server = server
	t.Cleanup(func() { mustHideAll(t, "the log output", b.logged.String()) })
	return b
}

func newBorder(t *testing.T, change ...func(*ingress.Options)) *border {
	t.Helper()
	b := newServer(t, change...)
	web := httptest.NewUnstartedServer(b.server)
	web.Config = ingress.NewHTTPServer(b.server, testLimits())
	web.Start()
	t.Cleanup(web.Close)
	b.url = web.URL
	return b
}

// testLimits are those of the tests that do not change them.
func testLimits() ingress.Limits {
	return ingress.Limits{
		HeaderBytes: 16 << 10, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 40 * time.Second, IdleTimeout: 2 * time.Minute, BackendTimeout: 10 * time.Second,
		MaxWait: time.Minute, MaxWaiting: 1024, MaxWaitingPerKey: 256, MaxRequests: 512, MaxRequestsPerKey: 256, MaxRequestsPerProvider: 256,
		RequestsPerSecond: 200, Burst: 400, BytesPerSecond: 1 << 20, BytesBurst: 4 << 20,
		BodyBytes: 32 << 20, BodyBytesPerSource: 2 << 20, BodyBytesPerProvider: 16 << 20,
	}
}

func (b *border) options(newID func() string) ingress.Options {
	wide, _ := ingress.HashKey(apiKey)
	narrow, _ := ingress.HashKey(narrowKey)
	return ingress.Options{
		Registry: connectors.NewRegistry(map[string]connectors.Connector{
			"fake-kr": fakeConnector{}, "other-kr": fakeConnector{}, "mute-kr": muteConnector{},
		}),
		Commands: b.queue, Webhooks: b.sink, Log: b.log, Actions: b.log, Limits: testLimits(),
		Keys: []ingress.APIKey{
			{Name: "narrow", SHA256: narrow, Providers: []string{"other-kr"}, Operations: []payment.Operation{payment.Deposit}},
			{Name: "shop", SHA256: wide},
		},
		Now: func() time.Time { return start }, NewID: newID,
		Logger: slog.New(slog.NewJSONHandler(b.logged, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: stopped})),
		Ready:  func(context.Context) error { return b.ready },
		Status: fakeStatus{b.log},
	}
}

// stopped stops the clock of the log, whose billionths of a second now and then read like a person's id number.
func stopped(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		a.Value = slog.TimeValue(start)
	}
	return a
}

type answer struct {
	status int
	header http.Header
	body   string
	closed bool // the server said that it closes the connection
}

// do sends a request with the API key and the JSON content type; headers, as name and value, replace
// them. An empty value takes a header away.
func (b *border) do(method, path, body string, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Del(headers[i])
		if headers[i+1] != "" {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return b.send(http.DefaultTransport, req)
}

func (b *border) send(transport http.RoundTripper, req *http.Request) answer {
	b.t.Helper()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, string(body), resp.Close}
	cache := "no-store"
	if strings.HasSuffix(req.URL.Path, "/banks") && a.status == http.StatusOK {
		cache = "private, max-age=300"
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Cache-Control": cache, "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got := a.header.Get(name); got != want {
			b.t.Errorf("%s %s: header %s is %q, want %q", req.Method, req.URL.Path, name, got, want)
		}
	}
	if a.header.Get("X-Request-Id") == "" {
		b.t.Errorf("%s %s: no X-Request-Id", req.Method, req.URL.Path)
	}
	if err := document.Check(req.Method, req.URL.EscapedPath(), a.status, a.header, body); err != nil {
		b.t.Errorf("not as in openapi.yaml: %s %s: %v", req.Method, req.URL.Path, err)
	}
	return a
}

// mustBe checks the status of an answer and returns its body as JSON.
func (a answer) mustBe(t *testing.T, status int) map[string]any {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(a.body), &document); err != nil {
		t.Fatalf("the body is not a JSON object: %v: %s", err, a.body)
	}
	return document
}

// mustRefuse checks every part of a problem.
func (a answer) mustRefuse(t *testing.T, status int, kind, field string) {
	t.Helper()
	p := a.mustBe(t, status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	if p["type"] != ingress.ProblemPrefix+kind || p["status"] != float64(status) || p["title"] == "" || p["title"] == nil {
		t.Errorf("got %s, want type …:%s, status %d and a title", a.body, kind, status)
	}
	if got, _ := p["field"].(string); got != field {
		t.Errorf("field %q, want %q: %s", got, field, a.body)
	}
	if p["instance"] != "urn:payonce:request:"+a.header.Get("X-Request-Id") {
		t.Errorf("instance %v does not name request %s", p["instance"], a.header.Get("X-Request-Id"))
	}
	if retry := a.header.Get("Retry-After"); (retry != "") != (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		t.Errorf("Retry-After %q with status %d", retry, status)
	}
	mustHideAll(t, "a problem", a.body)
}

func mustHideAll(t *testing.T, where, text string) {
	t.Helper()
	for _, secret := range personal {
		if strings.Contains(text, secret) {
			t.Errorf("%q stands in %s: %s", secret, where, text)
		}
	}
}

// counted returns a counter's value for exactly these attributes.
func counted(t *testing.T, name string, attributes ...attribute.KeyValue) int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	want := attribute.NewSet(attributes...)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name && scope.Scope.Name == ingress.MeterName {
				for _, point := range sum.DataPoints {
					if point.Attributes.Equals(&want) {
						return point.Value
					}
				}
			}
		}
	}
	return 0
}

// mustCount checks that do counts once, with exactly these attributes.
func mustCount(t *testing.T, name string, attributes []attribute.KeyValue, do func()) {
	t.Helper()
	before := counted(t, name, attributes...)
	do()
	if got := counted(t, name, attributes...) - before; got != 1 {
		t.Errorf("%s %v counted %d times, want once", name, attributes, got)
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// fakeConnector takes deposits and payouts in won, and webhooks signed with a secret.
type fakeConnector struct{ muteConnector }

// muteConnector is a provider that never calls.
type muteConnector struct{}

func (muteConnector) Submit(context.Context, payment.Command) (payment.Observation, error) {
	panic("the ingress never submits")
}

func (muteConnector) Lookup(context.Context, connectors.Query) (payment.Observation, error) {
	panic("the ingress never looks up")
}

func (muteConnector) Traits() connectors.Traits {
	return connectors.Traits{
		Kind: "fake", Operations: []payment.Operation{payment.Deposit, payment.Payout}, Currencies: []string{"KRW"},
		MaxOrderLength: 20, Methods: map[payment.Operation][]string{payment.Deposit: {"va", "card"}},
	}
}

func (fakeConnector) Check(cmd payment.Command) error {
	switch cmd.Description {
	case "broken connector":
		return fmt.Errorf("a connector that tells %s", cmd.Customer.Name)
	case "panic":
		panic(cmd.Customer.Name)
	case "crash":
		var none []string
		_ = none[len(cmd.Description)]
	}
	if cmd.Customer.Name == "" {
		return &payment.FieldError{Field: "customer.name", Problem: "is required"}
	}
	return nil
}

func signature(body string) string {
	sum := sha256.Sum256([]byte("webhook-secret" + body))
	return hex.EncodeToString(sum[:])
}

func (fakeConnector) Webhook(header http.Header, body []byte, receivedAt time.Time) (connectors.Notice, error) {
	if header.Get("X-Signature") != signature(string(body)) {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadSignature, Problem: "expected " + signature(string(body))}
	}
	switch header.Get("X-Case") {
	case "stale":
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.StaleWebhook}
	case "other account":
		return connectors.Notice{}, fmt.Errorf("wrapped: %w", &connectors.WebhookError{Refusal: connectors.WrongProvider})
	case "new refusal":
		return connectors.Notice{}, &connectors.WebhookError{Refusal: "never_heard_of"}
	case "unclassified":
		return connectors.Notice{}, fmt.Errorf("cannot read %s", body)
	case "late":
		if !receivedAt.Equal(start) {
			return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.StaleWebhook}
		}
	}
	var call struct{ Order string }
	if json.Unmarshal(body, &call) != nil {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadWebhook}
	}
	answer := connectors.Answer{ContentType: "text/plain", Body: "SUCCESS"}
	if header.Get("X-Case") == "bare answer" {
		answer = connectors.Answer{Body: "<ok>"}
	}
	notice := connectors.Notice{Order: call.Order, Answer: answer}
	if header.Get("X-Case") == "digest" {
		notice.Digest = sha256.Sum256([]byte(call.Order))
	}
	return notice, nil
}

// queuedMessage is how the queue holds a command.
func queuedMessage(t *testing.T, op payment.Operation, body, id string) events.Message {
	t.Helper()
	cmd, err := events.ParseCommand(op, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	cmd.RequestedAt = start
	out, err := events.EncodeCommand(cmd, id)
	if err != nil {
		t.Fatal(err)
	}
	return events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, StoredAt: start}
}

// paymentOf is the payment of a command in a status, as the log has it.
func paymentOf(t *testing.T, op payment.Operation, body string, status payment.Status) payment.Payment {
	t.Helper()
	cmd, err := events.DecodeCommand(queuedMessage(t, op, body, "x"))
	if err != nil {
		t.Fatal(err)
	}
	p := payment.New(cmd)
	p.Status, p.Revision = status, 1
	return p
}
