package archive

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Finding is a difference between the archive and the log, or within the archive.
type Finding struct {
	Kind     string `json:"kind"`
	Sequence uint64 `json:"sequence,omitempty"`
	Subject  string `json:"subject"`
	Detail   string `json:"detail,omitempty"`
}

// The kinds of findings.
const (
	Missing   = "missing"   // the log has the event, the archive doesn't
	Extra     = "extra"     // the archive has an event that the log should have and doesn't: it was counted twice, or the log lost it
	Different = "different" // the event isn't the same
	Wrong     = "wrong"     // the payment's row doesn't say what its events say
)

// Verified says what was compared.
type Verified struct {
	Events   int64 `json:"events"`   // of the log
	Older    int64 `json:"older"`    // events of the archive that the log has forgotten
	Payments int64 `json:"payments"` // rows that were compared with their events
	Findings int64 `json:"findings"`
}

// verifyPage is how many events are read from the archive at once.
const verifyPage = 1000

// Verify compares every event of the log up to the archive's position with the archive, both ways, and every payment of the
// archive with its events. Each difference is given to found. The error is [ErrOtherLog] or [ErrLogChanged] when the log isn't
// the one that the archive has read.
func (s *Store) Verify(ctx context.Context, log Log, found func(Finding)) (v Verified, err error) {
	report := func(f Finding) {
		v.Findings++
		found(f)
	}
	bounds, err := log.LogBounds(ctx)
	if err != nil {
		return v, err
	}
	at, err := s.Position(ctx)
	if err != nil {
		return v, fmt.Errorf("verify the archive: %w", err)
	}
	if err := s.compare(ctx, log, bounds, at); err != nil {
		return v, err
	}
	if err := s.db.QueryRowContext(ctx, s.bind("SELECT count(*) FROM events WHERE sequence < ?"), int64(bounds.First)).Scan(&v.Older); err != nil {
		return v, err
	}
	if err := s.verifyEvents(ctx, log, bounds.First, at.Sequence, &v, report); err != nil {
		return v, fmt.Errorf("verify the archive: %w", err)
	}
	if err := s.verifyPayments(ctx, &v, report); err != nil {
		return v, fmt.Errorf("verify the archive: %w", err)
	}
	return v, nil
}

func (s *Store) verifyEvents(ctx context.Context, log Log, first, last uint64, v *Verified, report func(Finding)) error {
	archived := pages{store: s, next: first, last: last}
	err := log.ReadLog(ctx, first, func(m events.Message) (bool, error) {
		if m.Sequence > last {
			return false, nil
		}
		v.Events++
		e := read(m)
		for {
			known, has, err := archived.peek(ctx)
			switch {
			case err != nil:
				return false, err
			case !has || known.sequence > e.sequence:
				report(Finding{Kind: Missing, Sequence: e.sequence, Subject: e.subject})
				return true, nil
			case known.sequence < e.sequence:
				report(Finding{Kind: Extra, Sequence: known.sequence, Subject: known.subject})
				archived.drop()
				continue
			}
			archived.drop()
			if detail := known.differs(e); detail != "" {
				report(Finding{Different, e.sequence, e.subject, detail})
			}
			return true, nil
		}
	})
	if err != nil {
		return err
	}
	for {
		known, has, err := archived.peek(ctx)
		if err != nil || !has {
			return err
		}
		report(Finding{Kind: Extra, Sequence: known.sequence, Subject: known.subject})
		archived.drop()
	}
}

// differs names what is different in two events of one sequence.
func (e stored) differs(other stored) string {
	switch {
	case e.subject != other.subject:
		return "subject"
	case e.id != other.id:
		return "id"
	case e.storedAt != other.storedAt:
		return "time"
	case e.headers != other.headers:
		return "headers"
	case !e.erased && !bytes.Equal(e.body, other.body):
		return "body"
	}
	return ""
}

// pages reads events of the archive in order.
type pages struct {
	store      *Store
	next, last uint64
	read       []stored
	end        bool
}

func (p *pages) peek(ctx context.Context) (e stored, has bool, err error) {
	if len(p.read) == 0 && !p.end {
		err = p.store.each(ctx, p.store.db, func(rows *sql.Rows) error {
			e, err := scanStored(rows)
			p.read = append(p.read, e)
			return err
		}, "SELECT "+eventColumns+" FROM events WHERE sequence >= ? AND sequence <= ? ORDER BY sequence LIMIT ?", int64(p.next), int64(p.last), verifyPage)
		if p.end = len(p.read) < verifyPage; err != nil {
			return e, false, err
		}
	}
	if len(p.read) == 0 {
		return e, false, nil
	}
	return p.read[0], true, nil
}

func (p *pages) drop() {
	p.next = p.read[0].sequence + 1
	p.read = p.read[1:]
}

// verifyPayments makes each payment again from its events.
func (s *Store) verifyPayments(ctx context.Context, v *Verified, report func(Finding)) error {
	after := payment.Ref{}
	for {
		var refs []payment.Ref
		err := s.each(ctx, s.db, func(rows *sql.Rows) error {
			var ref payment.Ref
			err := rows.Scan(&ref.Order, &ref.Provider)
			refs = append(refs, ref)
			return err
		}, `SELECT DISTINCT order_number, provider FROM events WHERE (order_number, provider) > (?, ?) ORDER BY order_number, provider LIMIT ?`,
			after.Order, after.Provider, verifyPage)
		if err != nil || len(refs) == 0 {
			return err
		}
		for _, ref := range refs {
			if err := s.verifyPayment(ctx, ref, v, report); err != nil {
				return err
			}
		}
		after = refs[len(refs)-1]
	}
}

func (s *Store) verifyPayment(ctx context.Context, ref payment.Ref, v *Verified, report func(Finding)) error {
	var want row
	err := s.each(ctx, s.db, func(rows *sql.Rows) error {
		e, err := scanStored(rows)
		want = want.with(e.decoded())
		return err
	}, "SELECT "+eventColumns+" FROM events WHERE order_number = ? AND provider = ? ORDER BY sequence", ref.Order, ref.Provider)
	if err != nil {
		return err
	}
	have, err := s.rowOf(ctx, ref)
	if err != nil || want.id == 0 && have == nil {
		return err
	}
	v.Payments++
	if wanted := asText(want.values()); want.id == 0 || !slices.Equal(have, wanted) {
		return s.moved(ctx, ref, want, report)
	}
	return nil
}

// moved reports a wrong payment, unless events came while it was compared.
func (s *Store) moved(ctx context.Context, ref payment.Ref, want row, report func(Finding)) error {
	var last uint64
	if err := s.db.QueryRowContext(ctx, s.bind("SELECT coalesce(max(sequence), 0) FROM events WHERE order_number = ? AND provider = ?"), ref.Order, ref.Provider).Scan(&last); err != nil {
		return err
	}
	if last <= max(want.sequence, want.unreadable) {
		report(Finding{Kind: Wrong, Sequence: last, Subject: ref.String()})
	}
	return nil
}

// rowOf returns the row of a payment as texts; nil for none.
func (s *Store) rowOf(ctx context.Context, ref payment.Ref) (values []string, err error) {
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values = make([]string, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		return rows.Scan(into...)
	}, "SELECT "+paymentColumns+" FROM payments WHERE order_number = ? AND provider = ?", ref.Order, ref.Provider)
	return values, err
}

func asText(values []any) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return texts
}
