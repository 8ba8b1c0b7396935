package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

const (
	// readBatch is how many events one request reads, and readBatchBytes how many bytes of them at most.
	readBatch      = 256
	readBatchBytes = 4 << 20
	// readTimeout is how long the next event of a batch may take.
	readTimeout = 30 * time.Second
)

// logRead is a request for events of the log ("direct get" of JetStream, ADR-31).
type logRead struct {
	Sequence uint64     `json:"seq,omitempty"`
	From     *time.Time `json:"start_time,omitempty"`
	Subject  string     `json:"next_by_subj"`
	Batch    int        `json:"batch"`
	MaxBytes int        `json:"max_bytes"`
}

// logEvent is an event of the log as it is stored.
type logEvent struct {
	subject  string
	at       time.Time
	sequence uint64
	header   events.Header
	data     []byte
}

// readLog gives each event of the log that is asked for, by subject and by time or sequence, to each, oldest first, until
// there is no more, each says so, or it fails. It needs no consumer: who may make one can have the server write to any subject.
func (c *Conn) readLog(ctx context.Context, request logRead, each func(logEvent) (more bool, err error)) error {
	request.Batch, request.MaxBytes = readBatch, readBatchBytes
	for {
		last, more, err := c.readLogBatch(ctx, request, each)
		if err != nil || !more {
			return err
		}
		request.Sequence, request.From = last+1, nil
	}
}

// readLogBatch reads one batch. more says that there may be others after the sequence last.
func (c *Conn) readLogBatch(ctx context.Context, request logRead, each func(logEvent) (bool, error)) (last uint64, more bool, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return 0, false, err
	}
	inbox := c.broker.NATS.NewInbox()
	sub, err := c.broker.NATS.SubscribeSync(inbox)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.broker.NATS.PublishRequest("$JS.API.DIRECT.GET."+events.StreamPayments, inbox, body); err != nil {
		return 0, false, err
	}
	for {
		m, err := nextOf(ctx, sub)
		if err != nil {
			return 0, false, fmt.Errorf("read the log: %w", err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // end of the batch
			return last, last != 0 && m.Header.Get("Nats-Num-Pending") != "0", nil
		case "404":
			return last, false, nil
		default:
			return 0, false, fmt.Errorf("read the log: %s %s", status, m.Header.Get("Description"))
		}
		sequence, seqErr := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		at, timeErr := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
		if seqErr != nil || timeErr != nil {
			return 0, false, fmt.Errorf("read the log: an event without sequence or time on %s", m.Header.Get("Nats-Subject"))
		}
		last = sequence
		e := logEvent{m.Header.Get("Nats-Subject"), at, sequence, events.Header(m.Header), m.Data}
		if more, err := each(e); err != nil || !more {
			return last, false, err
		}
	}
}

func nextOf(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// SentPayments gives each event of one provider's payments that says that a payment was sent (submitting), or that it
// settled, and that the log stored from from until to, oldest first. Every payment that was ever sent has such an
// event, which was written before it was sent, and one that came to an outcome unsent has settled. An order can come
// more than once; ask [Conn.Last] for its state.
//
// An event that cannot be read comes as a payment that has only its Ref, and UpdatedAt for when it was stored.
//
// Nothing is kept in memory, nothing is acknowledged, and no consumer is left behind. It ends at the first error of
// each and returns it.
func (c *Conn) SentPayments(ctx context.Context, provider string, from, to time.Time, each func(payment.Payment) error) error {
	if !payment.ValidProvider(provider) || from.IsZero() {
		return fmt.Errorf("sent payments: %q is not a valid provider name, or the start time is missing", provider)
	}
	if err := c.readSent(ctx, provider, from, to, each); err != nil {
		return fmt.Errorf("sent payments of %s: %w", provider, err)
	}
	return nil
}

func (c *Conn) readSent(ctx context.Context, provider string, from, to time.Time, each func(payment.Payment) error) error {
	all := payment.Ref{Provider: provider, Order: "*"}
	return c.readLog(ctx, logRead{From: &from, Subject: events.PaymentFilter(all)}, func(e logEvent) (more bool, err error) {
		if !e.at.Before(to) {
			return false, nil
		}
		if status, _ := events.SubjectStatus(e.subject); status != payment.Submitting && status != payment.Settled {
			return true, nil
		}
		p, err := events.ReadPayment(e.subject, e.sequence, e.data)
		if bad, is := events.Unreadable(err); is {
			p = payment.Payment{Ref: bad.Ref, UpdatedAt: e.at.UTC()}
		}
		return true, each(p)
	})
}

// DecidedByHand gives each payment that a person settled, failed or cancelled from a time on to each, oldest first, and maybe
// more than once. What cannot be read is left out. It ends at the first error of each and returns it.
func (c *Conn) DecidedByHand(ctx context.Context, from time.Time, each func(payment.Ref) error) error {
	for _, status := range []payment.Status{payment.Settled, payment.Failed} {
		err := c.readLog(ctx, logRead{From: &from, Subject: events.StatusFilter(status)}, func(e logEvent) (more bool, err error) {
			p, err := events.ReadPayment(e.subject, e.sequence, e.data)
			if err != nil || p.Reason == nil || p.Reason.Code != payment.ReasonResolvedByPerson && p.Reason.Code != payment.ReasonCancelled {
				return true, nil
			}
			return true, each(p.Ref)
		})
		if err != nil {
			return fmt.Errorf("decisions of people: %w", err)
		}
	}
	return nil
}
