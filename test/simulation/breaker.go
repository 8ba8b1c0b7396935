package simulation

import (
	"time"

	"payonce/pkg/limits"
)

// breaker is the model of one in a process.
type breaker struct {
	p      *process
	config limits.Breaker

	turn     int           // grows whenever the breaker opens, closes or tries
	failures int           // in a row, in this turn
	until    time.Duration // when an open breaker tries
	open     bool          // until a test environment succeeds
	trying   bool          // the testenv is under way
	truly    int           // calls that really failed at the provider, in this turn

	order string        // whose request was refused last because of our account
	first string        // the first of them, see judgeOutage
	known bool          // another was refused, too
	heard int           // refusals since then
	since time.Duration // when that was
}

// enter asks for one call. Its result belongs to the turn.
func (b *breaker) enter() (turn int, again time.Time, ok bool) {
	w := b.p.w
	switch {
	case !b.open:
	case w.now < b.until:
		return 0, b.p.clock().Add(b.until - w.now), false
	case b.trying:
		return 0, b.p.clock().Add(5 * time.Second), false
	default:
		b.next()
		b.trying = true
	}
	return b.turn, time.Time{}, true
}

func (b *breaker) next() {
	b.turn, b.failures, b.truly, b.trying = b.turn+1, 0, 0, false
}

// result gets every call; only those of this turn count.
func (b *breaker) result(turn int, called, failed bool) {
	switch {
	case turn != b.turn:
	case !called:
		b.trying = false
	case !failed:
		if b.failures = 0; b.open {
			b.p.w.note("%s: the breaker closes", b.p.name)
			b.open = false
			b.next()
		}
	default:
		if b.failures++; b.open || b.failures == b.config.Failures {
			b.trip()
		}
	}
}

// trip opens the breaker, and checks that the provider really failed.
func (b *breaker) trip() {
	w := b.p.w
	w.note("%s: the breaker opens", b.p.name)
	if b.truly < b.failures {
		w.problem("%s: the breaker opens after %d failures, of which %d were the provider's", b.p.name, b.failures, b.truly)
	}
	b.open, b.until = true, w.now+b.config.OpenFor
	b.next()
}
