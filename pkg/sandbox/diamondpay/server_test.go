package diamondpay

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	provider = "diamondpay"
	secret   = "sandbox-secret"
	token    = "sandbox-token"
	patient  = 30 * time.Second // for what must happen on a busy machine
)

// at is the provider's clock in these tests, the time of the documents' notification.
var at = time.Unix(1567614049, 0)

// stand is the protocol behind a real HTTP server, and a merchant who receives notifications.
type stand struct {
	t      *testing.T
	box    *sandbox.Sandbox
	url    string
	hook   string
	client *http.Client
	calls  chan string
	how    SignType
}

// newStand makes a stand. Waits pass at once; money moves by hand unless AutoPay is set.
func newStand(t *testing.T, change func(*Settings, *sandbox.AccountConfig)) *stand {
	t.Helper()
	calls := make(chan string, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- string(body)
		_, _ = io.WriteString(w, `{"error_code":"0000"}`)
	}))
	settings := Settings{PlatformID: "PF0002", Secret: secret, Token: token}
	a := sandbox.AccountConfig{Name: provider}
	if change != nil {
		change(&settings, &a)
	}
	protocol, err := New(settings)
	if err != nil {
		t.Fatal(err)
	}
	a.Protocol = protocol
	wait := func(ctx context.Context, d time.Duration) error {
		if d < time.Hour {
			return ctx.Err()
		}
		<-ctx.Done()
		return ctx.Err()
	}
	box, err := sandbox.New(sandbox.Options{Accounts: []sandbox.AccountConfig{a}, Now: func() time.Time { return at }, Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	s := &stand{
		t: t, box: box, url: server.URL + "/" + provider, hook: hook.URL, calls: calls, how: protocol.settings.SignType,
		client: &http.Client{Transport: &http.Transport{}, Timeout: patient},
	}
	t.Cleanup(func() {
		box.Close()
		s.client.CloseIdleConnections()
		server.Close()
		hook.Close()
	})
	return s
}

func byHand(_ *Settings, a *sandbox.AccountConfig) { a.MoveDelay = time.Hour }

func taiwan(settings *Settings, _ *sandbox.AccountConfig) { settings.Currency = "TWD" }

const (
	v1Path     = "/gateway/api/v1/payments"
	v2Path     = "/gateway/api/v2/payments"
	payoutPath = "/gateway/api/v2/payouts"
)

type change = map[string]any

func with(content, more change) change {
	content = maps.Clone(content)
	for name, value := range more {
		if content[name] = value; value == nil {
			delete(content, name)
		}
	}
	return content
}

// exampleKRW is the request of the KRW deposit page, numbers as texts.
func (s *stand) exampleKRW(order string) change {
	return change{
		"amount": "130000000", "name": "테스", "user_id": "playerA", "notify_url": s.hook + "/notification", "payment_cl_id": order,
		"platform_id": "PF0002", "request_time": "1595504136", "service_id": "SVC0026",
	}
}

// exampleV2 is the request of the v2 deposit page.
func (s *stand) exampleV2(order string) change {
	return change{
		"amount": "50000000", "notify_url": s.hook + "/notification", "payment_cl_id": order,
		"platform_id": "PF0002", "request_time": "1595504136", "service_id": "SVC0015",
	}
}

// exampleTWD is the request of the TWD deposit page with the name, which its table requires and its example leaves out.
func (s *stand) exampleTWD(order string) change {
	return change{
		"amount": 48389, "last_numbers": []string{"12345", "67890", "11111"}, "notify_url": s.hook + "/gateway/test-notification",
		"payment_cl_id": order, "platform_id": "PF0002", "request_time": 1766005863, "service_id": "SVC0025", "name": "王小明",
	}
}

// payout is like docs.apayasia.com create-withdraw.
func (s *stand) payout(order string) change {
	return change{
		"platform_id": "PF0002", "service_id": "SVC0004", "payout_cl_id": order, "amount": 1000000, "notify_url": s.hook,
		"bank_name": "KBSTAR_KR", "name": "홍길동", "number": "6216667451674374", "phone_number": "01012345678", "currency": "krw",
		"request_time": 1595504136,
	}
}

func (s *stand) send(path string, body []byte) (int, string, error) {
	response, err := s.client.Post(s.url+path, "application/json;charset=utf-8", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

// post sends a signed request that is answered with 200.
func (s *stand) post(path string, content change) string {
	s.t.Helper()
	body, err := SignedRequest(s.how, secret, content)
	if err != nil {
		s.t.Fatal(err)
	}
	status, answer, err := s.send(path, body)
	if err != nil || status != http.StatusOK {
		s.t.Fatalf("%v %d %s", err, status, answer)
	}
	return answer
}

// get asks with the token.
func (s *stand) get(path string) string {
	s.t.Helper()
	_, answer := s.getWith(path, token)
	return answer
}

func (s *stand) getWith(path, token string) (int, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
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

func code(answer string) string {
	var m struct {
		Code string `json:"error_code"`
	}
	_ = json.Unmarshal([]byte(answer), &m)
	return m.Code
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

func (s *stand) refusedAs(order, reason string) {
	s.t.Helper()
	o := s.order(order)
	if len(o.Requests) == 0 || o.Requests[len(o.Requests)-1].Reason != reason {
		s.t.Errorf("the truth is %+v, want %s", o.Requests, reason)
	}
}

// next is the next notification, verified.
func (s *stand) next() string {
	s.t.Helper()
	select {
	case body := <-s.calls:
		if !Verify(s.how, secret, []byte(body)) || Verify(s.how, "sandbox-other", []byte(body)) {
			s.t.Errorf("the notification is not signed: %s", body)
		}
		return body
	case <-time.After(patient):
		s.t.Fatal("no notification")
		return ""
	}
}

func (s *stand) pay(order string, amount int64) {
	s.t.Helper()
	if err := s.box.Pay(provider, order, amount); err != nil {
		s.t.Fatal(err)
	}
}

func same(t *testing.T, name, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}
