package worker

import (
	"errors"
	"fmt"
	"time"

	"payonce/pkg/connectors"
)

// Timing holds the engine's durations.
type Timing struct {
	// SubmitTimeout bounds one call of a provider.
	SubmitTimeout time.Duration
	// RetryFor bounds the time in which a request that was proven not sent is tried again at once.
	// Afterwards the payment is parked.
	RetryFor time.Duration
	// RetryInitial is the first pause of those retries; it grows, with jitter.
	RetryInitial time.Duration
	// Lease is how long a worker may hold an order. RetryFor + 2 × SubmitTimeout must fit into it: one
	// call and one look-up after it.
	Lease time.Duration
	// LookupMin and LookupMax bound the pause between two look-ups of a payment in doubt. The pause is
	// half the age of the doubt, counted in the provider's open time.
	LookupMin, LookupMax time.Duration
	// ParkMin and ParkMax bound how long a payment is parked that could not be sent. The pause doubles
	// with every attempt.
	ParkMin, ParkMax time.Duration
	// ResumeSpread is the time after an opening over which payments are resumed that waited for it; 0
	// resumes all at once.
	ResumeSpread time.Duration
	// Retention is how long the log remembers a payment. Older commands are refused.
	Retention time.Duration
	// ClaimRetention is how long a claim is remembered after its last change, at least Retention: a command that
	// comes again is then recognised before it takes a call out of the provider's budget.
	ClaimRetention time.Duration
	// UnknownOrderFor is how long a webhook waits for the command of its order.
	UnknownOrderFor time.Duration
	// ClockBound is how far the times of two workers (Options.Now) may differ.
	ClockBound time.Duration
}

// Validate returns every problem of the timing, joined.
func (t Timing) Validate() error {
	var problems []error
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"submit_timeout", t.SubmitTimeout}, {"retry_for", t.RetryFor}, {"retry_initial", t.RetryInitial},
		{"lease", t.Lease}, {"lookup_min", t.LookupMin}, {"lookup_max", t.LookupMax}, {"park_min", t.ParkMin},
		{"park_max", t.ParkMax}, {"retention", t.Retention}, {"unknown_order_for", t.UnknownOrderFor},
	} {
		if d.d <= 0 {
			problems = append(problems, fmt.Errorf("%s: must be positive", d.name))
		}
	}
	if t.RetryFor+2*t.SubmitTimeout >= t.Lease {
		problems = append(problems, fmt.Errorf("lease: %s must be more than retry_for + 2 × submit_timeout = %s, so that a call and its look-up end within the lease", t.Lease, t.RetryFor+2*t.SubmitTimeout))
	}
	if t.Retention <= t.Lease {
		problems = append(problems, errors.New("retention: must be more than the lease"))
	}
	if t.ClaimRetention < t.Retention {
		problems = append(problems, errors.New("claim_retention: must not be less than retention"))
	}
	if t.LookupMin > t.LookupMax {
		problems = append(problems, errors.New("lookup_min: must not be more than lookup_max"))
	}
	if t.ResumeSpread < 0 {
		problems = append(problems, errors.New("resume_spread: must not be negative"))
	}
	if t.ClockBound < 0 {
		problems = append(problems, errors.New("clock_bound: must not be negative"))
	}
	if t.ParkMin > t.ParkMax {
		problems = append(problems, errors.New("park_min: must not be more than park_max"))
	}
	return errors.Join(problems...)
}

// Settling returns what the least settling delay is made of.
func (t Timing) Settling() connectors.Settling {
	return connectors.Settling{Lease: t.Lease, SubmitTimeout: t.SubmitTimeout, ClockBound: t.ClockBound}
}

// CheckSettling returns an error if a provider's settling delay is too short for this timing.
func (t Timing) CheckSettling(delay time.Duration) error {
	if least := t.Settling(); delay < least.Least() {
		return fmt.Errorf("settling_delay: %s must be at least %s", delay, least)
	}
	return nil
}
