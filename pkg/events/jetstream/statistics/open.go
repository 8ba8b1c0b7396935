package statistics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// open knows the payments that stand in doubt or in conflict. It reads them once and then follows the log,
// of which it is sent headers only.
type open struct {
	reporter *Reporter

	mu    sync.Mutex
	known bool // read once
	now   map[payment.Ref]stands
}

type stands struct {
	status payment.Status
	since  time.Time // when it was sent
}

func newOpen(r *Reporter) *open { return &open{reporter: r, now: map[payment.Ref]stands{}} }

// run follows the log until ctx ends.
func (s *open) run(ctx context.Context) {
	wait := broker.NewBackoff()
	for ctx.Err() == nil {
		began, err := s.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		s.reporter.log.Warn("restarting the reader of payments in doubt", "error", err)
		if began {
			wait = broker.NewBackoff()
		}
		broker.Pause(ctx, wait)
	}
}

// follow reads all such payments, and then every event from before that reading on.
func (s *open) follow(ctx context.Context) (began bool, err error) {
	reconnected := s.reporter.broker.Reconnected.Wait()
	stream, err := s.reporter.broker.JS.Stream(ctx, events.StreamPayments) // for the last sequence
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", events.StreamPayments, err)
	}
	from := stream.CachedInfo().State.LastSeq + 1
	if err := s.readAll(ctx); err != nil {
		return false, err
	}
	consumer, err := stream.OrderedConsumer(ctx, njs.OrderedConsumerConfig{
		DeliverPolicy: njs.DeliverByStartSequencePolicy, OptStartSeq: from, HeadersOnly: true,
	})
	if err != nil {
		return false, fmt.Errorf("ordered consumer of %s: %w", events.StreamPayments, err)
	}
	broken := make(chan error, 1)
	fail := func(err error) {
		select {
		case broken <- err:
		default:
		}
	}
	following, err := consumer.Consume(func(m njs.Msg) {
		if err := s.heard(ctx, m); err != nil {
			fail(err)
		}
	}, njs.ConsumeErrHandler(func(_ njs.ConsumeContext, err error) { fail(err) }))
	if err != nil {
		return false, fmt.Errorf("consume %s: %w", events.StreamPayments, err)
	}
	defer func() { following.Stop(); <-following.Closed() }()
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-reconnected:
		return true, errors.New("the connection was lost")
	case err := <-broken:
		return true, err
	}
}

// readAll looks at every payment that was ever in doubt or in conflict, as far as the log remembers.
func (s *open) readAll(ctx context.Context) error {
	now := map[payment.Ref]stands{}
	for _, status := range needsSomebody {
		filter := events.PaymentSubject(status, payment.Ref{Provider: "*", Order: "*"})
		for offset := 0; ; {
			subjects, total, err := s.reporter.broker.Subjects(ctx, events.StreamPayments, filter, offset)
			if err != nil {
				return err
			}
			for subject := range subjects {
				ref, ok := events.SubjectRef(subject)
				if !ok {
					continue
				}
				p, _, err := s.reporter.conn.Last(ctx, ref)
				_, unreadable := events.Unreadable(err) // counted by MetricUnreadable: it must not hide the others
				if err != nil && !errors.Is(err, events.ErrNoPayment) && !unreadable {
					return err
				}
				if slices.Contains(needsSomebody, p.Status) {
					now[ref] = standsSince(p)
				}
			}
			if offset += len(subjects); len(subjects) == 0 || offset >= total {
				break
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.known = now, true
	return nil
}

func standsSince(p payment.Payment) stands {
	return stands{p.Status, p.OpenSince()}
}

// heard takes one event in. Its body is read only when it brings a payment among those that stand.
func (s *open) heard(ctx context.Context, m njs.Msg) error {
	ref, ok := events.SubjectRef(m.Subject())
	if !ok {
		return nil
	}
	status, _ := events.SubjectStatus(m.Subject())
	if m.Headers().Get(jetstream.HeaderPrevious) == "" { // not written by us: reading it notes it if it cannot be read
		_, _, _ = s.reporter.conn.Last(ctx, ref)
	}
	if !slices.Contains(needsSomebody, status) {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.now, ref)
		return nil
	}
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("event of %s: %w", ref, err)
	}
	next := stands{status, meta.Timestamp}
	if p, seq, err := s.reporter.conn.Last(ctx, ref); err == nil && seq >= meta.Sequence.Stream { // else a replica lags behind
		if next = standsSince(p); !slices.Contains(needsSomebody, p.Status) {
			return nil // it has left already; that event comes too
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, stood := s.now[ref]; stood && known.since.Before(next.since) && known.status == next.status {
		next.since = known.since
	}
	s.now[ref] = next
	return nil
}

type providerStatus struct {
	provider string
	status   payment.Status
}

type openCount struct {
	n      int64
	oldest time.Duration
}

// count returns how many stand, 0 for providers of which none does. It is empty before the first reading.
func (s *open) count(now time.Time, providers []string) map[providerStatus]openCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := map[providerStatus]openCount{}
	if !s.known {
		return counts
	}
	for _, provider := range providers {
		for _, status := range needsSomebody {
			counts[providerStatus{provider, status}] = openCount{}
		}
	}
	for ref, at := range s.now {
		of := providerStatus{ref.Provider, at.status}
		c := counts[of]
		counts[of] = openCount{c.n + 1, max(c.oldest, now.Sub(at.since))}
	}
	return counts
}
