package contracts

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"go.yaml.in/yaml/v4"

	"payonce/internal/natstest"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
)

var update = flag.Bool("update", false, "write the AsyncAPI document anew")

const (
	asyncAPI = "../../docs/contracts/asyncapi.yaml"
	golden   = "../../pkg/events/testdata/golden"
	streams  = "../../deploy/nats/streams"
)

type object = map[string]any

// channel is one row of the document: an address, who uses it, and what travels there.
type channel struct {
	name, address, stream, summary string
	action                         string // of payonce: it receives what others send, and sends the rest
	schema                         string // a file beside pkg/events/schemas; empty where it is another's or open
	types                          []string
	dataschema                     string
	headers                        map[string]string // beside those of CloudEvents
	examples                       []string          // golden files
}

// channels lists every subject. Statuses and deeds come from the code.
func channels() []channel {
	waited := map[string]string{"Payonce-Requested-At": "when a command that waited was first stored"}
	replayed := map[string]string{"Payonce-Replay-Of": "of what a person sent again: its sequence in DEADLETTERS"}
	maps.Copy(replayed, waited)
	list := []channel{
		{"depositRequested", "deposit.requested.{provider}.{order}", events.StreamCommands, "A deposit to be made.", "receive", "command.v1.json", []string{"deposit.requested"}, events.CommandSchemaID, replayed, []string{"command.deposit.smallest", "command.deposit"}},
		{"payoutRequested", "payout.requested.{provider}.{order}", events.StreamCommands, "A payout to be made.", "receive", "command.v1.json", []string{"payout.requested"}, events.CommandSchemaID, replayed, []string{"command.payout"}},
		{"depositRequestedShort", "deposit.requested", events.StreamCommands, "A deposit whose provider and order stand in the body only. Not on a NATS with accounts.", "receive", "command.v1.json", []string{"deposit.requested"}, events.CommandSchemaID, nil, []string{"command.deposit.smallest"}},
		{"payoutRequestedShort", "payout.requested", events.StreamCommands, "A payout whose provider and order stand in the body only. Not on a NATS with accounts.", "receive", "command.v1.json", []string{"payout.requested"}, events.CommandSchemaID, nil, []string{"command.payout"}},
		{"clarificationRequested", "clarification.requested.{provider}.{order}", events.StreamCommands, "The answer to a provider that wants to know more.", "receive", "clarification.v1.json", []string{"clarification.requested"}, events.ClarificationSchemaID, replayed, []string{"clarification"}},
		{"parked", "parked.{provider}.{order}", events.StreamCommands, "A command that the broker holds until later. For workers only.", "send", "command.v1.json", []string{"deposit.requested", "payout.requested"}, events.CommandSchemaID, waited, []string{"command.deposit.smallest"}},
		{"webhookReceived", "webhook.received.{provider}.{order}", events.StreamWebhooks, "A verified webhook, exactly as received. For workers only.", "send", "", []string{events.WebhookType}, "", map[string]string{"Payonce-Http-Content-Type": "each HTTP header as received, without credentials, as Payonce-Http-<name>"}, []string{"webhook"}},
		{"webhookWaiting", "webhook.waiting.{provider}.{order}.{digest}", events.StreamWebhooks, "A webhook that the broker holds until its order is known. For workers only.", "send", "", []string{events.WebhookType}, "", nil, []string{"webhook"}},
		{"deadLetter", "deadletter.{stream}.{provider}", events.StreamDeadLetters, "A message that could not be worked: its own headers and data, and why.", "send", "", nil, "", map[string]string{
			jetstream.HeaderDeadReason: "why, a word", jetstream.HeaderDeadDetail: "why, for people", jetstream.HeaderDeadSubject: "the message's subject",
			jetstream.HeaderDeadStream: "the message's stream", jetstream.HeaderDeadSequence: "the message's sequence there",
			jetstream.HeaderDeadDeliveries: "how often it was delivered", jetstream.HeaderDeadAt: "when it was given up, RFC 3339",
		}, nil},
	}
	for _, status := range payment.Statuses() {
		if status == payment.Requested {
			continue // never written
		}
		list = append(list, channel{"payment" + pascal(string(status)), "payment." + string(status) + ".{provider}.{order}", events.StreamPayments,
			"A payment that is " + string(status) + ", as a whole.", "send", "payment.v1.json", []string{"payment." + string(status)}, events.PaymentSchemaID,
			map[string]string{jetstream.HeaderPrevious: "the sequence of the order's event before this one, 0 for the first"}, goldenOf("payment." + string(status))})
	}
	for _, deed := range events.Deeds() {
		list = append(list, channel{"operator" + pascal(string(deed)), "operator." + string(deed) + ".{provider}.{order}", events.StreamAudit,
			"What a person did by hand; order is - where it is about several.", "send", "", []string{"operator." + string(deed)}, "", nil, goldenOf("operator." + string(deed))})
	}
	return list
}

func pascal(text string) (out string) {
	for _, word := range strings.Split(text, "_") {
		out += strings.ToUpper(word[:1]) + word[1:]
	}
	return out
}

func goldenOf(prefix string) (names []string) {
	files, _ := filepath.Glob(filepath.Join(golden, prefix+"*.txt"))
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".txt"))
	}
	return names
}

// example reads a golden file: subject, headers, an empty line, the data.
func example(t *testing.T, name string) (subject string, header map[string][]string, data []byte) {
	t.Helper()
	head, body, ok := bytes.Cut(read(t, filepath.Join(golden, name+".txt")), []byte("\n\n"))
	if !ok {
		t.Fatalf("%s has no empty line", name)
	}
	lines := strings.Split(string(head), "\n")
	header = map[string][]string{}
	for _, line := range lines[1:] {
		key, value, _ := strings.Cut(line, ": ")
		header[key] = append(header[key], value)
	}
	return lines[0], header, bytes.TrimSuffix(body, []byte("\n"))
}

var parameter = regexp.MustCompile(`\{(\w+)\}`)

var parameters = map[string]string{
	"provider": "Configured name of the account at a payment provider, 1 to 32 of a-z, 0-9 and -.",
	"order":    "The merchant's order number, 1 to 64 of A-Z, a-z, 0-9, _ and -.",
	"digest":   "Tells the webhooks of an order apart.",
	"stream":   "The stream of the message, in lower case.",
}

func asyncAPIDocument(t *testing.T) object {
	all, operations, messages := object{}, object{}, object{}
	for _, c := range channels() {
		used := object{}
		for _, match := range parameter.FindAllStringSubmatch(c.address, -1) {
			used[match[1]] = object{"description": parameters[match[1]]}
		}
		all[c.name] = object{"address": c.address, "description": c.summary + " Stream " + c.stream + ".",
			"messages": object{c.name: object{"$ref": "#/components/messages/" + c.name}}}
		if len(used) > 0 {
			all[c.name].(object)["parameters"] = used
		}
		operations[c.action+pascal(c.name)] = object{"action": c.action, "channel": object{"$ref": "#/channels/" + c.name}, "summary": c.summary}
		messages[c.name] = c.message(t)
	}
	return object{
		"asyncapi": "3.0.0", "defaultContentType": "application/json",
		"info": object{"title": "payonce", "version": "1.0.0", "license": object{"name": "Apache-2.0"},
			"description": "Commands, events and everything else on NATS JetStream. Written by make update; docs/events.md explains it. Messages are CloudEvents 1.0 in binary mode; header values are percent-encoded as the CloudEvents NATS binding says."},
		"servers":  object{"nats": object{"host": "localhost:4222", "protocol": "nats", "description": "nats-server 2.12 or newer with JetStream"}},
		"channels": all, "operations": operations, "components": object{"messages": messages},
	}
}

func (c channel) message(t *testing.T) object {
	properties := object{}
	text := func(description string) object { return object{"type": "string", "description": description} }
	required := []string{"ce-specversion", "ce-id", "ce-source", "ce-type"}
	if c.action == "receive" || len(c.types) == 0 {
		required = nil // plain JSON is taken too, and a dead letter is what it is
	}
	properties["ce-specversion"] = object{"const": "1.0"}
	properties["ce-id"], properties["ce-source"] = text("Unique for each event of one source."), text("/payonce for what payonce writes.")
	properties["ce-subject"], properties["ce-time"] = text("<provider>/<order>"), text("RFC 3339")
	properties["ce-datacontenttype"], properties["ce-type"] = text("The media type of the data."), object{"type": "string"}
	if len(c.types) > 0 {
		properties["ce-type"] = object{"enum": c.types}
	}
	if c.dataschema != "" {
		properties["ce-dataschema"] = object{"const": c.dataschema}
	}
	for name, description := range c.headers {
		properties[name] = text(description)
	}
	headers := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		headers["required"] = required
	}
	m := object{"name": c.name, "summary": c.summary, "headers": headers}
	if c.schema != "" {
		m["payload"] = object{"$ref": "../../pkg/events/schemas/" + c.schema}
	}
	var list []object
	for _, name := range c.examples {
		_, header, data := example(t, name)
		flat := object{}
		for key, values := range header {
			flat[key] = strings.Join(values, ", ")
		}
		one := object{"name": name, "headers": flat}
		var value any
		if json.Unmarshal(data, &value) == nil {
			one["payload"] = value
		}
		list = append(list, one)
	}
	if len(list) > 0 {
		m["examples"] = list
	}
	return m
}

func TestAsyncAPIIsTheCode(t *testing.T) {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(asyncAPIDocument(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(asyncAPI, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, asyncAPI), text.Bytes()) {
		t.Error("docs/contracts/asyncapi.yaml is not what the code does; run make update")
	}
}

// Each subject that a stream takes has a channel, and each channel stands in its stream.
func TestAsyncAPIHasEverySubject(t *testing.T) {
	open := map[string]map[string]bool{}
	files, err := filepath.Glob(filepath.Join(streams, "*.json"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d streams: %v", len(files), err)
	}
	for _, file := range files {
		var stream struct {
			Name     string
			Subjects []string
		}
		if err := json.Unmarshal(read(t, file), &stream); err != nil {
			t.Fatal(err)
		}
		open[stream.Name] = map[string]bool{}
		for _, subject := range stream.Subjects {
			open[stream.Name][subject] = true
		}
	}
	used := map[string]bool{}
	for _, c := range channels() {
		found := false
		for subject := range open[c.stream] {
			if within(parameter.ReplaceAllString(c.address, "x"), subject) {
				found, used[subject] = true, true
			}
		}
		if !found {
			t.Errorf("the stream %s does not take %s", c.stream, c.address)
		}
	}
	for stream, subjects := range open {
		for _, subject := range slices.Sorted(maps.Keys(subjects)) {
			if !used[subject] {
				t.Errorf("%s takes %s, which is in no channel", stream, subject)
			}
		}
	}
}

// within reports whether a filter of a stream matches a subject.
func within(subject, filter string) bool {
	tokens, want := strings.Split(subject, "."), strings.Split(filter, ".")
	for i := range want {
		if len(tokens) != len(want) || want[i] != "*" && want[i] != tokens[i] {
			return false
		}
	}
	return true
}

// Every example is published to a real server whose streams are as declared, read back and decoded.
func TestAsyncAPIExamplesAreSent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	js := natsWithStreams(ctx, t)
	sent := 0
	for _, c := range channels() {
		if c.name == "parked" || c.name == "webhookWaiting" {
			continue // the same messages with a schedule, which only workers write
		}
		for _, name := range c.examples {
			subject, header, data := example(t, name)
			if !strings.Contains(c.address, "{") {
				subject = c.address
			}
			ack, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: header, Data: data})
			if err != nil || ack.Stream != c.stream {
				t.Errorf("%s to %s: %v, %v", name, subject, ack, err)
				continue
			}
			stream, err := js.Stream(ctx, c.stream)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := stream.GetMsg(ctx, ack.Sequence)
			if err != nil {
				t.Fatal(err)
			}
			m := events.Message{Subject: raw.Subject, Header: events.Header(raw.Header), Data: raw.Data, StoredAt: raw.Time}
			if err := decoded(c, m); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if kind := m.Header.Get("ce-type"); !slices.Contains(c.types, kind) {
				t.Errorf("%s: ce-type is %s, want one of %v", name, kind, c.types)
			}
			sent++
		}
	}
	if sent < 22 {
		t.Errorf("%d examples were sent", sent)
	}
}

func decoded(c channel, m events.Message) (err error) {
	switch c.stream {
	case events.StreamPayments:
		_, err = events.DecodePayment(m.Data)
	case events.StreamAudit:
		_, err = events.DecodeAudit(m.Data)
	case events.StreamWebhooks:
		_, err = events.DecodeWebhook(m)
	default:
		if events.IsClarification(m.Subject) {
			_, err = events.DecodeClarification(m)
		} else {
			_, err = events.DecodeCommand(m)
		}
	}
	return err
}

func natsWithStreams(ctx context.Context, t *testing.T) njs.JetStream {
	t.Helper()
	url := natstest.Start(t).URL()
	conn, err := jetstream.Connect(ctx, jetstream.Options{
		URLs: []string{url}, Name: "contracts", Config: jetstream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := njs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}
