package ingress_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// trickle begins a webhook of so many bytes, of which all but the last come, and leaves it there. Call it in a bubble.
func trickle(t *testing.T, lines *pipes, address, path string, size int, headers ...string) {
	t.Helper()
	conn, err := lines.dialFrom(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n", path, strings.Join(headers, "\r\n")+strings.Repeat("\r\n", min(len(headers), 1)), size)
	_, _ = io.WriteString(conn, strings.Repeat("a", size-1))
	synctest.Wait()
}

// hook sends a whole signed webhook from an address and returns the status of its answer.
func hook(t *testing.T, lines *pipes, address, path string, headers ...string) int {
	t.Helper()
	conn, err := lines.dialFrom(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	body := `{"order":"D-1"}`
	req, _ := http.NewRequest("POST", "http://ingress"+path, strings.NewReader(body))
	req.Header.Set("X-Signature", signature(body))
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	go func() { _ = req.Write(conn) }()
	answer, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// Any client can send a body that trickles. It holds no place, so that webhooks of all providers go on.
func TestBodiesThatTrickleHoldNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines := newPiped(t, func(o *ingress.Options) { o.Limits.MaxRequests, o.Limits.MaxRequestsPerProvider = 2, 2 })
		for range 20 {
			trickle(t, lines, "198.51.100.1", "/webhooks/fake-kr", 100)
		}
		for _, path := range []string{"/webhooks/fake-kr", "/webhooks/other-kr"} {
			if got := hook(t, lines, "203.0.113.1", path); got != 200 {
				t.Errorf("%s got %d", path, got)
			}
		}
		for range 20 {
			trickle(t, lines, "198.51.100.1", "/v1/deposits", 100, "Content-Type: application/json", "Authorization: Bearer "+narrowKey)
		}
		b.url = "http://ingress"
		req, _ := http.NewRequest("GET", b.url+"/v1/providers", nil)
		req.Header.Set("Authorization", "Bearer "+apiKey)
		b.send(lines.transport(), req).mustBe(t, 200)
	})
}

// What one address or one provider's path can hold of the memory for bodies leaves enough for others.
func TestBodiesAreBoundedByAddressAndProvider(t *testing.T) {
	const large = 60_000 // takes 65,536 bytes of memory while it is read
	for name, c := range map[string]struct {
		limits        func(*ingress.Limits)
		addresses     []string
		refusal       string
		sameAddress   int // to another provider
		sameProvider  int // from another address
		otherProvider int // from another address
	}{
		"address":           {func(l *ingress.Limits) { l.BodyBytesPerSource = 2 * ingress.MinBodyBytes }, []string{"198.51.100.1", "198.51.100.1"}, ingress.RefusedBusyAddress, 503, 200, 200},
		"network of IPv6":   {func(l *ingress.Limits) { l.BodyBytesPerSource = 2 * ingress.MinBodyBytes }, []string{"2001:db8::1", "2001:db8::2"}, ingress.RefusedBusyAddress, 503, 200, 200},
		"provider":          {func(l *ingress.Limits) { l.BodyBytesPerProvider = 2 * ingress.MinBodyBytes }, []string{"198.51.100.1", "198.51.100.2"}, ingress.RefusedBusyProvider, 200, 503, 200},
		"all":               {func(l *ingress.Limits) { l.BodyBytes = 2 * ingress.MinBodyBytes }, []string{"198.51.100.1", "198.51.100.2"}, ingress.RefusedOverloaded, 503, 503, 503},
		"nobody is refused": {func(*ingress.Limits) {}, []string{"198.51.100.1", "198.51.100.1"}, "", 200, 200, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, lines := newPiped(t, func(o *ingress.Options) { c.limits(&o.Limits) })
				for _, address := range c.addresses {
					trickle(t, lines, address, "/webhooks/fake-kr", large)
				}
				last := c.addresses[len(c.addresses)-1]
				before := counted(t, ingress.CounterWebhooks, webhookAttributes("fake-kr", "refused", c.refusal)...) + counted(t, ingress.CounterWebhooks, webhookAttributes("other-kr", "refused", c.refusal)...)
				got := [3]int{hook(t, lines, last, "/webhooks/other-kr"), hook(t, lines, "203.0.113.1", "/webhooks/fake-kr"), hook(t, lines, "203.0.113.1", "/webhooks/other-kr")}
				if want := [3]int{c.sameAddress, c.sameProvider, c.otherProvider}; got != want {
					t.Errorf("answered %v, want %v", got, want)
				}
				refused := 0
				for _, status := range got {
					if status == 503 {
						refused++
					}
				}
				after := counted(t, ingress.CounterWebhooks, webhookAttributes("fake-kr", "refused", c.refusal)...) + counted(t, ingress.CounterWebhooks, webhookAttributes("other-kr", "refused", c.refusal)...)
				if c.refusal != "" && int(after-before) != refused {
					t.Errorf("%d are counted as %s, want %d", after-before, c.refusal, refused)
				}
				time.Sleep(time.Minute) // the bodies are given up, and their memory is there again
				if got := hook(t, lines, last, "/webhooks/fake-kr"); got != 200 {
					t.Errorf("afterwards %d", got)
				}
			})
		})
	}
}

// Behind a trusted proxy the address is the one that the proxy names.
func TestBodiesBehindAProxyAreTheirClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, lines := newPiped(t, func(o *ingress.Options) {
			o.Limits.BodyBytesPerSource = 2 * ingress.MinBodyBytes
			o.TrustedProxies, o.ProxyHeader = prefixes("10.0.0.0/8"), "X-Forwarded-For"
		})
		for range 2 {
			trickle(t, lines, "10.0.0.1", "/webhooks/fake-kr", 60_000, "X-Forwarded-For: 203.0.113.7, 198.51.100.1")
		}
		if got := hook(t, lines, "10.0.0.2", "/webhooks/fake-kr", "X-Forwarded-For", "198.51.100.1"); got != 503 {
			t.Errorf("the same client got %d", got)
		}
		if got := hook(t, lines, "10.0.0.1", "/webhooks/fake-kr", "X-Forwarded-For", "203.0.113.7"); got != 200 {
			t.Errorf("another client of the same proxy got %d", got)
		}
	})
}

// A provider whose webhooks are stored slowly takes no place from others.
func TestAProviderHasItsShareOfThePlaces(t *testing.T) {
	busy, goOn := make(chan struct{}, 1), make(chan struct{})
	b := newBorder(t, func(o *ingress.Options) {
		o.Limits.MaxRequests, o.Limits.MaxRequestsPerProvider = 2, 1
		o.Webhooks = slowSink{o.Webhooks, busy, goOn}
	})
	first, other := make(chan answer), make(chan answer)
	go func() { first <- b.call(`{"order":"D-1"}`) }()
	<-busy
	mustCount(t, ingress.CounterWebhooks, webhookAttributes("fake-kr", "refused", ingress.RefusedBusyProvider), func() {
		b.call(`{"order":"D-2"}`).mustRefuse(t, 503, "overloaded", "")
	})
	go func() {
		other <- b.do("POST", "/webhooks/other-kr", `{"order":"D-1"}`, "X-Signature", signature(`{"order":"D-1"}`))
	}()
	<-busy // it has a place
	close(goOn)
	if a, o := <-first, <-other; a.status != 200 || o.status != 200 {
		t.Errorf("answered %d and %d", a.status, o.status)
	}
}

func TestEachKeyHasItsBytes(t *testing.T) {
	now := &clock{now: start}
	b := newBorder(t, func(o *ingress.Options) {
		o.Now, o.Limits.BytesPerSecond, o.Limits.BytesBurst = now.Now, 60_000, 2*ingress.MinBodyBytes
		o.Keys[0].BytesBurst = 4 * ingress.MinBodyBytes // the narrow one
	})
	send := func(key string) answer {
		return b.do("POST", "/v1/deposits", `{"x":"`+strings.Repeat("x", 60_000)+`"}`, "Authorization", "Bearer "+key)
	}
	for range 2 {
		send(apiKey).mustBe(t, 422)
	}
	mustCount(t, ingress.CounterRequestsLimited, limited("shop", "rate_limited"), func() {
		a := send(apiKey)
		a.mustRefuse(t, 429, "rate_limited", "")
		if a.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	})
	for range 4 {
		send(narrowKey).mustBe(t, 422) // has more at once
	}
	send(narrowKey).mustRefuse(t, 429, "rate_limited", "")
	b.do("GET", "/v1/providers", "").mustBe(t, 200) // has no body
	now.add(time.Second)
	send(apiKey).mustBe(t, 422)
}

func TestEachKeyHasItsPlaces(t *testing.T) {
	busy, goOn := make(chan struct{}), make(chan struct{})
	b := newBorder(t, func(o *ingress.Options) { o.Limits.MaxRequestsPerKey = 1 })
	b.log.last = func(call int) error {
		if call == 1 {
			close(busy)
			<-goOn
		}
		return nil
	}
	first := make(chan answer)
	go func() { first <- b.do("POST", "/v1/deposits", depositBody) }()
	<-busy
	mustCount(t, ingress.CounterRequestsLimited, limited("shop", "rate_limited"), func() {
		b.do("GET", "/v1/providers", "").mustRefuse(t, 429, "rate_limited", "")
	})
	b.do("GET", "/v1/providers", "", "Authorization", "Bearer "+narrowKey).mustBe(t, 200)
	if err := b.server.ReplaceKeys([]ingress.APIKey{{Name: "shop", SHA256: mustHash(t, apiKey)}}); err != nil {
		t.Fatal(err)
	}
	b.do("GET", "/v1/providers", "").mustRefuse(t, 429, "rate_limited", "") // the same holder has no further place
	close(goOn)
	(<-first).mustBe(t, 202)
	b.do("GET", "/v1/providers", "").mustBe(t, 200)
}

// A request that asks the provider counts as several.
func TestWhatARequestCosts(t *testing.T) {
	for path, cost := range map[string]int{"/v1/providers": 1, "/v1/providers/fake-kr/balance": 10, "/v1/providers/fake-kr/banks?operation=payout": 5, "/v1/payments/fake-kr/D-1/events": 5} {
		for _, burst := range []int{cost, cost - 1, 1} {
			telling := &tellingConnector{}
			b := newBorder(t, func(o *ingress.Options) {
				o.Registry = registryOf(telling)
				o.Limits.RequestsPerSecond, o.Limits.Burst = 1, max(burst, 1)
			})
			a := b.do("GET", path, "")
			if a.status == 429 {
				t.Errorf("%s: a burst of %d is never enough", path, burst)
			}
			b.do("GET", "/v1/providers", "").mustRefuse(t, 429, "rate_limited", "")
		}
	}
}

// A key that waits for many payments leaves others theirs.
func TestEachKeyHasItsPlacesToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines := newPiped(t, func(o *ingress.Options) { o.Limits.MaxWaiting, o.Limits.MaxWaitingPerKey = 2, 1 })
		b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Submitting))
		waited := make(chan answer)
		go func() { a, _ := b.get(lines, "wait=30"); waited <- a }()
		<-b.log.watched
		if _, took := b.get(lines, "wait=30"); took != 0 {
			t.Errorf("a second waited %s", took)
		}
		<-waited
		if _, took := b.get(lines, "wait=30"); took != 30*time.Second {
			t.Errorf("afterwards it waited %s", took)
		}
	})
}

// The bodies of one key leave room for those of others.
func TestBodiesAreBoundedByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, lines := newPiped(t, func(o *ingress.Options) { o.Limits.BodyBytesPerSource = 2 * ingress.MinBodyBytes })
		for range 2 {
			trickle(t, lines, "203.0.113.1", "/v1/deposits", 60_000, "Content-Type: application/json", "Authorization: Bearer "+apiKey)
		}
		send := func(key string) answer {
			req, _ := http.NewRequest("POST", b.url+"/v1/deposits", strings.NewReader(depositBody))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+key)
			return b.send(stubborn{lines}, req)
		}
		mustCount(t, ingress.CounterRequestsLimited, limited("shop", "rate_limited"), func() {
			send(apiKey).mustRefuse(t, 429, "rate_limited", "")
		})
		send(narrowKey).mustRefuse(t, 403, "forbidden", "provider") // was read
	})
}
