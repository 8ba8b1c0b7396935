package status

import (
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/payment"
)

// Opening says until when a provider is open for an operation, or when it opens.
type Opening struct {
	Operation payment.Operation `json:"operation"`
	Open      bool              `json:"open"`
	// Until is when it closes, OpensAt when it opens; both are missing for one that never does, as far as the calendar reaches.
	Until   time.Time `json:"until,omitzero"`
	OpensAt time.Time `json:"opens_at,omitzero"`
	Zone    string    `json:"zone"`

	location *time.Location
}

// OpeningOf says how hours are now.
func OpeningOf(op payment.Operation, hours calendar.Hours, now time.Time) Opening {
	o := Opening{Operation: op, Open: hours.Open(now), Zone: hours.Zone().String(), location: hours.Zone()}
	if at, ever := hours.NextClosing(now); o.Open && ever {
		o.Until = at.UTC()
	}
	if at, ever := hours.NextOpening(now); !o.Open && ever {
		o.OpensAt = at.UTC()
	}
	return o
}

// Words says it for people, e.g. "closed until Mon 09:00 KST (5h 20m)".
func (o Opening) Words(now time.Time) string {
	switch {
	case o.Open && o.Until.IsZero():
		return "always open"
	case o.Open:
		return "open until " + moment(now, o.Until, o.location)
	case o.OpensAt.IsZero():
		return "closed; no opening is known"
	}
	return "closed until " + moment(now, o.OpensAt, o.location)
}

// moment is a time at the provider's place, and how far away it is.
func moment(now, at time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	form := "Mon 15:04 MST"
	if at.Sub(now).Abs() > 6*24*time.Hour {
		form = "Mon 2006-01-02 15:04 MST"
	}
	return at.In(zone).Format(form) + " (" + span(at.Sub(now)) + ")"
}
