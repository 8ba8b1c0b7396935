// Package storetest is the suite that every [idempotency.Store] passes.
package storetest

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

// Times of the suite. A store may count in real time, so nothing may depend on a short lease that still
// runs, nor on a long one that ends.
const (
	short     = 50 * time.Millisecond
	long      = 10 * time.Minute
	retention = time.Hour
	// brief is a retention that is waited for. Less than half of it must outlive a few requests on a slow machine
	// that stands still now and then.
	brief = 8 * time.Second
	// tick makes sure that a time is over, in a store that counts in milliseconds.
	tick = 5 * time.Millisecond
)

var order = payment.Ref{Provider: "teemopay-kr", Order: "D-1"}

// Run tests a store. open returns a store that knows no claim; it is called for each test. advance
// returns when the clock of all opened stores has gone on by d at least.
func Run(t *testing.T, open func(t *testing.T) idempotency.Store, advance func(d time.Duration)) {
	tests := []struct {
		name string
		test func(s suite)
	}{
		{"of many owners at once, one wins", oneWins},
		{"a claim asked for again is the same claim", claimAgain},
		{"a held order is busy", busy},
		{"a lease that ran out goes to the next owner", leaseEnds},
		{"an owner whose lease ran out and was not taken may go on", leaseEndsUntaken},
		{"a late owner is refused", lateOwner},
		{"another owner's token does not do", foreignOwner},
		{"renew makes the lease begin again", renew},
		{"a claim is verified by the store's own clock", verify},
		{"a release gives the order back", release},
		{"a released claim is lost", releasedIsLost},
		{"the record ends after the retention", retentionEnds},
		{"every change begins the retention again", retentionBeginsAgain},
		{"an unknown claim is lost", unknownIsLost},
		{"providers and orders do not collide", noCollision},
		{"mistakes of the caller are refused", mistakes},
		{"a cancelled context claims nothing", cancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.test(suite{t, open(t), advance})
		})
	}
}

// suite is one test on a store of its own.
type suite struct {
	*testing.T
	store   idempotency.Store
	advance func(d time.Duration)
}

func request(owner string, lease time.Duration) idempotency.Request {
	return idempotency.Request{Owner: owner, Lease: lease, Retention: retention}
}

// claim asks for the order and fails the test unless the outcome is the one wanted.
func (s suite) claim(req idempotency.Request, want idempotency.Outcome) idempotency.Claim {
	s.Helper()
	return s.claimOf(order, req, want)
}

func (s suite) claimOf(ref payment.Ref, req idempotency.Request, want idempotency.Outcome) idempotency.Claim {
	s.Helper()
	got, err := s.store.Claim(s.Context(), ref, req)
	if err != nil || got.Outcome != want {
		s.Fatalf("%s claims %s: outcome %d, %v; want outcome %d", req.Owner, ref, got.Outcome, err, want)
	}
	if want == idempotency.Won && got.Held.Owner != req.Owner {
		s.Fatalf("%s won a claim held by %q", req.Owner, got.Held.Owner)
	}
	if want != idempotency.Won && got.Held != (idempotency.Held{}) {
		s.Fatalf("%s did not win and was told %+v", req.Owner, got)
	}
	return got
}

// win claims with a long lease and returns what is held.
func (s suite) win(owner string) idempotency.Held {
	s.Helper()
	return s.claim(request(owner, long), idempotency.Won).Held
}

func (s suite) renew(held idempotency.Held) error {
	return s.store.Renew(s.Context(), order, held, long)
}

func (s suite) verify(held idempotency.Held, left time.Duration) error {
	return s.store.Verify(s.Context(), order, held, left)
}

func (s suite) release(held idempotency.Held) {
	s.Helper()
	s.ok(s.store.Release(s.Context(), order, held), "release")
}

func (s suite) ok(err error, what string) {
	s.Helper()
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

func (s suite) must(holds bool, format string, args ...any) {
	s.Helper()
	if !holds {
		s.Fatalf(format, args...)
	}
}

// cancelledContext is over before it is used.
func cancelledContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
