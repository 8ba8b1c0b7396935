package payctl_test

import (
	"encoding/json"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

func paidOut(p *payment.Payment) {
	p.Status, p.Action, p.SettledAmount, p.Known = payment.Settled, nil, p.Amount, true
}

// erasedAll is what "privacy erase --json" prints.
type erasedAll struct {
	Chosen     int
	Results    map[string]int
	Items      []events.AuditItem
	NotReached []string `json:"not_reached"`
}

// An erasure takes what is kept beside the log, leaves the log byte for byte, and is kept in AUDIT with who and why.
func TestErase(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	live(t, conn, payment.New(command("E-1")), submitting, pending, paidOut)
	live(t, conn, payment.New(command("E-2")), submitting, pending)
	before, err := conn.History(bounded(t), payment.Ref{Provider: shop, Order: "E-1"})
	if err != nil {
		t.Fatal(err)
	}
	erase := func(more ...string) []string {
		return append([]string{"privacy", "erase", shop, "--by", "kim", "--reason", "request of the customer, ticket 4711", "--config", config}, more...)
	}
	run(t, "", erase("E-1", "--dry-run")...).expect(t, 0, "ACTIONS 1", "")
	run(t, "", erase("E-1")...).expect(t, 2, "", "--yes")
	run(t, "", erase("E-2", "--yes")...).expect(t, 1, "the payment is pending", "1 not done")
	run(t, "", "audit", "list", "--action", "erase", "--config", config).expect(t, 0, "0 actions", "")
	run(t, "", "privacy", "erase", shop, "E-1", "--yes", "--config", config).expect(t, 2, "", "--by NAME and --reason TEXT")

	done := run(t, "", erase("E-1", "E-2", "--yes", "--json")...)
	done.expect(t, 1, "", "1 not done")
	var all erasedAll
	if err := json.Unmarshal([]byte(done.out), &all); err != nil {
		t.Fatal(err, done.out)
	}
	if all.Chosen != 1 || all.Results["erased"] != 1 || len(all.NotReached) != 3 || all.Items[0].Stream != "ACTIONS 1" {
		t.Errorf("%+v", all)
	}
	run(t, "", erase("E-1", "--yes")...).expect(t, 0, "1: erased", "")
	run(t, "", "audit", "list", "--action", "erase", "--json", "--config", config).expect(t, 0, "request of the customer, ticket 4711", "")
	run(t, "", "payment", "show", shop, "E-1", "--config", config).expect(t, 0, "settled", "")
	run(t, "", "payment", "show", shop, "E-2", "--unmask", "--by", "kim", "--reason", "ticket 4711", "--config", config).expect(t, 0, "110-1", "")

	after, err := conn.History(bounded(t), payment.Ref{Provider: shop, Order: "E-1"})
	if err != nil || len(after) != len(before) {
		t.Fatalf("%d events, %v", len(after), err)
	}
	for i := range after {
		one, _ := json.Marshal(events.DataOf(before[i].Payment))
		two, _ := json.Marshal(events.DataOf(after[i].Payment))
		if after[i].Sequence != before[i].Sequence || string(one) != string(two) {
			t.Errorf("event %d was changed: %s, %s", i, one, two)
		}
	}
}
