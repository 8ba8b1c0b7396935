package console_test

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"payonce/internal/console"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/status"
	"payonce/test/jetstreamtest"
)

// sizes are the windows of a computer and of a phone.
var sizes = map[string][2]int64{"wide": {1280, 800}, "phone": {390, 844}}

func TestSignIn(t *testing.T) {
	s := start(t)
	for name, size := range sizes {
		ctx := browser(t, size[0], size[1], "status of 401")
		do(ctx, t, chromedp.Navigate(s.url+"/payments?status=settled"), chromedp.WaitVisible("#password"))
		fits(ctx, t, "sign-in")
		shoot(ctx, t, "signin-"+name)
		do(ctx, t, chromedp.SendKeys("#name", "kim"), chromedp.SendKeys("#password", "wrong\r"), chromedp.WaitVisible(".notice.bad"),
			chromedp.SendKeys("#name", "kim"), chromedp.SendKeys("#password", password+"\r"), chromedp.WaitVisible(".top nav"))
		if at := ask(ctx, t, chromedp.Location()); at != s.url+"/payments?status=settled" {
			t.Errorf("after signing in: %s", at)
		}
		do(ctx, t, chromedp.Click(".me button"), chromedp.WaitVisible("#password"))
	}
}

// busy is a report in which everything happens.
func busy() report {
	now, total, waiting, none := time.Now(), 3, 1204, 0
	counted := &status.ProviderSummary{
		Open: map[payment.Status]status.Count{
			payment.Submitting: {Number: 3, Since: now.Add(-4 * time.Second)}, payment.Pending: {Number: 1204, Since: now.Add(-50 * time.Minute)},
			payment.InDoubt: {Number: 2, Since: now.Add(-3 * time.Hour)}, payment.Conflict: {Number: 1, Since: now.Add(-26 * time.Hour)}, payment.Parked: {Number: 88, Since: now.Add(-time.Hour)},
		},
		Parked: map[string]int{"provider_closed": 88}, Overdue: 1, LastHour: status.Hour{Settled: 960, Failed: 40, Half: 3.2, Most: 20},
	}
	opening := status.Opening{Open: true, Until: now.Add(3 * time.Hour), Zone: "Asia/Seoul"}
	closed := status.Opening{OpensAt: now.Add(12 * time.Hour), Zone: "Asia/Seoul"}
	hours := func(o status.Opening) []status.Opening {
		deposit, payout := o, o
		deposit.Operation, payout.Operation = payment.Deposit, payment.Payout
		return []status.Opening{deposit, payout}
	}
	return report{status.Report{
		At: now, AttentionTotal: &total, Warnings: []string{"2 workers have different configurations"},
		Providers: []status.Provider{
			{Name: "acme", Hours: hours(opening), Breaker: &status.Breaker{State: status.BreakerClosed, Of: 2}, Queue: &events.Level{Ready: 12, DeadLetters: 3}, Payments: counted},
			{Name: "beta-kr", Hours: hours(closed), Breaker: &status.Breaker{State: status.BreakerOpen, Workers: 1, Of: 2}},
		},
		Processes: []status.Process{
			{Service: "worker", Process: "worker@seoul-1:4711", Version: "v1.4.0", StartedAt: now.Add(-30 * time.Hour), Slots: 64, InFlight: 3, Ready: true},
			{Service: "ingress", Process: "ingress@seoul-2:99", Version: "v1.4.0", StartedAt: now.Add(-time.Hour), NotReady: "NATS does not answer",
				Failures: map[string]status.Failure{"NATS": {At: now.Add(-time.Minute), Error: "timeout <i>"}}},
		},
		Endpoints: []status.Endpoint{
			{Name: "shop", Upstream: "shop", Breaker: status.BreakerOpen, TriesAt: now.Add(20 * time.Second), New: &waiting, Due: &none,
				Failures: []status.EndpointFailure{{Failure: status.Failure{At: now.Add(-10 * time.Second), Error: "HTTP 503 <b>"}}}},
			{Name: "game", Disabled: true},
		},
		Attention: []status.Item{
			{Provider: "acme", Order: "C-1", Status: payment.Conflict, Reason: "contradicted", Amount: payment.KRW(1_250_000), Number: 1, Since: now.Add(-26 * time.Hour), Next: "ask the provider what moved; then: payctl payment resolve acme C-1"},
			{Provider: "acme", Order: "P-7", Status: payment.Parked, Reason: "low_balance", Amount: payment.KRW(90_000), Number: 12, Since: now.Add(-time.Hour), Next: "top up the balance"},
			{Provider: "acme", Reason: status.DeadLetters, Number: 3, Since: now.Add(-2 * time.Hour), Next: "see what they are"},
		},
		Unknown: []status.Unknown{{What: "queue", Problem: "no worker says how it is"}},
	}}
}

// Every page is there, in both languages, on both sizes, without a complaint of the browser.
func TestPages(t *testing.T) {
	s := start(t, func(o *console.Options) { o.Status = busy() })
	for i := range 12 {
		s.append(newPayment(fmt.Sprintf("D-%d", i)), 0, in(payment.Submitting), settled)
	}
	s.append(newPayment("F-1"), 0, in(payment.Submitting), func(p *payment.Payment) {
		p.Status, p.Reason = payment.Failed, &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "426", Message: "the bank refused"}
	})
	s.deadLetter("X-1")
	parked := payment.Ref{Provider: "acme", Order: "P-7"}
	jetstreamtest.ParkBefore(t, s.conn, []payment.Ref{parked}, func(payment.Ref) time.Time { return time.Now().Add(time.Hour) })
	s.append(newPayment("P-7"), 0, func(p *payment.Payment) {
		p.Status, p.ResumeAt, p.Reason = payment.Parked, time.Now().Add(time.Hour), &payment.Reason{Code: payment.ReasonClosed}
	})
	for n, stage := range []events.Stage{events.Intended, events.Finished} {
		record := events.AuditRecord{ID: "a-1", Stage: stage, Action: events.ActionSettle, Provider: "acme", Order: "D-1", By: "kim", Reason: "ticket 4711", At: time.Now()}
		record.Items = []events.AuditItem{{Order: "D-1", Before: payment.InDoubt}}
		if n == 1 {
			record.Items[0].After, record.Items[0].Result = payment.Settled, "done"
		}
		if err := s.conn.Audit(jetstreamtest.Context(t), record); err != nil {
			t.Fatal(err)
		}
	}
	pages := map[string]struct {
		path string
		want []string // English, then Korean
	}{
		"now": {"/", []string{"Now", "현황"}}, "attention": {"/attention", []string{"Needs a person", "확인 필요"}},
		"payments": {"/payments?status=settled&status=failed&amount_from=5&currency=KRW", []string{"Payments", "결제"}}, "payment": {"/payments/acme/F-1", []string{"F-1", "F-1"}},
		"nothing": {"/payments?order=none", []string{"No payment matches.", "일치하는 결제가 없습니다."}},
		"parked":  {"/parked", []string{"P-7", "P-7"}}, "deadletters": {"/dead-letters?provider=acme", []string{"odd <b>text</b>", "odd <b>text</b>"}},
		"audit": {"/audit", []string{"ticket 4711", "ticket 4711"}}, "providers": {"/providers", []string{"acme", "acme"}}, "provider": {"/providers/acme", []string{"secret: [redacted]", "secret: [redacted]"}},
	}
	for name, size := range sizes {
		ctx := browser(t, size[0], size[1])
		s.signIn(ctx, "/")
		for i, lang := range []string{"en", "ko"} {
			if i > 0 {
				do(ctx, t, chromedp.Click(`form[action="/language"] button`), chromedp.WaitVisible(`html[lang="ko"]`))
			}
			for page, p := range pages {
				do(ctx, t, chromedp.Navigate(s.url+p.path), chromedp.WaitVisible("main"))
				if shown := text(ctx, t, "main"); !strings.Contains(shown, p.want[i]) {
					t.Errorf("%s %s: %q is not in %s", page, lang, p.want[i], shown)
				}
				if missing := ask(ctx, t, chromedp.Evaluate[[]string]("[...document.querySelectorAll('main')].map(e => e.innerText).filter(t => /%!|<nil>|ZgotmplZ/.test(t))")); len(missing) > 0 {
					t.Errorf("%s %s: %v", page, lang, missing)
				}
				fits(ctx, t, page+" "+lang+" "+name)
				shoot(ctx, t, page+"-"+lang+"-"+name)
			}
		}
	}
}

// What customers and providers write is text, and what could move a terminal's cursor or turn the direction of writing is replaced.
func TestTextFromOutsideIsText(t *testing.T) {
	s := start(t)
	evil := "<script>document.title='owned'</script>\x1b[2J\u202etxt"
	p := newPayment("E-1")
	p.Metadata = map[string]string{"name": evil}
	s.append(p, 0, in(payment.Submitting), func(p *payment.Payment) {
		p.Status, p.Reason = payment.Failed, &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "<b>", Message: evil}
		p.ProviderReference = "=<img src=x onerror=alert(1)>"
	})
	ctx := browser(t, 1280, 800)
	s.signIn(ctx, "/payments/acme/E-1")
	shown := text(ctx, t, "main")
	if n := strings.Count(shown, "<script>document.title='owned'</script>\ufffd[2J\ufffdtxt"); n != 3 { // metadata, reason, history
		t.Errorf("%d times in %s", n, shown)
	}
	if strings.ContainsAny(ask(ctx, t, chromedp.OuterHTML("html")), "\x1b\u202e") {
		t.Error("an escape is in the page")
	}
	do(ctx, t, chromedp.Navigate(s.url+"/payments"), chromedp.WaitVisible("main"))
	if shown := text(ctx, t, "main"); !strings.Contains(shown, "=<img src=x onerror=alert(1)>") {
		t.Error(shown)
	}
	_, header, file := s.get(s.client(), "/payments.csv")
	if !strings.Contains(file, "'=<img") || !strings.HasPrefix(header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%v\n%s", header, file)
	}
}

// What the customer must do is personal: the page says only that there is something.
func TestActionsAreHidden(t *testing.T) {
	s := start(t)
	s.append(newPayment("A-1"), 0, in(payment.Submitting), func(p *payment.Payment) {
		p.Status = payment.Pending
		p.Action = &payment.Action{Type: payment.ActionTransfer, Transfer: &payment.TransferInstructions{
			AccountNumber: "110-123-456789", BankName: "Shinhan", Reference: "REF", Amount: payment.KRW(1_250_000), ExpiresAt: time.Now().Add(time.Hour),
		}}
	})
	_, _, page := s.get(s.client(), "/payments/acme/A-1")
	if !strings.Contains(page, "transfer") || strings.Contains(page, "110-123") || strings.Contains(page, "Shinhan") {
		t.Error(page)
	}
}

// A form's filters become a URL that can be passed on: without what is empty, times with their zone.
func TestFilters(t *testing.T) {
	s := start(t)
	for i, won := range []int64{100, 2_000, 30_000} {
		p := newPayment(fmt.Sprintf("D-%d", i))
		p.Amount = payment.KRW(won)
		s.append(p, 0, in(payment.Submitting), settled)
	}
	ctx := browser(t, 1280, 800)
	s.signIn(ctx, "/payments")
	find := func(want ...string) {
		t.Helper()
		orders := ask(ctx, t, chromedp.Evaluate[[]string]("[...document.querySelectorAll('table.rows tbody .mono:first-child')].map(e => e.innerText).filter(t => t.startsWith('D-'))"))
		if slices.Sort(orders); !slices.Equal(orders, want) {
			t.Errorf("found %v, want %v", orders, want)
		}
	}
	find("D-0", "D-1", "D-2")
	do(ctx, t, chromedp.Click("#more summary"), chromedp.WaitVisible("#amount-from"), chromedp.SendKeys("#amount-from", "1000"),
		chromedp.SendKeys("#amount-to", "2000\r"), chromedp.WaitVisible(`[href^="/payments.csv?amount_from"]`))
	if at := ask(ctx, t, chromedp.Location()); at != s.url+"/payments?amount_from=1000&amount_to=2000&currency=KRW" {
		t.Errorf("at %s", at)
	}
	find("D-1")
	do(ctx, t, chromedp.Navigate(s.url+"/payments"), chromedp.WaitVisible("#reference"), chromedp.SendKeys("#reference", "PR-D-2\r"), chromedp.WaitVisible(`[href^="/payments.csv?provider_reference"]`))
	find("D-2")
	client := s.client()
	reply, err := client.Get(s.url + "/payments?from=2026-11-22T09:00&to=&order=")
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if got := reply.Request.URL.RawQuery; got != "from=2026-11-22T00%3A00%3A00Z" {
		t.Errorf("%s", got)
	}
	if status, _, page := s.get(client, "/payments?status=hunter2"); status != 400 || !strings.Contains(page, "must be one of") {
		t.Errorf("%d %s", status, page)
	}
	if _, _, page := s.get(client, "/payments?after=nonsense"); !strings.Contains(page, "D-2") {
		t.Error("a cursor that isn't one does not lead to the first page")
	}
}

// All pages of a list together have every payment once, and so has the CSV file.
func TestListInPages(t *testing.T) {
	s := start(t)
	for i := range 60 {
		s.append(newPayment(fmt.Sprintf("D-%02d", i)), 0, in(payment.Submitting))
	}
	client := s.client()
	found := map[string]int{}
	for path := "/payments?status=submitting"; path != ""; {
		_, _, page := s.get(client, path)
		for i := range 60 {
			order := fmt.Sprintf("D-%02d", i)
			found[order] += strings.Count(page, `<span class="mono">`+order+`</span>`)
		}
		_, next, _ := strings.Cut(page, `<a href="/payments?after=`)
		query, _, _ := strings.Cut(next, `"`)
		if path = ""; query != "" {
			path = "/payments?after=" + strings.ReplaceAll(query, "&amp;", "&")
		}
	}
	_, _, file := s.get(client, "/payments.csv?status=submitting")
	for i := range 60 {
		if order := fmt.Sprintf("D-%02d", i); found[order] != 1 || strings.Count(file, ","+order+",") != 1 {
			t.Errorf("%s is listed %d times", order, found[order])
		}
	}
}

// A refused command without an amount that can be read has none in the file either: 0 would be an amount.
func TestFileWithoutAmount(t *testing.T) {
	s := start(t)
	p := newPayment("N-1")
	p.Amount = payment.Money{}
	s.append(p, 0, func(p *payment.Payment) {
		p.Status, p.Reason = payment.Failed, &payment.Reason{Code: payment.ReasonInvalid}
	})
	_, _, file := s.get(s.client(), "/payments.csv")
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil || len(rows) != 2 || !slices.Equal(rows[0][6:8], []string{"amount", "currency"}) || rows[1][2] != "N-1" || rows[1][6] != "" || rows[1][7] != "" {
		t.Errorf("%v %v", err, rows)
	}
}

// A payment's page follows the payment without being loaded again.
func TestLive(t *testing.T) {
	s := start(t)
	p := newPayment("L-1")
	p.Status, p.Revision = payment.Submitting, 1
	p.UpdatedAt = time.Now().UTC()
	after := jetstreamtest.Append(t, s.conn, p, 0)
	ctx := browser(t, 1280, 800)
	s.signIn(ctx, "/payments/acme/L-1")
	do(ctx, t, chromedp.WaitVisible(".live[data-on]"))
	ask(ctx, t, chromedp.Evaluate[string]("window.same = 'page'"))
	if shown := text(ctx, t, `[data-part="status"]`); shown != "submitting" {
		t.Errorf("it is %q", shown)
	}
	s.append(p, after, settled)
	do(ctx, t, chromedp.WaitVisible(`[data-part="status"] .status.settled`))
	if shown := text(ctx, t, `[data-part="history"]`); !strings.Contains(shown, "settled") {
		t.Error(shown)
	}
	if same := ask(ctx, t, chromedp.Evaluate[string]("window.same")); same != "page" {
		t.Error("the page was loaded again")
	}
}
