package teemopay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	provider = "teemopay-kr"
	appCode  = "sandbox-app"
)

// at is the provider's clock in these tests: 2025-01-01 01:00:00 in Korea.
var at = time.UnixMilli(1735660800000)

var testKeys = sync.OnceValue(func() Keys {
	k, err := NewKeys()
	if err != nil {
		panic(err)
	}
	return k
})

// stand is the protocol behind a real HTTP server.
type stand struct {
	t      *testing.T
	box    *sandbox.Sandbox
	url    string
	client *http.Client
	calls  chan delivered
}

type delivered struct {
	header http.Header
	body   string
}

func newStand(t *testing.T, change func(*Settings, *sandbox.AccountConfig)) *stand {
	t.Helper()
	calls := make(chan delivered, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- delivered{r.Header, string(body)}
		_, _ = io.WriteString(w, "SUCCESS")
	}))
	settings := Settings{AppCode: appCode, MerchantKey: &testKeys().Merchant.PublicKey, PlatformKey: testKeys().Platform}
	a := sandbox.AccountConfig{Name: provider, CallbackURL: hook.URL}
	if change != nil {
		change(&settings, &a)
	}
	protocol, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	a.Protocol = protocol
	// Money moves when the test says so.
	wait := func(ctx context.Context, _ time.Duration) error { <-ctx.Done(); return ctx.Err() }
	box, err := sandbox.New(sandbox.Options{Accounts: []sandbox.AccountConfig{a}, Now: func() time.Time { return at }, Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	s := &stand{t: t, box: box, url: server.URL + "/" + provider, client: &http.Client{Transport: &http.Transport{}}, calls: calls}
	t.Cleanup(func() {
		box.Close()
		s.client.CloseIdleConnections()
		server.Close()
		hook.Close()
	})
	return s
}

const (
	depositPath = "/api/pay/payment/create/v1"
	payoutPath  = "/api/pay/payout/create/v1"
)

// signed makes a right request.
func (s *stand) signed(content map[string]any) (http.Header, []byte) {
	s.t.Helper()
	header, body, err := SignedRequest(testKeys().Merchant, appCode, content, at)
	if err != nil {
		s.t.Fatal(err)
	}
	return header, body
}

func (s *stand) send(path string, header http.Header, body []byte) (int, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header = header
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func (s *stand) post(path string, content map[string]any) string {
	s.t.Helper()
	header, body := s.signed(content)
	status, answer := s.send(path, header, body)
	if status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", path, status, answer)
	}
	return answer
}

func code(answer string) int {
	var e struct{ Code int }
	_ = json.Unmarshal([]byte(answer), &e)
	return e.Code
}

// seed is the request of the pay-in page, without its callback address.
func seed(changes map[string]any) map[string]any {
	return with(map[string]any{
		"realName": "TeemoPay", "merchantName": "MerchantNameExample", "amount": "1000", "phone": "01012345678",
		"merchantOrderNo": "D1", "email": "TeemoPay@example.com", "paymentType": 801,
	}, changes)
}

// payout is the documents' example.
func payout(changes map[string]any) map[string]any {
	return with(map[string]any{
		"merchantOrderNo": "P1", "amount": "1000", "bankCode": "088", "bankName": "Shinhan Bank", "accountType": 801,
		"bankAccount": "12345678998765", "realName": "realName", "idType": "RRN",
	}, changes)
}

// with changes fields; a nil value takes a field away.
func with(content, changes map[string]any) map[string]any {
	maps.Copy(content, changes)
	maps.DeleteFunc(content, func(_ string, value any) bool { return value == nil })
	return content
}

// refusedAs checks that an order was refused for a reason, and that nothing was accepted.
func (s *stand) refusedAs(order, reason string) {
	s.t.Helper()
	o, err := s.box.Order(provider, order)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(o.Requests) == 0 || len(o.Charges) != 0 {
		s.t.Fatalf("the truth is %+v", o)
	}
	if r := o.Requests[len(o.Requests)-1]; r.Outcome != sandbox.Refused || r.Reason != reason {
		s.t.Errorf("refused as %q, want %q", r.Reason, reason)
	}
}

func TestHeadersAndSignature(t *testing.T) {
	millis := func(d time.Duration) string { return strconv.FormatInt(at.Add(d).UnixMilli(), 10) }
	for _, c := range []struct {
		name   string
		change func(h http.Header, body *[]byte)
		code   int
		reason string
	}{
		{"right", func(http.Header, *[]byte) {}, 200, ""},
		{"a charset", func(h http.Header, _ *[]byte) { h.Set("Content-Type", "application/json; charset=utf-8") }, 200, ""},
		{"30 s late", func(h http.Header, _ *[]byte) { h["timestamp"] = []string{millis(-30 * time.Second)} }, 200, ""},
		{"30 s early", func(h http.Header, _ *[]byte) { h["timestamp"] = []string{millis(30 * time.Second)} }, 200, ""},
		{"form", func(h http.Header, _ *[]byte) { h.Set("Content-Type", "text/plain") }, 414, ReasonContentType},
		{"no app", func(h http.Header, _ *[]byte) { delete(h, "app_code") }, 416, ReasonApp},
		{"appCode", func(h http.Header, _ *[]byte) { delete(h, "app_code"); h["appCode"] = []string{appCode} }, 416, ReasonApp},
		{"no country", func(h http.Header, _ *[]byte) { delete(h, "country") }, 414, ReasonCountry},
		{"MX", func(h http.Header, _ *[]byte) { h["country"] = []string{"MX"} }, 414, ReasonCountry},
		{"no nonce", func(h http.Header, _ *[]byte) { delete(h, "nonce") }, 414, ReasonNonce},
		{"short nonce", func(h http.Header, _ *[]byte) { h["nonce"] = []string{"abc"} }, 414, ReasonNonce},
		{"another nonce", func(h http.Header, _ *[]byte) { h["nonce"] = []string{strings.Repeat("0", 32)} }, 414, ReasonSignature},
		{"no time", func(h http.Header, _ *[]byte) { delete(h, "timestamp") }, 414, ReasonTimestamp},
		{"seconds", func(h http.Header, _ *[]byte) { h["timestamp"] = []string{"1735660800"} }, 414, ReasonTimestamp},
		{"too late", func(h http.Header, _ *[]byte) { h["timestamp"] = []string{millis(-30001 * time.Millisecond)} }, 414, ReasonStale},
		{"too early", func(h http.Header, _ *[]byte) { h["timestamp"] = []string{millis(30001 * time.Millisecond)} }, 414, ReasonStale},
		{"changed", func(_ http.Header, b *[]byte) { *b = bytes.Replace(*b, []byte(`"1000"`), []byte(`"9000"`), 1) }, 414, ReasonSignature},
		{"unsigned", func(_ http.Header, b *[]byte) { *b = bytes.Replace(*b, []byte(`"sign"`), []byte(`"sing"`), 1) }, 414, ReasonSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, nil)
			header, body := s.signed(seed(nil))
			c.change(header, &body)
			status, answer := s.send(depositPath, header, body)
			if status != 200 || code(answer) != c.code {
				t.Errorf("%d %s", status, answer)
			}
			if c.reason != "" {
				s.refusedAs("D1", c.reason)
			}
		})
	}
}

func TestNonceIsTakenOnce(t *testing.T) {
	s := newStand(t, func(settings *Settings, _ *sandbox.AccountConfig) { settings.RefusalCode = 499 })
	header, body := s.signed(map[string]any{"merchantOrderNo": "D1"})
	const path = "/api/pay/payment/query/v1"
	// A wrong signature does not use the nonce up.
	if _, answer := s.send(path, header, bytes.Replace(body, []byte("D1"), []byte("D2"), 1)); code(answer) != 499 {
		t.Error(answer)
	}
	s.refusedAs("D2", ReasonSignature)
	if _, answer := s.send(path, header, body); code(answer) != codeDepositNotFound {
		t.Error(answer)
	}
	if _, answer := s.send(path, header, body); code(answer) != 499 {
		t.Error(answer)
	}
	s.refusedAs("D1", ReasonNonceReused)
}

func TestBodiesAndPaths(t *testing.T) {
	s := newStand(t, nil)
	header, _ := s.signed(seed(nil))
	if status, answer := s.send(depositPath, header, []byte(`{"merchantOrderNo":"D1","x":{}}`)); status != 200 || code(answer) != 414 {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := s.send(depositPath, header, bytes.Repeat([]byte(" "), 64<<10+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: %d", status)
	}
	if status, _ := s.send("/api/pay/payment/create/v2", header, nil); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
	response, err := s.client.Get(s.url + depositPath)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", response.StatusCode)
	}
	if refused := s.box.Truth().Accounts[0].Refused; len(refused) != 2 || refused[0].Reason != ReasonBody {
		t.Errorf("%+v", refused)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	good := Settings{AppCode: appCode, MerchantKey: &testKeys().Merchant.PublicKey, PlatformKey: testKeys().Platform}
	for _, bad := range []func(*Settings){
		func(s *Settings) { s.AppCode = "" }, func(s *Settings) { s.AppCode = strings.Repeat("x", 33) },
		func(s *Settings) { s.MerchantKey = nil }, func(s *Settings) { s.PlatformKey = nil },
	} {
		s := good
		bad(&s)
		if _, err := New(s); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}
