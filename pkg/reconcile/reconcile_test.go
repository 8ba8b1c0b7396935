package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/reconcile"
)

const acme = "acme-kr"

var schedule = reconcile.LookupSchedule{BasicTime: 10 * time.Minute, Threshold: 48 * time.Hour}

// engine remembers what it was asked for, and says what a test wants.
type engine struct {
	mu      sync.Mutex
	began   time.Time
	asked   []string // "order after limit"
	verdict func(m events.Message, n int) queue.Verdict
}

func (e *engine) Overdue(_ context.Context, m events.Message, limit time.Duration) queue.Verdict {
	e.mu.Lock()
	defer e.mu.Unlock()
	ref, _ := events.SubjectRef(m.Subject)
	e.asked = append(e.asked, fmt.Sprintf("%s %s %s", ref.Order, time.Since(e.began), limit))
	if e.verdict != nil {
		return e.verdict(m, len(e.asked))
	}
	return queue.Acknowledge()
}

func (e *engine) want(t *testing.T, asked ...string) {
	t.Helper()
	synctest.Wait() // what is due now is done, and may be read
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Equal(e.asked, asked) {
		t.Errorf("asked\n  %s\nwant\n  %s", strings.Join(e.asked, "\n  "), strings.Join(asked, "\n  "))
	}
}

// alwaysOpen is a provider of these tests.
func alwaysOpen() reconcile.Provider {
	return reconcile.Provider{Name: acme, LookupSchedule: schedule, Slots: 2, Hours: func(payment.Operation) calendar.Hours { return calendar.Hours{} }}
}

// running runs a test beside Run, in fake time from an instant on.
func running(t *testing.T, from time.Time, provider reconcile.Provider, test func(l *fakeLog, e *engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(from))
		l, e := newLog(t), &engine{began: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- reconcile.Run(ctx, l, e, []reconcile.Provider{provider}, time.Now) }()
		test(l, e)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestEachStepOfTheSchedule(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		l.append(acme, "o-1", payment.Deposit, payment.Pending)
		time.Sleep(time.Hour)
		l.append(acme, "o-2", payment.Payout, payment.InDoubt)
		time.Sleep(1000 * time.Hour)
		e.want(t, "o-1 10m0s 48h0m0s", "o-1 1h0m0s 48h0m0s", "o-2 1h10m0s 48h0m0s", "o-2 2h0m0s 48h0m0s",
			"o-1 6h0m0s 48h0m0s", "o-2 7h0m0s 48h0m0s", "o-1 48h0m0s 0s", "o-2 49h0m0s 0s")
	})
}

// Only the first step looks for intents without a result.
func TestWhichEventsAreTimed(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		for _, s := range payment.Statuses() {
			if s != payment.Requested {
				l.append(acme, string(s), payment.Deposit, s)
			}
		}
		l.append("other-kr", "other", payment.Deposit, payment.Pending)
		time.Sleep(1000 * time.Hour)
		synctest.Wait()
		count := map[string]int{}
		for _, line := range e.asked {
			order, _, _ := strings.Cut(line, " ")
			count[order]++
		}
		if want := "map[in_doubt:4 pending:4 submitting:1]"; fmt.Sprint(count) != want {
			t.Errorf("asked %v, want %s", count, want)
		}
	})
}

// More events wait than the queue hands out at once; each has its own time all the same, and the wait costs
// few deliveries.
func TestTheOldestWaitForTheirTime(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		const n = 10 * headroom
		var want []string
		for i := range n {
			l.append(acme, fmt.Sprintf("o-%d", i), payment.Deposit, payment.Pending)
			time.Sleep(time.Minute)
			want = append(want, fmt.Sprintf("o-%d %s 48h0m0s", i, time.Duration(i)*time.Minute+10*time.Minute))
		}
		time.Sleep(10 * time.Minute)
		e.want(t, want...)
		if l.given["1"] > 4*n || l.given["threshold"] > 20*headroom {
			t.Errorf("%v deliveries of %d events in %d minutes", l.given, n, n)
		}
	})
}

// After an outage a payment is looked up once, by the highest step that is due, and the person is told.
func TestAfterAnOutageEachIsLookedUpOnce(t *testing.T) {
	for outage, want := range map[time.Duration]string{
		9 * time.Minute: "10m0s 48h0m0s", 59 * time.Minute: "59m0s 48h0m0s", time.Hour: "1h0m0s 48h0m0s", 10 * time.Hour: "10h0m0s 48h0m0s",
		48*time.Hour - 1: "47h59m59.999999999s 48h0m0s", 48 * time.Hour: "48h0m0s 0s", 1000 * time.Hour: "1000h0m0s 0s",
	} {
		synctest.Test(t, func(t *testing.T) {
			l, e := newLog(t), &engine{began: time.Now()}
			l.append(acme, "o-1", payment.Deposit, payment.Pending)
			l.append(acme, "intent", payment.Deposit, payment.Submitting) // the first step alone has these
			time.Sleep(outage)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- reconcile.Run(ctx, l, e, []reconcile.Provider{alwaysOpen()}, time.Now) }()
			time.Sleep(max(10*time.Minute-outage, 0))
			synctest.Wait()
			slices.Sort(e.asked)
			intent := max(outage, 10*time.Minute).String() + " 48h0m0s"
			if e.want(t, "intent "+intent, "o-1 "+want); t.Failed() {
				t.Logf("after %s", outage)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheEnginesVerdictCounts(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		e.verdict = func(_ events.Message, n int) queue.Verdict {
			return []queue.Verdict{queue.RetryAfter(time.Second), queue.RetryAfter(72 * time.Hour), queue.Acknowledge()}[min(n-1, 2)]
		}
		l.append(acme, "o-1", payment.Deposit, payment.Pending)
		time.Sleep(50 * time.Minute)
		e.want(t, "o-1 10m0s 48h0m0s", "o-1 10m1s 48h0m0s", "o-1 15m1s 48h0m0s") // not put off for longer than 5 minutes
	})
}

func TestWhatCannotBeReadIsADeadLetter(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		l.put(events.Message{Subject: "payment.pending." + acme + ".o-1", Data: []byte("{")})
		time.Sleep(1000 * time.Hour)
		// one for each of four timers
		if e.want(t); l.given["1"] != 1 || fmt.Sprint(l.dead) != "[undecodable undecodable undecodable undecodable]" {
			t.Errorf("delivered %d times, dead letters %v", l.given["1"], l.dead)
		}
	})
}

var kst = time.FixedZone("KST", 9*3600)

// hoursOf returns the hours of ECommPay for deposits; payouts are made at any time.
func hoursOf(t *testing.T, edit ...func(*calendar.Config)) reconcile.Provider {
	t.Helper()
	config := calendar.ECommPayKorea()
	for _, e := range edit {
		e(&config)
	}
	hours, err := calendar.Parse(config)
	if err != nil {
		t.Fatal(err)
	}
	p := alwaysOpen()
	p.Hours = func(op payment.Operation) calendar.Hours {
		if op == payment.Deposit {
			return hours
		}
		return calendar.Hours{}
	}
	return p
}

// From Friday 23:54 on, ten minutes of open time end on Monday at 08:05.
func TestStepsCountOpenTime(t *testing.T) {
	friday := time.Date(2000, 1, 7, 23, 54, 0, 0, kst)
	running(t, friday, hoursOf(t), func(l *fakeLog, e *engine) {
		l.append(acme, "payout", payment.Payout, payment.Pending)
		l.append(acme, "o-1", payment.Deposit, payment.Pending)
		time.Sleep(time.Until(time.Date(2000, 1, 10, 9, 0, 0, 0, kst)))
		e.want(t, "payout 10m0s 48h0m0s", "payout 1h0m0s 48h0m0s", "payout 6h0m0s 48h0m0s", "payout 48h0m0s 0s",
			"o-1 56h11m0s 48h0m0s", "o-1 57h1m0s 48h0m0s")
	})
}

// Where the threshold counts any time, its step does; the others go on counting open time.
func TestTheThresholdsStepCanCountAnyTime(t *testing.T) {
	friday := time.Date(2000, 1, 7, 23, 54, 0, 0, kst)
	p := hoursOf(t)
	p.LookupSchedule.WallThreshold = true
	running(t, friday, p, func(l *fakeLog, e *engine) {
		l.append(acme, "o-1", payment.Deposit, payment.Pending)
		time.Sleep(time.Until(time.Date(2000, 1, 10, 9, 0, 0, 0, kst)))
		e.want(t, "o-1 48h0m0s 0s", "o-1 56h11m0s 48h0m0s", "o-1 57h1m0s 48h0m0s")
	})
}

// An intent whose worker died on Friday night, and whose command waits for Monday, is found on Friday night.
func TestIntentsAreFoundInAnyTime(t *testing.T) {
	friday := time.Date(2000, 1, 7, 23, 54, 0, 0, kst)
	running(t, friday, hoursOf(t), func(l *fakeLog, e *engine) {
		l.append(acme, "pending", payment.Deposit, payment.Pending)
		l.append(acme, "intent", payment.Deposit, payment.Submitting)
		time.Sleep(time.Until(time.Date(2000, 1, 10, 8, 4, 0, 0, kst)))
		e.want(t, "intent 10m0s 48h0m0s")
	})
}

func TestAProviderThatNeverOpensIsNeverDue(t *testing.T) {
	never := hoursOf(t, func(c *calendar.Config) {
		for n := range 600 {
			c.Closed = append(c.Closed, time.Date(2000, 1, 1+n, 0, 0, 0, 0, kst).Format(time.DateOnly))
		}
		c.ClosedKnownUntil = "2002-01-01"
	})
	running(t, time.Time{}, never, func(l *fakeLog, e *engine) {
		l.append(acme, "o-1", payment.Deposit, payment.Pending)
		time.Sleep(24 * time.Hour)
		if e.want(t); l.given["1"] < 24*12 || l.given["1"] > 24*12+1 {
			t.Errorf("looked at %d times in a day", l.given["1"])
		}
	})
}

// A lookup schedule or hours that were changed take effect soon: nothing is put off for longer than five minutes at once.
func TestNothingIsPutOffForLong(t *testing.T) {
	running(t, time.Time{}, alwaysOpen(), func(l *fakeLog, e *engine) {
		l.append(acme, "o-1", payment.Deposit, payment.Pending)
		time.Sleep(24*time.Hour - time.Second)
		synctest.Wait()
		if n := l.given["threshold"]; n != 24*12 {
			t.Errorf("looked at %d times in a day", n)
		}
	})
}

func TestRunRefusesWhatIsNotValid(t *testing.T) {
	for name, edit := range map[string]func(*reconcile.Provider){
		"no lookup schedule": func(p *reconcile.Provider) { p.LookupSchedule = reconcile.LookupSchedule{} }, "no slots": func(p *reconcile.Provider) { p.Slots = 0 },
		"no hours":  func(p *reconcile.Provider) { p.Hours = nil },
		"threshold": func(p *reconcile.Provider) { p.LookupSchedule.Threshold = p.LookupSchedule.BasicTime },
	} {
		p := alwaysOpen()
		edit(&p)
		if reconcile.Run(t.Context(), newLog(t), &engine{}, []reconcile.Provider{p}, time.Now) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if reconcile.Run(t.Context(), newLog(t), &engine{}, []reconcile.Provider{alwaysOpen()}, nil) == nil {
		t.Error("without a clock: taken")
	}
}

var errQueue = errors.New("the queue cannot go on")

type brokenQueue struct{ *fakeLog }

func (q brokenQueue) ConsumePayments(ctx context.Context, provider, timer string, statuses []payment.Status, slots int, h queue.Handler) error {
	if timer == "2" {
		return errQueue
	}
	return q.fakeLog.ConsumePayments(ctx, provider, timer, statuses, slots, h)
}

func TestAQueueThatCannotGoOnEndsRun(t *testing.T) {
	err := reconcile.Run(t.Context(), brokenQueue{newLog(t)}, &engine{}, []reconcile.Provider{alwaysOpen()}, time.Now)
	if !errors.Is(err, errQueue) || !strings.Contains(err.Error(), acme) {
		t.Errorf("%v", err)
	}
}

func TestScheduleTimes(t *testing.T) {
	const m, h = time.Minute, time.Hour
	for l, want := range map[reconcile.LookupSchedule][]time.Duration{
		schedule: {10 * m, h, 6 * h, 48 * h}, {BasicTime: m, Threshold: 2 * m}: {m, 2 * m}, {BasicTime: m, Threshold: m + 1}: {m, m + 1},
		{BasicTime: m, Threshold: 12 * m}: {m, 6 * m, 12 * m}, {BasicTime: m, Threshold: 12*m - 1}: {m, 12*m - 1},
	} {
		if got := l.Times(); !slices.Equal(got, want) {
			t.Errorf("%+v: %v, want %v", l, got, want)
		}
	}
}

// Every valid lookup schedule begins at its basic time, climbs and ends at its threshold, in few steps.
func TestSchedules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		basic := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(24*time.Hour)).Draw(t, "basic"))
		l := reconcile.LookupSchedule{BasicTime: basic, Threshold: basic + time.Duration(rapid.Int64Range(1, int64(400*24*time.Hour)).Draw(t, "more"))}
		times := l.Times()
		if err := l.Validate(); err != nil || times[0] != l.BasicTime || times[len(times)-1] != l.Threshold || len(times) > 16 {
			t.Fatalf("%+v: %v, %v", l, times, err)
		}
		for i, at := range times[1:] {
			if at <= times[i] {
				t.Fatalf("%+v: %v", l, times)
			}
		}
	})
}
