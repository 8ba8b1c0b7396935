package payctl_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

func importFile(t testing.TB, config, path string, more ...string) outcome {
	t.Helper()
	return run(t, "", append(importArgs(config, path), more...)...)
}

// importArgs import a file without a question.
func importArgs(config, path string) []string {
	return with(config, by, "payouts", "import", path, "--provider", shop, "--yes")
}

func queued(t testing.TB, conn *admin.Conn, order string) payment.Command {
	t.Helper()
	m, err := conn.QueuedCommand(bounded(t), payment.Ref{Provider: shop, Order: order})
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := events.DecodeCommand(m)
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestImport(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	path := file(t, "november.csv", header+"\n"+strings.Replace(line, "Kon,Do", "길동,홍", 1)+"\n"+nth(2)+"\n")
	importFile(t, config, path).expect(t, 0, "2 payouts, 20000 KRW in total: 2 new, 0 already there, 0 conflicts, 0 not sent.\n", "2 of 2 payouts")
	cmd := queued(t, conn, "P-1")
	if cmd.RequestedAt.IsZero() {
		t.Error("the time is missing")
	}
	cmd.RequestedAt = payment.Command{}.RequestedAt
	want := payment.Command{
		Ref: payment.Ref{Provider: shop, Order: "P-1"}, Operation: payment.Payout, Amount: payment.KRW(10000),
		Customer: payment.Customer{ID: "100", FirstName: "길동", LastName: "홍", Email: "do@mail.com", IPAddress: "248.1.1.1"},
		Account:  payment.Account{Number: "950-001413-01-010", Holder: "Do", BankCode: "140"},
		Metadata: map[string]string{"import_file": "november.csv", "import_line": "2"},
	}
	if fmt.Sprint(cmd) != fmt.Sprint(want) || cmd.Fingerprint() != want.Fingerprint() {
		t.Errorf("got  %+v\nwant %+v", cmd, want)
	}
	if m, err := conn.QueuedCommand(bounded(t), cmd.Ref); err != nil || m.Subject != "payout.requested.ecommpay-kr.P-1" {
		t.Errorf("%v %v", m.Subject, err)
	}
}

// What is there already, in the queue or in the log, is recognised; another payment under the order is a
// conflict and stays untouched.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	dir := t.TempDir()
	write := func(name string, lines ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Join(append([]string{header}, lines...), "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("a.csv", nth(1), nth(2), nth(3), nth(4))
	importFile(t, config, path).expect(t, 0, "4 new", "")
	live(t, conn, payment.New(queued(t, conn, "P-2")), submitting, func(p *payment.Payment) { p.Status = payment.Failed })
	importFile(t, config, path).expect(t, 0, "0 new, 4 already there, 0 conflicts", "")

	// A file that was renamed and lines that moved are the same payouts.
	moved := write("b.csv", nth(9), nth(4), nth(2), nth(1))
	importFile(t, config, moved).expect(t, 0, "1 new, 3 already there, 0 conflicts", "")

	changed := write("c.csv", nth(1), strings.Replace(nth(2), "10000", "10001", 1), strings.Replace(nth(3), "950", "951", 1), nth(10))
	o := importFile(t, config, changed)
	o.expect(t, 1, "line 3: conflict: its payment_id was used for another payment\nline 4: conflict", "conflicts: 2")
	o.expect(t, 1, "1 new, 1 already there, 2 conflicts, 0 not sent", "")
	if cmd := queued(t, conn, "P-3"); cmd.Account.Number != "950-001413-01-010" {
		t.Errorf("the queued payout was replaced: %v", cmd)
	}
	importFile(t, config, changed, "--json").expect(t, 1, "\"conflicts\": [\n 3,\n 4\n ]", "")
}

// A payout that another client ordered, in the queue or in the log, isn't an import of ours.
func TestImportConflictsWithOthers(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	publish(t, conn, command("P-1"))
	live(t, conn, payment.New(command("P-2")), submitting)
	unreadable := events.Outgoing{Subject: events.CommandSubject(payment.Payout, payment.Ref{Provider: shop, Order: "P-3"}), Data: []byte("{")}
	if err := conn.PublishCommand(bounded(t), unreadable); err != nil {
		t.Fatal(err)
	}
	path := file(t, "a.csv", strings.Join([]string{header, nth(1), nth(2), nth(3), nth(4)}, "\n"))
	importFile(t, config, path).expect(t, 1, "1 new, 0 already there, 3 conflicts", "")
}

func TestImportWithoutStreams(t *testing.T) {
	t.Parallel()
	config := configuration(t, natstest.Start(t).URL(), nowhere)
	importFile(t, config, file(t, "a.csv", header+"\n"+line)).expect(t, 1, "0 new, 0 already there, 0 conflicts", "create it with payctl streams apply")
}

func largeFile(t testing.TB, payouts int) string {
	t.Helper()
	lines := []string{header}
	for i := range payouts {
		lines = append(lines, nth(i+1))
	}
	return file(t, "large.csv", strings.Join(lines, "\n"))
}

// A large file is sent whole, and once: the second run finds everything, some of it in the log.
func TestImportLarge(t *testing.T) {
	t.Parallel()
	const large = 3_000
	conn, config := system(t)
	path := largeFile(t, large)
	importFile(t, config, path).expect(t, 0, "3000 payouts, 30000000 KRW in total: 3000 new, 0 already there, 0 conflicts, 0 not sent", "1500 of 3000 payouts")
	for i := range large / 100 {
		live(t, conn, payment.New(queued(t, conn, fmt.Sprintf("P-%d", i*100+1))), submitting)
	}
	importFile(t, config, path).expect(t, 0, "0 new, 3000 already there, 0 conflicts, 0 not sent", "")
}

// stopper ends the run when the first progress is shown, as Ctrl-C would.
type stopper struct {
	bytes.Buffer
	stop context.CancelFunc
}

func (s *stopper) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("of 2000 payouts")) {
		s.stop()
	}
	return s.Buffer.Write(p)
}

func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	const large = 2_000
	path := largeFile(t, large)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out bytes.Buffer
	problems := &stopper{stop: stop}
	e := env("", &out, &problems.Buffer)
	e.Stderr = problems
	code := payctl.Run(ctx, append(importArgs(config, path), "--json"), e)
	if code != 1 || !strings.Contains(problems.String(), "interrupted\nRun the same command again") {
		t.Fatalf("exit %d: %s", code, problems.String())
	}
	first := reportOf(t, out.String())
	if first.New < large/10 || first.New == large || first.New+first.Unsent != large {
		t.Errorf("%+v", first)
	}
	again := reportOf(t, importFile(t, config, path, "--json").out)
	if again.Already != first.New || again.New != first.Unsent || again.Unsent != 0 {
		t.Errorf("%+v, then %+v", first, again)
	}
	_ = queued(t, conn, fmt.Sprintf("P-%d", large))
}

// A broker that goes away ends the import with the truth about what was sent.
func TestImportLosesNATS(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn, err := jetstreamtest.Dial(bounded(t), options(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.EnsureStreams(bounded(t)); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	config := configuration(t, server.URL(), nowhere)
	const large = 2_000
	path := largeFile(t, large)
	var out bytes.Buffer
	problems := &stopper{stop: server.Stop}
	e := env("", &out, &problems.Buffer)
	e.Stderr, e.Timeout = problems, 10*time.Second // a publication that gets no answer takes it all
	code := payctl.Run(t.Context(), append(importArgs(config, path), "--json"), e)
	first := reportOf(t, out.String())
	if code != 1 || first.New == large || first.New+first.Unsent != large || !strings.Contains(problems.String(), "stopped: line ") {
		t.Fatalf("exit %d, %+v: %s", code, first, problems.String())
	}
	server.Restart()
	again := reportOf(t, importFile(t, config, path, "--json").out)
	if again.Already < first.New || again.New+again.Already != large {
		t.Errorf("%+v, then %+v", first, again)
	}
}

// On a terminal a bar is drawn.
func TestImportDrawsABar(t *testing.T) {
	t.Parallel()
	_, config := system(t)
	var out, problems bytes.Buffer
	e := env("", &out, &problems)
	e.Terminal = true
	code := payctl.Run(t.Context(), importArgs(config, file(t, "a.csv", header+"\n"+line)), e)
	if code != 0 || !strings.Contains(problems.String(), "100%") || !strings.Contains(problems.String(), "(1/1") || !strings.HasSuffix(problems.String(), "\n") {
		t.Errorf("exit %d: %q", code, problems.String())
	}
}

// An import asks before it sends, and writes how many payouts of which file, and their sum, before and after.
func TestImportAsksAndIsRecorded(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	content := header + "\n" + nth(1) + "\n" + nth(2)
	path := file(t, "november.csv", content)
	args := []string{"payouts", "import", path, "--provider", shop}
	run(t, "", with(config, nil, args...)...).expect(t, 2, "", "--by NAME and --reason TEXT are required")
	run(t, "", with(config, by, args...)...).expect(t, 2, "", "stdin is not a terminal")
	asked(t, "1\n", with(config, by, args...)...).expect(t, 1, "0 new, 0 already there, 0 conflicts, 0 not sent", "queue 2 payouts, 20000 KRW in total, from "+path+" for ecommpay-kr, as kim: ticket 4711\nType 2 to confirm: payctl: not confirmed")
	if entries, err := conn.Audits(bounded(t), 0, 10); err != nil || len(entries) != 0 {
		t.Fatalf("recorded before the answer: %+v, %v", entries, err)
	}
	asked(t, "2\n", with(config, by, args...)...).expect(t, 0, "2 new", "")
	entries, err := conn.Audits(bounded(t), 0, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	intended, finished := entries[0].Record, entries[1].Record
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	for _, r := range []events.AuditRecord{intended, finished} {
		if r.ID != intended.ID || r.Action != events.ActionImport || r.Provider != shop || r.By != "kim" || r.Reason != "ticket 4711" ||
			r.Amount != payment.KRW(20000) || r.File.Name != "november.csv" || r.File.SHA256 != sum || r.File.Payouts != 2 {
			t.Errorf("%+v, %+v", r, r.File)
		}
	}
	if intended.File.Results != nil || finished.File.Results["new"] != 2 {
		t.Errorf("%v, %v", intended.File, finished.File)
	}
	run(t, "", "audit", "list", "--action", "import", "--config", config).expect(t, 0, "2 payouts of november.csv: 2 new, 0 already there", "")
}
