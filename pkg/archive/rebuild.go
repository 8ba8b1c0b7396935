package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"payonce/pkg/events"
)

// nextSuffix names the database that is made beside the one that serves.
const nextSuffix = "_next"

// Rebuild makes the archive again from the log, beside the one that serves, and then replaces its content in one transaction:
// who reads sees the old content or the new one. What the log has forgotten is taken from the old content, and so are
// erasures. otherLog gives up what was read from another log, which looks like this one's events; without it the
// error is [ErrOtherLog] or [ErrLogChanged]. progress is called now and then with the last sequence that was read.
func (s *Store) Rebuild(ctx context.Context, log Log, batch int, otherLog bool, now func() time.Time, progress func(at, of uint64)) error {
	bounds, err := log.LogBounds(ctx)
	if err != nil {
		return err
	}
	at, err := s.Position(ctx)
	if err != nil {
		return fmt.Errorf("rebuild the archive: %w", err)
	}
	err = s.compare(ctx, log, bounds, at)
	if other := final(err); err != nil && (!other || !otherLog) {
		return err
	} else if other {
		at = Position{}
	}
	next, err := s.beside(ctx)
	if err != nil {
		return fmt.Errorf("rebuild the archive: %w", err)
	}
	err = s.fillNext(ctx, next, log, bounds, at, batch, now, progress)
	if err == nil {
		err = s.replace(ctx, next, bounds.Log)
	}
	if err = errors.Join(err, next.Close()); err != nil {
		return fmt.Errorf("rebuild the archive: %w", err)
	}
	return s.dropNext(ctx)
}

// beside makes an empty database beside this one.
func (s *Store) beside(ctx context.Context) (*Store, error) {
	if err := s.dropNext(ctx); err != nil {
		return nil, err
	}
	return Open(ctx, s.nextLocation())
}

func (s *Store) nextLocation() Location {
	location := s.location
	if s.postgres {
		location.Schema += nextSuffix
	} else {
		location.File += nextSuffix
	}
	return location
}

func (s *Store) dropNext(ctx context.Context) error {
	location := s.nextLocation()
	if s.postgres {
		_, err := s.db.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{location.Schema}.Sanitize()+" CASCADE")
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(location.File + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (s *Store) fillNext(ctx context.Context, next *Store, log Log, bounds events.LogBounds, at Position, batch int, now func() time.Time, progress func(at, of uint64)) error {
	if err := s.copyErasures(ctx, next); err != nil {
		return err
	}
	var waiting []events.Message
	flush := func() error {
		if len(waiting) == 0 {
			return nil
		}
		_, err := next.Append(ctx, bounds.Log, waiting, now())
		progress(waiting[len(waiting)-1].Sequence, max(bounds.Sequence, waiting[len(waiting)-1].Sequence))
		waiting = waiting[:0]
		return err
	}
	take := func(m events.Message) error {
		if waiting = append(waiting, m); len(waiting) < batch {
			return nil
		}
		return flush()
	}
	if at.Log != "" {
		if err := s.eachOlder(ctx, bounds.First, take); err != nil {
			return err
		}
	}
	err := log.ReadLog(ctx, bounds.First, func(m events.Message) (bool, error) {
		return ctx.Err() == nil, take(m)
	})
	if err == nil {
		err = flush()
	}
	return errors.Join(err, ctx.Err())
}

// eachOlder gives each event that the log has forgotten.
func (s *Store) eachOlder(ctx context.Context, first uint64, take func(events.Message) error) error {
	if first == 0 {
		return nil
	}
	archived := pages{store: s, last: first - 1}
	for {
		e, has, err := archived.peek(ctx)
		if err != nil || !has {
			return err
		}
		archived.drop()
		if err := take(e.message()); err != nil {
			return err
		}
	}
}

// replace puts the content of next in the place of this one's, in one transaction. Events that came meanwhile are delivered or
// read again: the position goes back to that of next.
func (s *Store) replace(ctx context.Context, next *Store, log string) error {
	at, err := next.Position(ctx)
	if err != nil {
		return err
	}
	if at.Log == "" { // the log is empty
		if _, err := next.db.ExecContext(ctx, next.bind("UPDATE position SET log = ?"), log); err != nil {
			return err
		}
	}
	prefix := pgx.Identifier{next.location.Schema}.Sanitize() + "."
	connection, err := s.db.Conn(ctx)
	if err != nil {
		return s.hide(err)
	}
	defer func() { _ = connection.Close() }() // it goes back to the pool
	if !s.postgres {
		prefix = "next."
		if _, err := connection.ExecContext(ctx, "ATTACH DATABASE ? AS next", next.location.File); err != nil {
			return err
		}
		defer func() { _, _ = connection.ExecContext(context.WithoutCancel(ctx), "DETACH DATABASE next") }() // Close does it otherwise
	}
	tx, err := connection.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after the commit
	if err := s.copyTables(ctx, tx, prefix); err != nil {
		return err
	}
	return tx.Commit()
}

// columnsOf are the columns of each table, in the order in which the tables are copied.
var columnsOf = [][2]string{
	{"position", "one, log, sequence, stored_at, updated_at"}, {"gaps", "first, last, forgotten"}, {"events", eventColumns},
	{"payments", paymentColumns}, {"payment_metadata", "id, name, value, opened_at"}, {"erasures", "order_number, provider, erased_at, erased_by, reason"},
}

func (s *Store) copyTables(ctx context.Context, tx *sql.Tx, prefix string) error {
	if s.postgres {
		if _, err := tx.ExecContext(ctx, "LOCK TABLE position IN ACCESS EXCLUSIVE MODE"); err != nil {
			return err
		}
	}
	for _, table := range columnsOf {
		if table[0] == "erasures" { // those that were made meanwhile stay
			continue
		}
		for _, statement := range []string{
			"DELETE FROM " + table[0],
			fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM %s%[1]s", table[0], table[1], prefix),
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%s: %w", table[0], err)
			}
		}
	}
	return s.eraseAgain(ctx, tx, prefix)
}
