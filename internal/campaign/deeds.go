package campaign

import (
	"maps"
	"sync"

	"payonce/pkg/payment"
)

// Deeds are what was done to one payment besides ordering it. What was tried may have come in, what was
// taken has: payonce said so.
type Deeds struct {
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

// deeds keeps the Deeds of all payments. It is safe for concurrent use.
type deeds struct {
	mu  sync.Mutex
	all map[payment.Ref]Deeds
}

func newDeeds() *deeds { return &deeds{all: map[payment.Ref]Deeds{}} }

// add changes the deeds of a payment.
func (d *deeds) add(ref payment.Ref, change func(*Deeds)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.all[ref]
	change(&one)
	d.all[ref] = one
}

// copied returns all deeds as they stand.
func (d *deeds) copied() map[payment.Ref]Deeds {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.all)
}

// total adds up a number over all payments.
func total(all map[payment.Ref]Deeds, of func(Deeds) int) int {
	sum := 0
	for _, one := range all {
		sum += of(one)
	}
	return sum
}
