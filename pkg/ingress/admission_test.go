package ingress_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) add(d time.Duration) { c.mu.Lock(); c.now = c.now.Add(d); c.mu.Unlock() }

func limited(key, problem string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String(ingress.AttributeKey, key), attribute.String(ingress.AttributeProblem, problem)}
}

func TestEachKeyHasItsRate(t *testing.T) {
	now := &clock{now: start}
	b := newBorder(t, func(o *ingress.Options) {
		o.Now, o.Limits.RequestsPerSecond, o.Limits.Burst = now.Now, 1, 2
		o.Keys[0].Burst = 3 // the narrow one
	})
	list := func(key string) answer { return b.do("GET", "/v1/providers", "", "Authorization", "Bearer "+key) }
	for range 2 {
		list(apiKey).mustBe(t, 200)
	}
	now.add(100 * time.Millisecond)
	mustCount(t, ingress.CounterRequestsLimited, limited("shop", "rate_limited"), func() {
		a := b.do("POST", "/v1/deposits", depositBody)
		a.mustRefuse(t, 429, "rate_limited", "")
		if got := a.header.Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After %q, want whole seconds, rounded up", got)
		}
	})
	if b.queue.publishes() != 0 {
		t.Error("a refused command was published")
	}
	for range 3 { // another key's rate is its own
		list(narrowKey).mustBe(t, 200)
	}
	list(narrowKey).mustRefuse(t, 429, "rate_limited", "")
	list(strings.Repeat("x", 64)).mustRefuse(t, 401, "unauthorized", "")
	if a := b.call(`{"order":"D-1"}`); a.status != 200 {
		t.Errorf("a webhook is counted: %d", a.status)
	}
	now.add(900 * time.Millisecond) // a refused request costs nothing
	list(apiKey).mustBe(t, 200)
	list(apiKey).mustRefuse(t, 429, "rate_limited", "")
	if err := b.server.ReplaceKeys([]ingress.APIKey{{Name: "shop", SHA256: mustHash(t, apiKey)}}); err != nil {
		t.Fatal(err)
	}
	list(apiKey).mustRefuse(t, 429, "rate_limited", "") // the same holder has no new burst
	if err := b.server.ReplaceKeys([]ingress.APIKey{{Name: "shop", SHA256: mustHash(t, apiKey), RequestsPerSecond: 5}}); err != nil {
		t.Fatal(err)
	}
	list(apiKey).mustBe(t, 200) // a new rate counts at once
}

// occupied is a border whose only place is taken by a deposit, until goOn is closed; its answer comes by first.
func occupied(t *testing.T) (b *border, goOn chan struct{}, first chan answer) {
	t.Helper()
	busy, goOn := make(chan struct{}), make(chan struct{})
	b = newBorder(t, func(o *ingress.Options) { o.Limits.MaxRequests = 1 })
	b.log.last = func(call int) error {
		if call == 1 {
			close(busy)
			<-goOn
		}
		return nil
	}
	first = make(chan answer)
	go func() { first <- b.do("POST", "/v1/deposits", depositBody) }()
	<-busy
	return b, goOn, first
}

// While as many requests are worked on as may be, others are refused, and webhooks have places of
// their own.
func TestOverloadIsRefusedAtOnce(t *testing.T) {
	b, goOn, first := occupied(t)
	mustCount(t, ingress.CounterRequestsLimited, limited("shop", "overloaded"), func() {
		a := b.do("POST", "/v1/deposits", strings.Replace(depositBody, "D-1", "D-2", 1))
		a.mustRefuse(t, 503, "overloaded", "")
		if got := a.header.Get("Retry-After"); got != "1" {
			t.Errorf("Retry-After %q", got)
		}
	})
	if a := b.call(`{"order":"D-1"}`); a.status != 200 {
		t.Errorf("a webhook found no place: %d", a.status)
	}
	b.do("GET", "/healthz", "").mustBe(t, 200)
	close(goOn)
	(<-first).mustBe(t, 202)
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, "D-1", "D-2", 1)).mustBe(t, 202)
}

func TestWebhooksHaveTheirPlaces(t *testing.T) {
	busy, goOn := make(chan struct{}, 1), make(chan struct{})
	b := newBorder(t, func(o *ingress.Options) {
		o.Limits.MaxRequests = 1
		o.Webhooks = slowSink{o.Webhooks, busy, goOn}
	})
	first := make(chan answer)
	go func() { first <- b.call(`{"order":"D-1"}`) }()
	<-busy
	mustCount(t, ingress.CounterWebhooks, []attribute.KeyValue{
		attribute.String(ingress.AttributeProvider, "fake-kr"), attribute.String(ingress.AttributeOutcome, ingress.OutcomeRefused),
		attribute.String(ingress.AttributeRefusal, ingress.RefusedOverloaded),
	}, func() { b.call(`{"order":"D-2"}`).mustRefuse(t, 503, "overloaded", "") })
	b.do("POST", "/v1/deposits", depositBody).mustBe(t, 202)
	close(goOn)
	if a := <-first; a.status != 200 {
		t.Errorf("the first got %d", a.status)
	}
	if a := b.call(`{"order":"D-2"}`); a.status != 200 || len(b.sink.webhooks) != 2 {
		t.Errorf("sent again it got %d", a.status)
	}
}

// A request that waits for an outcome holds a place among those that wait, and none of the others.
func TestWaitingHoldsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines := newPiped(t, func(o *ingress.Options) { o.Limits.MaxRequests, o.Limits.MaxWaiting = 1, 1 })
		b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
		waited := make(chan answer)
		go func() { a, _ := b.get(lines, "wait=30"); waited <- a }()
		<-b.log.watched
		for range 3 {
			a, took := b.get(lines)
			a.mustBe(t, 200)
			if took != 0 {
				t.Errorf("waited %s", took)
			}
		}
		(<-waited).mustBe(t, 200)
	})
}

func TestTwoKeysOfOneService(t *testing.T) {
	oldKey, newKey := strings.Repeat("o", 40), strings.Repeat("n", 40)
	b := newBorder(t)
	list := func(key string) answer { return b.do("GET", "/v1/providers", "", "Authorization", "Bearer "+key) }
	replace := func(key ingress.APIKey) error { return b.server.ReplaceKeys([]ingress.APIKey{key}) }
	if err := replace(ingress.APIKey{Name: "shop", SHA256: mustHash(t, newKey), PreviousSHA256: []string{mustHash(t, oldKey)}}); err != nil {
		t.Fatal(err)
	}
	list(oldKey).mustBe(t, 200)
	list(newKey).mustBe(t, 200)
	list(apiKey).mustRefuse(t, 401, "unauthorized", "")
	if err := replace(ingress.APIKey{Name: "shop", SHA256: "00"}); err == nil {
		t.Error("a key without a hash is taken")
	}
	list(newKey).mustBe(t, 200) // a bad change changes nothing
	if err := replace(ingress.APIKey{Name: "shop", SHA256: mustHash(t, newKey)}); err != nil {
		t.Fatal(err)
	}
	list(oldKey).mustRefuse(t, 401, "unauthorized", "")
	list(newKey).mustBe(t, 200)
}

// A second key of one service opens what the first one opens, and not what another service's does.
func TestPreviousKeyHasTheRightsOfItsService(t *testing.T) {
	oldKey := strings.Repeat("o", 40)
	b := newBorder(t, func(o *ingress.Options) { o.Keys[0].PreviousSHA256 = []string{mustHash(t, oldKey)} })
	for key, want := range map[string]int{oldKey: 1, narrowKey: 1, apiKey: 3} {
		view := b.do("GET", "/v1/providers", "", "Authorization", "Bearer "+key).mustBe(t, 200)
		if list, _ := view["providers"].([]any); len(list) != want {
			t.Errorf("a key sees %v, want %d providers", view, want)
		}
	}
}

// Upstream services must show a certificate beside their key, and an unverified one does not count. That a
// verified one opens is shown with real files in internal/app.
func TestClientCertificates(t *testing.T) {
	b := newServer(t, func(o *ingress.Options) { o.ClientCertificates = true })
	web := httptest.NewUnstartedServer(b.server)
	web.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	web.StartTLS()
	t.Cleanup(web.Close)
	b.url = web.URL
	get := func(path string, certificates ...tls.Certificate) answer {
		transport := web.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = certificates
		req, _ := http.NewRequest("GET", b.url+path, nil)
		req.Header.Set("Authorization", "Bearer "+apiKey)
		a := b.send(transport, req)
		if a.header.Get("Strict-Transport-Security") == "" {
			t.Error("no Strict-Transport-Security over TLS")
		}
		return a
	}
	get("/v1/providers").mustRefuse(t, 403, "certificate_required", "")
	get("/healthz").mustBe(t, 200)
	get("/v1/providers", web.TLS.Certificates[0]).mustRefuse(t, 403, "certificate_required", "")

	plain := newBorder(t, func(o *ingress.Options) { o.ClientCertificates = true })
	plain.do("GET", "/v1/providers", "").mustRefuse(t, 403, "certificate_required", "")
}
