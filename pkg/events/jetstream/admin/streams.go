package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
)

// duplicateWindow is how long a stream remembers a Nats-Msg-Id. It serves publish retries only.
const duplicateWindow = 2 * time.Minute

// streamConfigs is the one definition of the streams. deploy/nats/streams is written from it. No field
// is left to the server's defaults, so that every difference shows.
func streamConfigs(c jetstream.Config) []njs.StreamConfig {
	commands := baseStream(c, events.StreamCommands, "Commands to pay, parked commands, and clarifications",
		"deposit.requested", "payout.requested", "deposit.requested.*.*", "payout.requested.*.*", "clarification.requested.*.*", "parked.*.*",
		events.ProbeSubject(events.StreamCommands))
	commands.Retention = njs.WorkQueuePolicy
	commands.MaxMsgSize = jetstream.MaxMessageBytes
	// The server refuses schedules together with DiscardNew (2.15: "message scheduling cannot use
	// discard new"), and turns rollups on for them. DiscardOld never discards here, because the stream
	// has no limit of messages, bytes or age. It must not get one.
	commands.AllowMsgSchedules, commands.AllowRollup, commands.Discard = true, true, njs.DiscardOld

	webhooks := baseStream(c, events.StreamWebhooks, "Verified webhooks as received", "webhook.received.*.*", "webhook.waiting.*.*.*",
		events.ProbeSubject(events.StreamWebhooks))
	webhooks.MaxAge, webhooks.MaxMsgSize = c.WebhookRetention, jetstream.MaxMessageBytes
	// Schedules for those that wait for their command; without limits nothing is ever discarded, as above.
	webhooks.AllowMsgSchedules, webhooks.AllowRollup, webhooks.Discard = true, true, njs.DiscardOld

	payments := baseStream(c, events.StreamPayments, "The log of payments", "payment.*.*.*")
	payments.MaxAge = c.PaymentRetention
	payments.DenyDelete, payments.DenyPurge, payments.AllowDirect = true, true, true
	payments.AllowAtomicPublish = true // for group commit

	if c.Accounts { // an ingress has no consumer: the definition of one can make the server write to any subject
		payments.RePublish = &njs.RePublish{Source: "payment.>", Destination: events.WrittenSubject, HeadersOnly: true}
	}

	deadLetters := baseStream(c, events.StreamDeadLetters, "Messages that could not be processed, with the reason", "deadletter.*.*")
	deadLetters.MaxAge, deadLetters.MaxBytes = c.DeadLetterRetention, c.DeadLetterBytes

	// What customers must do is personal and needed for a short time only; the log just names it. Erasing it deletes
	// single messages, so that no purge is needed.
	actions := baseStream(c, events.StreamActions, "Payment pages and accounts for customers, kept for a short time", "action.stored.*.*.*")
	actions.MaxAge, actions.MaxMsgSize = c.ActionRetention, jetstream.MaxMessageBytes
	actions.DenyPurge, actions.AllowDirect = true, true
	actions.AllowAtomicPublish = true // for group commit

	audit := baseStream(c, events.StreamAudit, "Actions of operators, with their reasons", "operator.*.*.*")
	audit.MaxAge = c.AuditRetention
	if c.Accounts { // the server writes the account of who wrote a record into its subject
		audit.Subjects = append(audit.Subjects, "audit.*.*.*.*")
	}
	audit.DenyDelete, audit.DenyPurge = true, true
	all := []njs.StreamConfig{commands, webhooks, payments, deadLetters, audit, actions, refusalStream(c), refusedStream(c), balanceStream(c), heartbeatStream(c)}
	if len(c.Endpoints) > 0 {
		all = append(all, endpointStream(c))
	}
	for _, upstream := range c.Upstreams {
		all = append(all, intakeStream(c, upstream))
	}
	if c.Accounts {
		all = append(all, ingressStream(c))
	}
	return all
}

// StreamNames returns the names of the streams.
func StreamNames(c jetstream.Config) (names []string) {
	for _, definition := range streamConfigs(c) {
		names = append(names, definition.Name)
	}
	return names
}

// maxIngressBytes bounds what all ingresses can pile up while no worker runs: beyond it they answer 503.
const maxIngressBytes = 1 << 30

// ingressStream takes what ingresses with an account of their own publish: commands, and webhooks that they verified. Like
// an upstream's it has no schedules and no rollups.
func ingressStream(c jetstream.Config) njs.StreamConfig {
	stream := intakeStream(c, events.IngressIntake)
	stream.Description = "Accepted by the ingress over HTTP"
	for _, subject := range []string{"webhook.received.*.*", events.ProbeSubject(stream.Name)} {
		stream.Subjects = append(stream.Subjects, events.IntakeSubject(events.IngressIntake, subject))
	}
	stream.MaxBytes = maxIngressBytes
	return stream
}

// endpointStream holds events until their next attempt. As for COMMANDS, schedules need rollups and exclude DiscardNew, and nothing
// is discarded because there is no limit.
func endpointStream(c jetstream.Config) njs.StreamConfig {
	stream := baseStream(c, events.StreamEndpoints, "Events that an endpoint did not take, until the next attempt",
		events.EndpointDueFilter("*"), events.EndpointWaitingFilter("*"))
	stream.Retention, stream.AllowMsgSchedules, stream.AllowRollup, stream.Discard = njs.WorkQueuePolicy, true, true, njs.DiscardOld
	return stream
}

// maxIntakeBytes bounds what one upstream can pile up while no worker runs. Beyond it the upstream gets
// an error and nothing is lost.
const maxIntakeBytes = 256 << 20

// intakeStream takes what one upstream publishes, as work for the intake. It has no schedules and so no
// rollups: no header can remove or forge a message.
func intakeStream(c jetstream.Config, upstream string) njs.StreamConfig {
	intake := baseStream(c, events.IntakeStream(upstream), "Published by the upstream "+upstream+" publishes",
		events.IntakeSubject(upstream, "deposit.requested.*.*"), events.IntakeSubject(upstream, "payout.requested.*.*"),
		events.IntakeSubject(upstream, "clarification.requested.*.*"))
	intake.Retention, intake.MaxMsgSize, intake.MaxBytes = njs.WorkQueuePolicy, jetstream.MaxMessageBytes, maxIntakeBytes
	intake.DenyDelete, intake.DenyPurge = true, true
	return intake
}

func baseStream(c jetstream.Config, name, description string, subjects ...string) njs.StreamConfig {
	return njs.StreamConfig{
		Name: name, Description: description, Subjects: subjects, Replicas: c.Replicas,
		Retention: njs.LimitsPolicy, Storage: njs.FileStorage, Discard: njs.DiscardNew, Duplicates: duplicateWindow,
		MaxConsumers: -1, MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
	}
}

// StreamFiles returns the definition of each stream as JSON for "nats stream add --config", by file
// name. The files in deploy/nats/streams are made from it.
func StreamFiles(c jetstream.Config) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, definition := range streamConfigs(c) {
		text, err := json.MarshalIndent(definition, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", definition.Name, err)
		}
		files[strings.ToLower(definition.Name)+".json"] = append(text, '\n')
	}
	return files, nil
}

// copyPrefix is the prefix of the JetStream API of the account for copies of AUDIT (deploy/nats/accounts.conf).
const copyPrefix = "COPY"

func copyStream(c jetstream.Config) njs.StreamConfig {
	stream := baseStream(c, events.StreamAuditCopy, "Copy of AUDIT", "copy.*.*.*.*")
	stream.MaxAge, stream.DenyDelete, stream.DenyPurge = c.AuditRetention, true, true
	return stream
}

// MakeCopy makes the stream of copies, if it is missing and the server has an account for it, and returns what it made. One
// that exists is left as it is: no client may change it. Only the administrator has the right to.
func (c *Conn) MakeCopy(ctx context.Context) ([]Difference, error) {
	if !c.cfg.Accounts {
		return nil, nil
	}
	js, err := njs.NewWithAPIPrefix(c.broker.NATS, copyPrefix)
	if err != nil {
		return nil, err
	}
	want, made := copyStream(c.cfg), false
	err = c.broker.Ask(ctx, func(ctx context.Context) error {
		_, err := js.Stream(ctx, want.Name)
		if errors.Is(err, njs.ErrStreamNotFound) {
			_, err = js.CreateStream(ctx, want)
			made = err == nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create %s (%w): %w", want.Name, broker.ErrNotMade, err)
	}
	if !made {
		return nil, nil
	}
	return []Difference{{Stream: want.Name}}, nil
}
