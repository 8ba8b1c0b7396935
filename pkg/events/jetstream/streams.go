package jetstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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
		"deposit.requested", "payout.requested", "deposit.requested.*.*", "payout.requested.*.*", "clarification.requested.*.*", "parked.*.*")
	commands.Retention = njs.WorkQueuePolicy
	commands.MaxMsgSize = MaxMessageBytes
	// The server refuses schedules together with DiscardNew (2.15: "message scheduling cannot use
	// discard new"), and turns rollups on for them. DiscardOld never discards here, because the stream
	// has no limit of messages, bytes or age. It must not get one.
	commands.AllowMsgSchedules, commands.AllowRollup, commands.Discard = true, true, njs.DiscardOld

	webhooks := baseStream(c, events.StreamWebhooks, "Verified webhooks as received", "webhook.received.*.*")
	webhooks.MaxAge, webhooks.MaxMsgSize = c.WebhookRetention, MaxMessageBytes

	payments := baseStream(c, events.StreamPayments, "The log of payments", "payment.*.*.*")
	payments.MaxAge = c.PaymentRetention
	payments.DenyDelete, payments.DenyPurge, payments.AllowDirect = true, true, true

	deadLetters := baseStream(c, events.StreamDeadLetters, "What could not be worked, with the reason", "deadletter.*.*")
	deadLetters.MaxAge = c.DeadLetterRetention

	audit := baseStream(c, events.StreamAudit, "What people did by hand, and why", "operator.*.*.*")
	audit.MaxAge = c.AuditRetention
	audit.DenyDelete, audit.DenyPurge = true, true
	return []njs.StreamConfig{commands, webhooks, payments, deadLetters, audit}
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

// Difference is one field of a stream that is not as it is defined. Values are JSON.
type Difference struct {
	Stream string
	Field  string // as in the stream's JSON, e.g. "max_age"; empty when the stream does not exist
	Want   string
	Have   string
}

func (d Difference) String() string {
	if d.Field == "" {
		return d.Stream + ": missing"
	}
	return fmt.Sprintf("%s: %s is %s, want %s", d.Stream, d.Field, d.Have, d.Want)
}

// MismatchError says that streams exist with another definition. They are never changed silently.
type MismatchError struct{ Differences []Difference }

func (e *MismatchError) Error() string {
	lines := make([]string, len(e.Differences))
	for i, d := range e.Differences {
		lines[i] = d.String()
	}
	return "streams differ from their definition: " + strings.Join(lines, "; ")
}

// EnsureStreams creates the streams that are missing. It leaves those that exist as they are, and
// returns a [*MismatchError] when they differ from their definition.
func (c *Conn) EnsureStreams(ctx context.Context) error {
	for _, want := range streamConfigs(c.cfg) {
		_, err := c.js.Stream(ctx, want.Name)
		if errors.Is(err, njs.ErrStreamNotFound) {
			// A rival who creates the same stream at the same time is no error: the server compares.
			_, err = c.js.CreateStream(ctx, want)
		}
		if err != nil && !errors.Is(err, njs.ErrStreamNameAlreadyInUse) {
			return fmt.Errorf("ensure stream %s: %w", want.Name, err)
		}
	}
	differences, err := c.CheckStreams(ctx)
	if err != nil {
		return err
	}
	if len(differences) > 0 {
		return &MismatchError{Differences: differences}
	}
	return nil
}

// CheckStreams compares every field of the streams with the definition and changes nothing.
func (c *Conn) CheckStreams(ctx context.Context) ([]Difference, error) {
	var differences []Difference
	for _, want := range streamConfigs(c.cfg) {
		stream, err := c.js.Stream(ctx, want.Name)
		if errors.Is(err, njs.ErrStreamNotFound) {
			differences = append(differences, Difference{Stream: want.Name})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("check stream %s: %w", want.Name, err)
		}
		found, err := compareStreams(want, stream.CachedInfo().Config)
		if err != nil {
			return nil, fmt.Errorf("check stream %s: %w", want.Name, err)
		}
		differences = append(differences, found...)
	}
	return differences, nil
}

func compareStreams(want, have njs.StreamConfig) ([]Difference, error) {
	wantFields, err := streamFields(want)
	if err != nil {
		return nil, err
	}
	haveFields, err := streamFields(have)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(wantFields)
	maps.Copy(names, haveFields)
	var differences []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if w, h := wantFields[name], haveFields[name]; !bytes.Equal(w, h) {
			differences = append(differences, Difference{Stream: want.Name, Field: name, Want: orNone(w), Have: orNone(h)})
		}
	}
	return differences, nil
}

func orNone(value []byte) string {
	if value == nil {
		return "not set"
	}
	return string(value)
}

// streamFields returns the JSON fields of a definition without what the server notes for itself.
func streamFields(c njs.StreamConfig) (map[string]json.RawMessage, error) {
	own := map[string]string{}
	for key, value := range c.Metadata {
		if !strings.HasPrefix(key, "_nats.") {
			own[key] = value
		}
	}
	c.Metadata = own
	if len(own) == 0 {
		c.Metadata = nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	return fields, json.Unmarshal(text, &fields)
}
