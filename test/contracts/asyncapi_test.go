package contracts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"go.yaml.in/yaml/v4"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

var update = flag.Bool("update", false, "write the AsyncAPI document again")

const (
	asyncAPI = "../../docs/contracts/asyncapi.yaml"
	golden   = "../../pkg/events/testdata/golden"
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

// guarded are headers by which NATS takes a message only if nothing else came before.
var guarded = map[string]string{
	"Nats-Expected-Last-Subject-Sequence":         "NATS takes the message only if this is the last sequence of the subject",
	"Nats-Expected-Last-Subject-Sequence-Subject": "where that is another subject, or a filter",
}

// traced are the headers of every message that payonce sends within a trace; who sends a command may set them.
var traced = map[string]string{
	"traceparent": "W3C trace context, where there is a trace", "tracestate": "W3C trace context",
	"ce-traceparent": "the same, as the distributed tracing extension of CloudEvents", "ce-tracestate": "the same",
	"Nats-Msg-Id": "NATS keeps a message with the same id once, for two minutes in one stream",
}

// cloudEvent are the headers that every message can have, beside those of [traced].
var cloudEvent = map[string]string{
	"ce-id": "Unique for each event of one source.", "ce-source": "/payonce for what payonce writes.", "ce-subject": "<provider>/<order>",
	"ce-time": "RFC 3339", "ce-datacontenttype": "The media type of the data.",
}

// paymentHeaders are those of every event of a payment.
var paymentHeaders = joined(guarded, map[string]string{
	jetstream.HeaderPrevious: "the sequence of the order's event before this one, 0 for the first",
	jetstream.HeaderReason:   "the code of the payment's reason, for who counts payments without reading them; empty where there is none", jetstream.HeaderOverdueAt: "the payment's overdue_at, in whole seconds, where it has one",
	jetstream.HeaderResumeAt: "a parked payment's resume_at, in whole seconds",
	"Nats-Batch-Id":          "of events that were appended together, the batch; it says nothing about a payment",
	"Nats-Batch-Sequence":    "the event's number in the batch", "Nats-Batch-Commit": "1 on the last event of the batch",
})

// auditHeaders are those of every record of what a person did.
var auditHeaders = map[string]string{
	"Nats-Expected-Last-Sequence":         "the sequence of the record before it, whose hash it has",
	"Nats-Expected-Last-Subject-Sequence": guarded["Nats-Expected-Last-Subject-Sequence"],
}

func joined(all ...map[string]string) map[string]string {
	whole := map[string]string{}
	for _, one := range all {
		maps.Copy(whole, one)
	}
	return whole
}

// channels lists every subject. Statuses and actions come from the code.
func channels() []channel {
	waited := map[string]string{
		events.HeaderRequestedAt: "when a command that waited was first stored",
		events.HeaderUpstream:    "the upstream it is of; the ingress and workers write it, and what an upstream writes here is not believed",
	}
	replayed := map[string]string{events.HeaderReplayOf: "of what a person sent again: its sequence in DEADLETTERS"}
	maps.Copy(replayed, waited)
	maps.Copy(replayed, guarded)
	scheduled := map[string]string{"Nats-Schedule": "when the broker delivers it: @at and RFC 3339", "Nats-Schedule-Target": "the subject under which the broker delivers it"}
	maps.Copy(scheduled, waited)
	maps.Copy(scheduled, map[string]string{"Nats-Expected-Last-Subject-Sequence": guarded["Nats-Expected-Last-Subject-Sequence"]})
	received := map[string]string{events.HTTPHeaderPrefix + "Content-Type": "each HTTP header as received, without credentials, as Payonce-Http-<name>"}
	held := maps.Clone(received)
	maps.Copy(held, scheduled)
	list := []channel{
		{"depositRequested", "deposit.requested.{provider}.{order}", events.StreamCommands, "A deposit to be made.", "receive", "command.v1.json", []string{"deposit.requested"}, events.CommandSchemaID, replayed, []string{"command.deposit.smallest", "command.deposit.upstream", "command.deposit"}},
		{"payoutRequested", "payout.requested.{provider}.{order}", events.StreamCommands, "A payout to be made.", "receive", "command.v1.json", []string{"payout.requested"}, events.CommandSchemaID, replayed, []string{"command.payout"}},
		{"depositRequestedShort", "deposit.requested", events.StreamCommands, "A deposit whose provider and order stand in the body only. Not on a NATS with accounts.", "receive", "command.v1.json", []string{"deposit.requested"}, events.CommandSchemaID, nil, []string{"command.deposit.smallest"}},
		{"payoutRequestedShort", "payout.requested", events.StreamCommands, "A payout whose provider and order stand in the body only. Not on a NATS with accounts.", "receive", "command.v1.json", []string{"payout.requested"}, events.CommandSchemaID, nil, []string{"command.payout"}},
		{"clarificationRequested", "clarification.requested.{provider}.{order}", events.StreamCommands, "The answer to a provider that wants to know more.", "receive", "clarification.v1.json", []string{"clarification.requested"}, events.ClarificationSchemaID, replayed, []string{"clarification"}},
		{"parked", "parked.{provider}.{order}", events.StreamCommands, "A command that the broker holds until later. For workers only.", "send", "command.v1.json", []string{"deposit.requested", "payout.requested"}, events.CommandSchemaID, scheduled, []string{"command.deposit.smallest"}},
		{"webhookReceived", "webhook.received.{provider}.{order}", events.StreamWebhooks, "A verified webhook, exactly as received. For workers only.", "send", "", []string{events.WebhookType}, "", received, []string{"webhook"}},
		{"webhookWaiting", "webhook.waiting.{provider}.{order}.{digest}", events.StreamWebhooks, "A webhook that the broker holds until its order is known. For workers only.", "send", "", []string{events.WebhookType}, "", held, []string{"webhook"}},
		{"webhookRefused", "webhook.refused.{provider}.{bucket}", events.StreamRefusedWebhooks, "A webhook that the ingress refused, without personal data and secrets. The last ones are kept, for a day. For people.", "send", refusedSchema, []string{events.RefusedWebhookType}, "", nil, []string{"webhook.refused"}},
		{"commandRefused", "command.refused.{upstream}.{provider}.{order}", events.StreamRefusals, "Why a command, or a clarification, became a dead letter, for who published it. An upstream with an account of its own hears command.refused.{provider}.{order}. The upstream is ~ where it is not known; where the message named no payment, the provider is unknown and the order is where the message was stored.", "send", "refusal.v1.json", []string{events.RefusalType}, events.RefusalSchemaID, map[string]string{events.HeaderUpstream: "the upstream that published the command"}, []string{"command.refused"}},
		{"balanceReported", "balance.reported.{provider}", events.StreamBalances, "What a provider told of the merchant's account when a worker asked for it. For ledgers.", "send", "balance.v1.json", []string{events.BalanceType}, events.BalanceSchemaID, map[string]string{"Nats-Expected-Last-Subject-Sequence": guarded["Nats-Expected-Last-Subject-Sequence"]}, []string{"balance.reported"}},
		{"deadLetter", "deadletter.{stream}.{provider}", events.StreamDeadLetters, "A message that could not be worked: its own headers and data, and why.", "send", "", nil, "", deadHeaders(received, waited), []string{deadLetterExample}},
	}
	for _, kind := range []string{"deposit", "payout", "clarification"} {
		schema, id, golden := "command.v1.json", events.CommandSchemaID, "command."+kind
		if kind == "clarification" {
			schema, id, golden = "clarification.v1.json", events.ClarificationSchemaID, kind
		}
		subject := kind + ".requested.{provider}.{order}"
		list = append(list, channel{"intake" + pascal(kind), events.IntakeSubject("{upstream}", subject), events.IntakeStream("{upstream}"),
			"What an upstream with an account of its own published to " + subject + ": NATS moves it here, and the upstream's user sees only its own subject. A worker checks it and sends it on there. For workers only.",
			"receive", schema, []string{kind + ".requested"}, id, nil, []string{golden}})
	}
	for _, status := range payment.Statuses() {
		if status == payment.Requested {
			continue // never written
		}
		list = append(list, channel{"payment" + pascal(string(status)), "payment." + string(status) + ".{provider}.{order}", events.StreamPayments,
			"A payment that is " + string(status) + ", as a whole.", "send", "payment.v1.json", []string{"payment." + string(status)}, events.PaymentSchemaID,
			paymentHeaders, goldenOf("payment." + string(status))})
	}
	list = append(list, channel{"actionStored", "action.stored.{provider}.{order}.{id}", events.StreamActions,
		"What the customer of a payment must do: the content of a stored_action, by its id, for a limited time. Read single messages by subject; do not follow the stream: what is named by no event was never asked of a customer.",
		"send", "action.v1.json", []string{events.ActionType}, events.ActionSchemaID, nil, goldenOf("action.")})
	for _, action := range events.Actions() {
		list = append(list, channel{"operator" + pascal(string(action)), "operator." + string(action) + ".{provider}.{order}", events.StreamAudit,
			"What a person did by hand; order is - where it is about several. On a NATS with accounts it stands under audit.<account> and not under operator, and NATS writes whose account it is.", "send", auditSchema, []string{"operator." + string(action)}, "",
			auditHeaders, goldenOf("operator." + string(action))})
	}
	return list
}

// refusedSchema stands for the schema that is made from events.RefusedWebhook.
const refusedSchema = "the code of refused webhooks"

// auditSchema stands for the schema that is made from events.AuditRecord.
const auditSchema = "the code"

// deadHeaders are those of a dead letter, beside those of any message that can become one.
func deadHeaders(more ...map[string]string) map[string]string {
	headers := map[string]string{
		events.HeaderDeadReason: "why, a word", events.HeaderDeadDetail: "why, for people", events.HeaderDeadSubject: "the message's subject",
		events.HeaderDeadStream: "the message's stream", events.HeaderDeadSequence: "the message's sequence there",
		events.HeaderDeadDeliveries: "how often it was delivered", events.HeaderDeadAt: "when it was given up, RFC 3339",
		events.HeaderReplayOf:      "of what a person sent again before: its sequence in DEADLETTERS then",
		events.HeaderDeadTruncated: "the size of the whole message, where it was too big to be worked and only a part was kept",
		"ce-dataschema":            "the message's",
	}
	for _, one := range more {
		maps.Copy(headers, one)
	}
	return headers
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
	file := filepath.Join(golden, name+".txt")
	if name == deadLetterExample {
		file = filepath.Join("testdata", name+".txt")
	}
	head, body, ok := bytes.Cut(read(t, file), []byte("\n\n"))
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
	"bucket":   "A number that some source addresses of the provider's webhooks share.",
	"id":       "The id of the stored_action.",
	"digest":   "Tells the webhooks of an order apart.",
	"stream":   "The stream of the message, in lower case.",
	"upstream": "The upstream's account, as nats.upstreams has it. NATS writes it, not the upstream.",
}

func asyncAPIDocument(t *testing.T) object {
	all, operations, messages := object{}, object{}, object{}
	for _, c := range channels() {
		used := object{}
		for _, match := range parameter.FindAllStringSubmatch(c.address, -1) {
			used[match[1]] = object{"$ref": "#/components/parameters/" + match[1]}
		}
		all[c.name] = object{"address": c.address, "description": c.summary + " Stream " + c.stream + ".",
			"messages": object{c.name: object{"$ref": "#/components/messages/" + c.name}}}
		if len(used) > 0 {
			all[c.name].(object)["parameters"] = used
		}
		operations[c.action+pascal(c.name)] = object{"action": c.action, "channel": object{"$ref": "#/channels/" + c.name}, "summary": c.summary}
		messages[c.name] = c.message(t)
	}
	explained := object{}
	for name, description := range parameters {
		explained[name] = object{"description": description}
	}
	schemas := object{"auditRecord": schemaOf(reflect.TypeFor[events.AuditRecord]())}
	for name, group := range headerGroups {
		schemas[name] = object{"type": "object", "properties": described(group)}
	}
	schemas["headers"].(object)["properties"].(object)["ce-specversion"] = object{"const": "1.0"}
	return object{
		"asyncapi": "3.0.0", "defaultContentType": "application/json",
		"info": object{"title": "payonce", "version": "1.0.0", "license": object{"name": "Apache-2.0"},
			"description": "Commands, events and everything else on NATS JetStream. Written by make update; docs/events.md explains it. Messages are CloudEvents 1.0 in binary mode; header values are percent-encoded as the CloudEvents NATS binding says."},
		"servers":  object{"nats": object{"host": "localhost:4222", "protocol": "nats", "description": "nats-server 2.12 or newer with JetStream"}},
		"channels": all, "operations": operations, "components": object{"messages": messages, "parameters": explained, "schemas": schemas},
	}
}

// headerGroups are headers that many messages have, by the name of their schema in the document. Every message can have
// those of "headers".
var headerGroups = map[string]map[string]string{"headers": joined(cloudEvent, traced), "paymentHeaders": paymentHeaders, "auditHeaders": auditHeaders}

// described lists headers as a schema does.
func described(headers map[string]string) object {
	properties := object{}
	for name, description := range headers {
		properties[name] = object{"type": "string", "description": description}
	}
	return properties
}

func (c channel) message(t *testing.T) object {
	all, properties := []object{{"$ref": "#/components/schemas/headers"}}, described(c.headers)
	for name, group := range headerGroups {
		if maps.Equal(c.headers, group) {
			all, properties = append(all, object{"$ref": "#/components/schemas/" + name}), object{}
		}
	}
	required := []string{"ce-specversion", "ce-id", "ce-source", "ce-type"}
	if c.action == "receive" || len(c.types) == 0 {
		required = nil // plain JSON is taken too, and a dead letter is what it is
	}
	properties["ce-type"] = object{"type": "string"}
	if len(c.types) > 0 {
		properties["ce-type"] = object{"enum": c.types}
	}
	if c.dataschema != "" {
		properties["ce-dataschema"] = object{"const": c.dataschema}
	}
	headers := object{"type": "object", "allOf": all, "properties": properties}
	if len(required) > 0 {
		headers["required"] = required
	}
	m := object{"name": c.name, "summary": c.summary, "headers": headers}
	switch c.schema {
	case "":
	case auditSchema:
		m["payload"] = object{"$ref": "#/components/schemas/auditRecord"}
	case refusedSchema:
		m["payload"] = schemaOf(reflect.TypeFor[events.RefusedWebhook]())
	default:
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

// Each subject that a stream takes has a channel, and each channel is in its stream.
func TestAsyncAPIHasEverySubject(t *testing.T) {
	open := map[string]map[string]bool{}
	config := streamconfig.Of(config.Defaults())
	config.Upstreams = []string{"shop"}
	files, err := admin.StreamFiles(config)
	if err != nil || len(files) < 6 {
		t.Fatalf("%d streams: %v", len(files), err)
	}
	for _, file := range files {
		var stream struct {
			Name     string
			Subjects []string
		}
		if err := json.Unmarshal(file, &stream); err != nil {
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
		address := strings.ReplaceAll(c.address, "{upstream}", "shop")
		for subject := range open[strings.ReplaceAll(c.stream, "{upstream}", "shop")] {
			if within(parameter.ReplaceAllString(address, "x"), subject) {
				found, used[subject] = true, true
			}
		}
		if !found {
			t.Errorf("the stream %s does not take %s", c.stream, c.address)
		}
	}
	for stream, subjects := range open {
		for _, subject := range slices.Sorted(maps.Keys(subjects)) {
			if !used[subject] && !strings.HasPrefix(subject, "probe.") && !strings.HasPrefix(subject, "$KV.") { // of our own programs, for no other reader
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
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	js := natsWithStreams(ctx, t)
	sent := 0
	for _, c := range channels() {
		if c.name == "parked" || c.name == "webhookWaiting" {
			continue // the same messages with a schedule, which only workers write
		}
		for _, name := range c.examples {
			subject, header, data := example(t, name)
			stream := strings.ReplaceAll(c.stream, "{upstream}", "shop")
			switch {
			case !strings.Contains(c.address, "{"):
				subject = c.address
			case stream != c.stream: // as the server moves it there
				subject = events.IntakeSubject("shop", subject)
			}
			ack, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: header, Data: data})
			if err != nil || ack.Stream != stream {
				t.Errorf("%s to %s: %v, %v", name, subject, ack, err)
				continue
			}
			kept, err := js.Stream(ctx, stream)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := kept.GetMsg(ctx, ack.Sequence)
			if err != nil {
				t.Fatal(err)
			}
			m := events.Message{Subject: raw.Subject, Header: events.Header(raw.Header), Data: raw.Data, StoredAt: raw.Time}
			if err := decoded(c, m); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if kind := m.Header.Get("ce-type"); len(c.types) > 0 && !slices.Contains(c.types, kind) {
				t.Errorf("%s: ce-type is %s, want one of %v", name, kind, c.types)
			}
			sent++
		}
	}
	if sent < 27 {
		t.Errorf("%d examples were sent", sent)
	}
}

func decoded(c channel, m events.Message) (err error) {
	m.Subject, _ = events.CutIntake(m.Subject)
	switch c.stream {
	case events.StreamDeadLetters:
		if stream, provider, ok := events.DeadLetterOf(m.Subject); !ok || stream != events.StreamCommands || provider != "teemopay-kr" {
			err = errors.New("it is no dead letter of a command")
		}
	case events.StreamPayments:
		_, err = events.DecodePayment(m.Data)
	case events.StreamAudit:
		_, err = events.DecodeAudit(m.Data)
	case events.StreamWebhooks:
		_, err = events.DecodeWebhook(m)
	case events.StreamRefusedWebhooks:
		var w events.RefusedWebhook
		if w, err = events.DecodeRefusedWebhook(m.Data); err == nil && w.Refusal == "" {
			err = errors.New("it is no refused webhook")
		}
	case events.StreamRefusals:
		_, err = events.DecodeRefusal(m.Data)
	case events.StreamBalances:
		_, err = events.DecodeBalance(m.Data)
	case events.StreamActions:
		tokens := strings.Split(m.Subject, ".")
		_, err = events.DecodeAction(payment.Ref{Provider: tokens[2], Order: tokens[3]}, tokens[4], m.Data)
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
	_, nc := openConn(ctx, t)
	js, err := njs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// openConn connects as our programs do to a real server with all streams and one upstream, and as any other client.
func openConn(ctx context.Context, t *testing.T) (*admin.Conn, *nats.Conn) {
	t.Helper()
	url := natstest.Start(t).URL()
	config := streamconfig.Of(config.Defaults())
	config.Upstreams, config.GroupCommit = []string{"shop"}, jetstream.GroupCommitAlways
	conn := testenv.Connect(t, jetstream.Options{URLs: []string{url}, Config: config})
	if err := conn.EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return conn, nc
}
