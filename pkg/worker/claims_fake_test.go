package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/storetest"
	"payonce/pkg/payment"
)

// memoryClaims is a claim store for the tests with thousands of cases, where Redis would take minutes. It
// passes the suite that Redis passes.
type memoryClaims struct {
	now     func() time.Time
	mu      sync.Mutex
	records map[payment.Ref]*claimRecord
}

type claimRecord struct {
	held        idempotency.Held
	free        bool
	until, ends time.Time
	retention   time.Duration
}

func newMemoryClaims(now func() time.Time) *memoryClaims {
	return &memoryClaims{now: now, records: map[payment.Ref]*claimRecord{}}
}

// record returns the record of an order that has not ended; nil when there is none.
func (c *memoryClaims) record(ref payment.Ref) *claimRecord {
	if r := c.records[ref]; r != nil && c.now().Before(r.ends) {
		return r
	}
	delete(c.records, ref)
	return nil
}

func (r *claimRecord) keep(now time.Time, retention time.Duration) {
	r.retention = max(r.retention, retention)
	r.ends = now.Add(r.retention)
}

func (c *memoryClaims) Claim(ctx context.Context, ref payment.Ref, req idempotency.Request) (idempotency.Claim, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := firstError(ctx.Err(), ref.Validate(), req.Validate()); err != nil {
		return idempotency.Claim{}, err
	}
	r := c.record(ref)
	if r == nil {
		r = &claimRecord{free: true}
		c.records[ref] = r
	}
	switch {
	case !r.free && r.held.Owner != req.Owner && c.now().Before(r.until):
		return idempotency.Claim{Outcome: idempotency.Busy, Wait: r.until.Sub(c.now())}, nil
	case r.free || r.held.Owner != req.Owner:
		r.held.Fence++
	}
	r.held.Owner, r.free, r.until = req.Owner, false, c.now().Add(req.Lease)
	r.keep(c.now(), req.Retention)
	return idempotency.Claim{Outcome: idempotency.Won, Held: r.held}, nil
}

func (c *memoryClaims) Renew(ctx context.Context, ref payment.Ref, held idempotency.Held, lease time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := firstError(ctx.Err(), ref.Validate(), held.Validate(), idempotency.ValidateLease(lease)); err != nil {
		return err
	}
	r := c.record(ref)
	if r == nil || r.held != held || r.free {
		return idempotency.ErrLost
	}
	r.until = c.now().Add(lease)
	r.keep(c.now(), lease)
	return nil
}

func (c *memoryClaims) Verify(ctx context.Context, ref payment.Ref, held idempotency.Held, left time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := firstError(ctx.Err(), ref.Validate(), held.Validate(), idempotency.ValidateLease(left)); err != nil {
		return err
	}
	switch r := c.record(ref); {
	case r == nil:
		return errors.New("no such record")
	case r.held != held || r.free || r.until.Sub(c.now()) < left:
		return idempotency.ErrLost
	}
	return nil
}

func (c *memoryClaims) Release(ctx context.Context, ref payment.Ref, held idempotency.Held) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := firstError(ctx.Err(), ref.Validate(), held.Validate()); err != nil {
		return err
	}
	if r := c.record(ref); r != nil && r.held == held && !r.free {
		r.free = true
		r.keep(c.now(), 0)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestMemoryClaimsAreAStore(t *testing.T) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	storetest.Run(t, func(*testing.T) idempotency.Store {
		return newMemoryClaims(func() time.Time { return now })
	}, func(d time.Duration) { now = now.Add(d) })
}
