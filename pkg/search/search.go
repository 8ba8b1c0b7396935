// Package search says what payments can be searched by, and searches the log where there is no archive.
package search

import (
	"errors"
	"slices"
	"time"

	"payonce/pkg/payment"
)

// Filter chooses payments. What is empty chooses all; several values of one field mean any of them.
type Filter struct {
	Statuses   []payment.Status
	Providers  []string
	Operations []payment.Operation
	Order      string
	// Reference is the provider's own number of the payment.
	Reference string
	// Codes are reason codes, the payment.Reason… constants.
	Codes []string
	// AmountFrom and AmountTo, both included, are of one currency.
	AmountFrom, AmountTo payment.Money
	// From and To are when the payment's first event was stored: From is included, To isn't.
	From, To time.Time
	// MetadataName is a field that the metadata must have. Where HasValue is set, it must have this value.
	MetadataName, MetadataValue string
	HasValue                    bool
	// Overdue chooses payments of which a person was told that they are open for too long.
	Overdue bool
	// VisibleTo is an upstream: only its payments, and those of none, are chosen. See [payment.Payment.VisibleTo].
	VisibleTo string
}

// Entry is a payment that was found.
type Entry struct {
	Payment  payment.Payment
	Sequence uint64    // of its last event in the log that could be read
	OpenedAt time.Time // when its first event was stored
	EndedAt  time.Time // when it had its first outcome; zero before
	// Unreadable is the sequence of an event after that, which can't be read; 0 for none.
	Unreadable uint64
	// First is the sequence of its first event that is known here. Together with OpenedAt it gives the order of a search.
	First uint64
}

// MaxPage is the longest page that a search returns.
const MaxPage = 500

// Page is a part of what a search finds, newest first.
type Page struct {
	Entries []Entry
	// Next continues after the last entry; empty when there is no more. Payments that come meanwhile don't move what follows.
	Next string
	// Looked is what was looked at where that isn't all that is kept.
	Looked *Looked
}

// Looked says that a search looked at the newest events of the log only.
type Looked struct {
	Events uint64    `json:"events"`
	Since  time.Time `json:"since,omitzero"` // when the oldest of them was stored
	// All says that the log has no older ones.
	All bool `json:"all"`
}

// ErrCursor says that a cursor isn't one of a [Page].
var ErrCursor = errors.New("not a cursor of this search")

// Matches reports whether the filter chooses a payment.
func (f Filter) Matches(e Entry) bool {
	p := e.Payment
	value, has := p.Metadata[f.MetadataName]
	return (len(f.Statuses) == 0 || slices.Contains(f.Statuses, p.Status)) &&
		(len(f.Providers) == 0 || slices.Contains(f.Providers, p.Provider)) &&
		(len(f.Operations) == 0 || slices.Contains(f.Operations, p.Operation)) &&
		(f.Order == "" || f.Order == p.Order) && (f.Reference == "" || f.Reference == p.ProviderReference) &&
		(len(f.Codes) == 0 || p.Reason != nil && slices.Contains(f.Codes, p.Reason.Code)) && f.hasAmount(p.Amount) &&
		(f.From.IsZero() || !e.OpenedAt.Before(f.From)) && (f.To.IsZero() || e.OpenedAt.Before(f.To)) &&
		(f.MetadataName == "" || has && (!f.HasValue || value == f.MetadataValue)) &&
		(!f.Overdue || !p.OverdueAt.IsZero()) && (f.VisibleTo == "" || p.VisibleTo(f.VisibleTo))
}

func (f Filter) hasAmount(m payment.Money) bool {
	from, to := f.AmountFrom, f.AmountTo
	return (from.IsZero() || m.Currency == from.Currency && m.Minor >= from.Minor) && (to.IsZero() || m.Currency == to.Currency && m.Minor <= to.Minor)
}
