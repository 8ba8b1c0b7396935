package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Approvals says which actions need a second person: settling, failing and cancelling payments, and importing payouts, above
// an amount. The zero value lets each person act alone.
type Approvals struct {
	// Above has an amount for each currency. An amount above it needs a second person, and so does one that is not known or
	// has another currency. Empty means that nothing does.
	Above []payment.Money
	// Expires is how long a request can be approved.
	Expires time.Duration
	// Accounts says that the server writes who wrote a record. Records of which it does not say so are not believed.
	Accounts bool
	Requests Requests
}

// Requests is AUDIT, where requests and what became of them stand.
type Requests interface {
	// RecordRequest keeps a record and returns its sequence.
	RecordRequest(ctx context.Context, r events.AuditRecord) (uint64, error)
	// RecordAfter keeps a record if the one with this sequence is the last one, or returns events.ErrStale.
	RecordAfter(ctx context.Context, r events.AuditRecord, last uint64) error
	// Audits returns at most max records after a sequence, oldest first.
	Audits(ctx context.Context, after uint64, max int) ([]events.AuditEntry, error)
}

// RequestedError says that nothing was done yet: the action was recorded as a request, and another person must approve it.
type RequestedError struct {
	Request   uint64 // its sequence in AUDIT
	ExpiresAt time.Time
}

func (e *RequestedError) Error() string {
	return fmt.Sprintf("nothing was done yet: it is above the limit of approvals.above, and another person must approve request %d until %s: payctl approvals approve %[1]d",
		e.Request, e.ExpiresAt.UTC().Format(time.RFC3339))
}

// Errors of approvals.
var (
	// ErrNoRequest: no record of AUDIT with this number is a request, or its author is not known.
	ErrNoRequest = errors.New("no such request; see payctl approvals list")
	// ErrRequestEnded: the request was approved, refused, expired or overtaken before.
	ErrRequestEnded = errors.New("the request has ended")
	// ErrOwnRequest: a person cannot approve an own request.
	ErrOwnRequest = errors.New("you made this request: another person must approve it")
	// ErrOtherFile: the file is not the one of the request.
	ErrOtherFile = errors.New("it is not the file of the request: the SHA-256, the number of payouts, the sum or the provider differs")
)

// Needed reports whether deciding about an amount by hand needs a second person.
func (a Approvals) Needed(amount payment.Money) bool { return a.needed(amount) }

// needed reports whether one of the amounts needs a second person.
func (a Approvals) needed(amounts ...payment.Money) bool {
	return len(a.Above) > 0 && slices.ContainsFunc(amounts, func(m payment.Money) bool {
		at := slices.IndexFunc(a.Above, func(limit payment.Money) bool { return limit.Currency == m.Currency })
		return at < 0 || m.Minor > a.Above[at].Minor
	})
}

// amounts are those that ending a payment by hand is about. The ordered one is always among them, also when it is not known.
func amounts(p payment.Payment, more ...payment.Money) []payment.Money {
	all := []payment.Money{p.Amount}
	for _, m := range append(more, p.SettledAmount) {
		if !m.IsZero() {
			all = append(all, m)
		}
	}
	return all
}

// request keeps an action to be approved. Its error is a [RequestedError] when it is kept.
func (a Actions) request(ctx context.Context, record events.AuditRecord) error {
	if len(record.Items) > batch {
		return fmt.Errorf("%d payments, and one of them needs a second person: at most %d can be requested at a time", len(record.Items), batch)
	}
	now := a.Service.Now().UTC()
	record.ID, record.Stage, record.At, record.ExpiresAt = a.NewID(), events.Requested, now, now.Add(a.Approvals.Expires)
	if len(record.Items) == 1 {
		record.Order = record.Items[0].Order
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
	defer cancel()
	sequence, err := a.Approvals.Requests.RecordRequest(ctx, record)
	if err != nil {
		return fmt.Errorf("nothing was done: cannot write the request: %w", err)
	}
	return &RequestedError{Request: sequence, ExpiresAt: record.ExpiresAt}
}

// cancelRequest is the request to cancel a batch if one of its payments needs it; else nil.
func (a Actions) cancelRequest(ctx context.Context, b Batch) error {
	if len(a.Approvals.Above) == 0 {
		return nil
	}
	if err := b.Who.Validate(); err != nil {
		return err
	}
	needed, record := false, b.record(events.ActionCancel)
	for _, item := range b.Items {
		own, cancel := context.WithTimeout(ctx, a.Timeout)
		p, seq, err := a.Service.unsent(own, payment.Ref{Provider: b.Provider, Order: item.Order})
		cancel()
		if LeftAlone(err) != "" { // it would be skipped
			continue
		}
		if err != nil {
			return err
		}
		item.Before, item.Upstream, item.Event, item.Amount = p.Status, p.Upstream, seq, p.Amount
		record.Items = append(record.Items, item)
		needed = needed || a.Approvals.needed(amounts(p)...)
	}
	if !needed {
		return nil
	}
	return a.request(ctx, record)
}

// Request is a request as it stands in AUDIT.
type Request struct {
	Sequence  uint64             `json:"sequence"`
	By        string             `json:"by"` // as the server says it where it does
	ExpiresAt time.Time          `json:"expires_at"`
	Record    events.AuditRecord `json:"request"`
	// State is requested, or how the request ended, and EndedBy who ended it.
	State   events.Stage `json:"state"`
	EndedBy string       `json:"ended_by,omitempty"`
	last    uint64       // of AUDIT when it was read
}

// believed reports whether it is known who wrote a record.
func (a Approvals) believed(e events.AuditEntry) bool {
	return e.Problem == "" && (!a.Accounts || events.AccountNamesAuthors(e.Account))
}

// page is how many records are read at once.
const page = 50

// List returns the requests of AUDIT, oldest first.
func (a Approvals) List(ctx context.Context, now time.Time) ([]Request, error) {
	found, _, err := a.read(ctx, 0, now)
	return found, err
}

// Recent returns the requests that were made from a time on, oldest first. Those made in the last [Approvals.Expires] are all that
// can be approved.
func (a Approvals) Recent(ctx context.Context, from, now time.Time) ([]Request, error) {
	before, err := a.lastBefore(ctx, from)
	if err != nil {
		return nil, err
	}
	found, _, err := a.read(ctx, before, now)
	return found, err
}

// lastBefore returns a sequence of AUDIT after which all records are that were kept from a time on.
func (a Approvals) lastBefore(ctx context.Context, from time.Time) (uint64, error) {
	older := func(after uint64) (bool, error) { // whether the record after a sequence is older
		entries, err := a.Requests.Audits(ctx, after, 1)
		return len(entries) > 0 && entries[0].StoredAt.Before(from), err
	}
	low, high := uint64(0), uint64(1) // the first that isn't older follows one of these, or one between
	for {
		if is, err := older(high); err != nil {
			return 0, err
		} else if !is {
			break
		}
		low, high = high, 2*high
	}
	for low < high {
		middle := low + (high-low)/2
		is, err := older(middle)
		if err != nil {
			return 0, err
		}
		if is {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// Request returns one request, or [ErrNoRequest].
func (a Approvals) Request(ctx context.Context, sequence uint64, now time.Time) (Request, error) {
	found, last, err := a.read(ctx, sequence-min(sequence, 1), now)
	if err == nil && (sequence == 0 || len(found) == 0 || found[0].Sequence != sequence) {
		err = ErrNoRequest
	}
	if err != nil {
		return Request{}, err
	}
	found[0].last = last
	return found[0], nil
}

// read returns the requests after a sequence and the last sequence of AUDIT.
func (a Approvals) read(ctx context.Context, after uint64, now time.Time) (found []Request, last uint64, err error) {
	return a.readOn(ctx, []Request{}, after, now)
}

// readOn goes on with the records after a sequence.
func (a Approvals) readOn(ctx context.Context, found []Request, after uint64, now time.Time) (_ []Request, last uint64, err error) {
	for last = after; ; {
		entries, err := a.Requests.Audits(ctx, last, page)
		if err != nil {
			return nil, 0, err
		}
		for _, e := range entries {
			last = e.Sequence
			found = a.follow(found, e, now)
		}
		if len(entries) < page {
			return found, last, nil
		}
	}
}

// follow goes on with the next record of AUDIT.
func (a Approvals) follow(found []Request, e events.AuditEntry, now time.Time) []Request {
	r := e.Record
	switch {
	case !a.believed(e):
	case r.Stage == events.Requested && canBeRequested(r):
		expires := e.StoredAt.Add(a.Expires) // the record could say any time
		if r.ExpiresAt.Before(expires) {
			expires = r.ExpiresAt
		}
		one := Request{Sequence: e.Sequence, By: e.Author(), ExpiresAt: expires, Record: r, State: events.Requested}
		if !now.Before(expires) {
			one.State = events.Expired
		}
		return append(found, one)
	case r.Stage.EndsRequest():
		if at := slices.IndexFunc(found, func(f Request) bool { return f.Sequence == r.Request && f.EndedBy == "" }); at >= 0 {
			found[at].State, found[at].EndedBy = r.Stage, e.Author()
		}
	}
	return found
}

// canBeRequested reports whether a record asks for what payctl asks for. A record that was written past payctl can say anything.
func canBeRequested(r events.AuditRecord) bool {
	switch r.Action {
	case events.ActionSettle, events.ActionFail:
		return len(r.Items) == 1
	case events.ActionCancel:
		return len(r.Items) > 0 && len(r.Items) <= batch
	}
	return r.Action == events.ActionImport && len(r.Items) == 0
}

// Refuse ends a request. Its own author can do so, too.
func (a Actions) Refuse(ctx context.Context, sequence uint64, who Person) error {
	_, err := a.end(ctx, sequence, who, func(context.Context, Request) (events.Stage, error) { return events.Refused, nil })
	return err
}

// Approve carries out a request of another person, if everything stands as it did then; else the request is overtaken, and
// the error is events.ErrStale. For an import, file is the same file. Of two who approve at once, one does it.
func (a Actions) Approve(ctx context.Context, sequence uint64, who Person, file *PayoutFile) error {
	approved, err := a.end(ctx, sequence, who, func(ctx context.Context, r Request) (events.Stage, error) {
		switch {
		case strings.EqualFold(r.By, who.Name):
			return "", ErrOwnRequest
		case r.Record.Action == events.ActionImport && (file == nil || !file.sameAs(r.Record)):
			return "", ErrOtherFile
		}
		return a.stands(ctx, r.Record)
	})
	if err != nil {
		return err
	}
	return a.carryOut(ctx, approved, file)
}

// approval is a request that was approved: the record of that, and who asked for what.
type approval struct {
	record    events.AuditRecord
	requester Person
}

// end writes the end of an open request, as judge says, after which no other can be written.
func (a Actions) end(ctx context.Context, sequence uint64, who Person, judge func(context.Context, Request) (events.Stage, error)) (approval, error) {
	if err := who.Validate(); err != nil {
		return approval{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
	defer cancel()
	for {
		r, err := a.Approvals.Request(ctx, sequence, a.Service.Now())
		if err != nil {
			return approval{}, err
		}
		if r.EndedBy != "" {
			return approval{}, fmt.Errorf("%w: %s by %s", ErrRequestEnded, r.State, r.EndedBy)
		}
		stage := events.Expired
		if r.State != events.Expired {
			if stage, err = judge(ctx, r); err != nil {
				return approval{}, err
			}
		}
		record := r.Record
		record.ID, record.Stage, record.At, record.Request = a.NewID(), stage, a.Service.Now().UTC(), sequence
		record.By, record.Reason, record.ExpiresAt = who.Name, who.Why, time.Time{}
		err = a.Approvals.Requests.RecordAfter(ctx, record, r.last)
		if errors.Is(err, events.ErrStale) { // look again: it can be the end of this request
			continue
		}
		switch {
		case err != nil:
			return approval{}, fmt.Errorf("nothing was done: %w", err)
		case stage == events.Expired:
			return approval{}, fmt.Errorf("%w: it expired at %s", ErrRequestEnded, r.ExpiresAt.UTC().Format(time.RFC3339))
		case stage == events.Overtaken:
			return approval{}, fmt.Errorf("the request was overtaken; nothing was done: %w", events.ErrStale)
		}
		return approval{record, Person{Name: r.By, Why: r.Record.Reason}}, nil
	}
}

// stands says whether the payments of a request stand as they did when it was made.
func (a Actions) stands(ctx context.Context, r events.AuditRecord) (events.Stage, error) {
	for _, item := range r.Items {
		p, seq, err := a.Service.Log.Last(ctx, payment.Ref{Provider: r.Provider, Order: item.Order})
		if errors.Is(err, events.ErrNoPayment) {
			p, seq, err = payment.Payment{Amount: item.Amount}, 0, nil
		}
		if err != nil {
			return "", err
		}
		if unchanged(item)(p, seq) != nil {
			return events.Overtaken, nil
		}
	}
	return events.Approved, nil
}

// unchanged compares a payment with how a request has it.
func unchanged(item events.AuditItem) func(p payment.Payment, seq uint64) error {
	return func(p payment.Payment, seq uint64) error {
		if seq != item.Event || p.Amount != item.Amount {
			return fmt.Errorf("the payment is not as it was when this was requested: %w", ErrNotNow)
		}
		return nil
	}
}

// carryOut does what was requested, in the name and with the reason of who requested it. Its records are the approver's.
func (a Actions) carryOut(ctx context.Context, approved approval, file *PayoutFile) error {
	r := approved.record
	switch r.Action {
	case events.ActionImport:
		return a.sendFile(ctx, r, *file)
	case events.ActionCancel:
		var left atomic.Int64
		err := a.recorded(ctx, r, nil, func(ctx context.Context, item *events.AuditItem) error {
			expected := unchanged(*item)
			return onPayment(r.Provider, func(ctx context.Context, ref payment.Ref) (o Outcome, err error) {
				if o, err = a.Service.cancel(ctx, ref, approved.requester, expected); err != nil {
					left.Add(1)
				}
				return o, err
			})(ctx, item)
		})
		if n := left.Load(); err == nil && n > 0 {
			err = fmt.Errorf("%d of %d payments were skipped; see payctl audit list", n, len(r.Items))
		}
		return err
	case events.ActionSettle, events.ActionFail:
		return a.one(ctx, r, func(ctx context.Context, item *events.AuditItem) error {
			p, seq, err := a.Service.Log.Last(ctx, payment.Ref{Provider: r.Provider, Order: item.Order})
			if err == nil {
				err = unchanged(*item)(p, seq)
			}
			if err != nil {
				return err
			}
			next, err := a.Service.Resolve(ctx, p, seq, approved.requester, Decision{Settled: r.Action == events.ActionSettle, Amount: r.Amount})
			item.After, item.Result = next.Status, Resolved
			return err
		})
	}
	return fmt.Errorf("%s cannot be requested: %w", r.Action, ErrNotNow)
}
