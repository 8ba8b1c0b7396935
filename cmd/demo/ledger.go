package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/natstest"
)

// ledger is what a user of payonce writes: a durable consumer of outcomes. It knows nothing of payonce
// but the subjects and the JSON, and books each payment once.
type ledger struct {
	mu      sync.Mutex
	booked  map[payment.Ref]payment.Payment
	events  int
	changed chan struct{} // closed and replaced at each change
}

func (s *stack) startLedger() {
	js := natstest.JetStream(s.T, s.At.NATS[0], nats.Name("ledger"))
	consumer, err := js.CreateOrUpdateConsumer(s.T.Context(), events.StreamPayments, jetstream.ConsumerConfig{
		Durable: "ledger", FilterSubjects: []string{"payment.settled.>", "payment.failed.>"}, AckPolicy: jetstream.AckExplicitPolicy,
	})
	s.Must(err)
	s.ledger = &ledger{booked: map[payment.Ref]payment.Payment{}, changed: make(chan struct{})}
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		if s.ledger.book(m.Data()) == nil {
			_ = m.Ack()
		}
	})
	s.Must(err)
	s.T.Cleanup(consuming.Stop)
}

func (l *ledger) book(data []byte) error {
	p, err := events.DecodePayment(data)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events++
	if known, seen := l.booked[p.Ref]; !seen || known.Revision < p.Revision {
		l.booked[p.Ref] = p
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// outcomeTimeout bounds the wait for one outcome.
const outcomeTimeout = 2 * time.Minute

// outcome waits for an order's outcome.
func (l *ledger) outcome(ctx context.Context, ref payment.Ref) (payment.Payment, error) {
	ctx, cancel := context.WithTimeout(ctx, outcomeTimeout)
	defer cancel()
	for {
		l.mu.Lock()
		p, booked := l.booked[ref]
		changed := l.changed
		l.mu.Unlock()
		if booked {
			return p, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return payment.Payment{}, errors.Join(fmt.Errorf("the ledger heard of no outcome for %s", ref), ctx.Err())
		}
	}
}

// counts returns how many payments are booked, and from how many events.
func (l *ledger) counts() (payments, events int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.booked), l.events
}
