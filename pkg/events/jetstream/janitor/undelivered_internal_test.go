package janitor

import (
	"context"
	"testing"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/test/jetstreamtest"
)

// queueOne puts a command into the queue and reads it.
func queueOne(ctx context.Context, t *testing.T, j *Janitor) (njs.Stream, *njs.RawStreamMsg) {
	t.Helper()
	ack, err := j.broker.JS.Publish(ctx, "deposit.requested.acme.D-1", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := j.broker.Stream(ctx, events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := stream.GetMsg(ctx, ack.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	return stream, raw
}

// What the broker does not take again stays where it is: nothing is deleted before what replaces it is stored.
func TestNothingIsTakenAwayThatCannotBeKept(t *testing.T) {
	for name, move := range map[string]func(context.Context, *Janitor, *njs.RawStreamMsg) error{
		"undelivered": func(ctx context.Context, j *Janitor, raw *njs.RawStreamMsg) error { return j.putBack(ctx, raw) },
		"orphaned": func(ctx context.Context, j *Janitor, raw *njs.RawStreamMsg) error {
			stream, err := j.broker.Stream(ctx, events.StreamDeadLetters)
			if err != nil {
				return nil
			}
			config := stream.CachedInfo().Config
			config.MaxMsgSize = 1 // the body alone would be cut
			if _, err := j.broker.JS.UpdateStream(ctx, config); err != nil {
				return nil
			}
			_, err = j.deadLetterOrphan(ctx, raw)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, j := begin(t)
			stream, raw := queueOne(ctx, t, j)
			tooBig := *raw
			tooBig.Data = make([]byte, j.broker.NATS.MaxPayload()+1)
			if err := move(ctx, j, &tooBig); err == nil {
				t.Error("no error")
			}
			if _, err := stream.GetMsg(ctx, raw.Sequence); err != nil {
				t.Errorf("the command is lost: %v", err)
			}
		})
	}
}

// Two processes find the same command.
func TestConcurrentWritersPutBackOnce(t *testing.T) {
	ctx, j := begin(t)
	stream, raw := queueOne(ctx, t, j)
	for range 2 {
		if err := j.putBack(ctx, raw); err != nil {
			t.Fatal(err)
		}
	}
	info, err := stream.Info(ctx)
	if err != nil || info.State.Msgs != 1 || info.State.LastSeq != raw.Sequence+1 {
		t.Errorf("%+v, %v", info.State, err)
	}
}

// Only the broker's word that a message is gone counts as one that it is.
func TestAMessageThatMayBeThereIsNotGone(t *testing.T) {
	ctx, j := begin(t)
	_, raw := queueOne(ctx, t, j)
	silent, cancel := context.WithCancel(ctx)
	cancel()
	if removed, err := j.broker.Remove(silent, events.StreamCommands, raw.Sequence); removed || err == nil {
		t.Errorf("without an answer: removed %v, %v", removed, err)
	}
}

// begin starts a server, connects and returns a janitor.
func begin(t *testing.T) (context.Context, *Janitor) {
	t.Helper()
	_, c := jetstreamtest.Start(t)
	return jetstreamtest.Context(t), New(c.Conn)
}
