package admin

import (
	"context"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
)

// refusalStream defines the stream of refusals, which keeps them as long as the dead letters that they are about. When it is full it drops
// the oldest, so that no upstream can block dead-lettering by filling it. A dead letter does not depend on its refusal.
func refusalStream(c jetstream.Config) njs.StreamConfig {
	refusals := baseStream(c, events.StreamRefusals, "Why commands were refused, for those who published them", events.RefusalsOfAll)
	refusals.MaxAge, refusals.MaxMsgSize, refusals.MaxBytes = c.DeadLetterRetention, events.MaxRefusalBytes, c.RefusalBytes
	refusals.MaxMsgsPerSubject, refusals.Discard = events.RefusalsPerOrder, njs.DiscardOld
	refusals.DenyDelete, refusals.DenyPurge, refusals.AllowDirect = true, true, true
	if c.Accounts { // an account cannot export what it got from another account, but it can export what its stream republishes
		refusals.RePublish = &njs.RePublish{Source: "command.refused.>", Destination: events.WrittenRefusal}
	}
	return refusals
}

// RefusalConsumer is the name of the durable consumer of REFUSALS that is created for an upstream of [jetstream.Config.Upstreams], which has
// no permission to create consumers.
func RefusalConsumer(upstream string) string { return "refusals-" + upstream }

func refusalConsumers(c jetstream.Config) (all []njs.ConsumerConfig) {
	for _, upstream := range c.Upstreams {
		name := RefusalConsumer(upstream)
		all = append(all, njs.ConsumerConfig{
			Name: name, Durable: name, Description: "Refused commands of the upstream " + upstream,
			DeliverPolicy: njs.DeliverAllPolicy, AckPolicy: njs.AckExplicitPolicy, AckWait: c.AckWait,
			MaxDeliver: -1, MaxAckPending: c.MaxAckPending, MaxWaiting: jetstream.MaxWaiting,
			FilterSubjects: []string{events.RefusalsOf(upstream)},
		})
	}
	return all
}

// Refusal is a refusal as it is in the stream.
type Refusal struct {
	Sequence uint64
	Refusal  events.Refusal
	Problem  string // why it cannot be read; Refusal is empty then
}

// RefusalsOf returns the refusals of an order's commands, oldest first. One that cannot be read is left out; [Conn.Refusals] reports
// it.
func (c *Conn) RefusalsOf(ctx context.Context, ref payment.Ref) (all []events.Refusal, err error) {
	for raw, err := range c.broker.Messages(ctx, events.StreamRefusals, events.RefusalsOfOrder(ref), 0) {
		if err != nil {
			return nil, fmt.Errorf("refusals of %s: %w", ref, err)
		}
		if one, err := events.DecodeRefusal(raw.Data); err == nil {
			all = append(all, one)
		}
	}
	return all, nil
}

// Refusals returns up to most refusals that come after a sequence, oldest first; 0 begins at the first. If upstream is not empty, only
// its refusals are returned.
func (c *Conn) Refusals(ctx context.Context, upstream string, after uint64, most int) (all []Refusal, err error) {
	filter := events.RefusalsOfAll
	if upstream != "" {
		filter = events.RefusalsOf(upstream)
	}
	for raw, err := range c.broker.Messages(ctx, events.StreamRefusals, filter, after) {
		if err != nil {
			return nil, fmt.Errorf("refusals: %w", err)
		}
		one := Refusal{Sequence: raw.Sequence}
		if one.Refusal, err = events.DecodeRefusal(raw.Data); err != nil {
			one.Problem = "it is not a refusal"
		}
		if all = append(all, one); len(all) >= most {
			break
		}
	}
	return all, nil
}
