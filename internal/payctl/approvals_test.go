package payctl_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
)

var lee = []string{"--by", "lee", "--reason", "seen at the provider"}

// fourEyes is a system where settling, failing, cancelling and importing above an amount needs a second person.
func fourEyes(t *testing.T, above string) (*admin.Conn, string) {
	t.Helper()
	conn, config := system(t)
	text := read(t, config) + "approvals: {above: [" + above + "], expires: 1h}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return conn, config
}

// stagesOf are the stages in AUDIT, with who wrote them.
func stagesOf(t *testing.T, conn *admin.Conn) string {
	t.Helper()
	entries, err := conn.Audits(bounded(t), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, string(e.Record.Stage)+" "+e.Record.By)
	}
	return strings.Join(all, ", ")
}

// A payment above the amount is settled when another person has approved it, as requested and by the name of who requested it.
func TestApprove(t *testing.T) {
	t.Parallel()
	conn, config := fourEyes(t, "9999 KRW")
	live(t, conn, payment.New(command("P-1")), submitting, inDoubt)
	resolve := with(config, by, "payment", "resolve", shop, "P-1", "--settled", "--amount", "9000", "--yes")
	run(t, "", resolve...).expect(t, 1, "", "nothing was done yet: it is above the limit of approvals.above, and another person must approve request 1 until ")
	if p := last(t, conn, "P-1"); p.Status != payment.InDoubt {
		t.Fatalf("settled by one person: %+v", p)
	}
	run(t, "", "approvals", "list", "--config", config).expect(t, 0, "settle ecommpay-kr P-1 of 10000 KRW, settled with 9000 KRW kim ticket 4711", "")
	run(t, "", "approvals", "show", "1", "--config", config).expect(t, 0, "P-1, 10000 KRW, was in_doubt: payctl payment show ecommpay-kr P-1", "")
	for _, own := range []string{"kim", "Kim"} {
		run(t, "", "approvals", "approve", "1", "--by", own, "--reason", "mine", "--yes", "--config", config).expect(t, 1, "", "you made this request")
	}
	run(t, "", with(config, lee, "approvals", "approve", "1")...).expect(t, 2, "", "stdin is not a terminal")
	run(t, "", with(config, lee, "approvals", "approve", "1", "--dry-run")...).expect(t, 0, "Nothing was done.", "")
	asked(t, "1\n", with(config, lee, "approvals", "approve", "1")...).expect(t, 0, "approved and carried out", "request 1 of kim will be approved, as lee: seen at the provider")
	p := last(t, conn, "P-1")
	if p.Status != payment.Settled || p.SettledAmount != payment.KRW(9000) || p.Reason.By != "kim" || p.Reason.Message != "ticket 4711" {
		t.Errorf("%+v, %+v", p, p.Reason)
	}
	if stages := stagesOf(t, conn); stages != "requested kim, approved lee, intended lee, finished lee" {
		t.Error(stages)
	}
	run(t, "", with(config, lee, "approvals", "approve", "1", "--yes")...).expect(t, 1, "", "the request has ended: approved by lee")
	run(t, "", "audit", "list", "--config", config).expect(t, 0, "requested as 1", "")
	run(t, "", "audit", "list", "--config", config).expect(t, 0, "request 1 approved", "")
	run(t, "", "audit", "verify", "--config", config).expect(t, 0, "4 records, 3 chained", "")
	run(t, "", "approvals", "list", "--config", config).expect(t, 0, "0 requests.", "")
	run(t, "", "approvals", "show", "2", "--config", config).expect(t, 1, "", "no such request")
}

// What is not above the amount, one person does alone; an amount that is not known, or in another currency, is above it.
func TestWhatNeedsApproval(t *testing.T) {
	t.Parallel()
	for above, alone := range map[string]bool{"10000 KRW": true, "9999 KRW": false, "9999 TWD": false} {
		conn, config := fourEyes(t, above)
		live(t, conn, payment.New(command("P-1")), submitting, inDoubt)
		parkedPayment(t, conn, "P-2")
		live(t, conn, payment.New(command("P-3")), submitting, inDoubt, func(p *payment.Payment) { p.Amount = payment.Money{} })
		code := 1
		if alone {
			code = 0
		}
		for _, args := range [][]string{{"payment", "resolve", shop, "P-1", "--failed"}, {"parked", "cancel", shop, "P-2"}} {
			if o := run(t, "", with(config, by, append(args, "--yes")...)...); o.code != code {
				t.Errorf("above %s: %v: exit %d: %s", above, args, o.code, o.errors)
			}
		}
		run(t, "", with(config, by, "payment", "resolve", shop, "P-3", "--settled", "--amount", "1 KRW", "--yes")...).expect(t, 1, "", "another person must approve")
		if p := last(t, conn, "P-1"); (p.Status == payment.Failed) != alone {
			t.Errorf("above %s: %s", above, p.Status)
		}
	}
}

// A request ends once: by a refusal, by time, or because the payment went on. It is not approved afterwards.
func TestRequestsEnd(t *testing.T) {
	t.Parallel()
	conn, config := fourEyes(t, "9999 KRW")
	request := func(order string) {
		live(t, conn, payment.New(command(order)), submitting, inDoubt)
		run(t, "", with(config, by, "payment", "resolve", shop, order, "--settled", "--yes")...).expect(t, 1, "", "another person must approve")
	}
	approve := func(number, says string) {
		t.Helper()
		run(t, "", with(config, lee, "approvals", "approve", number, "--yes")...).expect(t, 1, "", says)
	}
	request("P-1") // 1
	run(t, "", with(config, lee, "approvals", "refuse", "1", "--yes")...).expect(t, 0, "refused", "")
	approve("1", "the request has ended: refused by lee")

	request("P-2") // 3
	var out, problems bytes.Buffer
	later := env("", &out, &problems)
	later.Now = func() time.Time { return time.Now().Add(time.Hour) }
	if code := payctl.Run(t.Context(), with(config, lee, "approvals", "approve", "3", "--yes"), later); code != 1 || !strings.Contains(problems.String(), "the request has ended: it expired at ") {
		t.Errorf("exit %d: %s", code, problems.String())
	}
	approve("3", "the request has ended: expired by lee")

	request("P-3") // 5
	p, seq, err := conn.Last(bounded(t), command("P-3").Ref)
	if err != nil {
		t.Fatal(err)
	}
	p.Revision++
	p.Annotations = append(p.Annotations, payment.Annotation{Kind: payment.Unknown, Source: payment.FromLookup, At: p.UpdatedAt})
	if _, err := conn.Append(bounded(t), p, seq); err != nil {
		t.Fatal(err)
	}
	approve("5", "the request was overtaken; nothing was done")
	approve("5", "the request has ended: overtaken by lee")
	for _, order := range []string{"P-1", "P-2", "P-3"} {
		if p := last(t, conn, order); p.Status != payment.InDoubt {
			t.Errorf("%s is %s", order, p.Status)
		}
	}
	if stages := stagesOf(t, conn); stages != "requested kim, refused lee, requested kim, expired lee, requested kim, overtaken lee" {
		t.Error(stages)
	}
}

// Of many who approve and refuse at once, one ends the request, and the payment is settled at most once.
func TestTwoApproversAtOnce(t *testing.T) {
	t.Parallel()
	conn, config := fourEyes(t, "9999 KRW")
	live(t, conn, payment.New(command("P-1")), submitting, inDoubt)
	run(t, "", with(config, by, "payment", "resolve", shop, "P-1", "--settled", "--yes")...).expect(t, 1, "", "request 1 ")
	var all sync.WaitGroup
	codes := make([]int, 4)
	for i := range codes {
		all.Go(func() {
			var out, problems bytes.Buffer
			verb := []string{"approve", "refuse"}[i%2]
			args := []string{"approvals", verb, "1", "--by", fmt.Sprint("lee-", i), "--reason", "seen", "--yes", "--config", config}
			codes[i] = payctl.Run(t.Context(), args, env("", &out, &problems))
		})
	}
	all.Wait()
	won, ended, executed := 0, 0, 0
	for _, code := range codes {
		if code == 0 {
			won++
		}
	}
	entries, err := conn.Audits(bounded(t), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Record.Stage.EndsRequest() {
			ended++
		}
		if e.Record.Stage == events.Finished {
			executed++
		}
	}
	if settled := last(t, conn, "P-1").Status == payment.Settled; won != 1 || ended != 1 || settled != (executed == 1) {
		t.Errorf("%d won, %d ends, settled %v, executed %d: %s", won, ended, settled, executed, stagesOf(t, conn))
	}
}

// A batch is requested as a whole when its largest payment is above the amount.
func TestCancelIsRequestedAsAWhole(t *testing.T) {
	t.Parallel()
	conn, config := fourEyes(t, "9999 KRW")
	parkedPayment(t, conn, "P-1")
	parkedPayment(t, conn, "P-2")
	run(t, "", with(config, by, "parked", "cancel", shop, "--all", "--yes")...).expect(t, 1, "", "another person must approve request 1 ")
	run(t, "", with(config, by, "parked", "release", shop, "P-2", "--yes")...).expect(t, 0, "1: released", "") // 2 and 3: released by one person
	run(t, "", with(config, lee, "approvals", "approve", "1", "--yes")...).expect(t, 1, "", "overtaken")
	run(t, "", with(config, by, "parked", "cancel", shop, "P-1", "P-2", "--yes")...).expect(t, 1, "", "request 5 ")
	run(t, "", with(config, lee, "approvals", "approve", "5", "--yes")...).expect(t, 0, "approved and carried out", "2 payments")
	for _, order := range []string{"P-1", "P-2"} {
		if p := last(t, conn, order); p.Status != payment.Failed || p.Reason.By != "kim" {
			t.Errorf("%+v", p)
		}
	}
}

// A file is imported when another person approved it with the same file. What counts is its sum.
func TestImportIsApprovedWithTheSameFile(t *testing.T) {
	t.Parallel()
	conn, config := fourEyes(t, "15000 KRW")
	path := file(t, "november.csv", header+"\n"+nth(1)+"\n"+nth(2))
	other := file(t, "november.csv", header+"\n"+nth(1)+"\n"+nth(3))
	importFile(t, config, path).expect(t, 1, "0 new", "another person must approve request 1 ")
	run(t, "", "approvals", "list", "--config", config).expect(t, 0, "2 payouts of november.csv, 20000 KRW in total kim", "")
	approve := with(config, lee, "approvals", "approve", "1", "--yes")
	run(t, "", approve...).expect(t, 2, "", "--file FILE.csv is required")
	run(t, "", append(approve, "--file", other)...).expect(t, 1, "0 new", "it is not the file of the request")
	if _, err := conn.QueuedCommand(bounded(t), payment.Ref{Provider: shop, Order: "P-1"}); err == nil {
		t.Fatal("it was sent")
	}
	run(t, "", append(approve, "--file", path)...).expect(t, 0, "2 payouts, 20000 KRW in total: 2 new", "")
	_ = queued(t, conn, "P-1")
	if stages := stagesOf(t, conn); stages != "requested kim, approved lee, intended lee, finished lee" {
		t.Error(stages)
	}
	run(t, "", append(approve, "--file", path)...).expect(t, 1, "0 new", "the request has ended")
	importFile(t, config, file(t, "one.csv", header+"\n"+nth(9))).expect(t, 0, "1 new", "")
}

// A request that was written past payctl is carried out only if it asks for what payctl asks for, about payments as they are.
func TestForgedRequests(t *testing.T) {
	t.Parallel()
	conn, config := fourEyes(t, "9999 KRW")
	live(t, conn, payment.New(command("P-1")), submitting, inDoubt)
	_, seq, err := conn.Last(bounded(t), command("P-1").Ref)
	if err != nil {
		t.Fatal(err)
	}
	item := events.AuditItem{Order: "P-1", Event: seq, Amount: payment.KRW(10000)}
	small := item
	small.Amount = payment.KRW(1)
	for i, r := range []events.AuditRecord{
		{Action: events.ActionSettle, Items: []events.AuditItem{item, item}},
		{Action: events.ActionRetry, Items: []events.AuditItem{item}},
		{Action: events.ActionSettle, Items: []events.AuditItem{small}, Amount: payment.KRW(1)},
	} {
		r.ID, r.Stage, r.Provider, r.By, r.Reason = fmt.Sprint(i), events.Requested, shop, "kim", "forged"
		r.At = time.Now()
		r.ExpiresAt = r.At.Add(time.Hour)
		if err := conn.Audit(bounded(t), r); err != nil {
			t.Fatal(err)
		}
		run(t, "", with(config, lee, "approvals", "approve", fmt.Sprint(i+1), "--yes")...).expect(t, 1, "", "")
	}
	if p := last(t, conn, "P-1"); p.Status != payment.InDoubt {
		t.Errorf("%+v", p)
	}
	var listed []json.RawMessage
	if err := json.Unmarshal([]byte(run(t, "", "approvals", "list", "--all", "--json", "--config", config).out), &listed); err != nil || len(listed) != 1 {
		t.Errorf("%v: %s", err, listed)
	}
}

// What was decided past payctl is found by its event: no second person approved it, or one approved another decision about the payment.
func TestUnapprovedDecisionsAreFound(t *testing.T) {
	t.Parallel()
	conn, config := fourEyes(t, "9999 KRW")
	verify := []string{"approvals", "verify", "--config", config}
	for _, order := range []string{"P-1", "P-2"} {
		live(t, conn, payment.New(command(order)), submitting, inDoubt)
	}
	parkedPayment(t, conn, "P-3")
	run(t, "", with(config, by, "payment", "resolve", shop, "P-1", "--settled", "--yes")...).expect(t, 1, "", "request 1 ")
	run(t, "", with(config, lee, "approvals", "approve", "1", "--yes")...).expect(t, 0, "", "")
	run(t, "", with(config, by, "parked", "cancel", shop, "P-3", "--yes")...).expect(t, 1, "", "request 5 ")
	run(t, "", with(config, lee, "approvals", "approve", "5", "--yes")...).expect(t, 0, "", "")
	run(t, "", verify...).expect(t, 0, "0 found.", "")

	// One person, with a configuration of his own.
	alone := file(t, "alone.yaml", strings.Replace(read(t, config), "9999 KRW", "1000000 KRW", 1))
	run(t, "", with(alone, by, "payment", "resolve", shop, "P-2", "--failed", "--yes")...).expect(t, 0, "", "")
	o := run(t, "", verify...)
	o.expect(t, 1, `ecommpay-kr/P-2: failed, 10000 KRW, by "kim", without an approval`, "1 decided without a second person")
	if strings.Contains(o.out, "P-1") || strings.Contains(o.out, "P-3") {
		t.Error(o.out)
	}
	// The approval of one decision is none of another.
	p, seq, err := conn.Last(bounded(t), command("P-1").Ref)
	if err != nil {
		t.Fatal(err)
	}
	p.Revision++
	p.Reason, p.SettledAmount = &payment.Reason{Code: payment.ReasonResolvedByPerson, By: "kim", Message: "again"}, payment.KRW(1)
	if _, err := conn.Append(bounded(t), p, seq); err != nil {
		t.Fatal(err)
	}
	run(t, "", verify...).expect(t, 1, "P-1: settled", "2 decided without a second person")
	run(t, "", append(verify, "--since", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))...).expect(t, 0, "0 found.", "")
}

// The list reads AUDIT from the oldest request on that can still be approved, and of those that ended shows the last 30 days, or those
// since a time.
func TestListOfRequestsIsBounded(t *testing.T) {
	t.Parallel()
	conn, config := fourEyes(t, "9999 KRW")
	live(t, conn, payment.New(command("P-1")), submitting, inDoubt)
	run(t, "", with(config, by, "payment", "resolve", shop, "P-1", "--failed", "--yes")...).expect(t, 1, "", "another person must approve request 1")
	later := func(by time.Duration, args ...string) outcome {
		var out, problems bytes.Buffer
		e := env("", &out, &problems)
		e.Now = func() time.Time { return time.Now().Add(by) }
		code := payctl.Run(t.Context(), append(args, "--config", config), e)
		return outcome{code, out.String(), problems.String()}
	}
	list, ago, ahead := []string{"approvals", "list", "--all"}, time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	later(0, "approvals", "list").expect(t, 0, "1 request.", "")
	later(0, "approvals", "list", "--since", ahead).expect(t, 0, "0 requests.", "")
	later(2*time.Hour, "approvals", "list").expect(t, 0, "0 requests.", "")
	later(29*24*time.Hour, list...).expect(t, 0, "1 expired", "")
	later(31*24*time.Hour, list...).expect(t, 0, "0 requests.", "")
	later(31*24*time.Hour, append(list, "--since", ago)...).expect(t, 0, "1 expired", "")
	later(0, append(list, "--since", "yesterday")...).expect(t, 2, "", "--since")
}
