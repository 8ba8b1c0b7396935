package connectortest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

var update = flag.Bool("update", false, "write the tables of docs/connectors.md again")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var acmeNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// acmeHarness describes acme's provider; m is the mistake of the connector that New makes.
func acmeHarness(m mistake) Harness {
	reply := func(order string, amount payment.Money, status string) Reply {
		return Reply{Body: fmt.Sprintf(`{"order":%q,"amount":%d,"status":%q}`, order, amount.Minor*100, status)}
	}
	code := func(code, text string) Reply { return Reply{Body: fmt.Sprintf(`{"code":%q,"text":%q}`, code, text)} }
	source := "package acme\n"
	if m == readsFiles {
		source = "package acme\n\nimport \"os\"\n\nvar home = os.TempDir()\n"
	}
	return Harness{
		New: func(_ testing.TB, url string, client *http.Client, now func() time.Time) connectors.Connector {
			c := &acme{base: url, key: secret.New(acmeKey), old: secret.New(acmeOldKey), client: client, now: now, m: m}
			if m == showsKey {
				c.plainKey = acmeKey
			}
			return c
		},
		Now: acmeNow,
		Command: payment.Command{
			Ref: payment.Ref{Provider: "acme-kr", Order: "EXAMPLE-1"}, Operation: payment.Deposit, Amount: payment.KRW(10_000),
			Customer: payment.Customer{Name: "Hong Gildong", Phone: "01012345678"},
		},
		Traits: connectors.Traits{
			Kind: "acme", Operations: []payment.Operation{payment.Deposit}, Currencies: []string{"KRW"}, MaxOrderLength: 20,
			Methods: map[payment.Operation][]string{payment.Deposit: {"card"}}, RefusesDuplicates: true, SettlingDelay: acmeSettling,
		},
		Amounts: Amounts{Min: payment.KRW(100), Max: payment.KRW(5_000_000)},
		Submit: Submit{
			Example: Example{
				Method: "POST", Target: "/payments", Body: `{"order":"EXAMPLE-1","amount":1000000,"name":"Hong Gildong"}`,
				Header: map[string]string{"Content-Type": "application/json", "X-Nonce": "*", "X-Time": "*", "X-Sign": "*"},
			},
			OrderField: "order", AmountField: "amount", Unique: []string{"X-Nonce"},
			Amount: func(m payment.Money) string { return strconv.FormatInt(m.Minor*100, 10) },
			Verify: func(r Received, now time.Time) error {
				want := hex.EncodeToString(acmeMAC(acmeKey, r.Method, r.Target, r.Header.Get("X-Nonce"), strconv.FormatInt(now.Unix(), 10), string(r.Body)))
				if !hmac.Equal([]byte(want), []byte(r.Header.Get("X-Sign"))) {
					return errors.New("another signature is wanted")
				}
				return nil
			},
			Accepted:        func(order string, amount payment.Money) Reply { return reply(order, amount, "created") },
			Code:            func(_ string, _ payment.Money, c string) Reply { return code(c, "no") },
			Codes:           []Meaning{{Text: "E1", Class: connectors.Rejected}, {Text: "E2", Known: true}, {Text: "E3", Class: connectors.Throttled}},
			UnknownCodes:    []string{"E0", "E10", "0"},
			Status:          reply,
			Statuses:        []Meaning{{Text: "created", Kind: payment.Accepted}, {Text: "declined", Class: connectors.Rejected}},
			UnknownStatuses: []string{"", "paid", "Created"},
			Duplicate:       func(string, payment.Money) Reply { return code("E2", "exists") },
			Refusal:         func(_ string, _ payment.Money, text string) Reply { return code("E1", text) },
		},
		Lookup: Lookup{
			Queries: []string{"GET /payments/{order}"}, Status: reply,
			Statuses:        []Meaning{{Text: "created", Kind: payment.Accepted}, {Text: "paid", Kind: payment.Paid}, {Text: "declined", Kind: payment.Declined}},
			UnknownStatuses: []string{"", "PAID"},
			Unknown:         []func(string) Reply{func(string) Reply { return code("E4", "not found") }},
			Errors:          []Reply{code("E1", "no"), code("E9", "")},
		},
		Webhooks: Webhooks{
			Make: acmeCall, SignatureHeader: "X-Sign", SignedHeaders: []string{"X-Time"}, Tolerance: acmeTolerance,
			Statuses: []Meaning{{Text: "paid", Kind: payment.Paid}, {Text: "declined", Kind: payment.Declined}}, UnknownStatuses: []string{"PAID", "gone"},
			Answer: connectors.Answer{ContentType: "text/plain", Body: "OK"},
		},
		Secrets: []string{acmeKey, acmeOldKey},
		Sources: fstest.MapFS{"acme.go": {Data: []byte(source)}},
	}
}

// pageHarness describes acme's page: no request is made.
func pageHarness(m mistake) Harness {
	h := acmeHarness(m)
	h.New = func(_ testing.TB, url string, client *http.Client, now func() time.Time) connectors.Connector {
		return &acme{page: true, base: url, key: secret.New(acmeKey), old: secret.New(acmeOldKey), client: client, now: now, m: m}
	}
	verify := h.Submit.Verify
	h.Submit = Submit{
		Silent: true, OrderField: "order", AmountField: "amount", Amount: h.Submit.Amount, Action: payment.ActionRedirect,
		Example: Example{Method: "GET", Target: "/pay?order=EXAMPLE-1&amount=1000000", Fresh: []string{"sign"}},
		Verify: func(r Received, now time.Time) error {
			query, page := strings.CutPrefix(r.Target, "/pay?")
			if !page {
				return verify(r, now) // a lookup
			}
			if query, sign, _ := strings.Cut(query, "&sign="); sign != hex.EncodeToString(acmeMAC(acmeKey, query)) {
				return errors.New("another signature is wanted")
			}
			return nil
		},
	}
	return h
}

func acmeCall(_ testing.TB, e Event) Call {
	body := fmt.Sprintf(`{"order":%q,"amount":%d,"status":%q}`, e.Order, e.Amount.Minor*100, e.Status)
	at := strconv.FormatInt(e.At.Unix(), 10)
	key := []string{CurrentKey: acmeKey, RotatedKey: acmeOldKey, ForeignKey: "acme-foreign-secret-4713"}[e.Key]
	return Call{Header: http.Header{"X-Time": {at}, "X-Sign": {hex.EncodeToString(acmeMAC(key, at, body))}}, Body: []byte(body)}
}

func TestHonestConnector(t *testing.T) {
	t.Run("by request", func(t *testing.T) { Run(t, acmeHarness(none)) })
	t.Run("by page", func(t *testing.T) { Run(t, pageHarness(none)) })
}

// recorder is a test that keeps what a rule says, so that a rule may fail.
type recorder struct {
	testing.TB // what is not below must not be used: it is nil
	ctx        context.Context
	mu         sync.Mutex
	failures   []string
	cleanups   []func()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Logf(string, ...any)      {}
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Setenv(name, value string) {
	before, was := os.LookupEnv(name)
	_ = os.Setenv(name, value)
	r.Cleanup(func() {
		if _ = os.Unsetenv(name); was {
			_ = os.Setenv(name, before)
		}
	})
}

// record runs one rule and returns what it found.
func record(t *testing.T, r rule, h Harness, timeout time.Duration) []string {
	ctx, cancel := context.WithCancel(t.Context())
	rec := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.check(newRuleTest(rec, h, timeout))
	}()
	<-done
	cancel() // as testing does, before the cleanups
	for _, f := range slices.Backward(rec.cleanups) {
		f()
	}
	return rec.failures
}

// TestMistakesAreCaught makes the honest connector careless in one way at a time. Each mistake is caught by the
// rule beside it, and each rule catches a mistake: a rule that catches none is nothing but words.
func TestMistakesAreCaught(t *testing.T) {
	proven, played := map[string]bool{}, 0
	for _, test := range slices.Concat(mistakes, alsoCaught) {
		proven[test.rule] = true
		t.Run(string(test.m)+"/"+test.rule, func(t *testing.T) {
			h, wait := acmeHarness(test.m), timeout
			switch test.m {
			case pageCalls:
				h = pageHarness(test.m)
			case followsDeadline: // its calls never return, however long one waits
				wait = 300 * time.Millisecond
			}
			for _, r := range rules {
				if r.name != test.rule || r.concerns != nil && !r.concerns(h) {
					continue
				}
				played++
				if found := record(t, r, h, wait); len(found) > 0 {
					t.Logf("%.200s", found[0])
				} else {
					t.Error("is not caught")
				}
			}
		})
	}
	if all := len(mistakes) + len(alsoCaught); played != all && flag.Lookup("test.run").Value.String() == "" {
		t.Errorf("%d of %d were tried: the others name no rule of the suite, or one that does not concern them", played, all)
	}
	for _, r := range rules {
		if !proven[r.name] {
			t.Errorf("no mistake is caught by the rule %q: nothing shows that it bites", r.name)
		}
	}
}

// TestTablesInDocs compares the tables of docs/connectors.md with the code.
func TestTablesInDocs(t *testing.T) {
	const page = "../../../docs/connectors.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var all, caught strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&all, "- %s\n", r.name)
	}
	fmt.Fprintf(&caught, "| a connector that … | fails the rule |\n|---|---|\n")
	for _, test := range mistakes {
		fmt.Fprintf(&caught, "| %s | %s |\n", test.m, test.rule)
	}
	fresh := text
	for name, table := range map[string]string{"rules": all.String(), "mistakes": caught.String()} {
		open, end := []byte("<!-- "+name+" -->\n"), []byte("<!-- end of "+name+" -->")
		before, rest, found := bytes.Cut(fresh, open)
		_, after, ended := bytes.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("%s has no place for the %s", page, name)
		}
		fresh = slices.Concat(before, open, []byte(table), end, after)
	}
	if *update {
		if err := os.WriteFile(page, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(fresh, text) {
		t.Errorf("%s is old: run go test ./pkg/connectors/connectortest -update", page)
	}
}
