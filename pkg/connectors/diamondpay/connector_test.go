package diamondpay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	order  = "DEVPM00014581"
	key    = "2I9Q4nExEddsH6zo" // the published test key
	oldKey = "an-older-secret-of-ours"
	token  = "token-zq8w-of-the-platform"
)

// now is the request_time of the KRW deposit pages.
var now = time.Unix(1595504136, 0)

// Of the connectors' tests.
var (
	newGateway  = connectortest.NewGateway
	testContext = connectortest.Context
	classified  = connectortest.Classified
	mustEqual   = connectortest.SameJSON
)

func reply(body string) http.HandlerFunc { return connectortest.Answer(http.StatusOK, body) }

func clock() time.Time { return now }

// The accounts of the tests.
func krwV1(baseURL string) diamondpay.Settings {
	return diamondpay.Settings{
		BaseURL: baseURL, PlatformID: "PF0002", Secret: secret.New(key), PreviousSecrets: []secret.Value{secret.New(oldKey)},
		SignType: diamondpay.MD5, Authorization: secret.New(token), Currency: "KRW", Version: "v1", PayoutQueryVersion: "v1",
		NotifyURL: "https://xxx.xx/notification", PayoutNotifyURL: "https://xxx.xx/payouts",
	}
}

func krwV2(baseURL string) diamondpay.Settings {
	s := krwV1(baseURL)
	s.Version, s.PayoutQueryVersion = "v2", ""
	return s
}

func twd(baseURL string) diamondpay.Settings {
	s := krwV1(baseURL)
	s.PlatformID, s.Currency, s.PayoutNotifyURL = "PF0003", "TWD", ""
	s.NotifyURL = "http://localhost:54725/gateway/test-notification"
	return s
}

// account makes the settings of an account for a gateway's address.
type account func(baseURL string) diamondpay.Settings

// with changes the settings of an account.
func with(a account, change func(*diamondpay.Settings)) account {
	return func(baseURL string) diamondpay.Settings {
		s := a(baseURL)
		change(&s)
		return s
	}
}

func hmacOf(a account) account {
	return with(a, func(s *diamondpay.Settings) { s.SignType = diamondpay.HMACSHA256 })
}

func connect(t testing.TB, s diamondpay.Settings) *diamondpay.Connector {
	t.Helper()
	return connectAt(t, s, clock)
}

func connectAt(t testing.TB, s diamondpay.Settings, clock func() time.Time) *diamondpay.Connector {
	t.Helper()
	client := httpcall.NewClient(httpcall.Options{})
	t.Cleanup(client.CloseIdleConnections)
	c, err := diamondpay.New("diamondpay", s, client, clock)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func deposit(amount payment.Money) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: "diamondpay", Order: order}, Operation: payment.Deposit, Amount: amount,
		Customer: payment.Customer{ID: "playerA", Name: "테스"},
	}
}

func depositTWD() payment.Command {
	cmd := deposit(payment.TWD(48389))
	cmd.Order, cmd.Customer = "test_tw_card_1766005863_25", payment.Customer{Name: "王小頭"}
	cmd.Account.LastDigits = []string{"12345", "67890", "11111"}
	return cmd
}

func payout() payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: "diamondpay", Order: order}, Operation: payment.Payout, Amount: payment.KRW(10000),
		Customer: payment.Customer{Phone: "01012345678"},
		Account:  payment.Account{Number: "110222333444", Holder: "홍길동", BankCode: "KBSTAR_KR"},
	}
}

// submit sends cmd to a gateway that answers with body, and asserts that exactly one request arrived.
func submit(t testing.TB, a account, cmd payment.Command, body string) (payment.Observation, error) {
	t.Helper()
	g := newGateway(t, reply(body))
	o, err := connect(t, a(g.URL)).Submit(testContext(t), cmd)
	g.Only(t)
	return o, err
}

// The request as it leaves: every byte of the body, and every header.
func TestBytesOnTheWire(t *testing.T) {
	url, sent := connectortest.Swallow(t, `"}`)
	_, err := connect(t, krwV1(url)).Submit(testContext(t), deposit(payment.KRW(1300000)))
	if e := classified(t, err); e.Class != connectors.InDoubt || e.Code != payment.ReasonNoAnswer { // dropped after the body
		t.Errorf("got %+v", e)
	}
	header, body, _ := strings.Cut(string(sent()), "\r\n\r\n")
	want := `{"amount":"130000000","name":"테스","user_id":"playerA","notify_url":"https://xxx.xx/notification","payment_cl_id":"DEVPM00014581",` +
		`"platform_id":"PF0002","request_time":"1595504136","service_id":"SVC0026","sign":"9ef51adb106ce5fed356bae50b9eaf3a"}` // vector krw-deposit-page-v1-md5
	if body != want {
		t.Errorf("sent\n%s\nwant\n%s", body, want)
	}
	for _, line := range []string{"POST /gateway/api/v1/payments HTTP/1.1\r\n", "\r\nContent-Type: application/json;charset=utf-8\r\n", "\r\nUser-Agent: payonce\r\n"} {
		if !strings.Contains(header+"\r\n", line) {
			t.Errorf("no %q in\n%s", line, header)
		}
	}
	if strings.Count(header, "\r\n") != 4 || strings.Contains(header, token) {
		t.Errorf("not the four header lines that are wanted:\n%s", header)
	}
}

func TestConcurrentSubmits(t *testing.T) {
	g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, standardV1)
	})
	c := connect(t, krwV1(g.URL))
	const workers = 20
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			cmd := deposit(payment.KRW(int64(i + 1)))
			cmd.Order = fmt.Sprintf("order-%d", i)
			if _, err := c.Submit(testContext(t), cmd); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, r := range g.Requests() {
		if err := diamondpay.Verify(diamondpay.MD5, []string{key}, r.Body); err != nil {
			t.Error(err)
		}
		var sent struct {
			Amount string `json:"amount"`
			Order  string `json:"payment_cl_id"`
		}
		if err := json.Unmarshal(r.Body, &sent); err != nil {
			t.Fatal(err)
		}
		var i int
		if _, err := fmt.Sscanf(sent.Order, "order-%d", &i); err != nil || sent.Amount != fmt.Sprint((i+1)*100) {
			t.Errorf("%s asks for %s", sent.Order, sent.Amount)
		}
		seen[sent.Order] = true
	}
	if len(seen) != workers || len(g.Requests()) != workers {
		t.Errorf("%d requests, %d orders for %d submits", len(g.Requests()), len(seen), workers)
	}
}

func TestUnreachable(t *testing.T) {
	g := newGateway(t, reply(standardV1))
	c := connect(t, krwV1(g.URL))
	g.Close()
	_, err := c.Submit(testContext(t), deposit(payment.KRW(1)))
	if e := classified(t, err); e.Class != connectors.NotSent || e.Code != payment.ReasonUnreachable {
		t.Errorf("got %+v", e)
	}
	_, err = c.Lookup(testContext(t), query(payment.Deposit))
	if e := classified(t, err); e.Class != connectors.NotSent {
		t.Errorf("got %+v", e)
	}
	_, err = c.Balance(testContext(t))
	if e := classified(t, err); e.Class != connectors.NotSent {
		t.Errorf("got %+v", e)
	}
}

// A kept connection that drops after the second request was read: one request, in doubt.
func TestOneSubmitIsOneRequest(t *testing.T) {
	for name, cmd := range map[string]payment.Command{"deposit": deposit(payment.KRW(500)), "payout": payout()} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, connectortest.ThenDrop(reply(`{"error_code":"0000","data":{"link":"http://127.0.0.1/pay","payout_id":"POT00000001"}}`)))
			c := connect(t, krwV1(g.URL))
			if _, err := c.Submit(testContext(t), cmd); err != nil {
				t.Fatal(err)
			}
			_, err := c.Submit(testContext(t), cmd)
			if e := classified(t, err); e.Class != connectors.InDoubt || len(g.Requests()) != 2 {
				t.Errorf("got %+v after %d requests", e, len(g.Requests()))
			}
		})
	}
}

// A gateway that does not answer in time has perhaps taken the order.
func TestTimeout(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	g := newGateway(t, func(http.ResponseWriter, *http.Request) { close(arrived); <-release })
	ctx, cancel := context.WithCancel(testContext(t))
	go func() { <-arrived; cancel() }()
	_, err := connect(t, krwV1(g.URL)).Submit(ctx, deposit(payment.KRW(1)))
	close(release)
	if e := classified(t, err); e.Class != connectors.InDoubt || e.Code != payment.ReasonNoAnswer {
		t.Errorf("got %+v", e)
	}
	g.Only(t)
}

func TestSecretsAreNotShown(t *testing.T) {
	g := newGateway(t, reply(`{"error_code":"0004","error_msg":"Signature Verification Failed!"}`))
	s := krwV1(g.URL)
	c := connect(t, s)
	shown := []string{fmt.Sprintf("%v %+v %#v", s, s, s), fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprintf("%+v", *c)}
	for _, call := range []func() error{
		func() error { _, err := c.Submit(testContext(t), deposit(payment.KRW(1))); return err },
		func() error { _, err := c.Lookup(testContext(t), query(payment.Deposit)); return err },
		func() error { _, err := c.Balance(testContext(t)); return err },
		func() error { _, err := c.Webhook(nil, []byte(`{"platform_id":"PF0002","sign":"x"}`), now); return err },
		func() error {
			return diamondpay.Verify(diamondpay.MD5, []string{key, oldKey}, []byte(`{"a":1,"sign":"x"}`))
		},
	} {
		err := call()
		if err == nil {
			t.Fatal("no error to look at")
		}
		shown = append(shown, err.Error(), fmt.Sprintf("%+v %#v", err, err))
	}
	g.Close()
	_, err := c.Submit(testContext(t), deposit(payment.KRW(1)))
	shown = append(shown, fmt.Sprintf("%+v", classified(t, err)))
	s.Secret, s.PreviousSecrets, s.Authorization = secret.New("short-zq8w"), []secret.Value{secret.New("short-zq8w")}, secret.New("short-zq8w\n")
	_, err = diamondpay.New("diamondpay", s, nil, clock)
	if err == nil {
		t.Fatal("short secrets are taken")
	}
	for _, text := range append(shown, err.Error()) {
		for _, private := range []string{key, oldKey, "zq8w"} {
			if strings.Contains(text, private) {
				t.Errorf("%q shows in %.300s", private, text)
			}
		}
	}
}

func TestTraits(t *testing.T) {
	cases := []struct {
		name    string
		account account
		want    connectors.Traits
	}{
		{"won v1", krwV1, connectors.Traits{Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 32,
			Methods: map[payment.Operation][]string{payment.Deposit: {"atm"}, payment.Payout: {"bank"}}}},
		{"won v2", krwV2, connectors.Traits{Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 64,
			Methods: map[payment.Operation][]string{payment.Deposit: {"card", "direct", "qr"}, payment.Payout: {"bank"}}}},
		{"dollars have no documented payouts", twd, connectors.Traits{Operations: []payment.Operation{payment.Deposit}, Currencies: []string{"TWD"},
			MaxOrderLength: 32, Methods: map[payment.Operation][]string{payment.Deposit: {"atm"}}}},
		{"a method of the account's own", with(krwV2, func(s *diamondpay.Settings) {
			s.Services = map[string]string{"qr": "SVC0117", "wallet": "SVC0042", "app": "SVC0043"}
		}),
			connectors.Traits{Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 64,
				Methods: map[payment.Operation][]string{payment.Deposit: {"card", "direct", "qr", "app", "wallet"}, payment.Payout: {"bank"}}}},
		{"payouts only", with(krwV2, func(s *diamondpay.Settings) { s.Operations, s.NotifyURL = []string{"payout"}, "" }),
			connectors.Traits{Operations: []payment.Operation{payment.Payout}, Currencies: []string{"KRW"}, MaxOrderLength: 64,
				Methods: map[payment.Operation][]string{payment.Payout: {"bank"}}}},
	}
	for _, c := range cases {
		c.want.Kind, c.want.RefusesDuplicates, c.want.OneReference, c.want.SettlingDelay = diamondpay.Kind.Name, true, true, connectors.DefaultSettlingDelay
		t.Run(c.name, func(t *testing.T) {
			traits := connect(t, c.account("http://127.0.0.1:1")).Traits()
			traits.Account, traits.Merchant, traits.Endpoints = "", "", nil // TestAccount has them
			mustEqual(t, traits, c.want)
		})
	}
}

// A payment must not be looked up where it was not sent: what decides where that is makes another account.
func TestAccount(t *testing.T) {
	const base = "https://Gateway.Example:443/"
	at := func(edit func(*diamondpay.Settings)) string {
		return connect(t, with(krwV1, edit)(base)).Traits().Account
	}
	ours := at(func(*diamondpay.Settings) {})
	if want := "at gateway.example platform_id PF0002 currency KRW version v1 payout_query_version v1"; ours != want {
		t.Errorf("got %q, want %q", ours, want)
	}
	for name, edit := range map[string]func(*diamondpay.Settings){
		"host": func(s *diamondpay.Settings) { s.BaseURL = "https://other.example" }, "port": func(s *diamondpay.Settings) { s.BaseURL = "https://gateway.example:8443" },
		"path": func(s *diamondpay.Settings) { s.BaseURL += "tw" }, "platform": func(s *diamondpay.Settings) { s.PlatformID = "PF0003" },
		"currency": func(s *diamondpay.Settings) { s.Currency = "TWD" }, "version": func(s *diamondpay.Settings) { s.Version = "v2" },
		"version of look-ups": func(s *diamondpay.Settings) { s.PayoutQueryVersion = "v2" },
	} {
		if at(edit) == ours {
			t.Errorf("%s: it is the same account", name)
		}
	}
	for name, edit := range map[string]func(*diamondpay.Settings){
		"secret": func(s *diamondpay.Settings) { s.Secret = secret.New("another-secret-of-the-account") }, "spelling": func(s *diamondpay.Settings) { s.BaseURL = "https://gateway.example" },
		"callbacks": func(s *diamondpay.Settings) { s.NotifyURL = "https://other.example/x" }, "delay": func(s *diamondpay.Settings) { s.SettlingDelay *= 2 },
	} {
		if at(edit) != ours {
			t.Errorf("%s: it is another account", name)
		}
	}
}
