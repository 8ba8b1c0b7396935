package jetstream

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

const (
	// unreadableAgain is how often it is looked whether a person has stepped over an event that cannot be read.
	unreadableAgain = 5 * time.Second
	// maxUnreadable bounds how many such payments a process remembers.
	maxUnreadable = 10_000
)

// unreadables knows the payments whose last event cannot be read, as far as this process met them. The zero value is ready.
type unreadables struct {
	some atomic.Bool // so that reading the log costs no lock

	mu        sync.Mutex
	known     map[payment.Ref]uint64 // → the sequence of that event
	following bool
	providers []string // that are counted also where they have none; with none of these, all
}

// of has these providers counted, and others as unknown.
func (u *unreadables) of(providers []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.providers = providers
}

// note takes down what came of reading a payment's last event. A new one is logged, once, and looked at again until a person
// has stepped over it.
func (u *unreadables) note(ctx context.Context, c *Conn, ref payment.Ref, sequence uint64, err error) {
	bad, is := events.Unreadable(err)
	if !is && !u.some.Load() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !is {
		if at, known := u.known[ref]; known && sequence > at { // else a replica lags behind
			delete(u.known, ref)
			u.some.Store(len(u.known) > 0)
		}
		return
	}
	if u.known[ref] >= sequence || len(u.known) >= maxUnreadable {
		return
	}
	if u.known == nil {
		u.known = map[payment.Ref]uint64{}
	}
	u.known[ref] = sequence
	u.some.Store(true)
	c.log.ErrorContext(ctx, "the last event of a payment cannot be read; it is left alone until an operator skips the event",
		"provider", ref.Provider, "order", ref.Order, "sequence", sequence, "problem", bad.Problem(), "next", bad.Next())
	if !u.following && c.begin() {
		u.following = true
		go u.follow(c)
	}
}

// follow looks at what is known again until nothing is left or the connection is closed.
func (u *unreadables) follow(c *Conn) {
	defer c.work.Done()
	ticker := time.NewTicker(unreadableAgain)
	defer ticker.Stop()
	for {
		select {
		case <-c.stopping.Done():
			return
		case <-ticker.C:
		}
		for _, ref := range u.refs() {
			ctx, cancel := context.WithTimeout(c.stopping, askTimeout)
			_, _, _ = c.Last(ctx, ref) // it notes
			cancel()
		}
		if u.rest() {
			return
		}
	}
}

// rest ends the following when there is nothing to follow.
func (u *unreadables) rest() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.following = len(u.known) > 0
	return !u.following
}

func (u *unreadables) refs() []payment.Ref {
	u.mu.Lock()
	defer u.mu.Unlock()
	var refs []payment.Ref
	for ref := range u.known {
		refs = append(refs, ref)
	}
	return refs
}

// count returns how many there are, by provider.
func (u *unreadables) count() map[string]int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	counts := map[string]int64{}
	for _, provider := range u.providers {
		counts[provider] = 0
	}
	for ref := range u.known {
		provider := ref.Provider
		if len(u.providers) > 0 && !slices.Contains(u.providers, provider) {
			provider = events.NoProvider
		}
		counts[provider]++
	}
	return counts
}
