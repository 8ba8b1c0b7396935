package teemopay_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 30 * time.Second
	order    = "2C2741241kCApltr2IATMy0c992278"
	nonce    = "0123456789abcdef0123456789abcdef"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

// Keys of the length that the provider prescribes, made anew in each run.
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

// gateway is a real HTTP server that answers every request with reply and keeps what it received.
type gateway struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
}

type received struct {
	path   string
	header http.Header
	body   []byte
}

func newGateway(t testing.TB, answer http.HandlerFunc) *gateway {
	t.Helper()
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		g.mu.Lock()
		g.requests = append(g.requests, received{r.Method + " " + r.URL.Path, r.Header, body})
		g.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

func reply(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// only returns the one request that arrived.
func (g *gateway) only(t testing.TB) received {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.requests) != 1 {
		t.Fatalf("%d requests arrived, want exactly 1", len(g.requests))
	}
	return g.requests[0]
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

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// submit sends cmd to a gateway that answers with body, and asserts that exactly one request arrived.
func submit(t testing.TB, cmd payment.Command, body string) (payment.Observation, error) {
	t.Helper()
	g := newGateway(t, reply(body))
	o, err := connect(t, settings(t, g.URL), rand.Reader).Submit(testContext(t), cmd)
	g.only(t)
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

func TestSubmitSendsTheRequestOfTheSeed(t *testing.T) {
	g := newGateway(t, reply(acceptedVA))
	c := connect(t, settings(t, g.URL), fixedNonce{})
	o, err := c.Submit(testContext(t), deposit(""))
	if err != nil {
		t.Fatal(err)
	}
	r := g.only(t)
	const seed = `{"realName":"TeemoPay","merchantName":"MerchantNameExample","amount":"1000","phone":"01012345678",` +
		`"callbackUrl":"https://www.callbackexample.com","merchantOrderNo":"2C2741241kCApltr2IATMy0c992278",` +
		`"email":"TeemoPay@example.com","paymentType":801,"sign":"`
	sign, ok := strings.CutPrefix(string(r.body), seed)
	if r.path != "POST /api/pay/payment/create/v1" || !ok || !strings.HasSuffix(sign, `"}`) {
		t.Fatalf("sent %s %s", r.path, r.body)
	}
	if err := teemopay.Verify([]*rsa.PublicKey{&merchantKey().PublicKey}, r.body, nonce); err != nil {
		t.Errorf("our own signature: %v", err)
	}
	// With the published key's signature in its place, the vector must fit our body.
	v := vectors(t)
	asVector := strings.Replace(string(r.body), strings.TrimSuffix(sign, `"}`), v.byID("kr-payin-create").Sign, 1)
	if err := teemopay.Verify([]*rsa.PublicKey{v.key}, []byte(asVector), nonce); err != nil {
		t.Errorf("the vector's signature does not fit our body: %v", err)
	}
	if r.header.Get("Content-Type") != "application/json" || r.header.Get("app_code") != "app-code-1" || r.header.Get("country") != "KR" ||
		r.header.Get("nonce") != nonce || r.header.Get("timestamp") != "1795428000000" {
		t.Errorf("header %v", r.header)
	}
	want := payment.Observation{
		Kind: payment.Accepted, Source: payment.FromSubmit, Reference: "TS2405220001KR0000430564883184", Amount: payment.KRW(1000),
		Action: &payment.Action{Type: payment.ActionTransfer, Transfer: &payment.Transfer{
			AccountNumber: "29900000000000", BankCode: "IBK", BankName: "기업은행", ExpiresAt: time.UnixMilli(1761022567000).UTC(),
		}},
	}
	mustEqual(t, o, want)
}

func mustEqual(t testing.TB, got, want any) {
	t.Helper()
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// The header names leave as the seed spells them: read from the bytes, as a server folds them.
func TestHeaderNamesOnTheWire(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	var raw []byte
	done.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		buf := make([]byte, 8192)
		for !strings.HasSuffix(string(raw), `"}`) {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			raw = append(raw, buf[:n]...)
		}
	})
	_, err = connect(t, settings(t, "http://"+listener.Addr().String()+"/"), rand.Reader).Submit(testContext(t), deposit(""))
	done.Wait()
	_ = listener.Close()
	if e := classified(t, err); e.Class != connectors.InDoubt || e.Code != payment.ReasonNoAnswer { // dropped after the body
		t.Errorf("got %+v", e)
	}
	for _, line := range []string{"POST /api/pay/payment/create/v1 HTTP/1.1\r\n", "\r\napp_code: app-code-1\r\n", "\r\ncountry: KR\r\n", "\r\nnonce: ", "\r\ntimestamp: 1795428000000\r\n", "\r\nContent-Type: application/json\r\n"} {
		if !strings.Contains(string(raw), line) {
			t.Errorf("no %q in\n%s", line, raw)
		}
	}
	if header, _, _ := strings.Cut(string(raw), "\r\n\r\n"); strings.Count(header, "\r\n") != 8 {
		t.Errorf("not the eight header lines that are wanted:\n%s", header)
	}
}

func classified(t testing.TB, err error) *connectors.Error {
	t.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v, want a *connectors.Error", err, err)
	}
	if e.Evidence == "" {
		t.Errorf("no evidence: %v", e)
	}
	return e
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
	for _, r := range g.requests {
		n := r.header.Get("nonce")
		if len(n) != 32 || seen[n] {
			t.Errorf("nonce %q is not 32 characters or not fresh", n)
		}
		seen[n] = true
		if err := teemopay.Verify([]*rsa.PublicKey{&merchantKey().PublicKey}, r.body, n); err != nil {
			t.Error(err)
		}
	}
	if len(g.requests) != workers {
		t.Errorf("%d requests for %d submits", len(g.requests), workers)
	}
}

func TestNothingIsSentWithoutRandomness(t *testing.T) {
	g := newGateway(t, reply(acceptedVA))
	c := connect(t, settings(t, g.URL), strings.NewReader("too short"))
	_, err := c.Submit(testContext(t), deposit(""))
	if e := classified(t, err); e.Class != connectors.NotSent || len(g.requests) != 0 {
		t.Errorf("got %+v and %d requests", e, len(g.requests))
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
	var calls atomic.Int64
	g := newGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			_, _ = io.WriteString(w, acceptedVA)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	c := connect(t, settings(t, g.URL), rand.Reader)
	if _, err := c.Submit(testContext(t), deposit("")); err != nil {
		t.Fatal(err)
	}
	_, err := c.Submit(testContext(t), deposit(""))
	if e := classified(t, err); e.Class != connectors.InDoubt || calls.Load() != 2 {
		t.Errorf("got %+v after %d requests", e, calls.Load())
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
	if traits.Kind != teemopay.Kind.Name || !traits.RefusesDuplicates || traits.MaxOrderLength != 32 || traits.SettlingDelay != teemopay.DefaultSettlingDelay ||
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
