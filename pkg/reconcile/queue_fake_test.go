package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// headroom is how many events of one timer may wait for their time.
const headroom = 4

// fakeLog is a log that timers read as JetStream has them read it: in order, at most headroom at once, what is
// given back comes again after its delay.
type fakeLog struct {
	t         *testing.T
	mu        sync.Mutex
	messages  []events.Message
	changed   chan struct{} // closed and made again at every append
	timers    map[string]bool
	given     map[string]int // deliveries by timer
	delivered uint64         // deliveries of all timers
	dead      []events.DeadReason
}

func newLog(t *testing.T) *fakeLog {
	return &fakeLog{t: t, changed: make(chan struct{}), timers: map[string]bool{}, given: map[string]int{}}
}

// append writes an event of a payment now, by a writer whose clock is wrong: the log's counts.
func (l *fakeLog) append(provider, order string, op payment.Operation, s payment.Status) {
	l.t.Helper()
	l.write(payment.Payment{Ref: payment.Ref{Provider: provider, Order: order}, Operation: op, Status: s})
}

func (l *fakeLog) write(p payment.Payment) {
	l.t.Helper()
	p.Revision, p.Amount, p.UpdatedAt = 1, payment.KRW(10000), time.Now().Add(-3*time.Minute)
	out, err := events.EncodePayment(p, "event")
	if err != nil {
		l.t.Fatal(err)
	}
	l.put(events.Message{Subject: out.Subject, Data: out.Data})
}

func (l *fakeLog) put(m events.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.Sequence, m.StoredAt = uint64(len(l.messages)+1), time.Now()
	l.messages = append(l.messages, m)
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *fakeLog) ConsumePayments(ctx context.Context, provider, timer string, statuses []payment.Status, slots int, h queue.Handler) error {
	l.mu.Lock()
	if name := provider + " " + timer; l.timers[name] || slots < 1 {
		return fmt.Errorf("two readers of %s, or %d slots", name, slots)
	}
	l.timers[provider+" "+timer] = true
	l.mu.Unlock()
	room, work := make(chan struct{}, headroom), sync.WaitGroup{}
	defer work.Wait()
	concerns := func(m events.Message) bool {
		tokens := strings.Split(m.Subject, ".")
		return tokens[2] == provider && slices.Contains(statuses, payment.Status(tokens[1]))
	}
	var taken atomic.Int64 // how many messages were looked at
	pending := func() (n uint64) {
		for _, m := range l.messages[taken.Load():] {
			if concerns(m) {
				n++
			}
		}
		return n
	}
	for next := 0; ; next++ {
		m, more := l.wait(ctx, next)
		if !more {
			return nil
		}
		if !concerns(m) {
			taken.Add(1)
			continue
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		taken.Add(1)
		work.Go(func() {
			defer func() { <-room }()
			l.deliver(ctx, timer, m, pending, h)
		})
	}
}

func (l *fakeLog) wait(ctx context.Context, n int) (events.Message, bool) {
	for {
		l.mu.Lock()
		if n < len(l.messages) {
			defer l.mu.Unlock()
			return l.messages[n], true
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return events.Message{}, false
		}
	}
}

// deliver gives a message to the handler until it is done with it.
func (l *fakeLog) deliver(ctx context.Context, timer string, m events.Message, pending func() uint64, h queue.Handler) {
	for ctx.Err() == nil {
		m.Deliveries++
		l.mu.Lock()
		l.given[timer]++
		l.delivered++
		m.Delivered, m.Pending = l.delivered, pending()
		l.mu.Unlock()
		v := h(ctx, m)
		if v.Kind != queue.Retry {
			if v.Kind == queue.Dead {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.dead = append(l.dead, v.Reason)
			}
			return
		}
		select {
		case <-time.After(max(v.Delay, time.Millisecond)):
		case <-ctx.Done():
		}
	}
}
