package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/test/natstest"
)

func TestCheckVersion(t *testing.T) {
	for version, problem := range map[string]string{
		"2.12.0": "", "2.15.2": "", "3.0.0": "", "2.12.0-RC.1": "",
		"2.11.9": "too old", "1.99.0": "too old", "": "cannot parse", "dev": "cannot parse", "2.x.1": "cannot parse",
	} {
		err := checkVersion(version)
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%q: %v, want %q", version, err, problem)
		}
	}
}

func TestPullStatus(t *testing.T) {
	for status, want := range map[string]struct{ over, failed bool }{
		"100": {}, "404": {over: true}, "408": {over: true}, "409": {true, true}, "503": {true, true}, "": {true, true},
	} {
		over, err := pullStatus(&nats.Msg{Header: nats.Header{"Status": {status}}})
		if over != want.over || (err != nil) != want.failed {
			t.Errorf("%q: %v, %v", status, over, err)
		}
	}
}

// begin starts a server and connects to it; the streams are there.
func begin(t *testing.T, cfg Config, now func() time.Time) (context.Context, *Conn) {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	c, err := Connect(ctx, Options{
		URLs: []string{natstest.Start(t).URL()}, Name: t.Name(), Config: cfg, Logger: slog.New(slog.DiscardHandler), Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	files, err := filepath.Glob("../../../deploy/nats/streams/*.json") // package admin, which makes them, imports this one
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		var definition njs.StreamConfig
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &definition)
		}
		if err == nil {
			_, err = c.broker.JS.CreateStream(ctx, definition)
		}
		if err != nil {
			t.Fatal(file, err)
		}
	}
	return ctx, c
}

// What was delivered to a subscription and reached no handler is given back when it closes, at once:
// with this AckWait it would not come again otherwise.
func TestCloseGivesBackWhatNobodyHandled(t *testing.T) {
	cfg := DefaultConfig()
	cfg.AckWait = time.Hour
	ctx, c := begin(t, cfg, time.Now)
	const n = 10
	for i := range n {
		if _, err := c.broker.JS.Publish(ctx, fmt.Sprintf("deposit.requested.acme.D-%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	s := &consumer{
		conn: c, stream: events.StreamCommands, slots: make(chan struct{}, n),
		config: c.consumerConfig("commands-acme", n, "*.requested.acme.*"),
	}
	for range 2 {
		sub, err := s.subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.request(sub.inbox+".1", n); err != nil {
			t.Fatal(err)
		}
		var came []*nats.Msg
		for range n {
			select {
			case m := <-sub.messages:
				came = append(came, m)
			case <-ctx.Done():
				t.Fatalf("%d of %d messages came", len(came), n)
			}
		}
		for _, m := range came { // no handler has had them
			sub.messages <- m
		}
		sub.close()
	}
}

// In a cluster, the server that leads the consumer can deliver what a schedule fired before the one that
// leads the stream has taken the schedule away. The command must not be dropped for that schedule's sake.
func TestParkWaitsForASpentScheduleToGo(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	const place, subject = "parked.acme.D-1", "deposit.requested.acme.D-1"
	command := func(sequence uint64, header events.Header) *delivery {
		return &delivery{Stored: broker.Stored{Stream: events.StreamCommands, Message: events.Message{
			Subject: subject, Header: header, Data: []byte("body"), Sequence: sequence, StoredAt: time.Unix(int64(sequence), 0).UTC(),
		}}}
	}
	later := time.Now().Add(time.Hour)
	if err := c.park(ctx, command(1, nil), later); err != nil { // it takes sequence 1
		t.Fatal(err)
	}
	if err := c.park(ctx, command(7, nil), later); err != nil { // a second copy from outside: one is enough
		t.Fatal(err)
	}
	fired := events.Header{njs.SchedulerHeader: {place}}
	newer := command(0, fired) // delivered by a schedule that was there before the current one
	if err := c.park(ctx, newer, later); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	before := c.broker.Count.PublishRetries.Load()
	go func() { done <- c.park(ctx, command(9, fired), later) }()
	for c.broker.Count.PublishRetries.Load() == before {
		select {
		case err := <-done:
			t.Fatalf("the command was dropped for a schedule that is spent: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	stream, err := c.broker.JS.Stream(ctx, events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(ctx, njs.WithPurgeSubject(place)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	held, err := stream.GetLastMsgForSubject(ctx, place)
	if err != nil || held.Header.Get(broker.HeaderMessageID) != command(9, fired).ID("park") {
		t.Errorf("the command is not parked: %+v, %v", held, err)
	}
}

// A command is parked, its acknowledgement is lost, the schedule fires, and the first delivery comes again: what
// it would park was delivered since.
func TestParkAgainAfterTheScheduleFiredIsDone(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	d := &delivery{Stored: broker.Stored{Stream: events.StreamCommands, Message: events.Message{
		Subject: "deposit.requested.acme.D-1", Data: []byte("body"), Sequence: 1, StoredAt: time.Unix(1, 0).UTC(),
	}}}
	if err := c.park(ctx, d, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.broker.Remove(ctx, events.StreamCommands, 1); err != nil { // as if it had fired
		t.Fatal(err)
	}
	before := c.broker.Count.PublishRetries.Load()
	if err := c.park(ctx, d, time.Now().Add(time.Hour)); err != nil || c.broker.Count.PublishRetries.Load() != before {
		t.Errorf("%v after %d tries", err, c.broker.Count.PublishRetries.Load()-before)
	}
}
