package payctl_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"payonce/internal/payctl"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/limits"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	simulated "payonce/pkg/sandbox/teemopay"
	"payonce/pkg/secret"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// house is an account at the simulator of TeemoPay behind HTTP, a log on a real server, and what leads from one to
// the other: the connector and the decisions of the engine.
type house struct {
	t       *testing.T
	box     *sandbox.Sandbox
	conn    *admin.Conn
	account *teemopay.Connector
	config  string
	// statement spoils the answers to queries for the statement; nil does not. n counts them from 1.
	mu        sync.Mutex
	n         int
	statement func(n int, w http.ResponseWriter, honest *httptest.ResponseRecorder)
}

func newHouse(t *testing.T) *house {
	t.Helper()
	keys, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	protocol, err := simulated.New(simulated.Settings{AppCode: "app", MerchantKey: &keys.Merchant.PublicKey, PlatformKey: keys.Platform})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t}
	h.box, err = sandbox.New(sandbox.Options{Now: time.Now, Accounts: []sandbox.AccountConfig{{
		Name: other, Protocol: protocol, Balance: 1_000_000_000, MoveDelay: time.Millisecond,
		Faults: []sandbox.Fault{{Name: sandbox.LostCallback}}, // no ingress takes its callbacks
	}}})
	if err != nil {
		t.Fatal(err)
	}
	gateway := httptest.NewServer(h)
	t.Cleanup(func() { gateway.Close(); h.box.Close() })
	private, err := simulated.PrivatePEM(keys.Merchant)
	if err != nil {
		t.Fatal(err)
	}
	public, err := simulated.PublicPEM(&keys.Platform.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	h.account, err = teemopay.New(other, teemopay.Settings{
		BaseURL: gateway.URL + "/" + other, AppCode: "app", PrivateKey: secret.New(string(private)), PlatformPublicKeys: []string{string(public)}, MerchantName: "Shop", CallbackURL: "https://pay.example.com/webhooks/teemopay-kr",
	}, httpcall.NewClient(httpcall.Options{}), time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	server := natstest.Start(t)
	if h.conn, err = jetstreamtest.Dial(bounded(t), options(server.URL())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.conn.Close() })
	if err := h.conn.EnsureStreams(bounded(t)); err != nil {
		t.Fatal(err)
	}
	h.config = configuration(t, server.URL(), nowhere)
	dir := filepath.Dir(h.config)
	text := strings.NewReplacer("http://127.0.0.1:1\n", gateway.URL+"/"+other+"\n", "merchant_private.pem", "own.pem", "platform_public.pem", "theirs.pem").Replace(read(t, h.config))
	for name, content := range map[string]string{"payonce.yaml": text, "own.pem": string(private), "theirs.pem": string(public)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *house) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	spoil := h.statement
	if strings.HasSuffix(r.URL.Path, "/queryList") {
		h.n++
	} else {
		spoil = nil
	}
	n := h.n
	h.mu.Unlock()
	if spoil == nil {
		h.box.ServeHTTP(w, r)
		return
	}
	honest := httptest.NewRecorder()
	h.box.ServeHTTP(honest, r)
	spoil(n, w, honest)
}

// order is a payment of 1,000 won.
func (h *house) order(op payment.Operation, order string) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: other, Order: order}, Operation: op, Amount: payment.KRW(1000), RequestedAt: time.Now(),
		Customer: payment.Customer{IDType: "RRN", Name: "Hong", Phone: "01012345678", Email: "hong@example.com"},
		Account:  payment.Account{Number: "12345678998765", Holder: "Hong", BankCode: "088"},
	}
}

// observe writes into the log what the engine would.
func (h *house) observe(cmd payment.Command, o payment.Observation) payment.Payment {
	h.t.Helper()
	p, seq, err := h.conn.Last(bounded(h.t), cmd.Ref)
	if err != nil {
		p, seq = payment.New(cmd), 0
	}
	o.OneReference = true
	next, changed, err := payment.Decide(p, o, time.Now())
	if err == nil && changed {
		_, err = h.conn.Append(bounded(h.t), next, seq)
	}
	if err != nil {
		h.t.Fatalf("%s: %+v: %v", cmd.Ref, o, err)
	}
	return next
}

// pay sends a payment, as the engine does: first the intent, then the request, then its result.
func (h *house) pay(op payment.Operation, order string) payment.Command {
	h.t.Helper()
	cmd := h.order(op, order)
	h.observe(cmd, payment.Observation{Kind: payment.Intend, Source: payment.FromWorker})
	h.observe(cmd, h.submit(cmd))
	return cmd
}

func (h *house) submit(cmd payment.Command) payment.Observation {
	h.t.Helper()
	o, err := h.account.Submit(bounded(h.t), cmd)
	if err != nil {
		h.t.Fatal(err)
	}
	o.Attempt = 1
	return o
}

// hear looks a payment up and writes what the provider says, which must come to a status.
func (h *house) hear(cmd payment.Command, want payment.Status) {
	h.t.Helper()
	o, err := h.account.Lookup(bounded(h.t), connectors.Query{Ref: cmd.Ref, Operation: cmd.Operation, Amount: cmd.Amount})
	if err != nil {
		h.t.Fatal(err)
	}
	if p := h.observe(cmd, o); p.Status != want {
		h.t.Fatalf("%s is %s, want %s", cmd.Ref, p.Status, want)
	}
}

// settle brings a payment to its end on both sides.
func (h *house) settle(cmd payment.Command) {
	h.t.Helper()
	if cmd.Operation == payment.Deposit {
		h.must(h.box.Pay(other, cmd.Order, 0))
	} else if _, err := h.box.WaitFor(bounded(h.t), other, cmd.Order, sandbox.Moved(1)); err != nil {
		h.t.Fatal(err)
	}
	h.hear(cmd, payment.Settled)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// compare runs the command over yesterday, today and tomorrow: midnight may come while the test runs.
func (h *house) compare(args ...string) outcome {
	h.t.Helper()
	seoul, now := time.FixedZone("KST", 9*60*60), time.Now()
	var out, problems bytes.Buffer
	e := env("", &out, &problems)
	e.Kinds = []connectors.Kind{teemopay.Kind, ecommpay.Kind}
	args = append([]string{
		"statements", "compare", other, "--config", h.config, "--grace", "0s",
		"--from", now.In(seoul).AddDate(0, 0, -1).Format(time.DateOnly), "--to", now.In(seoul).AddDate(0, 0, 1).Format(time.DateOnly),
	}, args...)
	return outcome{payctl.Run(h.t.Context(), args, e), out.String(), problems.String()}
}

// foundIn reads the JSON output as "kind operation order".
func foundIn(t *testing.T, o outcome) []string {
	t.Helper()
	var read struct {
		Findings []struct{ Finding, Operation, Order, Do string }
		Summary  struct{ Compared, Matched, Findings, Noted, Lines int }
	}
	if err := json.Unmarshal([]byte(o.out), &read); err != nil {
		t.Fatalf("%v: %s%s", err, o.out, o.errors)
	}
	found := []string{}
	for _, f := range read.Findings {
		found = append(found, f.Finding+" "+f.Operation+" "+f.Order)
		if f.Do == "" {
			t.Errorf("%+v: nothing to do", f)
		}
	}
	slices.Sort(found)
	return found
}

// The provider's hidden truth is found in its statement, page by page, though a page is throttled and another breaks off.
func TestCompareWithTheProvider(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.settle(h.pay(payment.Deposit, "same"))
	h.settle(h.pay(payment.Payout, "same-payout"))
	h.pay(payment.Deposit, "open")
	h.compare().expect(t, 0, "compared=3 matched=3 findings=0 noted=0 lines=3", "")

	h.must(h.box.SetFaults(other, "twice", sandbox.Fault{Name: sandbox.AcceptDuplicates}))
	twice := h.pay(payment.Deposit, "twice")
	h.settle(twice)
	h.submit(twice) // another client sends it again
	h.submit(h.order(payment.Deposit, "not-ours"))
	lost := h.order(payment.Payout, "never-there") // they never had it, and said that it was paid
	h.observe(lost, payment.Observation{Kind: payment.Intend, Source: payment.FromWorker})
	h.observe(lost, payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook, Amount: lost.Amount})
	h.settle(h.pay(payment.Deposit, "hidden"))
	more := h.pay(payment.Deposit, "more")
	h.settle(more)
	h.must(h.box.Pay(other, "more", 500))
	late := h.pay(payment.Deposit, "late")
	h.must(h.box.Fail(other, "late"))
	h.hear(late, payment.Failed)
	h.must(h.box.Pay(other, "late", 0))
	h.settle(h.pay(payment.Payout, "refunded"))
	h.must(h.box.Refund(other, "refunded"))
	declined := h.pay(payment.Deposit, "declined")
	h.observe(declined, payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook, Amount: declined.Amount})
	h.must(h.box.Fail(other, "declined"))
	h.pay(payment.Deposit, "paid")
	h.must(h.box.Pay(other, "paid", 0))
	h.settle(h.pay(payment.Payout, "renamed"))
	for i := range 500 { // more than a page
		h.pay(payment.Deposit, fmt.Sprintf("fill-%d", i))
	}
	h.statement = func(n int, w http.ResponseWriter, honest *httptest.ResponseRecorder) {
		body := honest.Body.Bytes()
		maps.Copy(w.Header(), honest.Header())
		w.Header().Del("Content-Length")
		switch {
		case n%7 == 1:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case n%7 == 4:
			body = body[:len(body)/2]
		case bytes.Contains(body, []byte(`"hidden"`)) || bytes.Contains(body, []byte(`"renamed"`)):
			body = spoiled(t, body)
		}
		_, _ = w.Write(body)
	}
	want := []string{
		"amount_differs deposit more", "charged_twice deposit twice", "declined_there deposit declined", "final_there deposit paid", "missing_here deposit not-ours",
		"missing_there deposit hidden", "missing_there payout never-there", "paid_there deposit late", "reference_differs payout renamed", "reversed_there payout refunded",
	}
	o := h.compare("--format", "json")
	if found := foundIn(t, o); o.code != 1 || !slices.Equal(found, want) {
		t.Errorf("exit %d, found\n%s\nwant\n%s\n%s", o.code, strings.Join(found, "\n"), strings.Join(want, "\n"), o.errors)
	}
	o.expect(t, 1, "", "compared=513 matched=503 findings=10 noted=0 lines=512")
	if h.n < 10 {
		t.Errorf("%d queries", h.n)
	}
	deposits := slices.DeleteFunc(slices.Clone(want), func(f string) bool { return !strings.Contains(f, " deposit ") })
	if found := foundIn(t, h.compare("--format", "json", "--operation", "deposit")); !slices.Equal(found, deposits) {
		t.Errorf("deposits: %q", found)
	}
	h.compare("--operation", "payout").expect(t, 1, "reference_differs payout renamed", "findings: 3")

	h.statement = func(_ int, w http.ResponseWriter, _ *httptest.ResponseRecorder) { w.WriteHeader(http.StatusBadGateway) }
	h.compare("--operation", "payout").expect(t, 1, "", "nothing was compared")
}

// spoiled hides an order behind a second copy of another, and gives a third a number that is not its own.
func spoiled(t *testing.T, body []byte) []byte {
	var page map[string]any
	if err := json.Unmarshal(body, &page); err != nil {
		t.Error(err)
	}
	records := page["data"].(map[string]any)["records"].([]any)
	for i, r := range records {
		switch record := r.(map[string]any); record["merchantOrderNo"] {
		case "renamed":
			record["tradeNo"] = "T-other"
		case "hidden":
			records[i] = records[i-1]
		}
	}
	body, err := json.Marshal(page)
	if err != nil {
		t.Error(err)
	}
	return body
}

// A payment that changed just now is noted, and shown with --notes.
func TestCompareNotesWhatMoves(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.pay(payment.Deposit, "paid")
	h.must(h.box.Pay(other, "paid", 0))
	h.compare("--grace", "15m").expect(t, 0, "compared=1 matched=0 findings=0 noted=1 lines=1", "")
	h.compare("--grace", "15m", "--notes").expect(t, 0, "moving deposit paid pending, 1000 KRW", "")
	h.compare().expect(t, 1, "final_there deposit paid pending, 1000 KRW", "findings: 1")
	if strings.Contains(h.compare("--grace", "15m").out, "moving") {
		t.Error("a note is shown that nobody asked for")
	}
}

// The statement is read with the margin around the days, so that what they lack there is proven, and not only noted.
func TestCompareReadsTheMargin(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	lost := h.order(payment.Payout, "never-there")
	h.observe(lost, payment.Observation{Kind: payment.Intend, Source: payment.FromWorker})
	h.observe(lost, payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook, Amount: lost.Amount})
	now := time.Now().UTC() // in a zone where it is about noon, so that no day ends while the test runs
	zone, day := fmt.Sprintf("Etc/GMT%+d", now.Hour()-12), now.Add(time.Duration(12-now.Hour())*time.Hour).Format(time.DateOnly)
	h.compare("--zone", zone, "--from", day, "--to", day, "--margin", "24h").expect(t, 1, "missing_there payout never-there", "findings: 1")
}

// A place in the budget that is far away is waited for: no call is made without one.
func TestStatementAreReadWithinTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		spare, err := limits.New(limits.Options{
			Policies: map[string]limits.Policy{other: {Rate: limits.Rate{Calls: 1, Per: 5 * time.Minute, Burst: 1}}}, Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		admit, began := payctl.Admit(spare, other), time.Now()
		for i := range 3 {
			if err := admit(t.Context()); err != nil || time.Since(began) < time.Duration(i)*5*time.Minute {
				t.Errorf("call %d after %s, %v", i+1, time.Since(began), err)
			}
		}
	})
}
