package archive

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// few is how many payments are worth to be sorted. Where a part of the filter chooses more, going back in time from the newest
// finds a page of them soon.
// The only part of a filter needs no look at the payments themselves before they are sorted.
const few, fewAlone = 10_000, 50_000

// Find returns payments that the filter chooses, newest first: by when their first event was stored. It begins after the
// cursor of a page before, or with the newest for an empty one, and returns at most limit of them. The error is [search.ErrCursor]
// for what isn't a cursor.
func (s *Store) Find(ctx context.Context, f search.Filter, after string, limit int) (search.Page, error) {
	limit = min(max(limit, 1), search.MaxPage)
	q := query{postgres: s.postgres, conditions: conditions(f), times: times(f), limit: limit + 1}
	if after != "" {
		c, err := search.ParseCursor(after)
		if err != nil {
			return search.Page{}, err
		}
		q.after = &c
	}
	if f.MetadataName != "" {
		q.name, q.value, q.hasValue = text(f.MetadataName), text(f.MetadataValue), f.HasValue
	} else if err := s.chooseFew(ctx, &q); err != nil {
		return search.Page{}, fmt.Errorf("search the archive: %w", err)
	}
	entries, err := s.entries(ctx, q)
	if err != nil {
		return search.Page{}, fmt.Errorf("search the archive: %w", err)
	}
	page := search.Page{Entries: entries}
	if len(entries) > limit {
		page.Entries = entries[:limit]
		page.Next = search.CursorOf(page.Entries[limit-1]).String()
	}
	return page, nil
}

// query is a search as it is carried out.
type query struct {
	conditions  []condition
	times       condition
	after       *search.Cursor
	name, value string // of the metadata; empty for none
	hasValue    bool
	postgres    bool
	few         int // 1 + the position of the condition that chooses few payments; 0 for none
	limit       int
}

// chooseFew finds a condition that chooses few payments. It is asked for where no index has the order of the search and the
// filter.
func (s *Store) chooseFew(ctx context.Context, q *query) error {
	if len(q.conditions) == 1 && q.conditions[0].ordered {
		return nil
	}
	most := few
	if len(q.conditions) == 1 {
		most = fewAlone
	}
	for i, c := range q.conditions {
		var n int
		statement := fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM payments p WHERE %s LIMIT %d) sample", c.where, most+1)
		if err := s.db.QueryRowContext(ctx, s.bind(statement), c.args...).Scan(&n); err != nil {
			return s.hide(err)
		}
		if n <= most {
			q.few = i + 1
			return nil
		}
	}
	return nil
}

// besides is the condition where another one, or the order, says which rows are looked at. SQLite would otherwise take an index
// that chooses many and sort them all.
func (c condition) besides(postgres bool) string {
	if postgres || c.ordered {
		return c.where
	}
	return strings.ReplaceAll(c.where, "p.", "+p.")
}

// statement returns the search in SQL. What must go first is said so that neither database can take another way: SQLite
// keeps the order of a CROSS JOIN, and a materialized part is made first.
func (q query) statement() (string, []any) {
	const columns = "SELECT p.id, p.sequence, p.unreadable_sequence, p.opened_at, p.ended_at, e.body FROM "
	var b strings.Builder
	var args []any
	ordered, where := "p", []string{}
	add := func(c condition, table string) {
		if c.where != "" {
			where, args = append(where, strings.ReplaceAll(c.where, "opened_at", table+".opened_at")), append(args, c.args...)
		}
	}
	switch {
	case q.name != "":
		ordered = "m"
		b.WriteString(columns + "payment_metadata m CROSS JOIN payments p")
		where, args = append(where, "p.id = m.id", "m.name = ?"), append(args, q.name)
		if q.hasValue {
			where, args = append(where, "m.value = ?"), append(args, q.value)
		}
	case q.few > 0:
		c := q.conditions[q.few-1]
		args = append(args, c.args...)
		inner := c.where
		if len(q.conditions) == 1 {
			inner, args = q.firstOf(inner, args)
		}
		b.WriteString("WITH few AS MATERIALIZED (SELECT id FROM payments p WHERE " + inner + ") " + columns + "few CROSS JOIN payments p")
		where = append(where, "p.id = few.id")
	default:
		b.WriteString(columns + "payments p")
	}
	for i, c := range q.conditions {
		if i+1 != q.few {
			where, args = append(where, c.besides(q.postgres)), append(args, c.args...)
		}
	}
	add(q.times, ordered)
	if q.after != nil {
		where = append(where, fmt.Sprintf("(%s.opened_at, %[1]s.id) < (?, ?)", ordered))
		args = append(args, nanoseconds(q.after.OpenedAt), int64(q.after.First))
	}
	b.WriteString(" CROSS JOIN events e WHERE e.sequence = p.sequence")
	for _, one := range where {
		b.WriteString(" AND " + one)
	}
	fmt.Fprintf(&b, " ORDER BY %s.opened_at DESC, %[1]s.id DESC LIMIT %d", ordered, q.limit)
	return b.String(), args
}

// firstOf cuts the only part of a filter to the page that is looked for.
func (q query) firstOf(where string, args []any) (string, []any) {
	if q.times.where != "" {
		where, args = where+" AND "+q.times.where, append(args, q.times.args...)
	}
	if q.after != nil {
		where, args = where+" AND (opened_at, id) < (?, ?)", append(args, nanoseconds(q.after.OpenedAt), int64(q.after.First))
	}
	return where + fmt.Sprintf(" ORDER BY opened_at DESC, id DESC LIMIT %d", q.limit), args
}

func (s *Store) entries(ctx context.Context, q query) (found []search.Entry, err error) {
	statement, args := q.statement()
	err = s.each(ctx, s.db, func(rows *sql.Rows) error {
		e, err := scanEntry(rows)
		found = append(found, e)
		return err
	}, statement, args...)
	return found, err
}

func scanEntry(rows *sql.Rows) (e search.Entry, err error) {
	var opened, ended int64
	var body []byte
	if err := rows.Scan(&e.First, &e.Sequence, &e.Unreadable, &opened, &ended, &body); err != nil {
		return e, err
	}
	e.OpenedAt, e.EndedAt = timeOf(opened), timeOf(ended)
	if e.Payment, err = events.DecodePayment(body); err != nil {
		return e, fmt.Errorf("event %d: %w", e.Sequence, err)
	}
	return e, nil
}

// Last returns a payment's state in the archive, or [events.ErrNoPayment].
func (s *Store) Last(ctx context.Context, ref payment.Ref) (search.Entry, error) {
	page, err := s.Find(ctx, search.Filter{Providers: []string{ref.Provider}, Order: ref.Order}, "", 1)
	if err == nil && len(page.Entries) == 0 {
		return search.Entry{}, events.ErrNoPayment
	}
	if err != nil {
		return search.Entry{}, err
	}
	return page.Entries[0], nil
}
