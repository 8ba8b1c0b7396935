package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// maxParkedPages bounds one listing; the server cuts its pages at 100,000 subjects.
const maxParkedPages = 50

// ParkedOrders returns the orders whose commands the broker holds, sorted; of one provider, or of all
// where provider is empty. It reads names in the server's pages and no message, so 100,000 cost some
// megabytes and a second. What is parked or released meanwhile may be in it or not.
func (c *Conn) ParkedOrders(ctx context.Context, provider string) ([]payment.Ref, error) {
	filter := "parked.*.*"
	if provider != "" {
		if !payment.ValidProvider(provider) {
			return nil, fmt.Errorf("parked orders: %q is not a valid provider name", provider)
		}
		filter = "parked." + provider + ".*"
	}
	names := map[payment.Ref]struct{}{}
	for page, offset := 0, 0; ; page++ {
		if page == maxParkedPages {
			return nil, fmt.Errorf("parked orders: more than %d, name a provider", offset)
		}
		subjects, total, err := c.broker.Subjects(ctx, events.StreamCommands, filter, offset)
		if err != nil {
			return nil, fmt.Errorf("parked orders: %w", err)
		}
		for subject := range subjects {
			if ref, ok := events.SubjectRef(subject); ok {
				names[ref] = struct{}{}
			}
		}
		if offset += len(subjects); len(subjects) == 0 || offset >= total {
			break
		}
	}
	refs := make([]payment.Ref, 0, len(names))
	for ref := range names {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b payment.Ref) int { return strings.Compare(a.String(), b.String()) })
	return refs, nil
}

// ParkedCommand returns the parked command of an order, or [events.ErrNotParked].
func (c *Conn) ParkedCommand(ctx context.Context, ref payment.Ref) (events.Parked, error) {
	m, err := c.lastParked(ctx, ref)
	if err != nil {
		return events.Parked{}, fmt.Errorf("parked command of %s: %w", ref, err)
	}
	p := events.Parked{Message: m}
	p.Subject = m.Header.Get(njs.ScheduleTargetHeader)
	p.Header = events.Header(broker.CopyHeader(m.Header))
	p.Due = broker.ScheduledFor(m)
	return p, nil
}

func (c *Conn) lastParked(ctx context.Context, ref payment.Ref) (events.Message, error) {
	if err := ref.Validate(); err != nil { // a wildcard here would read another's command
		return events.Message{}, err
	}
	m, err := c.broker.LastCommand(ctx, events.ParkedSubject(ref))
	if errors.Is(err, events.ErrNotQueued) {
		return events.Message{}, events.ErrNotParked
	}
	return m, err
}

// ReleaseParked lets the broker deliver a parked command at another time, now or in the past for at once;
// schedules have whole seconds, so "at once" can take one. The new schedule takes the place of the old one
// in one step that the server compares: a command is neither lost nor doubled by a release that is
// repeated, by two persons at once, or by a schedule that fires at the same moment. The error is
// [events.ErrNotParked] when nothing is parked.
func (c *Conn) ReleaseParked(ctx context.Context, ref payment.Ref, at time.Time) error {
	id, err := broker.NewID()
	if err != nil {
		return fmt.Errorf("release %s: %w", ref, err)
	}
	tried := false
	for wait := broker.NewBackoff(); ; tried = true {
		m, err := c.lastParked(ctx, ref)
		switch {
		case tried && errors.Is(err, events.ErrNotParked):
			return nil // it fired meanwhile
		case err != nil:
			return fmt.Errorf("release %s: %w", ref, err)
		case m.Header.Get(broker.HeaderMessageID) == id:
			return nil // ours, whose acknowledgement was lost
		}
		if err = c.broker.Publish(ctx, broker.Reschedule(m, at, id)); err == nil {
			return nil
		}
		if !errors.Is(err, broker.ErrTaken) || !c.broker.Again(ctx, wait) {
			return fmt.Errorf("release %s: %w", ref, err)
		}
	}
}

// DropParked takes a parked command from the broker, so that it is not delivered any more. Write into the
// log first why it ends. Nothing parked is no error, and a command that is parked meanwhile is left.
func (c *Conn) DropParked(ctx context.Context, ref payment.Ref) error {
	m, err := c.lastParked(ctx, ref)
	if errors.Is(err, events.ErrNotParked) {
		return nil
	}
	if err == nil {
		_, err = c.broker.Remove(ctx, events.StreamCommands, m.Sequence)
	}
	if err != nil {
		return fmt.Errorf("drop parked %s: %w", ref, err)
	}
	return nil
}
