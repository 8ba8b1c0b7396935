package console_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"payonce/internal/console"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/axe"
	"payonce/test/jetstreamtest"
)

// park parks payments of acme for an hour, in the log and at the broker.
func (s system) park(orders ...string) {
	s.t.Helper()
	var refs []payment.Ref
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, order := range orders {
		refs = append(refs, payment.Ref{Provider: "acme", Order: order})
		s.append(newPayment(order), 0, func(p *payment.Payment) {
			p.Status, p.ResumeAt, p.Reason = payment.Parked, until, &payment.Reason{Code: payment.ReasonClosed}
		})
	}
	jetstreamtest.ParkBefore(s.t, s.conn, refs, func(payment.Ref) time.Time { return until })
}

func (s system) last(order string) payment.Payment {
	s.t.Helper()
	p, _, err := s.conn.Last(jetstreamtest.Context(s.t), payment.Ref{Provider: "acme", Order: order})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// audits are the records of AUDIT in short: stage, action, who and why.
func (s system) audits() string {
	s.t.Helper()
	entries, err := s.conn.Audits(jetstreamtest.Context(s.t), 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, fmt.Sprintf("%s %s %s: %s", e.Record.Stage, e.Record.Action, e.Record.By, e.Record.Reason))
	}
	return strings.Join(all, "\n")
}

func (s system) wantAudits(want ...string) {
	s.t.Helper()
	if have := s.audits(); have != strings.Join(want, "\n") {
		s.t.Errorf("AUDIT has\n%s\nwant\n%s", have, strings.Join(want, "\n"))
	}
}

// post sends a form as a browser without JavaScript does, and returns the page to which it leads.
func (s system) post(client *http.Client, path string, form url.Values) (int, string) {
	s.t.Helper()
	reply, err := client.PostForm(s.url+path, form)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// form is what the form of a page holds before a person writes into it.
func (s system) form(client *http.Client, path string) url.Values {
	s.t.Helper()
	status, _, page := s.get(client, path)
	if status != http.StatusOK {
		s.t.Fatalf("%s: %d", path, status)
	}
	_, page, _ = strings.Cut(page, `<main`)
	values := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		values.Add(m[1], html.UnescapeString(m[2]))
	}
	return values
}

func (s system) conflict(order string, won int64) {
	s.t.Helper()
	p := newPayment(order)
	p.Amount = payment.KRW(won)
	s.append(p, 0, in(payment.Submitting), func(p *payment.Payment) {
		p.Status, p.Reason = payment.Failed, &payment.Reason{Code: payment.ReasonDeclined}
	}, func(p *payment.Payment) {
		p.Status, p.SettledAmount = payment.Conflict, p.Amount
	})
}

// A parked payment is released from its page, and the log and AUDIT have who did it and why.
func TestRelease(t *testing.T) {
	s := start(t)
	s.park("P-1")
	ctx := browser(t, 1280, 800)
	s.signInAs(ctx, "ann", "/payments/acme/P-1")
	press(ctx, t, `a.button[href^="/actions/release"]`)
	do(ctx, t, chromedp.WaitVisible("#reason"))
	if shown := text(ctx, t, "#preview"); shown != "1 payment, 1,250,000 KRW" && shown != "1 payment, 1,250,000\u00a0KRW" {
		t.Errorf("the preview is %q", shown)
	}
	shoot(ctx, t, "release-wide")
	do(ctx, t, chromedp.SendKeys("#reason", "the bank opened early\r"), chromedp.WaitVisible("#notice"))
	if told := text(ctx, t, "#notice"); !strings.Contains(told, "1: released") {
		t.Error(told)
	}
	if at := ask(ctx, t, chromedp.Location()); !strings.HasPrefix(at, s.url+"/payments/acme/P-1?notice=") {
		t.Error(at)
	}
	p := s.last("P-1")
	if p.Status != payment.Parked || p.ResumeAt.After(time.Now()) || p.Reason.By != "ann" || p.Reason.Message != "the bank opened early" {
		t.Errorf("%+v %+v", p, p.Reason)
	}
	s.wantAudits("intended release ann: the bank opened early", "finished release ann: the bank opened early")
}

// A conflict above the limit is resolved by two people: one asks, another agrees, and only then it is done.
func TestResolveWithASecondPerson(t *testing.T) {
	s := start(t)
	s.conflict("C-1", 9_000_000)
	ann, lee := browser(t, 1280, 800), browser(t, 1280, 800)
	s.signInAs(ann, "ann", "/payments/acme/C-1")
	press(ann, t, `a.button[href$="/resolve"]`)
	do(ann, t, chromedp.WaitVisible("#reason"), chromedp.Click(`input[value="settled"]`))
	shoot(ann, t, "resolve-wide")
	do(ann, t, chromedp.SendKeys("#reason", "in the provider's list\r"), chromedp.WaitVisible("#notice a"))
	if told := text(ann, t, "#notice"); !strings.Contains(told, "needs a second person") {
		t.Error(told)
	}
	if p := s.last("C-1"); p.Status != payment.Conflict {
		t.Fatalf("one person settled it: %+v", p)
	}
	do(ann, t, chromedp.Click("#notice a"), chromedp.WaitVisible("#refuse"))
	if shown := text(ann, t, "main"); !strings.Contains(shown, "You made this request") || strings.Contains(shown, "Approve\n") {
		t.Error(shown)
	}
	s.signInAs(lee, "lee", "/approvals")
	shoot(lee, t, "approvals-wide")
	press(lee, t, `a[href="/approvals/1"]`)
	do(lee, t, chromedp.WaitVisible("#approve"), chromedp.SendKeys("#reason", "seen, too"))
	shoot(lee, t, "approval-wide")
	do(lee, t, chromedp.Click("#approve"), chromedp.WaitVisible("#notice"))
	if told := text(lee, t, "#notice"); !strings.Contains(told, "Approved, and done") {
		t.Error(told)
	}
	if p := s.last("C-1"); p.Status != payment.Settled || p.SettledAmount != payment.KRW(9_000_000) || p.Reason.By != "ann" {
		t.Errorf("%+v %+v", p, p.Reason)
	}
	s.wantAudits("requested settle ann: in the provider's list", "approved settle lee: seen, too", "intended settle lee: seen, too", "finished settle lee: seen, too")
}

// A dead letter that was chosen in the list goes back to its stream.
func TestReplay(t *testing.T) {
	s := start(t)
	s.deadLetter("X-1")
	ctx := browser(t, 390, 844)
	s.signInAs(ctx, "ann", "/dead-letters")
	fits(ctx, t, "dead letters")
	press(ctx, t, `input[name="letter"]`)
	press(ctx, t, `button[formaction="/actions/replay"]`)
	do(ctx, t, chromedp.WaitVisible("#reason"))
	fits(ctx, t, "replay")
	shoot(ctx, t, "replay-phone")
	do(ctx, t, chromedp.SendKeys("#reason", "the cause is fixed\r"), chromedp.WaitVisible("#notice"))
	if told := text(ctx, t, "#notice"); !strings.Contains(told, "1: replayed") {
		t.Error(told)
	}
	if letters, err := s.conn.DeadLetters(jetstreamtest.Context(t), 0, 10); err != nil || len(letters) != 0 {
		t.Errorf("%v, %+v", err, letters)
	}
	if _, err := s.conn.QueuedCommand(jetstreamtest.Context(t), payment.Ref{Provider: "acme", Order: "X-1"}); err != nil {
		t.Errorf("it is not in the queue: %v", err)
	}
	s.wantAudits("intended replay ann: the cause is fixed", "finished replay ann: the cause is fixed")
}

// All that match a filter are released at once, after a preview of how many and how much; what cannot be is left out.
func TestBulkWithPreview(t *testing.T) {
	s := start(t)
	s.park("P-1", "P-2", "P-3")
	s.append(newPayment("D-1"), 0, in(payment.Submitting), settled)
	ctx := browser(t, 1280, 800)
	s.signInAs(ctx, "ann", "/payments")
	press(ctx, t, `a.button[href^="/actions/release"]`)
	do(ctx, t, chromedp.WaitVisible("#reason"))
	if shown := text(ctx, t, "main"); !strings.Contains(shown, "3 payments, 3,750,000") || !strings.Contains(shown, "Left out: not possible as they stand (1)") || !strings.Contains(shown, "D-1") {
		t.Error(shown)
	}
	shoot(ctx, t, "bulk-wide")
	do(ctx, t, chromedp.SendKeys("#reason", "all of them\r"), chromedp.WaitVisible("#notice"))
	if told := text(ctx, t, "#notice"); !strings.Contains(told, "3: released") {
		t.Error(told)
	}
	s.wantAudits("intended release ann: all of them", "finished release ann: all of them")
}

// Payments are chosen one by one, or all of a page by the box of its head, and cancelled.
func TestChosenAreCancelled(t *testing.T) {
	s := start(t)
	s.park("P-4", "P-5")
	ctx := browser(t, 1280, 800)
	s.signInAs(ctx, "ann", "/parked")
	shoot(ctx, t, "choose-wide")
	press(ctx, t, "[data-choose-all]")
	press(ctx, t, `button[formaction="/actions/cancel"]`)
	do(ctx, t, chromedp.WaitVisible("#preview"))
	if shown := text(ctx, t, "#preview"); !strings.HasPrefix(shown, "2 payments, 2,500,000") {
		t.Error(shown)
	}
	do(ctx, t, chromedp.SendKeys("#reason", "withdrawn\r"), chromedp.WaitVisible("#notice"))
	for _, order := range []string{"P-4", "P-5"} {
		if p := s.last(order); p.Status != payment.Failed || p.Reason.Code != payment.ReasonCancelled || p.Reason.By != "ann" {
			t.Errorf("%+v %+v", p, p.Reason)
		}
	}
	s.wantAudits("intended cancel ann: withdrawn", "finished cancel ann: withdrawn")
}

// Without a reason nothing is done, a name in the form is not believed, and what is not chosen stays.
func TestFormsOfActions(t *testing.T) {
	s := start(t)
	s.park("P-1", "P-2")
	ann := s.clientOf("ann")
	form := s.form(ann, "/actions/release?payment=acme/P-1&back=/parked")
	for _, reason := range []string{"", "   ", "a\x1bb", strings.Repeat("x", 501)} {
		form.Set("reason", reason)
		if status, page := s.post(ann, "/actions/release", form); status != http.StatusBadRequest || !strings.Contains(page, "Say why") {
			t.Errorf("%q: %d", reason, status)
		}
	}
	s.wantAudits()
	form.Set("reason", "<b>ticket</b>")
	form.Set("by", "kim")
	if status, page := s.post(ann, "/actions/release", form); status != http.StatusOK || !strings.Contains(page, "1: released") {
		t.Errorf("%d %s", status, page)
	}
	s.wantAudits("intended release ann: <b>ticket</b>", "finished release ann: <b>ticket</b>")
	if _, _, page := s.get(ann, "/audit"); !strings.Contains(page, "&lt;b&gt;ticket&lt;/b&gt;") {
		t.Error(page)
	}
	if p := s.last("P-2"); p.Reason.By != "" {
		t.Errorf("%+v", p.Reason)
	}
	if status, page := s.post(ann, "/actions/release", url.Values{"reason": {"x"}, "all": {"parked"}}); status != http.StatusConflict || !strings.Contains(page, "There is nothing here") {
		t.Errorf("a form that names nothing: %d", status)
	}
	for _, back := range []string{"https://evil.example/", "//evil.example", "/sign-out"} { // it leads nowhere else
		form.Set("back", back)
		if status, _ := s.post(ann, "/actions/release", form); status != http.StatusOK {
			t.Errorf("%s: %d", back, status)
		}
	}
}

// A decision is about the payment that the person saw, and another amount than the ordered one is asked for twice.
func TestDecideAboutWhatWasSeen(t *testing.T) {
	s := start(t)
	s.conflict("C-1", 10_000)
	ann := s.clientOf("ann")
	path := "/payments/acme/C-1/resolve"
	form := s.form(ann, path)
	form.Set("reason", "seen")
	if status, page := s.post(ann, path, form); status != http.StatusBadRequest || !strings.Contains(page, "Choose what happened") {
		t.Errorf("%d", status)
	}
	form.Set("outcome", "settled")
	form.Set("amount", "-1")
	if status, page := s.post(ann, path, form); status != http.StatusBadRequest || !strings.Contains(page, "positive number") {
		t.Errorf("%d", status)
	}
	form.Set("amount", "9000")
	status, page := s.post(ann, path, form)
	if status != http.StatusBadRequest || !strings.Contains(page, "another amount than the ordered one") || !strings.Contains(page, `name="differs" value="9000 KRW"`) {
		t.Errorf("%d %s", status, page)
	}
	form.Set("differs", "9000 KRW")
	form.Set("sequence", "1")
	if status, page := s.post(ann, path, form); status != http.StatusConflict || !strings.Contains(page, "has changed meanwhile") {
		t.Errorf("%d", status)
	}
	s.wantAudits()
	form.Set("sequence", s.form(ann, path).Get("sequence"))
	if status, page := s.post(ann, path, form); status != http.StatusOK || !strings.Contains(page, "Done.") {
		t.Errorf("%d %s", status, page)
	}
	if p := s.last("C-1"); p.Status != payment.Settled || p.SettledAmount != payment.KRW(9000) || p.Reason.By != "ann" {
		t.Errorf("%+v", p)
	}
	if status, page := s.post(ann, path, form); status != http.StatusOK || !strings.Contains(page, "not possible as the payment stands") {
		t.Errorf("once more: %d", status)
	}
}

// What the customer must do is shown to a person with the role, after AUDIT has who looks.
func TestUnmask(t *testing.T) {
	s := start(t)
	s.append(newPayment("A-1"), 0, in(payment.Submitting), func(p *payment.Payment) {
		p.Status = payment.Pending
		p.Action = &payment.Action{Type: payment.ActionTransfer, Transfer: &payment.TransferInstructions{
			AccountNumber: "110-123-456789", BankName: "<i>Shinhan</i>", Reference: "REF", Amount: payment.KRW(1_250_000), ExpiresAt: time.Now().Add(time.Hour),
		}}
	})
	lee, path := s.clientOf("lee"), "/payments/acme/A-1/unmask"
	form := s.form(lee, path)
	if status, page := s.post(lee, path, form); status != http.StatusBadRequest || strings.Contains(page, "110-123") {
		t.Errorf("without a reason: %d", status)
	}
	form.Set("reason", "the customer lost the page")
	if status, page := s.post(lee, path, form); status != http.StatusOK || !strings.Contains(page, "110-123-456789") || !strings.Contains(page, "&lt;i&gt;Shinhan") {
		t.Errorf("%d %s", status, page)
	}
	s.wantAudits("intended unmask lee: the customer lost the page", "finished unmask lee: the customer lost the page")
}

// A payment whose last event cannot be read goes on after a person steps over the event.
func TestStepOver(t *testing.T) {
	s := start(t)
	ref := payment.Ref{Provider: "acme", Order: "U-1"}
	s.append(newPayment("U-1"), 0, in(payment.Submitting))
	if _, err := s.conn.Broker().JS.Publish(jetstreamtest.Context(t), events.PaymentSubject(payment.Settled, ref), []byte("{")); err != nil {
		t.Fatal(err)
	}
	ann, path := s.clientOf("ann"), "/payments/acme/U-1/skip"
	if _, _, page := s.get(ann, "/payments/acme/U-1"); !strings.Contains(page, path) || strings.Contains(page, "/resolve") {
		t.Error("the page leads to something else than stepping over")
	}
	form := s.form(ann, path)
	form.Set("reason", "a tool of ours wrote it")
	if status, page := s.post(ann, path, form); status != http.StatusOK || !strings.Contains(page, "Done.") {
		t.Errorf("%d %s", status, page)
	}
	if p := s.last("U-1"); p.Status != payment.InDoubt {
		t.Errorf("%+v", p)
	}
	s.wantAudits("intended skip ann: a tool of ours wrote it", "finished skip ann: a tool of ours wrote it")
}

// A console without actions has neither the pages nor the links.
func TestConsoleThatOnlyShows(t *testing.T) {
	s := start(t, func(o *console.Options) { o.Acting = nil })
	s.park("P-1")
	lee := s.clientOf("lee")
	for _, path := range []string{"/payments", "/parked", "/payments/acme/P-1", "/dead-letters"} {
		if _, _, page := s.get(lee, path); strings.Contains(page, "/actions/") || strings.Contains(page, `type="checkbox" name="payment"`) {
			t.Errorf("%s leads to actions", path)
		}
	}
	if status, _ := s.post(lee, "/actions/release", url.Values{"payment": {"acme/P-1"}, "reason": {"x"}}); status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		t.Errorf("%d", status)
	}
	s.wantAudits()
}

// actionPages are the pages of what people do after toActOn, and what each must show.
func actionPages() map[string][2]string {
	return map[string][2]string{
		"approvals": {"/approvals", "9,000,000"}, "approval": {"/approvals/1", "9,000,000"}, "import": {"/approvals/2", "november.csv"},
		"release": {"/actions/release?payment=" + url.QueryEscape("acme/P-1"), "P-1"},
		"cancel":  {"/actions/cancel?all=payments", "P-1"}, "drop": {"/actions/drop?all=letters", "X-1"}, "replay": {"/actions/replay?all=letters", "X-1"}, "nothing": {"/actions/replay", ""},
		"resolve": {"/payments/acme/C-1/resolve", "9,000,000"}, "retry": {"/payments/acme/R-1/retry", "R-1"}, "skip": {"/payments/acme/U-1/skip", "U-1"}, "unmask": {"/payments/acme/A-1/unmask", "A-1"}, "payment": {"/payments/acme/D-1", "D-1"},
		"chosen": {"/payments", "D-1"}, "parked": {"/parked", "P-1"}, "letters": {"/dead-letters", "X-1"}, "audit": {"/audit", "seen"}, "statements": {"/statements", ""},
		"endpoint": {"/ledgers/endpoints/shop", "shop"}, "test": {"/ledgers/endpoints/shop/test", ""}, "disable": {"/ledgers/endpoints/shop/disable", ""},
		"resend": {"/ledgers/endpoints/shop/replay?provider=acme&order=S-1", "S-1"},
	}
}

// Every page of what people do is there, in both languages, on both sizes, without a complaint of the browser, and without anything that
// axe-core finds wrong, light or dark; so is a form that was refused.
func TestActionPages(t *testing.T) {
	script := axe.Script(t)
	s := withEndpoint(t, newReceiver(t), false)
	s.toActOn()
	s.append(newPayment("R-1"), 0, in(payment.Submitting), func(p *payment.Payment) {
		p.Status, p.NotFound, p.NotFoundAt = payment.InDoubt, 2, time.Now().UTC()
	})
	s.append(newPayment("U-1"), 0, in(payment.Submitting))
	if _, err := s.conn.Broker().JS.Publish(jetstreamtest.Context(t), events.PaymentSubject(payment.Settled, payment.Ref{Provider: "acme", Order: "U-1"}), []byte("{")); err != nil {
		t.Fatal(err)
	}
	s.settle("S-1")
	s.requestImport([]byte("a file"), 2, payment.KRW(20_000))
	for name, size := range sizes {
		ctx := browser(t, size[0], size[1], "400") // a form that is refused
		s.signInAs(ctx, "lee", "/")
		for i, lang := range []string{"en", "ko"} {
			if i > 0 {
				do(ctx, t, chromedp.Click(`form[action="/language"] button`), chromedp.WaitVisible(`html[lang="ko"]`))
			}
			for page, p := range actionPages() {
				do(ctx, t, chromedp.Navigate(s.url+p[0]), chromedp.WaitVisible("main"))
				shown := text(ctx, t, "main")
				if !strings.Contains(shown, p[1]) || strings.Contains(shown, "%!") || strings.Contains(shown, "<nil>") || strings.Contains(shown, "ZgotmplZ") {
					t.Errorf("%s %s: %s", page, lang, shown)
				}
				fits(ctx, t, page+" "+lang+" "+name)
				shoot(ctx, t, "act-"+page+"-"+lang+"-"+name)
				if lang == "en" {
					inBothColours(ctx, t, script, page+" "+name)
				}
			}
		}
		do(ctx, t, chromedp.Navigate(s.url+"/payments/acme/C-1/resolve"), chromedp.WaitVisible("#amount"), chromedp.Click(`input[value="settled"]`),
			chromedp.SetValue("#amount", "1"), chromedp.SendKeys("#reason", "seen\r"), chromedp.WaitVisible(`[role="alert"]`))
		inBothColours(ctx, t, script, "refused "+name)
	}
}

// inBothColours holds a page against axe-core, light, and its contrast dark.
func inBothColours(ctx context.Context, t *testing.T, script, page string) {
	t.Helper()
	inColours(ctx, t, "light")
	accessible(ctx, t, script, page)
	inColours(ctx, t, "dark")
	faults(ctx, t, axe.Contrast, page+" dark")
}

// A payment that its provider does not know is sent once more, after a person agreed: it is written so, and its command comes at once.
func TestSendAgain(t *testing.T) {
	s := start(t)
	ref := payment.Ref{Provider: "acme", Order: "R-1"}
	s.append(newPayment("R-1"), 0, in(payment.Submitting), func(p *payment.Payment) {
		p.Status, p.NotFound, p.NotFoundAt = payment.InDoubt, 2, time.Now().UTC()
	})
	ann, path := s.clientOf("ann"), "/payments/acme/R-1/retry"
	form := s.form(ann, path)
	form.Set("reason", "not in the provider's list")
	if _, page := s.post(ann, path, form); !strings.Contains(page, "its command is not in the queue any more") {
		t.Error(page)
	}
	jetstreamtest.ParkBefore(t, s.conn, []payment.Ref{ref}, func(payment.Ref) time.Time { return time.Now().Add(time.Hour) })
	if _, page := s.post(ann, path, form); !strings.Contains(page, "Done.") {
		t.Error(page)
	}
	if p := s.last("R-1"); p.Reason == nil || p.Reason.Code != payment.ReasonRetryApproved || p.Reason.By != "ann" {
		t.Errorf("%+v %+v", p, p.Reason)
	}
	why := " retry ann: not in the provider's list"
	s.wantAudits("intended"+why, "finished"+why, "intended"+why, "finished"+why)
}

// A release that is spread begins now, and makes no payment later than it would be by itself.
func TestReleaseIsSpread(t *testing.T) {
	s := start(t)
	s.park("P-1", "P-2", "P-3", "P-4")
	ann := s.clientOf("ann")
	form := s.form(ann, "/actions/release?all=parked")
	form.Set("reason", "slowly")
	form.Set("over", "2h")
	if _, page := s.post(ann, "/actions/release", form); !strings.Contains(page, "4: released") {
		t.Error(page)
	}
	now, soon, later := time.Now(), 0, 0
	for _, order := range []string{"P-1", "P-2", "P-3", "P-4"} {
		switch at := s.last(order).ResumeAt; {
		case at.Before(now):
			soon++
		case at.Before(now.Add(31 * time.Minute)):
			later++
		case at.After(now.Add(61 * time.Minute)):
			t.Errorf("%s is tried at %s", order, at)
		}
	}
	if soon != 1 || later != 1 {
		t.Errorf("%d are tried now, %d within half an hour", soon, later)
	}
}
