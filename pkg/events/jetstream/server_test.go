package jetstream_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"payonce/pkg/events"
)

func TestServerTellsItsVersionAndTime(t *testing.T) {
	nats, c := start(t)
	if got := c.ServerVersion(); got != server.VERSION {
		t.Errorf("version %s, want %s", got, server.VERSION)
	}
	before := time.Now()
	at, err := c.ServerTime(testContext(t))
	if err != nil || at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("it is %s there: %v", at, err)
	}
	_, js := foreign(t, nats.URL())
	if err := js.DeleteStream(testContext(t), events.StreamPayments); err != nil {
		t.Fatal(err)
	}
	if at, err := c.ServerTime(testContext(t)); err == nil || !at.IsZero() || !strings.Contains(err.Error(), "ask NATS for the time") {
		t.Errorf("without the stream: %s, %v", at, err)
	}
}
