package limits

import (
	"context"
	"time"
)

const (
	// sharedPause is how long the shared budget is not asked after it failed, so that an outage costs one
	// slow request a second and not one for every call.
	sharedPause = time.Second
	// sharedTimeout bounds one request for a place in the shared budget.
	sharedTimeout = 2 * time.Second
)

// Reserve takes one call of the provider out of its budget and returns how long it must wait. If that is
// longer than timeout it takes nothing, and ok is false.
//
// While the shared budget cannot be asked, this worker's own takes its place at the full rate: several
// workers can then be faster than the provider wants, and its answer "throttled" parks what is too much.
func (l *Limits) Reserve(ctx context.Context, name string, timeout time.Duration) (wait time.Duration, ok bool) {
	p := l.providers[name]
	if p == nil || p.local == nil {
		return 0, true
	}
	wait, ok, asked := l.reserveShared(ctx, name, p.rate, timeout)
	if !asked {
		wait, ok = p.reserve(l.now(), timeout)
	}
	l.metrics.reserved(ctx, name, wait, ok, asked)
	return wait, ok
}

// reserveShared asks the budget of all workers. asked is false when there is none, or when it is down.
func (l *Limits) reserveShared(ctx context.Context, name string, r Rate, timeout time.Duration) (wait time.Duration, ok, asked bool) {
	if l.shared == nil {
		return 0, false, false
	}
	// One that is further away was set before the clock was set back.
	if left := l.sharedDownUntil.Load() - l.now().UnixNano(); 0 < left && left <= sharedPause.Nanoseconds() {
		return 0, false, false
	}
	// A process that stops asks all the same: it says nothing about the budget's health.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTimeout)
	defer cancel()
	wait, ok, err := l.shared.Reserve(ctx, name, r, timeout)
	if err != nil {
		if was := l.sharedDownUntil.Swap(l.now().Add(sharedPause).UnixNano()); was == 0 { // once for each outage
			l.log.ErrorContext(ctx, "shared rate limit unavailable: each worker applies the whole rate", "provider", name, "error", err)
		}
		return 0, false, false
	}
	if l.sharedDownUntil.Load() != 0 && l.sharedDownUntil.Swap(0) != 0 {
		l.log.InfoContext(ctx, "shared rate limit available again")
	}
	return wait, ok, true
}

// reserve takes a call out of this worker's own budget.
func (p *provider) reserve(now time.Time, timeout time.Duration) (wait time.Duration, ok bool) {
	place := p.local.ReserveN(now, 1)
	if wait = place.DelayFrom(now); wait > timeout {
		place.CancelAt(now)
		return wait, false
	}
	return wait, true
}
