package archive

import (
	"context"
	"database/sql"
	"encoding/json"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// copyErasures lets next erase what was erased here.
func (s *Store) copyErasures(ctx context.Context, next *Store) error {
	var rows [][]any
	err := s.each(ctx, s.db, func(found *sql.Rows) error {
		var order, provider, by, reason string
		var at int64
		err := found.Scan(&order, &provider, &at, &by, &reason)
		rows = append(rows, []any{order, provider, at, by, reason})
		return err
	}, "SELECT order_number, provider, erased_at, erased_by, reason FROM erasures")
	if err != nil {
		return err
	}
	return next.insert(ctx, next.db, "erasures (order_number, provider, erased_at, erased_by, reason)", "", rows)
}

// eraseAgain erases payments that were erased while next was made.
func (s *Store) eraseAgain(ctx context.Context, tx *sql.Tx, prefix string) error {
	var refs []payment.Ref
	err := s.each(ctx, tx, func(rows *sql.Rows) error {
		var ref payment.Ref
		err := rows.Scan(&ref.Order, &ref.Provider)
		refs = append(refs, ref)
		return err
	}, "SELECT order_number, provider FROM erasures WHERE NOT EXISTS (SELECT 1 FROM "+prefix+
		"erasures n WHERE n.order_number = erasures.order_number AND n.provider = erasures.provider)")
	for _, ref := range refs {
		if err == nil {
			err = s.erasePayment(ctx, tx, ref, new(int))
		}
	}
	return err
}

// message is the event as the log had it.
func (e stored) message() events.Message {
	m := events.Message{Subject: e.subject, Data: e.body, Sequence: e.sequence, StoredAt: timeOf(e.storedAt)}
	_ = json.Unmarshal([]byte(e.headers), &m.Header) // we wrote it
	return m
}
