package queue_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

func TestVerdicts(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	wrong := payment.FieldErrors{{Field: "metadata.01098765432", Problem: "is wrong"}}
	for _, c := range []struct{ want, got queue.Verdict }{
		{queue.Verdict{}, queue.RetryAfter(0)}, // a forgotten verdict loses nothing
		{queue.Verdict{Kind: queue.Done}, queue.Acknowledge()},
		{queue.Verdict{Kind: queue.Retry, Delay: time.Second}, queue.RetryAfter(time.Second)},
		{queue.Verdict{Kind: queue.Retry, Unanswered: true}, queue.Unanswered(0)},
		{queue.Verdict{Kind: queue.Park, At: at}, queue.ParkUntil(at)},
		{queue.Verdict{Kind: queue.Dead, Reason: events.DeadTooOld, Detail: "two months"}, queue.DeadLetter(events.DeadTooOld, "two months")},
		{queue.Verdict{Kind: queue.Dead, Reason: events.DeadInvalid, Detail: "metadata: is wrong", Problems: wrong}, queue.Refuse(events.DeadInvalid, wrong)},
		{queue.Verdict{Kind: queue.Forward, Subject: "a.b"}, queue.ForwardTo("a.b")},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("got %+v, want %+v", c.got, c.want)
		}
	}
	var forgotten queue.Handler = func(context.Context, events.Message) (v queue.Verdict) { return }
	if forgotten(context.Background(), events.Message{}).Kind != queue.Retry {
		t.Error("a forgotten verdict must retry")
	}
}
