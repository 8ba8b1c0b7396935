package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// maxParkedPages bounds one listing; the server cuts its pages at 100,000 subjects.
const maxParkedPages = 50

// Parked is a command that the broker holds until a time.
type Parked struct {
	// Message as it will be delivered; Deliveries is not known and 0.
	events.Message
	Due time.Time // zero when it cannot be read
}

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
		subjects, total, err := c.queuedSubjects(ctx, filter, offset)
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
func (c *Conn) ParkedCommand(ctx context.Context, ref payment.Ref) (Parked, error) {
	m, err := c.lastParked(ctx, ref)
	if err != nil {
		return Parked{}, fmt.Errorf("parked command of %s: %w", ref, err)
	}
	p := Parked{Message: m}
	p.Subject = m.Header.Get(njs.ScheduleTargetHeader)
	p.Header = events.Header(copyHeader(m.Header))
	p.Due = scheduledFor(m)
	return p, nil
}

// scheduledFor returns when the broker will deliver a parked message; zero when that cannot be read.
func scheduledFor(m events.Message) time.Time {
	at, found := strings.CutPrefix(m.Header.Get(njs.ScheduleHeader), "@at ")
	if !found {
		return time.Time{}
	}
	due, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return time.Time{}
	}
	return due
}

func (c *Conn) lastParked(ctx context.Context, ref payment.Ref) (events.Message, error) {
	if err := ref.Validate(); err != nil { // a wildcard here would read another's command
		return events.Message{}, err
	}
	m, err := c.lastCommand(ctx, events.ParkedSubject(ref))
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
	id, err := newID()
	if err != nil {
		return fmt.Errorf("release %s: %w", ref, err)
	}
	tried := false
	for wait := newBackoff(); ; tried = true {
		m, err := c.lastParked(ctx, ref)
		switch {
		case tried && errors.Is(err, events.ErrNotParked):
			return nil // it fired meanwhile
		case err != nil:
			return fmt.Errorf("release %s: %w", ref, err)
		case m.Header.Get(headerMessageID) == id:
			return nil // ours, whose acknowledgement was lost
		}
		if err = c.publish(ctx, reschedule(m, at, id)); err == nil {
			return nil
		}
		if !errors.Is(err, errTaken) || !c.again(ctx, wait) {
			return fmt.Errorf("release %s: %w", ref, err)
		}
	}
}

// reschedule returns the parked message m with another time, to be stored only if m is still there.
func reschedule(m events.Message, at time.Time, id string) *nats.Msg {
	msg := &nats.Msg{Subject: m.Subject, Header: copyHeader(m.Header), Data: m.Data}
	msg.Header.Set(njs.ScheduleHeader, "@at "+wholeSecond(at).Format(time.RFC3339))
	msg.Header.Set(njs.ScheduleTargetHeader, m.Header.Get(njs.ScheduleTargetHeader))
	msg.Header.Set(njs.ExpectedLastSubjSeqHeader, strconv.FormatUint(m.Sequence, 10))
	msg.Header.Set(headerMessageID, id)
	return msg
}

// DropParked takes a parked command from the broker, so that it is not delivered any more. Write into the
// log first why it ends. Nothing parked is no error, and a command that is parked meanwhile is left.
func (c *Conn) DropParked(ctx context.Context, ref payment.Ref) error {
	m, err := c.lastParked(ctx, ref)
	if errors.Is(err, events.ErrNotParked) {
		return nil
	}
	if err == nil {
		_, err = c.remove(ctx, events.StreamCommands, m.Sequence)
	}
	if err != nil {
		return fmt.Errorf("drop parked %s: %w", ref, err)
	}
	return nil
}

// remove deletes one message. removed is false when it was gone already.
func (c *Conn) remove(ctx context.Context, name string, sequence uint64) (removed bool, err error) {
	return c.delete(ctx, name, sequence, njs.Stream.DeleteMsg)
}

// overwrite is remove, and the server overwrites the message's bytes on the disk.
func (c *Conn) overwrite(ctx context.Context, name string, sequence uint64) (removed bool, err error) {
	return c.delete(ctx, name, sequence, njs.Stream.SecureDeleteMsg)
}

func (c *Conn) delete(ctx context.Context, name string, sequence uint64, do func(njs.Stream, context.Context, uint64) error) (removed bool, err error) {
	stream, err := c.stream(ctx, name)
	if err != nil {
		return false, err
	}
	if err := do(stream, ctx, sequence); err != nil {
		if _, getErr := stream.GetMsg(ctx, sequence); errors.Is(getErr, njs.ErrMsgNotFound) {
			return false, nil
		}
		return false, fmt.Errorf("delete sequence %d: %w", sequence, err)
	}
	return true, nil
}
