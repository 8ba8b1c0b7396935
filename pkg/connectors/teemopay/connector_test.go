package teemopay_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	order = "2C2741241kCApltr2IATMy0c992278"
	nonce = "0123456789abcdef0123456789abcdef"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// Of the connectors' tests.
var (
	newGateway  = connectortest.NewGateway
	testContext = connectortest.Context
	classified  = connectortest.Classified
	mustEqual   = connectortest.SameJSON
)

func reply(body string) http.HandlerFunc { return connectortest.Answer(http.StatusOK, body) }

func clock() time.Time { return now }

// Keys of the length that the provider prescribes, made again in each run.
var (
	merchantKey = sync.OnceValue(newKey)
	platformKey = sync.OnceValue(newKey)
	retiredKey  = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
}

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func spki(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func base64Text(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func settings(t testing.TB, baseURL string) teemopay.Settings {
	t.Helper()
	return teemopay.Settings{
		BaseURL: baseURL, AppCode: "app-code-1", MerchantName: "MerchantNameExample",
		PrivateKey:         secret.New(base64Text(pkcs8(t, merchantKey()))),
		PlatformPublicKeys: []string{base64Text(spki(t, &platformKey().PublicKey)), pemText("PUBLIC KEY", spki(t, &retiredKey().PublicKey))},
		CallbackURL:        "https://www.callbackexample.com",
	}
}

// fixedNonce makes every nonce the one of the vectors.
type fixedNonce struct{}

func (fixedNonce) Read(p []byte) (int, error) {
	raw, _ := hex.DecodeString(nonce)
	return copy(p, raw), nil
}

func connect(t testing.TB, s teemopay.Settings, random io.Reader) *teemopay.Connector {
	t.Helper()
	client := httpcall.NewClient(httpcall.Options{})
	t.Cleanup(client.CloseIdleConnections)
	c, err := teemopay.New("teemopay-kr", s, client, clock, random)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func deposit(method string) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: "teemopay-kr", Order: order}, Operation: payment.Deposit, Amount: payment.KRW(1000), Method: method,
		Customer: payment.Customer{Name: "TeemoPay", Phone: "01012345678", Email: "TeemoPay@example.com"},
	}
}

// fullDeposit has everything that any method wants.
func fullDeposit(method string) payment.Command {
	cmd := deposit(method)
	cmd.Customer.IDNumber, cmd.Customer.IPAddress = "950101", "203.0.113.7"
	cmd.Account = payment.Account{Number: "345345345", BankCode: "088"}
	return cmd
}

func payout(method string) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: "teemopay-kr", Order: order}, Operation: payment.Payout, Amount: payment.KRW(1000), Method: method,
		Customer: payment.Customer{IDType: "RRN"},
		Account:  payment.Account{Number: "12345678998765", Holder: "TeemoPay", BankCode: "088"},
	}
}

// submit sends cmd to a gateway that answers with body, and asserts that exactly one request arrived.
func submit(t testing.TB, cmd payment.Command, body string) (payment.Observation, error) {
	t.Helper()
	g := newGateway(t, reply(body))
	o, err := connect(t, settings(t, g.URL), rand.Reader).Submit(testContext(t), cmd)
	g.Only(t)
	return o, err
}

func fieldsOf(t testing.TB, body []byte) map[string]any {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal(body, &f); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return f
}

func TestSubmitSendsTheRequestOfThePayInPage(t *testing.T) {
	g := newGateway(t, reply(acceptedVA))
	c := connect(t, settings(t, g.URL), fixedNonce{})
	o, err := c.Submit(testContext(t), deposit(""))
	if err != nil {
		t.Fatal(err)
	}
	r := g.Only(t)
	const seed = `{"realName":"TeemoPay","merchantName":"MerchantNameExample","amount":"1000","phone":"01012345678",` +
		`"callbackUrl":"https://www.callbackexample.com","merchantOrderNo":"2C2741241kCApltr2IATMy0c992278",` +
		`"email":"TeemoPay@example.com","paymentType":801,"sign":"`
	sign, ok := strings.CutPrefix(string(r.Body), seed)
	if r.String() != "POST /api/pay/payment/create/v1" || !ok || !strings.HasSuffix(sign, `"}`) {
		t.Fatalf("sent %s %s", r.String(), r.Body)
	}
	if err := teemopay.Verify([]*rsa.PublicKey{&merchantKey().PublicKey}, r.Body, nonce); err != nil {
		t.Errorf("our own signature: %v", err)
	}
	// With the published key's signature in its place, the vector must fit our body.
	v := vectors(t)
	asVector := strings.Replace(string(r.Body), strings.TrimSuffix(sign, `"}`), v.byID("kr-payin-create").Sign, 1)
	if err := teemopay.Verify([]*rsa.PublicKey{v.key}, []byte(asVector), nonce); err != nil {
		t.Errorf("the vector's signature does not fit our body: %v", err)
	}
	if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("app_code") != "app-code-1" || r.Header.Get("country") != "KR" ||
		r.Header.Get("nonce") != nonce || r.Header.Get("timestamp") != "1795428000000" {
		t.Errorf("header %v", r.Header)
	}
	want := payment.Observation{
		Kind: payment.Accepted, Source: payment.FromSubmit, Reference: "TS2405220001KR0000430564883184", Amount: payment.KRW(1000),
		Action: &payment.Action{Type: payment.ActionTransfer, Transfer: &payment.TransferInstructions{
			AccountNumber: "29900000000000", BankCode: "IBK", BankName: "기업은행", ExpiresAt: time.UnixMilli(1761022567000).UTC(),
		}},
	}
	mustEqual(t, o, want)
}

// The header names leave as the pay-in page spells them: read from the bytes, as a server folds them.
func TestHeaderNamesOnTheWire(t *testing.T) {
	url, sent := connectortest.Swallow(t, `"}`)
	_, err := connect(t, settings(t, url), rand.Reader).Submit(testContext(t), deposit(""))
	raw := string(sent())
	if e := classified(t, err); e.Class != connectors.InDoubt || e.Code != payment.ReasonNoAnswer { // dropped after the body
		t.Errorf("got %+v", e)
	}
	for _, line := range []string{"POST /api/pay/payment/create/v1 HTTP/1.1\r\n", "\r\napp_code: app-code-1\r\n", "\r\ncountry: KR\r\n", "\r\nnonce: ", "\r\ntimestamp: 1795428000000\r\n", "\r\nContent-Type: application/json\r\n"} {
		if !strings.Contains(raw, line) {
			t.Errorf("no %q in\n%s", line, raw)
		}
	}
	if header, _, _ := strings.Cut(raw, "\r\n\r\n"); strings.Count(header, "\r\n") != 8 {
		t.Errorf("not the eight header lines that are wanted:\n%s", header)
	}
}

func TestNoncesAndSignaturesAreFresh(t *testing.T) {
	g := newGateway(t, reply(acceptedVA))
	c := connect(t, settings(t, g.URL), rand.Reader)
	const workers = 20
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			if _, err := c.Submit(testContext(t), deposit("")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, r := range g.Requests() {
		n := r.Header.Get("nonce")
		if len(n) != 32 || seen[n] {
			t.Errorf("nonce %q is not 32 characters or not fresh", n)
		}
		seen[n] = true
		if err := teemopay.Verify([]*rsa.PublicKey{&merchantKey().PublicKey}, r.Body, n); err != nil {
			t.Error(err)
		}
	}
	if len(g.Requests()) != workers {
		t.Errorf("%d requests for %d submits", len(g.Requests()), workers)
	}
}

func TestNothingIsSentWithoutRandomness(t *testing.T) {
	g := newGateway(t, reply(acceptedVA))
	c := connect(t, settings(t, g.URL), strings.NewReader("too short"))
	_, err := c.Submit(testContext(t), deposit(""))
	if e := classified(t, err); e.Class != connectors.NotSent || len(g.Requests()) != 0 {
		t.Errorf("got %+v and %d requests", e, len(g.Requests()))
	}
}

func TestUnreachable(t *testing.T) {
	g := newGateway(t, reply(acceptedVA))
	c := connect(t, settings(t, g.URL), rand.Reader)
	g.Close()
	_, err := c.Submit(testContext(t), deposit(""))
	if e := classified(t, err); e.Class != connectors.NotSent || e.Code != payment.ReasonUnreachable {
		t.Errorf("got %+v", e)
	}
	_, err = c.Lookup(testContext(t), query(payment.Deposit))
	if e := classified(t, err); e.Class != connectors.NotSent {
		t.Errorf("got %+v", e)
	}
}

// A kept connection that drops after the second request was read: one request, in doubt.
func TestOneSubmitIsOneRequest(t *testing.T) {
	g := newGateway(t, connectortest.ThenDrop(reply(acceptedVA)))
	c := connect(t, settings(t, g.URL), rand.Reader)
	if _, err := c.Submit(testContext(t), deposit("")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Submit(testContext(t), deposit(""))
	if e := classified(t, err); e.Class != connectors.InDoubt || len(g.Requests()) != 2 {
		t.Errorf("got %+v after %d requests", e, len(g.Requests()))
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := settings(t, "http://127.0.0.1:1")
	c := connect(t, s, rand.Reader)
	key := s.PrivateKey.Reveal()
	d := merchantKey().D.String()
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v", s, s, s), fmt.Sprintf("%v %+v %#v", c, c, c), fmt.Sprintf("%+v", *c)} {
		if strings.Contains(shown, key) || strings.Contains(shown, key[40:80]) || strings.Contains(shown, d) || strings.Contains(shown, d[:40]) {
			t.Errorf("the private key shows in %.300s", shown)
		}
	}
	s.PrivateKey = secret.New("not a key but-secret-8842")
	if _, err := teemopay.New("teemopay-kr", s, nil, clock, rand.Reader); err == nil || strings.Contains(err.Error(), "8842") {
		t.Errorf("got %v", err)
	}
}

func TestTraits(t *testing.T) {
	c := connect(t, settings(t, "http://localhost:1"), rand.Reader)
	traits := c.Traits()
	if traits.Kind != teemopay.Kind.Name || !traits.RefusesDuplicates || traits.MaxOrderLength != 32 || traits.SettlingDelay != connectors.DefaultSettlingDelay ||
		fmt.Sprint(traits.Methods[payment.Deposit]) != "[va kyc_va kakaopay tosspay]" || fmt.Sprint(traits.Methods[payment.Payout]) != "[bank_transfer bank_transfer_kyc]" ||
		fmt.Sprint(traits.Currencies) != "[KRW]" || len(traits.Operations) != 2 {
		t.Errorf("got %+v", traits)
	}
}

// vector is one signature made with the key pair that the provider publishes as an example.
type vector struct {
	ID     string          `json:"id"`
	Nonce  string          `json:"nonce"`
	Params json.RawMessage `json:"params"`
	Text   string          `json:"string_to_sign"`
	Sign   string          `json:"sign"`
}

type vectorFile struct {
	PublicKey string   `json:"public_key_pem"`
	Vectors   []vector `json:"vectors"`
	key       *rsa.PublicKey
}

func (f vectorFile) byID(id string) vector {
	for _, v := range f.Vectors {
		if v.ID == id {
			return v
		}
	}
	panic("no vector " + id)
}

func vectors(t testing.TB) vectorFile {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if f.key, err = teemopay.ParsePublicKey(f.PublicKey); err != nil {
		t.Fatal(err)
	}
	return f
}

// A payment must not be looked up where it was not sent: what decides where that is makes another account.
func TestAccount(t *testing.T) {
	at := func(edit func(*teemopay.Settings)) string {
		s := settings(t, "https://KR-gateway.example.com/")
		edit(&s)
		return connect(t, s, rand.Reader).Traits().Account
	}
	ours := at(func(*teemopay.Settings) {})
	if want := "at kr-gateway.example.com app_code app-code-1 country KR"; ours != want {
		t.Errorf("got %q, want %q", ours, want)
	}
	for name, edit := range map[string]func(*teemopay.Settings){
		"host": func(s *teemopay.Settings) { s.BaseURL = "https://other.example.com" }, "application": func(s *teemopay.Settings) { s.AppCode = "app-code-2" },
	} {
		if at(edit) == ours {
			t.Errorf("%s: it is the same account", name)
		}
	}
	for name, edit := range map[string]func(*teemopay.Settings){
		"name": func(s *teemopay.Settings) { s.MerchantName = "Another" }, "spelling": func(s *teemopay.Settings) { s.BaseURL = "https://kr-gateway.example.com:443" },
		"keys": func(s *teemopay.Settings) { s.PlatformPublicKeys = s.PlatformPublicKeys[:1] }, "country": func(s *teemopay.Settings) { s.Country = "KR" },
	} {
		if at(edit) != ours {
			t.Errorf("%s: it is another account", name)
		}
	}
}
