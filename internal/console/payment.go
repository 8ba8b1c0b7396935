package console

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// zones are where the providers of a currency are. Neither country changes its clocks over the year.
var zones = map[string]*time.Location{
	"KRW": time.FixedZone("KST", 9*60*60),
	"TWD": time.FixedZone("CST", 8*60*60),
}

// Where the command of a payment is.
const (
	nowhere = ""       // it has left the queue
	queued  = "queued" // it waits, or is in work
	held    = "parked" // the broker holds it until a time
)

// paymentPage is a payment and how it came to stand as it does. What the customer must do is not in it.
type paymentPage struct {
	payment.Payment
	Zone        *time.Location // of the provider; nil where it is not known
	Steps       []step
	Command     string
	QueuedAt    time.Time
	Due         time.Time // when a parked command comes back
	Next        string
	Unreadable  []uint64
	DeadLetters []events.DeadLetter
	Archived    bool // the log has forgotten it
}

// step is one event of a payment.
type step struct {
	events.Record
	After time.Duration // since the event before
	First bool
}

// MetadataNames are the names of the metadata in order.
func (p paymentPage) MetadataNames() []string { return slices.Sorted(maps.Keys(p.Metadata)) }

func (c *Console) payment(w http.ResponseWriter, r *http.Request) {
	ref := payment.Ref{Provider: r.PathValue("provider"), Order: r.PathValue("order")}
	if ref.Validate() != nil {
		c.notFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	page, err := c.tell(ctx, ref)
	switch {
	case errors.Is(err, events.ErrNoPayment):
		c.notFound(w, r)
	case err != nil:
		c.failed(w, r, err)
	default:
		c.render(w, r, http.StatusOK, "payment", ref.Order, page)
	}
}

// tell reads the log, the queue, the archive where neither knows the order, and the dead letters about it.
func (c *Console) tell(ctx context.Context, ref payment.Ref) (paymentPage, error) {
	page := paymentPage{}
	var err error
	if page.DeadLetters, err = c.o.Records.DeadLettersOf(ctx, ref); err != nil {
		return page, err
	}
	command, err := c.o.Queue.QueuedCommand(ctx, ref)
	switch {
	case err == nil:
		page.Command, page.QueuedAt = placeOf(command), command.StoredAt
	case !errors.Is(err, events.ErrNotQueued):
		return page, err
	}
	if page.Command == held {
		parked, err := c.o.Queue.ParkedCommand(ctx, ref)
		if err != nil && !errors.Is(err, events.ErrNotParked) {
			return page, err
		}
		page.Due = parked.Due
	}
	// Read after the queue: a worker writes to the log before a command leaves the queue.
	records, err := c.o.Log.History(ctx, ref)
	if errors.Is(err, events.ErrNoPayment) && page.Command == nowhere && c.o.Archive != nil {
		records, err = c.o.Archive.History(ctx, ref)
		page.Archived = err == nil
	}
	switch {
	case errors.Is(err, events.ErrNoPayment) && (page.Command != nowhere || len(page.DeadLetters) > 0):
		page.Payment = payment.Payment{Ref: ref, Status: payment.Requested}
		if decoded, err := events.DecodeCommand(command); err == nil && page.Command != nowhere {
			page.Payment = payment.New(decoded)
		}
	case err != nil:
		return page, err
	}
	page.add(ref, records)
	return page, nil
}

func placeOf(m events.Message) string {
	if _, waits := events.SubjectOperation(m.Subject); waits {
		return queued
	}
	return held
}

// add adds the events of a payment and what they say of it now.
func (p *paymentPage) add(ref payment.Ref, records []events.Record) {
	for i, record := range records {
		s := step{Record: record, First: i == 0}
		if i > 0 {
			s.After = record.StoredAt.Sub(records[i-1].StoredAt)
		}
		p.Steps = append(p.Steps, s)
		if p.Unreadable = append(p.Unreadable, record.Sequence); record.Unreadable == "" {
			p.Unreadable = nil
		}
	}
	if len(records) > 0 {
		p.Payment, _ = events.Unskipped(records)
		p.Payment.Ref = ref
	}
	p.Zone = zones[p.Amount.Currency]
	switch n := len(p.Unreadable); {
	case n > 0:
		p.Next = (&events.UnreadableError{Ref: ref, Sequence: p.Unreadable[n-1]}).Next()
	case p.Archived, len(records) == 0 && p.Command == nowhere: // the first wants nothing, of the second its dead letters say more
	case p.Command == nowhere:
		p.Next = operator.NextWithoutCommand(p.Payment)
	default:
		p.Next = operator.Next(p.Payment)
	}
}
