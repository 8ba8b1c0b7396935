package payctl_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
)

// garbage writes an event that cannot be read, past payonce, and returns its sequence.
func garbage(t *testing.T, url string, status payment.Status, order string) uint64 {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := nc.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	ack, err := js.Publish(events.PaymentSubject(status, command(order).Ref), []byte(`{"name":"홍길동"`))
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

func skipArgs(config, order string, sequence uint64, more ...string) []string {
	return append([]string{"log", "skip", shop, order, "--sequence", fmt.Sprint(sequence), "--by", "kim", "--reason", "ticket 4720", "--config", config}, more...)
}

// A person steps over an event that cannot be read: shown before, recorded, written once, and released.
func TestLogSkip(t *testing.T) {
	t.Parallel()
	conn, url := streams(t)
	config := configuration(t, url, nowhere)
	parkedPayment(t, conn, "P-1")
	bad := garbage(t, url, payment.Submitting, "P-1")

	show := run(t, "", "payment", "show", shop, "P-1", "--config", config)
	show.expect(t, 0, fmt.Sprintf("WARNING its last events cannot be read (%d)", bad), "")
	show.expect(t, 0, fmt.Sprintf("unreadable - event %d, subject says submitting: it is not JSON", bad), "")
	show.expect(t, 0, fmt.Sprintf("payctl log skip %s P-1 --sequence %d --reason TEXT", shop, bad), "")
	next := fmt.Sprintf("payctl log skip %s P-1 --sequence %d", shop, bad)
	for _, args := range [][]string{
		{"payment", "resolve", shop, "P-1", "--failed", "--by", "kim", "--reason", "x", "--yes"},
		{"payment", "retry", shop, "P-1", "--by", "kim", "--reason", "x", "--yes"},
	} {
		run(t, "", append(args, "--config", config)...).expect(t, payctl.ExitFailed, "", next)
	}
	run(t, "", "parked", "list", "--config", config).expect(t, 0, "in_doubt", "")

	run(t, "", skipArgs(config, "P-1", bad+1, "--yes")...).expect(t, payctl.ExitFailed, "", fmt.Sprintf("is %d, not %d", bad, bad+1))
	run(t, "", skipArgs(config, "P-1", bad)...).expect(t, payctl.ExitUsage, "", "stdin is not a terminal")
	asked(t, "no\n", skipArgs(config, "P-1", bad)...).expect(t, payctl.ExitFailed, "", "not confirmed; nothing was done")
	run(t, "", skipArgs(config, "P-1", bad, "--dry-run")...).expect(t, 0, "WARNING", "The payment will be in_doubt (unreadable_event by kim: ticket 4720)")
	if entries, err := conn.Audits(bounded(t), 0, 10); err != nil || len(entries) != 0 {
		t.Fatalf("recorded %+v, %v", entries, err)
	}
	asked(t, "P-1\n", skipArgs(config, "P-1", bad)...).expect(t, 0, "reason unreadable_event by kim: ticket 4720", "before it stood parked (provider_closed)")

	p, seq, err := conn.Last(bounded(t), command("P-1").Ref)
	if err != nil || p.Status != payment.InDoubt || p.Revision != 3 || p.Known || p.Attempts != 1 || seq <= bad {
		t.Errorf("%+v at %d, %v", p, seq, err)
	}
	history, err := conn.History(bounded(t), command("P-1").Ref)
	if err != nil || len(history) != 3 || history[1].Sequence != bad || history[1].Unreadable == "" {
		t.Errorf("%+v, %v", history, err)
	}
	if held, err := conn.ParkedCommand(bounded(t), command("P-1").Ref); err == nil && time.Until(held.Due) > time.Minute {
		t.Errorf("its command waits until %s", held.Due)
	}
	checkAudited(t, conn, bad)
	run(t, "", skipArgs(config, "P-1", bad, "--yes")...).expect(t, payctl.ExitFailed, "", "can be read: nothing to skip")
}

func checkAudited(t *testing.T, conn *admin.Conn, bad uint64) {
	t.Helper()
	entries, err := conn.Audits(bounded(t), 0, 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d records, %v", len(entries), err)
	}
	for i, stage := range []events.Stage{events.Intended, events.Finished} {
		r := entries[i].Record
		if r.Stage != stage || r.Action != events.ActionSkip || r.By != "kim" || r.Reason != "ticket 4720" || r.Order != "P-1" ||
			len(r.Items) != 1 || r.Items[0].Event != bad || r.Items[0].Before != payment.Parked {
			t.Errorf("%+v", r)
		}
	}
	if item := entries[1].Record.Items[0]; item.After != payment.InDoubt || item.Result != "stepped over" {
		t.Errorf("%+v", item)
	}
}

// An outcome stays. A payment of which there is no readable record becomes a conflict once a person names its
// operation, and a person who names the currency can end it.
func TestLogSkipOfAnOutcomeAndOfNothing(t *testing.T) {
	t.Parallel()
	conn, url := streams(t)
	config := configuration(t, url, nowhere)
	asked := command("P-1")
	asked.Upstream = "store"
	live(t, conn, payment.New(asked), submitting, pending, settled)
	first := garbage(t, url, payment.Pending, "P-1")
	second := garbage(t, url, payment.Failed, "P-1")
	run(t, "", skipArgs(config, "P-1", first, "--yes")...).expect(t, payctl.ExitFailed, "", fmt.Sprintf("is %d, not %d", second, first))
	run(t, "", skipArgs(config, "P-1", second, "--yes")...).expect(t, 0, "status settled", "pending of")
	if p := last(t, conn, "P-1"); p.Status != payment.Settled || p.Revision != 6 || p.SettledAmount != payment.KRW(9000) || p.Upstream != "store" {
		t.Errorf("%+v", p)
	}
	if entries, err := conn.Audits(bounded(t), 0, 10); err != nil || len(entries) == 0 || entries[0].Record.Items[0].Upstream != "store" {
		t.Errorf("recorded %+v, %v", entries, err)
	}

	bad := garbage(t, url, payment.Submitting, "P-2")
	run(t, "", skipArgs(config, "P-2", bad, "--yes")...).expect(t, payctl.ExitFailed, "", "use --operation")
	run(t, "", skipArgs(config, "P-2", bad, "--yes", "--operation", "refund")...).expect(t, payctl.ExitUsage, "", "--operation must be")
	o := run(t, "", skipArgs(config, "P-2", bad, "--yes", "--operation", "payout")...)
	if o.expect(t, 0, "status conflict", "the log has no earlier event of it"); strings.Contains(o.out, "홍길동") {
		t.Error(o.out)
	}
	resolve := []string{"payment", "resolve", shop, "P-2", "--settled", "--by", "kim", "--reason", "x", "--yes", "--config", config}
	run(t, "", append(resolve, "--amount", "10000")...).expect(t, payctl.ExitUsage, "", "--amount")
	run(t, "", append(resolve, "--amount", "10000 KRW")...).expect(t, 0, "settled amount 10000 KRW", "")

	publish(t, conn, command("P-3"))
	bad = garbage(t, url, payment.Submitting, "P-3")
	run(t, "", skipArgs(config, "P-3", bad, "--yes")...).expect(t, 0, "status in_doubt", "")
	if p := last(t, conn, "P-3"); !p.Known || p.Amount != payment.KRW(10000) {
		t.Errorf("it could be sent: %+v", p)
	}
	run(t, "", "log", "skip", shop, "P-9", "--sequence", "1", "--by", "kim", "--reason", "x", "--config", config).expect(t, payctl.ExitFailed, "", "not found")
	run(t, "", "log", "skip", shop, "P-9", "--by", "kim", "--reason", "x", "--config", config).expect(t, payctl.ExitUsage, "", "--sequence N is required")
}
