package jetstream

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

const (
	// timerMaxAckPending is how many events of one timer may be in work or wait for their time, over all
	// workers. The oldest wait there and all others behind them, so more would only cost memory.
	timerMaxAckPending = 256
	// timerForgottenAfter is when the server forgets a timer that no process reads any more, because a
	// configuration with fewer timers replaced it. One that comes back later reads the log again.
	timerForgottenAfter = 7 * 24 * time.Hour
)

var validTimer = regexp.MustCompile(`^[a-z0-9]{1,16}$`)

// ConsumePayments gives the events of one provider's payments in some statuses to handler, as
// ConsumeCommands does, in the order in which they were written. All readers of the same timer share the
// events; each timer gets every event, from the oldest that the log keeps.
//
// A handler that gives back what is not old enough (with [queue.Retry]) makes the log a clock: the
// oldest events wait for their time, and the others behind them. That is no stall. At most 256 wait like
// this, so their times must not differ by much from the order of the log, and what is given back for another
// reason must give way when others wait (Message.Pending).
func (c *Conn) ConsumePayments(ctx context.Context, provider, timer string, statuses []payment.Status, slots int, handler queue.Handler) error {
	if !payment.ValidProvider(provider) || !validTimer.MatchString(timer) {
		return fmt.Errorf("consume payments: %q of %q is not a valid timer", timer, provider)
	}
	if len(statuses) == 0 {
		return errors.New("consume payments: no status")
	}
	var filters []string
	for _, s := range statuses {
		if !s.Valid() {
			return fmt.Errorf("consume payments: %q is not a status", s)
		}
		filters = append(filters, events.PaymentSubject(s, payment.Ref{Provider: provider, Order: "*"}))
	}
	config := c.consumerConfig("overdue-"+provider+"-"+timer, timerMaxAckPending, filters...)
	config.InactiveThreshold = timerForgottenAfter
	return c.consume(ctx, events.StreamPayments, slots, handler, config)
}
