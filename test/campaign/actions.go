package campaign

import (
	"maps"
	"sync"

	"payonce/pkg/payment"
)

// Actions are what was done to one payment besides ordering it. What was tried may have come in, what was
// taken has: payonce said so.
type Actions struct {
	Repeated      int // the same command, taken again
	OthersTried   int // another command under its number, sent
	OthersTaken   int // of these, taken by the broker: each becomes a dead letter
	OthersRefused int // of these, refused by the ingress
	AnswersTried  int // answers to what the provider wants to know
	AnswersTaken  int
	Cancelled     bool // payctl said that it was cancelled
	Released      int  // events of the log that say so
	Dropped       int  // dead letters that were deleted, or may have been
	Replayed      int
}

// actions keeps the Actions of all payments. It is safe for concurrent use.
type actions struct {
	mu  sync.Mutex
	all map[payment.Ref]Actions
}

func newActions() *actions { return &actions{all: map[payment.Ref]Actions{}} }

// add changes the actions of a payment.
func (d *actions) add(ref payment.Ref, change func(*Actions)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.all[ref]
	change(&one)
	d.all[ref] = one
}

// copied returns all actions as they are.
func (d *actions) copied() map[payment.Ref]Actions {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.all)
}

// total adds up a number over all payments.
func total(all map[payment.Ref]Actions, of func(Actions) int) int {
	sum := 0
	for _, one := range all {
		sum += of(one)
	}
	return sum
}
