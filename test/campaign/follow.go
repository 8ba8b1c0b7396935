package campaign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// timeout bounds one question to the cluster: while it elects a leader it drops what it is asked.
const timeout = 3 * time.Second

// readFrom returns one event of the log. The log has no holes, so who reads sequence by sequence sees all of
// it, without a consumer that the cluster could lose with a server. The error is jetstream.ErrMsgNotFound
// where there is no event yet, as far as the server knows that was asked.
func readFrom(ctx context.Context, stream njs.Stream, sequence uint64) (events.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	raw, err := stream.GetMsg(ctx, sequence)
	if err != nil {
		return events.Record{}, err
	}
	p, err := events.DecodePayment(raw.Data)
	if err != nil {
		return events.Record{}, fmt.Errorf("sequence %d: %w", sequence, err)
	}
	if want := events.PaymentSubject(p.Status, p.Ref); want != raw.Subject {
		return events.Record{}, fmt.Errorf("sequence %d: %s holds an event of %s", sequence, raw.Subject, want)
	}
	return events.Record{Sequence: raw.Sequence, StoredAt: raw.Time, Payment: p}, nil
}

// readAll reads the whole log.
func readAll(ctx context.Context, js njs.JetStream) (map[payment.Ref][]events.Record, error) {
	stream, err := js.Stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, err
	}
	state, all := stream.CachedInfo().State, map[payment.Ref][]events.Record{}
	for sequence := state.FirstSeq; sequence <= state.LastSeq && state.Msgs > 0; {
		record, err := readFrom(ctx, stream, sequence)
		if errors.Is(err, njs.ErrMsgNotFound) || errors.Is(err, context.DeadlineExceeded) { // a replica lags behind
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("sequence %d: %w", sequence, err)
			case <-time.After(100 * time.Millisecond):
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		all[record.Payment.Ref] = append(all[record.Payment.Ref], record)
		sequence++
	}
	return all, nil
}

// board knows the state of every payment, from following the log.
type board struct {
	mu      sync.Mutex
	last    map[payment.Ref]payment.Payment
	changed time.Time // when the last event came
	seq     uint64    // of that event
}

func newBoard() *board { return &board{last: map[payment.Ref]payment.Payment{}, changed: time.Now()} }

// follow keeps the board up to date until ctx ends. each sees every event once.
func (b *board) follow(ctx context.Context, js njs.JetStream, each func(payment.Payment)) {
	var stream njs.Stream
	for ctx.Err() == nil {
		err := b.next(ctx, js, &stream, each)
		if err == nil {
			continue
		}
		select { // nothing new, or no server answers
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// next takes in one event.
func (b *board) next(ctx context.Context, js njs.JetStream, stream *njs.Stream, each func(payment.Payment)) error {
	if *stream == nil {
		asking, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		found, err := js.Stream(asking, events.StreamPayments)
		if err != nil {
			return err
		}
		*stream = found
	}
	record, err := readFrom(ctx, *stream, b.sequence()+1)
	if err != nil {
		return err
	}
	if record.Payment, err = withAction(ctx, js, record.Payment); err != nil {
		return err
	}
	b.put(record)
	each(record.Payment)
	return nil
}

// withAction reads what the customer of a payment must do, which is stored beside the log.
func withAction(ctx context.Context, js njs.JetStream, p payment.Payment) (payment.Payment, error) {
	if !p.Action.Missing() {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stream, err := js.Stream(ctx, events.StreamActions)
	if err != nil {
		return p, err
	}
	raw, err := stream.GetLastMsgForSubject(ctx, events.ActionSubject(p.Ref, p.Action.Stored))
	if err != nil {
		return p, err
	}
	p.Action, err = events.DecodeAction(p.Ref, p.Action.Stored, raw.Data)
	return p, err
}

func (b *board) put(r events.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq, b.last[r.Payment.Ref], b.changed = r.Sequence, r.Payment, time.Now()
}

// sequence is that of the last event that was seen.
func (b *board) sequence() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seq
}

// current reports whether the board has seen the whole log.
func (b *board) current(ctx context.Context, js njs.JetStream) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stream, err := js.Stream(ctx, events.StreamPayments)
	return err == nil && stream.CachedInfo().State.LastSeq == b.sequence()
}

// counts returns how many payments are in each status, and for how long nothing has changed.
func (b *board) counts() (map[payment.Status]int, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts := map[payment.Status]int{}
	for _, p := range b.last {
		counts[p.Status]++
	}
	return counts, time.Since(b.changed)
}

// of returns a payment as it is now; false if it is not in the log.
func (b *board) of(ref payment.Ref) (payment.Payment, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, found := b.last[ref]
	return p, found
}

// in returns the payments that are in a status.
func (b *board) in(status payment.Status) []payment.Payment {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []payment.Payment
	for _, p := range b.last {
		if p.Status == status {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b payment.Payment) int { return compareRefs(a.Ref, b.Ref) })
	return all
}
