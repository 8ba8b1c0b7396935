package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// namedUnreadable is how many events that can't be read a [Status] names, the newest.
const namedUnreadable = 50

// Status is the state of the archive.
type Status struct {
	Position
	LogFirst uint64 `json:"log_first"` // the first event that the log still has
	LogLast  uint64 `json:"log_last"`
	// Lag is how many events of the log aren't read yet.
	Lag      uint64 `json:"lag"`
	Payments int64  `json:"payments"`
	Events   int64  `json:"events"`
	Erased   int64  `json:"erased"` // payments of which personal data was erased
	// Forgotten is how many events the log forgot before they were read, and Waiting how many are to be read again.
	Forgotten uint64 `json:"forgotten"`
	Waiting   uint64 `json:"waiting"`
	Gaps      []Gap  `json:"gaps"`
	// UnreadableCount counts the events that can't be read. Unreadable are the newest of them.
	UnreadableCount int64        `json:"unreadable_count"`
	Unreadable      []Unreadable `json:"unreadable"`
	// Problem says that the log isn't the one that the archive has read; empty when it is.
	Problem string `json:"problem,omitempty"`
}

// Status compares the archive with the log and changes neither.
func (s *Store) Status(ctx context.Context, log Log) (st Status, err error) {
	bounds, err := log.LogBounds(ctx)
	if err != nil {
		return st, err
	}
	if st.Position, err = s.Position(ctx); err != nil {
		return st, fmt.Errorf("status of the archive: %w", err)
	}
	if err := s.compare(ctx, log, bounds, st.Position); final(err) {
		st.Problem = err.Error()
	} else if err != nil {
		return st, err
	}
	st.LogFirst, st.LogLast = bounds.First, bounds.Sequence
	st.Lag = bounds.Sequence - min(st.Sequence, bounds.Sequence)
	found, err := s.readGaps(ctx, s.db)
	if err != nil {
		return st, err
	}
	found = found.forgotten(bounds.First)
	if next := st.Sequence + 1; next < bounds.First && st.Problem == "" { // forgotten, and the next event will show it
		found = append(found, Gap{next, bounds.First - 1, true})
	}
	st.Gaps = append([]Gap{}, found...)
	st.Forgotten, st.Waiting = found.count()
	for _, one := range []struct {
		into  *int64
		count string
	}{
		{&st.Payments, "payments"}, {&st.Events, "events"}, {&st.Erased, "erasures"}, {&st.UnreadableCount, "events WHERE problem <> ''"},
	} {
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+one.count).Scan(one.into); err != nil {
			return st, fmt.Errorf("status of the archive: %w", err)
		}
	}
	st.Unreadable = []Unreadable{}
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		var one Unreadable
		err := rows.Scan(&one.Sequence, &one.Subject, &one.Problem)
		st.Unreadable = append(st.Unreadable, one)
		return err
	}, "SELECT sequence, subject, problem FROM events WHERE problem <> '' ORDER BY sequence DESC LIMIT ?", namedUnreadable)
	return st, err
}

// History returns all events of a payment that the archive has, oldest first. The error is [events.ErrNoPayment] when there are
// none.
func (s *Store) History(ctx context.Context, ref payment.Ref) (found []events.Record, err error) {
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		e, err := scanStored(rows)
		e = e.decoded()
		record := events.Record{Sequence: e.sequence, ID: e.id, StoredAt: timeOf(e.storedAt), Payment: e.payment, Unreadable: e.problem, Trace: e.trace()}
		if e.problem != "" {
			record.Payment.Ref = ref
			record.Payment.Status, _ = events.SubjectStatus(e.subject)
		}
		found = append(found, record)
		return err
	}, "SELECT "+eventColumns+" FROM events WHERE order_number = ? AND provider = ? ORDER BY sequence", ref.Order, ref.Provider)
	if err == nil && len(found) == 0 {
		err = events.ErrNoPayment
	}
	return found, err
}

// trace returns the id of the trace that an event was written in.
func (e stored) trace() string {
	var headers events.Header
	if json.Unmarshal([]byte(e.headers), &headers) != nil {
		return ""
	}
	return events.TraceOf(headers)
}
