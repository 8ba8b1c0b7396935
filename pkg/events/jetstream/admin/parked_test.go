package admin_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
)

// parkUntilSoon parks commands until a time that is a while ahead when the last of them is parked, however slow
// the machine is, or nearly: moving them there takes a moment.
func parkUntilSoon(t *testing.T, c *admin.Conn, refs []payment.Ref, ahead time.Duration) (due time.Time) {
	t.Helper()
	jetstreamtest.ParkBefore(t, c, refs, inAnHour)
	due = time.Now().Add(ahead).Truncate(time.Second)
	var moves sync.WaitGroup
	for _, r := range refs {
		moves.Go(func() {
			if err := c.ReleaseParked(testContext(t), r, due); err != nil {
				t.Error(err)
			}
		})
	}
	moves.Wait()
	return due
}

func inAnHour(payment.Ref) time.Time { return time.Now().Add(time.Hour) }

// deliveries counts how often each order was delivered.
type deliveries struct {
	mu    sync.Mutex
	count map[string]int
	last  map[string]events.Message
}

func (d *deliveries) handle(_ context.Context, m events.Message) queue.Verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.count == nil {
		d.count, d.last = map[string]int{}, map[string]events.Message{}
	}
	r, _ := events.SubjectRef(m.Subject)
	d.count[r.Order]++
	d.last[r.Order] = m
	return queue.Acknowledge()
}

func (d *deliveries) of(order string) (int, events.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count[order], d.last[order]
}

func TestReleaseDeliversOnce(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	refs := orders("D", 5)
	jetstreamtest.ParkBefore(t, c, refs, inAnHour)
	parked, err := c.ParkedCommand(testContext(t), refs[0])
	if err != nil || parked.Subject != "deposit.requested.acme.D-0" || string(parked.Data) != "body of D-0" ||
		time.Until(parked.Due) < 50*time.Minute || parked.Header.Get("x-upstream") != "kept" || parked.Header.Get("Nats-Schedule") != "" {
		t.Fatalf("parked: %+v, %v", parked, err)
	}
	var releases sync.WaitGroup
	for _, r := range refs[:4] {
		for range 4 { // four persons at once
			releases.Go(func() {
				if err := c.ReleaseParked(testContext(t), r, time.Now()); err != nil && !errors.Is(err, events.ErrNotParked) {
					t.Error(err)
				}
			})
		}
	}
	releases.Wait()
	var got deliveries
	consuming(t, c, 4, got.handle)
	eventually(t, "only the one that was not released is left", func() bool { return messages(t, js, events.StreamCommands) == 1 })
	for _, r := range refs[:4] {
		if n, m := got.of(r.Order); n != 1 || m.Header.Get("X-Upstream") != "kept" || m.Header.Get(events.HeaderRequestedAt) == "" {
			t.Errorf("%s was delivered %d times: %+v", r, n, m)
		}
		if err := c.ReleaseParked(testContext(t), r, time.Now()); !errors.Is(err, events.ErrNotParked) {
			t.Errorf("released again: %v", err)
		}
		if _, err := c.ParkedCommand(testContext(t), r); !errors.Is(err, events.ErrNotParked) {
			t.Errorf("parked still: %v", err)
		}
	}
	if left, err := c.ParkedOrders(testContext(t), ""); err != nil || !slices.Equal(left, refs[4:]) {
		t.Errorf("left %v, %v", left, err)
	}
}

// Releases go on before, while and after the schedules fire by themselves.
func TestReleaseWhileTheScheduleFires(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	refs := orders("D", 40)
	due := parkUntilSoon(t, c, refs, 3*time.Second)
	var got deliveries
	consuming(t, c, 16, got.handle)
	var releases sync.WaitGroup
	for i, r := range refs {
		releases.Go(func() {
			for time.Now().Before(due.Add(2 * time.Second)) {
				if err := c.ReleaseParked(testContext(t), r, due.Add(time.Duration(i%3-1)*time.Second)); errors.Is(err, events.ErrNotParked) {
					return
				} else if err != nil {
					t.Error(err)
				}
			}
		})
	}
	releases.Wait()
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	for _, r := range refs {
		if n, _ := got.of(r.Order); n != 1 {
			t.Errorf("%s was delivered %d times", r, n)
		}
	}
}

func TestDropParked(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	refs := orders("D", 2)
	jetstreamtest.ParkBefore(t, c, refs, inAnHour)
	for range 2 {
		if err := c.DropParked(testContext(t), refs[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.ReleaseParked(testContext(t), refs[1], time.Now()); err != nil {
		t.Fatal(err)
	}
	var got deliveries
	consuming(t, c, 4, got.handle)
	eventually(t, "the other is delivered", func() bool { n, _ := got.of("D-1"); return n == 1 })
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	if n, _ := got.of("D-0"); n != 0 {
		t.Errorf("what was dropped was delivered %d times", n)
	}
}

func TestParkedWantsAName(t *testing.T) {
	_, c := start(t)
	jetstreamtest.ParkBefore(t, c, orders("D", 1), inAnHour)
	wild := payment.Ref{Provider: "acme", Order: "*"}
	if _, err := c.ParkedCommand(testContext(t), wild); err == nil {
		t.Error("a wildcard was read")
	}
	if err := c.ReleaseParked(testContext(t), wild, time.Now()); err == nil {
		t.Error("a wildcard was released")
	}
	if err := c.DropParked(testContext(t), wild); err == nil {
		t.Error("a wildcard was dropped")
	}
	if _, err := c.ParkedOrders(testContext(t), "*"); err == nil {
		t.Error("a wildcard was listed")
	}
	if refs, err := c.ParkedOrders(testContext(t), "other"); err != nil || len(refs) != 0 {
		t.Errorf("of another provider: %v, %v", refs, err)
	}
}
