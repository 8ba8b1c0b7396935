package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// Follower delivers every event of the log, oldest first, through a durable consumer. Any number of processes may follow
// under one name: each event goes to one of them, and to another when it is not acknowledged within AckWait.
type Follower struct{ consumer njs.Consumer }

// FollowLog returns a Follower of the durable consumer, which it makes where it is missing, unless [Config.Archive] says that an
// administrator makes it. The consumer begins with the oldest event that the log still has.
func (c *Conn) FollowLog(ctx context.Context, name string) (*Follower, error) {
	stream, err := c.broker.Stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, fmt.Errorf("follow the log: %w", err)
	}
	consumer, err := stream.Consumer(ctx, name)
	if errors.Is(err, njs.ErrConsumerNotFound) {
		if name == c.cfg.Archive {
			return nil, fmt.Errorf("follow the log as %s: %w; make it as administrator: payctl streams apply", name, err)
		}
		consumer, err = stream.CreateOrUpdateConsumer(ctx, c.consumerConfig(name, c.cfg.MaxAckPending))
	}
	if err != nil {
		return nil, fmt.Errorf("follow the log as %s: %w", name, err)
	}
	return &Follower{consumer}, nil
}

// Next returns at most so many events. It waits for the first one, and returns none when none came in that time. acknowledge
// is called once the events are stored; an event is delivered again when that fails or is not called.
func (f *Follower) Next(ctx context.Context, most int, wait time.Duration) (batch []events.Message, acknowledge func() error, err error) {
	messages, err := f.fetch(ctx, most, wait)
	if err != nil {
		return nil, nil, fmt.Errorf("read the log: %w", err)
	}
	for _, m := range messages {
		meta, err := m.Metadata()
		if err != nil {
			return nil, nil, fmt.Errorf("read the log: %w", err)
		}
		batch = append(batch, events.Message{
			Subject: m.Subject(), Header: events.Header(m.Headers()), Data: m.Data(), Sequence: meta.Sequence.Stream,
			Deliveries: int(meta.NumDelivered), StoredAt: meta.Timestamp.UTC(), Delivered: meta.Sequence.Consumer, Pending: meta.NumPending,
		})
	}
	return batch, func() error { return acknowledgeAll(messages) }, nil
}

// fetch takes what is there and, where that is nothing, waits for one event and takes what came with it.
func (f *Follower) fetch(ctx context.Context, most int, wait time.Duration) ([]njs.Msg, error) {
	found, err := collect(f.consumer.FetchNoWait(most))
	if err != nil || len(found) > 0 {
		return found, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if found, err = collect(f.consumer.Fetch(1, njs.FetchContext(ctx))); err != nil || len(found) == 0 || most == 1 {
		return found, err
	}
	more, err := collect(f.consumer.FetchNoWait(most - 1))
	return append(found, more...), err
}

// collect takes what a fetch delivers. The end of its time is no error, and neither is what came before another error: what
// is wrong then stops the next fetch.
func collect(batch njs.MessageBatch, err error) (messages []njs.Msg, _ error) {
	if err != nil {
		return nil, err
	}
	for m := range batch.Messages() {
		messages = append(messages, m)
	}
	if len(messages) > 0 {
		return messages, nil
	}
	if err := batch.Error(); err != nil && !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
		return nil, err
	}
	return nil, nil
}

func acknowledgeAll(messages []njs.Msg) error {
	for _, m := range messages {
		if err := m.Ack(); err != nil {
			return fmt.Errorf("acknowledge an event of the log: %w", err)
		}
	}
	return nil
}

// LogBounds says which log it is and from where to where it reaches, according to the server that leads it.
func (c *Conn) LogBounds(ctx context.Context) (events.LogBounds, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.AskTimeout)
	defer cancel()
	stream, err := c.broker.JS.Stream(ctx, events.StreamPayments)
	if err != nil {
		return events.LogBounds{}, fmt.Errorf("bounds of the log: %w", err)
	}
	info := stream.CachedInfo()
	mark := events.LogMark{Log: info.Created.UTC().Format(time.RFC3339Nano), Sequence: info.State.LastSeq, At: info.TimeStamp}
	return events.LogBounds{LogMark: mark, First: info.State.FirstSeq, Events: info.State.Msgs}, nil
}

// ReadLog gives each event of the log from a sequence on to each, oldest first, until there is no more, each says so, or it
// fails. It needs no consumer.
func (c *Conn) ReadLog(ctx context.Context, from uint64, each func(events.Message) (more bool, err error)) error {
	return c.readLog(ctx, logRead{Sequence: max(from, 1), Subject: "payment.>"}, asMessage(each))
}

// ReadEvents is ReadLog for the events under a subject, which can have wildcards, from a time on.
func (c *Conn) ReadEvents(ctx context.Context, subject string, from time.Time, each func(events.Message) (more bool, err error)) error {
	request := logRead{Subject: subject}
	if request.From = &from; from.IsZero() {
		request.From, request.Sequence = nil, 1
	}
	return c.readLog(ctx, request, asMessage(each))
}

// asMessage leaves out what the server adds.
func asMessage(each func(events.Message) (bool, error)) func(logEvent) (bool, error) {
	return func(e logEvent) (bool, error) {
		for _, name := range readHeaders {
			delete(e.header, name)
		}
		return each(events.Message{Subject: e.subject, Header: e.header, Data: e.data, Sequence: e.sequence, StoredAt: e.at.UTC()})
	}
}

// readHeaders are what the server adds to an event that is read without a consumer.
var readHeaders = []string{
	"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Last-Sequence", "Nats-UpTo-Sequence",
}
