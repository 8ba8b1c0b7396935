package ingress_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"payonce/pkg/events"
	"payonce/pkg/ingress"
)

// refusedStore is a store whose messages a test waits for.
type refusedStore struct {
	kept chan events.Outgoing
	err  error
}

func (s *refusedStore) PublishRefusedWebhook(_ context.Context, out events.Outgoing) error {
	s.kept <- out
	return s.err
}

func keeping(into **refusedStore, change ...func(*ingress.Options)) func(*ingress.Options) {
	return func(o *ingress.Options) {
		*into = &refusedStore{kept: make(chan events.Outgoing)}
		o.RefusedWebhooks = *into
		for _, c := range change {
			c(o)
		}
	}
}

// next returns the next webhook that is kept, and its whole message as text.
func (s *refusedStore) next(t *testing.T) (events.RefusedWebhook, string) {
	t.Helper()
	select {
	case out := <-s.kept:
		w, err := events.DecodeRefusedWebhook(out.Data)
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%s %v %s", out.Subject, out.Header, out.Data)
		if len(text) > events.MaxRefusedBytes {
			t.Errorf("a message has %d bytes, and the stream takes %d", len(text), events.MaxRefusedBytes)
		}
		return w, text
	case <-time.After(time.Minute):
		t.Fatal("nothing is kept")
		return events.RefusedWebhook{}, ""
	}
}

const aSecret = "S3CRET-Gildong-01012345678-hong@shop.example"

// What is kept of a body says which payment it is about, and nothing else that an outsider or a provider wrote.
func TestRefusedWebhooksAreKeptMasked(t *testing.T) {
	var store *refusedStore
	now := start
	b := newBorder(t, keeping(&store, func(o *ingress.Options) { o.Now = func() time.Time { return now } }))
	long := "[" + strings.Repeat(fmt.Sprintf("%q,", aSecret), 1000) + "0]"
	for name, c := range map[string]struct{ kind, body, want string }{
		"JSON":                {"application/json", `{"payment":{"id":"D-1","status":"success","sum":{"amount":10000,"currency":"KRW"}},"customer":{"id":"S3CRET","name":"` + aSecret + `"},"signature":"` + aSecret + `"}`, `{"payment":{"id":"D-1","status":"success","sum":{"amount":10000,"currency":"KRW"}},"customer":{"id":"…","name":"…"},"signature":"…"}`},
		"flat JSON":           {"text/html", `{"merchantOrderNo":"D-1","status":2,"amount":"48400","payerName":"` + aSecret + `"}`, `{"merchantOrderNo":"D-1","status":2,"amount":"48400","payerName":"…"}`},
		"in the wrong places": {"application/json", `{"payment_cl_id":"` + aSecret + `","status":"` + aSecret + `","amount":"` + aSecret + `","currency":"` + aSecret + `","` + aSecret + `":1}`, `{"payment_cl_id":"…","status":"…","amount":"…","currency":"…","…":"…"}`},
		"a form":              {"application/x-www-form-urlencoded; charset=" + aSecret, "payment_cl_id=D-1&status=paid&name=S3CRET&S3CRET&" + "hong%40shop=S3CRET&=S3CRET&amount=%31%30", "payment_cl_id=D-1&status=paid&name=…&…=…&…=…&…=…&amount=%31%30"},
		"a form without type": {"", "name=" + aSecret, ""},
		"XML":                 {"text/xml", "<name>" + aSecret + "</name>", ""},
		"half a document":     {"application/json", `{"payment":{"id":"D-1"},"name":"` + aSecret, ""},
		"two documents":       {"application/json", `{"a":1}{"name":"` + aSecret + `"}`, ""},
		"too deep":            {"application/json", strings.Repeat("[", 200) + `"` + aSecret + `"` + strings.Repeat("]", 200), ""},
		"no text":             {"application/" + aSecret, "\xff\x00" + aSecret, ""},
		"nothing":             {"application/json", "", ""},
		"long":                {"application/json", long, "[" + strings.Repeat(`"…",`, 1000) + `"…"]`},
		"longer":              {"application/json", "[" + strings.Repeat(`"",`, 20000) + "0]", "[" + strings.Repeat(`"…",`, 1300)},
		"long names":          {"application/json", "{" + strings.Repeat(`"Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":"",`, 1000) + `"a":""}`, "{"},
		"quotes":              {"application/json", "[" + strings.Repeat(`{"a":""},`, 5000) + "{}]", "[{"},
		"separators":          {"application/x-www-form-urlencoded", strings.Repeat("&", 60000), "…=…"},
	} {
		now = now.Add(time.Minute) // one more is kept
		a := b.do("POST", "/webhooks/fake-kr", c.body, "Content-Type", c.kind, "X-Signature", aSecret, "X-Name", aSecret, "Cookie", aSecret, "X-010-1234", aSecret, "User-Agent", aSecret)
		a.mustRefuse(t, 401, "webhook_refused", "")
		w, text := store.next(t)
		if w.Provider != "fake-kr" || w.Refusal != "bad_signature" || w.Address != "127.0.0.1" || !w.ReceivedAt.Equal(now) || w.RequestID != a.header.Get("X-Request-Id") {
			t.Errorf("%s: kept %+v", name, w)
		}
		if sum := sha256.Sum256([]byte(c.body)); w.BodyBytes != len(c.body) || w.BodySHA256 != hex.EncodeToString(sum[:]) {
			t.Errorf("%s: %d bytes, SHA-256 %s", name, w.BodyBytes, w.BodySHA256)
		}
		if whole := !w.Truncated; w.Body != c.want && (whole || !strings.HasPrefix(w.Body, c.want)) || !whole && len(w.Body) > events.MaxRefusedBody {
			t.Errorf("%s: kept\n%.300s, %t, want\n%.300s", name, w.Body, w.Truncated, c.want)
		}
		for _, part := range []string{"S3CRET", "01012345678", "hong", "1234"} {
			if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(text, w.BodySHA256, ""), digestOf(aSecret), ""), part) {
				t.Errorf("%s: %q stands in %s", name, part, text)
			}
		}
		if signed := headerOf(w, "X-Signature"); signed.SHA256 != digestOf(aSecret) || signed.Bytes != len(aSecret) || headerOf(w, "Cookie").SHA256 != "" || headerOf(w, "X-Name").Bytes != len(aSecret) {
			t.Errorf("%s: headers %+v", name, w.Headers)
		}
	}
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func headerOf(w events.RefusedWebhook, name string) events.RefusedHeader {
	for _, h := range w.Headers {
		if h.Name == name {
			return h
		}
	}
	return events.RefusedHeader{}
}

// All the headers that a request can have are not too much.
func TestRefusedWebhookWithManyHeadersIsKept(t *testing.T) {
	var store *refusedStore
	b := newBorder(t, keeping(&store))
	var headers []string
	for i := range 200 {
		headers = append(headers, "X-Signature-"+strings.Repeat(string(rune('A'+i%26)), 1+i/26), strings.Repeat("x", 40))
	}
	b.do("POST", "/webhooks/fake-kr", "["+strings.Repeat(`{"a":""},`, 5000)+"{}]", headers...).mustRefuse(t, 401, "webhook_refused", "")
	if w, _ := store.next(t); len(w.Headers) == 0 || len(w.Headers) > 20 {
		t.Errorf("%d headers are kept", len(w.Headers))
	}
}

// Which refusals are kept, and under which provider.
func TestWhichRefusedWebhooksAreKept(t *testing.T) {
	var store *refusedStore
	now := start
	b := newBorder(t, keeping(&store, func(o *ingress.Options) {
		o.Now = func() time.Time { return now }
		o.WebhookSources = map[string][]netip.Prefix{"other-kr": prefixes("203.0.113.0/24")}
	}))
	body := `{"order":"D-1"}`
	signed := func(path, body string, headers ...string) {
		b.do("POST", "/webhooks/"+path, body, append([]string{"X-Signature", signature(body)}, headers...)...)
	}
	for _, c := range []struct {
		send                            func()
		provider, path, refusal, inBody string
	}{
		{func() { signed("fake-kr", body, "X-Case", "other account") }, "fake-kr", "", "wrong_provider", "{"},
		{func() { signed("fake-kr", "HongGilDong") }, "fake-kr", "", "malformed", ""},
		{func() { signed("fake-kr", "{}") }, "fake-kr", "", ingress.RefusedOrder, "{}"},
		{func() { signed("fake-kr", body, "X-Case", "unclassified") }, "fake-kr", "", ingress.RefusedUnclassified, "{"},
		{func() { signed("other-kr", body) }, "other-kr", "", ingress.RefusedSource, ""},
		{func() { signed("fake-kz", body) }, "unknown", "fake-kz", ingress.RefusedProvider, ""},
		{func() { signed("mute-kr", body) }, "unknown", "mute-kr", ingress.RefusedProvider, ""},
		{func() { signed("hong@example.com", body) }, "unknown", "", ingress.RefusedProvider, ""},
	} {
		now = now.Add(time.Minute) // one more is kept
		c.send()
		w, text := store.next(t)
		if w.Provider != c.provider || w.Path != c.path || w.Refusal != c.refusal || !strings.HasPrefix(w.Body, c.inBody) || (c.inBody == "") != (w.Body == "") || !strings.HasPrefix(text, "webhook.refused."+c.provider+".") {
			t.Errorf("kept %s, want %+v", text, c)
		}
	}
	b.sink.err = errors.New("no acknowledgement")
	signed("fake-kr", body) // the provider sends it again
	b.sink.err = nil
	signed("fake-kr", body) // accepted
	now = now.Add(time.Minute)
	b.do("POST", "/webhooks/fake-kr", strings.Repeat(" ", ingress.MaxWebhookBytes+1))
	if w, text := store.next(t); w.Refusal != ingress.RefusedTooLarge || w.BodyBytes != 0 {
		t.Errorf("kept %s", text)
	}
}

func keptAttributes(provider, outcome string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("provider", provider), attribute.String("outcome", outcome)}
}

// A flood from one address costs as much as is kept of it, and another provider's webhooks are kept beside it.
func TestFloodOfRefusedWebhooksIsNotKept(t *testing.T) {
	var store *refusedStore
	var clock atomic.Int64
	b := newBorder(t, keeping(&store, func(o *ingress.Options) {
		o.Now = func() time.Time { return start.Add(time.Duration(clock.Load())) }
	}))
	left := counted(t, ingress.CounterRefusedKept, keptAttributes("fake-kr", "too_many")...)
	flood := func(n int) {
		for range n {
			b.do("POST", "/webhooks/fake-kr", "{}").mustRefuse(t, 401, "webhook_refused", "")
		}
	}
	flood(100)
	for range events.RefusedPerBucket {
		store.next(t)
	}
	b.do("POST", "/webhooks/other-kr", "{}").mustRefuse(t, 401, "webhook_refused", "")
	if w, text := store.next(t); w.Provider != "other-kr" {
		t.Errorf("kept %s", text)
	}
	clock.Store(int64(time.Minute))
	flood(10)
	store.next(t)
	b.do("POST", "/webhooks/other-kr", "{}")
	if w, text := store.next(t); w.Provider != "other-kr" {
		t.Errorf("kept %s", text)
	}
	left = counted(t, ingress.CounterRefusedKept, keptAttributes("fake-kr", "too_many")...) - left
	if want := int64(110 - events.RefusedPerBucket - 1); left != want {
		t.Errorf("%d are left out, want %d", left, want)
	}
}

// No request waits for the store, and not more webhooks wait in memory than may, from however many addresses they come.
func TestRefusedWebhooksDoNotWaitForTheirStore(t *testing.T) {
	var store *refusedStore
	b := newBorder(t, keeping(&store, func(o *ingress.Options) {
		o.TrustedProxies, o.ProxyHeader = prefixes("127.0.0.0/8"), "X-Forwarded-For"
	}))
	count := func(outcome string) (n int64) {
		for _, provider := range []string{"fake-kr", "other-kr", "unknown"} {
			n += counted(t, ingress.CounterRefusedKept, keptAttributes(provider, outcome)...)
		}
		return n
	}
	before := count("too_many")
	const addresses = 200
	for i := range addresses {
		for path, status := range map[string]int{"fake-kr": 401, "other-kr": 401, "nobody": 404} {
			if a := b.do("POST", "/webhooks/"+path, "{}", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)); a.status != status {
				t.Fatalf("status %d", a.status)
			}
		}
	}
	// 48 are few enough by provider and address; 32 of them wait, and one may be on its way.
	left := count("too_many") - before
	if kept := 3*addresses - left; kept < 32 || kept > 33 {
		t.Errorf("%d are kept", kept)
	}
	for range 3*addresses - left {
		store.next(t)
	}
}

func TestRefusedWebhookThatIsNotStoredIsCounted(t *testing.T) {
	var store *refusedStore
	b := newBorder(t, keeping(&store))
	store.err = errors.New("no stream")
	b.do("POST", "/webhooks/fake-kr", "{}").mustRefuse(t, 401, "webhook_refused", "")
	before := counted(t, ingress.CounterRefusedKept, keptAttributes("fake-kr", "failed")...)
	store.next(t)
	b.do("POST", "/webhooks/fake-kr", "{}") // the second waits until the first was counted
	store.next(t)
	if got := counted(t, ingress.CounterRefusedKept, keptAttributes("fake-kr", "failed")...) - before; got < 1 {
		t.Errorf("counted %d times", got)
	}
	if b.do("GET", "/readyz", "").status != http.StatusOK {
		t.Error("it is not ready")
	}
}
