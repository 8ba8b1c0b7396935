package search

import (
	"context"
	"slices"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Source is the log of payments.
type Source interface {
	// LogBounds says from where to where the log reaches.
	LogBounds(ctx context.Context) (events.LogBounds, error)
	// ReadLog gives each event from a sequence on to each, oldest first, until there is no more, each says so, or it fails.
	ReadLog(ctx context.Context, from uint64, each func(events.Message) (more bool, err error)) error
}

// Log searches the log itself, where there is no archive. It reads at most so many of its newest events for each search, so
// that a payment of before isn't found: [Page.Looked] says how far it looked.
type Log struct {
	Source Source
	Events uint64
	// Progress, if set, is called now and then with how many events were read, of how many.
	Progress func(read, of uint64)
}

// progressEvery is after how many events Progress is called.
const progressEvery = 1000

// Find is like that of the archive. Each page reads the log again.
func (l Log) Find(ctx context.Context, f Filter, after string, limit int) (Page, error) {
	page, err := l.All(ctx, f, after)
	if limit = min(max(limit, 1), MaxPage); len(page.Entries) > limit {
		page.Entries = page.Entries[:limit]
		page.Next = CursorOf(page.Entries[limit-1]).String()
	}
	return page, err
}

// All returns everything that Find would return in pages.
func (l Log) All(ctx context.Context, f Filter, after string) (Page, error) {
	cursor := Cursor{OpenedAt: time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)}
	if after != "" {
		var err error
		if cursor, err = ParseCursor(after); err != nil {
			return Page{}, err
		}
	}
	all, looked, err := l.read(ctx)
	if err != nil {
		return Page{}, err
	}
	page := Page{Looked: &looked}
	for _, e := range all {
		if cursor.After(*e) && f.Matches(*e) {
			page.Entries = append(page.Entries, *e)
		}
	}
	slices.SortFunc(page.Entries, func(a, b Entry) int {
		if CursorOf(a).After(b) {
			return -1
		}
		return 1
	})
	return page, nil
}

// read returns the state of the payments of the newest events.
func (l Log) read(ctx context.Context) (map[payment.Ref]*Entry, Looked, error) {
	bounds, err := l.Source.LogBounds(ctx)
	if err != nil || bounds.Events == 0 {
		return nil, Looked{All: true}, err
	}
	from := bounds.First
	if bounds.Sequence-bounds.First >= l.Events {
		from = bounds.Sequence - l.Events + 1
	}
	looked := Looked{All: from == bounds.First}
	all := map[payment.Ref]*Entry{}
	err = l.Source.ReadLog(ctx, from, func(m events.Message) (bool, error) {
		if m.Sequence > bounds.Sequence {
			return false, nil
		}
		if looked.Events++; looked.Events == 1 {
			looked.Since = m.StoredAt
		}
		if l.Progress != nil && looked.Events%progressEvery == 0 {
			l.Progress(looked.Events, bounds.Sequence-from+1)
		}
		take(all, m)
		return m.Sequence < bounds.Sequence, nil
	})
	return all, looked, err
}

func take(all map[payment.Ref]*Entry, m events.Message) {
	ref, _ := events.SubjectRef(m.Subject)
	p, err := events.ReadPayment(m.Subject, m.Sequence, m.Data)
	e := all[ref]
	switch {
	case err != nil && e != nil:
		e.Unreadable = m.Sequence
		return
	case err != nil:
		return
	case e == nil:
		e = &Entry{OpenedAt: m.StoredAt, First: m.Sequence}
		all[ref] = e
	}
	e.Payment, e.Sequence, e.Unreadable = p, m.Sequence, 0
	if e.EndedAt.IsZero() && p.Status.Ended() {
		e.EndedAt = p.UpdatedAt
	}
}
