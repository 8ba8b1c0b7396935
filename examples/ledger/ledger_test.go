package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/streamconfig"
	"payonce/pkg/client"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	domain "payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// TestMain is the ledger itself in the processes that a test starts and kills.
func TestMain(m *testing.M) {
	if os.Getenv("BE_THE_LEDGER") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

type broker struct {
	t   *testing.T
	ctx context.Context
	url string
	nc  *nats.Conn
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	b := &broker{t: t, ctx: ctx, url: natstest.Start(t).URL()}
	conn, err := jetstream.Connect(ctx, jetstream.Options{
		URLs: []string{b.url}, Name: "test", Config: streamconfig.Of(config.Defaults()), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := admin.New(conn).EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	if b.nc, err = nats.Connect(b.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.nc.Close)
	return b
}

// log writes an event as a worker does.
func (b *broker) log(order string, status domain.Status, revision int) {
	b.t.Helper()
	p := domain.Payment{Ref: domain.Ref{Provider: "acme-kr", Order: order}, Operation: domain.Deposit, Status: status, Revision: revision,
		Amount: domain.KRW(10000), RequestedAt: time.Now(), UpdatedAt: time.Now()}
	if status == domain.Settled {
		p.SettledAmount = domain.KRW(9900)
	}
	m, err := events.EncodePayment(p, fmt.Sprintf("%s-%d", order, revision))
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.nc.RequestMsg(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data}, 30*time.Second); err != nil {
		b.t.Fatal(err)
	}
}

// again makes the consumer as the ledger does, but for one thing: what a killed ledger had is delivered again soon.
func (b *broker) again(soon time.Duration) {
	b.t.Helper()
	consumer, err := open(b.ctx, b.nc, "$JS.API", "ledger-accounting", true)
	if err != nil {
		b.t.Fatal(err)
	}
	config := consumer.CachedInfo().Config
	config.AckWait = soon
	js, err := njs.New(b.nc)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := js.UpdateConsumer(b.ctx, events.StreamPayments, config); err != nil {
		b.t.Fatal(err)
	}
}

// start runs the ledger as a process of its own and returns its lines.
func (b *broker) start(journal string) (*exec.Cmd, *bufio.Scanner) {
	b.t.Helper()
	cmd := exec.CommandContext(b.ctx, os.Args[0], "--nats", b.url, "--journal", journal)
	cmd.Env = append(os.Environ(), "BE_THE_LEDGER=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

func entries(t *testing.T, journal string) (all []entry) {
	t.Helper()
	text, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// The ledger is killed again and again right after it wrote and before it acknowledges; every outcome is in the
// journal once.
func TestKilledLedgerStatementEachOutcomeOnce(t *testing.T) {
	b, journal := newBroker(t), filepath.Join(t.TempDir(), "ledger.jsonl")
	b.again(3 * time.Second)
	const orders = 300
	for i := range orders {
		order := fmt.Sprintf("D-%d", i)
		b.log(order, domain.Pending, 1)
		b.log(order, []domain.Status{domain.Settled, domain.Failed, domain.Conflict}[i%3], 2)
	}
	kills := 0
	for lines := 0; len(entriesIfAny(t, journal)) < orders; {
		cmd, out := b.start(journal)
		for n := 0; n < 37 && lines < orders && out.Scan(); n++ {
			lines++
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		kills++
		lines = len(entriesIfAny(t, journal))
		if b.ctx.Err() != nil {
			t.Fatalf("%d of %d were booked", lines, orders)
		}
	}
	if kills < 2 {
		t.Fatalf("it was killed %d times only", kills)
	}
	// All is delivered once more, and nothing is booked again.
	cmd, out := b.start(journal)
	b.log("D-last", domain.Settled, 1)
	for out.Scan() && !strings.Contains(out.Text(), "D-last") {
		t.Errorf("booked again: %s", out.Text())
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	seen := map[string]int{}
	for _, e := range entries(t, journal) {
		seen[e.Order]++
		if e.Status == "settled" && e.To != (amount{"9900", "KRW"}) {
			t.Errorf("booked %+v", e)
		}
	}
	for i := range orders {
		if n := seen[fmt.Sprintf("D-%d", i)]; n != 1 {
			t.Errorf("D-%d was booked %d times", i, n)
		}
	}
	if n := seen["D-last"]; n != 1 {
		t.Errorf("D-last was booked %d times", n)
	}
}

// entriesIfAny is entries of a file that may not be there yet or end in an unfinished line.
func entriesIfAny(t *testing.T, journal string) []entry {
	t.Helper()
	j, err := openJournal(journal)
	if err != nil {
		t.Fatal(err)
	}
	_ = j.close()
	return entries(t, journal)
}

func TestWhatIsBooked(t *testing.T) {
	of := func(status domain.Status, revision int, value string) client.Event {
		p := domain.Payment{Ref: client.Ref{Provider: "acme", Order: "D-1"}, Operation: domain.Deposit, Status: status, Revision: revision}
		if value != "" {
			p.SettledAmount, _ = domain.ParseMoney(value, "KRW")
		}
		if status != "failed" || value != "unknown" {
			p.Amount = domain.KRW(10000)
		}
		return client.Event{ID: "e", Payment: events.DataOf(p)}
	}
	for name, c := range map[string]struct {
		outcomes []client.Event
		want     string // from>to of each entry
	}{
		"conflict first":        {[]client.Event{of("conflict", 2, "9900"), of("settled", 3, "9900")}, ">! >9900 "},
		"settled":               {[]client.Event{of("settled", 2, "9900")}, ">9900 "},
		"the same twice":        {[]client.Event{of("settled", 2, "9900"), of("settled", 2, "9900")}, ">9900 "},
		"failed":                {[]client.Event{of("failed", 2, "")}, ">0 "},
		"refused, no amount":    {[]client.Event{of("failed", 2, "unknown")}, "> "},
		"refused, then settled": {[]client.Event{of("failed", 2, "unknown"), of("conflict", 3, "9900"), of("settled", 4, "9900")}, "> >! >9900 "},
		"failed, then settled":  {[]client.Event{of("failed", 2, ""), of("conflict", 3, "9900"), of("settled", 4, "9900")}, ">0 0>0! 0>9900 "},
		"reversed":              {[]client.Event{of("settled", 2, "9900"), of("reversed", 3, "9900")}, ">9900 9900>0 "},
		"out of order":          {[]client.Event{of("reversed", 3, "9900"), of("settled", 2, "9900")}, ">0 "},
		"conflict and a person": {[]client.Event{of("settled", 2, "9900"), of("conflict", 3, "9900"), of("settled", 4, "500")}, ">9900 9900>9900! 9900>500 "},
		"a person says no":      {[]client.Event{of("settled", 2, "9900"), of("conflict", 3, "9900"), of("failed", 4, "")}, ">9900 9900>9900! 9900>0 "},
	} {
		path := filepath.Join(t.TempDir(), "j")
		for _, p := range c.outcomes {
			j, err := openJournal(path) // as after a restart each time
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.post(p); err != nil {
				t.Fatal(err)
			}
			if err := j.sync(); err != nil {
				t.Fatal(err)
			}
			_ = j.close()
		}
		got := ""
		for _, e := range entries(t, path) {
			if text, err := json.Marshal(e); err != nil || strings.Contains(string(text), `""`) {
				t.Errorf("%s: an amount of nothing: %s", name, text)
			}
			got += e.From.Value + ">" + e.To.Value + map[bool]string{true: "!"}[e.Stop] + " "
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// Journals of before say that nothing was booked with an empty amount, or with one without a currency.
func TestJournalOfBeforeIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	line := `{"event":"e","provider":"p","order":"D-1","operation":"deposit","revision":2,"status":"conflict","from":{"value":"","currency":""},"to":{"value":"","currency":""},"stop":true}` + "\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.close() }()
	if last := j.last["p/D-1"]; last.Revision != 2 || last.To != (amount{}) || !last.Stop {
		t.Errorf("%+v", last)
	}
	p := domain.Payment{Ref: client.Ref{Provider: "p", Order: "D-1"}, Operation: domain.Deposit, Status: domain.Failed, Revision: 3, Amount: domain.KRW(1)}
	if line, err := j.post(client.Event{ID: "f", Payment: events.DataOf(p)}); err != nil || strings.Contains(line, `"from"`) || !strings.Contains(line, `"to":{"value":"0","currency":"KRW"}`) {
		t.Errorf("%s %v", line, err)
	}
}

func TestUnfinishedLineIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	if err := os.WriteFile(path, []byte(`{"provider":"acme","order":"D-1","revision":2,"to":{"value":"5"}}`+"\n"+`{"provider":"acme","ord`), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(path); err == nil {
		t.Error("two ledgers book into one file")
	}
	if err := j.close(); err != nil {
		t.Error(err)
	}
	if all := entries(t, path); len(all) != 1 || all[0].To.Value != "5" {
		t.Errorf("%+v", all)
	}
}

// What the provider keeps is booked as it says; what it did not tell, or what cannot be, is not booked as nothing.
func TestFeesAreBookedAsTold(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.FixedZone("", 9*60*60))
	for name, c := range map[string]struct {
		value      string
		impossible bool
		want       *amount
	}{
		"told": {"110.02", false, &amount{"110.02", "KRW"}}, "nothing": {"0", false, &amount{"0", "KRW"}}, "not told": {"", false, nil}, "impossible": {"-1", true, nil},
	} {
		p := domain.Payment{Ref: client.Ref{Provider: "acme", Order: "D-1"}, Operation: domain.Deposit, Status: domain.Settled, Revision: 2,
			SettledAmount: domain.KRW(9900), ProviderCompletedAt: at}
		if c.value != "" {
			p.Fee, _ = domain.ParseFee(c.value, "KRW")
		}
		if c.impossible {
			p.Annotations = []domain.Annotation{{At: at, Source: domain.FromWebhook, Kind: domain.Paid, Reason: &domain.Reason{Code: domain.ReasonFeeImpossible}}}
		}
		path := filepath.Join(t.TempDir(), "j")
		j, err := openJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.post(client.Event{ID: "e", Payment: events.DataOf(p)}); err != nil {
			t.Fatal(err)
		}
		_ = j.close()
		if e := entries(t, path)[0]; (e.Fee == nil) != (c.want == nil) || e.Fee != nil && *e.Fee != *c.want || !e.CompletedAt.Equal(at) || e.To.Value != "9900" {
			t.Errorf("%s: booked %+v", name, e)
		}
	}
}

// An event of a version that is not known here ends the ledger, and is neither booked nor acknowledged.
// Who begins has no consumer yet, or asks for the flags.
func TestBeginnersAreToldHowToBegin(t *testing.T) {
	b := newBroker(t)
	journal := filepath.Join(t.TempDir(), "ledger.jsonl")
	err := run(b.ctx, []string{"--nats", b.url, "--journal", journal}, io.Discard)
	if !errors.Is(err, njs.ErrConsumerNotFound) || !strings.Contains(err.Error(), "--create") || !strings.Contains(err.Error(), "nats.ledgers") {
		t.Errorf("without a consumer: %v", err)
	}
	if err := run(b.ctx, []string{"--nats", "nats://" + testenv.FreeAddress(t), "--journal", journal}, io.Discard); err == nil || !strings.Contains(err.Error(), "--nats") {
		t.Errorf("without NATS: %v", err)
	}
	help := exec.CommandContext(b.ctx, os.Args[0], "--help")
	help.Env = append(os.Environ(), "BE_THE_LEDGER=1")
	if text, err := help.CombinedOutput(); err != nil || strings.Contains(string(text), "help requested") || !strings.Contains(string(text), "-create") {
		t.Errorf("--help: %v: %s", err, text)
	}
}

func TestUnknownVersionsAreNotBooked(t *testing.T) {
	b, journal := newBroker(t), filepath.Join(t.TempDir(), "ledger.jsonl")
	b.again(time.Minute)
	m, err := events.EncodePayment(domain.Payment{Ref: domain.Ref{Provider: "acme-kr", Order: "D-1"}, Operation: domain.Deposit, Status: domain.Settled,
		Revision: 1, Amount: domain.KRW(1), SettledAmount: domain.KRW(1), UpdatedAt: time.Now()}, "later")
	if err != nil {
		t.Fatal(err)
	}
	m.Header.Set("ce-dataschema", "urn:payonce:schema:payment:v2")
	if _, err := b.nc.RequestMsg(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	cmd, out := b.start(journal)
	for out.Scan() {
		t.Errorf("booked %s", out.Text())
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 || len(entries(t, journal)) != 0 {
		t.Errorf("it ended with %v and booked %d", err, len(entries(t, journal)))
	}
	consumer, err := open(b.ctx, b.nc, "$JS.API", "ledger-accounting", false)
	if err != nil {
		t.Fatal(err)
	}
	if info := consumer.CachedInfo(); info.AckFloor.Stream != 0 {
		t.Errorf("acknowledged up to %d", info.AckFloor.Stream)
	}
}
