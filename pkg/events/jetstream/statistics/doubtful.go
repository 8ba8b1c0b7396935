package statistics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// EverDoubtful names payments that are or were in doubt or in conflict, as far as the log remembers, at most most of them and
// sorted. It reads names only, and needs no consumer. more says that there are others.
func (r *Reporter) EverDoubtful(ctx context.Context, most int) (refs []payment.Ref, more bool, err error) {
	found := map[payment.Ref]struct{}{}
	for _, status := range []payment.Status{payment.InDoubt, payment.Conflict} {
		filter := events.PaymentSubject(status, payment.Ref{Provider: "*", Order: "*"})
		subjects, total, err := r.broker.Subjects(ctx, events.StreamPayments, filter, 0)
		if err != nil {
			return nil, false, fmt.Errorf("payments that were in doubt: %w", err)
		}
		more = more || total > len(subjects)
		for subject := range subjects {
			if ref, ok := events.SubjectRef(subject); ok {
				found[ref] = struct{}{}
			}
		}
	}
	refs = slices.SortedFunc(maps.Keys(found), func(a, b payment.Ref) int { return strings.Compare(a.String(), b.String()) })
	if len(refs) > most {
		return refs[:most], true, nil
	}
	return refs, more, nil
}
