package idempotency

import (
	"errors"
	"time"
)

// minimum is the shortest lease and retention: stores count in milliseconds.
const minimum = time.Millisecond

// Validate reports, all at once, what no store accepts. An error is a mistake in the calling program.
func (r Request) Validate() error {
	var errs []error
	if r.Owner == "" {
		errs = append(errs, errors.New("the owner is empty"))
	}
	errs = append(errs, ValidateLease(r.Lease))
	if r.Retention <= r.Lease {
		errs = append(errs, errors.New("the retention is not longer than the lease"))
	}
	return errors.Join(errs...)
}

// Validate reports a Held that no Claim gave out.
func (h Held) Validate() error {
	if h.Owner == "" || h.Fence <= 0 {
		return errors.New("the owner or the fence is missing")
	}
	return nil
}

// ValidateLease reports a lease shorter than a millisecond.
func ValidateLease(lease time.Duration) error {
	if lease < minimum {
		return errors.New("the lease is shorter than a millisecond")
	}
	return nil
}
