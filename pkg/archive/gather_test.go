package archive_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// oneByOne delivers one event of a log each time, and notes when it was asked.
type oneByOne struct {
	log   *memoryLog
	given int
	asked chan time.Time
}

func (f *oneByOne) Next(ctx context.Context, _ int, _ time.Duration) ([]events.Message, func() error, error) {
	select {
	case f.asked <- time.Now():
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if f.given == len(f.log.events) {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	f.given++
	return f.log.events[f.given-1 : f.given], func() error { return nil }, nil
}

// While events keep coming a transaction waits for the next ones, so that it has many; one that is full is followed at once, because the
// archive is behind. Who ends the archive does not wait.
func TestEventsAreGathered(t *testing.T) {
	const gather = 300 * time.Millisecond
	for name, test := range map[string]struct {
		batch  int
		gather time.Duration
		least  time.Duration
	}{"few": {100, gather, gather}, "full": {1, time.Hour, 0}} {
		t.Run(name, func(t *testing.T) {
			log, place := newLog(), sqlite(t)
			log.add(t, deposit("D-1", payment.Submitting, 1))
			log.add(t, deposit("D-1", payment.Settled, 2))
			follower := &oneByOne{log: log, asked: make(chan time.Time)}
			a, err := archive.New(archive.Options{
				Log: log, Batch: test.batch, Gather: test.gather, Now: time.Now, Logger: discard,
				Follow: func(context.Context) (archive.Follower, error) { return follower, nil },
				Open:   func(ctx context.Context) (*archive.Store, error) { return archive.Open(ctx, place) },
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			first, second := <-follower.asked, <-follower.asked
			if took := second.Sub(first); took < test.least {
				t.Errorf("the next events were asked for after %s, want %s", took, test.least)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// What hardly ever changes between two events of a payment is stored when it does.
func TestWhatIsFixedCanChange(t *testing.T) {
	onBoth(t, func(t *testing.T, place archive.Location) {
		s, log := openAt(t, place), newLog()
		p := deposit("D-1", payment.Submitting, 1)
		put(t, s, log.add(t, p))
		p.Status, p.Revision = payment.Pending, 2
		put(t, s, log.add(t, p)) // nothing of it
		p.Revision, p.Amount, p.Operation, p.Upstream, p.RequestedAt = 3, payment.KRW(77_000), payment.Payout, "game", start.Add(time.Hour)
		put(t, s, log.add(t, p))
		verified(t, s, log)
		for what, f := range map[string]search.Filter{
			"amount": {AmountFrom: payment.KRW(77_000), AmountTo: payment.KRW(77_000)}, "operation": {Operations: []payment.Operation{payment.Payout}}, "upstream": {VisibleTo: "game", Statuses: []payment.Status{payment.Pending}},
		} {
			if orders := found(t, s, f); len(orders) != 1 {
				t.Errorf("%s: found %v", what, orders)
			}
		}
	})
}
