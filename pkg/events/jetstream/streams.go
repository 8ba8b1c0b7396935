package jetstream

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// duplicateWindow is how long a stream remembers a Nats-Msg-Id. It serves publish retries only.
const duplicateWindow = 2 * time.Minute

// streamConfigs is the one definition of the streams. deploy/nats/streams is written from it. No field
// is left to the server's defaults, so that every difference shows.
func streamConfigs(c Config) []njs.StreamConfig {
	commands := baseStream(c, events.StreamCommands, "Commands to pay, parked commands, and clarifications",
		"deposit.requested", "payout.requested", "deposit.requested.*.*", "payout.requested.*.*", "clarification.requested.*.*", "parked.*.*",
		events.ProbeSubject(events.StreamCommands))
	commands.Retention = njs.WorkQueuePolicy
	commands.MaxMsgSize = MaxMessageBytes
	// The server refuses schedules together with DiscardNew (2.15: "message scheduling cannot use
	// discard new"), and turns rollups on for them. DiscardOld never discards here, because the stream
	// has no limit of messages, bytes or age. It must not get one.
	commands.AllowMsgSchedules, commands.AllowRollup, commands.Discard = true, true, njs.DiscardOld

	webhooks := baseStream(c, events.StreamWebhooks, "Verified webhooks as received", "webhook.received.*.*", "webhook.waiting.*.*.*",
		events.ProbeSubject(events.StreamWebhooks))
	webhooks.MaxAge, webhooks.MaxMsgSize = c.WebhookRetention, MaxMessageBytes
	// Schedules for those that wait for their command; without limits nothing is ever discarded, as above.
	webhooks.AllowMsgSchedules, webhooks.AllowRollup, webhooks.Discard = true, true, njs.DiscardOld

	payments := baseStream(c, events.StreamPayments, "The log of payments", "payment.*.*.*")
	payments.MaxAge = c.PaymentRetention
	payments.DenyDelete, payments.DenyPurge, payments.AllowDirect = true, true, true

	if c.Accounts { // an ingress has no consumer: the definition of one can make the server write to any subject
		payments.RePublish = &njs.RePublish{Source: "payment.>", Destination: events.WrittenSubject, HeadersOnly: true}
	}

	deadLetters := baseStream(c, events.StreamDeadLetters, "Messages that could not be processed, with the reason", "deadletter.*.*")
	deadLetters.MaxAge, deadLetters.MaxBytes = c.DeadLetterRetention, c.DeadLetterBytes

	// What customers must do is personal and needed for a short time only; the log just names it. Erasing it deletes
	// single messages, so that no purge is needed.
	actions := baseStream(c, events.StreamActions, "Payment pages and accounts for customers, kept for a short time", "action.stored.*.*.*")
	actions.MaxAge, actions.MaxMsgSize = c.ActionRetention, MaxMessageBytes
	actions.DenyPurge, actions.AllowDirect = true, true

	audit := baseStream(c, events.StreamAudit, "Actions of operators, with their reasons", "operator.*.*.*")
	audit.MaxAge = c.AuditRetention
	if c.Accounts { // the server writes the account of who wrote a record into its subject
		audit.Subjects = append(audit.Subjects, "audit.*.*.*.*")
	}
	audit.DenyDelete, audit.DenyPurge = true, true
	all := []njs.StreamConfig{commands, webhooks, payments, deadLetters, audit, actions, refusedStream(c)}
	for _, upstream := range c.Upstreams {
		all = append(all, intakeStream(c, upstream))
	}
	if c.Accounts {
		all = append(all, ingressStream(c))
	}
	return all
}

// maxIngressBytes bounds what all ingresses can pile up while no worker runs: beyond it they answer 503.
const maxIngressBytes = 1 << 30

// ingressStream takes what ingresses with an account of their own publish: commands, and webhooks that they verified. Like
// an upstream's it has no schedules and no rollups.
func ingressStream(c Config) njs.StreamConfig {
	stream := intakeStream(c, events.IngressIntake)
	stream.Description = "Accepted by the ingress over HTTP"
	for _, subject := range []string{"webhook.received.*.*", events.ProbeSubject(stream.Name)} {
		stream.Subjects = append(stream.Subjects, events.IntakeSubject(events.IngressIntake, subject))
	}
	stream.MaxBytes = maxIngressBytes
	return stream
}

// maxIntakeBytes bounds what one upstream can pile up while no worker runs. Beyond it the upstream gets
// an error and nothing is lost.
const maxIntakeBytes = 256 << 20

// intakeStream takes what one upstream publishes, as work for the intake. It has no schedules and so no
// rollups: no header can remove or forge a message.
func intakeStream(c Config, upstream string) njs.StreamConfig {
	intake := baseStream(c, events.IntakeStream(upstream), "Published by the upstream "+upstream+" publishes",
		events.IntakeSubject(upstream, "deposit.requested.*.*"), events.IntakeSubject(upstream, "payout.requested.*.*"),
		events.IntakeSubject(upstream, "clarification.requested.*.*"))
	intake.Retention, intake.MaxMsgSize, intake.MaxBytes = njs.WorkQueuePolicy, MaxMessageBytes, maxIntakeBytes
	intake.DenyDelete, intake.DenyPurge = true, true
	return intake
}

func baseStream(c Config, name, description string, subjects ...string) njs.StreamConfig {
	return njs.StreamConfig{
		Name: name, Description: description, Subjects: subjects, Replicas: c.Replicas,
		Retention: njs.LimitsPolicy, Storage: njs.FileStorage, Discard: njs.DiscardNew, Duplicates: duplicateWindow,
		MaxConsumers: -1, MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
	}
}

// StreamFiles returns the definition of each stream as JSON for "nats stream add --config", by file
// name. The files in deploy/nats/streams are made from it.
func StreamFiles(c Config) (map[string][]byte, error) {
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
