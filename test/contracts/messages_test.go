package contracts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/trace"
	"go.yaml.in/yaml/v4"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/testenv"
)

// deadLetterExample is a file in testdata, which is written from a real dead letter.
const deadLetterExample = "deadletter.commands"

// tap keeps all messages that are published to a server.
type tap struct {
	mu   sync.Mutex
	all  []*nats.Msg
	more chan struct{}
}

func openTap(t *testing.T, nc *nats.Conn) *tap {
	t.Helper()
	all := &tap{more: make(chan struct{}, 1)}
	if _, err := nc.Subscribe(">", func(m *nats.Msg) {
		all.mu.Lock()
		all.all = append(all.all, m)
		all.mu.Unlock()
		select {
		case all.more <- struct{}{}:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return all
}

// of returns the messages to a channel's address, after waiting until there is one.
func (p *tap) of(ctx context.Context, t *testing.T, address string) []*nats.Msg {
	t.Helper()
	filter := parameter.ReplaceAllString(address, "*")
	for {
		p.mu.Lock()
		found := slices.DeleteFunc(slices.Clone(p.all), func(m *nats.Msg) bool { return !within(m.Subject, filter) })
		p.mu.Unlock()
		if len(found) > 0 {
			return found
		}
		select {
		case <-p.more:
		case <-ctx.Done():
			t.Fatalf("nothing was sent to %s", address)
		}
	}
}

// inTrace returns ctx within a trace that has a state.
func inTrace(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	state, err := trace.ParseTraceState("vendor=1")
	if err != nil {
		t.Fatal(err)
	}
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true,
	}))
}

// sendEverything lets the adapter that our programs use send a message of every kind.
func sendEverything(ctx context.Context, t *testing.T, all *tap, conn sender) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	command := func(op payment.Operation, order string) events.Outgoing {
		out, err := events.EncodeCommand(payment.Command{Ref: payment.Ref{Provider: "teemopay-kr", Order: order}, Operation: op, Amount: payment.KRW(10000), RequestedAt: now, Upstream: "shop"}, "id-"+order)
		must(err)
		return out
	}
	must(conn.PublishCommand(ctx, command(payment.Deposit, "dead")))
	must(conn.PublishCommand(ctx, command(payment.Payout, "parked")))
	ref := payment.Ref{Provider: "teemopay-kr", Order: "D-1"}
	answer, err := events.EncodeClarification(events.Clarification{Ref: ref, Fields: map[string]map[string]string{"a": {"b": "c"}}, RequestedAt: now, Upstream: "shop"}, "clarified")
	must(err)
	must(conn.PublishClarification(ctx, answer, "clarified"))
	hook, err := events.EncodeWebhook(events.Webhook{Ref: ref, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte("{}"), ReceivedAt: now}, "hook")
	must(err)
	must(conn.PublishWebhook(ctx, hook, "hook"))
	refused, err := events.EncodeRefusedWebhook(events.RefusedWebhook{Provider: "teemopay-kr", Refusal: "bad_signature", ReceivedAt: now}, 0, "refused")
	must(err)
	must(conn.PublishRefusedWebhook(ctx, refused))
	must(conn.AppendBalance(ctx, events.BalanceReport{Provider: "teemopay-kr", ReportedAt: now, Balances: []events.ReportedBalance{{Available: payment.KRW(1), Frozen: payment.KRW(0)}}}, 0))
	statuses := slices.DeleteFunc(payment.Statuses(), func(s payment.Status) bool { return s == payment.Requested })
	for i, status := range statuses {
		of := payment.Ref{Provider: "teemopay-kr", Order: fmt.Sprintf("S-%d", i)}
		p := payment.Payment{Ref: of, Operation: payment.Deposit, Status: status, Revision: 1, Amount: payment.KRW(1), UpdatedAt: now}
		if p.ResumeAt = now; status == payment.Pending {
			p.OverdueAt = now
		}
		_, err := conn.Append(ctx, p, 0)
		must(err)
	}
	page := &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example"}}
	_, err = conn.Append(ctx, payment.Payment{Ref: ref, Operation: payment.Deposit, Status: payment.Pending, Revision: 1, Amount: payment.KRW(1), Action: page, UpdatedAt: now}, 0)
	must(err)
	for _, action := range events.Actions() {
		must(conn.Audit(ctx, events.AuditRecord{ID: "audit-" + string(action), Stage: events.Intended, Action: action, Provider: "teemopay-kr", By: "kim", Reason: "asked", At: now}))
	}
	working, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	workers.Go(func() { _ = conn.ConsumeCommands(working, "teemopay-kr", 4, verdicts(time.Now())) })
	workers.Go(func() { _ = conn.ConsumeWebhooks(working, "teemopay-kr", 4, verdicts(time.Now())) })
	for _, address := range []string{"deadletter.*.*", "parked.*.*", "webhook.waiting.*.*.*"} {
		all.of(ctx, t, address)
	}
	big := command(payment.Deposit, "dead-big")
	big.Data = append(big.Data, bytes.Repeat([]byte(" "), events.MaxCommandBytes)...)
	must(conn.PublishCommand(ctx, big))
	for len(all.of(ctx, t, "deadletter.*.*")) < 2 {
		select {
		case <-all.more:
		case <-ctx.Done():
			t.Fatal("no dead letter of a command that is too big")
		}
	}
	stop()
	workers.Wait()
	testenv.Await(ctx, t, "the dead letter is replayed", func() bool {
		err := conn.Replay(ctx, 1)
		if !errors.Is(err, events.ErrQueued) { // else the command is about to leave the queue
			must(err)
		}
		return err == nil
	})
}

// appendTogether has events appended by several goroutines until some went together.
func appendTogether(ctx context.Context, t *testing.T, all *tap, conn sender) {
	t.Helper()
	together := func(m *nats.Msg) bool { return m.Header.Get("Nats-Batch-Commit") != "" }
	for n := 0; !slices.ContainsFunc(all.of(ctx, t, "payment.*.*.*"), together); n++ {
		var group errgroup.Group
		for i := range 8 {
			group.Go(func() error {
				of := payment.Ref{Provider: "teemopay-kr", Order: fmt.Sprintf("T-%d-%d", n, i)}
				_, err := conn.Append(ctx, payment.Payment{Ref: of, Operation: payment.Deposit, Status: payment.Submitting, Revision: 1, Amount: payment.KRW(1), UpdatedAt: time.Now()}, 0)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// sender is what of the adapter sends.
type sender interface {
	PublishCommand(context.Context, events.Outgoing) error
	PublishClarification(context.Context, events.Outgoing, string) error
	PublishWebhook(context.Context, events.Outgoing, string) error
	PublishRefusedWebhook(context.Context, events.Outgoing) error
	AppendBalance(context.Context, events.BalanceReport, uint64) error
	Append(context.Context, payment.Payment, uint64) (uint64, error)
	Audit(context.Context, events.AuditRecord) error
	ConsumeCommands(context.Context, string, int, queue.Handler) error
	ConsumeWebhooks(context.Context, string, int, queue.Handler) error
	Replay(context.Context, uint64) error
}

func verdicts(now time.Time) queue.Handler {
	return func(_ context.Context, m events.Message) queue.Verdict {
		switch ref, _ := events.SubjectRef(m.Subject); {
		case ref.Order == "dead-big":
			return queue.DeadLetter(events.DeadTooBig, "a command may have less")
		case ref.Order == "dead":
			return queue.DeadLetter(events.DeadOrderReused, "another command under a known order")
		case events.IsClarification(m.Subject):
			return queue.Acknowledge()
		}
		return queue.ParkUntil(now.Add(24 * 365 * time.Hour))
	}
}

// Every header of every message that the code sends is in the document, and every one that the document names is
// sent, to the subjects that it names.
func TestAsyncAPIHasTheHeadersOfTheCode(t *testing.T) {
	ctx, cancel := context.WithTimeout(inTrace(t.Context(), t), timeout)
	defer cancel()
	conn, nc := openConn(ctx, t)
	all := openTap(t, nc)
	sendEverything(ctx, t, all, conn)
	appendTogether(ctx, t, all, conn)
	var doc object
	if err := yaml.Unmarshal(read(t, asyncAPI), &doc); err != nil {
		t.Fatal(err)
	}
	messages := doc["components"].(map[string]any)["messages"].(map[string]any)
	documented, sent := map[string]bool{}, map[string]bool{}
	for name, value := range doc["channels"].(map[string]any) {
		address := value.(map[string]any)["address"].(string)
		headers := messages[name].(map[string]any)["headers"].(map[string]any)
		known := maps.Clone(headers["properties"].(map[string]any))
		for _, group := range headers["allOf"].([]any) {
			maps.Copy(known, document(doc).at(group.(map[string]any)["$ref"].(string)).(map[string]any)["properties"].(map[string]any))
		}
		for header := range known {
			documented[header] = true
		}
		if strings.HasPrefix(address, "intake.") || !strings.Contains(address, "{") {
			continue // written by upstreams
		}
		for _, m := range all.of(ctx, t, address) {
			for header := range m.Header {
				sent[header] = true
				if known[header] == nil {
					t.Errorf("%s has the header %s, which %s has not", m.Subject, header, name)
				}
			}
			required, _ := headers["required"].([]any)
			for _, header := range required {
				if m.Header[header.(string)] == nil {
					t.Errorf("%s has no header %s", m.Subject, header)
				}
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(sent)); !slices.Equal(got, want) {
		t.Errorf("the document has\n%v\nsent were\n%v", got, want)
	}
	deadLetterIsTheExample(t, all.of(ctx, t, "deadletter.*.*")[0])
}

// changing are values of a dead letter that are others each time.
var changing = map[string]string{
	"Payonce-Dead-At": "2026-11-22T00:00:00.123456789Z", "Payonce-Requested-At": "2026-11-22T00:00:00.123456789Z",
	"Nats-Msg-Id": "dead-COMMANDS-1-1795305600123456789",
}

// deadLetterIsTheExample compares a real dead letter with the one in the document.
func deadLetterIsTheExample(t *testing.T, m *nats.Msg) {
	t.Helper()
	text := m.Subject + "\n"
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		value := m.Header[name][0]
		if strings.HasSuffix(name, "traceparent") {
			value = regexp.MustCompile(`-[0-9a-f]{16}-`).ReplaceAllString(value, "-0200000000000000-")
		}
		if fixed, found := changing[name]; found {
			value = fixed
		}
		text += name + ": " + value + "\n"
	}
	text += "\n" + string(m.Data) + "\n"
	file := filepath.Join("testdata", deadLetterExample+".txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(read(t, file)); got != text {
		t.Errorf("the example is\n%s\nthe code writes\n%s", got, text)
	}
}
