package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Audit keeps the records of actions.
type Audit interface {
	// Audit keeps one record. Without an error it is kept; repeated, it is kept once.
	Audit(ctx context.Context, r events.AuditRecord) error
}

// Actions carries out what a person decides, each between two records in AUDIT: the intended one, without which nothing is
// done, and the finished one, whatever came of it. Once begun, an action does not end with its ctx. Actions is safe for
// concurrent use.
type Actions struct {
	Service Service
	Audit   Audit
	NewID   func() string // unique
	// Timeout bounds what one step asks of the broker.
	Timeout time.Duration
	// Approvals says what needs a second person: it is then requested, and the error is a [RequestedError].
	Approvals Approvals
}

const (
	// batch is the number of items in one pair of audit records.
	batch = 500
	// concurrency is the number of items acted on at the same time.
	concurrency = 16
)

// Batch is one action on many payments of a provider, or on many dead letters.
type Batch struct {
	Provider string
	Who      Person
	Filter   map[string]string  // how the items were chosen, for the record
	Items    []events.AuditItem // each is completed with what came of it
	Done     func()             // called after each item; may be nil
}

func (b Batch) record(action events.Action) events.AuditRecord {
	return events.AuditRecord{Action: action, Provider: b.Provider, By: b.Who.Name, Reason: b.Who.Why, Filter: b.Filter}
}

// do acts on one item and sets its result. An error stops the batch; an item that cannot be acted on has a result that
// says so.
type do func(ctx context.Context, item *events.AuditItem) error

// Each carries out an action that has no method of its own: act acts on one item and sets its result. Else it is as [Actions.Cancel].
func (a Actions) Each(ctx context.Context, action events.Action, b Batch, act func(ctx context.Context, item *events.AuditItem) error) (map[string]int, error) {
	return a.each(ctx, action, b, act)
}

// each applies an action to all items, in parts with a pair of records each. It returns how many items came to each result.
// When ctx ends, the current part is finished. The error of what does not come to its end is an [UnfinishedError].
func (a Actions) each(ctx context.Context, action events.Action, b Batch, act do) (map[string]int, error) {
	results := map[string]int{}
	if err := b.Who.Validate(); err != nil {
		return results, err
	}
	record := b.record(action)
	for items := b.Items; len(items) > 0; {
		if ctx.Err() != nil {
			return results, &UnfinishedError{Left: len(items)}
		}
		n := min(batch, len(items))
		record.Items, items = items[:n], items[n:]
		err := a.recorded(ctx, record, b.Done, act)
		left := len(items)
		for _, item := range record.Items {
			results[item.Result]++
			if isLeft(item) {
				left++
			}
		}
		if err != nil && left > 0 {
			err = &UnfinishedError{Left: left, Cause: err}
		}
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// one applies an action to one item. What was refused is in the finished record, and returned.
func (a Actions) one(ctx context.Context, record events.AuditRecord, act do) error {
	if err := (Person{Name: record.By, Why: record.Reason}).Validate(); err != nil {
		return err
	}
	var refused error
	err := a.recorded(ctx, record, nil, func(ctx context.Context, item *events.AuditItem) error {
		err := act(ctx, item)
		if errors.Is(err, ErrNotNow) || errors.Is(err, events.ErrStale) {
			item.After, item.Result, refused = item.Before, "not done: "+err.Error(), err
			return nil
		}
		return err
	})
	return errors.Join(err, refused)
}

// recorded keeps the intent, acts on the items and keeps what came of them.
func (a Actions) recorded(ctx context.Context, record events.AuditRecord, done func(), act do) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout+batch*time.Second)
	defer cancel()
	if err := a.intend(ctx, &record); err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range record.Items {
		group.Go(func() error {
			if groupCtx.Err() != nil {
				record.Items[i].Result = notStarted
				return nil
			}
			if err := act(ctx, &record.Items[i]); err != nil {
				record.Items[i].Result = unknown
				return err
			}
			if done != nil {
				done()
			}
			return nil
		})
	}
	return a.finish(ctx, record, group.Wait())
}

// intend keeps the first record of an action.
func (a Actions) intend(ctx context.Context, record *events.AuditRecord) error {
	if record.Request == 0 { // what was approved has its approval's id
		record.ID = a.NewID()
	}
	record.Stage, record.At = events.Intended, a.Service.Now().UTC()
	if len(record.Items) == 1 {
		record.Order = record.Items[0].Order
	}
	if err := a.Audit.Audit(ctx, *record); err != nil {
		return fmt.Errorf("nothing was done: cannot write the audit record: %w", err)
	}
	return nil
}

// finish keeps the second record of an action, which ended with err.
func (a Actions) finish(ctx context.Context, record events.AuditRecord, err error) error {
	record.Stage, record.At = events.Finished, a.Service.Now().UTC()
	if auditErr := a.Audit.Audit(ctx, record); auditErr != nil {
		err = errors.Join(err, fmt.Errorf("the action was carried out; cannot record its result: %w", auditErr))
	}
	return err
}

// Release is [Service.Release] of each payment, at the time that at has for its order.
func (a Actions) Release(ctx context.Context, b Batch, at map[string]time.Time) (map[string]int, error) {
	return a.each(ctx, events.ActionRelease, b, onPayment(b.Provider, func(ctx context.Context, ref payment.Ref) (Outcome, error) {
		return a.Service.Release(ctx, ref, b.Who, at[ref.Order])
	}))
}

// Cancel is [Service.Cancel] of each payment. If one of them needs a second person, all are requested together.
func (a Actions) Cancel(ctx context.Context, b Batch) (map[string]int, error) {
	if err := a.cancelRequest(ctx, b); err != nil {
		return nil, err
	}
	return a.each(ctx, events.ActionCancel, b, onPayment(b.Provider, func(ctx context.Context, ref payment.Ref) (Outcome, error) {
		return a.Service.Cancel(ctx, ref, b.Who)
	}))
}

func onPayment(provider string, decide func(context.Context, payment.Ref) (Outcome, error)) do {
	return func(ctx context.Context, item *events.AuditItem) error {
		o, err := decide(ctx, payment.Ref{Provider: provider, Order: item.Order})
		item.Before, item.After, item.Result = o.Before, o.After, o.Result
		if why := LeftAlone(err); why != "" {
			item.Result, err = "skipped: "+why, nil
		}
		return err
	}
}

// LeftAlone is why a payment was left as it is; empty for an error that ends the work.
func LeftAlone(err error) string {
	switch {
	case errors.Is(err, ErrNotNow):
		return strings.TrimSuffix(err.Error(), ": "+ErrNotNow.Error())
	case errors.Is(err, events.ErrNotQueued):
		return "order not found: it is neither in the log nor in the queue"
	case errors.Is(err, events.ErrStale):
		return events.ErrStale.Error() + " repeatedly; try again"
	}
	return ""
}

// Resolve is [Service.Resolve].
func (a Actions) Resolve(ctx context.Context, p payment.Payment, seq uint64, who Person, decision Decision) error {
	action := events.ActionFail
	if decision.Settled {
		action = events.ActionSettle
	}
	record := aboutOne(action, p, who)
	record.Amount = decision.Amount
	if a.Approvals.needed(amounts(p, decision.Amount)...) {
		if err := who.Validate(); err != nil {
			return err
		}
		record.Items[0].Event, record.Items[0].Amount = seq, p.Amount
		return a.request(ctx, record)
	}
	return a.one(ctx, record, func(ctx context.Context, item *events.AuditItem) error {
		next, err := a.Service.Resolve(ctx, p, seq, who, decision)
		item.After, item.Result = next.Status, Resolved
		return err
	})
}

// Retry is [Service.Retry].
func (a Actions) Retry(ctx context.Context, p payment.Payment, seq uint64, who Person) error {
	return a.one(ctx, aboutOne(events.ActionRetry, p, who), func(ctx context.Context, item *events.AuditItem) error {
		next, err := a.Service.Retry(ctx, p, seq, who)
		item.After, item.Result = next.Status, Approved
		return err
	})
}

// StepOver is [Service.StepOver].
func (a Actions) StepOver(ctx context.Context, plan SkipPlan, who Person) error {
	record := aboutOne(events.ActionSkip, plan.Before, who)
	record.Items[0].Event = plan.Sequence
	return a.one(ctx, record, func(ctx context.Context, item *events.AuditItem) error {
		item.After, item.Result = plan.Next.Status, Skipped
		return a.Service.StepOver(ctx, plan)
	})
}

func aboutOne(action events.Action, p payment.Payment, who Person) events.AuditRecord {
	return events.AuditRecord{
		Action: action, Provider: p.Provider, By: who.Name, Reason: who.Why,
		Items: []events.AuditItem{{Order: p.Order, Upstream: p.Upstream, Before: p.Status}},
	}
}

// Unmask lets a person see personal data of one item: show is called once it is recorded who looks, and why.
func (a Actions) Unmask(ctx context.Context, provider string, item events.AuditItem, who Person, show func(context.Context) error) error {
	record := events.AuditRecord{Action: events.ActionUnmask, Provider: provider, By: who.Name, Reason: who.Why, Items: []events.AuditItem{item}}
	return a.one(ctx, record, func(ctx context.Context, item *events.AuditItem) error {
		item.Result = "shown"
		return show(ctx)
	})
}

// PayoutFile is a file of payouts to be queued.
type PayoutFile struct {
	Provider string
	File     events.AuditFile
	Total    payment.Money
	// Send queues the payouts, until ctx ends, and returns how many came to what.
	Send func(ctx context.Context) (map[string]int, error)
}

// Import queues the payouts of a file. It ends early when ctx ends; its second record is kept all the same.
func (a Actions) Import(ctx context.Context, f PayoutFile, who Person) error {
	if err := who.Validate(); err != nil {
		return err
	}
	record := events.AuditRecord{
		Action: events.ActionImport, Provider: f.Provider, By: who.Name, Reason: who.Why, Amount: f.Total, File: f.File, Items: []events.AuditItem{},
	}
	if a.Approvals.needed(f.Total) { // no payout is above their sum
		return a.request(ctx, record)
	}
	return a.sendFile(ctx, record, f)
}

// sameAs reports whether a file is the one that was requested.
func (f PayoutFile) sameAs(r events.AuditRecord) bool {
	return f.Provider == r.Provider && f.File.SHA256 == r.File.SHA256 && f.File.Payouts == r.File.Payouts && f.Total == r.Amount
}

func (a Actions) sendFile(ctx context.Context, record events.AuditRecord, f PayoutFile) error {
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
	defer cancel()
	if err := a.intend(recording, &record); err != nil {
		return err
	}
	results, err := f.Send(ctx)
	record.File.Results = results
	recording, cancel = context.WithTimeout(context.WithoutCancel(ctx), a.Timeout)
	defer cancel()
	return a.finish(recording, record, err)
}
