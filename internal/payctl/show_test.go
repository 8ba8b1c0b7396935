package payctl_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/natstest"
)

func command(order string) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: shop, Order: order}, Operation: payment.Deposit, Amount: payment.KRW(10000),
		Customer: payment.Customer{ID: "7", Name: "홍길동"}, RequestedAt: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Metadata: map[string]string{"cart": "cart-of-hong"},
	}
}

func publish(t testing.TB, conn *admin.Conn, cmd payment.Command) {
	t.Helper()
	if err := conn.PublishCommand(bounded(t), encoded(t, cmd)); err != nil {
		t.Fatal(err)
	}
}

func encoded(t testing.TB, cmd payment.Command) events.Outgoing {
	t.Helper()
	out, err := events.EncodeCommand(cmd, uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// live appends the events of a payment in the order of its life and returns the last.
func live(t testing.TB, conn *admin.Conn, p payment.Payment, steps ...func(*payment.Payment)) {
	t.Helper()
	var after uint64
	for i, step := range steps {
		step(&p)
		p.Revision, p.UpdatedAt = i+1, p.RequestedAt.Add(time.Duration(i)*time.Second)
		var err error
		if after, err = conn.Append(bounded(t), p, after); err != nil {
			t.Fatal(err)
		}
	}
}

func submitting(p *payment.Payment) {
	p.Status, p.Attempts, p.SubmittedAt = payment.Submitting, 1, p.RequestedAt.Add(time.Second)
}

func pending(p *payment.Payment) {
	p.Status = payment.Pending
	p.Action = &payment.Action{Type: payment.ActionTransfer, Transfer: &payment.TransferInstructions{
		AccountNumber: "110-1", BankName: "Shinhan", Reference: "REF", Amount: payment.KRW(10000), ExpiresAt: p.RequestedAt.Add(time.Hour),
	}}
}

func settled(p *payment.Payment) {
	p.Status, p.Action, p.SettledAmount, p.ProviderReference = payment.Settled, nil, payment.KRW(9000), "PR-1"
	p.Reason = &payment.Reason{Code: payment.ReasonAmountMismatch, ProviderCode: "42", Message: "odd\x1b[2J\ttext"}
	p.Fee, p.ProviderCompletedAt = payment.Fee{Hundredths: 9502, Currency: "KRW"}, time.Date(2026, 11, 22, 9, 0, 5, 0, time.FixedZone("", 9*60*60))
	p.Transfers = []payment.Transfer{{Reference: "R-1", Amount: payment.KRW(9000), Fee: p.Fee}}
}

func TestShow(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	live(t, conn, payment.New(command("D-1")), submitting, pending, settled)
	o := run(t, "", "payment", "show", shop, "D-1", "--config", config)
	o.expect(t, 0, "", "")
	text := blanks.ReplaceAllString(o.out, " ")
	for _, line := range []string{
		"payment ecommpay-kr/D-1", "status settled", "reason amount_mismatch (42): odd\ufffd[2J\ufffdtext",
		"amount 10000 KRW", "settled amount 9000 KRW", "provider's number PR-1", "transfer R-1 9000 KRW, fee 95.02 KRW", "attempts 1",
		"provider's fee 95.02 KRW", "provider's end 2026-11-22T00:00:05Z (2026-11-22T09:00:05+09:00)",
		"submitted at 2026-11-22T00:00:01Z (2026-11-22T09:00:01+09:00)", "metadata cart cart-of-hong",
		"REVISION UTC ", "LOCAL ", "from the first event to the last.",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	for i, status := range []string{"submitting", "pending", "settled"} {
		line := o.out[strings.Index(o.out, "REVISION"):]
		if fields := strings.Fields(strings.Split(line, "\n")[i+1]); len(fields) < 6 || fields[4] != status || !strings.HasSuffix(fields[1], "Z") || !strings.HasSuffix(fields[2], "+09:00") {
			t.Errorf("line %d: %v", i, fields)
		}
	}
	if strings.Contains(o.out, "command") || strings.Contains(o.out, "resume") || strings.Contains(o.out, "홍") {
		t.Errorf("too much is shown: %s", o.out)
	}
}

func TestShowJSON(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	live(t, conn, payment.New(command("D-1")), submitting, pending)
	o := run(t, "", "payment", "show", shop, "D-1", "--json", "--config", config)
	o.expect(t, 0, "", "")
	var s struct {
		Provider, Order, Command string
		Payment                  payment.Payment
		Events                   []struct {
			Sequence uint64
			ID       string
			StoredAt time.Time `json:"stored_at"`
			Payment  payment.Payment
		}
	}
	if err := json.Unmarshal([]byte(o.out), &s); err != nil {
		t.Fatal(err)
	}
	if s.Provider != shop || s.Order != "D-1" || s.Command != "none" || s.Payment.Status != payment.Pending || len(s.Events) != 2 ||
		s.Events[1].Payment.Revision != 2 || s.Events[0].Sequence == 0 || s.Events[0].ID == "" || s.Events[0].StoredAt.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestShowActions(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	live(t, conn, payment.New(command("A-1")), submitting, pending)
	masked := run(t, "", "payment", "show", shop, "A-1", "--config", config)
	masked.expect(t, 0, "action transfer; --unmask shows it", "")
	asJSON := run(t, "", "payment", "show", shop, "A-1", "--json", "--config", config)
	asJSON.expect(t, 0, `"stored_action": {`, "")
	for _, shown := range []string{masked.out, asJSON.out} {
		if strings.Contains(shown, "110-1") {
			t.Errorf("the account is shown: %s", shown)
		}
	}
	look := []string{"--unmask", "--by", "kim", "--reason", "ticket 4711"}
	show := func(order, want string) {
		t.Helper()
		run(t, "", slices.Concat([]string{"payment", "show", shop, order, "--config", config}, look)...).expect(t, 0, want, "")
		run(t, "", "audit", "list", "--order", order, "--action", "unmask", "--config", config).expect(t, 0, "kim", "")
	}
	show("A-1", "action account Shinhan 110-1")
	run(t, "", "payment", "show", shop, "A-1", "--unmask", "--config", config).expect(t, 2, "", "--by NAME")
	live(t, conn, payment.New(command("A-2")), submitting, func(p *payment.Payment) {
		p.Status = payment.Pending
		p.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/1"}}
	})
	show("A-2", "action url GET https://pay.example/1")
	live(t, conn, payment.New(command("A-3")), submitting, func(p *payment.Payment) {
		p.Status = payment.Pending
		p.Action = &payment.Action{Type: payment.ActionClarification, Clarification: &payment.Clarification{Fields: map[string][]string{"customer": {"first_name", "last_name"}}}}
	})
	run(t, "", "payment", "show", shop, "A-3", "--config", config).expect(t, 0, "action wants customer: first_name, last_name", "")
}

func TestShowQueued(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	publish(t, conn, command("Q-1"))
	o := run(t, "", "payment", "show", shop, "Q-1", "--config", config)
	o.expect(t, 0, "queued since ", "")
	o.expect(t, 0, "status requested", "")
	if strings.Contains(o.out, "REVISION") {
		t.Errorf("a timeline without events: %s", o.out)
	}
	live(t, conn, payment.New(command("Q-1")), submitting)
	run(t, "", "payment", "show", shop, "Q-1", "--config", config).expect(t, 0, "queued or in progress since ", "")

	unreadable := events.Outgoing{Subject: events.CommandSubject(payment.Deposit, payment.Ref{Provider: shop, Order: "Q-2"}), Data: []byte("{")}
	if err := conn.PublishCommand(bounded(t), unreadable); err != nil {
		t.Fatal(err)
	}
	run(t, "", "payment", "show", shop, "Q-2", "--config", config).expect(t, 0, "invalid_command", "")
}

// A payment that is parked while nothing holds its command would wait for ever: the operator must see it.
func TestShowParked(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	until := time.Now().Add(time.Hour).UTC()
	park := func(p *payment.Payment) {
		p.Status, p.ResumeAt, p.Reason = payment.Parked, until, &payment.Reason{Code: payment.ReasonClosed}
	}
	live(t, conn, payment.New(command("P-1")), park)
	o := run(t, "", "payment", "show", shop, "P-1", "--config", config)
	o.expect(t, 0, "WARNING: the payment is parked", "")
	o.expect(t, 0, "resume at "+until.Format(time.RFC3339), "")

	parkInBroker(t, conn, command("P-2"), until)
	live(t, conn, payment.New(command("P-2")), park)
	run(t, "", "payment", "show", shop, "P-2", "--config", config).expect(t, 0, "parked", "")
}

// What nothing moves any more must not read as if it went on by itself.
func TestShowWithoutACommand(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	show := func(order string) string {
		t.Helper()
		o := run(t, "", "payment", "show", shop, order, "--config", config)
		o.expect(t, 0, "status ", "")
		return blanks.ReplaceAllString(o.out, " ")
	}
	expect := func(order string, without string, parts ...string) {
		t.Helper()
		out := show(order)
		for _, part := range parts {
			if !strings.Contains(out, part) {
				t.Errorf("%s: %q is not in\n%s", order, part, out)
			}
		}
		if without != "" && strings.Contains(out, without) {
			t.Errorf("%s: %q is in\n%s", order, without, out)
		}
	}
	live(t, conn, payment.New(command("P-1")), func(p *payment.Payment) {
		p.Status, p.ResumeAt, p.Reason = payment.Parked, time.Now().UTC(), &payment.Reason{Code: payment.ReasonClosed}
	})
	expect("P-1", "next nothing:", "WARNING: the payment is parked", "next nothing will happen automatically: its command", "payctl parked cancel ecommpay-kr P-1")
	live(t, conn, payment.New(command("D-1")), submitting, inDoubt)
	expect("D-1", "nothing will happen automatically", "command neither parked nor queued: the payment is not sent again automatically",
		"next it is looked up, but not sent again automatically", "payctl payment resolve ecommpay-kr D-1")
	live(t, conn, payment.New(command("D-2")), submitting, func(p *payment.Payment) { inDoubt(p); p.NotFound, p.NotFoundAt = 2, p.UpdatedAt })
	expect("D-2", "", "next nothing will happen automatically: the provider does not know it, and its command", "payctl payment resolve ecommpay-kr D-2")
	live(t, conn, payment.New(command("D-3")), submitting, pending) // its command is done with
	expect("D-3", "command", "next nothing: the provider waits")
	live(t, conn, payment.New(command("D-4")), submitting, inDoubt)
	parkInBroker(t, conn, command("D-4"), time.Now().Add(time.Hour))
	expect("D-4", "by itself", "command parked")
}

// Dead letters about an order are named with it, whether the log knows the order or not, and however they name it.
// What the publisher of a refused command was told is shown, beside the payment of the first command, and when nothing else is left of the order.
func TestShowNamesRefusals(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	command := command("R-1")
	command.Upstream = "web"
	live(t, conn, payment.New(command), submitting)
	give(t, conn, command, queue.DeadLetter(events.DeadOrderReused, "order: another command was taken"))
	for range 2 {
		o := run(t, "", "payment", "show", shop, "R-1", "--config", config)
		o.expect(t, 0, "order_reused: order: another command was taken", "")
		if text := blanks.ReplaceAllString(o.out, " "); !strings.Contains(text, "refused deposit.requested, published by web at 20") || !strings.Contains(text, "status submitting") {
			t.Errorf("%s", o.out)
		}
		run(t, "", "deadletters", "drop", "1", "--by", "kim", "--reason", "ticket 4711", "--yes", "--config", config)
	}
	refused := command
	refused.Order = "R-2"
	give(t, conn, refused, queue.DeadLetter(events.DeadTooOld, "requested_at: before the log's retention"))
	run(t, "", "deadletters", "drop", "--all", "--by", "kim", "--reason", "ticket 4711", "--yes", "--config", config)
	o := run(t, "", "payment", "show", shop, "R-2", "--json", "--config", config)
	o.expect(t, 0, "", "")
	var s struct{ Refusals []events.Refusal }
	if err := json.Unmarshal([]byte(o.out), &s); err != nil || len(s.Refusals) != 1 || s.Refusals[0].Upstream != "web" || s.Refusals[0].Reason != events.DeadTooOld || s.Refusals[0].RefusedAt.IsZero() {
		t.Errorf("%s: %v", o.out, err)
	}
	run(t, "", "payment", "show", shop, "R-3", "--config", config).expect(t, payctl.ExitFailed, "", "not found")
}

func TestShowNamesDeadLetters(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	live(t, conn, payment.New(command("L-1")), submitting, pending, settled)
	give(t, conn, command("L-1"), queue.DeadLetter(events.DeadOrderReused, "order: another command was taken"))
	o := run(t, "", "payment", "show", shop, "L-1", "--config", config)
	o.expect(t, 0, "status settled", "")
	o.expect(t, 0, "order_reused: order: another command was taken; see payctl deadletters show 1", "")
	run(t, "", "payment", "show", shop, "L-1", "--json", "--config", config).expect(t, 0, `"reason": "order_reused"`, "")

	give(t, conn, command("L-2"), queue.DeadLetter(events.DeadTooOld, "requested_at: before the log's retention"))
	o = run(t, "", "payment", "show", shop, "L-2", "--config", config)
	o.expect(t, 0, "payment ecommpay-kr/L-2", "")
	o.expect(t, 0, "too_old: requested_at: before the log's retention; see payctl deadletters show 2", "")
	o.expect(t, 0, "next the log no longer covers it", "")

	mismatched := encoded(t, command("L-3"))
	mismatched.Subject = events.CommandSubject(payment.Deposit, payment.Ref{Provider: shop, Order: "L-4"})
	giveMessage(t, conn, shop, mismatched, queue.DeadLetter(events.DeadMismatch, "subject and body differ"))
	for _, order := range []string{"L-3", "L-4"} {
		run(t, "", "payment", "show", shop, order, "--config", config).expect(t, 0, "subject_mismatch: subject and body differ", "")
	}
	if o := run(t, "", "payment", "show", shop, "L-5", "--config", config); o.code != 1 || strings.Contains(o.out, "dead letter") {
		t.Errorf("of an order that nothing names: %+v", o)
	}
}

// parkInBroker lets a worker's verdict park a command.
func parkInBroker(t *testing.T, conn *admin.Conn, cmd payment.Command, until time.Time) {
	t.Helper()
	give(t, conn, cmd, queue.ParkUntil(until))
}

// give publishes a command and lets a worker's verdict be carried out about it.
func give(t *testing.T, conn *admin.Conn, cmd payment.Command, verdict queue.Verdict) {
	t.Helper()
	giveMessage(t, conn, cmd.Provider, encoded(t, cmd), verdict)
}

// giveMessage is give for a message as it is.
func giveMessage(t *testing.T, conn *admin.Conn, provider string, out events.Outgoing, verdict queue.Verdict) {
	t.Helper()
	settled := func() int64 {
		count := &conn.Broker().Count
		return count.Parked.Load() + count.DeadLetters.Load()
	}
	before := settled()
	if err := conn.PublishCommand(bounded(t), out); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- conn.ConsumeCommands(ctx, provider, 1, func(context.Context, events.Message) queue.Verdict { return verdict })
	}()
	for deadline := time.After(timeout); settled() == before; {
		select {
		case <-deadline:
			t.Fatal("the verdict was not carried out")
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// TestShowSaysWhatIsNext: where the command waits, until when, and what a person does.
func TestShowSaysWhatIsNext(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	parkedPayment(t, conn, "P-1")
	p := last(t, conn, "P-1")
	o := run(t, "", "payment", "show", shop, "P-1", "--config", config)
	o.expect(t, 0, "command parked until "+p.ResumeAt.Format(time.RFC3339), "")
	o.expect(t, 0, "to try it now: payctl parked release ecommpay-kr P-1", "")
	live(t, conn, payment.New(command("P-2")), submitting, inDoubt)
	parkInBroker(t, conn, command("P-2"), time.Now().Add(time.Hour))
	o = run(t, "", "payment", "show", shop, "P-2", "--config", config)
	o.expect(t, 0, "; then it is looked up", "")
	o.expect(t, 0, "Then: payctl payment resolve ecommpay-kr P-2 --settled or --failed", "")
	o = run(t, "", "payment", "show", shop, "P-2", "--json", "--config", config)
	o.expect(t, 0, `"next": "nothing for an hour`, "")
	o.expect(t, 0, `"due": "2`, "")
	run(t, "", "payment", "resolve", shop, "P-2", "--settled", "--by", "kim", "--reason", "why", "--yes", "--config", config).
		expect(t, 0, "; it will be dropped, the payment has ended", "It will be settled, 10000 KRW; kim says: why")
	publish(t, conn, command("P-3"))
	run(t, "", "payment", "show", shop, "P-3", "--config", config).expect(t, 0, "next check that workers run and are ready", "")
}

func TestShowUnknown(t *testing.T) {
	t.Parallel()
	_, config := system(t)
	o := run(t, "", "payment", "show", shop, "X-1", "--config", config)
	o.expect(t, 1, "", "ecommpay-kr/X-1 not found")
	if strings.Contains(o.errors, "is not configured") {
		t.Error(o.errors)
	}
	run(t, "", "payment", "show", "acme", "X-1", "--config", config).expect(t, 1, "", `provider "acme" is not configured; configured: ecommpay-kr, teemopay-kr`)
	run(t, "", "payment", "show", "acme", "X.1", "--config", config).expect(t, 1, "", "no payment of acme with this order or reference is known")
	run(t, "", "payment", "show", "Acme", "X-1", "--config", config).expect(t, 2, "", "provider: must be")
	run(t, "", "payment", "show", "acme", "--config", config).expect(t, 2, "", "takes PROVIDER ORDER|REFERENCE, got 1 arguments")
	run(t, "", "payment", "show", shop, "X-1", "--config", "/nowhere/at/all.yaml").expect(t, 2, "", "cannot be read")
}

// TestWrongInputSaysWhatToDo and not only what is wrong.
func TestWrongInputSaysWhatToDo(t *testing.T) {
	t.Parallel()
	run(t, "", "parked", "list", "--bogus").expect(t, 2, "", "unknown flag: --bogus; see payctl parked list --help")
	run(t, "", "parked", "list", "--config", "no-such.yaml").expect(t, 2, "", "no such file or directory\nNext: name the configuration file with --config FILE")
	run(t, "", "deadletters", "show", "x").expect(t, 2, "", "see payctl deadletters list")
	run(t, "", with("no-such.yaml", by, "parked", "release", shop, "--all", "--over", "-5m")...).expect(t, 2, "", "--over must not be negative")
}

func TestShowWithoutStreams(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	config := configuration(t, server.URL(), nowhere)
	run(t, "", "payment", "show", shop, "X-1", "--config", config).expect(t, 1, "", "NATS has no stream COMMANDS, WEBHOOKS, PAYMENTS, DEADLETTERS, AUDIT, ACTIONS, REFUSALS, REFUSED_WEBHOOKS, BALANCES, KV_HEARTBEATS: create it with payctl streams apply")
	server.Stop()
	run(t, "", "payment", "show", shop, "X-1", "--config", config).expect(t, 1, "", "Next: check that nats-server runs and that nats.urls names it")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, path := range payctl.Paths() {
		o := run(t, "", append(strings.Fields(path)[1:], "--help")...)
		o.expect(t, 0, "Examples:\n ", "")
		o.expect(t, 0, "Usage:\n payctl", "")
	}
	run(t, "").expect(t, 0, "Available Commands:", "")
}
