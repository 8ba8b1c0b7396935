package admin_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
)

// copyOf publishes a command of an order that is parked, as a slower delivery of it would be.
func copyOf(t *testing.T, js njs.JetStream, r payment.Ref) {
	t.Helper()
	_, err := js.PublishMsg(testContext(t), &nats.Msg{
		Subject: events.CommandSubject(payment.Deposit, r), Header: nats.Header{"Copy": {"yes"}}, Data: []byte("copy"),
	})
	if err != nil {
		t.Error(err)
	}
}

// Two deliveries of one command can end with different times. The broker wakes the command at the earlier one,
// whichever was parked first, and it is still one command.
func TestParkTwiceKeepsTheEarlierTime(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	hour := time.Now().Add(time.Hour)
	soon := time.Now().Add(30 * time.Minute)
	for order, until := range map[string][2]time.Time{"earlier": {hour, soon}, "later": {soon, hour}} {
		r := ref(order)
		jetstreamtest.ParkBefore(t, c, []payment.Ref{r}, func(payment.Ref) time.Time { return until[0] })
		before := c.Broker().Count.Parked.Load()
		stop := consuming(t, c, 1, func(context.Context, events.Message) queue.Verdict { return queue.ParkUntil(until[1]) })
		copyOf(t, js, r)
		eventually(t, "the copy is parked", func() bool { return c.Broker().Count.Parked.Load() == before+1 })
		stop()
		held, err := c.ParkedCommand(testContext(t), r)
		if err != nil || held.Due.Sub(soon) > time.Second || held.Due.Before(soon.Truncate(time.Second)) {
			t.Errorf("%s: due %v (%v), want %v", order, held.Due, err, soon)
		}
		if string(held.Data) != "body of "+order || held.Header.Get("X-Upstream") != "kept" || held.Subject != "deposit.requested.acme."+order {
			t.Errorf("%s: another command is held: %+v", order, held)
		}
	}
	if n := messages(t, js, events.StreamCommands); n != 2 {
		t.Errorf("%d messages for 2 orders", n)
	}
	var got deliveries
	consuming(t, c, 2, got.handle)
	for _, order := range []string{"earlier", "later"} {
		if err := c.ReleaseParked(testContext(t), ref(order), time.Now()); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "both are delivered and the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	for _, order := range []string{"earlier", "later"} {
		if n, _ := got.of(order); n != 1 {
			t.Errorf("%s was delivered %d times", order, n)
		}
	}
}

// Copies ask for an earlier time before, while and after the schedules fire by themselves.
func TestParkEarlierWhileTheScheduleFires(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	refs := orders("D", 60)
	due := parkUntilSoon(t, c, refs, 4*time.Second)
	var mu sync.Mutex
	commands, copies := map[string]int{}, map[string]int{}
	consuming(t, c, 16, func(_ context.Context, m events.Message) queue.Verdict {
		r, _ := events.SubjectRef(m.Subject)
		mu.Lock()
		defer mu.Unlock()
		switch fired := m.Header.Get(njs.SchedulerHeader) != ""; {
		case m.Header.Get("Copy") == "":
			commands[r.Order]++
		case fired:
			copies[r.Order]++
		default:
			return queue.ParkUntil(due.Add(-time.Second))
		}
		return queue.Acknowledge()
	})
	tick := time.NewTicker(40 * time.Millisecond) // over 2.4 s, the schedules fire in their middle
	defer tick.Stop()
	start := time.NewTimer(time.Until(due.Add(-2 * time.Second)))
	defer start.Stop()
	<-start.C
	for _, r := range refs {
		<-tick.C
		copyOf(t, js, r)
	}
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	mu.Lock()
	defer mu.Unlock()
	both := 0
	for _, r := range refs {
		if commands[r.Order] != 1 || copies[r.Order] > 1 {
			t.Errorf("%s was delivered %d times, its copy %d times", r, commands[r.Order], copies[r.Order])
		}
		both += copies[r.Order]
	}
	t.Logf("%d of %d copies came after the schedule had fired", both, len(refs))
}
