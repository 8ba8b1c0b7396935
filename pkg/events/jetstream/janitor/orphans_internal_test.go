package janitor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

func TestSubjectMatches(t *testing.T) {
	for _, test := range []struct {
		filter, subject string
		want            bool
	}{
		{"*.requested.acme.*", "deposit.requested.acme.D-1", true},
		{"*.requested.acme.*", "deposit.requested.acme2.D-1", false},
		{"*.requested.acme.*", "deposit.requested.acme", false},
		{"*.requested.acme.*", "deposit.requested.acme.D.1", false},
		{"deposit.requested", "deposit.requested", true},
		{"deposit.requested", "deposit.requested.acme.D-1", false},
		{">", "deposit.requested.acme.D-1", true},
		{"deposit.>", "deposit.requested.acme.D-1", true},
		{"deposit.>", "deposit", false},
		{"payout.>", "deposit.requested.acme.D-1", false},
	} {
		if got := subjectMatches(test.filter, test.subject); got != test.want {
			t.Errorf("%s on %s: %v", test.filter, test.subject, got)
		}
	}
}

// A cluster can leave consumers out of its list.
func TestNoCommandIsSweptWhoseConsumerIsNotListed(t *testing.T) {
	ctx, j := begin(t)
	j.now = func() time.Time { return time.Now().Add(time.Hour) } // more than OrphanAfter
	if _, err := j.broker.JS.CreateConsumer(ctx, events.StreamCommands, njs.ConsumerConfig{
		Durable: broker.CommandsConsumer("acme"), AckPolicy: njs.AckExplicitPolicy, FilterSubject: "*.requested.acme.*",
	}); err != nil {
		t.Fatal(err)
	}
	for _, provider := range []string{"acme", "nobody"} {
		if _, err := j.broker.JS.Publish(ctx, "deposit.requested."+provider+".D-1", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := j.sweepAllBut(ctx, nil); n != 1 || err != nil {
		t.Errorf("%d swept, %v; want that of nobody only", n, err)
	}
	if _, err := j.broker.LastCommand(ctx, "deposit.requested.acme.D-1"); err != nil {
		t.Errorf("the command of a provider with a consumer: %v", err)
	}
	silent, cancel := context.WithCancel(ctx)
	cancel()
	if consumed, err := j.isConsumed(silent, "acme"); err == nil {
		t.Errorf("without an answer: consumed %v, and no error", consumed)
	}
}

// A server of a cluster that is behind can report a message as deleted and still show it.
func TestACommandThatIsReportedAsDeletedIsLeftAlone(t *testing.T) {
	ctx, j := begin(t)
	const subject = "deposit.requested.acme.D-1"
	if _, err := j.broker.JS.Publish(ctx, subject, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{reasonDeleted, broker.TermReason} {
		j.handleAdvisory(ctx, &nats.Msg{
			Subject: adviceTerminated + ".COMMANDS.commands-acme",
			Data:    fmt.Appendf(nil, `{"stream":"COMMANDS","consumer":"commands-acme","stream_seq":1,"deliveries":1,"reason":%q}`, reason),
		})
	}
	if _, err := j.broker.LastCommand(ctx, subject); err != nil {
		t.Errorf("the command: %v", err)
	}
	stream, err := j.broker.JS.Stream(ctx, events.StreamDeadLetters)
	if err != nil || stream.CachedInfo().State.Msgs > 0 {
		t.Errorf("a dead letter, or: %v", err)
	}
}
