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

const (
	// readPrefetch is how many events wait in the client's memory while they are read through.
	readPrefetch = 256
	// readTimeout is how long the next event may take that the server has.
	readTimeout = 30 * time.Second
)

// LastAccount returns the last record of which account the workers of a provider work with, with its place in AUDIT. The
// entry is zero when there is none.
func (c *Conn) LastAccount(ctx context.Context, provider string) (events.AuditEntry, error) {
	var raw *njs.RawStreamMsg
	err := c.broker.Ask(ctx, func(ctx context.Context) error {
		stream, err := c.broker.Stream(ctx, events.StreamAudit)
		if err != nil {
			return err
		}
		raw, err = stream.GetLastMsgForSubject(ctx, events.AuditSubject(events.ActionAccount, provider, ""))
		return err
	})
	if errors.Is(err, njs.ErrMsgNotFound) {
		return events.AuditEntry{}, nil
	}
	if err != nil {
		return events.AuditEntry{}, fmt.Errorf("last account of %s: %w", provider, err)
	}
	record, err := events.DecodeAudit(raw.Data)
	if err != nil {
		return events.AuditEntry{}, fmt.Errorf("last account of %s: %w", provider, err)
	}
	return events.AuditEntry{Sequence: raw.Sequence, StoredAt: raw.Time, Subject: raw.Subject, Record: record}, nil
}

// RecordAccount keeps the record of an account, if the last one of its provider has sequence after (0: there is none).
// Otherwise the error is [events.ErrStale].
func (c *Conn) RecordAccount(ctx context.Context, r events.AuditRecord, after uint64) error {
	_, err := c.appendAudit(ctx, r, auditAfter{account: &after})
	if errors.Is(err, broker.ErrTaken) { // after a lost acknowledgement it can be this one
		last, lastErr := c.LastAccount(ctx, r.Provider)
		if lastErr == nil && last.Record.ID == r.ID && last.Record.Stage == r.Stage {
			return nil
		}
		err = errors.Join(events.ErrStale, lastErr)
	}
	if err != nil {
		return fmt.Errorf("record of an account: %w", err)
	}
	return nil
}

// maybeSent are the statuses of payments that may have been sent and have no outcome yet.
var maybeSent = []payment.Status{payment.Submitting, payment.InDoubt, payment.Pending}

// MaybeSent returns the payments of a provider that may have been sent and have no outcome yet, by order number. It reads
// the headers of all the provider's events once, so it is nothing to be done often.
func (c *Conn) MaybeSent(ctx context.Context, provider string) ([]payment.Ref, error) {
	open, err := c.readMaybeSent(ctx, provider)
	if err != nil {
		return nil, fmt.Errorf("payments of %s that may have been sent: %w", provider, err)
	}
	refs := make([]payment.Ref, 0, len(open))
	for ref := range open {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b payment.Ref) int { return strings.Compare(a.Order, b.Order) })
	return refs, nil
}

func (c *Conn) readMaybeSent(ctx context.Context, provider string) (map[payment.Ref]struct{}, error) {
	open := map[payment.Ref]struct{}{}
	err := c.readThrough(ctx, events.StreamPayments, njs.OrderedConsumerConfig{
		FilterSubjects: []string{events.PaymentFilter(payment.Ref{Provider: provider, Order: "*"})},
		DeliverPolicy:  njs.DeliverAllPolicy, HeadersOnly: true,
	}, func(m njs.Msg) (more bool, err error) {
		meta, err := m.Metadata()
		if err != nil {
			return false, err
		}
		if ref, ok := events.SubjectRef(m.Subject()); ok {
			if status, _ := events.SubjectStatus(m.Subject()); slices.Contains(maybeSent, status) {
				open[ref] = struct{}{}
			} else {
				delete(open, ref)
			}
		}
		return meta.NumPending > 0, nil
	})
	return open, err
}

// PullsWaiting returns how many requests for commands of a provider wait at the broker: 0 means that no worker with a free
// slot works for it, as far as the broker knows.
func (c *Conn) PullsWaiting(ctx context.Context, provider string) (int, error) {
	var info *njs.ConsumerInfo
	err := c.broker.Ask(ctx, func(ctx context.Context) error {
		consumer, err := c.broker.JS.Consumer(ctx, events.StreamCommands, broker.CommandsConsumer(provider))
		if err == nil {
			info = consumer.CachedInfo()
		}
		return err
	})
	if errors.Is(err, njs.ErrConsumerNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("workers of %s: %w", provider, err)
	}
	return info.NumWaiting, nil
}

// readThrough gives each message of a stream that config chooses to each, oldest first, until there is no more, each says
// so, or it fails. It leaves no consumer behind.
func (c *Conn) readThrough(ctx context.Context, name string, config njs.OrderedConsumerConfig, each func(njs.Msg) (more bool, err error)) error {
	stream, err := c.broker.Stream(ctx, name)
	if err != nil {
		return err
	}
	consumer, err := stream.OrderedConsumer(ctx, config)
	if err != nil {
		return fmt.Errorf("ordered consumer: %w", err)
	}
	defer func() { // the server would do it too, five minutes later
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), broker.FlushTimeout)
		defer cancel()
		_ = stream.DeleteConsumer(ctx, consumer.CachedInfo().Name)
	}()
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages(njs.PullMaxMessages(readPrefetch))
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer messages.Stop()
	for {
		m, err := nextMessage(ctx, messages)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if more, err := each(m); err != nil || !more {
			return err
		}
	}
}

func nextMessage(ctx context.Context, messages njs.MessagesContext) (njs.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return messages.Next(njs.NextContext(ctx))
}
