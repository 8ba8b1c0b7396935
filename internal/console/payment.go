package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"payonce/internal/console/signin"
	"payonce/pkg/connectors/masking"

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
	Refusals    []events.Refusal // what upstreams were told of refused commands
	Archived    bool             // the log has forgotten it
	Webhooks    []webhook
	Audits      []events.AuditEntry
	More        bool // there are more webhooks or audit records than are shown
	Can         []actionLink
	Letters     bool // whether the person can send its dead letters again, or drop them
}

// step is one event of a payment.
type step struct {
	events.Record
	After     time.Duration // since the event before
	First     bool
	TracePath string // where its trace is shown; empty where that is not known
}

// webhook is one as it was received, masked.
type webhook struct {
	Sequence   uint64
	ReceivedAt time.Time
	Body       string // with what is personal masked; empty where it could not be read
	Bytes      int
	Cut        bool
}

// aboutMost is how many webhooks and how many audit records of a payment are shown, and webhookBytes how much of one.
const (
	aboutMost    = 50
	webhookBytes = 8 << 10
)

// masked shows a webhook without what is personal.
func masked(m events.Message) webhook {
	w := webhook{Sequence: m.Sequence, ReceivedAt: m.StoredAt, Bytes: len(m.Data)}
	if text, whole, ok := masking.Webhook(m.Data, bytes.ContainsRune(m.Data, '='), webhookBytes); ok {
		w.Body, w.Cut = text, !whole
		var laid bytes.Buffer
		if json.Indent(&laid, []byte(text), "", "  ") == nil {
			w.Body = laid.String()
		}
	}
	return w
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
		page.Can, page.Letters = c.possible(r, page), c.may(r, signin.Operator)
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
	if page.Refusals, err = c.o.About.RefusalsOf(ctx, ref); err != nil {
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
	case errors.Is(err, events.ErrNoPayment) && (page.Command != nowhere || len(page.DeadLetters)+len(page.Refusals) > 0):
		page.Payment = payment.Payment{Ref: ref, Status: payment.Requested}
		if decoded, err := events.DecodeCommand(command); err == nil && page.Command != nowhere {
			page.Payment = payment.New(decoded)
		}
	case err != nil:
		return page, err
	}
	page.add(ref, records)
	page.Ref = ref
	for i, s := range page.Steps {
		page.Steps[i].TracePath = c.tracePath(s.Trace)
	}
	return page, c.addAbout(ctx, &page)
}

// tracePath is where a trace is shown; empty where that is not known.
func (c *Console) tracePath(id string) string {
	if id == "" || c.o.TraceURL == "" {
		return ""
	}
	return strings.ReplaceAll(c.o.TraceURL, "{trace_id}", id)
}

// addAbout adds the webhooks and what people did.
func (c *Console) addAbout(ctx context.Context, page *paymentPage) error {
	webhooks, err := c.o.About.WebhooksOf(ctx, page.Ref, aboutMost+1)
	if err != nil {
		return err
	}
	if page.Audits, err = c.o.About.AuditsOf(ctx, page.Ref, aboutMost+1); err != nil {
		return err
	}
	page.More = len(webhooks) > aboutMost || len(page.Audits) > aboutMost
	for _, m := range webhooks[:min(len(webhooks), aboutMost)] {
		page.Webhooks = append(page.Webhooks, masked(m))
	}
	page.Audits = page.Audits[:min(len(page.Audits), aboutMost)]
	return nil
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
