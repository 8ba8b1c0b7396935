package ecommpay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	order      = "TEST_15710440622623432441"
	secretText = "current-secret-of-the-project-zq7w"
)

var (
	current  = secret.New(secretText)
	previous = secret.New("previous-secret-of-the-project-zq7w")
	foreign  = secret.New("secret-of-another-project-zq7w")
	now      = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
)

// Of the connectors' tests.
var (
	newGate     = connectortest.NewGateway
	testContext = connectortest.Context
	classified  = connectortest.Classified
	mustEqual   = connectortest.SameJSON
	reply       = connectortest.Answer
)

func clock() time.Time { return now }

func settings(gate string) ecommpay.Settings {
	return ecommpay.Settings{
		ProjectID: 200, Secret: current, SecretsPrevious: []secret.Value{previous}, GateURL: gate,
		MerchantCallbackURL: "https://pay.example.com/webhooks/ecommpay-kr?a=b&c=d", ReturnURL: "http://return.url",
	}
}

func connect(t testing.TB, s ecommpay.Settings) *ecommpay.Connector {
	t.Helper()
	return connectAt(t, s, clock)
}

func connectAt(t testing.TB, s ecommpay.Settings, now func() time.Time) *ecommpay.Connector {
	t.Helper()
	client := httpcall.NewClient(httpcall.Options{})
	t.Cleanup(client.CloseIdleConnections)
	c, err := ecommpay.New("ecommpay-kr", s, client, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// taken is Gate's answer to a request that it took.
var taken = fmt.Sprintf(`{"status":"success","request_id":"f5e71b1b-00000001","project_id":200,"payment_id":%q}`, order)

func ref() payment.Ref { return payment.Ref{Provider: "ecommpay-kr", Order: order} }

func deposit(method string) payment.Command {
	return payment.Command{
		Ref: ref(), Operation: payment.Deposit, Amount: payment.KRW(10000), Method: method,
		Customer: payment.Customer{ID: "21", IPAddress: "248.1.1.1", FirstName: "Kon", LastName: "Do", Email: "do@mail.com"},
	}
}

func payout() payment.Command {
	cmd := deposit("")
	cmd.Operation, cmd.Customer.ID = payment.Payout, "100"
	cmd.Account = payment.Account{Number: "950-001413-01-010", Holder: "Do", BankCode: "140"}
	return cmd
}

func query(operation payment.Operation) connectors.Query {
	return connectors.Query{Ref: ref(), Operation: operation, Amount: payment.KRW(10000)}
}

// signedBy puts the signature of a secret into general, or into the root where there is no general.
func signedBy(t testing.TB, key secret.Value, body string) string {
	t.Helper()
	signature, err := ecommpay.Sign(key, []byte(body))
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	field := `"signature":"` + signature + `"`
	if before, after, found := strings.Cut(body, `"general":{`); found {
		if !strings.HasPrefix(after, "}") {
			field += ","
		}
		return before + `"general":{` + field + after
	}
	return `{` + field + `,` + strings.TrimPrefix(body, `{`)
}

func read(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func TestTraits(t *testing.T) {
	s := settings("https://api.example.com")
	traits := connect(t, s).Traits()
	if traits.Kind != ecommpay.Kind.Name || traits.Kind != "ecommpay" || !traits.RefusesDuplicates || traits.MaxOrderLength != 64 || traits.SettlingDelay != time.Minute ||
		fmt.Sprint(traits.Methods[payment.Deposit]) != "[page page_direct gate_redirect gate]" || fmt.Sprint(traits.Methods[payment.Payout]) != "[gate]" ||
		fmt.Sprint(traits.Currencies) != "[KRW]" || len(traits.Operations) != 2 {
		t.Errorf("got %+v", traits)
	}
	s.DepositMethod, s.SettlingDelay = "gate", 3*time.Minute
	if traits = connect(t, s).Traits(); fmt.Sprint(traits.Methods[payment.Deposit]) != "[gate page page_direct gate_redirect]" || traits.SettlingDelay != 3*time.Minute {
		t.Errorf("got %+v", traits)
	}
}

func TestSettings(t *testing.T) {
	ok := []func(*ecommpay.Settings){
		func(*ecommpay.Settings) {},
		func(s *ecommpay.Settings) {
			s.GateURL, s.PaymentPageURL, s.MerchantCallbackURL, s.ReturnURL = "", "", "", ""
		},
		func(s *ecommpay.Settings) {
			s.GateURL = "http://localhost:1/"
			s.PaymentPageURL = "http://[::1]:2/page"
		},
		func(s *ecommpay.Settings) { s.SettlingDelay = 10 * time.Second; s.SecretsPrevious = nil },
	}
	for i, change := range ok {
		s := settings("https://api.example.com")
		change(&s)
		if _, err := ecommpay.New("ecommpay-kr", s, nil, clock); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	refused := map[string]func(*ecommpay.Settings){
		"project_id must be":            func(s *ecommpay.Settings) { s.ProjectID = 0 },
		"project_id must be positive":   func(s *ecommpay.Settings) { s.ProjectID = -1 },
		"secret must have":              func(s *ecommpay.Settings) { s.Secret = secret.Value{} },
		"secret must have at least 16":  func(s *ecommpay.Settings) { s.Secret = secret.New("fifteen-bytes-x") },
		"previous_secrets[0] must have": func(s *ecommpay.Settings) { s.SecretsPrevious = []secret.Value{{}} },
		"previous_secrets[1] must have": func(s *ecommpay.Settings) { s.SecretsPrevious = []secret.Value{previous, secret.New("short")} },
		"base_url must begin":           func(s *ecommpay.Settings) { s.GateURL = "http://api.example.com" },
		"base_url must be an":           func(s *ecommpay.Settings) { s.GateURL = "api.example.com" },
		"base_url must have no":         func(s *ecommpay.Settings) { s.GateURL = "https://api.example.com?x=1" },
		"payment_page_url must begin":   func(s *ecommpay.Settings) { s.PaymentPageURL = "http://paymentpage.example.com/payment" },
		"payment_page_url must have no": func(s *ecommpay.Settings) { s.PaymentPageURL = "https://u:p@paymentpage.example.com/payment" },
		"callback_url must be":          func(s *ecommpay.Settings) { s.MerchantCallbackURL = "ftp://x" },
		"callback_url must have no semi": func(s *ecommpay.Settings) {
			s.MerchantCallbackURL = "https://x.example.com/a;b"
		},
		"at most 2048":                           func(s *ecommpay.Settings) { s.ReturnURL = "https://x.example.com/" + strings.Repeat("a", 2048) },
		"return_url must be":                     func(s *ecommpay.Settings) { s.ReturnURL = "javascript:alert(1)" },
		"language must":                          func(s *ecommpay.Settings) { s.Language = "ko-KR" },
		"deposit_method":                         func(s *ecommpay.Settings) { s.DepositMethod = "va" },
		"settling_delay":                         func(s *ecommpay.Settings) { s.SettlingDelay = 9 * time.Second },
		"bank_list_cache":                        func(s *ecommpay.Settings) { s.BankListCache = -1 },
		"page_lifetime must be 1m0s to 719h0m0s": func(s *ecommpay.Settings) { s.PageLifetime = 719*time.Hour + 1 },
		"page_lifetime must be":                  func(s *ecommpay.Settings) { s.PageLifetime = -time.Hour },
		"page_lifetime":                          func(s *ecommpay.Settings) { s.PageLifetime = 24 * time.Second },
	}
	for want, change := range refused {
		s := settings("https://api.example.com")
		change(&s)
		if _, err := ecommpay.New("ecommpay-kr", s, nil, clock); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if _, err := ecommpay.New("ecommpay-kr", ecommpay.Settings{GateURL: "x"}, nil, clock); err == nil || len(strings.Split(err.Error(), "\n")) != 3 {
		t.Errorf("not all problems at once: %v", err)
	}
}

func TestKind(t *testing.T) {
	decode := func(into any) error { *into.(*ecommpay.Settings) = settings("https://api.example.com"); return nil }
	if c, err := ecommpay.Kind.New("ecommpay-kr", decode, clock); err != nil || c.Traits().Kind != "ecommpay" {
		t.Errorf("got %v, %v", c, err)
	}
	broken := errors.New("broken")
	if c, err := ecommpay.Kind.New("ecommpay-kr", func(any) error { return broken }, clock); !errors.Is(err, broken) || c != nil {
		t.Errorf("got %v, %v", c, err)
	}
	if c, err := ecommpay.Kind.New("ecommpay-kr", func(any) error { return nil }, clock); err == nil || c != nil {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := settings("http://127.0.0.1:1")
	c := connect(t, s)
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", s, s, s), fmt.Sprintf("%v %+v %#v", c, c, c)} {
		if strings.Contains(shown, "zq7w") {
			t.Errorf("a secret shows in %.300s", shown)
		}
	}
	s.Secret, s.SecretsPrevious = secret.New("short-zq7w"), []secret.Value{secret.New("also-zq7w")}
	if _, err := ecommpay.New("ecommpay-kr", s, nil, clock); err == nil || strings.Contains(err.Error(), "zq7w") {
		t.Errorf("got %v", err)
	}
	_, err := c.Webhook(nil, []byte(signedBy(t, foreign, `{"payment":{"id":"x","status":"success"}}`)), now)
	if err == nil || strings.Contains(err.Error(), "zq7w") {
		t.Errorf("got %v", err)
	}
	if _, err := ecommpay.Sign(current, []byte(`{`)); err == nil || strings.Contains(err.Error(), "zq7w") {
		t.Errorf("got %v", err)
	}
}

// What leaves is read from the bytes of the connection.
func TestRequestOnTheWire(t *testing.T) {
	url, sent := connectortest.Swallow(t, `}}`)
	s := settings(url)
	s.MerchantCallbackURL = ""
	_, err := connect(t, s).Submit(testContext(t), payout())
	if e := classified(t, err); e.Class != connectors.InDoubt || e.Code != payment.ReasonNoAnswer { // dropped after the body
		t.Errorf("got %+v", e)
	}
	head, body, _ := strings.Cut(string(sent()), "\r\n\r\n")
	if !strings.HasPrefix(head, "POST /v2/payment/banks/korea/payout HTTP/1.1\r\n") || !strings.Contains(head, "\r\nContent-Type: application/json") || strings.Count(head, "\r\n") != 4 {
		t.Errorf("head\n%s", head)
	}
	const want = `{"general":{"project_id":200,"payment_id":"TEST_15710440622623432441","signature":"` +
		`%s"},"payment":{"amount":10000,"currency":"KRW"},"customer":{"id":"100","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do","email":"do@mail.com"},` +
		`"account":{"bank_id":140,"customer_name":"Do","number":"950-001413-01-010"}}`
	signature, err := ecommpay.Sign(current, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != fmt.Sprintf(want, signature) {
		t.Errorf("body\n%s", body)
	}
}

func TestUnreachable(t *testing.T) {
	g := newGate(t, reply(200, taken))
	c := connect(t, settings(g.URL))
	g.Close()
	calls := map[string]func() error{
		"submit": func() error { _, err := c.Submit(testContext(t), payout()); return err },
		"lookup": func() error { _, err := c.Lookup(testContext(t), query(payment.Deposit)); return err },
		"clarify": func() error {
			_, err := c.Clarify(testContext(t), query(payment.Deposit), map[string]map[string]string{"customer": {"last_name": "Do"}})
			return err
		},
		"banks": func() error { _, err := c.Banks(testContext(t), payment.Payout); return err },
	}
	for name, call := range calls {
		if e := classified(t, call()); e.Class != connectors.NotSent || e.Code != payment.ReasonUnreachable {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}

// A kept connection that drops after the second request was read: one request, in doubt.
func TestOneSubmitIsOneRequest(t *testing.T) {
	g := newGate(t, connectortest.ThenDrop(reply(200, taken)))
	c := connect(t, settings(g.URL))
	if _, err := c.Submit(testContext(t), payout()); err != nil {
		t.Fatal(err)
	}
	_, err := c.Submit(testContext(t), payout())
	if e := classified(t, err); e.Class != connectors.InDoubt || len(g.Requests()) != 2 {
		t.Errorf("got %+v after %d requests", e, len(g.Requests()))
	}
}

func TestConcurrentUse(t *testing.T) {
	const workers = 20
	answers := map[string]string{
		"POST /v2/payment/banks/korea/payout": taken, "POST /v2/payment/clarification": taken,
		"POST /v2/payment/status":               signedBy(t, current, statusAnswer(`"status":"success"`)),
		"POST /v2/info/banks/korea/payout/list": banksAnswer,
	}
	g := newGate(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, answers[r.Method+" "+r.URL.Path])
	})
	s := settings(g.URL)
	s.BankListCache = time.Nanosecond // asked for again at once
	var ticks atomic.Int64
	c := connectAt(t, s, func() time.Time { return now.Add(time.Duration(ticks.Add(1)) * time.Second) })
	callback := []byte(signedBy(t, previous, `{"project_id":200,"payment":{"id":"x","status":"processing"}}`))
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			if _, err := c.Submit(testContext(t), payout()); err != nil {
				t.Error(err)
			}
			if o, err := c.Lookup(testContext(t), query(payment.Deposit)); err != nil || o.Kind != payment.Paid {
				t.Error(o, err)
			}
			if _, err := c.Clarify(testContext(t), query(payment.Deposit), map[string]map[string]string{"customer": {"last_name": "Do"}}); err != nil {
				t.Error(err)
			}
			if banks, err := c.Banks(testContext(t), payment.Payout); err != nil || len(banks) != 2 {
				t.Error(banks, err)
			}
			if _, err := c.Webhook(nil, callback, now); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(g.Requests()); n != 4*workers {
		t.Errorf("%d requests for %d calls", n, 4*workers)
	}
	for _, r := range g.Requests() {
		if err := ecommpay.Verify([]secret.Value{current}, r.Body, ""); err != nil {
			t.Errorf("%s: %v", r.String(), err)
		}
	}
}

// A payment must not be looked up where it was not sent: what decides where that is makes another account.
func TestAccount(t *testing.T) {
	at := func(edit func(*ecommpay.Settings)) string {
		s := settings("https://API.example.com/")
		edit(&s)
		return connect(t, s).Traits().Account
	}
	ours := at(func(*ecommpay.Settings) {})
	if want := "at api.example.com and paymentpage.ecommpay.com/payment project_id 200"; ours != want {
		t.Errorf("got %q, want %q", ours, want)
	}
	for name, edit := range map[string]func(*ecommpay.Settings){
		"gate": func(s *ecommpay.Settings) { s.GateURL = "https://other.example.com" }, "page": func(s *ecommpay.Settings) { s.PaymentPageURL = "https://other.example.com" },
		"project": func(s *ecommpay.Settings) { s.ProjectID++ },
	} {
		if at(edit) == ours {
			t.Errorf("%s: it is the same account", name)
		}
	}
	for name, edit := range map[string]func(*ecommpay.Settings){
		"secret": func(s *ecommpay.Settings) { s.Secret = previous }, "spelling": func(s *ecommpay.Settings) { s.GateURL = "https://api.example.com:443" },
		"language": func(s *ecommpay.Settings) { s.Language = "en" }, "method": func(s *ecommpay.Settings) { s.DepositMethod = ecommpay.MethodGate },
	} {
		if at(edit) != ours {
			t.Errorf("%s: it is another account", name)
		}
	}
}
