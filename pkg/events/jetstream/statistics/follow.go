package statistics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
)

// LogReader takes the events of the log in their order. Its methods are called one at a time.
type LogReader interface {
	// Restart says that the log is read from its beginning: what was taken before counts no more.
	Restart()
	// Take takes the next event.
	Take(e events.LogEntry)
	// CaughtUp says that every event was taken that was in the log when reading began.
	CaughtUp()
}

// FollowHeaders gives the events of the log to a reader, from the oldest that is kept on, until ctx ends. Only subjects and
// headers are read. After the connection was lost it goes on where it was.
func (r *Reporter) FollowHeaders(ctx context.Context, reader LogReader) error {
	if !r.broker.Begin() {
		return fmt.Errorf("follow the log: %w", jetstream.ErrClosed)
	}
	defer r.broker.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.broker.Stopping, cancel)()
	r.progress.begin()
	f := &follower{reporter: r, reader: reader}
	for wait := broker.NewBackoff(); ; {
		began, err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.log.Warn("cannot follow the log; will retry", "error", err)
		if began {
			wait = broker.NewBackoff()
		}
		broker.Pause(ctx, wait)
	}
}

// follower remembers how far the log was read.
type follower struct {
	reporter *Reporter
	reader   LogReader
	last     uint64 // sequence; 0 before the first
}

func (f *follower) follow(ctx context.Context) (began bool, err error) {
	reconnected := f.reporter.broker.Reconnected.Wait()
	asking, cancel := context.WithTimeout(ctx, broker.AskTimeout) // a server that stops takes the question with it
	defer cancel()
	stream, err := f.reporter.broker.JS.Stream(asking, events.StreamPayments) // for the last sequence
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", events.StreamPayments, err)
	}
	state := stream.CachedInfo().State
	end := state.LastSeq
	if f.last == 0 || end < f.last { // it was made again
		f.reader.Restart()
		f.last = 0
	}
	if state.Msgs == 0 { // all events are forgotten
		f.last = end
	}
	f.reporter.progress.reach(f.last)
	consumer, err := stream.OrderedConsumer(asking, njs.OrderedConsumerConfig{
		DeliverPolicy: njs.DeliverByStartSequencePolicy, OptStartSeq: f.last + 1, HeadersOnly: true,
	})
	if err != nil {
		return false, fmt.Errorf("ordered consumer of %s: %w", events.StreamPayments, err)
	}
	broken := make(chan error, 1)
	fail := func(err error) {
		select {
		case broken <- err:
		default:
		}
	}
	if f.last >= end {
		f.reader.CaughtUp()
	}
	following, err := consumer.Consume(func(m njs.Msg) { f.take(ctx, m, end) },
		njs.ConsumeErrHandler(func(_ njs.ConsumeContext, err error) { fail(err) }))
	if err != nil {
		return false, fmt.Errorf("consume %s: %w", events.StreamPayments, err)
	}
	defer func() { following.Stop(); <-following.Closed() }()
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-reconnected:
		return true, errors.New("the connection was lost")
	case err := <-broken:
		return true, err
	}
}

// take gives one event to the reader.
func (f *follower) take(ctx context.Context, m njs.Msg, end uint64) {
	meta, err := m.Metadata()
	if err != nil {
		return
	}
	if meta.Sequence.Stream > f.last {
		f.last = meta.Sequence.Stream
		defer f.reporter.progress.reach(f.last)
		if e, ok := entryOf(m); ok {
			if m.Headers().Get(jetstream.HeaderPrevious) == "" { // not written by us: reading it notes it if it cannot be read
				_, _, err := f.reporter.conn.Last(ctx, e.Ref)
				_, e.Unreadable = events.Unreadable(err)
			}
			f.reader.Take(e)
		}
	}
	if f.last >= end || meta.NumPending == 0 {
		f.reader.CaughtUp()
	}
}

// Levels says how full the queue of each provider is, and how many dead letters it has; those of names that are
// not configured are [events.NoProvider]'s.
func (r *Reporter) Levels(ctx context.Context, providers []string) (map[string]events.Level, error) {
	all := map[string]events.Level{}
	for _, provider := range providers {
		commands, err := r.queueLevel(ctx, events.StreamCommands, broker.CommandsConsumer(provider), "*.requested."+provider+".*")
		if err != nil {
			return nil, err
		}
		webhooks, err := r.queueLevel(ctx, events.StreamWebhooks, broker.WebhooksConsumer(provider), "webhook.received."+provider+".*")
		if err != nil {
			return nil, err
		}
		all[provider] = events.Level{
			Ready: commands.ready, OldestReadyAt: r.ago(commands.oldest), InWork: commands.unacked,
			ReadyWebhooks: webhooks.ready, OldestReadyWebhookAt: r.ago(webhooks.oldest),
		}
	}
	dead, err := r.countDeadLetters(ctx, providers)
	if err != nil {
		return nil, err
	}
	for of, n := range dead {
		l := all[of[1]]
		l.DeadLetters += n
		all[of[1]] = l
	}
	for provider, l := range all {
		if l.DeadLetters == 0 || provider == events.NoProvider {
			continue
		}
		age, err := r.ageAfter(ctx, events.StreamDeadLetters, events.DeadLetterFilter(provider), 0)
		if err != nil {
			return nil, err
		}
		l.OldestDeadLetterAt = r.ago(age)
		all[provider] = l
	}
	return all, nil
}

// ago is the moment that was some time ago; zero for no time.
func (r *Reporter) ago(age time.Duration) time.Time {
	if age == 0 {
		return time.Time{}
	}
	return r.now().Add(-age).UTC()
}

// entryOf reads an event's subject and headers. ok is false for what is no event of a payment.
func entryOf(m njs.Msg) (e events.LogEntry, ok bool) {
	ref, ok := events.SubjectRef(m.Subject())
	status, known := events.SubjectStatus(m.Subject())
	meta, err := m.Metadata()
	if !ok || !known || err != nil {
		return e, false
	}
	header := m.Headers()
	e = events.LogEntry{
		Ref: ref, Status: status, Sequence: meta.Sequence.Stream, StoredAt: meta.Timestamp, First: header.Get(jetstream.HeaderPrevious) == "0",
		Reason: strings.TrimSpace(header.Get(jetstream.HeaderReason)), Overdue: header.Get(jetstream.HeaderOverdueAt) != "",
	}
	_, e.Described = header[jetstream.HeaderReason]
	e.ResumeAt, _ = time.Parse(time.RFC3339, header.Get(jetstream.HeaderResumeAt))
	return e, true
}
