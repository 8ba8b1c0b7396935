package jetstream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/reconcile"
)

// answers is a provider that answers look-ups of some orders only.
type answers struct{ asked chan string }

func (a answers) Overdue(_ context.Context, m events.Message, _ time.Duration) queue.Verdict {
	ref, _ := events.SubjectRef(m.Subject)
	if strings.HasPrefix(ref.Order, "hang") {
		return queue.Unanswered(10 * time.Millisecond)
	}
	a.asked <- ref.Order
	return queue.Acknowledge()
}

// 300 payments about which the provider gives no answer, more than a timer may hold, do not keep 20 others from being
// looked up by the first step of the schedule. The clock is between the first step and the second.
func TestLookUpsThatHangHoldUpNoOther(t *testing.T) {
	_, c := start(t)
	const hang, others = 300, 20
	for n := range hang {
		walk(t, c, ref(fmt.Sprintf("hang-%d", n)), payment.Pending)
	}
	for n := range others {
		walk(t, c, ref(fmt.Sprintf("D-%d", n)), payment.Pending)
	}
	schedule := reconcile.LookupSchedule{BasicTime: 24 * time.Hour, Threshold: 1000 * time.Hour}
	clock := time.Now().Add(2 * schedule.BasicTime)
	asked := answers{make(chan string, others+1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Run(ctx, c, asked, []reconcile.Provider{{
			Name: "acme", LookupSchedule: schedule, Slots: 4, Hours: func(payment.Operation) calendar.Hours { return calendar.Hours{} },
		}}, func() time.Time { return clock })
	}()
	got := map[string]bool{}
	for range others {
		got[receive(t, asked.asked, "a look-up of a payment that the provider knows")] = true
	}
	if len(got) != others {
		t.Errorf("%d of %d were looked up", len(got), others)
	}
	cancel()
	if err := receive(t, done, "the end of Run"); err != nil {
		t.Error(err)
	}
}
