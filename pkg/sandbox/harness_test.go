package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/teemopay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	config  = "teemopay-kr"
	appCode = "sandbox-app"
	patient = 30 * time.Second // for what must happen on a busy machine
)

var keys = sync.OnceValue(func() teemopay.Keys {
	k, err := teemopay.NewKeys()
	if err != nil {
		panic(err)
	}
	return k
})

// rig is a sandbox behind a real HTTP server, and a merchant who receives callbacks.
type rig struct {
	t        *testing.T
	box      *sandbox.Sandbox
	url      string
	merchant *merchant
	client   *http.Client
}

// merchant receives callbacks. answer may block.
type merchant struct {
	url    string
	mu     sync.Mutex
	calls  []call
	answer func(n int, w http.ResponseWriter)
}

type call struct {
	header http.Header
	body   []byte
}

func (m *merchant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	m.mu.Lock()
	m.calls = append(m.calls, call{r.Header, body})
	n := len(m.calls)
	m.mu.Unlock()
	m.answer(n, w)
}

func (m *merchant) received() []call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]call(nil), m.calls...)
}

// newRig makes a rig; change may alter the options and the one account.
func newRig(t *testing.T, change func(*sandbox.Options, *sandbox.AccountConfig)) *rig {
	t.Helper()
	protocol, err := teemopay.New(teemopay.Settings{AppCode: appCode, MerchantKey: &keys().Merchant.PublicKey, PlatformKey: keys().Platform})
	if err != nil {
		t.Fatal(err)
	}
	m := &merchant{answer: func(_ int, w http.ResponseWriter) { _, _ = io.WriteString(w, "SUCCESS") }}
	hook := httptest.NewServer(m)
	t.Cleanup(hook.Close)
	m.url = hook.URL
	a := sandbox.AccountConfig{
		Name: config, Protocol: protocol, CallbackURL: hook.URL + "/default", AutoPay: true,
		Retry: sandbox.Retry{First: time.Millisecond, Factor: 2, Max: 4 * time.Millisecond, Attempts: 5},
	}
	o := sandbox.Options{Now: time.Now}
	if change != nil {
		change(&o, &a)
	}
	o.Accounts = append(o.Accounts, a)
	box, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	client := &http.Client{Transport: &http.Transport{}, Timeout: patient}
	t.Cleanup(func() {
		box.Close()
		client.CloseIdleConnections()
		server.Close()
	})
	return &rig{t: t, box: box, url: server.URL, merchant: m, client: client}
}

// answer is what the merchant got back; err is a connection that ended without an answer.
type answer struct {
	status int
	kind   string
	body   string
	err    error
}

// code reads the provider's code, or 0.
func (a answer) code() int { return int(a.number("code")) }

func (a answer) number(name string) float64 {
	var m map[string]any
	_ = json.Unmarshal([]byte(a.body), &m)
	n, _ := m[name].(float64)
	return n
}

func (a answer) data() map[string]any {
	var m struct{ Data map[string]any }
	_ = json.Unmarshal([]byte(a.body), &m)
	return m.Data
}

func (g *rig) post(ctx context.Context, path string, content map[string]any) answer {
	header, body, err := teemopay.SignedRequest(keys().Merchant, appCode, content, time.Now())
	if err != nil {
		g.t.Error(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url+"/"+config+path, bytes.NewReader(body))
	if err != nil {
		g.t.Error(err)
		return answer{err: err}
	}
	request.Header = header
	return g.do(request)
}

func (g *rig) do(request *http.Request) answer {
	response, err := g.client.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header.Get("Content-Type"), string(body), err}
}

func depositOf(order string) map[string]any {
	return map[string]any{
		"merchantOrderNo": order, "paymentType": 801, "realName": "TeemoPay", "merchantName": "MerchantNameExample",
		"amount": "1000", "phone": "01012345678", "email": "TeemoPay@example.com",
	}
}

func payoutOf(order string) map[string]any {
	return map[string]any{
		"merchantOrderNo": order, "amount": "1000", "bankCode": "088", "bankName": "Shinhan Bank", "accountType": 801,
		"bankAccount": "12345678998765", "realName": "realName", "idType": "RRN",
	}
}

func (g *rig) deposit(order string) answer {
	return g.post(g.t.Context(), "/api/pay/payment/create/v1", depositOf(order))
}

func (g *rig) payout(order string) answer {
	return g.post(g.t.Context(), "/api/pay/payout/create/v1", payoutOf(order))
}

func (g *rig) create(operation sandbox.Operation, order string) answer {
	if operation == sandbox.Payout {
		return g.payout(order)
	}
	return g.deposit(order)
}

func (g *rig) query(operation sandbox.Operation, order string) answer {
	path := "/api/pay/payment/query/v1"
	if operation == sandbox.Payout {
		path = "/api/pay/payout/query/v1"
	}
	return g.post(g.t.Context(), path, map[string]any{"merchantOrderNo": order})
}

// wait waits until the order is as wanted.
func (g *rig) wait(order string, until sandbox.Condition) sandbox.Order {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patient)
	defer cancel()
	o, err := g.box.WaitFor(ctx, config, order, until)
	if err != nil {
		g.t.Fatalf("%v; the order is %+v", err, o)
	}
	return o
}

func (g *rig) order(order string) sandbox.Order {
	g.t.Helper()
	o, err := g.box.Order(config, order)
	if err != nil {
		g.t.Fatal(err)
	}
	return o
}

// admin calls the admin API.
func (g *rig) admin(method, path, body string) answer {
	request, err := http.NewRequestWithContext(g.t.Context(), method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	return g.do(request)
}

// lastRequest describes the last request of an order for a comparison.
func lastRequest(o sandbox.Order) string {
	if len(o.Requests) == 0 {
		return "none"
	}
	r := o.Requests[len(o.Requests)-1]
	return fmt.Sprintf("%s %s %q %v %d", r.Action, r.Outcome, r.Reason, r.Faults, r.Reply)
}
