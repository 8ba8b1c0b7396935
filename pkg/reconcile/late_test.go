package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/reconcile"
)

// hanging gives no answer about the orders that begin with "hang", and one about the others.
func hanging(pause time.Duration) func(m events.Message, _ int) queue.Verdict {
	return func(m events.Message, _ int) queue.Verdict {
		if ref, _ := events.SubjectRef(m.Subject); strings.HasPrefix(ref.Order, "hang") {
			return queue.Unanswered(pause)
		}
		return queue.Acknowledge()
	}
}

// asks counts the look-ups of orders that begin with a text, until an age.
func (e *engine) asks(prefix string, until time.Duration) (n int) {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, line := range e.asked {
		fields := strings.Fields(line)
		if at, _ := time.ParseDuration(fields[1]); strings.HasPrefix(fields[0], prefix) && at <= until {
			n++
		}
	}
	return n
}

// More look-ups hang than may wait for their time. The others are asked about in the first step all the same, and
// those that gave way are asked about again in the next one.
func TestLookUpsThatHangHoldUpNoOther(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		e.verdict = hanging(time.Minute)
		const hang, others = 5 * headroom, 3 * headroom
		for n := range hang {
			l.append(acme, fmt.Sprintf("hang-%d", n), payment.Deposit, payment.Pending)
		}
		for n := range others {
			l.append(acme, fmt.Sprintf("o-%d", n), payment.Deposit, payment.Pending)
		}
		time.Sleep(12 * time.Minute) // two after the first step
		if n := e.asks("o-", 12*time.Minute); n != others {
			t.Errorf("%d of %d were asked about, behind %d that hang", n, others, hang)
		}
		time.Sleep(2 * time.Hour)
		if n := e.asks("hang", time.Hour+2*time.Minute) - e.asks("hang", time.Hour-time.Second); n < hang {
			t.Errorf("%d of %d that hang were asked about by the next step", n, hang)
		}
		before := e.asks("hang", 47*time.Hour)
		time.Sleep(200 * time.Hour)
		if n := e.asks("hang", 200*time.Hour) - before; n < hang {
			t.Errorf("%d of %d that hang were asked about by the last step", n, hang)
		}
	})
}

// The last event that was handed out is not due before Monday, because its operation is closed. What waits behind it is due
// all the same, and the look-ups that hang give way to it.
func TestLookUpsThatHangHoldUpNoOtherOperation(t *testing.T) {
	friday := time.Date(2000, 1, 7, 23, 55, 0, 0, kst)
	running(t, friday, hoursOf(t), func(l *fakeLog, e *engine) {
		e.verdict = hanging(time.Minute)
		for n := range headroom - 1 {
			l.append(acme, fmt.Sprintf("hang-%d", n), payment.Payout, payment.Pending)
		}
		l.append(acme, "monday", payment.Deposit, payment.Pending)
		l.append(acme, "o-0", payment.Payout, payment.Pending)
		time.Sleep(22 * time.Minute)
		if n := e.asks("o-", 22*time.Minute); n != 1 {
			t.Errorf("%d look-ups were made of a payment that is due", n)
		}
	})
}

// While there is room, or what waits behind is not due, a look-up without an answer is repeated.
func TestLookUpsThatHangAreRepeatedWhileThereIsRoom(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		e.verdict = hanging(5 * time.Minute)
		l.append(acme, "hang", payment.Deposit, payment.Pending)
		time.Sleep(time.Second)
		for n := range 100 * headroom { // more than fit, all the time
			l.append(acme, fmt.Sprintf("o-%d", n), payment.Deposit, payment.Pending)
			time.Sleep(10 * time.Second)
		}
		if n := e.asks("hang", 59*time.Minute); n != 10 {
			t.Errorf("asked %d times before the second step", n)
		}
	})
}

// A payment that is put off for another reason does not lose its step, whatever waits.
func TestOnlyWhatWasAskedAboutGivesWay(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		e.verdict = func(events.Message, int) queue.Verdict { return queue.RetryAfter(time.Minute) } // its breaker is open
		for n := range 2 * headroom {
			l.append(acme, fmt.Sprintf("o-%d", n), payment.Deposit, payment.Pending)
		}
		time.Sleep(15 * time.Minute)
		if n := e.asks("o-0", 15*time.Minute); n < 5 {
			t.Errorf("tried %d times", n)
		}
	})
}

// The metric shows by how much a step is late, while events wait behind those that are due, and nothing otherwise.
func TestTheLatenessOfAStepIsMeasured(t *testing.T) {
	reader := sdk.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		late := func(want time.Duration) {
			t.Helper()
			synctest.Wait()
			if got := gauge(t, reader, reconcile.MetricLookupsLate, "1"); got != want.Seconds() {
				t.Errorf("late by %v s, want %s", got, want)
			}
		}
		var answers atomic.Bool
		e.verdict = func(events.Message, int) queue.Verdict {
			if !answers.Load() {
				return queue.RetryAfter(time.Minute)
			}
			return queue.Acknowledge()
		}
		for n := range 2 * headroom {
			l.append(acme, fmt.Sprintf("o-%d", n), payment.Deposit, payment.Pending)
		}
		time.Sleep(10*time.Minute - time.Second)
		late(0)
		time.Sleep(5*time.Minute + time.Second)
		late(5 * time.Minute)
		answers.Store(true)
		time.Sleep(time.Minute + time.Second) // the look-ups are repeated a minute later, which may be just after this wakes
		late(0)
	})
}

// gauge returns a step's value.
func gauge(t *testing.T, reader sdk.Reader, name, step string) float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			data, ok := m.Data.(metricdata.Gauge[float64])
			for _, point := range data.DataPoints {
				if is, _ := point.Attributes.Value("step"); ok && m.Name == name && is.AsString() == step {
					return point.Value
				}
			}
		}
	}
	t.Fatalf("no %s of step %s", name, step)
	return 0
}
