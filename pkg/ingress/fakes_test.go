package ingress_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// fakeQueue holds one command for each order, like the broker.
type fakeQueue struct {
	mu        sync.Mutex
	commands  map[payment.Ref]events.Message
	published []context.Context
	publish   func() error                   // runs before a command is stored
	stored    func()                         // runs after a command was stored
	read      func() (events.Message, error) // replaces QueuedCommand
	answers   map[string]events.Outgoing     // clarifications by id
}

func newFakeQueue() *fakeQueue {
	return &fakeQueue{commands: map[payment.Ref]events.Message{}, answers: map[string]events.Outgoing{}}
}

func (q *fakeQueue) PublishCommand(ctx context.Context, out events.Outgoing) error {
	if err := q.try(ctx, out); err != nil {
		return err
	}
	if q.stored != nil {
		q.stored()
	}
	return nil
}

func (q *fakeQueue) try(ctx context.Context, out events.Outgoing) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.published = append(q.published, ctx)
	if q.publish != nil {
		if err := q.publish(); err != nil {
			return err
		}
	}
	ref, _ := events.SubjectRef(out.Subject)
	if _, there := q.commands[ref]; there {
		return fmt.Errorf("publish: %w", events.ErrQueued)
	}
	q.commands[ref] = events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, StoredAt: start}
	return nil
}

func (q *fakeQueue) Queued(_ context.Context, ref payment.Ref) (events.Queued, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.read != nil {
		m, err := q.read()
		if err != nil {
			return events.Queued{}, err
		}
		return events.QueuedOf(m), nil
	}
	m, there := q.commands[ref]
	if !there {
		return events.Queued{}, fmt.Errorf("read: %w", events.ErrNotQueued)
	}
	return events.QueuedOf(m), nil
}

func (q *fakeQueue) PublishClarification(_ context.Context, out events.Outgoing, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.publish != nil {
		if err := q.publish(); err != nil {
			return err
		}
	}
	for other, queued := range q.answers {
		if other != id && queued.Subject == out.Subject {
			return fmt.Errorf("publish: %w", events.ErrQueued)
		}
	}
	if _, there := q.answers[id]; !there { // kept once
		q.answers[id] = out
	}
	return nil
}

func (q *fakeQueue) put(m events.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ref, _ := events.SubjectRef(m.Subject)
	q.commands[ref] = m
}

func (q *fakeQueue) publishes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.published)
}

type storedWebhook struct {
	out events.Outgoing
	id  string
}

type fakeSink struct {
	mu       sync.Mutex
	webhooks []storedWebhook
	err      error
}

func (s *fakeSink) PublishWebhook(_ context.Context, out events.Outgoing, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.webhooks = append(s.webhooks, storedWebhook{out, id})
	return nil
}

// slowSink stores once goOn is closed.
type slowSink struct {
	ingress.WebhookSink
	busy chan<- struct{}
	goOn <-chan struct{}
}

func (s slowSink) PublishWebhook(ctx context.Context, out events.Outgoing, id string) error {
	select {
	case s.busy <- struct{}{}:
	default:
	}
	<-s.goOn
	return s.WebhookSink.PublishWebhook(ctx, out, id)
}

// fakeLog keeps events in memory and notifies the watchers.
type fakeLog struct {
	mu       sync.Mutex
	records  map[payment.Ref][]events.Record
	watchers map[chan struct{}]bool
	watched  chan struct{}        // gets a value for each Watch
	last     func(call int) error // runs before each Last
	calls    int
	history  error
	actions  error
}

func newFakeLog() *fakeLog {
	return &fakeLog{records: map[payment.Ref][]events.Record{}, watchers: map[chan struct{}]bool{}, watched: make(chan struct{}, 100)}
}

// append adds an event without notifying the watchers.
func (l *fakeLog) append(p payment.Payment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := l.records[p.Ref]
	n := len(records) + 1
	p = whole(p)
	p.Revision = n
	l.records[p.Ref] = append(records, events.Record{Sequence: uint64(100 + n), ID: fmt.Sprintf("event-%d", n), StoredAt: start, Payment: p})
}

// unreadable writes an event that cannot be read.
func (l *fakeLog) unreadable(ref payment.Ref, status payment.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.records[ref]) + 1
	l.records[ref] = append(l.records[ref], events.Record{
		Sequence: uint64(100 + n), StoredAt: start, Payment: payment.Payment{Ref: ref, Status: status}, Unreadable: "it is not JSON",
	})
}

// whole adds what every event of a payment in its status has.
func whole(p payment.Payment) payment.Payment {
	switch p.Status {
	case payment.Parked:
		p.ResumeAt = cmp.Or(p.ResumeAt, start.Add(time.Hour))
		p.Reason = cmp.Or(p.Reason, &payment.Reason{Code: payment.ReasonClosed})
	case payment.InDoubt, payment.Failed, payment.Conflict, payment.Reversed:
		p.Reason = cmp.Or(p.Reason, &payment.Reason{Code: payment.ReasonDeclined})
	case payment.Settled:
		p.SettledAmount = cmp.Or(p.SettledAmount, p.Amount)
	}
	return p
}

// tell wakes the watchers.
func (l *fakeLog) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for watcher := range l.watchers {
		select {
		case watcher <- struct{}{}:
		default:
		}
	}
}

func (l *fakeLog) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	l.mu.Lock()
	l.calls++
	hook, call := l.last, l.calls
	l.mu.Unlock()
	if hook != nil {
		if err := hook(call); err != nil {
			return payment.Payment{}, 0, err
		}
	}
	if err := ctx.Err(); err != nil {
		return payment.Payment{}, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	records := l.records[ref]
	if len(records) == 0 {
		return payment.Payment{}, 0, fmt.Errorf("last: %w", events.ErrNoPayment)
	}
	record := records[len(records)-1]
	if record.Unreadable != "" {
		return payment.Payment{}, 0, fmt.Errorf("last: %w", &events.UnreadableError{Ref: ref, Sequence: record.Sequence, Err: errors.New(record.Unreadable)})
	}
	return record.Payment, record.Sequence, nil
}

// Actions fails if it must: the events here hold the content.
func (l *fakeLog) Actions(_ context.Context, p payment.Payment) (payment.Payment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return p, l.actions
}

func (l *fakeLog) History(_ context.Context, ref payment.Ref) ([]events.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.history != nil {
		return nil, l.history
	}
	if len(l.records[ref]) == 0 {
		return nil, events.ErrNoPayment
	}
	return l.records[ref], nil
}

func (l *fakeLog) Watch(payment.Ref) (<-chan struct{}, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watcher := make(chan struct{}, 1)
	l.watchers[watcher] = true
	l.watched <- struct{}{}
	return watcher, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, watcher)
	}
}

// closeAll ends all watching from the log's side.
func (l *fakeLog) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for watcher := range l.watchers {
		close(watcher)
		delete(l.watchers, watcher)
	}
}

func (l *fakeLog) watching() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.watchers)
}
