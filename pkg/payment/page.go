package payment

import "time"

// AwaitsPage reports whether all that is known of a payment is that its customer was given the link to a page
// that closes at [Payment.PageClosesAt]. The link was made here and nothing was sent, so the provider learns of
// the order only when the customer confirms it there, and a customer who does not is no alarm.
func (p Payment) AwaitsPage() bool {
	return p.Status == Pending && !p.Known && !p.PageClosesAt.IsZero()
}

// pageEvidence says what an Unknown means for a payment that awaits its page. It counts only when it was asked
// for so long after the page closed that the provider would know what was confirmed in the last moment.
func pageEvidence(p Payment, o Observation, now time.Time) Evidence {
	switch {
	case o.Source != FromLookup || !pageIsOver(p, o, now):
		return lagging
	case p.NotFound > 0 && pageIsOver(p, o, p.NotFoundAt):
		return abandoned
	}
	return unconfirmed
}

func pageIsOver(p Payment, o Observation, at time.Time) bool {
	return o.PageGrace > 0 && !at.Before(p.PageClosesAt.Add(max(o.PageGrace, o.Settling)))
}

// pageLink reports whether o is only that a link to a page of the provider's was made.
func pageLink(o Observation) bool { return o.Kind == Accepted && !o.PageClosesAt.IsZero() }

// applyPage writes down until when there is a page, and how often the provider did not know it afterwards.
func applyPage(next *Payment, o Observation, evidence Evidence, to Status, now time.Time) {
	switch {
	case to == Pending && pageLink(o):
		if o.PageClosesAt.After(next.PageClosesAt) { // the customer may hold either of two links
			next.PageClosesAt = o.PageClosesAt.UTC()
		}
		next.NotFound, next.NotFoundAt = 0, time.Time{} // said of what was before this page
	case evidence == unconfirmed:
		next.NotFound, next.NotFoundAt = 1, now.UTC()
	case evidence == abandoned:
		next.NotFound, next.NotFoundAt = next.NotFound+1, now.UTC()
	}
}
