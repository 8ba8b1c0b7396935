package jetstream_test

import (
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// A follower gets every event once it is there, again until it is acknowledged, and nothing without an error where there is
// nothing. What is read without a consumer is the same.
func TestFollowLog(t *testing.T) {
	_, c := start(t)
	follower, err := c.FollowLog(testContext(t), "archive")
	if err != nil {
		t.Fatal(err)
	}
	if batch, _, err := follower.Next(testContext(t), 10, 50*time.Millisecond); err != nil || len(batch) != 0 {
		t.Fatalf("an empty log: %v, %v", batch, err)
	}
	for _, order := range []string{"D-1", "D-2", "D-3"} {
		if _, err := c.Append(testContext(t), paymentOf(ref(order), payment.Submitting), 0); err != nil {
			t.Fatal(err)
		}
	}
	var got []events.Message
	for len(got) < 3 {
		batch, acknowledge, err := follower.Next(testContext(t), 2, timeout)
		if err != nil || len(batch) > 2 {
			t.Fatalf("%v, %v", batch, err)
		}
		got = append(got, batch...)
		if err := acknowledge(); err != nil {
			t.Fatal(err)
		}
	}
	var read []events.Message
	if err := c.ReadLog(testContext(t), 2, func(m events.Message) (bool, error) { read = append(read, m); return true, nil }); err != nil {
		t.Fatal(err)
	}
	if len(read) != 2 {
		t.Fatalf("%d events from the second on", len(read))
	}
	for i, m := range read {
		f := got[i+1]
		if m.Sequence != f.Sequence || m.Subject != f.Subject || string(m.Data) != string(f.Data) || !m.StoredAt.Equal(f.StoredAt) || len(m.Header) != len(f.Header) || m.Header.Get("ce-id") == "" {
			t.Errorf("read %+v, followed %+v", m, f)
		}
	}
	bounds, err := c.LogBounds(testContext(t))
	if err != nil || bounds.First != 1 || bounds.Sequence != 3 || bounds.Events != 3 || bounds.Log == "" {
		t.Errorf("%+v, %v", bounds, err)
	}
}

// What was not acknowledged is delivered again.
func TestFollowLogDeliversAgain(t *testing.T) {
	server, _ := start(t)
	cfg := testConfig()
	cfg.AckWait, cfg.PublishTimeout = time.Second, 500*time.Millisecond
	c := connect(t, server.URL(), cfg)
	follower, err := c.FollowLog(testContext(t), "archive")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(testContext(t), paymentOf(ref("D-1"), payment.Submitting), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if batch, _, err := follower.Next(testContext(t), 10, timeout); err != nil || len(batch) != 1 || batch[0].Sequence != 1 {
			t.Fatalf("%+v, %v", batch, err)
		}
	}
}
