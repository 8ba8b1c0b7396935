package archive

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// expireAtOnce is how many payments one transaction deletes, so that new events need not wait for long.
const expireAtOnce = 500

// Expire deletes payments that ended and changed last before a time, with all their events, and events of no payment that
// were stored before it. What is open or in conflict stays. It returns how many payments were deleted.
func (s *Store) Expire(ctx context.Context, before time.Time) (payments int, err error) {
	for ctx.Err() == nil {
		n, err := s.expireSome(ctx, nanoseconds(before))
		payments += n
		if err != nil {
			return payments, fmt.Errorf("delete what is too old from the archive: %w", err)
		}
		if n < expireAtOnce {
			break
		}
	}
	return payments, ctx.Err()
}

func (s *Store) expireSome(ctx context.Context, before int64) (n int, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		var ids []any
		err := s.each(ctx, tx, func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT id FROM payments WHERE ended_at <> 0 AND changed_at < ? AND status <> 'conflict' ORDER BY changed_at LIMIT ?", before, expireAtOnce)
		if err != nil {
			return err
		}
		if n = len(ids); n > 0 {
			for _, statement := range []string{
				"DELETE FROM events WHERE sequence IN (SELECT e.sequence FROM events e JOIN payments p ON p.order_number = e.order_number AND p.provider = e.provider WHERE p.id IN ",
				"DELETE FROM erasures WHERE EXISTS (SELECT 1 FROM payments p WHERE p.order_number = erasures.order_number AND p.provider = erasures.provider AND p.id IN ",
				"DELETE FROM payment_metadata WHERE (id IN ", "DELETE FROM payments WHERE (id IN ",
			} {
				if _, err := tx.ExecContext(ctx, s.bind(statement+list(n)+")"), ids...); err != nil {
					return err
				}
			}
		}
		_, err = tx.ExecContext(ctx, s.bind(`DELETE FROM events WHERE problem <> '' AND stored_at < ?
 AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_number = events.order_number AND p.provider = events.provider)`), before)
		return err
	})
	return n, err
}
