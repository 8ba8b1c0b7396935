package janitor

import (
	"context"
	"errors"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// RescueUndelivered puts commands back into the queue that no consumer delivers any more, and returns how many:
// a person gave a consumer a limit of deliveries, and no process heard the advisory of it, which
// [Janitor.WatchAdvisories] waits for. The broker leaves such a message where it is (nats-server#5564).
//
// Its consumer has gone past it: all that waits for an acknowledgement is younger. The broker says so as soon
// as an acknowledgement leaves nothing in flight. A cluster can show what was acknowledged for a moment longer, so
// only what lay there at the last call, too, is put back; call it at long intervals. What was worked all the
// same does no harm, as the log decides. Not for concurrent use.
func (j *Janitor) RescueUndelivered(ctx context.Context) (int, error) {
	found, err := j.undelivered(ctx)
	if err != nil {
		return 0, fmt.Errorf("rescue undelivered commands: %w", err)
	}
	before, rescued := j.lain, 0
	j.lain = map[uint64]bool{}
	for _, raw := range found {
		if j.lain[raw.Sequence] = true; !before[raw.Sequence] {
			continue
		}
		if err := j.putBack(ctx, raw); err != nil {
			return rescued, fmt.Errorf("rescue undelivered command: %w", err)
		}
		rescued++
	}
	return rescued, nil
}

// undelivered returns at most maxOrphans messages that their consumers have gone past and that are still there.
func (j *Janitor) undelivered(ctx context.Context) ([]*njs.RawStreamMsg, error) {
	stream, err := j.broker.Stream(ctx, events.StreamCommands)
	if err != nil {
		return nil, err
	}
	var found []*njs.RawStreamMsg
	list := stream.ListConsumers(ctx)
	for info := range list.Info() {
		for _, filter := range append(info.Config.FilterSubjects, info.Config.FilterSubject) {
			for next := uint64(1); filter != "" && next <= info.AckFloor.Stream && len(found) < maxOrphans; {
				raw, err := stream.GetMsg(ctx, next, njs.WithGetMsgSubject(filter))
				if errors.Is(err, njs.ErrMsgNotFound) {
					break
				}
				if err != nil {
					return nil, err
				}
				if next = raw.Sequence + 1; raw.Sequence <= info.AckFloor.Stream {
					found = append(found, raw)
				}
			}
		}
	}
	return found, list.Err()
}

// putBack publishes a message again and then deletes the old one. One that names no payment becomes a dead
// deadLetter: a worker may not publish it.
func (j *Janitor) putBack(ctx context.Context, raw *njs.RawStreamMsg) error {
	d := broker.Stored{Stream: events.StreamCommands, Message: broker.MessageOf(raw)}
	again := broker.Resend(d, raw.Subject, "rescue")
	if _, named := events.SubjectRef(raw.Subject); !named {
		again = j.broker.DeadLetter(d, events.DeadMaxDeliveries, "no consumer delivers it any more")
	}
	if err := j.broker.Publish(ctx, again); err != nil { // a concurrent writer's has the same id
		return err
	}
	if _, err := j.broker.Remove(ctx, events.StreamCommands, raw.Sequence); err != nil {
		return err
	}
	j.broker.Count.Undelivered.Add(1)
	j.log.Error("requeued an undelivered command: a consumer was given a delivery limit",
		"sequence", raw.Sequence, "subject", again.Subject)
	return nil
}
