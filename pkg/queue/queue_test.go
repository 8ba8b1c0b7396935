package queue_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/queue"
)

func TestVerdicts(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	for want, got := range map[queue.Verdict]queue.Verdict{
		{}:                                      queue.RetryAfter(0), // a forgotten verdict loses nothing
		{Kind: queue.Done}:                      queue.Acknowledge(),
		{Kind: queue.Retry, Delay: time.Second}: queue.RetryAfter(time.Second),
		{Kind: queue.Retry, Unanswered: true}:   queue.Unanswered(0),
		{Kind: queue.Park, At: at}:              queue.ParkUntil(at),
		{Kind: queue.Dead, Reason: events.DeadTooOld, Detail: "two months"}: queue.DeadLetter(events.DeadTooOld, "two months"),
		{Kind: queue.Forward, Subject: "a.b"}:                               queue.ForwardTo("a.b"),
	} {
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	var forgotten queue.Handler = func(context.Context, events.Message) (v queue.Verdict) { return }
	if forgotten(context.Background(), events.Message{}).Kind != queue.Retry {
		t.Error("a forgotten verdict must retry")
	}
}
