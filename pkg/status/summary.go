package status

import (
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Summary is what a process counted that follows the log.
type Summary struct {
	At        time.Time                   `json:"at"`
	Sequence  uint64                      `json:"sequence"` // of the last event that is counted
	Providers map[string]*ProviderSummary `json:"providers"`
	// Attention are the payments that need a person, oldest first; AttentionTotal is how many there are.
	Attention      []Attention `json:"attention"`
	AttentionTotal int         `json:"attention_total"`
}

// ProviderSummary is what was counted of one provider.
type ProviderSummary struct {
	Open map[payment.Status]Count `json:"open"`
	// Parked counts the parked payments by the code of their reason, and NextResumeAt is when the first of them is tried.
	Parked       map[string]int `json:"parked"`
	NextResumeAt time.Time      `json:"next_resume_at,omitzero"`
	// Overdue payments are open for so long that a person was told.
	Overdue  int  `json:"overdue"`
	LastHour Hour `json:"last_hour"`

	counts [5]Count // of OpenStatuses, while they are counted
}

// Count is how many payments are in a status, and since when the oldest is: since it was sent, where it was.
type Count struct {
	Number int       `json:"number"`
	Since  time.Time `json:"since,omitzero"`
}

func newProviderSummary() *ProviderSummary {
	return &ProviderSummary{Open: map[payment.Status]Count{}, Parked: map[string]int{}}
}

func (s *Summary) of(provider string) *ProviderSummary {
	if p := s.Providers[provider]; p != nil {
		return p
	}
	if s.Providers[events.NoProvider] == nil {
		s.Providers[events.NoProvider] = newProviderSummary()
	}
	return s.Providers[events.NoProvider]
}

// finish makes of what was counted what is said.
func (p *ProviderSummary) finish() {
	for i, status := range OpenStatuses() {
		c := p.counts[i]
		c.Since = c.Since.UTC()
		p.Open[status] = c
	}
	p.LastHour.finish()
}

// index of a status among OpenStatuses.
func index(s payment.Status) int {
	switch s {
	case payment.Submitting:
		return 0
	case payment.Parked:
		return 1
	case payment.Pending:
		return 2
	case payment.InDoubt:
		return 3
	}
	return 4
}

func (p *ProviderSummary) add(s *standing) {
	if over(s.status) {
		return
	}
	c := &p.counts[index(s.status)]
	if c.Number++; c.Number == 1 || s.since().Before(c.Since) {
		c.Since = s.since()
	}
	if s.overdue {
		p.Overdue++
	}
	if s.status != payment.Parked {
		return
	}
	p.Parked[s.reason]++
	if !s.resumeAt.IsZero() && (p.NextResumeAt.IsZero() || s.resumeAt.Before(p.NextResumeAt)) {
		p.NextResumeAt = s.resumeAt.UTC()
	}
}
