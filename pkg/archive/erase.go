package archive

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"payonce/pkg/payment"
)

// Erased replaces what was erased.
const Erased = "[erased]"

// Erase replaces what the archive holds of a payment's customer: the values of its metadata, and what the customer had to do,
// which events of older versions hold. Amounts, statuses, times, references and codes stay. It is remembered, so that events
// of the payment that come later, and a rebuild, are treated alike. It returns how many events were changed.
func (s *Store) Erase(ctx context.Context, ref payment.Ref, by, reason string, now time.Time) (changed int, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		if err := s.insert(ctx, tx, "erasures (order_number, provider, erased_at, erased_by, reason)", "ON CONFLICT (order_number, provider) DO NOTHING",
			[][]any{{ref.Order, ref.Provider, nanoseconds(now), text(by), text(reason)}}); err != nil {
			return err
		}
		return s.erasePayment(ctx, tx, ref, &changed)
	})
	if err != nil {
		return 0, fmt.Errorf("erase %s from the archive: %w", ref, err)
	}
	return changed, s.forgetErased(ctx)
}

func (s *Store) erasePayment(ctx context.Context, tx *sql.Tx, ref payment.Ref, changed *int) (err error) {
	if *changed, err = s.eraseEvents(ctx, tx, ref); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.bind("UPDATE payment_metadata SET value = ? WHERE id IN (SELECT id FROM payments WHERE order_number = ? AND provider = ?)"),
		Erased, ref.Order, ref.Provider)
	return err
}

func (s *Store) eraseEvents(ctx context.Context, tx *sql.Tx, ref payment.Ref) (changed int, err error) {
	var found []stored
	err = s.each(ctx, tx, func(rows *sql.Rows) error {
		e, err := scanStored(rows)
		found = append(found, e)
		return err
	}, "SELECT "+eventColumns+" FROM events WHERE order_number = ? AND provider = ? AND erased = 0", ref.Order, ref.Provider)
	if err != nil {
		return 0, err
	}
	for _, e := range found {
		if _, err := tx.ExecContext(ctx, s.bind("UPDATE events SET body = ?, erased = 1 WHERE sequence = ?"), eraseBody(e.body), int64(e.sequence)); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

// forgetErased lets SQLite overwrite what was erased also where it still is in the file of its last writes.
func (s *Store) forgetErased(ctx context.Context) error {
	if s.postgres {
		return nil
	}
	var busy, pages, done int
	return s.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &done)
}

// eraseKnown erases what events hold of payments that were erased before they came.
func (s *Store) eraseKnown(ctx context.Context, tx *sql.Tx, rows []stored) error {
	var any bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM erasures)").Scan(&any); err != nil || !any {
		return err
	}
	for i, e := range rows {
		var known int
		if err := tx.QueryRowContext(ctx, s.bind("SELECT count(*) FROM erasures WHERE order_number = ? AND provider = ?"), e.ref.Order, e.ref.Provider).Scan(&known); err != nil {
			return err
		}
		if known > 0 {
			rows[i].body, rows[i].erased = eraseBody(e.body), true
			rows[i] = rows[i].decoded()
			rows[i].problem = e.problem
		}
	}
	return nil
}

// eraseBody returns an event without what can be personal in it. Fields that this version doesn't know stay, and of what can't
// be read nothing does.
func eraseBody(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return []byte(`"` + Erased + `"`)
	}
	delete(fields, "action")
	delete(fields, "withheld_action")
	if raw, has := fields["metadata"]; has {
		var metadata map[string]json.RawMessage
		_ = json.Unmarshal(raw, &metadata) // of another kind: nothing of it stays
		erased := map[string]string{}
		for name := range metadata {
			erased[name] = Erased
		}
		fields["metadata"], _ = json.Marshal(erased) // texts always encode
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return []byte(`"` + Erased + `"`)
	}
	return out
}

// OrdersOf returns the payments whose metadata names a customer: name is the field that an upstream puts the customer's number
// in.
func (s *Store) OrdersOf(ctx context.Context, name, value string) (found []payment.Ref, err error) {
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		var ref payment.Ref
		err := rows.Scan(&ref.Provider, &ref.Order)
		found = append(found, ref)
		return err
	}, `SELECT p.provider, p.order_number FROM payment_metadata m JOIN payments p ON p.id = m.id WHERE m.name = ? AND m.value = ?
 ORDER BY p.provider, p.order_number`, text(name), text(value))
	return found, err
}
