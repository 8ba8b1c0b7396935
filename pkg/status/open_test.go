package status_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/status"
)

var now = time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC)

const acme = "acme-kr"

// reader writes events into an Open as the log would give them.
type reader struct {
	*status.Open
	seq  uint64
	seen map[string]bool
}

func newReader() *reader {
	return &reader{Open: status.NewOpen(func() time.Time { return now }), seen: map[string]bool{}}
}

// put takes an event that was stored some time ago.
func (r *reader) put(order string, s payment.Status, ago time.Duration, change ...func(*events.LogEntry)) {
	r.seq++
	e := events.LogEntry{
		Ref: payment.Ref{Provider: acme, Order: order}, Status: s, Sequence: r.seq, StoredAt: now.Add(-ago), First: !r.seen[order], Described: true,
	}
	for _, c := range change {
		c(&e)
	}
	r.seen[order] = true
	r.Take(e)
}

func because(code string) func(*events.LogEntry) {
	return func(e *events.LogEntry) { e.Reason = code }
}

func overdue(e *events.LogEntry) { e.Overdue = true }

func (r *reader) summary(t *testing.T) *status.Summary {
	t.Helper()
	r.CaughtUp()
	sum := r.Summary([]string{acme})
	if sum == nil {
		t.Fatal("nothing is known")
	}
	return sum
}

// Before the whole log was read nothing is known, which is not the same as nothing being open.
func TestNothingIsKnownBeforeTheLogWasRead(t *testing.T) {
	r := newReader()
	r.put("D-1", payment.Submitting, time.Minute)
	if sum := r.Summary([]string{acme}); sum != nil {
		t.Errorf("got %+v", sum)
	}
	r.CaughtUp()
	if sum := r.Summary([]string{acme}); sum == nil || sum.Providers[acme].Open[payment.Submitting].Number != 1 {
		t.Errorf("got %+v", sum)
	}
	r.Restart()
	if sum := r.Summary([]string{acme}); sum != nil {
		t.Errorf("after a restart %+v", sum)
	}
}

// Every open status is counted as itself, parked and in doubt apart, each since it was sent.
func TestOpenPaymentsAreCountedByStatus(t *testing.T) {
	r := newReader()
	r.put("D-1", payment.Parked, 3*time.Hour, because("provider_closed"), func(e *events.LogEntry) { e.ResumeAt = now.Add(2 * time.Hour) })
	r.put("D-2", payment.Parked, 2*time.Hour, because("throttled"), func(e *events.LogEntry) { e.ResumeAt = now.Add(time.Hour) })
	r.put("D-3", payment.Submitting, 50*time.Minute)
	r.put("D-3", payment.InDoubt, 40*time.Minute, because("no_answer"))
	r.put("D-4", payment.Submitting, 30*time.Minute)
	r.put("D-4", payment.Pending, 29*time.Minute, overdue)
	r.put("D-5", payment.Submitting, 10*time.Second)
	r.put("D-6", payment.Submitting, 9*time.Hour) // proven not to have been sent, and parked again
	r.put("D-6", payment.Parked, time.Hour, because("throttled"))
	r.put("D-7", payment.Submitting, 8*time.Hour)
	r.put("D-7", payment.Settled, 7*time.Hour)
	r.put("D-7", payment.Conflict, 6*time.Hour, because("contradiction"))
	r.put("D-8", payment.Submitting, 8*time.Hour)
	r.put("D-8", payment.Failed, 7*time.Hour)
	p := r.summary(t).Providers[acme]
	for s, want := range map[payment.Status]status.Count{
		payment.Parked: {Number: 3, Since: now.Add(-3 * time.Hour)}, payment.InDoubt: {Number: 1, Since: now.Add(-50 * time.Minute)},
		payment.Pending: {Number: 1, Since: now.Add(-30 * time.Minute)}, payment.Submitting: {Number: 1, Since: now.Add(-10 * time.Second)},
		payment.Conflict: {Number: 1, Since: now.Add(-6 * time.Hour)},
	} {
		if got := p.Open[s]; got != want {
			t.Errorf("%s: %+v, want %+v", s, got, want)
		}
	}
	if p.Parked["throttled"] != 2 || p.Parked["provider_closed"] != 1 || !p.NextResumeAt.Equal(now.Add(time.Hour)) || p.Overdue != 1 {
		t.Errorf("got %+v", p)
	}
	for s := range p.Open {
		if !slices.Contains(status.OpenStatuses(), s) {
			t.Errorf("%s is counted as open", s)
		}
	}
}

// What needs a person is named, oldest first; what does not is not.
func TestWhatNeedsAPerson(t *testing.T) {
	r := newReader()
	for _, of := range []struct {
		order  string
		status payment.Status
		ago    time.Duration
		change []func(*events.LogEntry)
	}{
		{"young-doubt", payment.InDoubt, 59 * time.Minute, nil},
		{"old-doubt", payment.InDoubt, 61 * time.Minute, nil},
		{"limit", payment.InDoubt, 2 * time.Minute, []func(*events.LogEntry){because(payment.ReasonSubmitLimit)}},
		{"stuck", payment.Submitting, 2 * time.Hour, nil},
		{"waits", payment.Pending, 9 * time.Hour, nil},
		{"late", payment.Pending, 8 * time.Hour, []func(*events.LogEntry){overdue, because(payment.ReasonOverdue)}},
		{"unpayable", payment.Pending, 3 * time.Minute, []func(*events.LogEntry){because(payment.ReasonNoInstructions)}},
		{"conflict", payment.Conflict, time.Minute, nil},
		{"closed", payment.Parked, 7 * time.Hour, []func(*events.LogEntry){because(payment.ReasonClosed)}},
		{"refused-2", payment.Parked, 4 * time.Minute, []func(*events.LogEntry){because(payment.ReasonAccountMisconfigured)}},
		{"refused-1", payment.Parked, 5 * time.Minute, []func(*events.LogEntry){because(payment.ReasonAccountMisconfigured)}},
		{"twice", payment.Settled, 23 * time.Hour, []func(*events.LogEntry){because(payment.ReasonSecondReference)}},
		{"twice-long-ago", payment.Settled, 25 * time.Hour, []func(*events.LogEntry){because(payment.ReasonSecondReference)}},
		{"fine", payment.Settled, time.Minute, nil},
		{"garbage", payment.Settled, 30 * time.Hour, []func(*events.LogEntry){func(e *events.LogEntry) { e.Unreadable, e.Described = true, false }}},
	} {
		r.put(of.order, of.status, of.ago, of.change...)
	}
	sum := r.summary(t)
	var got []string
	for _, one := range sum.Attention {
		got = append(got, fmt.Sprint(one.Order, one.Payments))
	}
	want := []string{"garbage0", "twice0", "late0", "stuck0", "old-doubt0", "refused-12", "unpayable0", "limit0", "conflict0"}
	if !slices.Equal(got, want) || sum.AttentionTotal != len(want) {
		t.Errorf("got %v, %d in all\nwant %v", got, sum.AttentionTotal, want)
	}
	for _, order := range []string{"late", "conflict", "garbage"} { // a person, or the provider, ended them
		r.put(order, payment.Settled, 0)
	}
	if again := r.summary(t); again.AttentionTotal != len(want)-3 {
		t.Errorf("then %+v", again.Attention)
	}
}

// However many need a person, the list is bounded, and says how many there are.
func TestTheListIsBounded(t *testing.T) {
	r := newReader()
	for n := range 1000 {
		r.put(fmt.Sprintf("D-%d", n), payment.Conflict, time.Duration(n)*time.Second)
	}
	sum := r.summary(t)
	if len(sum.Attention) != 50 || sum.AttentionTotal != 1000 || sum.Attention[0].Order != "D-999" {
		t.Errorf("%d of %d, the first is %v", len(sum.Attention), sum.AttentionTotal, sum.Attention[0])
	}
}

// Outcomes of the last hour count, the first of each payment, with the time since its first event.
func TestTheLastHour(t *testing.T) {
	r := newReader()
	for n := range 19 {
		order := fmt.Sprintf("D-%d", n)
		r.put(order, payment.Submitting, 40*time.Minute)
		r.put(order, payment.Settled, 40*time.Minute-10*time.Second)
	}
	r.put("slow", payment.Submitting, 90*time.Minute)
	r.put("slow", payment.Failed, 30*time.Minute)
	r.put("refused", payment.Failed, 20*time.Minute)
	r.put("D-0", payment.Reversed, 19*time.Minute)   // its second outcome
	r.put("D-1", payment.Conflict, 18*time.Minute)   // no outcome
	r.put("D-1", payment.Settled, 17*time.Minute)    // by a person, the second
	r.put("before", payment.Submitting, 2*time.Hour) // too long ago
	r.put("before", payment.Settled, 61*time.Minute)
	h := r.summary(t).Providers[acme].LastHour
	if h.Settled != 19 || h.Failed != 2 {
		t.Errorf("%d settled, %d failed, want 19 and 2", h.Settled, h.Failed)
	}
	if h.Half < 10 || h.Half > 12 || h.Most < 10 || h.Most > 12 {
		t.Errorf("half within %g s, most within %g s, want 10 and a fifth more at most", h.Half, h.Most)
	}
}

// Providers that are not configured are counted as one.
func TestUnknownProvidersAreOne(t *testing.T) {
	r := newReader()
	for _, provider := range []string{"gone-1", "gone-2"} {
		r.put("D-1", payment.InDoubt, time.Minute, func(e *events.LogEntry) { e.Provider = provider })
	}
	sum := r.summary(t)
	if len(sum.Providers) != 2 || sum.Providers[events.NoProvider].Open[payment.InDoubt].Number != 2 {
		t.Errorf("got %+v", sum.Providers)
	}
}

// memory is a log of payments as earlier versions wrote them.
type memory map[payment.Ref]payment.Payment

func (m memory) Last(_ context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	return m[ref], 1, nil
}

// Events of an earlier version have no headers to count by: only those that are still open are read.
func TestEarlierVersionsAreRead(t *testing.T) {
	r := newReader()
	plain := func(e *events.LogEntry) { e.Described = false }
	r.put("old", payment.Pending, 5*time.Minute, plain)
	r.put("ended", payment.Submitting, 5*time.Minute, plain)
	r.put("ended", payment.Settled, 4*time.Minute, plain)
	ref := payment.Ref{Provider: acme, Order: "old"}
	log := memory{ref: {Ref: ref, Status: payment.Pending, FirstSubmittedAt: now.Add(-3 * time.Hour), OverdueAt: now, Reason: &payment.Reason{Code: payment.ReasonOverdue}}}
	r.CaughtUp()
	if err := r.Describe(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	sum := r.summary(t)
	if p := sum.Providers[acme]; p.Overdue != 1 || !p.Open[payment.Pending].Since.Equal(now.Add(-3*time.Hour)) || sum.AttentionTotal != 1 {
		t.Errorf("got %+v, %+v", p, sum.Attention)
	}
}

// A hundred thousand open payments are summed up in a blink, and cost what they need.
func BenchmarkSummary(b *testing.B) {
	r := newReader()
	for n := range 100_000 {
		r.put(fmt.Sprintf("D-%d", n), payment.Pending, time.Duration(n)*time.Second)
	}
	r.CaughtUp()
	for b.Loop() {
		r.Summary([]string{acme})
	}
}
