package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// errUnknownWrite is what a log says whose reply was lost: it is not known whether it wrote.
var errUnknownWrite = errors.New("no reply from the log")

type logEvent struct {
	seq     uint64
	subject string
	data    []byte
}

// memoryLog is a log with a true compare-and-set. It keeps bytes, as a broker does, so that what cannot
// be encoded cannot be written and what was read shares nothing with what was written.
type memoryLog struct {
	t     *testing.T
	mu    sync.Mutex
	seq   uint64
	lists map[payment.Ref][]logEvent
	// actions is what customers must do, by id: no event holds it.
	actions     map[string]*payment.Action
	actionsFail error
	// behind makes that many calls of Last answer with the event before the last one.
	behind int
	// beforeAppend, if set, runs once before the next append: another process moves first.
	beforeAppend func(payment.Payment)
}

func newMemoryLog(t *testing.T) *memoryLog {
	return &memoryLog{t: t, lists: map[payment.Ref][]logEvent{}, actions: map[string]*payment.Action{}}
}

func (l *memoryLog) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	if hook := l.takeHook(); hook != nil {
		hook(p)
	}
	p = l.storeActions(p)
	out, err := events.EncodePayment(p, "event")
	if err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if person := personIn(string(out.Data)); person != "" {
		l.t.Errorf("an event holds personal data: %s", person)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.lists[p.Ref]
	if last(list).seq != after {
		return 0, events.ErrStale
	}
	l.seq++
	l.lists[p.Ref] = append(list, logEvent{l.seq, out.Subject, out.Data})
	return l.seq, nil
}

// before makes hook run before the next append.
func (l *memoryLog) before(hook func(payment.Payment)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beforeAppend = hook
}

func (l *memoryLog) takeHook() func(payment.Payment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hook := l.beforeAppend
	l.beforeAppend = nil
	return hook
}

func (l *memoryLog) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.lists[ref]
	if l.behind > 0 && len(list) > 1 {
		l.behind--
		list = list[:len(list)-1]
	}
	if err := ctx.Err(); err != nil {
		return payment.Payment{}, 0, err
	}
	if len(list) == 0 {
		return payment.Payment{}, 0, events.ErrNoPayment
	}
	p, err := events.ReadPayment(last(list).subject, last(list).seq, last(list).data)
	return p, last(list).seq, err
}

// write puts unreadable bytes into the log, as a foreign tool would.
func (l *memoryLog) write(order string, status payment.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	ref := payment.Ref{Provider: acme, Order: order}
	l.lists[ref] = append(l.lists[ref], logEvent{l.seq, events.PaymentSubject(status, ref), []byte("{")})
}

// skip steps over the last event as a person does. before is the payment that is skipped from where the log has none.
func (l *memoryLog) stepOver(order string, before payment.Payment, now time.Time) payment.Payment {
	l.t.Helper()
	l.mu.Lock()
	list := l.lists[payment.Ref{Provider: acme, Order: order}]
	l.mu.Unlock()
	var records []events.Record
	for _, e := range list {
		r := events.Record{Sequence: e.seq, StoredAt: now}
		var err error
		if r.Payment, err = events.ReadPayment(e.subject, e.seq, e.data); err != nil {
			r.Payment.Status, _ = events.SubjectStatus(e.subject)
			r.Unreadable = err.Error()
		}
		records = append(records, r)
	}
	known, skipped := events.Unskipped(records)
	if known.Status == payment.Requested {
		known = before
	}
	next := payment.StepOver(known, skipped, payment.Reason{By: "kim", Message: "ticket 1"}, now)
	if _, err := l.Append(context.Background(), next, last(list).seq); err != nil {
		l.t.Fatal(err)
	}
	return next
}

// storeActions keeps what the customer must do beside the log, as the broker's adapter does.
func (l *memoryLog) storeActions(p payment.Payment) payment.Payment {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, action := range []**payment.Action{&p.Action, &p.WithheldAction} {
		if *action == nil || (*action).Stored != "" {
			continue
		}
		stored := **action
		stored.Stored = fmt.Sprintf("action-%d", len(l.actions)+1)
		l.actions[stored.Stored] = &stored
		*action = &stored
	}
	return p
}

// Actions returns p with the content of what its customer must do.
func (l *memoryLog) Actions(ctx context.Context, p payment.Payment) (payment.Payment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.actionsFail != nil {
		return p, l.actionsFail
	}
	return l.withActions(p), ctx.Err()
}

// failActions makes reading actions fail with err, until it is nil again.
func (l *memoryLog) failActions(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.actionsFail = err
}

func (l *memoryLog) withActions(p payment.Payment) payment.Payment {
	for _, action := range []**payment.Action{&p.Action, &p.WithheldAction} {
		if (*action).Missing() && l.actions[(*action).Stored] != nil {
			*action = l.actions[(*action).Stored]
		}
	}
	return p
}

func last(list []logEvent) logEvent {
	if len(list) == 0 {
		return logEvent{}
	}
	return list[len(list)-1]
}

// history returns all events of an order.
func (l *memoryLog) history(order string) []payment.Payment {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []payment.Payment
	for _, event := range l.lists[payment.Ref{Provider: acme, Order: order}] {
		p, err := events.DecodePayment(event.data)
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, l.withActions(p))
	}
	return all
}

// now returns an order's present state; its status is empty when the log does not know it.
func (l *memoryLog) now(order string) payment.Payment {
	l.t.Helper()
	all := l.history(order)
	if len(all) == 0 {
		return payment.Payment{}
	}
	return all[len(all)-1]
}

// statuses returns the statuses of an order, in order, in one text.
func (l *memoryLog) statuses(order string) string {
	l.t.Helper()
	var all []string
	for _, p := range l.history(order) {
		all = append(all, string(p.Status))
	}
	return strings.Join(all, " ")
}

// want fails the test unless the order has exactly these events.
func (l *memoryLog) want(order string, statuses ...payment.Status) {
	l.t.Helper()
	var all []payment.Status
	for i, p := range l.history(order) {
		if p.Revision != i+1 {
			l.t.Errorf("%s: event %d has revision %d", order, i+1, p.Revision)
		}
		all = append(all, p.Status)
	}
	if !slices.Equal(all, statuses) {
		l.t.Errorf("%s: the log says %v, want %v", order, all, statuses)
	}
}

// put writes an event as it is, as another worker would.
func (l *memoryLog) put(p payment.Payment) {
	l.t.Helper()
	l.mu.Lock()
	after := last(l.lists[p.Ref]).seq
	l.mu.Unlock()
	if _, err := l.Append(context.Background(), p, after); err != nil {
		l.t.Fatal(err)
	}
}
