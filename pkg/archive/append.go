package archive

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Errors after which nothing may be written until a person has looked.
var (
	// ErrOtherLog says that the archive was read from another log: the stream was made again.
	ErrOtherLog = errors.New("the archive is of another log: PAYMENTS was made again since")
	// ErrLogChanged says that the log has another event where the archive has one, or ends before what the archive has read:
	// it was restored from an older copy.
	ErrLogChanged = errors.New("the log isn't the one that the archive has read: it was restored from an older copy, or its sequences began again")
)

// NextOtherLog is what a person does after these errors.
const NextOtherLog = "read docs/archive.md#another-log, then payctl archive rebuild --other-log"

// Position is how far the archive has read.
type Position struct {
	Log       string    `json:"log"` // which log: when its stream was made; empty before the first event
	Sequence  uint64    `json:"sequence"`
	StoredAt  time.Time `json:"stored_at,omitzero"` // when the broker stored that event
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Appended says what became of a batch.
type Appended struct {
	Stored int // events that are new here
	// Unreadable are those of them that can't be read.
	Unreadable []Unreadable
}

// Unreadable is an event that was stored and can't be read.
type Unreadable struct {
	Sequence uint64 `json:"sequence"`
	Subject  string `json:"subject"`
	Problem  string `json:"problem"`
}

// Position returns how far the archive has read.
func (s *Store) Position(ctx context.Context) (Position, error) { return s.position(ctx, s.db) }

func (s *Store) position(ctx context.Context, in runner) (p Position, err error) {
	var stored, updated int64
	err = in.QueryRowContext(ctx, "SELECT log, sequence, stored_at, updated_at FROM position").Scan(&p.Log, &p.Sequence, &stored, &updated)
	p.StoredAt, p.UpdatedAt = timeOf(stored), timeOf(updated)
	return p, s.hide(err)
}

// Append stores events of a log, in any order and however often, in one transaction. log is the name of the log,
// [events.LogMark].Log. The error is [ErrOtherLog] or [ErrLogChanged] when they aren't of the log that is stored.
func (s *Store) Append(ctx context.Context, log string, batch []events.Message, now time.Time) (done Appended, err error) {
	rows := make([]stored, 0, len(batch))
	for _, m := range batch {
		rows = append(rows, read(m))
	}
	slices.SortFunc(rows, func(a, b stored) int { return compare(a.sequence, b.sequence) })
	rows = slices.CompactFunc(rows, func(a, b stored) bool { return a.sequence == b.sequence })
	err = s.write(ctx, func(tx *sql.Tx) error {
		done, err = s.append(ctx, tx, log, rows, now)
		return err
	})
	if err != nil {
		return Appended{}, fmt.Errorf("archive events: %w", err)
	}
	return done, nil
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s *Store) append(ctx context.Context, tx *sql.Tx, log string, rows []stored, now time.Time) (Appended, error) {
	at, err := s.position(ctx, tx)
	if err != nil {
		return Appended{}, err
	}
	if at.Log != "" && at.Log != log {
		return Appended{}, ErrOtherLog
	}
	if rows, err = s.newOf(ctx, tx, rows, at); err != nil || len(rows) == 0 {
		return Appended{}, err
	}
	if err := s.moveGaps(ctx, tx, rows, at.Sequence); err != nil {
		return Appended{}, err
	}
	if err := s.eraseKnown(ctx, tx, rows); err != nil {
		return Appended{}, err
	}
	if err := s.insertEvents(ctx, tx, rows); err != nil {
		return Appended{}, err
	}
	if err := s.updatePayments(ctx, tx, rows, at.Sequence); err != nil {
		return Appended{}, err
	}
	if last := rows[len(rows)-1]; last.sequence > at.Sequence {
		_, err := tx.ExecContext(ctx, s.bind("UPDATE position SET log = ?, sequence = ?, stored_at = ?, updated_at = ?"),
			log, int64(last.sequence), last.storedAt, nanoseconds(now))
		if err != nil {
			return Appended{}, err
		}
	}
	done := Appended{Stored: len(rows)}
	for _, e := range rows {
		if e.problem != "" {
			done.Unreadable = append(done.Unreadable, Unreadable{e.sequence, e.subject, e.problem})
		}
	}
	return done, nil
}

// newOf returns the events that aren't stored yet. One that is stored must be the same.
func (s *Store) newOf(ctx context.Context, tx *sql.Tx, rows []stored, at Position) ([]stored, error) {
	var old []any
	for _, e := range rows {
		if e.sequence <= at.Sequence {
			old = append(old, int64(e.sequence))
		}
	}
	if len(old) == 0 {
		return rows, nil
	}
	known := map[uint64]stored{}
	err := s.each(ctx, tx, func(found *sql.Rows) error {
		e, err := scanStored(found)
		known[e.sequence] = e
		return err
	}, "SELECT "+eventColumns+" FROM events WHERE sequence IN "+list(len(old)), old...)
	if err != nil {
		return nil, err
	}
	var fresh []stored
	for _, e := range rows {
		before, stored := known[e.sequence]
		switch {
		case !stored:
			fresh = append(fresh, e)
		case !before.same(e):
			return nil, fmt.Errorf("%w: event %d is another one", ErrLogChanged, e.sequence)
		}
	}
	return fresh, nil
}

// same reports whether two events of one sequence are the same event.
func (e stored) same(other stored) bool {
	return e.subject == other.subject && e.id == other.id && e.storedAt == other.storedAt &&
		(e.erased || other.erased || bytes.Equal(e.body, other.body))
}

const eventColumns = "sequence, subject, event_id, stored_at, headers, body, provider, order_number, problem, erased"

func scanStored(rows *sql.Rows) (e stored, err error) {
	var erased int
	err = rows.Scan(&e.sequence, &e.subject, &e.id, &e.storedAt, &e.headers, &e.body, &e.ref.Provider, &e.ref.Order, &e.problem, &erased)
	e.erased = erased != 0
	return e, err
}

func (s *Store) moveGaps(ctx context.Context, tx *sql.Tx, rows []stored, last uint64) error {
	before, err := s.readGaps(ctx, tx)
	if err != nil {
		return err
	}
	after := slices.Clone(before)
	for _, e := range rows {
		switch {
		case e.sequence <= last:
			after = after.without(e.sequence)
			continue
		case e.sequence > last+1:
			after = append(after, Gap{First: last + 1, Last: e.sequence - 1})
		}
		last = e.sequence
	}
	return s.writeGaps(ctx, tx, before, after)
}

func (s *Store) insertEvents(ctx context.Context, tx *sql.Tx, rows []stored) error {
	values := make([][]any, len(rows))
	for i, e := range rows {
		values[i] = []any{
			int64(e.sequence), e.subject, e.id, e.storedAt, e.headers, e.body, e.ref.Provider, e.ref.Order, e.problem, number(e.erased),
		}
	}
	return s.insert(ctx, tx, "events ("+eventColumns+")", "", values)
}

// updatePayments writes the state of the payments of these events after them. last is the position before.
func (s *Store) updatePayments(ctx context.Context, tx *sql.Tx, rows []stored, last uint64) error {
	before, err := s.readRows(ctx, tx, rows)
	if err != nil {
		return err
	}
	after, late := map[payment.Ref]row{}, map[payment.Ref]bool{}
	for _, e := range rows {
		if e.ref.Order == "" {
			continue // its subject names no payment
		}
		r, known := after[e.ref]
		if !known {
			r = before[e.ref]
		}
		after[e.ref] = r.with(e)
		if e.sequence <= last || e.problem != "" { // the row alone doesn't say enough
			late[e.ref] = true
		}
	}
	for ref := range late {
		if after[ref], err = s.replay(ctx, tx, ref); err != nil {
			return err
		}
	}
	var payments, moved, metadata [][]any
	for ref, r := range after {
		if r.id == 0 {
			continue
		}
		if was := before[ref]; was.id != 0 && !late[ref] && r.sameFixed(was) {
			moved = append(moved, r.values())
			continue
		}
		payments = append(payments, r.values())
		if before[ref].id == 0 && !late[ref] {
			metadata = append(metadata, r.metadata()...)
		}
	}
	if err := s.insert(ctx, tx, "payments ("+paymentColumns+")", onConflict, payments); err != nil {
		return err
	}
	if err := s.insert(ctx, tx, "payments ("+paymentColumns+")", onConflictFixed, moved); err != nil {
		return err
	}
	return s.insert(ctx, tx, "payment_metadata (id, name, value, opened_at)", "", metadata)
}

// replay returns a payment after all its events: one of them came late, or can't be read. Its metadata is written again, because
// its id can be another one now.
func (s *Store) replay(ctx context.Context, tx *sql.Tx, ref payment.Ref) (r row, err error) {
	err = s.each(ctx, tx, func(rows *sql.Rows) error {
		e, err := scanStored(rows)
		r = r.with(e.decoded())
		return err
	}, "SELECT "+eventColumns+" FROM events WHERE order_number = ? AND provider = ? ORDER BY sequence", ref.Order, ref.Provider)
	if err != nil || r.id == 0 {
		return r, err
	}
	for _, statement := range []string{
		"DELETE FROM payment_metadata WHERE id IN (SELECT id FROM payments WHERE order_number = ? AND provider = ?)",
		"DELETE FROM payments WHERE order_number = ? AND provider = ?",
	} {
		if _, err := tx.ExecContext(ctx, s.bind(statement), ref.Order, ref.Provider); err != nil {
			return r, err
		}
	}
	return r, s.insert(ctx, tx, "payment_metadata (id, name, value, opened_at)", "", r.metadata())
}

// readRows returns what later events of a payment don't say again, of the payments of these events.
func (s *Store) readRows(ctx context.Context, tx *sql.Tx, rows []stored) (map[payment.Ref]row, error) {
	orders := map[string]bool{}
	var args []any
	for _, e := range rows {
		if !orders[e.ref.Order] && e.ref.Order != "" {
			orders[e.ref.Order], args = true, append(args, e.ref.Order)
		}
	}
	found := map[payment.Ref]row{}
	if len(args) == 0 {
		return found, nil
	}
	err := s.each(ctx, tx, func(rows *sql.Rows) error {
		var r row
		var requested int64
		err := rows.Scan(&r.Provider, &r.Order, &r.id, &r.sequence, &r.openedAt, &r.endedAt, &r.Operation, &r.Amount.Minor, &r.Amount.Currency, &r.Upstream, &requested)
		r.RequestedAt = timeOf(requested)
		found[r.Ref] = r
		return err
	}, "SELECT provider, order_number, id, sequence, opened_at, ended_at, operation, amount_minor, currency, upstream, requested_at FROM payments WHERE order_number IN "+list(len(args)), args...)
	return found, err
}
