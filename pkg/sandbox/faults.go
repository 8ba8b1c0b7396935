package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultName names a fault in order numbers, in configuration and in the admin API.
type FaultName string

// The faults. Those on create requests act only when the request itself is valid; those that accept
// first act only on the request that was accepted, never on a refused duplicate.
const (
	// Refuse503 answers 503 and accepts nothing.
	Refuse503 FaultName = "refuse503"
	// Blackhole drops the connection and accepts nothing.
	Blackhole FaultName = "blackhole"
	// HangBefore holds the request before it is accepted, until it is released. When the merchant hangs
	// up first, it is never accepted.
	HangBefore FaultName = "hang-before"
	// Slow waits (ms), accepts, and answers late. It accepts also when the merchant has hung up.
	Slow FaultName = "slow"
	// AcceptDuplicates accepts an order number again, as a separate charge.
	AcceptDuplicates FaultName = "accept-duplicates"
	// Decline refuses a deposit with a documented code. A payout is accepted and fails later, and so is a
	// deposit where the provider's answer says nothing about the outcome.
	Decline FaultName = "decline"
	// Channel accepts the order and answers at once that the channel failed, or calls back where the
	// answer says nothing about the outcome. No money moves.
	Channel FaultName = "channel"
	// EarlyCallback moves the money and delivers the callback before the create's answer leaves.
	EarlyCallback FaultName = "early-callback"
	// Hang accepts, then holds the answer until it is released.
	Hang FaultName = "hang"
	// Drop accepts, then drops the connection without an answer.
	Drop FaultName = "drop"
	// Error500 accepts, then answers 500.
	Error500 FaultName = "error500"
	// Garbage accepts, then answers 200 with HTML.
	Garbage FaultName = "garbage"
	// WrongAmount repeats another ordered amount (one more than ordered, or amount).
	WrongAmount FaultName = "wrong-amount"
	// OtherAmount lets the customer pay another amount than ordered (one less, or amount).
	OtherAmount FaultName = "other-amount"
	// Clarification asks for more data about a deposit, where the provider documents that. Other
	// providers ignore it.
	Clarification FaultName = "clarification"
	// Lag answers queries with "not found" until ms after the create.
	Lag FaultName = "lag"
	// Query503 answers queries with 503.
	Query503 FaultName = "query503"
	// Multi lets the customer pay a deposit in full twice: two movements, two callbacks.
	Multi FaultName = "multi"
	// Refund takes a payout back after it was paid, and a deposit where the provider does that.
	Refund FaultName = "refund"
	// DuplicateCallback delivers a callback again after it was acknowledged.
	DuplicateCallback FaultName = "duplicate-callback"
	// LostCallback never sends the callback.
	LostCallback FaultName = "lost-callback"
)

// FaultNames lists all faults.
func FaultNames() []FaultName {
	return []FaultName{
		Refuse503, Blackhole, HangBefore, Slow, AcceptDuplicates, Decline, Channel, EarlyCallback, Hang, Drop,
		Error500, Garbage, WrongAmount, Lag, Query503, Multi, Refund, DuplicateCallback, LostCallback,
		OtherAmount, Clarification,
	}
}

// Fault is one switch.
type Fault struct {
	Name FaultName `json:"fault"`
	// Times is how often it acts on one order; 0 is always.
	Times int `json:"times,omitempty"`
	// Millis is the wait of slow (default 2000) and lag (default 2000).
	Millis int64 `json:"ms,omitempty"`
	// Amount is what wrong-amount repeats and other-amount pays, in minor units.
	Amount int64 `json:"amount,omitempty"`
}

// defaultMillis is the wait of a fault that names none.
const defaultMillis = 2000

func (f Fault) wait() time.Duration {
	if f.Millis == 0 {
		return defaultMillis * time.Millisecond
	}
	return time.Duration(f.Millis) * time.Millisecond
}

// validateFaults checks switches that came from outside.
func validateFaults(faults []Fault) error {
	if len(faults) > len(FaultNames()) {
		return fmt.Errorf("at most %d faults", len(FaultNames()))
	}
	for _, f := range faults {
		if !slices.Contains(FaultNames(), f.Name) {
			return fmt.Errorf("fault %q is not known; there are %v", f.Name, FaultNames())
		}
		if f.Times < 0 || f.Amount < 0 || f.Millis < 0 || f.Millis > 10*60*1000 {
			return fmt.Errorf("fault %s: times and amount must not be negative, ms must be 0 to 600000", f.Name)
		}
	}
	return nil
}

// faultsInOrder reads the switches in an order number: x-<fault> or x-<fault>_<n> between dashes.
func faultsInOrder(order string) []Fault {
	var faults []Fault
	rest := "-" + order + "-"
	for {
		_, after, found := strings.Cut(rest, "-x-")
		if !found {
			return faults
		}
		rest = "-" + after
		if f, ok := leadingFault(after); ok && len(faults) < len(FaultNames()) {
			faults = append(faults, f)
		}
	}
}

// leadingFault reads the longest fault that text begins with, so that hang-before is not read as hang.
func leadingFault(text string) (best Fault, found bool) {
	for _, name := range FaultNames() {
		rest, ok := strings.CutPrefix(text, string(name))
		if !ok || len(name) < len(best.Name) {
			continue
		}
		end, _, _ := strings.Cut(rest, "-")
		if end == "" {
			best, found = Fault{Name: name}, true
			continue
		}
		count, ok := strings.CutPrefix(end, "_")
		if times, err := strconv.Atoi(count); ok && err == nil && times > 0 {
			best, found = Fault{Name: name, Times: times}, true
		}
	}
	return best, found
}

// switches are the faults of one order, with what is left of their counts.
type switches []*faultSwitch

type faultSwitch struct {
	Fault
	left int // -1 is always
}

func newSwitches(faults []Fault) switches {
	var s switches
	for _, f := range faults {
		left := f.Times
		if left == 0 {
			left = -1
		}
		s = append(s, &faultSwitch{f, left})
	}
	return s
}

// look finds a fault that is still switched on.
func (s switches) look(name FaultName) (Fault, bool) {
	for _, f := range s {
		if f.Name == name && f.left != 0 {
			return f.Fault, true
		}
	}
	return Fault{}, false
}

// take finds a fault and uses up one of its times.
func (s switches) take(name FaultName) (Fault, bool) {
	for _, f := range s {
		if f.Name == name && f.left != 0 {
			if f.left > 0 {
				f.left--
			}
			return f.Fault, true
		}
	}
	return Fault{}, false
}
