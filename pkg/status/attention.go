package status

import (
	"cmp"
	"slices"
	"time"

	"payonce/pkg/payment"
)

const (
	// doubtAge is from which age on a payment needs a person whose result is not known. The alert PayonceInDoubtTooOld has the same.
	doubtAge = time.Hour
	// maxAttention bounds how many payments a summary names.
	maxAttention = 50
)

// Attention is a payment that needs a person.
type Attention struct {
	payment.Ref
	Status payment.Status `json:"status"`
	Reason string         `json:"reason,omitempty"` // its code
	Since  time.Time      `json:"since"`
	// Payments is how many payments of the provider are like this one, which is the oldest, where one action helps all; else 0.
	Payments int `json:"payments,omitempty"`
}

// reasons for which an open payment needs a person at once, by status; see operator.Next.
var (
	alarmsOfOpen = []string{
		payment.ReasonAmountMismatch, payment.ReasonSubmitLimit, payment.ReasonUnexplained, payment.ReasonNoInstructions, payment.ReasonUnreadable,
	}
	alarmsOfParked = []string{payment.ReasonAccountMisconfigured, payment.ReasonBalance} // one action helps all
	alarmsOfEnded  = []string{payment.ReasonSecondReference, payment.ReasonPartlyReversed, payment.ReasonAmountMismatch}
)

// alarming reports whether a payment needs a person because of its reason.
func alarming(s payment.Status, reason string) bool {
	switch s {
	case payment.Parked:
		return slices.Contains(alarmsOfParked, reason)
	case payment.Settled, payment.Failed, payment.Reversed:
		return slices.Contains(alarmsOfEnded, reason)
	}
	return reason == payment.ReasonUnreadable || s != payment.Submitting && slices.Contains(alarmsOfOpen, reason)
}

// needsPerson reports whether a payment needs a person now.
func needsPerson(now time.Time, s *standing) bool {
	switch {
	case s.unread, s.status == payment.Conflict, s.overdue && !over(s.status), alarming(s.status, s.reason):
		return true
	case s.status == payment.InDoubt || s.status == payment.Submitting:
		return now.Sub(s.since()) > doubtAge
	}
	return false
}

// attentionList collects what needs a person.
type attentionList struct {
	single []Attention
	groups map[Attention]*Attention // by provider, status and reason
}

func (l *attentionList) add(now time.Time, ref payment.Ref, s *standing) {
	if !needsPerson(now, s) {
		return
	}
	one := Attention{Ref: ref, Status: s.status, Reason: s.reason, Since: s.since().UTC()}
	if s.status != payment.Parked {
		l.single = append(l.single, one)
		return
	}
	key := Attention{Ref: payment.Ref{Provider: ref.Provider}, Status: s.status, Reason: s.reason}
	if l.groups == nil {
		l.groups = map[Attention]*Attention{}
	}
	group := l.groups[key]
	if group == nil || one.Since.Before(group.Since) {
		if group != nil {
			one.Payments = group.Payments
		}
		group = &one
		l.groups[key] = group
	}
	group.Payments++
}

// oldest returns the oldest, and how many there are in all.
func (l *attentionList) oldest() (first []Attention, total int) {
	all := l.single
	for _, group := range l.groups {
		all = append(all, *group)
	}
	slices.SortFunc(all, func(a, b Attention) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Order, b.Order))
	})
	return append([]Attention{}, all[:min(len(all), maxAttention)]...), len(all)
}
