package jetstream

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/queue"
)

// The acknowledgements of JetStream's wire protocol.
var (
	ackText      = []byte("+ACK")
	termText     = []byte("+TERM " + broker.TermReason)
	progressText = []byte("+WPI")
)

// nakText gives a message back, to be delivered again after the delay.
func nakText(delay time.Duration) []byte {
	if delay <= 0 {
		return []byte("-NAK")
	}
	return fmt.Appendf(nil, `-NAK {"delay": %d}`, delay.Nanoseconds())
}

// settle carries out a verdict. This is the only place where messages are acknowledged, and none is
// before what replaces it is stored. A verdict that cannot be carried out becomes a retry.
func (c *Conn) settle(ctx context.Context, d *delivery, v queue.Verdict) {
	answer, err := ackText, error(nil)
	switch v.Kind {
	case queue.Done:
	case queue.Retry:
		c.broker.Count.Retries.Add(1)
		answer = nakText(v.Delay)
	case queue.Dead:
		answer, err = termText, c.store(ctx, d, v)
	default:
		err = c.store(ctx, d, v)
	}
	if err != nil {
		c.broker.Count.Unsettled.Add(1)
		c.log.ErrorContext(ctx, "cannot carry out a verdict; will retry", "stream", d.Stream, "sequence", d.Message.Sequence, "error", err)
		answer = nakText(c.cfg.RetryDelay)
	}
	c.answer(ctx, d.raw, answer)
}

// store stores what replaces the message. It goes on when the process is asked to stop, or else the work would be done again.
func (c *Conn) store(ctx context.Context, d *delivery, v queue.Verdict) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.AckWait)
	defer cancel()
	switch v.Kind {
	case queue.Dead:
		return c.sendToDeadLetters(ctx, d, v)
	case queue.Park:
		return c.park(ctx, d, v.At)
	case queue.Forward:
		return c.forward(ctx, d, v.Subject)
	}
	return fmt.Errorf("unknown verdict %d", v.Kind)
}

// answer sends an acknowledgement, again while the connection is down, for at most AckWait: after it
// the server does not wait for it any more.
func (c *Conn) answer(ctx context.Context, m *nats.Msg, text []byte) {
	if c.broker.NATS.Publish(m.Reply, text) == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.AckWait)
	defer cancel()
	for wait := broker.NewBackoff(); ; {
		err := c.broker.NATS.Publish(m.Reply, text)
		if err == nil {
			return
		}
		if c.broker.NATS.IsClosed() || !broker.Pause(ctx, wait) {
			c.log.WarnContext(ctx, "acknowledgement not sent", "subject", m.Subject, "error", err)
			return
		}
	}
}

// sendToDeadLetters keeps the message in DEADLETTERS, and tells who published it.
func (c *Conn) sendToDeadLetters(ctx context.Context, d *delivery, v queue.Verdict) error {
	if _, err := c.broker.GiveUp(ctx, d.Stored, v.Reason, v.Detail, v.Problems); err != nil {
		return err
	}
	c.broker.Count.DeadLetters.Add(1)
	return nil
}

// park lets the broker hold a command or a webhook and deliver it again at a time. There is one schedule for
// each order's command and for each webhook. Where one exists already the earlier time counts: two deliveries
// of one command can end with different times, and who is woken too early parks again.
func (c *Conn) park(ctx context.Context, d *delivery, at time.Time) error {
	subject, ok := parkingSubject(d)
	if !ok {
		return fmt.Errorf("park: %s cannot be parked", d.Message.Subject)
	}
	msg := broker.Resend(d.Stored, subject, "park")
	msg.Header.Set(njs.ExpectedLastSubjSeqHeader, "0")
	msg.Header.Set(njs.ScheduleHeader, "@at "+broker.WholeSecond(at).Format(time.RFC3339))
	msg.Header.Set(njs.ScheduleTargetHeader, d.Message.Subject)
	for wait := broker.NewBackoff(); ; {
		ack, err := c.broker.Store(ctx, msg)
		again := err == nil && ack.Duplicate // a cluster compares ids before sequences
		if errors.Is(err, broker.ErrTaken) || again {
			err = c.bringForward(ctx, d, subject, at)
		}
		if again && errors.Is(err, errGoing) { // what another delivery of this message parked was delivered
			err = nil
		}
		if errors.Is(err, errGoing) && c.broker.Again(ctx, wait) {
			continue
		}
		if err != nil {
			return fmt.Errorf("park: %w", err)
		}
		c.broker.Count.Parked.Add(1)
		return nil
	}
}

// errGoing says that a schedule is in the way that will not deliver anything any more, or that it has
// just changed.
var errGoing = errors.New("replacing an older schedule")

// bringForward returns nil when the schedule that is in the way will deliver the message in flight again,
// not later than at. One that is later is replaced, in one step that the server compares: if it fires at that
// moment it has delivered the message, and nothing is replaced.
//
// One that is older than a message which a schedule delivered will deliver nothing: with that message the
// broker takes the schedule away, but every server of a cluster in its own time. The server that leads the
// consumer can deliver before the one that leads the stream has taken away what we are shown here.
func (c *Conn) bringForward(ctx context.Context, d *delivery, subject string, at time.Time) error {
	stream, err := c.broker.Stream(ctx, d.Stream)
	if err != nil {
		return err
	}
	raw, err := stream.GetLastMsgForSubject(ctx, subject)
	switch {
	case errors.Is(err, njs.ErrMsgNotFound):
		return errGoing
	case err != nil:
		return err
	case d.Message.Header.Get(njs.SchedulerHeader) != "" && raw.Sequence < d.Message.Sequence:
		return errGoing
	}
	open := broker.MessageOf(raw)
	if due := broker.ScheduledFor(open); !due.After(broker.WholeSecond(at)) {
		return nil
	}
	id, err := broker.NewID()
	if err != nil {
		return err
	}
	if err = c.broker.Publish(ctx, broker.Reschedule(open, at, id)); errors.Is(err, broker.ErrTaken) {
		return errGoing
	}
	return err
}

// parkingSubject is the subject under which a message is parked, if it can be.
func parkingSubject(d *delivery) (subject string, ok bool) {
	ref, named := events.SubjectRef(d.Message.Subject)
	_, command := events.SubjectOperation(d.Message.Subject)
	switch {
	case named && command && d.Stream == events.StreamCommands:
		return events.ParkedSubject(ref), true
	case named && d.Stream == events.StreamWebhooks:
		digest := sha256.Sum256(d.Message.Data)
		return events.WaitingSubject(ref, hex.EncodeToString(digest[:8])), true
	case d.Stream == events.StreamEndpoints:
		e, ok := events.ParseEndpointEvent(d.Message.Subject)
		return e.Waiting(), ok
	}
	return "", false
}

// forward sends the message on under another subject, which must name a payment: the broker would take
// one with a wildcard, too.
func (c *Conn) forward(ctx context.Context, d *delivery, subject string) error {
	if _, ok := events.SubjectRef(subject); !ok {
		return fmt.Errorf("forward: %q does not name a payment", subject)
	}
	if err := c.broker.Publish(ctx, broker.Resend(d.Stored, subject, "forward")); err != nil {
		return fmt.Errorf("forward to %s: %w", subject, err)
	}
	c.broker.Count.Forwarded.Add(1)
	return nil
}
