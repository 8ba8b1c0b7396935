package endpoints_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"payonce/pkg/endpoints"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	first  = newSecret("first key of the shop, 32 bytes!")
	second = newSecret("second key of the shop, 32 bytes")
)

func newSecret(key string) string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(key)) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func shop(url string) endpoints.Endpoint {
	return endpoints.Endpoint{
		Name: "shop", URL: url, Secrets: []secret.Value{secret.New(first)}, Upstream: "shop", Statuses: []payment.Status{payment.Settled},
		Concurrency: 1, Networks: loopback,
	}
}

func options(logs io.Writer, to ...endpoints.Endpoint) endpoints.Options {
	return endpoints.Options{
		Endpoints: to, Timeout: 2 * time.Second, RetryMin: 5 * time.Second, RetryMax: 8 * time.Hour, GiveUpAfter: 72 * time.Hour,
		Breaker: endpoints.Breaker{Failures: 5, OpenFor: 30 * time.Second}, Now: time.Now, Logger: slog.New(slog.NewTextHandler(logs, nil)),
	}
}

// handlers is a queue that keeps the handler of each endpoint, for a test to call.
type handlers struct {
	mu    sync.Mutex
	of    map[string]queue.Handler
	asked chan struct{} // has one for each handler
}

func (h *handlers) ConsumeEndpoint(ctx context.Context, endpoint string, _ int, handler queue.Handler) error {
	h.mu.Lock()
	h.of[endpoint] = handler
	h.mu.Unlock()
	h.asked <- struct{}{}
	<-ctx.Done()
	return nil
}

func (h *handlers) AnswerEndpointTests(ctx context.Context, _ func(context.Context, string) (events.EndpointTest, bool)) error {
	<-ctx.Done()
	return nil
}

func (h *handlers) EndpointBacklog(context.Context, string) (events.EndpointBacklog, error) {
	return events.EndpointBacklog{New: 17, Due: 2}, nil
}

// handlerOf runs a notifier until the test ends and returns the handler of its one endpoint.
func handlerOf(t *testing.T, o endpoints.Options) queue.Handler {
	t.Helper()
	_, handler := running(t, o)
	return handler
}

// running runs a notifier until the test ends and returns it, and the handler of its one endpoint.
func running(t *testing.T, o endpoints.Options) (*endpoints.Notifier, queue.Handler) {
	t.Helper()
	n, err := endpoints.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return n, handlerOfNotifier(t, n, o.Endpoints[0].Name)
}

func handlerOfNotifier(t *testing.T, n *endpoints.Notifier, endpoint string) queue.Handler {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	q, ended := &handlers{of: map[string]queue.Handler{}, asked: make(chan struct{}, 8)}, make(chan error, 1)
	go func() { ended <- n.Run(ctx, q) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-q.asked
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.of[endpoint]
}

// event is a message of the log about a payment.
func event(t *testing.T, id string, edit func(*payment.Payment)) events.Message {
	t.Helper()
	p := payment.Payment{
		Ref: payment.Ref{Provider: "acme", Order: "D-1"}, Operation: payment.Deposit, Status: payment.Settled, Revision: 3, Upstream: "shop",
		Amount: payment.KRW(10_000), SettledAmount: payment.KRW(10_000), UpdatedAt: time.Now().UTC(),
	}
	if edit != nil {
		edit(&p)
	}
	out, err := events.EncodePayment(p, id)
	if err != nil {
		t.Fatal(err)
	}
	return events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Sequence: 17}
}

// tried is m as it comes back after some attempts.
func tried(m events.Message, attempts int, since time.Time) events.Message {
	m.Header.Set(events.HeaderAttempts, fmt.Sprint(attempts))
	m.Header.Set(events.HeaderFirstAttempt, since.Format(time.RFC3339Nano))
	return m
}

// request is one that a receiver got.
type request struct {
	header http.Header
	body   []byte
}

func receiver(t *testing.T, status int) (url string, got *[]request) {
	t.Helper()
	got = &[]request{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got = append(*got, request{r.Header.Clone(), body})
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "a secret of the shop's customer")
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

// What a receiver gets is what a ledger reads, signed so that the official library verifies it with either secret while one is
// changed, and recognisable by the event's id.
func TestRequestIsAStandardWebhook(t *testing.T) {
	url, got := receiver(t, http.StatusNoContent)
	e := shop(url)
	e.Secrets = append(e.Secrets, secret.New(second))
	m := event(t, "01939c3e-5a00-7000-8000-000000000001", nil)
	if v := handlerOf(t, options(io.Discard, e))(t.Context(), m); v.Kind != queue.Done {
		t.Fatalf("%+v", v)
	}
	if len(*got) != 1 {
		t.Fatalf("%d requests", len(*got))
	}
	r := (*got)[0]
	for _, text := range []string{first, second} {
		verifier, err := standardwebhooks.NewWebhook(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(r.body, r.header); err != nil {
			t.Error(err)
		}
		if err := verifier.Verify(append(r.body, ' '), r.header); err == nil {
			t.Error("a changed body verifies")
		}
	}
	other, _ := standardwebhooks.NewWebhook(newSecret("the key of another, of 32 bytes!"))
	if other.Verify(r.body, r.header) == nil {
		t.Error("another key verifies")
	}
	if id := r.header.Get("webhook-id"); id != "01939c3e-5a00-7000-8000-000000000001" {
		t.Errorf("webhook-id %q", id)
	}
	if !bytes.Equal(r.body, m.Data) || r.header.Get("ce-type") != "payment.settled" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s\n%v", r.body, r.header)
	}
	var data struct{ Revision int }
	if err := json.Unmarshal(r.body, &data); err != nil || data.Revision != 3 {
		t.Errorf("revision %d, %v", data.Revision, err)
	}
}

// An endpoint gets what it asks for, and of an upstream's payments only its own: not those of another, nor those that no upstream
// asked for.
func TestEndpointGetsItsOwnPayments(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*payment.Payment)
		to   func(*endpoints.Endpoint)
		want bool
	}{
		"its own":             {nil, nil, true},
		"of another upstream": {func(p *payment.Payment) { p.Upstream = "game" }, nil, false},
		"of no upstream":      {func(p *payment.Payment) { p.Upstream = "" }, nil, false},
		"of every upstream":   {func(p *payment.Payment) { p.Upstream = "game" }, func(e *endpoints.Endpoint) { e.Upstream, e.EveryUpstream = "", true }, true},
		"none, of every":      {func(p *payment.Payment) { p.Upstream = "" }, func(e *endpoints.Endpoint) { e.Upstream, e.EveryUpstream = "", true }, true},
		"another status":      {func(p *payment.Payment) { p.Status = payment.Failed }, nil, false},
		"another operation":   {nil, func(e *endpoints.Endpoint) { e.Operations = []payment.Operation{payment.Payout} }, false},
		"another provider":    {nil, func(e *endpoints.Endpoint) { e.Providers = []string{"other"} }, false},
		"provider, operation": {nil, func(e *endpoints.Endpoint) {
			e.Providers, e.Operations = []string{"acme"}, []payment.Operation{payment.Deposit}
		}, true},
		"statuses that differ": {func(p *payment.Payment) { p.Status = payment.Pending }, func(e *endpoints.Endpoint) { e.Statuses = []payment.Status{payment.Pending} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			url, got := receiver(t, http.StatusOK)
			e := shop(url)
			if test.to != nil {
				test.to(&e)
			}
			if v := handlerOf(t, options(io.Discard, e))(t.Context(), event(t, "id", test.edit)); v.Kind != queue.Done {
				t.Errorf("%+v", v)
			}
			if (len(*got) == 1) != test.want {
				t.Errorf("%d requests", len(*got))
			}
		})
	}
}

// A redirect is not followed: the address that it names was not checked, and the receiver did not take the event.
func TestRedirectIsNotFollowed(t *testing.T) {
	target, got := receiver(t, http.StatusOK)
	server := httptest.NewServer(http.RedirectHandler(target, http.StatusPermanentRedirect))
	defer server.Close()
	if v := handlerOf(t, options(io.Discard, shop(server.URL)))(t.Context(), event(t, "id", nil)); v.Kind != queue.Park || len(*got) != 0 {
		t.Errorf("%+v, and the target got %d", v, len(*got))
	}
}

// Names are checked after they were resolved: localhost and a metadata service are not reached, and nothing is sent.
func TestPrivateAddressesGetNothing(t *testing.T) {
	url, got := receiver(t, http.StatusOK)
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]", "169.254.169.254", "0.0.0.0", "2130706433"} {
		var logs bytes.Buffer
		e := shop("https://" + host + ":" + port)
		e.Networks = nil
		v := handlerOf(t, options(&logs, e))(t.Context(), event(t, "id", nil))
		refused := strings.Contains(logs.String(), endpoints.ErrAddress.Error()) || host == "2130706433" // no resolver knows this one, or it is loopback
		if v.Kind != queue.Park || len(*got) != 0 || !refused {
			t.Errorf("%s: %+v, %d requests\n%s", host, v, len(*got), &logs)
		}
	}
}

// What a receiver answers is in no log: it can hold anything. Nor is its URL, whose query can hold a secret.
func TestAnswersAndURLsAreNotLogged(t *testing.T) {
	url, _ := receiver(t, http.StatusInternalServerError)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, url := range []string{url, gone.URL} {
		var logs bytes.Buffer
		handlerOf(t, options(&logs, shop(url+"/hook?token=url-secret")))(t.Context(), event(t, "id", nil))
		if text := logs.String(); !strings.Contains(text, "did not take") || strings.Contains(text, "customer") || strings.Contains(text, "url-secret") || strings.Contains(text, first) {
			t.Error(text)
		}
	}
}

// answering replaces the network, so that time is the test's.
type answering func() (status int)

func (f answering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: f(), Body: http.NoBody}, nil
}

// An event that is not taken is tried again, later each time, until give_up_after after its first attempt. Nothing of this needs
// this process to live: what counts is in the message.
func TestAttempts(t *testing.T) {
	url, _ := receiver(t, http.StatusServiceUnavailable)
	o := options(io.Discard, shop(url))
	o.Breaker.Failures = 1000
	handle := handlerOf(t, o)
	for attempts, pause := range map[int]time.Duration{0: 5 * time.Second, 1: 15 * time.Second, 2: 45 * time.Second, 6: 3645 * time.Second, 8: 8 * time.Hour, 20: 8 * time.Hour} {
		m, now := event(t, "id", nil), time.Now()
		if attempts > 0 {
			m = tried(m, attempts, now.Add(-time.Hour))
		}
		v := handle(t.Context(), m)
		if wait := v.At.Sub(now); v.Kind != queue.Park || wait < pause*79/100 || wait > pause*121/100+time.Minute {
			t.Errorf("after %d attempts: %+v, wait %s, want about %s", attempts, v, wait, pause)
		}
	}
	if v := handle(t.Context(), tried(event(t, "id", nil), 20, time.Now().Add(-72*time.Hour-time.Second))); v.Kind != queue.Dead || v.Reason != events.DeadEndpoint || !strings.Contains(v.Detail, "HTTP 503") {
		t.Errorf("after three days: %+v", v)
	}
	end := time.Now().Add(10 * time.Minute)
	if v := handle(t.Context(), tried(event(t, "id", nil), 20, end.Add(-72*time.Hour))); v.Kind != queue.Park || v.At.After(end) {
		t.Errorf("ten minutes before the end: %+v, want one attempt at the end", v)
	}
}

// The pauses of events that failed together differ.
func TestPausesHaveJitter(t *testing.T) {
	url, _ := receiver(t, http.StatusServiceUnavailable)
	o := options(io.Discard, shop(url))
	o.Breaker.Failures = 1000
	handle, seen := handlerOf(t, o), map[int64]bool{}
	for range 10 {
		v := handle(t.Context(), tried(event(t, "id", nil), 8, time.Now()))
		seen[int64(time.Until(v.At)/time.Minute)] = true // among 3 h 12 min
	}
	if len(seen) < 3 {
		t.Errorf("ten events come back at %d times", len(seen))
	}
}

// An endpoint says when to come back, within an hour.
func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{"1200": 20 * time.Minute, "999999999999": time.Hour, "-5": 5 * time.Second, "soon": 5 * time.Second} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		now := time.Now()
		v := handlerOf(t, options(io.Discard, shop(server.URL)))(t.Context(), event(t, "id", nil))
		server.Close()
		if wait := v.At.Sub(now); v.Kind != queue.Park || wait < want*79/100 || wait > want*121/100+time.Minute {
			t.Errorf("%s: %s, want about %s", header, wait, want)
		}
	}
}

// While an endpoint is down no event uses up attempts: one now and then tries whether it is back, all others wait, and when it is
// back they are sent. An event that has waited all its time becomes a dead letter nevertheless.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests int
		working := false
		e := shop("http://127.0.0.1:1")
		o := options(io.Discard, e)
		o.Breaker.Failures = 3
		o.Transport = answering(func() int {
			requests++
			if working {
				return http.StatusOK
			}
			return http.StatusBadGateway
		})
		handle := handlerOf(t, o)
		for range 3 {
			if v := handle(t.Context(), event(t, "id", nil)); v.Kind != queue.Park {
				t.Fatalf("%+v", v)
			}
		}
		if v := handle(t.Context(), event(t, "id", nil)); v.Kind != queue.Retry || requests != 3 {
			t.Errorf("with an open breaker: %+v after %d requests", v, requests)
		}
		late := tried(event(t, "id", nil), 3, time.Now().Add(-72*time.Hour))
		if v := handle(t.Context(), late); v.Kind != queue.Dead || requests != 3 {
			t.Errorf("after three days with an open breaker: %+v after %d requests", v, requests)
		}
		time.Sleep(30 * time.Second)
		if v := handle(t.Context(), tried(event(t, "id", nil), 1, time.Now())); v.Kind != queue.Retry || requests != 4 {
			t.Errorf("the one that tries: %+v after %d requests, want no attempt counted", v, requests)
		}
		working = true
		time.Sleep(31 * time.Second)
		for range 3 {
			if v := handle(t.Context(), event(t, "id", nil)); v.Kind != queue.Done {
				t.Errorf("when it is back: %+v", v)
			}
		}
	})
}

// What a process says of an endpoint is how requests went, in words of ours: nothing of what the endpoint sent, also where that is no answer.
func TestHealth(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(conn, "HTTP/1.1 the customer is Kim Minsu\r\n\r\n")
			_ = conn.Close()
		}
	}()
	var logs bytes.Buffer
	o := options(&logs, shop("http://"+listener.Addr().String()))
	o.Breaker.Failures = 2
	n, err := endpoints.New(o)
	if err != nil {
		t.Fatal(err)
	}
	handle := handlerOfNotifier(t, n, "shop")
	for range 7 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // the breaker holds the later ones back
		handle(ctx, event(t, "id", nil))
		cancel()
	}
	h := n.Health()["shop"]
	if h.State != "open" || len(h.Failures) != 2 || h.Failures[0].Problem != "the answer cannot be read" || h.Failures[0].Order != "D-1" || !h.DeliveredAt.IsZero() || time.Until(h.TriesAt) > 30*time.Second || h.TriesAt.IsZero() {
		t.Errorf("%+v", h)
	}
	if strings.Contains(logs.String(), "Kim") {
		t.Error(logs.String())
	}
	url, _ := receiver(t, http.StatusOK)
	n, err = endpoints.New(options(io.Discard, shop(url)))
	if err != nil {
		t.Fatal(err)
	}
	if handlerOfNotifier(t, n, "shop")(t.Context(), event(t, "id", nil)); n.Health()["shop"].DeliveredAt.IsZero() || n.Health()["shop"].State != "closed" {
		t.Errorf("%+v", n.Health())
	}
}

// A notifier says how it gets on with an endpoint: what waits, what failed last, and while its breaker is open, until when.
func TestHealthOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, status := time.Now(), http.StatusBadGateway
		o := options(io.Discard, shop("http://127.0.0.1:1"))
		o.Breaker.Failures = 7
		o.Transport = answering(func() int { return status })
		n, handle := running(t, o)
		synctest.Wait() // until what waits was measured
		want := func(when, breaker string, requestsAt time.Time, failed *endpoints.Failure) {
			t.Helper()
			h := n.Health()["shop"]
			if h.Backlog == nil || *h.Backlog != (events.EndpointBacklog{New: 17, Due: 2}) {
				t.Errorf("%s waits %+v", when, h.Backlog)
			}
			if h.State != breaker || !h.TriesAt.Equal(requestsAt) {
				t.Errorf("%s its breaker is %s until %s, want %s until %s", when, h.State, h.TriesAt, breaker, requestsAt)
			}
			if (len(h.Failures) == 0) != (failed == nil) || failed != nil && (len(h.Failures) != 5 || h.Failures[0].Problem != failed.Problem || !h.Failures[0].At.Equal(failed.At)) {
				t.Errorf("%s failed %+v, want %+v", when, h.Failures, failed)
			}
		}
		want("before the first request", "closed", time.Time{}, nil)
		for range 7 {
			time.Sleep(time.Second)
			handle(t.Context(), event(t, "id", nil))
		}
		last := began.Add(7 * time.Second)
		failed := &endpoints.Failure{At: last, Problem: "HTTP 502"}
		want("after seven that failed", "open", last.Add(30*time.Second), failed)
		time.Sleep(30*time.Second + time.Millisecond)
		want("after its time", "half-open", time.Time{}, failed)
		status = http.StatusOK
		handle(t.Context(), event(t, "id", nil))
		want("after one that was taken", "closed", time.Time{}, failed)
	})
}
