package faults

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"payonce/pkg/payment"
	"payonce/pkg/worker"
	"payonce/test/testenv"
)

// A worker freezes (a paused container, a suspended machine) at each step, for longer than its lease.
// Another takes the payment over and ends it. Then the frozen one wakes up in the middle of its work: it
// must notice, and send nothing.
func TestWorkerFrozenPastItsLease(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := within(t, timeout)
	frozen := map[order]*testenv.Process{}
	for _, step := range worker.Steps() {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "freeze-" + string(step)}, payment.Payout}
		sleeper := s.crashWorker("PAYONCE_CRASH_SIGNAL=STOP", "PAYONCE_CRASH_AT="+string(step), "PAYONCE_CRASH_ORDER="+o.ref.Order)
		s.publish(ctx, o)
		s.untilFrozen(ctx, sleeper)
		frozen[o] = sleeper
	}
	s.worker()
	for o := range frozen {
		s.settleOnce(ctx, o)
	}
	for _, sleeper := range frozen {
		s.Must(sleeper.Signal(syscall.SIGCONT))
	}
	for o, sleeper := range frozen {
		s.Must(sleeper.Stop(testenv.StopTimeout)) // it finishes what it has in flight first
		s.settleOnce(ctx, o)
		s.createdOnce(o)
	}
}

// untilFrozen waits until the kernel shows the process as stopped.
func (s *system) untilFrozen(ctx context.Context, p *testenv.Process) {
	s.t.Helper()
	s.happens(ctx, "the freeze of a worker", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
		s.Must(err)
		// "pid (name) state …": the name can hold blanks, the state follows the last parenthesis.
		_, rest, found := strings.Cut(string(stat), ") ")
		return found && rest[0] == 'T'
	})
}
