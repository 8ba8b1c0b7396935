package console_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"payonce/internal/console"
	"payonce/internal/console/signin"
	"payonce/internal/csvfile"
	"payonce/internal/statements"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
)

// A payment's page has its webhooks without what is personal, what people did with it, and no link where a trace is not shown.
func TestAboutAPayment(t *testing.T) {
	s := start(t)
	s.append(newPayment("W-1"), 0, in(payment.Submitting), settled)
	_, js := jetstreamtest.Foreign(t, s.broker.URL())
	for _, body := range []string{
		`{"payment_id":"W-1","status":"SUCCESS","amount":"560000","payer":{"name":"Kim Minsu","account":"110-123-456789"},"sign":"9f86d081884c7d659a2f"}`,
		"name=Lee+Jimin&status=SUCCESS", "<Kim/>\x1b[2J",
	} {
		if _, err := js.Publish(t.Context(), "webhook.received.acme.W-1", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	record := events.AuditRecord{ID: "a-1", Stage: events.Intended, Action: events.ActionRetry, Provider: "acme", Order: "W-1", By: "lee", Reason: "ticket <b>9</b>", At: time.Now()}
	if err := s.conn.Audit(jetstreamtest.Context(t), record); err != nil {
		t.Fatal(err)
	}
	_, _, page := s.get(s.client(), "/payments/acme/W-1")
	for _, want := range []string{"&#34;status&#34;: &#34;SUCCESS&#34;", "&#34;amount&#34;: &#34;560000&#34;", "neither JSON nor a form", "ticket &lt;b&gt;9&lt;/b&gt;", "lee"} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in %s", want, page)
		}
	}
	for _, personal := range []string{"Kim", "Lee", "Jimin", "110-123", "9f86d", "\x1b", ">trace<"} {
		if strings.Contains(page, personal) {
			t.Errorf("%q is in the page", personal)
		}
	}
}

// What the publisher of a refused command was told is on the page of the order, also where nothing else is known of it.
func TestRefusalsOfAPayment(t *testing.T) {
	s := start(t)
	s.append(newPayment("R-1"), 0, in(payment.Submitting), settled)
	_, js := jetstreamtest.Foreign(t, s.broker.URL())
	for order, upstream := range map[string]string{"R-1": "web", "R-2": ""} {
		r := events.Refusal{Provider: "acme", Order: order, Message: "deposit.requested", Upstream: upstream, Reason: events.DeadOrderReused, Detail: "order: <b>another</b> command",
			RefusedAt: time.Now(), PublishedAt: time.Now(), Stream: events.StreamCommands, Sequence: 7}
		m, err := events.EncodeRefusal(r, "r-"+order)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := js.Publish(t.Context(), m.Subject, m.Data); err != nil {
			t.Fatal(err)
		}
		_, _, page := s.get(s.client(), "/payments/acme/"+order)
		for _, want := range []string{"Refused commands", "order_reused", "order: &lt;b&gt;another&lt;/b&gt; command", map[bool]string{true: "web", false: "no upstream"}[upstream != ""]} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: %s is not in %s", order, want, page)
			}
		}
	}
	if status, _, page := s.get(s.client(), "/payments/acme/R-3"); status != http.StatusNotFound || strings.Contains(page, "Refused commands") {
		t.Errorf("an order that is not known: %d", status)
	}
}

// A fee is shown as the provider told it, and when it said that the payment ended.
func TestFeeOfAPayment(t *testing.T) {
	s := start(t)
	s.append(newPayment("F-1"), 0, in(payment.Submitting), settled, func(p *payment.Payment) {
		p.Fee, p.ProviderCompletedAt = payment.Fee{Hundredths: 1802, Currency: "KRW"}, time.Date(2026, 11, 22, 9, 0, 5, 0, time.FixedZone("", 9*60*60))
		p.Transfers = []payment.Transfer{{Reference: "T-1", Amount: p.SettledAmount, Fee: p.Fee}}
	})
	_, _, page := s.get(s.client(), "/payments/acme/F-1")
	for _, want := range []string{"Provider&#39;s fee", "18.02 KRW", "Ended by the provider&#39;s clock", "09:00:05"} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in %s", want, page)
		}
	}
	s.append(newPayment("F-2"), 0, in(payment.Submitting), settled)
	if _, _, page := s.get(s.client(), "/payments/acme/F-2"); strings.Contains(page, "fee") {
		t.Errorf("a fee that was not told is shown: %s", page)
	}
}

// statementSystem is a console that keeps comparisons, whose kim has a role.
func statementSystem(t *testing.T, role signin.Role) (system, string) {
	t.Helper()
	path := t.TempDir()
	folder, err := statements.OpenFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	return start(t, func(o *console.Options) {
		o.Statements.Kept = folder
		o.SignIn.Users[0].Roles = []signin.Role{role}
		o.Statements.Remembered = 30 * 24 * time.Hour
		o.Zone = time.UTC
	}), path
}

// A file is compared with the log both ways. What came of it is kept with who compared it, and each finding leads to its payment.
func TestStatements(t *testing.T) {
	s, kept := statementSystem(t, signin.Operator)
	s.append(newPayment("S-1"), 0, in(payment.Submitting), settled)
	s.append(newPayment("S-2"), 0, in(payment.Submitting), settled)
	today := time.Now().UTC().Format(time.DateOnly)
	values := map[string]string{
		"provider": "acme", "from": today, "to": today, "currency": "KRW", "operation": "deposit",
		"columns": "order=Number,settled_amount=Sum,status=State, created_at=Made\nreference=Ref", "statuses": "ok=paid",
	}
	at := time.Now().UTC().Format(time.RFC3339)
	file := "Number,State,Made,Sum,Ref,Name\nS-1,ok," + at + ",1250000,PR-S-1,Kim Minsu\nS-9,ok," + at + ",700,<b>R</b>,Lee\nS-2,odd," + at + ",1250000,PR-S-2,Kim\n"
	client := s.client()
	id := s.upload(client, values, file)
	_, _, page := s.get(client, "/statements/"+id)
	for _, want := range []string{"missing_here", `href="/payments/acme/S-9"`, "&lt;b&gt;R&lt;/b&gt;", "indeterminate", "Compared by kim", "statement.csv"} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in %s", want, page)
		}
	}
	if strings.Contains(page, `href="/payments/acme/S-1"`) {
		t.Error("S-1 is the same in both")
	}
	_, header, csv := s.get(client, "/statements/"+id+".csv")
	if !strings.Contains(csv, "missing_here,false,S-9,deposit,,,,paid,700 KRW,<b>R</b>") || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v\n%s", header, csv)
	}
	if _, _, list := s.get(client, "/statements"); !strings.Contains(list, id) {
		t.Error("it is not in the list")
	}
	files, err := os.ReadDir(kept)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(kept + "/" + files[0].Name())
	if err != nil || strings.Contains(string(text), "Minsu") || strings.Contains(string(text), "Lee") {
		t.Errorf("%v\n%s", err, text)
	}
	for _, other := range []string{"../secret", "..%2f..%2fsecret", "20261130T000000-AAAAAAAAAA"} {
		if status, _, _ := s.get(client, "/statements/"+other); status != http.StatusNotFound {
			t.Errorf("%s: %d", other, status)
		}
	}
}

// What is wrong with a file or the form is said, nothing is kept, and who is no operator compares nothing.
func TestStatementsThatAreRefused(t *testing.T) {
	s, kept := statementSystem(t, signin.Operator)
	today := time.Now().UTC().Format(time.DateOnly)
	good := map[string]string{"provider": "acme", "from": today, "to": today, "currency": "KRW", "operation": "deposit"}
	with := func(name, value string) map[string]string {
		values := map[string]string{}
		for k, v := range good {
			values[k] = v
		}
		values[name] = value
		return values
	}
	const header = "order,status,created_at,settled_amount\n"
	client := s.client()
	for _, c := range []struct {
		values     map[string]string
		file, want string
	}{
		{good, header + "A,paid,yesterday,1\n", "line 2, created_at: must be a time"},
		{good, "", "the file is empty"},
		{good, strings.Repeat("x", csvfile.MaxBytes+1), "the file is too large"},
		{with("provider", "none"), header, "the provider is required"},
		{with("from", "soon"), header, "the first and the last day are required"},
		{with("from", "2020-01-01"), header, "at most 31 days"},
		{with("operation", "gift"), header, "supports"},
		{with("columns", "order"), header, "give pairs"},
		{with("columns", "<i>=x"), header, "&lt;i&gt;"},
	} {
		reply := s.sendFile(client, "/statements", c.values, "statement.csv", c.file)
		page, _ := io.ReadAll(reply.Body)
		_ = reply.Body.Close()
		if reply.StatusCode != http.StatusBadRequest || !strings.Contains(string(page), c.want) {
			t.Errorf("%v: %s, want %q in %s", c.values, reply.Status, c.want, page)
		}
	}
	if files, err := os.ReadDir(kept); err != nil || len(files) > 0 {
		t.Error(files, err)
	}
}

func TestAViewerComparesNothing(t *testing.T) {
	s, kept := statementSystem(t, signin.Viewer)
	client := s.client()
	if reply := s.sendFile(client, "/statements", map[string]string{"provider": "acme"}, "statement.csv", "order\n"); reply.StatusCode != http.StatusForbidden {
		t.Errorf("a viewer: %s", reply.Status)
	}
	if _, _, page := s.get(client, "/statements"); strings.Contains(page, "enctype") {
		t.Error("a viewer sees the form")
	}
	if files, err := os.ReadDir(kept); err != nil || len(files) > 0 {
		t.Error(files, err)
	}
}

// asked counts how often a provider is asked.
type asked struct{ times atomic.Int64 }

func (a *asked) Balance(context.Context) ([]connectors.Balance, error) {
	if a.times.Add(1) > 1 {
		return nil, errors.New("the provider does not answer")
	}
	return []connectors.Balance{{Currency: "KRW", Available: payment.KRW(48_250_000), Frozen: payment.KRW(7)}}, nil
}

// A provider is asked for its balance when a person wants that, and at most once a minute.
func TestBalance(t *testing.T) {
	from, now := &asked{}, atomic.Pointer[time.Time]{}
	began := time.Now()
	now.Store(&began)
	s := start(t, func(o *console.Options) {
		o.Providers[0].Balance = from
		o.Now = func() time.Time { return *now.Load() }
	})
	client := s.client()
	s.get(client, "/providers/acme")
	ask := func() string {
		reply, err := client.PostForm(s.url+"/providers/acme/balance", url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reply.Body.Close() }()
		page, _ := io.ReadAll(reply.Body)
		return string(page)
	}
	if n := from.times.Load(); n != 0 {
		t.Errorf("asked %d times by looking at the page", n)
	}
	for range 2 {
		if page := ask(); !strings.Contains(page, "48,250,000\u00a0KRW") || !strings.Contains(page, "7\u00a0KRW that cannot be paid out") {
			t.Error(page)
		}
	}
	later := began.Add(2 * time.Minute)
	now.Store(&later)
	if page := ask(); !strings.Contains(page, "did not answer") || strings.Contains(page, "48,250,000") {
		t.Error(page)
	}
	if n := from.times.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// The keyboard reaches the page's content by its first stop, the menu after it, and what has the focus is seen.
func TestKeyboard(t *testing.T) {
	s := start(t)
	ctx := browser(t, 1280, 800)
	s.signIn(ctx, "/payments")
	focused := func() string {
		return ask(ctx, t, chromedp.Evaluate[string](`document.activeElement.innerText.trim() + "|" + getComputedStyle(document.activeElement).outlineStyle`))
	}
	do(ctx, t, chromedp.Navigate(s.url+"/payments"), chromedp.WaitVisible("main"), chromedp.KeyEvent("\t"))
	if at := focused(); at != "Skip to the page|solid" {
		t.Errorf("first: %s", at)
	}
	do(ctx, t, chromedp.KeyEvent("\t"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\t"))
	if at := focused(); at != "Needs a person|solid" {
		t.Errorf("fourth: %s", at)
	}
	do(ctx, t, chromedp.KeyEvent("\r"), chromedp.WaitVisible(`[aria-current][href="/attention"]`))
}
