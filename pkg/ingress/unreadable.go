package ingress

import (
	"context"
	"errors"
	"fmt"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// last returns a payment as it stands in the log. One whose last event cannot be read stands as a person who steps over it would
// leave it: with its outcome if it had one, and else in doubt.
func (s *Server) last(ctx context.Context, ref payment.Ref, upstream string) (payment.Payment, error) {
	p, _, err := s.log.Last(ctx, ref)
	if _, bad := events.Unreadable(err); !bad {
		return p, err
	}
	records, historyErr := s.log.History(ctx, ref)
	if historyErr != nil {
		return payment.Payment{}, errors.Join(err, historyErr)
	}
	before, skipped := events.Unskipped(records)
	if len(skipped) == 0 { // a person was faster
		return before, nil
	}
	if before.Status == payment.Requested { // the log knows nothing of it that can be read
		before, historyErr = s.queued(ctx, ref, upstream)
		if errors.Is(historyErr, errForeign) {
			return payment.Payment{}, events.ErrNoPayment
		}
		if historyErr != nil {
			return payment.Payment{}, fmt.Errorf("%w (queue: %w)", err, historyErr)
		}
	}
	p = payment.StepOver(before, skipped, payment.Reason{Message: "an event of the log cannot be read; operator action required"}, skipped[len(skipped)-1].At)
	p.Revision-- // what the person writes is newer than this
	return p, nil
}
