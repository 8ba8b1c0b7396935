package payctl_test

import (
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// Whose payment it is appears in what a person sees, and in what is recorded of what the person did.
func TestUpstreamIsShownAndRecorded(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	resolved, held, dead := command("P-1"), command("P-2"), command("P-3")
	resolved.Upstream, held.Upstream, dead.Upstream = "shop", "shop", "game"
	live(t, conn, payment.New(resolved), submitting, inDoubt)
	live(t, conn, payment.New(held), func(p *payment.Payment) {
		p.Status, p.ResumeAt, p.Reason = payment.Parked, time.Now().Add(time.Hour).UTC(), &payment.Reason{Code: payment.ReasonClosed}
	})
	parkInBroker(t, conn, held, time.Now().Add(time.Hour))
	give(t, conn, dead, queue.DeadLetter(events.DeadOrderReused, "another"))

	run(t, "", "payment", "show", shop, "P-1", "--config", config).expect(t, 0, "upstream shop", "")
	run(t, "", "parked", "list", "--json", "--config", config).expect(t, 0, `"upstream": "shop"`, "")
	run(t, "", "deadletters", "list", "--json", "--config", config).expect(t, 0, `"upstream": "game"`, "")
	run(t, "", with(config, []string{"--by", "kim", "--reason", "ticket"}, "payment", "resolve", shop, "P-1", "--failed", "--yes")...).expect(t, 0, "status", "")
	run(t, "", with(config, by, "parked", "cancel", shop, "--code", "provider_closed", "--yes")...)
	run(t, "", with(config, by, "deadletters", "drop", "1", "--yes")...)
	entries, err := conn.Audits(bounded(t), 0, 20)
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d records, %v", len(entries), err)
	}
	for _, e := range entries {
		want := "shop"
		if e.Record.Action == events.ActionDrop {
			want = "game"
		}
		for _, item := range e.Record.Items {
			if item.Upstream != want {
				t.Errorf("%s %s: the record of %s says %q", e.Record.Action, e.Record.Stage, item.Order, item.Upstream)
			}
		}
	}
}
