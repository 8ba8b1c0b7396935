package campaign

import (
	"io"
	"os/exec"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// On a slow machine a planned strike can find nothing to strike. Each kind strikes once all the same.
func TestStrikesThatMissedAreMadeUpFor(t *testing.T) {
	worker := &service{name: "worker-1"}
	s := &striker{system: &system{workers: []*service{worker}}, note: t.Logf}
	strike := Strike{Kind: KillWorker, Target: worker.name}
	if s.carryOut(t.Context(), strike) {
		t.Fatal("it killed what did not run")
	}
	process, err := testenv.Start(t.Context(), exec.Command("sh", "-c", "echo works >&2; exec sleep 60"), io.Discard, "works")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
	worker.set(process)
	s.makeUp(t.Context(), []Strike{strike, strike})
	if !process.Killed() || s.kills.Load() != 1 {
		t.Errorf("killed: %d", s.kills.Load())
	}
}

// An account gets its money only when payouts wait for it, however late a busy machine comes to them.
func TestFundingWaitsForPayouts(t *testing.T) {
	c := &run{board: newBoard(), actions: newActions()}
	actors := &actors{run: c, payouts: enough, funded: make(chan struct{}), person: &person{actions: c.actions}}
	for i, code := range []string{payment.ReasonBalance, payment.ReasonClosed, payment.ReasonBalance} {
		ref := payment.Ref{Provider: overdrawn, Order: string(rune('a' + i))}
		c.board.put(events.Record{Sequence: uint64(i + 1), Payment: payment.Payment{Ref: ref, Status: payment.Parked, Reason: &payment.Reason{Code: code}}})
	}
	if actors.short() != 2 {
		t.Errorf("%d payouts wait for money", actors.short())
	}
	c.actions.add(payment.Ref{}, func(d *Actions) { *d = Actions{Cancelled: true, Released: 1, Replayed: 1, Dropped: 1} })
	if !actors.busy() {
		t.Error("nobody waits for the account to be funded")
	}
	close(actors.funded)
	if actors.busy() {
		t.Error("nothing is left to do")
	}
}
