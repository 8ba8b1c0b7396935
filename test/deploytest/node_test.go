package deploytest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

const nodeExample = "../../examples/ledger-node"

// javascript is the folder of the examples in JavaScript, with their packages.
type javascript struct {
	*system
	t   *testing.T
	dir string
}

// installNode copies the examples and the client that they use, and installs exactly the packages of their lock files.
func installNode(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	testenv.BuildTypeScriptClient(t, "../..", top)
	dir := filepath.Join(top, "examples", "ledger-node")
	testenv.Must(t, os.MkdirAll(dir, 0o700))
	files, err := filepath.Glob(filepath.Join(nodeExample, "*.js*"))
	if err != nil || len(files) < 7 {
		t.Fatalf("%d files of the examples: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		testenv.Must(t, err)
		testenv.Must(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600))
	}
	testenv.NPM(t, dir, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	return dir
}

// start runs one of the programs as a process of its own.
func (n javascript) start(program string, args ...string) (*exec.Cmd, *bufio.Scanner, *testenv.Logs) {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), "node", append([]string{program, "--nats", strings.Join(n.urls(), ","), "--ca", n.ca()}, args...)...)
	cmd.Dir, cmd.SysProcAttr = n.dir, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	problems := &testenv.Logs{}
	cmd.Stderr = problems
	out, err := cmd.StdoutPipe()
	testenv.Must(n.t, err)
	testenv.Must(n.t, cmd.Start())
	return cmd, bufio.NewScanner(out), problems
}

// ledger runs the ledger with the rights that deploy/nats gives it.
func (n javascript) ledger() (*exec.Cmd, *bufio.Scanner, *testenv.Logs) {
	n.t.Helper()
	return n.start("ledger.js", "--seed", n.seedFile("ledger-"+accounting), "--api-prefix", "PAYONCE", "--consumer", admin.LedgerConsumer(accounting))
}

// withoutNATS has each program wait for a NATS that is not there, say so, and end when it is asked to.
func withoutNATS(t *testing.T, dir string) {
	t.Helper()
	address := testenv.FreeAddress(t)
	for program, args := range map[string][]string{
		"ledger.js": {"--create"}, "refusals.js": {"--create"}, "upstream.js": {"--order", "D-1"},
	} {
		cmd := exec.CommandContext(t.Context(), "node", append([]string{program, "--nats", "nats://" + address}, args...)...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		problems := &testenv.Logs{}
		cmd.Stderr = problems
		testenv.Must(t, cmd.Start())
		testenv.Await(t.Context(), t, program+" says what it waits for", func() bool {
			return strings.Contains(problems.String(), "waiting for NATS at nats://"+address)
		})
		testenv.Must(t, cmd.Process.Signal(syscall.SIGTERM))
		if _ = cmd.Wait(); exitCode(cmd) != 143 {
			t.Errorf("%s ended with %d: %s", program, exitCode(cmd), problems)
		}
	}
}

// withoutConsumers has the programs that read begin before they have a consumer: they say how to get one.
func withoutConsumers(t *testing.T, dir string) {
	t.Helper()
	broker := natstest.Start(t)
	conn, err := jetstream.Connect(t.Context(), jetstream.Options{
		URLs: []string{broker.URL()}, Name: "test", Config: streamconfig.Of(config.Defaults()), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	testenv.Must(t, err)
	defer func() { _ = conn.Close() }()
	testenv.Must(t, admin.New(conn).EnsureStreams(t.Context()))
	for program, name := range map[string]string{"ledger.js": "nats.ledgers", "refusals.js": "nats.upstreams"} {
		cmd := exec.CommandContext(t.Context(), "node", program, "--nats", broker.URL())
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "there is no consumer ") || !strings.Contains(string(out), "--create") || !strings.Contains(string(out), name) {
			t.Errorf("%s: %v: %s", program, err, out)
		}
	}
}

func exitCode(cmd *exec.Cmd) int {
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// upstream asks for a deposit as the user of shop, and returns what it printed and its exit code.
func (n javascript) upstream(provider, order string) (out, problems string, code int) {
	n.t.Helper()
	cmd, lines, stderr := n.start("upstream.js", "--seed", n.seedFile("upstream-shop"), "--provider", provider, "--order", order)
	for lines.Scan() {
		out += lines.Text()
	}
	return out, stderr.String(), exitCode(cmd)
}

// booked is one line of the journal. An amount in it has a value and a currency, or is left out.
type booked struct {
	Event, Provider, Order, Operation, Status string
	Revision                                  int
	From, To                                  payment.Money
	Fee                                       payment.Fee
	CompletedAt                               time.Time `json:"completed_at"`
	Stop                                      bool
}

// journal returns the whole lines of the journal.
func (n javascript) journal() []booked {
	n.t.Helper()
	all, _ := n.journalFrom(0)
	return all
}

// journalFrom returns the whole lines of the journal from a byte on, and where they end.
func (n javascript) journalFrom(start int) (all []booked, end int) {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, "ledger-node.jsonl"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		n.t.Fatal(err)
	}
	end = max(start, bytes.LastIndexByte(text, '\n')+1)
	if end > len(text) {
		n.t.Fatalf("the journal has become shorter: %d bytes, there were %d", len(text), end)
	}
	for line := range bytes.Lines(text[start:end]) {
		var b booked
		if err := json.Unmarshal(line, &b); err != nil {
			n.t.Fatalf("%s: %v", line, err)
		}
		all = append(all, b)
	}
	return all, end
}

// scenarios are the events that orders get, by status and revision, in the order of the log. An event that stands
// twice was written or delivered twice; one with a lower revision after a higher one came late.
var scenarios = [][]struct {
	status   payment.Status
	revision int
}{
	{{payment.Pending, 1}, {payment.Settled, 2}, {payment.Settled, 2}},
	{{payment.InDoubt, 1}, {payment.Failed, 2}, {payment.Failed, 2}},
	{{payment.Settled, 2}, {payment.Reversed, 3}, {payment.Settled, 2}},
	{{payment.Conflict, 2}, {payment.Settled, 3}, {payment.Conflict, 2}},
	{{payment.Settled, 2}, {payment.Conflict, 3}, {payment.Conflict, 3}, {payment.Failed, 4}},
	{{payment.Reversed, 3}, {payment.Settled, 2}},
	{{payment.Settled, 2}, {payment.Conflict, 3}},
	{{payment.InDoubt, 1}},
	{{payment.Failed, 1}}, // a refused command: no amount could be read
}

// write puts the events of so many orders into the log, as a worker does, each twice as the scenario says.
func write(t *testing.T, nc *nats.Conn, prefix string, orders int) {
	t.Helper()
	for i := range orders {
		for at, e := range scenarios[i%len(scenarios)] {
			p := payment.Payment{Ref: payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("%s-%d", prefix, i)}, Operation: payment.Deposit,
				Status: e.status, Revision: e.revision, Amount: payment.KRW(10000), RequestedAt: time.Now(), UpdatedAt: time.Now()}
			if e.status == payment.Failed && e.revision == 1 {
				p.Amount = payment.Money{}
			}
			if e.status == payment.Settled || e.status == payment.Reversed {
				p.SettledAmount = payment.KRW(int64(9000 + i*10 + e.revision))
			}
			m, err := events.EncodePayment(p, fmt.Sprintf("%s-%d-%d", prefix, i, at))
			testenv.Must(t, err)
			if _, err := nc.RequestMsg(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data}, timeout); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// outcomes reads the log: the outcomes of each payment by revision.
func outcomes(t *testing.T, nc *nats.Conn) map[payment.Ref]map[int]payment.Payment {
	t.Helper()
	js, err := njs.New(nc)
	testenv.Must(t, err)
	stream, err := js.Stream(bounded(t), events.StreamPayments)
	testenv.Must(t, err)
	all := map[payment.Ref]map[int]payment.Payment{}
	for sequence := uint64(1); sequence <= stream.CachedInfo().State.LastSeq; sequence++ {
		raw, err := stream.GetMsg(bounded(t), sequence)
		testenv.Must(t, err)
		p, err := events.DecodePayment(raw.Data)
		testenv.Must(t, err)
		switch p.Status {
		case payment.Settled, payment.Failed, payment.Reversed, payment.Conflict:
			if all[p.Ref] == nil {
				all[p.Ref] = map[int]payment.Payment{}
			}
			all[p.Ref][p.Revision] = p
		}
	}
	return all
}

// last returns the outcome with the highest revision, and what is booked after it.
func last(of map[int]payment.Payment) (payment.Payment, payment.Money) {
	var p payment.Payment
	var now payment.Money
	for revision := range 10 {
		next, there := of[revision]
		if !there {
			continue
		}
		p = next
		switch p.Status {
		case payment.Settled:
			now = p.SettledAmount
		case payment.Failed, payment.Reversed:
			now = payment.Money{}
		}
	}
	return p, now
}

// complete reports whether the last outcome of each payment of the log is in the journal.
func complete(journal []booked, log map[payment.Ref]map[int]payment.Payment) bool {
	revisions := map[payment.Ref]int{}
	for _, b := range journal {
		revisions[payment.Ref{Provider: b.Provider, Order: b.Order}] = b.Revision
	}
	for ref, of := range log {
		if p, _ := last(of); revisions[ref] != p.Revision {
			return false
		}
	}
	return true
}

// sameAsLog compares the journal with the log: every outcome once, each entry where the one before ended, and the
// last one where the log ends.
func sameAsLog(t *testing.T, journal []booked, log map[payment.Ref]map[int]payment.Payment) {
	t.Helper()
	ends, used := map[payment.Ref]booked{}, map[string]bool{}
	for _, b := range journal {
		ref := payment.Ref{Provider: b.Provider, Order: b.Order}
		before, of := ends[ref], log[ref][b.Revision]
		if of.Status != payment.Status(b.Status) || string(of.Operation) != b.Operation || b.Event == "" || used[b.Event] {
			t.Errorf("booked %+v, the log has %s %s", b, of.Status, of.Operation)
		}
		if b.Revision <= before.Revision || b.From.Minor != before.To.Minor || b.Stop != (of.Status == payment.Conflict) {
			t.Errorf("booked %+v after %+v", b, before)
		}
		ends[ref], used[b.Event] = b, true
	}
	for ref, of := range log {
		p, now := last(of)
		end := ends[ref]
		// A conflict that comes before what it contradicts leaves nothing booked, until a person has decided.
		open := p.Status == payment.Conflict && end.To.IsZero()
		if end.Revision != p.Revision || end.To.Minor != now.Minor && !open {
			t.Errorf("%s ends with %+v, the log with %s %d, %v", ref, end, p.Status, p.Revision, now)
		}
	}
	if len(ends) != len(log) {
		t.Errorf("%d payments were booked, %d have an outcome", len(ends), len(log))
	}
}

// cut ends the connections of the ledger from the server's side and returns how many.
func (n javascript) cut() (count int) {
	n.t.Helper()
	for _, s := range n.servers {
		list, err := s.Connz(&server.ConnzOptions{})
		testenv.Must(n.t, err)
		for _, c := range list.Conns {
			if c.Name == admin.LedgerConsumer(accounting) && s.DisconnectClientByID(c.Cid) == nil {
				count++
			}
		}
	}
	return count
}

// The examples in JavaScript, with the plain NATS client and the rights that deploy/nats gives: an upstream whose
// command is one payment however often it is sent, and a ledger that is killed and cut off while outcomes come
// twice and late, and books each once.
func TestExamplesInNode(t *testing.T) {
	dir := installNode(t)
	withoutNATS(t, dir)
	withoutConsumers(t, dir)
	n := javascript{startSystem(t, startBroker(t, "node.conf", "nats-1"), 1), t, dir}
	n.upstreamAsks()
	n.upstreamReadsRefusals()
	n.stopWorker() // and plays worker itself
	worker := n.login(t, "worker")
	write(t, worker, "A", 200)

	for kills := 0; kills < 3; kills++ {
		cmd, lines, _ := n.ledger()
		for read := 0; read < 40 && lines.Scan(); read++ {
		}
		testenv.Must(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
	cmd, lines, problems := n.ledger()
	go func() {
		for lines.Scan() { // or it waits for us
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the ledger said: %s", problems)
		}
	})
	eventually(t, "a connection to cut", func() bool { return n.cut() > 0 })
	write(t, worker, "B", 40)
	eventually(t, "another one", func() bool { return n.cut() > 0 })
	log := outcomes(t, worker)
	var read []booked
	end := 0
	eventually(t, "all outcomes in the journal", func() bool {
		var more []booked
		more, end = n.journalFrom(end)
		read = append(read, more...)
		return complete(read, log)
	})
	if second, _, said := n.ledger(); exitCode(second) != 1 || !strings.Contains(said.String(), "another ledger books") {
		t.Errorf("a second ledger on the same journal: %s", said)
	}
	eventually(t, "all acknowledged", func() bool { return n.unread() == 0 })
	testenv.Must(t, cmd.Process.Signal(syscall.SIGTERM))
	if code := exitCode(cmd); code != 0 {
		t.Errorf("the ledger ended with %d: %s", code, problems)
	}
	sameAsLog(t, n.journal(), log)
	// The payment of the upstream went through the sandbox, which tells its fee, 5 won and 1 %, and when it ended.
	for _, b := range n.journal() {
		if b.Order == "JS-1" && (b.Fee.String() != "105 KRW" || b.CompletedAt.IsZero()) {
			t.Errorf("booked the fee %v, ended at %s", b.Fee, b.CompletedAt)
		}
	}
	n.unknownVersion(worker)
}

// upstreamAsks sends one command twice: it is one payment, which settles.
func (n javascript) upstreamAsks() {
	n.t.Helper()
	const order = "JS-1"
	for i := range 2 {
		out, problems, code := n.upstream(testenv.TeemoPay, order)
		var ack struct {
			Stream    string
			Duplicate bool
		}
		if code != 0 || json.Unmarshal([]byte(out), &ack) != nil || ack.Stream != events.IntakeStream("shop") || ack.Duplicate != (i == 1) {
			n.t.Fatalf("publication %d: %d, %s, %s", i, code, out, problems)
		}
	}
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: order}
	worker := n.login(n.t, "worker")
	eventually(n.t, "the payment settled", func() bool { p, _ := last(outcomes(n.t, worker)[ref]); return p.Status == payment.Settled })
	if o, err := n.Sandbox.Order(testenv.TeemoPay, order); err != nil || len(o.Charges) != 1 {
		n.t.Errorf("the provider was charged %d times: %v", len(o.Charges), err)
	}
	// Another's provider: it must say so and end, and not try for ever.
	if out, problems, code := n.upstream(testenv.DiamondPayTWD, order); code != 1 || !strings.Contains(strings.ToLower(problems), "permission") {
		n.t.Errorf("for a provider of another upstream: %d, %s, %s", code, out, problems)
	}
}

// upstreamReadsRefusals publishes a command that no worker can execute: the upstream reads why, also after it was killed before it had
// handled that, and not again once it has.
func (n javascript) upstreamReadsRefusals() {
	n.t.Helper()
	const order = "JS-REFUSED"
	cmd, lines, problems := n.start("upstream.js", "--seed", n.seedFile("upstream-shop"), "--provider", testenv.TeemoPay, "--order", order, "--value", "ten")
	var ack struct {
		Stream string
		Seq    uint64
	}
	for lines.Scan() {
		testenv.Must(n.t, json.Unmarshal(lines.Bytes(), &ack))
	}
	if code := exitCode(cmd); code != 0 || ack.Seq == 0 {
		n.t.Fatalf("it was not published: %d, %s", code, problems)
	}
	refusals := func() (*exec.Cmd, *bufio.Scanner, *testenv.Logs) {
		return n.start("refusals.js", "--seed", n.seedFile("upstream-shop"), "--api-prefix", "PAYONCE", "--consumer", admin.RefusalConsumer("shop"))
	}
	cmd, lines, problems = refusals()
	if !lines.Scan() {
		n.t.Fatalf("no refusal: %s", problems)
	}
	var r struct {
		events.Refusal
		ID string
	}
	testenv.Must(n.t, json.Unmarshal(lines.Bytes(), &r))
	if r.ID == "" || r.Ref() != (payment.Ref{Provider: testenv.TeemoPay, Order: order}) || r.Reason != events.DeadInvalid || len(r.Errors) != 1 || r.Errors[0].Pointer != "/amount/value" ||
		r.Stream != ack.Stream || r.Sequence != ack.Seq {
		n.t.Errorf("the refusal is %s, of %+v", lines.Text(), ack)
	}
	testenv.Must(n.t, cmd.Process.Signal(syscall.SIGTERM)) // its acknowledgement goes out
	for lines.Scan() {
		n.t.Errorf("again: %s", lines.Text())
	}
	if code := exitCode(cmd); code != 0 {
		n.t.Errorf("it ended with %d: %s", code, problems)
	}
}

// unread is how many outcomes are not acknowledged.
func (n javascript) unread() int {
	n.t.Helper()
	nc := n.login(n.t, "operator-kim") // one at a time: the account has few connections
	defer nc.Close()
	js, err := njs.New(nc)
	testenv.Must(n.t, err)
	consumer, err := js.Consumer(bounded(n.t), events.StreamPayments, admin.LedgerConsumer(accounting))
	testenv.Must(n.t, err)
	info, err := consumer.Info(bounded(n.t))
	testenv.Must(n.t, err)
	return info.NumAckPending + int(info.NumPending)
}

// unknownVersion sees that the ledger stops at an event of a version that it does not know, and leaves it.
func (n javascript) unknownVersion(worker *nats.Conn) {
	n.t.Helper()
	before := len(n.journal())
	p := payment.Payment{Ref: payment.Ref{Provider: testenv.TeemoPay, Order: "V2"}, Operation: payment.Deposit, Status: payment.Settled, Revision: 1,
		Amount: payment.KRW(1), SettledAmount: payment.KRW(1), RequestedAt: time.Now(), UpdatedAt: time.Now()}
	m, err := events.EncodePayment(p, "v2")
	testenv.Must(n.t, err)
	m.Header.Set("ce-dataschema", "urn:payonce:schema:payment:v2")
	if _, err := worker.RequestMsg(&nats.Msg{Subject: m.Subject, Header: nats.Header(m.Header), Data: m.Data}, timeout); err != nil {
		n.t.Fatal(err)
	}
	cmd, _, problems := n.ledger()
	if code := exitCode(cmd); code != 1 || !strings.Contains(problems.String(), "is not acknowledged") {
		n.t.Errorf("an unknown version: %d, %s", code, problems)
	}
	if after := len(n.journal()); after != before || n.unread() != 1 {
		n.t.Errorf("an unknown version: %d entries more, %d unread", after-before, n.unread())
	}
}
