package ecommpay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	provider = "ecommpay-kr"
	secret   = "sandbox-secret"
	patient  = 30 * time.Second // for what must happen on a busy machine
)

// wednesday is when the purchase of the Korean banks page was created: 18:39:20 in Korea.
var wednesday = time.Date(2019, 10, 16, 9, 39, 20, 0, time.UTC)

// clock stands still until a test moves it. Waits of no length pass.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	waits   []wait
	changed chan struct{}
}

type wait struct {
	due  time.Time
	done chan struct{}
}

func newClock(at time.Time) *clock { return &clock{now: at, changed: make(chan struct{}, 1)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	c.mu.Lock()
	w := wait{c.now.Add(d), make(chan struct{})}
	c.waits = append(c.waits, w)
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until waits until something waits for this time.
func (c *clock) until(t *testing.T, due time.Time) {
	t.Helper()
	c.untilAll(t, 1, due)
}

// untilAll waits until so many goroutines wait for this time. One that has read the clock and does not wait yet when it is
// set would wait from then on.
func (c *clock) untilAll(t *testing.T, n int, due time.Time) {
	t.Helper()
	late := time.After(patient)
	for {
		waiting := 0
		c.mu.Lock()
		for _, w := range c.waits {
			if w.due.Equal(due) {
				waiting++
			}
		}
		c.mu.Unlock()
		if waiting >= n {
			return
		}
		select {
		case <-c.changed:
		case <-late:
			t.Fatalf("%d wait for %s, want %d", waiting, due, n)
		}
	}
}

// set moves the clock.
func (c *clock) set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = to
	rest := c.waits[:0]
	for _, w := range c.waits {
		if w.due.After(to) {
			rest = append(rest, w)
		} else {
			close(w.done)
		}
	}
	c.waits = rest
}

// stand is the protocol behind a real HTTP server, and a merchant who receives callbacks.
type stand struct {
	t      *testing.T
	box    *sandbox.Sandbox
	clock  *clock
	url    string
	client *http.Client
	calls  chan string
}

func newStand(t *testing.T, change func(*Settings, *sandbox.AccountConfig)) *stand {
	t.Helper()
	calls := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- string(body)
		_, _ = io.WriteString(w, "OK")
	}))
	settings := Settings{ProjectID: 200, Secret: secret, Redirect: true}
	a := sandbox.AccountConfig{Name: provider, CallbackURL: hook.URL, MoveDelay: time.Second}
	if change != nil {
		change(&settings, &a)
	}
	protocol, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	a.Protocol = protocol
	c := newClock(wednesday)
	box, err := sandbox.New(sandbox.Options{Accounts: []sandbox.AccountConfig{a}, Now: c.Now, Wait: c.Wait})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	s := &stand{t: t, box: box, clock: c, url: server.URL + "/" + provider, client: &http.Client{Transport: &http.Transport{}, Timeout: patient}, calls: calls}
	t.Cleanup(func() {
		box.Close()
		s.client.CloseIdleConnections()
		server.Close()
		hook.Close()
	})
	return s
}

const (
	salePath          = "/v2/payment/banks/korea/sale"
	payoutPath        = "/v2/payment/banks/korea/payout"
	statusPath        = "/v2/payment/status"
	clarificationPath = "/v2/payment/clarification"
)

// sale is the purchase of the Korean banks page with redirection, with some top-level objects replaced.
func sale(order string, change map[string]any) map[string]any {
	content := map[string]any{
		"general": map[string]any{"project_id": 200, "payment_id": order},
		"payment": map[string]any{"amount": 10000, "currency": "KRW"},
		"customer": map[string]any{
			"id": "21", "ip_address": "248.1.1.1", "first_name": "Kon", "last_name": "Do", "email": "do@mail.com",
		},
		"return_url": map[string]any{"decline": "http://return.url", "success": "http://return.url"},
	}
	maps.Copy(content, change)
	return content
}

// payoutOf is the payout of the Korean banks page.
func payoutOf(order string, change map[string]any) map[string]any {
	content := map[string]any{
		"general": map[string]any{"project_id": 200, "payment_id": order},
		"payment": map[string]any{"amount": 10000, "currency": "KRW"},
		"customer": map[string]any{
			"id": "100", "ip_address": "248.1.1.1", "first_name": "Kon", "last_name": "Do", "email": "do@mail.com",
		},
		"account": map[string]any{"bank_id": 761, "customer_name": "Do", "number": "950-001413-01-010"},
	}
	maps.Copy(content, change)
	return content
}

func general(order string) map[string]any {
	return map[string]any{"general": map[string]any{"project_id": 200, "payment_id": order}}
}

// send posts a body; err is a connection that ended without an answer.
func (s *stand) send(path string, body []byte) (int, string, error) {
	s.t.Helper()
	response, err := s.client.Post(s.url+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

// post sends a signed request.
func (s *stand) post(path string, content map[string]any) (int, string) {
	s.t.Helper()
	body, err := SignedRequest(secret, content)
	if err != nil {
		s.t.Fatal(err)
	}
	status, answer, err := s.send(path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, answer
}

// taken posts a request that must be accepted.
func (s *stand) taken(path string, content map[string]any) {
	s.t.Helper()
	if status, answer := s.post(path, content); status != http.StatusOK || !isSuccess(answer) {
		s.t.Fatalf("%s: %d %s", path, status, answer)
	}
}

func isSuccess(answer string) bool { return field(answer, "status") == "success" }

// field reads a value at the top of a JSON object.
func field(answer, name string) any {
	var m map[string]any
	_ = json.Unmarshal([]byte(answer), &m)
	return m[name]
}

func (s *stand) order(order string) sandbox.Order {
	s.t.Helper()
	o, err := s.box.Order(provider, order)
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *stand) wait(order string, until sandbox.Condition) sandbox.Order {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patient)
	defer cancel()
	o, err := s.box.WaitFor(ctx, provider, order, until)
	if err != nil {
		s.t.Fatalf("%v; the order is %+v", err, o)
	}
	return o
}

// refusedAs checks why the last request of an order was refused.
func (s *stand) refusedAs(order, reason string) {
	s.t.Helper()
	o := s.order(order)
	if len(o.Requests) == 0 || o.Requests[len(o.Requests)-1].Reason != reason || o.Requests[len(o.Requests)-1].Outcome != sandbox.Refused {
		s.t.Errorf("the truth is %+v, want %s", o.Requests, reason)
	}
}

// What differs each time, or from the documents' examples.
var (
	signaturePart = regexp.MustCompile(`"signature":"[A-Za-z0-9+/]{86}=="`)
	requestPart   = regexp.MustCompile(`"request_id":"[0-9a-f]{45}-[0-9]{8}"`)
	operationPart = regexp.MustCompile(`"id":173700000[0-9]{4}\b`)
	bankPart      = regexp.MustCompile(`"payment_id":"[0-9]{16}"`)
)

func plain(text string) string {
	text = signaturePart.ReplaceAllString(text, `"signature":"S"`)
	text = requestPart.ReplaceAllString(text, `"request_id":"R"`)
	text = operationPart.ReplaceAllString(text, `"id":1`)
	return bankPart.ReplaceAllString(text, `"payment_id":"B"`)
}

func same(t *testing.T, name, got, want string) {
	t.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(want)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got = plain(got); got != compact.String() {
		t.Errorf("%s:\n got %s\nwant %s", name, got, compact.String())
	}
}

// next is the next callback, verified.
func (s *stand) next() string {
	s.t.Helper()
	select {
	case body := <-s.calls:
		if !Verify(secret, []byte(body)) || Verify("sandbox-other", []byte(body)) {
			s.t.Errorf("the callback is not signed: %s", body)
		}
		return body
	case <-time.After(patient):
		s.t.Fatal("no callback")
		return ""
	}
}
