package payctl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

var by = []string{"--by", "kim", "--reason", "ticket 4711"}

// parkedPayment leaves a payment that is parked in the log and in the broker, for an hour.
func parkedPayment(t *testing.T, conn *admin.Conn, order string) {
	t.Helper()
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	live(t, conn, payment.New(command(order)), func(p *payment.Payment) {
		p.Status, p.ResumeAt, p.Reason = payment.Parked, until, &payment.Reason{Code: payment.ReasonClosed}
	})
	parkInBroker(t, conn, command(order), until)
}

func inDoubt(p *payment.Payment) {
	p.Status, p.Reason = payment.InDoubt, &payment.Reason{Code: payment.ReasonNoAnswer}
}

// atSubmitLimit makes a payment one that was sent as often as configured and that its provider does not know.
func atSubmitLimit(p *payment.Payment) {
	inDoubt(p)
	p.Submits, p.NotFound, p.NotFoundAt = 3, 2, p.UpdatedAt
	p.Reason = &payment.Reason{Code: payment.ReasonSubmitLimit, ProviderCode: "440"}
}

func last(t *testing.T, conn *admin.Conn, order string) payment.Payment {
	t.Helper()
	p, _, err := conn.Last(bounded(t), command(order).Ref)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// asked runs payctl for a person who types the answers.
func asked(t *testing.T, answers string, args ...string) outcome {
	t.Helper()
	var out, problems bytes.Buffer
	e := env(answers, &out, &problems)
	e.Interactive = true
	code := payctl.Run(t.Context(), args, e)
	return outcome{code, out.String(), problems.String()}
}

func with(config string, more []string, args ...string) []string {
	return append(append(args, more...), "--config", config)
}

func TestParkedListFilters(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	parkedPayment(t, conn, "P-1")
	live(t, conn, payment.New(command("P-2")), submitting, inDoubt)
	parkInBroker(t, conn, command("P-2"), time.Now().Add(2*time.Hour))
	o := run(t, "", with(config, nil, "parked", "list")...)
	o.expect(t, 0, "2 shown of 2 that match; 2 parked in total.", "")
	o.expect(t, 0, "ecommpay-kr P-1 deposit ", "")
	run(t, "", with(config, nil, "parked", "list", "--limit", "1")...).expect(t, 0, "1 shown of 2 that match; 2 parked in total.", "")
	for _, filter := range [][]string{
		{"--code", "provider_closed"}, {"--due-before", time.Now().Add(90 * time.Minute).UTC().Format(time.RFC3339)},
	} {
		o := run(t, "", with(config, filter, "parked", "list")...)
		if o.expect(t, 0, "1 shown of 1 that match; 2 parked in total.", ""); strings.Contains(o.out, "P-2") {
			t.Errorf("%v: %s", filter, o.out)
		}
	}
	run(t, "", with(config, nil, "parked", "list", "--provider", other)...).expect(t, 0, "0 parked in total", "")
	run(t, "", with(config, nil, "parked", "list", "--provider", "acme")...).expect(t, 2, "", `provider "acme" is not configured and has nothing parked; configured: ecommpay-kr`)
	run(t, "", with(config, nil, "parked", "list", "--code", "provder_closed")...).expect(t, 0, "0 shown of 0 that match; 2 parked in total: 1 no_answer, 1 provider_closed.", "")
	run(t, "", with(config, nil, "parked", "list", "--limit", "1")...).expect(t, 0, "Sorted by order number, not by due time", "")
	run(t, "", with(config, nil, "parked", "list", "--operation", "payout", "--json")...).expect(t, 0, `"matching": 0`, "")
	run(t, "", with(config, nil, "parked", "list", "--due-before", "monday")...).expect(t, 2, "", "--due-before must be a time")
}

func TestActionsWantAPersonAndAnAnswer(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	parkedPayment(t, conn, "P-1")
	release := []string{"parked", "release", shop, "P-1"}
	run(t, "", with(config, nil, release...)...).expect(t, 2, "", "--by NAME and --reason TEXT are required")
	run(t, "", with(config, []string{"--by", "kim", "--reason", " "}, release...)...).expect(t, 2, "", "--reason TEXT")
	run(t, "", with(config, by, release...)...).expect(t, 2, "", "stdin is not a terminal")
	asked(t, "2\n", with(config, by, release...)...).expect(t, 1, "", "not confirmed; nothing was done")
	run(t, "", with(config, by, append(release, "--dry-run")...)...).expect(t, 0, "1 payment selected. Nothing was done.", "")
	run(t, "", with(config, by, "parked", "release", shop, "--yes")...).expect(t, 2, "", "name orders, or use")
	run(t, "", with(config, by, "parked", "release", shop, "P-1", "--all", "--yes")...).expect(t, 2, "", "not both")
	if p := last(t, conn, "P-1"); p.Revision != 1 {
		t.Errorf("written: %+v", p)
	}
	if entries, err := conn.Audits(bounded(t), 0, 10); err != nil || len(entries) != 0 {
		t.Errorf("recorded %+v, %v", entries, err)
	}
	asked(t, "1\n", with(config, by, release...)...).expect(t, 0, "1: released", "Type 1 to confirm")
	if p := last(t, conn, "P-1"); p.Status != payment.Parked || p.Reason.Code != payment.ReasonReleased || p.Reason.By != "kim" ||
		p.Reason.Message != "ticket 4711" || time.Until(p.ResumeAt) > time.Minute {
		t.Errorf("%+v, %+v", p, p.Reason)
	}
	run(t, "", "payment", "show", shop, "P-1", "--config", config).expect(t, 0, "reason released by kim: ticket 4711", "")
}

// TestAActionShowsWhatItIsAbout before it is done, and which of it was not done.
func TestAActionShowsWhatItIsAbout(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	for i := range 12 {
		parkedPayment(t, conn, fmt.Sprintf("P-%02d", i))
	}
	o := run(t, "", with(config, by, "parked", "cancel", shop, "P-01", "P-99", "--dry-run")...)
	o.expect(t, 0, "ecommpay-kr P-01 deposit", "")
	o.expect(t, 0, "\nP-99: not parked; see payctl payment show ecommpay-kr P-99\n2 payments selected. Nothing was done.", "")
	o = run(t, "", with(config, by, "parked", "cancel", shop, "--all", "--dry-run")...)
	if n := strings.Count(o.out, "\necommpay-kr "); n != 12 {
		t.Errorf("%d of 12 are shown: %s", n, o.out)
	}
	run(t, "", with(config, by, "parked", "cancel", shop, "--code", "closed", "--dry-run")...).expect(t, 0,
		"0 payments selected; 12 parked in total: 12 provider_closed. Nothing was done.", "")
	run(t, "", with(config, by, "parked", "cancel", "acme", "--all", "--yes")...).expect(t, 2, "", `provider "acme" is not configured`)
	run(t, "", with(config, by, "parked", "cancel", "acme", "P-01", "--dry-run")...).expect(t, 0, "not parked", `note: provider "acme" is not configured; configured: ecommpay-kr, teemopay-kr`)
	o = asked(t, "no\n", with(config, by, "parked", "cancel", shop, "--all")...)
	o.expect(t, 1, "", "… and 2 more; --dry-run shows them all\ncancel 12 payments of ecommpay-kr, as kim: ticket 4711\nType 12 to confirm: ")
	if n := strings.Count(o.errors, "\necommpay-kr "); n != 10 {
		t.Errorf("%d of the first 10 are shown: %s", n, o.errors)
	}
	o = run(t, "", with(config, by, "parked", "cancel", shop, "P-01", "P-99", "--yes", "--json")...)
	var report struct{ Items []events.AuditItem }
	if err := json.Unmarshal([]byte(o.out), &report); err != nil || len(report.Items) != 2 || report.Items[0].After != payment.Failed ||
		report.Items[0].Result != "cancelled" || !strings.HasPrefix(report.Items[1].Result, "skipped") {
		t.Errorf("%s, %v", o.out, err)
	}
}

func TestReleaseAllIsRecorded(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	for _, order := range []string{"P-1", "P-2", "P-3"} {
		parkedPayment(t, conn, order)
	}
	o := run(t, "", with(config, by, "parked", "release", shop, "--code", "provider_closed", "--yes", "--json")...)
	o.expect(t, 0, `"released": 3`, "")
	entries, err := conn.Audits(bounded(t), 0, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	intent, result := entries[0].Record, entries[1].Record
	if intent.Stage != events.Intended || result.Stage != events.Finished || intent.ID != result.ID || intent.Action != events.ActionRelease ||
		intent.By != "kim" || intent.Reason != "ticket 4711" || intent.Filter["code"] != "provider_closed" || len(intent.Items) != 3 ||
		result.Items[2].Result != "released" || result.Items[0].Before != payment.Parked || intent.Order != "" {
		t.Errorf("intent %+v\nresult %+v", intent, result)
	}
	var actions []struct{ Intent, Result *events.AuditRecord }
	list := run(t, "", "audit", "list", "--order", "P-2", "--json", "--config", config)
	if err := json.Unmarshal([]byte(list.out), &actions); err != nil || len(actions) != 1 || actions[0].Result == nil {
		t.Errorf("%s, %v", list.out, err)
	}
	intent.ID = "interrupted"
	if err := conn.Audit(bounded(t), intent); err != nil {
		t.Fatal(err)
	}
	run(t, "", "audit", "list", "--config", config).expect(t, 0, "NO RESULT", "")
}

// TestReleaseSaysThatTheProviderIsClosed, on whatever day the test runs.
func TestReleaseSaysThatTheProviderIsClosed(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	parkedPayment(t, conn, "P-1")
	const note = "note: ecommpay-kr is closed for deposits now: 1 will be parked again"
	for day, closed := range map[int]bool{20: false, 21: true} { // Friday and Saturday of November 2026
		var out, problems bytes.Buffer
		e := env("", &out, &problems)
		e.Now = func() time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, time.FixedZone("KST", 9*60*60)) }
		code := payctl.Run(t.Context(), with(config, by, "parked", "release", shop, "P-1", "--dry-run"), e)
		if code != 0 || strings.Contains(problems.String(), note) != closed {
			t.Errorf("day %d: exit %d, %s", day, code, problems.String())
		}
	}
}

// A release spread over longer than a payment waits must not let it wait for longer.
func TestReleaseNeverDelays(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	parkedPayment(t, conn, "P-1")
	parkedPayment(t, conn, "P-2") // the second half of the time: in five hours
	before, err := conn.ParkedCommand(bounded(t), command("P-2").Ref)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "", with(config, by, "parked", "release", shop, "--all", "--over", "10h", "--yes")...).expect(t, 0, "2: released", "")
	after, err := conn.ParkedCommand(bounded(t), command("P-2").Ref)
	if err != nil || after.Due.After(before.Due) {
		t.Errorf("due %s, before %s, %v", after.Due, before.Due, err)
	}
	if after.Due.Before(time.Now().Add(30 * time.Minute)) {
		t.Errorf("due %s: all are released at once", after.Due)
	}
}

// The first due comes first, what has no event in the log is shown too, and a time is not before itself.
func TestParkedListIsInTheOrderOfTime(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	early := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	parkInBroker(t, conn, command("P-1"), early.Add(time.Hour))
	parkInBroker(t, conn, command("P-2"), early)
	o := run(t, "", with(config, nil, "parked", "list")...)
	if o.expect(t, 0, "2 shown of 2", ""); !strings.Contains(o.out, "requested") || strings.Index(o.out, "P-2") > strings.Index(o.out, "P-1") {
		t.Error(o.out)
	}
	run(t, "", with(config, nil, "parked", "list", "--due-before", early.Format(time.RFC3339))...).expect(t, 0, "0 shown of 0", "")
}

func TestCancelOnlyWhatWasNotSent(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	parkedPayment(t, conn, "P-1")
	parkedPayment(t, conn, "P-8")
	publish(t, conn, command("P-2")) // requested
	for order, step := range map[string]func(*payment.Payment){"P-3": submitting, "P-4": inDoubt, "P-5": pending, "P-6": settled} {
		live(t, conn, payment.New(command(order)), submitting, func(p *payment.Payment) { p.NotFound, p.Attempts = 2, 1; step(p) })
	}
	o := run(t, "", with(config, by, "parked", "cancel", shop, "P-1", "P-2", "P-3", "P-4", "P-5", "P-6", "P-7", "--yes")...)
	o.expect(t, 1, "2: cancelled", "5 not done")
	o.expect(t, 1, "\n P-5: skipped: the payment is pending, a request may have been executed: check at the provider, then use payctl payment resolve\n", "")
	o.expect(t, 1, "\n P-7: skipped: order not found: it is neither in the log nor in the queue", "")
	run(t, "", with(config, by, "parked", "cancel", shop, "P-8", "P-8", "--yes")...).expect(t, 0, "1: cancelled", "")
	if p := last(t, conn, "P-8"); p.Status != payment.Failed {
		t.Errorf("one that was cancelled alone is %s", p.Status)
	}
	if strings.Contains(o.out, " P-1:") {
		t.Errorf("what was done is named among what was not: %s", o.out)
	}
	for order, status := range map[string]payment.Status{
		"P-1": payment.Failed, "P-2": payment.Failed, "P-3": payment.Submitting, "P-4": payment.InDoubt, "P-5": payment.Pending, "P-6": payment.Settled,
	} {
		p := last(t, conn, order)
		if p.Status != status || status == payment.Failed && (p.Reason.Code != payment.ReasonCancelled || p.Reason.By != "kim") {
			t.Errorf("%s: %s %+v", order, p.Status, p.Reason)
		}
	}
	if refs, err := conn.ParkedOrders(bounded(t), ""); err != nil || len(refs) != 0 {
		t.Errorf("parked still: %v, %v", refs, err)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	why := []string{"--by", "kim", "--reason", "ticket 4711"}
	resolve := func(order string, more ...string) []string {
		return with(config, append(why, more...), "payment", "resolve", shop, order)
	}
	live(t, conn, payment.New(command("P-1")), submitting, inDoubt)
	run(t, "", resolve("P-1", "--settled", "--failed", "--yes")...).expect(t, 2, "", "use --settled")
	run(t, "", resolve("P-1", "--settled")...).expect(t, 2, "", "stdin is not a terminal")
	run(t, "", resolve("P-1", "--settled", "--amount", "99.5", "--yes")...).expect(t, 2, "", "--amount")
	run(t, "", resolve("P-1", "--settled", "--amount", "0", "--yes")...).expect(t, 2, "", "use --failed if no money moved")
	o := run(t, "", resolve("P-1", "--settled", "--dry-run")...)
	o.expect(t, 0, "status in_doubt", "It will be settled, 10000 KRW; kim says: ticket 4711\nNothing was done: this is a dry run.")
	if strings.Contains(o.errors, "WARNING") {
		t.Errorf("warned of the amount that was ordered: %s", o.errors)
	}
	run(t, "", resolve("P-1", "--settled", "--amount", "1000000", "--dry-run")...).expect(t, 0, "status in_doubt",
		"WARNING: 10000 KRW was ordered. Ledgers will book 1000000 KRW.")
	asked(t, "P-1\n", resolve("P-1", "--settled", "--amount", "9900")...).expect(t, 0, "resolved_manually by kim: ticket 4711", "It will be settled, 9900 KRW")
	if p := last(t, conn, "P-1"); p.Status != payment.Settled || p.SettledAmount != payment.KRW(9900) || p.Reason.By != "kim" {
		t.Errorf("%+v", p)
	}
	run(t, "", resolve("P-1", "--failed", "--yes")...).expect(t, 1, "", "nothing to resolve; see payctl payment show ecommpay-kr P-1")

	live(t, conn, payment.New(command("P-2")), submitting, pending)
	run(t, "", resolve("P-2", "--failed", "--yes")...).expect(t, 0, "status failed", "ecommpay-kr/P-2 is pending. It will be failed")
	parkedPayment(t, conn, "P-3")
	run(t, "", resolve("P-3", "--failed", "--yes")...).expect(t, 1, "", "payctl parked cancel")
	live(t, conn, payment.New(command("P-4")), submitting)
	run(t, "", resolve("P-4", "--failed", "--yes")...).expect(t, 1, "", "a worker is processing it")
	run(t, "", resolve("P-5", "--failed", "--yes")...).expect(t, 1, "", "ecommpay-kr/P-5 not found")
	live(t, conn, payment.New(command("P-6")), submitting, settled, func(p *payment.Payment) { p.Status = payment.Conflict })
	run(t, "", resolve("P-6", "--settled", "--dry-run")...).expect(t, 0, "", "It will be settled, 9000 KRW;") // as it was
	run(t, "", resolve("P-6", "--failed", "--amount", "9000", "--yes")...).expect(t, 2, "", "use --settled (with --amount if it differs) or --failed")

	entries, err := conn.Audits(bounded(t), 0, 10)
	if err != nil || len(entries) != 4 || entries[0].Record.Action != events.ActionSettle || entries[0].Record.Amount != payment.KRW(9900) ||
		entries[1].Record.Items[0].After != payment.Settled || entries[2].Record.Action != events.ActionFail {
		t.Errorf("%+v, %v", entries, err)
	}
}

// Only a payment that its provider twice did not know, and whose command still waits, is sent once more.
func TestRetry(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	why := []string{"--by", "kim", "--reason", "ticket 4711"}
	retry := func(order string, more ...string) []string {
		return with(config, append(why, more...), "payment", "retry", shop, order)
	}
	live(t, conn, payment.New(command("P-1")), submitting, atSubmitLimit)
	parkInBroker(t, conn, command("P-1"), time.Now().Add(time.Hour).UTC().Truncate(time.Second))
	run(t, "", retry("P-1")...).expect(t, 2, "", "stdin is not a terminal")
	run(t, "", retry("P-1", "--dry-run")...).expect(t, 0, "status in_doubt", "sent 3 times. It will be looked up, and submitted once more")
	if p := last(t, conn, "P-1"); p.RetryApproved {
		t.Error("a dry run approved it")
	}
	asked(t, "P-1\n", retry("P-1")...).expect(t, 0, "retry_approved", "ticket 4711")
	p := last(t, conn, "P-1")
	if p.Status != payment.InDoubt || !p.RetryApproved || p.Reason.By != "kim" || p.Reason.ProviderCode != "440" {
		t.Errorf("%+v", p)
	}
	held, err := conn.ParkedCommand(bounded(t), p.Ref)
	if err == nil && time.Until(held.Due) > 2*time.Second || err != nil && !errors.Is(err, events.ErrNotParked) {
		t.Errorf("looked up at %s, %v", held.Due, err)
	}
	live(t, conn, payment.New(command("P-2")), submitting, inDoubt)
	run(t, "", retry("P-2", "--yes")...).expect(t, 1, "", "has not said twice that it does not know the order")
	live(t, conn, payment.New(command("P-3")), submitting, atSubmitLimit)
	run(t, "", retry("P-3", "--yes")...).expect(t, 1, "", "its command is not in the queue any more")
	for _, order := range []string{"P-2", "P-3"} {
		if p := last(t, conn, order); p.RetryApproved {
			t.Errorf("%s was approved", order)
		}
	}
	run(t, "", retry("P-4", "--yes")...).expect(t, 1, "", "ecommpay-kr/P-4 not found")
	entries, err := conn.Audits(bounded(t), 0, 10)
	if err != nil || len(entries) != 6 || entries[1].Record.Action != events.ActionRetry || entries[1].Record.Stage != events.Finished || entries[1].Record.Items[0].After != payment.InDoubt {
		t.Errorf("%+v, %v", entries, err)
	}
}

// mover moves the payment on when the person is asked the first time.
type mover struct {
	answers *strings.Reader
	move    func()
}

func (m *mover) Read(p []byte) (int, error) {
	if m.move != nil {
		m.move()
		m.move = nil
	}
	return m.answers.Read(p)
}

// client is a client of JetStream that is not ours.
func client(t *testing.T, url string) njs.JetStream {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := njs.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// Dead letters are read in pages; the last one is alone on its page.
func TestAllDeadLettersAreListed(t *testing.T) {
	t.Parallel()
	_, url := streams(t)
	js := client(t, url)
	const deadLetters = 2*payctl.PageSize + 1
	for range deadLetters {
		if _, err := js.Publish(bounded(t), events.DeadLetterSubject(events.StreamCommands, shop), nil); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "", "deadletters", "list", "--config", configuration(t, url, nowhere)).expect(t, 0, fmt.Sprintf("%d dead letters", deadLetters), "")
}

// What cannot be recorded is not done.
func TestNothingIsDoneWithoutARecord(t *testing.T) {
	t.Parallel()
	conn, url := streams(t)
	config := configuration(t, url, nowhere)
	parkedPayment(t, conn, "P-1")
	live(t, conn, payment.New(command("P-2")), submitting, inDoubt)
	js := client(t, url)
	audit, err := js.Stream(bounded(t), events.StreamAudit)
	if err != nil {
		t.Fatal(err)
	}
	refusing := audit.CachedInfo().Config
	refusing.MaxMsgSize = 1
	if _, err := js.UpdateStream(bounded(t), refusing); err != nil {
		t.Fatal(err)
	}
	run(t, "", with(config, by, "parked", "cancel", shop, "P-1", "--yes")...).expect(t, 1, "", "nothing was done: cannot write the audit record")
	run(t, "", "payment", "resolve", shop, "P-2", "--failed", "--yes", "--by", "kim", "--reason", "why", "--config", config).expect(t, 1, "", "nothing was done: cannot write the audit record")
	if p, q := last(t, conn, "P-1"), last(t, conn, "P-2"); p.Status != payment.Parked || q.Status != payment.InDoubt {
		t.Errorf("they are %s and %s", p.Status, q.Status)
	}
}

func TestResolveAsksAgainWhenThePaymentMovedOn(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	live(t, conn, payment.New(command("P-1")), submitting, inDoubt)
	var out, problems bytes.Buffer
	e := env("", &out, &problems)
	e.Interactive = true
	e.Stdin = &mover{strings.NewReader("P-1\nno\n"), func() {
		p, seq, err := conn.Last(context.WithoutCancel(t.Context()), command("P-1").Ref)
		if err == nil {
			pending(&p)
			p.Revision++
			_, err = conn.Append(context.WithoutCancel(t.Context()), p, seq)
		}
		if err != nil {
			t.Error(err)
		}
	}}
	code := payctl.Run(t.Context(), []string{"payment", "resolve", shop, "P-1", "--failed", "--by", "kim", "--reason", "why", "--config", config}, e)
	text := problems.String()
	if code != 1 || !strings.Contains(text, "is in_doubt") || !strings.Contains(text, "has changed meanwhile") || !strings.Contains(text, "is pending") {
		t.Errorf("exit %d: %s", code, text)
	}
	if p := last(t, conn, "P-1"); p.Status != payment.Pending {
		t.Errorf("it is %s", p.Status)
	}
}

func TestDeadLettersAreMasked(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	give(t, conn, command("P-1"), queue.DeadLetter(events.DeadInvalid, "customer.name: must be longer"))
	o := run(t, "", with(config, nil, "deadletters", "show", "1")...)
	o.expect(t, 0, `"order": "P-1"`, "")
	o.expect(t, 0, `"value": "10000"`, "")
	if strings.Contains(o.out, "홍") || strings.Contains(o.out, "cart-of-hong") {
		t.Errorf("personal data is shown: %s", o.out)
	}
	run(t, "", with(config, nil, "deadletters", "show", "1", "--unmask")...).expect(t, 2, "", "--by NAME")
	run(t, "", with(config, by, "deadletters", "show", "1", "--unmask")...).expect(t, 0, "홍길동", "")
	if entries, err := conn.Audits(bounded(t), 0, 10); err != nil || len(entries) != 2 || entries[0].Record.Action != events.ActionUnmask || entries[0].Record.Items[0].DeadLetter != 1 {
		t.Errorf("%+v, %v", entries, err)
	}
	run(t, "", with(config, nil, "deadletters", "show", "1", "--json")...).expect(t, 0, `"next": "fix the field upstream`, "")
	run(t, "", with(config, nil, "deadletters", "show", "1")...).expect(t, 0, "next: fix the field upstream", "")
	if o := run(t, "", with(config, nil, "deadletters", "show", "1", "--json")...); strings.Contains(o.out, "홍") {
		t.Errorf("personal data is shown: %s", o.out)
	}
	run(t, "", with(config, nil, "deadletters", "show", "9")...).expect(t, 1, "", "no such dead letter; see payctl deadletters list")
}

// An upstream may add attributes of its own to a CloudEvent: a partition key is often the customer.
func TestAttributesOfTheUpstreamAreMasked(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	out := encoded(t, command("P-1"))
	out.Header["ce-partitionkey"] = []string{"hong@example.com"}
	giveMessage(t, conn, shop, out, queue.DeadLetter(events.DeadInvalid, ""))
	o := run(t, "", with(config, nil, "deadletters", "show", "1")...)
	o.expect(t, 0, "ce-partitionkey: …", "")
	o.expect(t, 0, "ce-subject: ecommpay-kr/P-1", "")
	if strings.Contains(o.out, "hong") {
		t.Errorf("personal data is shown: %s", o.out)
	}
}

// What an upstream sent in several lines is shown in several lines, and moves no cursor.
func TestUnmaskKeepsLines(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	out := encoded(t, command("P-1"))
	out.Data = []byte("{\n  \"name\": \"\x1b[2J홍길동\"\n}\n")
	giveMessage(t, conn, shop, out, queue.DeadLetter(events.DeadUndecodable, ""))
	run(t, "", with(config, by, "deadletters", "show", "1", "--unmask")...).expect(t, 0, "{\n \"name\": \"\ufffd[2J홍길동\"\n}\n", "")
}

func TestDeadLettersReplayAndDrop(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	for _, order := range []string{"P-1", "P-2", "P-3"} {
		give(t, conn, command(order), queue.DeadLetter(events.DeadUnknownProvider, ""))
	}
	run(t, "", with(config, nil, "deadletters", "list", "--code", "too_old")...).expect(t, 0, "no match (in total: 3 unknown_provider)", "")
	o := run(t, "", with(config, nil, "deadletters", "list")...)
	o.expect(t, 0, "3 dead letters.\nunknown_provider: configure the provider", "")
	run(t, "", with(config, nil, "deadletters", "list", "--before", "2020-01-01T00:00:00Z")...).expect(t, 0, "no match (in total: 3 unknown_provider)", "")
	run(t, "", with(config, nil, "deadletters", "list", "--provider", shop, "--stream", "COMMANDS", "--since", "2020-01-01T00:00:00Z")...).expect(t, 0, "3 dead letters", "")
	run(t, "", with(config, nil, "deadletters", "list", "--provider", other)...).expect(t, 0, "no match (in total: 3 unknown_provider)", "")
	run(t, "", with(config, by, "deadletters", "drop", "99", "1", "--provider", other, "--dry-run")...).expect(t, 0, "Nothing was done", "")
	run(t, "", with(config, by, "deadletters", "replay", "--yes")...).expect(t, 2, "", "name dead letters")
	run(t, "", with(config, by, "deadletters", "replay", "--all", "--dry-run")...).expect(t, 0, "Nothing was done", "")
	publish(t, conn, command("P-2"))
	o = run(t, "", with(config, by, "deadletters", "replay", "--code", "unknown_provider", "--yes")...)
	o.expect(t, 1, "2: replayed", "1 not done")
	o.expect(t, 1, "\n dead letter 2 (P-2): skipped: another command of the order is queued\n", "comes back under a new number")
	for _, order := range []string{"P-1", "P-2", "P-3"} {
		if _, err := conn.QueuedCommand(bounded(t), command(order).Ref); err != nil {
			t.Errorf("%s: %v", order, err)
		}
	}
	run(t, "", with(config, by, "deadletters", "drop", "2", "99", "--dry-run")...).expect(t, 1, "\n dead letter 99: not found\nNothing was done.", "1 not done")
	run(t, "", with(config, by, "deadletters", "drop", "99", "--yes")...).expect(t, 1, "no match (in total: 1 unknown_provider)", "1 not done")
	run(t, "", with(config, by, "deadletters", "drop", "2", "99", "--yes")...).expect(t, 1, "1: not found", "1 not done")
	run(t, "", with(config, nil, "deadletters", "list", "--json")...).expect(t, 0, "[]", "")
	run(t, "", "audit", "list", "--action", "drop", "--config", config).expect(t, 0, "1 dropped", "")
	run(t, "", "audit", "list", "--provider", "typo", "--config", config).expect(t, 0, "no match (2 records in total)", "")
}
