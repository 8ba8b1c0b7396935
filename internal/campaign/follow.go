package campaign

import (
	"context"
	"fmt"
	"sync"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// read hands over the events of the log from a sequence on, in order, until handle returns false or ctx
// ends. The error says what broke.
func read(ctx context.Context, js njs.JetStream, from uint64, handle func(events.Record) bool) error {
	consumer, err := js.OrderedConsumer(ctx, events.StreamPayments, njs.OrderedConsumerConfig{
		DeliverPolicy: njs.DeliverByStartSequencePolicy, OptStartSeq: from,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	for {
		m, err := messages.Next()
		if err != nil {
			return err
		}
		record, err := recordOf(m)
		if err != nil {
			return err
		}
		if !handle(record) {
			return nil
		}
	}
}

func recordOf(m njs.Msg) (events.Record, error) {
	meta, err := m.Metadata()
	if err != nil {
		return events.Record{}, err
	}
	p, err := events.DecodePayment(m.Data())
	if err != nil {
		return events.Record{}, fmt.Errorf("sequence %d: %w", meta.Sequence.Stream, err)
	}
	if want := events.PaymentSubject(p.Status, p.Ref); want != m.Subject() {
		return events.Record{}, fmt.Errorf("sequence %d: %s holds an event of %s", meta.Sequence.Stream, m.Subject(), want)
	}
	return events.Record{Sequence: meta.Sequence.Stream, StoredAt: meta.Timestamp, Payment: p}, nil
}

// readAll reads the whole log.
func readAll(ctx context.Context, js njs.JetStream) (map[payment.Ref][]events.Record, error) {
	stream, err := js.Stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, err
	}
	state := stream.CachedInfo().State
	all, count := map[payment.Ref][]events.Record{}, uint64(0)
	if state.Msgs == 0 {
		return all, nil
	}
	err = read(ctx, js, state.FirstSeq, func(r events.Record) bool {
		if r.Sequence > state.LastSeq {
			return false
		}
		all[r.Payment.Ref] = append(all[r.Payment.Ref], r)
		count++
		return r.Sequence < state.LastSeq
	})
	if err == nil && count != state.Msgs {
		err = fmt.Errorf("the log has %d events, and %d came", state.Msgs, count)
	}
	return all, err
}

// board knows how every payment stands, from following the log.
type board struct {
	mu      sync.Mutex
	last    map[payment.Ref]payment.Payment
	changed time.Time // when the last event came
	seq     uint64
}

func newBoard() *board { return &board{last: map[payment.Ref]payment.Payment{}, changed: time.Now()} }

// follow keeps the board up to date until ctx ends. each, if it returns, has seen every event once.
func (b *board) follow(ctx context.Context, js njs.JetStream, each func(payment.Payment)) {
	for ctx.Err() == nil {
		_ = read(ctx, js, b.seq+1, func(r events.Record) bool { // whatever broke: go on after the last event
			if r.Sequence <= b.seq {
				return true
			}
			b.seq = r.Sequence
			b.put(r.Payment)
			each(r.Payment)
			return true
		})
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (b *board) put(p payment.Payment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last[p.Ref] = p
	b.changed = time.Now()
}

// counts returns how many payments stand in each status, and for how long nothing has changed.
func (b *board) counts() (map[payment.Status]int, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := map[payment.Status]int{}
	for _, p := range b.last {
		counts[p.Status]++
	}
	return counts, time.Since(b.changed)
}

// of returns a payment as it stands; false if it is not in the log.
func (b *board) of(ref payment.Ref) (payment.Payment, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, found := b.last[ref]
	return p, found
}
