package jetstream

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// MaxMessageBytes is the largest message, header included, that COMMANDS and WEBHOOKS take. It leaves
// room under the server's default max_payload of 1 MiB, so that every message can also become a dead
// deadLetter, which has more headers.
const MaxMessageBytes = 512 << 10

// refusedProviders is for how many providers the stream of refused webhooks has room, the unknown one among them, when each is
// sent as many as are kept and as large ones. With more, the oldest of all go first.
const refusedProviders = 32

// refusalBytes is enough for some 30,000 refusals.
const refusalBytes = 16 << 20

// refusedBytes is the size of the stream of refused webhooks.
const refusedBytes = refusedProviders * events.RefusedBuckets * events.RefusedPerBucket * events.MaxRefusedBytes

// When events of concurrent payments are appended as one atomic batch.
const (
	// GroupCommitAuto batches on one server (Replicas 1) where that makes more appends a second, as measured under load.
	GroupCommitAuto = "auto"
	// GroupCommitAlways batches whenever two appends wait for what is in flight, on any server.
	GroupCommitAlways = "always"
	// GroupCommitNever appends every event alone.
	GroupCommitNever = "never"
)

// Config says how streams and consumers are set up. All workers of one system must use the same.
type Config struct {
	// Replicas of each stream: 1, 3 or 5. Production uses 3.
	Replicas int
	// PaymentRetention is how long the log remembers an event. A command that is older must not be
	// worked any more.
	PaymentRetention time.Duration
	// WebhookRetention is how long webhooks are kept, worked or not.
	WebhookRetention time.Duration
	// DeadLetterRetention is how long dead letters are kept.
	DeadLetterRetention time.Duration
	// DeadLetterBytes bounds the dead letters that no operator has dealt with. What becomes one beyond it stays where it is and
	// is tried again, until there is room.
	DeadLetterBytes int64
	// RefusedBytes bounds the refused webhooks that are kept for people to look at; the oldest go first.
	RefusedBytes int64
	// RefusalBytes bounds the refusals of commands that publishers can read; the oldest go first.
	RefusalBytes int64
	// ActionRetention is how long it is kept what the customer of a payment must do: the provider's page, or the account
	// to transfer to. It must be longer than a customer has for it.
	ActionRetention time.Duration
	// HeartbeatTTL is how long after its last heartbeat a process is still shown.
	HeartbeatTTL time.Duration
	// AuditRetention is how long it is kept what people did by hand.
	AuditRetention time.Duration
	// Upstreams that publish by NATS: each has a stream of its own, see [events.IntakeStream].
	Upstreams []string
	// Accounts says that the server has the accounts of deploy/nats. Every ingress is then in one out of which it reaches
	// only the stream of [events.IngressIntake], and reads only the log; workers take from that stream and answer what
	// is in the queue. And each operator is in one whose name the server writes into what it leaves in AUDIT.
	Accounts bool
	// Ledgers that read outcomes by NATS without rights of their own: each has a durable consumer that is
	// made for it, see LedgerConsumer of package admin.
	Ledgers []string
	// Endpoints to which a notifier sends events: each has durable consumers of its own.
	Endpoints []Endpoint
	// Archive is the durable consumer of the log that is made for an archive without rights of its own; empty for none.
	Archive string

	// AckWait is how long after the last sign of life of a worker its messages go to another. Workers
	// send an in-progress acknowledgement every third of it.
	AckWait time.Duration
	// MaxAckPending is how many commands of one provider may be in work or waiting for a retry, over
	// all workers. It must be larger than workers × slots.
	MaxAckPending int
	// WebhookMaxAckPending is the same for webhooks.
	WebhookMaxAckPending int
	// RetryDelay is how long a message waits after its handler panicked or its verdict could not be
	// carried out.
	RetryDelay time.Duration
	// StallAfter is how long nothing may be delivered, though messages wait and slots are free, before
	// the subscription is made again. It is noticed within twice that.
	StallAfter time.Duration
	// OrphanAfter is the age at which a command that no worker consumes becomes a dead letter.
	OrphanAfter time.Duration
	// PublishTimeout is how long one publish waits for its acknowledgement before it is repeated.
	PublishTimeout time.Duration
	// GroupCommit says when events of concurrent payments are appended in one batch: [GroupCommitAuto], [GroupCommitAlways] or
	// [GroupCommitNever].
	GroupCommit string
	// LevelsEvery is how often package statistics reads how full the queue is.
	LevelsEvery time.Duration
	// ProbeEvery is how often [Conn.WatchWrites] writes a probe to a stream that can be written.
	ProbeEvery time.Duration
}

// heartbeatTTL is how long after its last heartbeat a process is still shown.
const heartbeatTTL = 45 * time.Second

// BaseConfig returns what no configuration file sets; the rest comes from pkg/config.
func BaseConfig() Config {
	return Config{
		RefusedBytes: refusedBytes, RefusalBytes: refusalBytes, MaxAckPending: 10_000, WebhookMaxAckPending: 50_000,
		RetryDelay: 5 * time.Second, StallAfter: 30 * time.Second,
		HeartbeatTTL: heartbeatTTL, PublishTimeout: events.PublishTimeout, LevelsEvery: 10 * time.Second, ProbeEvery: 15 * time.Second,
	}
}

// Validate reports everything that is wrong, joined.
func (c Config) Validate() error {
	var problems []error
	if c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5 {
		problems = append(problems, fmt.Errorf("replicas must be 1, 3 or 5, not %d", c.Replicas))
	}
	durations := []struct {
		name       string
		value, min time.Duration
	}{
		{"payment_retention", c.PaymentRetention, events.MinRetention},
		{"webhook_retention", c.WebhookRetention, events.MinRetention},
		{"dead_letter_retention", c.DeadLetterRetention, events.MinRetention},
		{"audit_retention", c.AuditRetention, events.MinRetention},
		{"action_retention", c.ActionRetention, events.MinRetention},
		{"heartbeat_ttl", c.HeartbeatTTL, time.Second},
		{"ack_wait", c.AckWait, time.Second},
		{"retry_delay", c.RetryDelay, time.Millisecond},
		{"stall_after", c.StallAfter, 100 * time.Millisecond},
		{"orphan_after", c.OrphanAfter, time.Millisecond},
		{"publish_timeout", c.PublishTimeout, 10 * time.Millisecond},
		{"levels_every", c.LevelsEvery, 10 * time.Millisecond},
		{"probe_every", c.ProbeEvery, 10 * time.Millisecond},
	}
	for _, d := range durations {
		if d.value < d.min {
			problems = append(problems, fmt.Errorf("%s must be at least %v, not %v", d.name, d.min, d.value))
		}
	}
	if c.DeadLetterBytes < events.MinDeadLetterBytes {
		problems = append(problems, fmt.Errorf("dead_letter_bytes must be at least %d, not %d", events.MinDeadLetterBytes, c.DeadLetterBytes))
	}
	if c.RefusalBytes < events.MaxRefusalBytes {
		problems = append(problems, fmt.Errorf("refusal_bytes must be at least %d, not %d", events.MaxRefusalBytes, c.RefusalBytes))
	}
	if c.RefusedBytes < events.MaxRefusedBytes {
		problems = append(problems, fmt.Errorf("refused_bytes must be at least %d, not %d", events.MaxRefusedBytes, c.RefusedBytes))
	}
	if c.MaxAckPending < 1 {
		problems = append(problems, errors.New("max_ack_pending must be at least 1"))
	}
	if c.WebhookMaxAckPending < 1 {
		problems = append(problems, errors.New("webhook_max_ack_pending must be at least 1"))
	}
	for _, name := range slices.Concat(c.Upstreams, c.Ledgers) {
		if !payment.ValidProvider(name) { // the same form: one token, short
			problems = append(problems, fmt.Errorf(`upstream or ledger %q must be 1 to 32 characters of a-z, 0-9 and "-"`, name))
		}
	}
	if slices.Contains(c.Upstreams, events.IngressIntake) {
		problems = append(problems, fmt.Errorf("upstream %q: the name is reserved for the ingress", events.IngressIntake))
	}
	if !slices.Contains([]string{GroupCommitAuto, GroupCommitAlways, GroupCommitNever}, c.GroupCommit) {
		problems = append(problems, fmt.Errorf("group_commit must be auto, always or never, not %q", c.GroupCommit))
	}
	if c.PublishTimeout >= c.AckWait {
		problems = append(problems, errors.New("publish_timeout must be shorter than ack_wait"))
	}
	if c.WebhookRetention > c.PaymentRetention {
		problems = append(problems, errors.New("webhook_retention must not be longer than payment_retention: a late webhook would find no payment"))
	}
	return errors.Join(problems...)
}
