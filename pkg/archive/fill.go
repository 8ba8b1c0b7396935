package archive

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"payonce/pkg/events"
)

// fill reads from the log what the archive lacks: gaps up to its position, and what came after it. The durable consumer
// doesn't deliver that where it was acknowledged once already, as after a restore of the database from an older copy. What
// the log has forgotten stays a gap for ever, which is said once.
func (a *Archiver) fill(ctx context.Context, bounds events.LogBounds) error {
	fresh, open, forgotten, err := a.store.forget(ctx, bounds)
	if err != nil {
		return err
	}
	a.metrics.lost(forgotten)
	for _, one := range fresh {
		a.o.Logger.Error("the log has forgotten events before they were archived; they are lost to the archive", "first", one.First, "last", one.Last,
			"next", "docs/archive.md#gaps")
	}
	for _, one := range open {
		if err := a.copy(ctx, one); err != nil {
			return err
		}
	}
	if !a.idle {
		return nil // what the consumer has yet to deliver need not be read here
	}
	at, err := a.store.Position(ctx)
	if err != nil {
		return err
	}
	// What was just written is on its way through the consumer: only what lay there at the last look is read here.
	before := a.seen
	if a.seen = bounds.Sequence; at.Sequence < before {
		return a.copy(ctx, Gap{First: at.Sequence + 1, Last: before})
	}
	return nil
}

// copy reads a part of the log.
func (a *Archiver) copy(ctx context.Context, part Gap) error {
	var batch []events.Message
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := a.append(ctx, batch)
		batch = nil
		return err
	}
	err := a.o.Log.ReadLog(ctx, part.First, func(m events.Message) (bool, error) {
		if m.Sequence > part.Last {
			return false, nil
		}
		if batch = append(batch, m); len(batch) < a.o.Batch {
			return m.Sequence < part.Last, nil
		}
		return m.Sequence < part.Last, flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("read events %d to %d again: %w", part.First, part.Last, err)
	}
	return nil
}

// forget marks the gaps that the log can't fill any more. It returns those that are news, those that the log can fill, and how
// many events are forgotten in all.
func (s *Store) forget(ctx context.Context, bounds events.LogBounds) (fresh, open gaps, forgotten uint64, err error) {
	known, err := s.readGaps(ctx, s.db)
	if err != nil {
		return nil, nil, 0, err
	}
	marked := known.forgotten(bounds.First)
	if !slices.Equal(known, marked) {
		err = s.write(ctx, func(tx *sql.Tx) error {
			if known, err = s.readGaps(ctx, tx); err != nil {
				return err
			}
			marked = known.forgotten(bounds.First)
			return s.writeGaps(ctx, tx, known, marked)
		})
	}
	for _, one := range marked {
		switch {
		case !one.Forgotten:
			open = append(open, one)
		case !slices.Contains(known, one):
			fresh = append(fresh, one)
		}
	}
	forgotten, _ = marked.count()
	return fresh, open, forgotten, err
}

// event returns one event of the archive, if it is there.
func (s *Store) event(ctx context.Context, sequence uint64) (e stored, has bool, err error) {
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		has = true
		e, err = scanStored(rows)
		return err
	}, "SELECT "+eventColumns+" FROM events WHERE sequence = ?", int64(sequence))
	return e, has, err
}
