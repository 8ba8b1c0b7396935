package worker

import "time"

// DefaultTiming is the timing of the tests that do not change it. Programs get theirs from pkg/config.
func DefaultTiming() Timing {
	return Timing{
		SubmitTimeout: 15 * time.Second, RetryFor: 5 * time.Second, RetryInitial: 100 * time.Millisecond,
		Lease: 40 * time.Second, LookupMin: 5 * time.Second, LookupMax: 15 * time.Minute,
		ParkMin: 10 * time.Second, ParkMax: 10 * time.Minute, ResumeSpread: 10 * time.Minute,
		Retention: 90 * 24 * time.Hour, ClaimRetention: 90 * 24 * time.Hour, UnknownOrderFor: 24 * time.Hour,
		ClockBound: time.Second,
	}
}
