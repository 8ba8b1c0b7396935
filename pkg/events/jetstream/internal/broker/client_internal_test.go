package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	njs "github.com/nats-io/nats.go/jetstream"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
)

func TestReplyOf(t *testing.T) {
	api := func(code int, errorCode njs.ErrorCode) error {
		return fmt.Errorf("nats: %w", &njs.APIError{Code: code, ErrorCode: errorCode})
	}
	for name, test := range map[string]struct {
		err  error
		want Reply
	}{
		"acknowledged":                 {nil, Acked},
		"wrong last sequence":          {api(400, 10071), WrongSequence},
		"concurrent writer in process": {api(400, 10164), Contended},
		"own id in process":            {api(409, 10158), Lost},
		"too many requests":            {api(429, 10167), Lost},
		"store failed":                 {api(503, 10077), Lost},
		"no leader":                    {api(500, 10009), Lost},
		"message too large":            {api(400, 10054), Refused},
		"larger than max_payload":      {nats.ErrMaxPayload, Refused},
		"time over":                    {context.DeadlineExceeded, Lost},
		"no responders":                {njs.ErrNoStreamResponse, Lost},
		"disconnected":                 {nats.ErrReconnectBufExceeded, Lost},
		"connection closed":            {nats.ErrConnectionClosed, Lost},
		"broken acknowledgement":       {njs.ErrInvalidJSAck, Lost},
	} {
		if got := ReplyOf(test.err); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestHeaderSafe(t *testing.T) {
	long := HeaderSafe(strings.Repeat("é", 400), 501)
	if len(long) != 500 || !utf8.ValidString(long) {
		t.Errorf("cut to %d bytes, valid %v", len(long), utf8.ValidString(long))
	}
	if got := HeaderSafe("a\r\nNats-Rollup: all\x00\xff", 100); got != "a  Nats-Rollup: all ?" {
		t.Errorf("got %q", got)
	}
}

func TestWholeSecond(t *testing.T) {
	whole := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]time.Time{
		whole: whole, whole.Add(1): whole.Add(time.Second), whole.Add(999 * time.Millisecond): whole.Add(time.Second),
		whole.In(time.FixedZone("KST", 9*3600)): whole,
	} {
		if got := WholeSecond(at); !got.Equal(want) {
			t.Errorf("%v: %v, want %v", at, got, want)
		}
		if due := ScheduledFor(events.Message{Header: events.Header(Reschedule(events.Message{}, at, "id").Header)}); !due.Equal(want) {
			t.Errorf("%v: released at %v, want %v", at, due, want)
		}
	}
}

func TestBackoffEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over"))
	if Pause(ctx, NewBackoff()) {
		t.Error("slept on after the end")
	}
}

// Attempts end with their context, never because the pauses do, and processes do not try again all at one moment.
func TestPausesGoOnForEverWithJitter(t *testing.T) {
	wait, seen := NewBackoff(), map[time.Duration]bool{}
	for range 1000 {
		next := wait.NextBackOff()
		if next <= 0 || next > 2*time.Second {
			t.Fatalf("a pause of %v", next)
		}
		seen[next] = true
	}
	if len(seen) < 100 {
		t.Errorf("%d different pauses of 1000", len(seen))
	}
}
