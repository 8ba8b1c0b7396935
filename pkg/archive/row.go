package archive

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// stored is an event as a row of the table events has it.
type stored struct {
	sequence uint64
	subject  string
	id       string
	storedAt int64
	headers  string
	body     []byte
	ref      payment.Ref
	problem  string // why it can't be read; empty where it can
	erased   bool

	payment payment.Payment // where it can be read
}

// read makes a row of an event of the log. An event that can't be read is kept all the same, with the reason.
func read(m events.Message) stored {
	headers, err := json.Marshal(m.Header)
	if err != nil || m.Header == nil {
		headers = []byte("{}")
	}
	e := stored{
		sequence: m.Sequence, subject: text(m.Subject), id: text(m.Header.Get("ce-id")), storedAt: nanoseconds(m.StoredAt), headers: string(headers),
		body: m.Data,
	}
	if e.body == nil {
		e.body = []byte{}
	}
	return e.decoded()
}

// decoded fills in what the subject and the body say.
func (e stored) decoded() stored {
	e.ref, _ = events.SubjectRef(e.subject)
	p, err := events.ReadPayment(e.subject, e.sequence, e.body)
	switch bad, is := events.Unreadable(err); {
	case is:
		e.problem = bad.Problem()
	case err != nil:
		e.problem = "it is not the event of a payment"
	default:
		e.payment, e.problem = p, ""
	}
	return e
}

// row is the present state of a payment.
type row struct {
	payment.Payment
	id         uint64 // sequence of its first event
	sequence   uint64 // of its last event that could be read
	unreadable uint64 // sequence of an event after that, which can't be read; 0 for none
	openedAt   int64  // when its first event was stored
	endedAt    int64  // when it had its first outcome; 0 before
}

// with returns the row after an event that comes after all that are in it.
func (r row) with(e stored) row {
	if e.problem != "" {
		if r.id != 0 { // of a payment of which nothing can be read there is no row
			r.unreadable = e.sequence
		}
		return r
	}
	r.Payment, r.sequence, r.unreadable = e.payment, e.sequence, 0
	if r.id == 0 {
		r.id, r.openedAt = e.sequence, e.storedAt
	}
	if r.endedAt == 0 && e.payment.Status.Ended() {
		r.endedAt = nanoseconds(e.payment.UpdatedAt)
	}
	return r
}

// paymentColumns are those of values, in order.
const paymentColumns = `id, provider, order_number, operation, status, revision, sequence, unreadable_sequence, provider_reference, reason_code,
 provider_code, amount_minor, currency, settled_minor, settled_currency, upstream, attempts, submits, contested, requested_at, opened_at, submitted_at,
 ended_at, changed_at, resume_at, overdue_at`

// fixed are the columns that hardly ever change between two events of a payment. SQLite writes the index of every column that a
// statement names, so they are named only where one did.
var fixed = []string{"id", "provider", "order_number", "operation", "amount_minor", "currency", "upstream", "requested_at", "opened_at"}

// onConflict replaces a row of the same payment; onConflictFixed leaves what is fixed.
var onConflict, onConflictFixed = replacing(nil), replacing(fixed)

func replacing(but []string) string {
	var set []string
	for _, column := range strings.Split(paymentColumns, ",") {
		if column = strings.TrimSpace(column); !slices.Contains(but, column) {
			set = append(set, column+" = excluded."+column)
		}
	}
	return "ON CONFLICT (order_number, provider) DO UPDATE SET " + strings.Join(set, ", ")
}

// sameFixed reports whether what is fixed is as it was before.
func (r row) sameFixed(before row) bool {
	return r.id == before.id && r.openedAt == before.openedAt && r.Operation == before.Operation && r.Amount == before.Amount &&
		text(r.Upstream) == before.Upstream && nanoseconds(r.RequestedAt) == nanoseconds(before.RequestedAt)
}

func (r row) values() []any {
	reason := payment.Reason{}
	if r.Reason != nil {
		reason = *r.Reason
	}
	return []any{
		int64(r.id), r.Provider, r.Order, string(r.Operation), string(r.Status), r.Revision, int64(r.sequence), int64(r.unreadable),
		text(r.ProviderReference), text(reason.Code), text(reason.ProviderCode), r.Amount.Minor, r.Amount.Currency, r.SettledAmount.Minor,
		r.SettledAmount.Currency, text(r.Upstream), r.Attempts, r.Requests(), number(len(r.Evidence) > 0 || r.Status == payment.Conflict),
		nanoseconds(r.RequestedAt), r.openedAt, nanoseconds(cmp.Or(r.FirstSubmittedAt, r.SubmittedAt)), r.endedAt, nanoseconds(r.UpdatedAt),
		nanoseconds(r.ResumeAt), nanoseconds(r.OverdueAt),
	}
}

// metadata returns the rows of the table payment_metadata.
func (r row) metadata() [][]any {
	var rows [][]any
	for name, value := range r.Metadata {
		rows = append(rows, []any{int64(r.id), text(name), text(value), r.openedAt})
	}
	return rows
}

// text leaves out what PostgreSQL doesn't take in a text. The event itself keeps it.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// nanoseconds since 1970; 0 for no time, and for one that 64 bits can't hold.
func nanoseconds(t time.Time) int64 {
	if t.Year() < 1678 || t.Year() > 2261 {
		return 0
	}
	return t.UnixNano()
}

// timeOf is the opposite of nanoseconds.
func timeOf(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
