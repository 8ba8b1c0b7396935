package reconcile

import (
	"errors"
	"strconv"
	"time"

	"payonce/pkg/payment"
)

// Pages says when a payment is looked up of which all that is known is that its customer was given a page that
// closes ([payment.Payment.AwaitsPage]). All events of one timer must be due in the order of the log, whatever
// page they have, so a page is waited for as if it lived for the next longer of few lives.
type Pages struct {
	// Grace is how long after its close a page is over, in the provider's open time; 0 waits for no page.
	Grace time.Duration
	// Lives of pages, each longer than the one before. A page that lives longer than the last is as any payment.
	Lives []time.Duration
	// Kept is how long the log keeps an event; 0 is for ever. What would come later than that is not waited for.
	Kept time.Duration
}

// clocks is how far the clocks of who makes a page and of the log may be apart.
const clocks = time.Hour

// PageLives returns the lives of pages for production: a day, a week and thirty days. It is a copy.
func PageLives() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{day + clocks, 7*day + clocks, 30*day + clocks}
}

func (p Pages) validate() error {
	if p.Grace < 0 || p.Kept < 0 || p.Grace > 0 && len(p.Lives) == 0 {
		return errors.New("pages: grace and retention must not be negative, and a grace requires lives")
	}
	for i, life := range p.Lives {
		if life <= 0 || i > 0 && life <= p.Lives[i-1] {
			return errors.New("pages: lives must be positive and increase")
		}
	}
	return nil
}

// steps returns one timer for each life. They read the events of pending payments, and leave all without a page.
func (p Pages) steps() []step {
	var steps []step
	for i, life := range p.Lives {
		if p.Grace > 0 {
			steps = append(steps, step{name: "page" + strconv.Itoa(i+1), life: life, after: p.Grace, statuses: []payment.Status{payment.Pending}})
		}
	}
	return steps
}
