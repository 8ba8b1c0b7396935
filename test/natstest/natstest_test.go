package natstest_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"payonce/test/natstest"
)

func TestRestartKeepsStreamsAndPort(t *testing.T) {
	s := natstest.Start(t)
	url := s.URL()
	publish(t, url, true)
	s.Restart()
	if s.URL() != url {
		t.Fatalf("the URL moved from %s to %s", url, s.URL())
	}
	if seq := publish(t, url, false); seq != 2 {
		t.Errorf("the stream has %d messages after the restart, want 2", seq)
	}
	s.Stop()
	s.Stop()
	if conn, err := nats.Connect(url, nats.RetryOnFailedConnect(false)); err == nil {
		conn.Close()
		t.Error("a stopped server takes connections")
	}
}

func publish(t *testing.T, url string, create bool) uint64 {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := conn.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if create {
		if _, err := js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
			t.Fatal(err)
		}
	}
	ack, err := js.Publish("s", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}
