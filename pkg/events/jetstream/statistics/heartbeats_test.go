package statistics_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/test/jetstreamtest"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/natstest"
)

// A process that stops takes its heartbeat away; one that dies is forgotten after its time, and not before.
func TestHeartbeatsVanish(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := jetstreamtest.Config()
	cfg.HeartbeatTTL = 2 * time.Second
	c := both(t, server.URL(), cfg)
	ctx := jetstreamtest.Context(t)
	stops, dies := events.HeartbeatKey("worker", "1"), events.HeartbeatKey("ingress", "2")
	began := time.Now()
	for _, key := range []string{stops, dies} {
		for _, text := range []string{"before", "now of " + key} {
			if err := c.PutHeartbeat(ctx, key, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := func() map[string][]byte {
		found, err := c.Heartbeats(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := all(); time.Since(began) < cfg.HeartbeatTTL && (len(found) != 2 || string(found[dies]) != "now of "+dies) {
		t.Errorf("found %q", found)
	}
	if err := c.DeleteHeartbeat(ctx, stops); err != nil {
		t.Fatal(err)
	}
	if _, there := all()[stops]; there {
		t.Error("what a process said that stopped is still there")
	}
	jetstreamtest.Eventually(t, "the dead process is forgotten", func() bool { return len(all()) == 0 })
	if took := time.Since(began); took < cfg.HeartbeatTTL-200*time.Millisecond {
		t.Errorf("it is forgotten after %s", took)
	}
}

// Heartbeats must not fill the server, and none can remove another's.
func TestTheBucketOfHeartbeatsIsBounded(t *testing.T) {
	server := natstest.Start(t)
	c := both(t, server.URL(), jetstreamtest.Config())
	_, js := jetstreamtest.Foreign(t, server.URL())
	stream, err := js.Stream(jetstreamtest.Context(t), events.StreamHeartbeats)
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	if cfg.MaxBytes <= 0 || cfg.MaxMsgSize <= 0 || cfg.MaxMsgsPerSubject != 1 || cfg.AllowRollup || !cfg.DenyDelete || cfg.MaxAge != 45*time.Second {
		t.Errorf("the stream is %+v", cfg)
	}
	if err := c.PutHeartbeat(jetstreamtest.Context(t), "worker.1", make([]byte, cfg.MaxMsgSize+1)); err == nil {
		t.Error("a heartbeat of any size is stored")
	}
	server.Stop()
	server.Restart()
	jetstreamtest.Eventually(t, "the bucket is there after a restart", func() bool { return c.PutHeartbeat(jetstreamtest.Context(t), "worker.1", []byte("{}")) == nil })
}

// A broker that is away costs no more than the time of one publish.
func TestAHeartbeatWaitsForNobody(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := jetstreamtest.Config()
	c := both(t, server.URL(), cfg)
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), cfg.PublishTimeout+30*time.Second)
	defer cancel()
	if err := c.PutHeartbeat(ctx, "worker.1", []byte("{}")); err == nil || ctx.Err() != nil {
		t.Errorf("it ends with %v, and the caller's time with %v", err, ctx.Err())
	}
}

// logTaker takes what FollowHeaders gives.
type logTaker struct {
	restarts chan struct{}
	taken    chan events.LogEntry
	caughtUp chan int
}

func newLogTaker() *logTaker {
	return &logTaker{make(chan struct{}, 100), make(chan events.LogEntry, 1000), make(chan int, 1000)}
}

func (l *logTaker) Restart()               { l.restarts <- struct{}{} }
func (l *logTaker) Take(e events.LogEntry) { l.taken <- e }
func (l *logTaker) CaughtUp()              { l.caughtUp <- len(l.taken) }

// The log is read once, and on where it was after the server was away.
func TestFollowHeaders(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	c := both(t, server.URL(), jetstreamtest.Config())
	ctx := jetstreamtest.Context(t)
	seq := uint64(0)
	overdue := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for i, status := range []string{"parked", "submitting", "pending"} {
		p := jetstreamtest.PaymentOf(jetstreamtest.Ref("o-1"), payment.Status(status))
		p.Reason, p.ResumeAt, p.OverdueAt = nil, time.Time{}, time.Time{}
		switch status {
		case "parked":
			p.Reason, p.ResumeAt = &payment.Reason{Code: "provider_closed"}, overdue
		case "pending":
			p.Reason, p.OverdueAt = &payment.Reason{Code: "overdue"}, overdue
		}
		var err error
		if seq, err = c.Append(ctx, p, seq); err != nil {
			t.Fatal(i, err)
		}
	}
	taker, end := newLogTaker(), make(chan error, 1)
	following, stop := context.WithCancel(ctx)
	go func() { end <- c.FollowHeaders(following, taker) }()
	jetstreamtest.Receive(t, taker.restarts, "the beginning")
	var got []string
	for range 3 {
		e := jetstreamtest.Receive(t, taker.taken, "an event")
		got = append(got, fmt.Sprint(e.Ref, " ", e.Status, " ", e.First, e.Described, " ", e.Reason, " ", e.Overdue, " ", e.ResumeAt.Equal(overdue)))
	}
	want := []string{"acme/o-1 parked true true provider_closed false true", "acme/o-1 submitting false true  false false", "acme/o-1 pending false true overdue true false"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	jetstreamtest.Receive(t, taker.caughtUp, "the end of the log")
	server.Stop()
	server.Restart()
	jetstreamtest.Eventually(t, "an append after the restart", func() bool {
		next, err := c.Append(ctx, jetstreamtest.PaymentOf(jetstreamtest.Ref("o-1"), payment.Settled), seq)
		if err == nil {
			seq = next
		}
		return err == nil
	})
	if e := jetstreamtest.Receive(t, taker.taken, "the event after the restart"); e.Status != "settled" || e.Sequence != seq || len(taker.restarts) > 0 {
		t.Errorf("got %+v, read from the beginning %d times more", e, len(taker.restarts))
	}
	stop()
	if err := jetstreamtest.Receive(t, end, "the end"); err != nil {
		t.Error(err)
	}
}

// connected is a connection with what it reports.
type connected struct {
	*admin.Conn
	*statistics.Reporter
}

// both connects and makes the streams.
func both(t *testing.T, url string, cfg jetstream.Config) connected {
	t.Helper()
	conn := jetstreamtest.Connect(t, url, cfg)
	reporter, err := statistics.New(conn.Conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	return connected{conn, reporter}
}
