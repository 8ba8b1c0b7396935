package console_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"payonce/internal/console"
	"payonce/internal/csvfile"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
)

// requestImport has ann ask for the import of a file, as payctl does.
func (s system) requestImport(file []byte, payouts int, total payment.Money) uint64 {
	s.t.Helper()
	sum := sha256.Sum256(file)
	number, err := s.conn.RecordRequest(jetstreamtest.Context(s.t), events.AuditRecord{
		ID: "import-1", Stage: events.Requested, Action: events.ActionImport, Provider: "acme", By: "ann", Reason: "payouts of November", At: time.Now().UTC(), ExpiresAt: time.Now().Add(time.Hour),
		Amount: total, File: events.AuditFile{Name: "november.csv", SHA256: hex.EncodeToString(sum[:]), Payouts: payouts}, Items: []events.AuditItem{},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return number
}

// lines are files of one order a line, for a console whose provider reads such files, and queues what stands in them.
func lines(sent *[]string) func(context.Context, string, string, []byte) (operator.PayoutFile, []csvfile.Problem, string, error) {
	return func(_ context.Context, provider, name string, text []byte) (operator.PayoutFile, []csvfile.Problem, string, error) {
		orders, sum := strings.Fields(string(text)), sha256.Sum256(text)
		for i, order := range orders {
			if !strings.HasPrefix(order, "P-") {
				return operator.PayoutFile{}, []csvfile.Problem{{Line: i + 1, Column: "order", Problem: "is <b>odd</b>"}}, "", nil
			}
		}
		return operator.PayoutFile{
			Provider: provider, Total: payment.KRW(int64(10_000 * len(orders))), File: events.AuditFile{Name: name, SHA256: hex.EncodeToString(sum[:]), Payouts: len(orders)},
			Send: func(context.Context) (map[string]int, error) {
				*sent = append(*sent, orders...)
				return map[string]int{"new": len(orders), "unsent": 0}, nil
			},
		}, nil, "bank ids were not compared", nil
	}
}

// An import is approved in a browser with its file: another file, one with problems, or none queues nothing, and neither does who asked for it.
func TestImportIsApprovedWithItsFile(t *testing.T) {
	var sent []string
	s := start(t, func(o *console.Options) { o.Acting.PayoutFile = lines(&sent) })
	number := s.requestImport([]byte("P-1\nP-2\n"), 2, payment.KRW(20_000))
	if number != 1 {
		t.Fatal(number)
	}
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ctx := browser(t, 1280, 800, "400", "409")
	s.signInAs(ctx, "lee", "/approvals/1")
	for _, wrong := range []struct{ path, says string }{
		{write("other.csv", "P-1\nP-3\n"), "not the file of the request"}, {write("bad.csv", "P-1\nX\n"), "line 2, order: is <b>odd</b>"},
	} {
		do(ctx, t, chromedp.WaitVisible("#import"), chromedp.SetUploadFiles("#file", []string{wrong.path}), chromedp.SendKeys("#reason", "seen"), chromedp.Click("#import"), chromedp.WaitVisible(`[role="alert"]`))
		if shown := text(ctx, t, "main"); !strings.Contains(shown, wrong.says) {
			t.Errorf("%s is not said: %s", wrong.says, shown)
		}
		do(ctx, t, chromedp.Navigate(s.url+"/approvals/1"))
	}
	if s.audits() != "requested import ann: payouts of November" || len(sent) > 0 {
		t.Fatalf("%s, %v", s.audits(), sent)
	}
	do(ctx, t, chromedp.WaitVisible("#import"), chromedp.SetUploadFiles("#file", []string{write("copy.csv", "P-1\nP-2\n")}), chromedp.SendKeys("#reason", "seen, too"), chromedp.Click("#import"), chromedp.WaitVisible("#notice"))
	if told := text(ctx, t, "#notice"); !strings.Contains(told, "2: queued") || !strings.Contains(told, "bank ids were not compared") {
		t.Error(told)
	}
	if strings.Join(sent, " ") != "P-1 P-2" {
		t.Errorf("sent %v", sent)
	}
	s.wantAudits("requested import ann: payouts of November", "approved import lee: seen, too", "intended import lee: seen, too", "finished import lee: seen, too")
}

// importAs sends the form of an import, without a file if that is empty.
func (s system) importAs(client *http.Client, request, reason, file string) (int, string) {
	s.t.Helper()
	name := "november.csv"
	if file == "" {
		name = ""
	}
	reply := s.sendFile(client, "/approvals/"+request+"/import", map[string]string{"reason": reason}, name, file)
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

// Only another person with the role approves an import, with a reason and a file, and only what is an import.
func TestImportNeedsAnotherApprover(t *testing.T) {
	var sent []string
	s := start(t, func(o *console.Options) { o.Acting.PayoutFile = lines(&sent) })
	s.requestImport([]byte("P-1\n"), 1, payment.KRW(10_000))
	lee := s.clientOf("lee")
	for _, name := range []string{"kim", "ann"} {
		if status, _ := s.importAs(s.clientOf(name), "1", "x", "P-1\n"); status != http.StatusForbidden {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, wrong := range []struct {
		request, reason, file string
		status                int
	}{{"1", "", "P-1\n", 400}, {"1", "x", "", 400}, {"2", "x", "P-1\n", 404}, {"1", "x", strings.Repeat("x", csvfile.MaxBytes+1), 400}} {
		if status, _ := s.importAs(lee, wrong.request, wrong.reason, wrong.file); status != wrong.status {
			t.Errorf("%+v: %d", wrong.request, status)
		}
	}
	s.wantAudits("requested import ann: payouts of November")
	if _, page := s.importAs(lee, "1", "seen", "P-1\n"); !strings.Contains(page, "1: queued") {
		t.Error(page)
	}
	if _, page := s.importAs(lee, "1", "seen", "P-1\n"); !strings.Contains(page, "request has ended") || len(sent) != 1 {
		t.Errorf("%v %s", sent, page)
	}
}
