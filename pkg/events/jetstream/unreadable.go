package jetstream

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
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
	if !u.following && c.broker.Begin() {
		u.following = true
		go u.follow(c)
	}
}

// follow looks at what is known again until nothing is left or the connection is closed.
func (u *unreadables) follow(c *Conn) {
	defer c.broker.Done()
	ticker := time.NewTicker(unreadableAgain)
	defer ticker.Stop()
	for {
		select {
		case <-c.broker.Stopping.Done():
			return
		case <-ticker.C:
		}
		for _, ref := range u.refs() {
			ctx, cancel := context.WithTimeout(c.broker.Stopping, broker.AskTimeout)
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

// Unreadable returns how many payments this process knows whose last event cannot be read, by provider. The providers are counted
// also where they have none, and others as [events.NoProvider]; with none of these, all are counted by name.
func (c *Conn) Unreadable(providers []string) map[string]int64 {
	u := &c.unreadable
	u.mu.Lock()
	defer u.mu.Unlock()
	counts := map[string]int64{}
	for _, provider := range providers {
		counts[provider] = 0
	}
	for ref := range u.known {
		provider := ref.Provider
		if len(providers) > 0 && !slices.Contains(providers, provider) {
			provider = events.NoProvider
		}
		counts[provider]++
	}
	return counts
}
