package janitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
)

// What the server says when a consumer gives a message up (ADR-1 of NATS). Advisories are plain messages:
// who is not connected misses them.
const (
	adviceMaxDeliveries = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"
	adviceTerminated    = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED"
	adviceQueue         = "payonce-advisories"
	adviceRoom          = 1024
)

// reasonDeleted is the server's reason for a message that was deleted while its consumer waited for an
// acknowledgement (consumer.go of nats-server 2.15). In a work queue an acknowledgement deletes, and a server of a
// cluster that has just become the consumer's leader may not have heard of it. What is purged has another reason.
const reasonDeleted = "Unacknowledged message was deleted"

// advisory is the part that both have and that counts here.
type advisory struct {
	Stream     string `json:"stream"`
	Consumer   string `json:"consumer"`
	Sequence   uint64 `json:"stream_seq"`
	Deliveries int    `json:"deliveries"`
	Reason     string `json:"reason"` // of a termination
}

// WatchAdvisories keeps what the broker gives up, until ctx ends: a net under the consumers, which have no
// limit of deliveries and terminate nothing without its dead letter, for the day when a person changes a
// consumer by hand. Of any number of processes that watch, one takes each advisory.
//
// A message of ours that reached a limit becomes a dead letter with [events.DeadMaxDeliveries], and leaves
// COMMANDS, where no consumer could reach it and it would be in the way of its replay. A message that was
// terminated without a dead letter becomes one with [events.DeadTerminated], if it can still be read: a
// work queue deletes it at once, and then only the error in the log reports it.
func (j *Janitor) WatchAdvisories(ctx context.Context) error {
	if !j.broker.Begin() {
		return fmt.Errorf("watch advisories: %w", jetstream.ErrClosed)
	}
	defer j.broker.Done()
	heard := make(chan *nats.Msg, adviceRoom)
	for _, subject := range []string{adviceMaxDeliveries, adviceTerminated} {
		sub, err := j.broker.NATS.ChanQueueSubscribe(subject+".>", adviceQueue, heard)
		if err != nil {
			return fmt.Errorf("watch advisories: %w", err)
		}
		defer func() { _ = sub.Unsubscribe() }()
	}
	if err := j.broker.NATS.FlushTimeout(broker.FlushTimeout); err != nil { // from here on nothing is missed
		j.log.Warn("advisories may be missed", "error", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-j.broker.Stopping.Done():
			return nil
		case m := <-heard:
			j.handleAdvisory(ctx, m)
		}
	}
}

// handleAdvisory keeps what an advisory is about.
func (j *Janitor) handleAdvisory(ctx context.Context, m *nats.Msg) {
	var a advisory
	if err := json.Unmarshal(m.Data, &a); err != nil {
		j.log.Warn("unreadable advisory", "subject", m.Subject, "error", err)
		return
	}
	if a.Stream != events.StreamCommands && a.Stream != events.StreamWebhooks || a.Reason == broker.TermReason {
		return
	}
	if a.Stream == events.StreamCommands && a.Reason == reasonDeleted {
		// No dead letter even if a server that is behind still shows the message: most likely it was worked.
		j.log.Warn("message deleted while it was in flight", "stream", a.Stream, "sequence", a.Sequence, "consumer", a.Consumer)
		return
	}
	reason, detail := events.DeadMaxDeliveries, fmt.Sprintf("consumer %s stopped after %d deliveries", a.Consumer, a.Deliveries)
	if subjectMatches(adviceTerminated+".>", m.Subject) {
		reason, detail = events.DeadTerminated, fmt.Sprintf("terminated at consumer %s: %s", a.Consumer, a.Reason)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), j.cfg.AckWait)
	defer cancel()
	known, err := j.keepUndelivered(ctx, a, reason, detail)
	if known {
		return
	}
	j.broker.Count.Undelivered.Add(1)
	facts := []any{"stream", a.Stream, "sequence", a.Sequence, "consumer", a.Consumer, "reason", string(reason), "said", a.Reason, "deliveries", a.Deliveries, "kept", err == nil}
	if err != nil {
		facts = append(facts, "error", err)
	}
	j.log.Error("undelivered message dead-lettered: a consumer was changed or the message was terminated manually", facts...)
}

// keepUndelivered makes a dead letter of a message that the broker gave up. known is true when it had one.
func (j *Janitor) keepUndelivered(ctx context.Context, a advisory, reason events.DeadReason, detail string) (known bool, err error) {
	stream, err := j.broker.Stream(ctx, a.Stream)
	if err != nil {
		return false, err
	}
	raw, err := stream.GetMsg(ctx, a.Sequence)
	if errors.Is(err, njs.ErrMsgNotFound) {
		// What reached a limit is not deleted by the broker: it was worked after all, or moved by a concurrent writer.
		return reason == events.DeadMaxDeliveries, errors.New("the message no longer exists")
	}
	if err != nil {
		return false, err
	}
	d := broker.Stored{Stream: a.Stream, Message: broker.MessageOf(raw)}
	d.Message.Deliveries = a.Deliveries
	duplicate, err := j.broker.GiveUp(ctx, d, reason, detail, nil)
	if err != nil {
		return false, err
	}
	if !duplicate {
		j.broker.Count.DeadLetters.Add(1)
	}
	if a.Stream == events.StreamCommands {
		if _, err := j.broker.Remove(ctx, a.Stream, a.Sequence); err != nil {
			return duplicate, fmt.Errorf("dead letter stored, but: %w", err)
		}
	}
	return duplicate, nil
}
