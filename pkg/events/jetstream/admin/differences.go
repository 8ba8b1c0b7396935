package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// Difference is one field of a stream, or of the consumer of a ledger, an endpoint or the archive, that is not as it is defined. Values are
// JSON.
type Difference struct {
	Stream   string
	Consumer string // of the stream; empty where the stream itself is meant
	Field    string // as in the JSON, e.g. "max_age"; empty when the whole is missing
	Want     string
	Have     string
}

// FieldPast is the field of a difference that is no setting: the log lost what it held.
const FieldPast = "past"

func (d Difference) String() string {
	if d.Field == "" {
		return d.Name() + ": missing"
	}
	return fmt.Sprintf("%s: %s is %s, want %s", d.Name(), d.Field, d.Have, d.Want)
}

// Name is the stream's, or that of stream and consumer.
func (d Difference) Name() string {
	if d.Consumer == "" {
		return d.Stream
	}
	return d.Stream + " consumer " + d.Consumer
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

// CheckStreams compares every field of the streams and of the consumers of ledgers, endpoints and archive with the definition and
// changes nothing.
func (c *Conn) CheckStreams(ctx context.Context) ([]Difference, error) {
	var differences []Difference
	for _, want := range streamConfigs(c.cfg) {
		found, err := c.checkStream(ctx, want)
		if err != nil {
			return nil, err
		}
		differences = append(differences, found...)
	}
	for _, want := range madeConsumers(c.cfg) {
		found, err := c.checkConsumer(ctx, want.stream, want.config)
		if err != nil {
			return nil, err
		}
		differences = append(differences, found...)
	}
	return differences, nil
}

// CheckArchive compares the consumer that the archive needs with its definition, where it may not make one itself, and changes
// nothing. It asks only what the archive's own user may ask.
func (c *Conn) CheckArchive(ctx context.Context) (differences []Difference, err error) {
	for _, want := range readers(c.cfg) {
		if want.Durable == c.cfg.Archive {
			differences, err = c.checkConsumer(ctx, events.StreamPayments, want)
		}
	}
	return differences, err
}

func (c *Conn) checkStream(ctx context.Context, want njs.StreamConfig) ([]Difference, error) {
	var stream njs.Stream
	err := c.broker.Ask(ctx, func(ctx context.Context) (err error) {
		stream, err = c.broker.JS.Stream(ctx, want.Name)
		return err
	})
	if errors.Is(err, njs.ErrStreamNotFound) {
		return []Difference{{Stream: want.Name}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("check stream %s: %w", want.Name, err)
	}
	have := stream.CachedInfo().Config
	want.Metadata, have.Metadata = ownMetadata(want.Metadata), ownMetadata(have.Metadata)
	found, err := compare(Difference{Stream: want.Name}, want, have)
	if err != nil {
		return nil, fmt.Errorf("check stream %s: %w", want.Name, err)
	}
	return found, nil
}

func (c *Conn) checkConsumer(ctx context.Context, stream string, want njs.ConsumerConfig) ([]Difference, error) {
	of := Difference{Stream: stream, Consumer: want.Durable}
	var consumer njs.Consumer
	err := c.broker.Ask(ctx, func(ctx context.Context) (err error) {
		consumer, err = c.broker.JS.Consumer(ctx, stream, want.Durable)
		return err
	})
	if errors.Is(err, njs.ErrConsumerNotFound) || errors.Is(err, njs.ErrStreamNotFound) {
		return []Difference{of}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", of.Name(), err)
	}
	have := consumer.CachedInfo().Config
	have.PauseUntil = nil // an endpoint that an operator disabled
	want.Metadata, have.Metadata = ownMetadata(want.Metadata), ownMetadata(have.Metadata)
	found, err := compare(of, want, have)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", of.Name(), err)
	}
	return found, nil
}

// compare returns a difference like of for each JSON field in which two definitions differ.
func compare(of Difference, want, have any) ([]Difference, error) {
	wantFields, err := jsonFields(want)
	if err != nil {
		return nil, err
	}
	haveFields, err := jsonFields(have)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(wantFields)
	maps.Copy(names, haveFields)
	var differences []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if w, h := wantFields[name], haveFields[name]; !bytes.Equal(w, h) {
			d := of
			d.Field, d.Want, d.Have = name, orNone(w), orNone(h)
			differences = append(differences, d)
		}
	}
	return differences, nil
}

func orNone(value []byte) string {
	if value == nil {
		return notSet
	}
	return string(value)
}

// notSet is the value of a field that a definition does not have.
const notSet = "not set"

func jsonFields(definition any) (map[string]json.RawMessage, error) {
	text, err := json.Marshal(definition)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	return fields, json.Unmarshal(text, &fields)
}

// ownMetadata leaves out what the server notes for itself.
func ownMetadata(metadata map[string]string) map[string]string {
	own := map[string]string{}
	for key, value := range metadata {
		if !strings.HasPrefix(key, "_nats.") {
			own[key] = value
		}
	}
	if len(own) == 0 {
		return nil
	}
	return own
}
