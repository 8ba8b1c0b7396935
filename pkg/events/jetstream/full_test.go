package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// attempts is how long a test tries a write that a full disk refuses.
const attempts = 1500 * time.Millisecond

// watchWrites has a connection find out whether streams can be written, as ingress and worker do.
func watchWrites(t *testing.T, c *admin.Conn, probed ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.WatchWrites(ctx, probed...) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, done, "the end of WatchWrites"); err != nil {
			t.Error(err)
		}
	})
}

// notWritable reports whether Ready names exactly these streams.
func notWritable(c *admin.Conn, streams ...string) bool {
	text := fmt.Sprint(c.Ready())
	for _, stream := range []string{events.StreamPayments, events.StreamCommands, events.StreamWebhooks} {
		named := strings.Contains(text, stream+" not writable since ")
		wanted := false
		for _, one := range streams {
			wanted = wanted || one == stream
		}
		if named != wanted {
			return false
		}
	}
	return true
}

// writesTo are one write of each kind, by stream.
func writesTo(c *admin.Conn, n int) map[string]func(context.Context) error {
	r := ref(fmt.Sprintf("D-%d", n))
	text := strings.Repeat("x", 16<<10)
	p := paymentOf(r, payment.Pending)
	p.Metadata = map[string]string{"text": text}
	return map[string]func(context.Context) error{
		events.StreamCommands: func(ctx context.Context) error { return c.PublishCommand(ctx, command(r, text)) },
		events.StreamWebhooks: func(ctx context.Context) error {
			return c.PublishWebhook(ctx, events.Outgoing{Subject: events.WebhookSubject(r), Data: []byte(text)}, r.Order)
		},
		events.StreamPayments: func(ctx context.Context) error { _, err := c.Append(ctx, p, 0); return err },
	}
}

func within(t *testing.T, limit time.Duration, write func(context.Context) error) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return write(ctx)
}

// A disk that is really full: nothing more is taken, no publisher is told that it was, and readiness names each stream.
// nats-server refuses writes until its restart, with room too. Then everything goes on without any traffic.
func TestFullDiskRefusesAndLosesNothing(t *testing.T) {
	t.Parallel()
	disk := natstest.NewDisk(t, 16<<20)
	server := natstest.StartOn(t, disk)
	cfg := testConfig()
	_, js := foreign(t, server.URL())
	ingress, worker := connect(t, server.URL(), cfg), connect(t, server.URL(), cfg)
	watchWrites(t, ingress, events.StreamCommands, events.StreamWebhooks)
	watchWrites(t, worker)
	for stream, write := range writesTo(worker, 1) {
		if err := within(t, timeout, write); err != nil {
			t.Fatalf("%s: %v", stream, err)
		}
	}
	eventually(t, "a probe in each stream", func() bool {
		return messages(t, js, events.StreamCommands) == 2 && messages(t, js, events.StreamWebhooks) == 2
	})
	disk.Fill()
	for stream, write := range writesTo(ingress, 2) {
		if stream == events.StreamPayments {
			write = writesTo(worker, 2)[stream]
		}
		if err := within(t, attempts, write); err == nil {
			t.Errorf("%s: a full disk took a message", stream)
		}
	}
	eventually(t, "an ingress that is not ready", func() bool { return notWritable(ingress, events.StreamCommands, events.StreamWebhooks) })
	eventually(t, "a worker that is not ready", func() bool { return notWritable(worker, events.StreamPayments) })
	if text := ingress.Ready().Error(); !strings.Contains(text, "no answer to a publish") || !strings.Contains(text, "then restart it") {
		t.Errorf("not ready: %s", text)
	}
	disk.MakeRoom()
	if err := within(t, attempts, writesTo(worker, 3)[events.StreamPayments]); err == nil {
		t.Error("nats-server took a message without a restart: correct docs/failure-modes.md and the runbook")
	}
	logged := messages(t, js, events.StreamPayments)
	server.Restart()
	eventually(t, "an ingress that is ready", func() bool { return ingress.Ready() == nil })
	eventually(t, "a worker that is ready", func() bool { return worker.Ready() == nil })
	if n := messages(t, js, events.StreamPayments); n != logged || n != 1 {
		t.Errorf("the log has %d events, and had %d: readiness must not write it", n, logged)
	}
	for stream, write := range writesTo(worker, 2) { // what was refused comes again
		if err := within(t, timeout, write); err != nil && !errors.Is(err, events.ErrQueued) {
			t.Errorf("%s: after the restart: %v", stream, err)
		}
	}
	for n := 1; n <= 2; n++ {
		if _, err := worker.QueuedCommand(testContext(t), ref(fmt.Sprintf("D-%d", n))); err != nil {
			t.Errorf("D-%d: %v", n, err)
		}
		if records, err := worker.History(testContext(t), ref(fmt.Sprintf("D-%d", n))); err != nil || len(records) != 1 {
			t.Errorf("D-%d: %d events, %v", n, len(records), err)
		}
	}
}

// A limit of JetStream is another path of the server than a full disk: it says that it has no room, and takes
// writes again, without a restart, when there is some.
func TestStorageLimitEndsByItself(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	server.LimitStore(cfg.DeadLetterBytes + cfg.RefusedBytes + cfg.RefusalBytes + 4<<20 + 256<<10) // the server reserves what these streams and the heartbeats may take
	cfg.ProbeEvery = time.Second
	c := connect(t, server.URL(), cfg)
	watchWrites(t, c, events.StreamCommands, events.StreamWebhooks)
	const most = 500
	taken := 0
	for ; taken < most && within(t, attempts, writesTo(c, taken)[events.StreamWebhooks]) == nil; taken++ {
	}
	if taken == 0 || taken == most {
		t.Fatalf("%d webhooks were taken", taken)
	}
	eventually(t, "an ingress that is not ready", func() bool { return notWritable(c, events.StreamCommands, events.StreamWebhooks) })
	if text := c.Ready().Error(); !strings.Contains(text, "insufficient") {
		t.Errorf("not ready: %s", text)
	}
	_, js := foreign(t, server.URL())
	stream, err := js.Stream(testContext(t), events.StreamWebhooks)
	if err == nil {
		err = stream.Purge(testContext(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "an ingress that is ready", func() bool { return c.Ready() == nil })
}

// A full disk is found in a night without any traffic.
func TestFullDiskIsFoundWithoutTraffic(t *testing.T) {
	t.Parallel()
	disk := natstest.NewDisk(t, 16<<20)
	cfg := testConfig()
	cfg.ProbeEvery = time.Second
	c := connect(t, natstest.StartOn(t, disk).URL(), cfg)
	watchWrites(t, c, events.StreamCommands, events.StreamWebhooks)
	disk.Fill()
	eventually(t, "an ingress that is not ready", func() bool { return notWritable(c, events.StreamCommands, events.StreamWebhooks) })
}

// The disk of one of three servers is full, and it leads the streams: another takes over without an operator's help.
func TestOneFullDiskOfThree(t *testing.T) {
	t.Parallel()
	disk := natstest.NewDisk(t, 32<<20)
	nodes := natstest.NewCluster(t)
	nodes[0].Use(disk)
	for _, node := range nodes {
		node.Restart()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*timeout)
	t.Cleanup(cancel)
	c := clusterConnection(ctx, t, nodes)
	watchWrites(t, c, events.StreamCommands, events.StreamWebhooks)
	streams := []string{events.StreamPayments, events.StreamCommands, events.StreamWebhooks}
	for _, stream := range streams {
		lead(t, nodes, nodes[0], stream)
	}
	disk.Fill()
	taken := 0
	for n := 1; n <= 10; n++ {
		for stream, write := range writesTo(c, n) {
			if err := untilAnswered(ctx, write); err != nil && !errors.Is(err, events.ErrQueued) {
				t.Errorf("%s %d: %v", stream, n, err)
			}
		}
		taken = n
	}
	eventually(t, "readiness without a restart", func() bool { return c.Ready() == nil })
	for _, stream := range streams {
		if leader := leaderOf(t, nodes, stream); leader == nodes[0] {
			t.Errorf("%s is still led by the server without room", stream)
		}
	}
	reports := jetstreamtest.Report(t, nodes[1].URL())
	behind := func(n float64) func() bool {
		return func() bool {
			have, ok := reports.Levels()[statistics.MetricReplicasBehind+"{stream=PAYMENTS}"]
			return ok && have == n
		}
	}
	eventually(t, "a replica that is behind", behind(1))
	disk.MakeRoom()
	nodes[0].Restart() // until then its replicas stay behind, and answer reads of the log with what they have
	eventually(t, "no replica that is behind", behind(0))
	for _, stream := range streams {
		eventually(t, "whole replicas of "+stream, func() bool { return whole(t, nodes, stream) })
	}
	for n := 1; n <= taken; n++ {
		r := ref(fmt.Sprintf("D-%d", n))
		if records, err := c.History(ctx, r); err != nil || len(records) != 1 {
			t.Errorf("%s: %d events, %v", r, len(records), err)
		}
		if _, err := c.QueuedCommand(ctx, r); err != nil {
			t.Errorf("%s: %v", r, err)
		}
	}
}

// lead has a server lead a stream.
func lead(t *testing.T, nodes []*natstest.Server, node *natstest.Server, stream string) {
	t.Helper()
	nc, _ := foreign(t, nodes[1].URL())
	eventually(t, node.Name()+" as leader of "+stream, func() bool {
		if leaderOf(t, nodes, stream) == node {
			return true
		}
		_, _ = nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, []byte(`{"placement":{"preferred":"`+node.Name()+`"}}`), time.Second)
		return false
	})
}

// whole reports whether all replicas of a stream have all of it.
func whole(t *testing.T, nodes []*natstest.Server, stream string) bool {
	t.Helper()
	_, js := foreign(t, nodes[1].URL())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	handle, err := js.Stream(ctx, stream)
	if err != nil || handle.CachedInfo().Cluster == nil {
		return false
	}
	for _, replica := range handle.CachedInfo().Cluster.Replicas {
		if !replica.Current || replica.Offline {
			return false
		}
	}
	return len(handle.CachedInfo().Cluster.Replicas) == 2
}
