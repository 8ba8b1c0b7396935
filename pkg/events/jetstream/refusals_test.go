package jetstream_test

import (
	"context"
	"errors"
	"testing"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// The publisher of a command that became a dead letter reads why, once, also when the worker failed between the dead letter and
// the refusal.
func TestARefusalFollowsADeadLetter(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	r := ref("D-1")
	if _, err := c.Refusal(testContext(t), "", r); !errors.Is(err, events.ErrNoRefusal) {
		t.Fatalf("before: %v", err)
	}
	// Nothing can be stored in REFUSALS: the worker gets as far as the dead letter.
	stream, err := js.Stream(testContext(t), events.StreamRefusals)
	if err != nil {
		t.Fatal(err)
	}
	whole := stream.CachedInfo().Config
	elsewhere := whole
	elsewhere.Subjects = []string{"elsewhere"}
	if _, err := js.UpdateStream(testContext(t), elsewhere); err != nil {
		t.Fatal(err)
	}
	consuming(t, c, 1, func(context.Context, events.Message) queue.Verdict {
		return queue.Refuse(events.DeadInvalid, payment.FieldErrors{{Field: "customer.name", Problem: "is required"}})
	})
	publish(t, c, r)
	eventually(t, "the dead letter is there", func() bool { return messages(t, js, events.StreamDeadLetters) == 1 })
	if n := messages(t, js, events.StreamCommands); n != 1 {
		t.Fatalf("the command is gone before its refusal is stored: %d are left", n)
	}
	if _, err := js.UpdateStream(testContext(t), whole); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command is gone", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	if dead, refused := messages(t, js, events.StreamDeadLetters), messages(t, js, events.StreamRefusals); dead != 1 || refused != 1 {
		t.Errorf("%d dead letters, %d refusals", dead, refused)
	}
	got, err := c.Refusal(testContext(t), "shop", r) // one without an upstream
	if err != nil || got.Reason != events.DeadInvalid || got.Order != "D-1" || got.Stream != events.StreamCommands || len(got.Errors) != 1 || got.Errors[0].Pointer != "/customer/name" {
		t.Errorf("%+v: %v", got, err)
	}
	consumer, err := js.OrderedConsumer(testContext(t), events.StreamRefusals, njs.OrderedConsumerConfig{FilterSubjects: []string{events.RefusalsOf("")}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := consumer.Next()
	if err != nil || m.Subject() != "command.refused.~.acme.D-1" || m.Headers().Get("ce-type") != "command.refused" {
		t.Errorf("%v %v", m, err)
	}
	if all, err := c.Refusals(testContext(t), "", 0, 10); err != nil || len(all) != 1 || all[0].Refusal.Sequence != got.Sequence {
		t.Errorf("%+v: %v", all, err)
	}
	if all, err := c.Refusals(testContext(t), "shop", 0, 10); err != nil || len(all) != 0 {
		t.Errorf("of another upstream: %+v: %v", all, err)
	}
}
