package reconcile

import (
	"fmt"
	"slices"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// MaxLines is the largest number of lines of a statement, about 150 MB of memory. Compare fewer days if there are more.
const MaxLines = 500_000

// ErrTooManyLines says that a statement has more than MaxLines.
var ErrTooManyLines = fmt.Errorf("the statement has more than %d lines: compare a shorter time", MaxLines)

// MaxLinesOfOne is how many lines a payment may have. A customer's further tries make some.
const MaxLinesOfOne = 100

// ErrTooManyOfOne says that a statement has more than MaxLinesOfOne of one payment.
var ErrTooManyOfOne = fmt.Errorf("the statement has more than %d lines of one payment", MaxLinesOfOne)

// Interval is the time from From until To, which it does not hold.
type Interval struct{ From, To time.Time }

// Holds reports whether t is in the interval.
func (i Interval) Holds(t time.Time) bool { return !t.Before(i.From) && t.Before(i.To) }

// Widened returns the interval with a margin on both sides.
func (i Interval) Widened(margin time.Duration) Interval {
	return Interval{i.From.Add(-margin), i.To.Add(margin)}
}

// Statement are the lines of a provider's records, by order and operation. The zero value is not ready, see NewStatement.
// Not for concurrent use while lines are added.
type Statement struct {
	// AsOf is when the statement was read, or made. What changed since they cannot know.
	AsOf time.Time
	// Covered is the time of which the statement has every payment that the provider made.
	Covered Interval

	lines []line
	first map[paymentKey]int32 // → its first line
}

type paymentKey struct {
	operation payment.Operation
	order     string
}

// line is what is kept of a line of a statement.
type line struct {
	key                paymentKey
	created, completed time.Time
	kind               payment.Kind
	reference          string
	amount, settled    payment.Money
	next               int32 // the next line of the same payment, 0 for none: no line follows itself
}

// NewStatement returns a statement without lines.
func NewStatement(asOf time.Time, covered Interval) *Statement {
	return &Statement{AsOf: asOf, Covered: covered, first: map[paymentKey]int32{}}
}

// Grow makes room for so many further lines.
func (b *Statement) Grow(lines int) {
	b.lines = slices.Grow(b.lines, min(lines, MaxLines-len(b.lines)))
}

// Add takes a line. A line of the same order, operation and reference takes the place of the one before: pages
// move while they are read, and what was read last counts. The error is [ErrTooManyLines] or
// [ErrTooManyOfOne].
func (b *Statement) Add(s connectors.StatementLine) error {
	o := s.Observation
	added := line{
		key: paymentKey{s.Operation, s.Order}, created: s.CreatedAt, completed: s.CompletedAt, kind: o.Kind,
		reference: o.Reference, amount: o.Amount, settled: o.SettledAmount,
	}
	at, known := b.first[added.key]
	if !known {
		return b.push(added, nil)
	}
	for n := 1; ; n++ {
		one := &b.lines[at]
		if one.reference != "" && one.reference == added.reference {
			added.next = one.next
			*one = added
			return nil
		}
		if n == MaxLinesOfOne {
			return ErrTooManyOfOne
		}
		if one.next == 0 {
			return b.push(added, one)
		}
		at = one.next
	}
}

// push appends a line; after is the last one of the same payment, if there is one.
func (b *Statement) push(added line, after *line) error {
	if len(b.lines) == MaxLines {
		return ErrTooManyLines
	}
	at := int32(len(b.lines))
	if after != nil {
		after.next = at
	} else {
		b.first[added.key] = at
	}
	b.lines = append(b.lines, added)
	return nil
}

// Len returns how many lines there are.
func (b *Statement) Len() int { return len(b.lines) }

// CoverLines widens Covered to the time between the first line and the last: a list that has both has all
// between them.
func (b *Statement) CoverLines() {
	for _, l := range b.lines {
		if l.created.Before(b.Covered.From) {
			b.Covered.From = l.created
		}
		if l.created.After(b.Covered.To) {
			b.Covered.To = l.created
		}
	}
}

// of returns all lines of a payment.
func (b *Statement) of(key paymentKey) []line {
	at, known := b.first[key]
	if !known {
		return nil
	}
	lines := []line{b.lines[at]}
	for next := b.lines[at].next; next != 0; next = b.lines[next].next {
		lines = append(lines, b.lines[next])
	}
	return lines
}

// heads returns the payments that have a line in the interval, in the order of the statement. A line without a time is
// in every interval: it was asked for.
func (b *Statement) heads(in Interval) []paymentKey {
	var keys []paymentKey
	seen := map[paymentKey]bool{}
	for _, l := range b.lines {
		if (l.created.IsZero() || in.Holds(l.created)) && !seen[l.key] {
			seen[l.key] = true
			keys = append(keys, l.key)
		}
	}
	return keys
}
