package ingress_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"payonce/pkg/events"
	"payonce/pkg/ingress"
)

func webhookAttributes(provider, outcome, refusal string) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("provider", provider), attribute.String("outcome", outcome), attribute.String("refusal", refusal),
	}
}

// call sends a signed webhook.
func (b *border) call(body string, headers ...string) answer {
	b.t.Helper()
	return b.do("POST", "/webhooks/fake-kr", body, append([]string{
		"Authorization", "", "Content-Type", "application/x-anything", "X-Signature", signature(body),
	}, headers...)...)
}

func TestWebhookIsKeptAsReceivedAndThenAnswered(t *testing.T) {
	b := newBorder(t)
	body := "{\"order\" :\t\"D-1\", \"name\":\"HongGilDong\"}\r\n\x00\xff"
	body = body[:len(body)-2] // the fake connector reads JSON; blanks and line ends must survive
	for range 2 {
		var a answer
		mustCount(t, ingress.CounterWebhooks, webhookAttributes("fake-kr", "accepted", ""), func() { a = b.call(body, "X-Case", "late") })
		if a.status != 200 || a.body != "SUCCESS" || a.header.Get("Content-Type") != "text/plain" {
			t.Errorf("answer %d %q %v", a.status, a.body, a.header)
		}
	}
	if len(b.sink.webhooks) != 2 {
		t.Fatalf("%d webhooks are stored", len(b.sink.webhooks))
	}
	first, second := b.sink.webhooks[0], b.sink.webhooks[1]
	if first.id != second.id || first.out.Header.Get("ce-id") == second.out.Header.Get("ce-id") {
		t.Errorf("ids %s and %s, events %s and %s", first.id, second.id, first.out.Header.Get("ce-id"), second.out.Header.Get("ce-id"))
	}
	w, err := events.DecodeWebhook(events.Message{Subject: first.out.Subject, Header: first.out.Header, Data: first.out.Data})
	if err != nil || w.Ref != ref || !bytes.Equal(w.Body, []byte(body)) || !w.ReceivedAt.Equal(start) || w.Header.Get("X-Signature") != signature(body) {
		t.Errorf("stored %+v, %v", w, err)
	}
}

func TestWebhookIDTellsCallsApart(t *testing.T) {
	b := newBorder(t)
	body := `{"order":"D-1"}`
	b.call(body)
	b.call(body + " ")
	b.do("POST", "/webhooks/other-kr", body, "X-Signature", signature(body))
	ids := map[string]bool{}
	for _, w := range b.sink.webhooks {
		ids[w.id] = true
	}
	if len(ids) != 3 {
		t.Errorf("%d different ids, want 3", len(ids))
	}
}

// Where the connector names the fields that are signed, a call with other blanks is the same call.
func TestWebhookIDIsThatOfTheSignedFields(t *testing.T) {
	b := newBorder(t)
	for _, body := range []string{`{"order":"D-1"}`, ` { "order" : "D-1" } `, `{"order":"D-2"}`} {
		b.call(body, "X-Case", "digest")
	}
	b.do("POST", "/webhooks/other-kr", `{"order":"D-1"}`, "X-Signature", signature(`{"order":"D-1"}`), "X-Case", "digest")
	if w := b.sink.webhooks; len(w) != 4 || w[0].id != w[1].id || w[0].id == w[2].id || w[0].id == w[3].id {
		t.Errorf("the ids are %+v", w)
	}
}

func TestWebhookAnswerIsExact(t *testing.T) {
	b := newBorder(t)
	body := `{"order":"D-1"}`
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "POST /webhooks/fake-kr HTTP/1.1\r\nHost: x\r\nX-Case: bare answer\r\nX-Signature: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		signature(body), len(body), body)
	raw, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, _ := strings.Cut(string(raw), "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || tail != "<ok>" || strings.Contains(head, "\r\nContent-Type") {
		t.Errorf("answer %q", raw)
	}
}

func TestWebhookIsRefused(t *testing.T) {
	body, large := `{"order":"D-1","name":"HongGilDong"}`, strings.Repeat(" ", ingress.MaxWebhookBytes+1)
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		status     int
		kind       string
		provider   string
		refusal    string
	}{
		"no signature":    {"fake-kr", body, []string{"X-Signature", ""}, 401, "webhook_refused", "fake-kr", "bad_signature"},
		"other's body":    {"fake-kr", body, []string{"X-Signature", signature("{}")}, 401, "webhook_refused", "fake-kr", "bad_signature"},
		"an API key":      {"fake-kr", body, []string{"X-Signature", "", "Authorization", "Bearer " + apiKey}, 401, "webhook_refused", "fake-kr", "bad_signature"},
		"stale":           {"fake-kr", body, []string{"X-Case", "stale"}, 401, "webhook_refused", "fake-kr", "stale"},
		"other account":   {"fake-kr", body, []string{"X-Case", "other account"}, 401, "webhook_refused", "fake-kr", "wrong_provider"},
		"a new refusal":   {"fake-kr", body, []string{"X-Case", "new refusal"}, 401, "webhook_refused", "fake-kr", "never_heard_of"},
		"unclassified":    {"fake-kr", body, []string{"X-Case", "unclassified"}, 500, "internal", "fake-kr", ingress.RefusedUnclassified},
		"malformed":       {"fake-kr", "HongGilDong", nil, 400, "webhook_invalid", "fake-kr", "malformed"},
		"no order":        {"fake-kr", "{}", nil, 400, "webhook_invalid", "fake-kr", ingress.RefusedOrder},
		"order of a joke": {"fake-kr", `{"order":"D-1.>"}`, nil, 400, "webhook_invalid", "fake-kr", ingress.RefusedOrder},
		"too large":       {"fake-kr", large, nil, 413, "too_large", "fake-kr", ingress.RefusedTooLarge},
		"unknown":         {"hong@example.com", body, nil, 404, "not_found", "unknown", ingress.RefusedProvider},
		"mute":            {"mute-kr", body, nil, 404, "not_found", "unknown", ingress.RefusedProvider},
		"large headers":   {"fake-kr", body, []string{"X-Large", strings.Repeat("\u00e9", 4000)}, 431, "headers_too_large", "fake-kr", ingress.RefusedTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBorder(t)
			headers := append([]string{"X-Signature", signature(c.body), "Authorization", ""}, c.headers...)
			mustCount(t, ingress.CounterWebhooks, webhookAttributes(c.provider, "refused", c.refusal), func() {
				a := b.do("POST", "/webhooks/"+c.path, c.body, headers...)
				a.mustRefuse(t, c.status, c.kind, "")
				if detail := strings.Contains(a.body, `"detail"`); detail == (c.status == 401 || c.status == 500) {
					t.Errorf("a caller that is not proven learns why: %s", a.body)
				}
				if (a.header.Get("WWW-Authenticate") != "") != (c.status == 401) {
					t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
				}
			})
			if len(b.sink.webhooks) != 0 {
				t.Error("it was stored")
			}
			if logged := b.logged.String(); !strings.Contains(logged, fmt.Sprintf(`"provider":%q,"refusal":%q`, c.provider, c.refusal)) {
				t.Errorf("the log does not tell: %s", logged)
			} else if c.refusal == "bad_signature" && !strings.Contains(logged, `"reason":"expected `) {
				t.Errorf("the log does not tell why: %s", logged)
			}
		})
	}
}

func TestWebhookThatBreaksOffIsRefused(t *testing.T) {
	b := newBorder(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	mustCount(t, ingress.CounterWebhooks, webhookAttributes("fake-kr", "refused", ingress.RefusedIncomplete), func() {
		_, _ = io.WriteString(conn, "POST /webhooks/fake-kr HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"order\"")
		_ = conn.(*net.TCPConn).CloseWrite()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

func TestWebhookThatIsNotStoredMustComeAgain(t *testing.T) {
	b := newBorder(t)
	b.sink.err = errors.New("no acknowledgement")
	mustCount(t, ingress.CounterWebhooks, webhookAttributes("fake-kr", "refused", ingress.RefusedNotStored), func() {
		b.call(`{"order":"D-1"}`).mustRefuse(t, 503, "unavailable", "")
	})
	b.sink.err = nil
	if a := b.call(`{"order":"D-1"}`); a.status != 200 || len(b.sink.webhooks) != 1 {
		t.Errorf("%d, %d stored", a.status, len(b.sink.webhooks))
	}
}

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestWebhookOnlyFromItsNetworks(t *testing.T) {
	forwarded := func(values ...string) http.Header { return http.Header{"X-Forwarded-For": values} }
	behind := func(o *ingress.Options) {
		o.TrustedProxies, o.ProxyHeader = prefixes("127.0.0.0/8", "10.0.0.0/8"), "X-Forwarded-For"
	}
	for name, c := range map[string]struct {
		sources string
		change  func(*ingress.Options)
		header  http.Header
		want    int
	}{
		"direct":                    {"127.0.0.1/32", nil, nil, 200},
		"direct from elsewhere":     {"203.0.113.0/24", nil, nil, 403},
		"header without proxy":      {"203.0.113.0/24", nil, forwarded("203.0.113.5"), 403},
		"behind a proxy":            {"203.0.113.0/24", behind, forwarded("203.0.113.5"), 200},
		"with a port":               {"203.0.113.0/24", behind, forwarded("203.0.113.5:4711"), 200},
		"as IPv6":                   {"203.0.113.0/24", behind, forwarded("::ffff:203.0.113.5"), 200},
		"IPv6 with zone":            {"2001:db8::/32", behind, forwarded("[2001:db8::1%eth0]:80, 10.0.0.1"), 200},
		"IPv6 with port":            {"2001:db8::/32", behind, forwarded("[2001:db8::1]:80"), 200},
		"two proxies":               {"203.0.113.0/24", behind, forwarded("203.0.113.5, 10.0.0.1"), 200},
		"two headers":               {"203.0.113.0/24", behind, forwarded("203.0.113.5", "10.0.0.1"), 200},
		"invented by the client":    {"203.0.113.0/24", behind, forwarded("203.0.113.5, 198.51.100.1"), 403},
		"invented in its own line":  {"203.0.113.0/24", behind, forwarded("203.0.113.5", "198.51.100.1, 10.0.0.1"), 403},
		"invented garbage":          {"203.0.113.0/24", behind, forwarded("203.0.113.5, unknown"), 403},
		"proxy says nothing":        {"203.0.113.0/24", behind, nil, 403},
		"proxy's own network":       {"10.0.0.0/8", behind, forwarded("10.0.0.9"), 200},
		"all the world but garbage": {"0.0.0.0/0", behind, forwarded("unknown"), 403},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBorder(t, func(o *ingress.Options) {
				o.WebhookSources = map[string][]netip.Prefix{"fake-kr": prefixes(c.sources)}
				if c.change != nil {
					c.change(o)
				}
			})
			body := `{"order":"D-1"}`
			req, _ := http.NewRequest("POST", b.url+"/webhooks/fake-kr", strings.NewReader(body))
			req.Header = c.header.Clone()
			if req.Header == nil {
				req.Header = http.Header{}
			}
			req.Header.Set("X-Signature", signature(body))
			refused := counted(t, ingress.CounterWebhooks, webhookAttributes("fake-kr", "refused", "source")...)
			a := b.send(http.DefaultTransport, req)
			refused = counted(t, ingress.CounterWebhooks, webhookAttributes("fake-kr", "refused", "source")...) - refused
			if a.status != c.want || (c.want == 403) != (refused == 1) {
				t.Errorf("status %d, refused %d times, want %d", a.status, refused, c.want)
			}
			if c.want == 403 {
				a.mustRefuse(t, 403, "forbidden", "")
			}
			if a := b.do("POST", "/webhooks/other-kr", body, "X-Signature", signature(body)); a.status != 200 {
				t.Errorf("a provider without networks got %d", a.status)
			}
		})
	}
}
