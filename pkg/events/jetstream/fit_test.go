package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// fitness is what a process says of itself.
type fitness struct{ why atomic.Pointer[error] }

func (f *fitness) set(err error) { f.why.Store(&err) }

func (f *fitness) ask() error {
	if why := f.why.Load(); why != nil {
		return *why
	}
	return nil
}

// connectFit connects a process that says whether it may take messages.
func connectFit(t *testing.T, url string) (*admin.Conn, *fitness) {
	t.Helper()
	f, o := &fitness{}, options(t, url, testConfig())
	o.Fit = f.ask
	c, err := jetstreamtest.Dial(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return c, f
}

var errClock = errors.New("the clock is wrong")

// A process that must take no messages is not ready and leaves them to the others; it goes on by itself.
func TestAnUnfitProcessTakesNothing(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	bad, f := connectFit(t, server.URL())
	good := connect(t, server.URL(), testConfig())
	f.set(errClock)
	takenByBad, takenByGood := make(chan struct{}, 100), make(chan struct{}, 100)
	consuming(t, bad, 4, doneAfter(takenByBad))
	for n := range 20 {
		publish(t, good, ref(fmt.Sprintf("A-%d", n)))
	}
	if err := bad.Ready(); !errors.Is(err, errClock) {
		t.Errorf("ready: %v", err)
	}
	consuming(t, good, 4, doneAfter(takenByGood))
	for range 20 {
		receive(t, takenByGood, "a command at the other process")
	}
	if n := len(takenByBad); n != 0 {
		t.Errorf("it took %d", n)
	}
	f.set(nil)
	for n, taken := 0, false; !taken; n++ { // both pull now
		publish(t, good, ref(fmt.Sprintf("B-%d", n)))
		select {
		case <-takenByBad:
			taken = true
		case <-takenByGood:
		}
	}
	if err := bad.Ready(); err != nil {
		t.Errorf("ready: %v", err)
	}
}

// It becomes unfit in the middle of work: what it has begun it ends, what it was given it gives back.
func TestAProcessBecomesUnfit(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	bad, f := connectFit(t, server.URL())
	good := connect(t, server.URL(), testConfig())
	begun, finish := make(chan struct{}, 100), make(chan struct{})
	consuming(t, bad, 1, func(context.Context, events.Message) queue.Verdict {
		begun <- struct{}{}
		<-finish
		return queue.Acknowledge()
	})
	publish(t, good, ref("A-1"))
	receive(t, begun, "the first command")
	publish(t, good, ref("A-2"))
	f.set(errClock)
	eventually(t, "it is not ready", func() bool { return bad.Ready() != nil })
	close(finish)
	taken := make(chan struct{}, 100)
	consuming(t, good, 4, doneAfter(taken))
	receive(t, taken, "the second command at the other process")
	eventually(t, "all is done", func() bool { return bad.Broker().Count.Deliveries.Load()+good.Broker().Count.Deliveries.Load() >= 2 })
	if len(begun) != 0 || len(taken) != 0 || bad.Broker().Count.Redeliveries.Load() != 0 {
		t.Errorf("it began %d more, the other %d more, %+v", len(begun), len(taken), &bad.Broker().Count)
	}
}

// A pull that is open when the process becomes unfit ends, so that nothing is delivered to it.
func TestAnOpenPullEndsWhenUnfit(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	bad, f := connectFit(t, server.URL())
	good := connect(t, server.URL(), testConfig())
	takenByBad, taken := make(chan struct{}, 100), make(chan struct{}, 100)
	consuming(t, bad, 4, doneAfter(takenByBad))
	publish(t, good, ref("A-1"))
	receive(t, takenByBad, "the first command")
	f.set(errClock)
	publish(t, good, ref("A-2"))
	consuming(t, good, 4, doneAfter(taken))
	receive(t, taken, "the second command at the other process")
	if len(takenByBad) != 0 {
		t.Error("it took a message")
	}
}
