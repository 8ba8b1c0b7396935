package jetstream_test

import (
	"testing"

	"payonce/pkg/payment"
	"payonce/test/natstest"
)

func TestWatchWakesForItsOrder(t *testing.T) {
	_, c := start(t)
	a, b := ref("A"), ref("B")
	wokenA, stopA := c.Watch(a)
	defer stopA()
	receive(t, wokenA, "the wake-up at the beginning")
	wokenB, stopB := c.Watch(b)
	defer stopB()

	seq := mustAppend(t, c, paymentOf(a, payment.Submitting), 0)
	receive(t, wokenA, "the wake-up for A")
	seq = mustAppend(t, c, paymentOf(a, payment.Pending), seq)
	receive(t, wokenA, "the second wake-up for A")
	// The hub works in order: what B would wrongly have got for the first event of A is there by now.
	select {
	case <-wokenB:
		t.Error("B was woken for A")
	default:
	}
	mustAppend(t, c, paymentOf(b, payment.Submitting), 0)
	receive(t, wokenB, "the wake-up for B")
	stopA()
	mustAppend(t, c, paymentOf(a, payment.Settled), seq)
	mustAppend(t, c, paymentOf(ref("C"), payment.Submitting), 0)
	select {
	case <-wokenA:
		t.Error("woken after stop")
	default:
	}
}

func TestWatchCountsManyChangesAsOne(t *testing.T) {
	_, c := start(t)
	r, last := ref("A"), ref("Z")
	woken, stop := c.Watch(r)
	defer stop()
	receive(t, woken, "the wake-up at the beginning")
	end, stopEnd := c.Watch(last)
	defer stopEnd()
	seq := mustAppend(t, c, paymentOf(r, payment.Submitting), 0)
	mustAppend(t, c, paymentOf(r, payment.Settled), seq)
	mustAppend(t, c, paymentOf(last, payment.Submitting), 0)
	receive(t, end, "the event after them")
	receive(t, woken, "the wake-up")
	select {
	case <-woken:
		t.Error("woken twice")
	default:
	}
}

func TestWatchSurvivesARestart(t *testing.T) {
	server, c := start(t)
	r := ref("A")
	woken, stop := c.Watch(r)
	defer stop()
	receive(t, woken, "the wake-up at the beginning")
	server.Restart()
	receive(t, woken, "the wake-up after the restart")
	mustAppend(t, c, paymentOf(r, payment.Submitting), 0)
	receive(t, woken, "the wake-up for the event")
}

func TestWatchBeforeThereIsALog(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	if err := js.DeleteStream(testContext(t), "PAYMENTS"); err != nil {
		t.Fatal(err)
	}
	woken, stop := c.Watch(ref("A"))
	defer stop()
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	receive(t, woken, "the wake-up once there is a log")
}

func TestWatchOfAllWakesForEach(t *testing.T) {
	_, c := start(t)
	woken, stop := c.Watch(payment.Ref{})
	defer stop()
	receive(t, woken, "the wake-up at the beginning")
	for _, order := range []string{"A", "B"} {
		mustAppend(t, c, paymentOf(ref(order), payment.Submitting), 0)
		receive(t, woken, "the wake-up for "+order)
	}
}

// Where NATS has accounts, the server announces each event, and no consumer is made.
func TestWatchByAnnouncements(t *testing.T) {
	t.Parallel()
	server, cfg := natstest.Start(t), testConfig()
	cfg.Accounts = true
	c := connect(t, server.URL(), cfg)
	woken, stop := c.Watch(ref("A"))
	defer stop()
	receive(t, woken, "the wake-up at the beginning")
	mustAppend(t, c, paymentOf(ref("A"), payment.Submitting), 0)
	receive(t, woken, "the wake-up for A")
}
