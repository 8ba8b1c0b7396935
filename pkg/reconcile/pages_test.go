package reconcile_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

const aDay = 24 * time.Hour

// withPages is a provider that makes links to pages and knows 48 hours after a close what was confirmed there.
func withPages(p reconcile.Provider) reconcile.Provider {
	p.Pages = reconcile.Pages{Grace: 48 * time.Hour, Lives: []time.Duration{aDay, 7 * aDay}}
	return p
}

// page writes the event of a payment whose customer has a page for a while.
func (l *fakeLog) page(order string, life time.Duration) {
	l.t.Helper()
	l.write(payment.Payment{
		Ref: payment.Ref{Provider: acme, Order: order}, Operation: payment.Deposit, Status: payment.Pending, PageClosesAt: time.Now().Add(life),
	})
}

// No person is told at the threshold: the page is asked about when it is over, and told about when that was the last time.
func TestPagesAreAskedAboutWhenTheyAreOver(t *testing.T) {
	for name, c := range map[string]struct {
		life time.Duration
		want []string
	}{
		"an hour":       {time.Hour, []string{"48h0m0s 48h0m0s", "72h0m0s 48h0m0s", "216h0m0s 0s"}},
		"a day":         {aDay, []string{"48h0m0s 48h0m0s", "72h0m0s 48h0m0s", "216h0m0s 0s"}},
		"a little more": {aDay + 1, []string{"48h0m0s 48h0m0s", "216h0m0s 0s"}},
		"a week":        {7 * aDay, []string{"48h0m0s 48h0m0s", "216h0m0s 0s"}},
		"too long":      {7*aDay + 1, []string{"48h0m0s 0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, time.Time{}, withPages(alwaysOpen()), func(l *fakeLog, e *engine) {
				l.page("o-1", c.life)
				time.Sleep(1000 * time.Hour)
				want := []string{"o-1 10m0s 48h0m0s", "o-1 1h0m0s 48h0m0s", "o-1 6h0m0s 48h0m0s"}
				for _, w := range c.want {
					want = append(want, "o-1 "+w)
				}
				e.want(t, want...)
			})
		})
	}
}

// The life of a page is over when its time is, and the grace counts only while the provider is open: from Saturday
// 12:00 on, three of its days.
func TestTheGraceCountsOpenTime(t *testing.T) {
	friday := time.Date(2000, 1, 7, 12, 0, 0, 0, kst)
	running(t, friday, withPages(hoursOf(t)), func(l *fakeLog, e *engine) {
		l.page("o-1", time.Hour)
		time.Sleep(time.Until(time.Date(2000, 1, 13, 12, 0, 0, 0, kst)))
		threshold := time.Date(2000, 1, 12, 12, 3, 0, 0, kst).Sub(friday) // 11:59 on Friday, 2 × 15:59, and 4:03
		over := time.Date(2000, 1, 13, 8, 3, 0, 0, kst).Sub(friday)       // 3 × 15:59, and 3 minutes
		e.want(t, "o-1 10m0s 48h0m0s", "o-1 1h0m0s 48h0m0s", "o-1 6h0m0s 48h0m0s",
			"o-1 "+threshold.String()+" 48h0m0s", "o-1 "+over.String()+" 48h0m0s")
	})
}

// All other payments are none of the pages' timers' business, and are reported at the threshold as ever.
func TestPagesConcernNothingElse(t *testing.T) {
	running(t, time.Time{}, withPages(alwaysOpen()), func(l *fakeLog, e *engine) {
		known := payment.Payment{Ref: payment.Ref{Provider: acme, Order: "known"}, Operation: payment.Deposit, Status: payment.Pending, Known: true, PageClosesAt: time.Now().Add(time.Hour)}
		doubt := known
		doubt.Order, doubt.Status, doubt.Known = "doubt", payment.InDoubt, false
		for _, p := range []payment.Payment{known, doubt} {
			l.write(p)
			time.Sleep(time.Minute)
		}
		l.append(acme, "plain", payment.Deposit, payment.Pending)
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		last := e.asked[len(e.asked)-3:]
		for i, order := range []string{"known", "doubt", "plain"} {
			if want := fmt.Sprintf("%s %s 0s", order, 48*time.Hour+time.Duration(i)*time.Minute); last[i] != want {
				t.Errorf("asked %q, want %q", last[i], want)
			}
		}
		time.Sleep(1000 * time.Hour)
		if synctest.Wait(); len(e.asked) != 12 {
			t.Errorf("asked %q", e.asked)
		}
	})
}

// Long pages do not keep short ones waiting: more of them wait than the queue hands out at once.
func TestLongPagesHoldNoOthersUp(t *testing.T) {
	running(t, time.Time{}, withPages(alwaysOpen()), func(l *fakeLog, e *engine) {
		for n := range 10 * headroom {
			l.page(fmt.Sprintf("long-%d", n), 7*aDay)
		}
		l.page("short", aDay)
		l.append(acme, "plain", payment.Payout, payment.Pending)
		time.Sleep(3 * aDay)
		synctest.Wait()
		count := map[string]int{}
		for _, line := range e.asked {
			count[line]++
		}
		if count["short 72h0m0s 48h0m0s"] != 1 || count["plain 48h0m0s 0s"] != 1 || count["long-0 72h0m0s 48h0m0s"] != 0 {
			t.Errorf("asked %q", e.asked)
		}
	})
}

// After an outage a page is looked up once, by the highest step that is due.
func TestAPageIsLookedUpOnceAfterAnOutage(t *testing.T) {
	for outage, want := range map[time.Duration]string{
		72*time.Hour - 1: "71h59m59.999999999s 48h0m0s", 72 * time.Hour: "72h0m0s 48h0m0s", 216 * time.Hour: "216h0m0s 0s", 2000 * time.Hour: "2000h0m0s 0s",
	} {
		synctest.Test(t, func(t *testing.T) {
			l, e := newLog(t), &engine{began: time.Now()}
			l.page("o-1", aDay)
			time.Sleep(outage)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- reconcile.Run(ctx, l, e, []reconcile.Provider{withPages(alwaysOpen())}, time.Now) }()
			e.want(t, "o-1 "+want)
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// Where the log forgets a payment before its page is over, a person is told while it is there.
func TestPagesThatTheLogForgetsAreToldAtTheThreshold(t *testing.T) {
	for kept, want := range map[time.Duration][]string{
		217 * time.Hour: {"48h0m0s 48h0m0s", "72h0m0s 48h0m0s", "216h0m0s 0s"},
		216 * time.Hour: {"48h0m0s 48h0m0s", "72h0m0s 0s"},
		73 * time.Hour:  {"48h0m0s 48h0m0s", "72h0m0s 0s"},
		72 * time.Hour:  {"48h0m0s 0s"},
	} {
		p := withPages(alwaysOpen())
		p.Pages.Kept = kept
		running(t, time.Time{}, p, func(l *fakeLog, e *engine) {
			l.page("o-1", aDay)
			time.Sleep(1000 * time.Hour)
			all := []string{"o-1 10m0s 48h0m0s", "o-1 1h0m0s 48h0m0s", "o-1 6h0m0s 48h0m0s"}
			for _, w := range want {
				all = append(all, "o-1 "+w)
			}
			e.want(t, all...)
		})
	}
}

func TestRunRefusesPagesThatAreNotValid(t *testing.T) {
	for name, pages := range map[string]reconcile.Pages{
		"no lives": {Grace: time.Hour}, "not in order": {Grace: time.Hour, Lives: []time.Duration{aDay, aDay}}, "no life": {Grace: time.Hour, Lives: []time.Duration{0}},
		"a grace before the close": {Grace: -1, Lives: []time.Duration{aDay}}, "kept for less than nothing": {Grace: 1, Lives: []time.Duration{aDay}, Kept: -1},
	} {
		p := alwaysOpen()
		p.Pages = pages
		if reconcile.Run(t.Context(), newLog(t), &engine{}, []reconcile.Provider{p}, time.Now) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	lives := reconcile.PageLives()
	if len(lives) != 3 || lives[2] <= 30*aDay {
		t.Errorf("%v", lives)
	}
}
