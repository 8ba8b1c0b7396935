package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// LedgerConsumer is the name of the durable consumer of PAYMENTS that is created for a ledger of [jetstream.Config.Ledgers]. Ledgers
// have no permission to create consumers: a consumer's definition can make the server publish to any subject.
func LedgerConsumer(ledger string) string { return "ledger-" + ledger }

// madeConsumer is a consumer that is created along with the streams.
type madeConsumer struct {
	stream string
	config njs.ConsumerConfig
}

// madeConsumers returns the consumers of ledgers (payments and balances), of the archive, of upstreams (refusals) and of endpoints.
func madeConsumers(c jetstream.Config) []madeConsumer {
	var all []madeConsumer
	for _, config := range readers(c) {
		all = append(all, madeConsumer{events.StreamPayments, config})
	}
	for _, config := range refusalConsumers(c) {
		all = append(all, madeConsumer{events.StreamRefusals, config})
	}
	for _, config := range balanceConsumers(c) {
		all = append(all, madeConsumer{events.StreamBalances, config})
	}
	for _, of := range jetstream.EndpointConsumers(c) {
		all = append(all, madeConsumer{of.Stream, of.Config})
	}
	return all
}

// readers returns the consumers of PAYMENTS of the ledgers and the archive, which have no permission to create them.
func readers(c jetstream.Config) []njs.ConsumerConfig {
	var all []njs.ConsumerConfig
	add := func(name, description string, filters ...string) {
		all = append(all, njs.ConsumerConfig{
			Name: name, Durable: name, Description: description, DeliverPolicy: njs.DeliverAllPolicy, AckPolicy: njs.AckExplicitPolicy,
			AckWait: c.AckWait, MaxDeliver: -1, MaxAckPending: c.MaxAckPending, MaxWaiting: jetstream.MaxWaiting, FilterSubjects: filters,
		})
	}
	var outcomes []string
	for _, status := range []payment.Status{payment.Settled, payment.Failed, payment.Reversed, payment.Conflict} {
		outcomes = append(outcomes, "payment."+string(status)+".>")
	}
	for _, ledger := range c.Ledgers {
		add(LedgerConsumer(ledger), "Outcomes for the ledger "+ledger, outcomes...)
	}
	if c.Archive != "" {
		add(c.Archive, "Every event for the archive")
	}
	return all
}

// EnsureStreams creates the streams and the consumers of ledgers, upstreams and endpoints that are missing. It leaves those that
// exist as they are, and returns a [*MismatchError] unless all differences from their definition only affect speed. The archive's consumer is
// left to [Conn.ApplyStreams]: a service that starts does not wait for the archive.
func (c *Conn) EnsureStreams(ctx context.Context) error {
	own := *c
	own.cfg.Archive = ""
	c = &own
	ctx = broker.AtStart(ctx)
	if _, err := c.ApplyStreams(ctx, false); err != nil {
		return c.broker.Denied(err)
	}
	differences, err := c.CheckStreams(ctx)
	if err != nil {
		return c.broker.Denied(err)
	}
	if differences = slices.DeleteFunc(differences, Difference.onlySlower); len(differences) > 0 {
		return &MismatchError{Differences: differences}
	}
	return nil
}

// allowBatches is the setting of a stream that accepts atomic batches.
const allowBatches = "allow_atomic"

// onlySlower reports whether a difference only affects speed: a stream without batches accepts events one by one. Programs start in spite
// of it.
func (d Difference) onlySlower() bool { return d.Field == allowBatches }

// ApplyStreams creates the streams and the consumers of ledgers, endpoints and archive that are missing. With update it also
// changes those that differ, if all differences can be changed without losing or refusing anything; if
// one cannot, it changes nothing and returns a [*MismatchError] with those. It returns what it did, even when it also returns
// an error.
func (c *Conn) ApplyStreams(ctx context.Context, update bool) (done []Difference, err error) {
	differences, err := c.CheckStreams(ctx)
	if err != nil {
		return nil, err
	}
	if update {
		risky := slices.DeleteFunc(slices.Clone(differences), Difference.Safe)
		if len(risky) > 0 {
			return nil, &MismatchError{Differences: risky}
		}
	}
	for _, want := range streamConfigs(c.cfg) {
		found, err := c.apply(ctx, differences, Difference{Stream: want.Name}, update,
			func(ctx context.Context) error { return c.createStream(ctx, want) },
			func(ctx context.Context) error { _, err := c.broker.JS.UpdateStream(ctx, want); return err })
		done = append(done, found...)
		if err != nil {
			return done, err
		}
	}
	for _, want := range madeConsumers(c.cfg) {
		put := func(ctx context.Context) error {
			_, err := c.broker.JS.CreateOrUpdateConsumer(ctx, want.stream, want.config)
			return err
		}
		found, err := c.apply(ctx, differences, Difference{Stream: want.stream, Consumer: want.config.Durable}, update, put, put)
		done = append(done, found...)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// apply creates or updates one stream or consumer, if it is among the differences, and returns what it did.
func (c *Conn) apply(ctx context.Context, differences []Difference, of Difference, update bool, create, change func(context.Context) error) ([]Difference, error) {
	own := slices.DeleteFunc(slices.Clone(differences), func(d Difference) bool { return d.Name() != of.Name() })
	if len(own) == 0 {
		return nil, nil
	}
	step, what := create, "create"
	if own[0].Field != "" {
		if !update {
			return nil, nil
		}
		step, what = change, "update"
	}
	if err := c.broker.Ask(ctx, step); err != nil {
		return nil, fmt.Errorf("%s %s (%w): %w", what, of.Name(), broker.ErrNotMade, err)
	}
	c.broker.Forget(of.Stream) // the cached description may be outdated
	return own, nil
}

// createStream also succeeds when another process creates the same stream at the same time: the server compares the definitions.
func (c *Conn) createStream(ctx context.Context, want njs.StreamConfig) error {
	_, err := c.broker.JS.CreateStream(ctx, want)
	if errors.Is(err, njs.ErrStreamNameAlreadyInUse) {
		return nil
	}
	return err
}

// Safe reports whether a difference can be changed without losing stored messages and without refusing messages that were accepted
// before: limits may grow, and subjects may be added. A missing stream can be created.
func (d Difference) Safe() bool {
	if d.Stream == events.StreamDeadLetters && d.Field == "max_bytes" { // a message that does not fit stays in the stream that it is in
		return true
	}
	switch d.Field {
	case "", "description", "filter_subjects", "filter_subject", "ack_wait", "max_ack_pending", "max_waiting", "allow_direct", allowBatches:
		// A consumer's filters choose what a ledger reads, not what is stored.
		return true
	case "deny_delete", "deny_purge":
		return d.Want == "true"
	case "max_age", "max_msg_size", "max_bytes", "max_msgs", "max_msgs_per_subject", "num_replicas", "duplicate_window":
		return d.grows()
	case "republish": // to republish messages does not change what is stored
		return d.Have == notSet
	case "subjects":
		return d.addsOnly()
	}
	return false
}

// grows reports whether a limit gets larger. 0, a negative number and a limit that is not set mean unlimited.
func (d Difference) grows() bool {
	limit := func(text string) (int64, bool) {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, text == notSet || err == nil
	}
	want, wantOK := limit(d.Want)
	have, haveOK := limit(d.Have)
	if !wantOK || !haveOK {
		return false
	}
	return want <= 0 || have > 0 && want > have
}

func (d Difference) addsOnly() bool {
	var want, have []string
	if json.Unmarshal([]byte(d.Want), &want) != nil || json.Unmarshal([]byte(d.Have), &have) != nil {
		return false
	}
	return !slices.ContainsFunc(have, func(subject string) bool { return !slices.Contains(want, subject) })
}
