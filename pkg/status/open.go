package status

import (
	"context"
	"errors"
	"sync"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// OpenStatuses are the statuses that [Open] counts: a payment in one of them has no outcome, or one that is doubted.
func OpenStatuses() []payment.Status {
	return []payment.Status{payment.Submitting, payment.Parked, payment.Pending, payment.InDoubt, payment.Conflict}
}

// alarmShownFor is how long a payment with an outcome is shown whose reason reports other money: there is no record that
// a person has looked at it.
const alarmShownFor = 24 * time.Hour

// Open knows every open payment, and the outcomes of the last hour, from the events of the log. It is safe for concurrent use.
// Its size is that of the open payments, however many have ended.
type Open struct {
	now func() time.Time

	mu       sync.Mutex
	caughtUp bool
	last     uint64 // sequence of the last event
	open     map[payment.Ref]*standing
	texts    map[string]string // one copy of each provider's name and each reason
	hours    map[string]*hour  // by provider
}

// standing is the state of one payment.
type standing struct {
	status    payment.Status
	described bool
	reason    string
	unread    bool // its last event cannot be read
	overdue   bool
	resumeAt  time.Time
	began     time.Time // its first event
	sent      time.Time // its first request that may have reached the provider; zero before
	at        time.Time // its last event
}

// since is from when its age counts: a payment that was parked again was proven not to have been sent.
func (s *standing) since() time.Time {
	if s.sent.IsZero() {
		return s.at
	}
	return s.sent
}

// NewOpen returns an Open that has read nothing.
func NewOpen(now func() time.Time) *Open {
	o := &Open{now: now}
	o.Restart()
	return o
}

// Restart forgets everything: the log is read from its beginning.
func (o *Open) Restart() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.caughtUp, o.last = false, 0
	o.open, o.texts, o.hours = map[payment.Ref]*standing{}, map[string]string{}, map[string]*hour{}
}

// CaughtUp says that the whole log was read. Before that nothing is known.
func (o *Open) CaughtUp() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.caughtUp = true
}

// Take takes the next event of the log.
func (o *Open) Take(e events.LogEntry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = e.Sequence
	ref := payment.Ref{Provider: o.text(e.Provider), Order: e.Order}
	s, known := o.open[ref]
	if !known {
		s = &standing{began: e.StoredAt}
	}
	if over(e.Status) && !e.Unreadable && (known && !over(s.status) && s.status != payment.Conflict || !known && e.First) {
		o.hour(ref.Provider).add(e.StoredAt, e.Status, e.StoredAt.Sub(s.began))
	}
	s.status, s.described, s.reason, s.overdue, s.resumeAt, s.at = e.Status, e.Described, o.text(e.Reason), e.Overdue, e.ResumeAt, e.StoredAt
	if s.unread = e.Unreadable; s.unread {
		s.described, s.reason = true, payment.ReasonUnreadable
	}
	switch e.Status {
	case payment.Parked:
		s.sent = time.Time{}
	case payment.Submitting, payment.InDoubt, payment.Pending:
		if s.sent.IsZero() {
			s.sent = e.StoredAt
		}
	}
	if over(e.Status) && !s.unread && !alarming(e.Status, e.Reason) {
		delete(o.open, ref)
		return
	}
	o.open[ref] = s
}

// over reports whether a payment has an outcome without a conflict.
func over(s payment.Status) bool { return s.Ended() && s != payment.Conflict }

func (o *Open) text(s string) string {
	if known, ok := o.texts[s]; ok {
		return known
	}
	o.texts[s] = s
	return s
}

func (o *Open) hour(provider string) *hour {
	if o.hours[provider] == nil {
		o.hours[provider] = &hour{}
	}
	return o.hours[provider]
}

// Log is the log of payments.
type Log interface {
	Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error)
}

// Describe reads the payments whose last event was written by a version that kept reason and times in the body alone.
func (o *Open) Describe(ctx context.Context, log Log) error {
	for _, ref := range o.undescribed() {
		p, seq, err := log.Last(ctx, ref)
		if _, unreadable := events.Unreadable(err); unreadable {
			continue // that event was not written by us, and comes as such
		}
		if err != nil && !errors.Is(err, events.ErrNoPayment) {
			return err
		}
		o.describe(p, seq)
	}
	return nil
}

func (o *Open) undescribed() []payment.Ref {
	o.mu.Lock()
	defer o.mu.Unlock()
	var refs []payment.Ref
	if o.caughtUp {
		for ref, s := range o.open {
			if !s.described {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

func (o *Open) describe(p payment.Payment, seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.open[p.Ref]
	if s == nil || s.described || seq > o.last { // it has moved on: that event comes
		return
	}
	s.described, s.overdue, s.resumeAt = true, !p.OverdueAt.IsZero(), p.ResumeAt
	if p.Reason != nil {
		s.reason = o.text(p.Reason.Code)
	}
	if s.status == payment.InDoubt || s.status == payment.Pending {
		s.sent = p.OpenSince()
	}
}

// Summary counts what is open. Providers that are not configured count as [events.NoProvider]. It is nil before the log was
// read.
func (o *Open) Summary(providers []string) *Summary {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.caughtUp {
		return nil
	}
	now := o.now()
	sum := &Summary{At: now.UTC(), Sequence: o.last, Providers: map[string]*ProviderSummary{}}
	for _, provider := range providers {
		sum.Providers[provider] = newProviderSummary()
	}
	var attention attentionList
	for ref, s := range o.open {
		if over(s.status) && !s.unread && now.Sub(s.at) > alarmShownFor {
			delete(o.open, ref)
			continue
		}
		sum.of(ref.Provider).add(s)
		attention.add(now, ref, s)
	}
	for provider, h := range o.hours {
		sum.of(provider).LastHour.add(h.last(now))
	}
	for _, of := range sum.Providers {
		of.finish()
	}
	sum.Attention, sum.AttentionTotal = attention.oldest()
	return sum
}
