package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/natstest"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

func TestReplyOf(t *testing.T) {
	api := func(code int, errorCode njs.ErrorCode) error {
		return fmt.Errorf("nats: %w", &njs.APIError{Code: code, ErrorCode: errorCode})
	}
	for name, test := range map[string]struct {
		err  error
		want reply
	}{
		"acknowledged":                 {nil, acked},
		"wrong last sequence":          {api(400, 10071), wrongSequence},
		"concurrent writer in process": {api(400, 10164), contended},
		"own id in process":            {api(409, 10158), lost},
		"too many requests":            {api(429, 10167), lost},
		"store failed":                 {api(503, 10077), lost},
		"no leader":                    {api(500, 10009), lost},
		"message too large":            {api(400, 10054), refused},
		"larger than max_payload":      {nats.ErrMaxPayload, refused},
		"time over":                    {context.DeadlineExceeded, lost},
		"no responders":                {njs.ErrNoStreamResponse, lost},
		"disconnected":                 {nats.ErrReconnectBufExceeded, lost},
		"connection closed":            {nats.ErrConnectionClosed, lost},
		"broken acknowledgement":       {njs.ErrInvalidJSAck, lost},
	} {
		if got := replyOf(test.err); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestCheckVersion(t *testing.T) {
	for version, problem := range map[string]string{
		"2.12.0": "", "2.15.2": "", "3.0.0": "", "2.12.0-RC.1": "",
		"2.11.9": "too old", "1.99.0": "too old", "": "cannot parse", "dev": "cannot parse", "2.x.1": "cannot parse",
	} {
		err := checkVersion(version)
		if problem == "" && err != nil || problem != "" && (err == nil || !strings.Contains(err.Error(), problem)) {
			t.Errorf("%q: %v, want %q", version, err, problem)
		}
	}
}

func TestSubjectMatches(t *testing.T) {
	for _, test := range []struct {
		filter, subject string
		want            bool
	}{
		{"*.requested.acme.*", "deposit.requested.acme.D-1", true},
		{"*.requested.acme.*", "deposit.requested.acme2.D-1", false},
		{"*.requested.acme.*", "deposit.requested.acme", false},
		{"*.requested.acme.*", "deposit.requested.acme.D.1", false},
		{"deposit.requested", "deposit.requested", true},
		{"deposit.requested", "deposit.requested.acme.D-1", false},
		{">", "deposit.requested.acme.D-1", true},
		{"deposit.>", "deposit.requested.acme.D-1", true},
		{"deposit.>", "deposit", false},
		{"payout.>", "deposit.requested.acme.D-1", false},
	} {
		if got := subjectMatches(test.filter, test.subject); got != test.want {
			t.Errorf("%s on %s: %v", test.filter, test.subject, got)
		}
	}
}

func TestHeaderSafe(t *testing.T) {
	long := headerSafe(strings.Repeat("é", 400), 501)
	if len(long) != 500 || !utf8.ValidString(long) {
		t.Errorf("cut to %d bytes, valid %v", len(long), utf8.ValidString(long))
	}
	if got := headerSafe("a\r\nNats-Rollup: all\x00\xff", 100); got != "a  Nats-Rollup: all ?" {
		t.Errorf("got %q", got)
	}
}

func TestWholeSecond(t *testing.T) {
	whole := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]time.Time{
		whole: whole, whole.Add(1): whole.Add(time.Second), whole.Add(999 * time.Millisecond): whole.Add(time.Second),
		whole.In(time.FixedZone("KST", 9*3600)): whole,
	} {
		if got := wholeSecond(at); !got.Equal(want) {
			t.Errorf("%v: %v, want %v", at, got, want)
		}
		if due := scheduledFor(events.Message{Header: events.Header(reschedule(events.Message{}, at, "id").Header)}); !due.Equal(want) {
			t.Errorf("%v: released at %v, want %v", at, due, want)
		}
	}
}

func TestPullStatus(t *testing.T) {
	for status, want := range map[string]struct{ over, failed bool }{
		"100": {}, "404": {over: true}, "408": {over: true}, "409": {true, true}, "503": {true, true}, "": {true, true},
	} {
		over, err := pullStatus(&nats.Msg{Header: nats.Header{"Status": {status}}})
		if over != want.over || (err != nil) != want.failed {
			t.Errorf("%q: %v, %v", status, over, err)
		}
	}
}

func TestBackoffEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("over"))
	if newBackoff().sleep(ctx) {
		t.Error("slept on after the end")
	}
}

// begin starts a server and connects to it; the streams are there.
func begin(t *testing.T, cfg Config, now func() time.Time) (context.Context, *Conn) {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	c, err := Connect(ctx, Options{
		URLs: []string{natstest.Start(t).URL()}, Name: t.Name(), Config: cfg, Logger: slog.New(slog.DiscardHandler), Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, c
}

// What was delivered to a subscription and reached no handler is given back when it closes, at once:
// with this AckWait it would not come again otherwise.
func TestCloseGivesBackWhatNobodyHandled(t *testing.T) {
	cfg := DefaultConfig()
	cfg.AckWait = time.Hour
	ctx, c := begin(t, cfg, time.Now)
	const n = 10
	for i := range n {
		if _, err := c.js.Publish(ctx, fmt.Sprintf("deposit.requested.acme.D-%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	s := &consumer{
		conn: c, stream: events.StreamCommands, slots: make(chan struct{}, n),
		config: c.consumerConfig("commands-acme", n, "*.requested.acme.*"),
	}
	for range 2 {
		sub, err := s.subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := sub.request(sub.inbox+".1", n); err != nil {
			t.Fatal(err)
		}
		var came []*nats.Msg
		for range n {
			select {
			case m := <-sub.messages:
				came = append(came, m)
			case <-ctx.Done():
				t.Fatalf("%d of %d messages came", len(came), n)
			}
		}
		for _, m := range came { // nobody has handled them
			sub.messages <- m
		}
		sub.close()
	}
}

// In a cluster, the server that leads the consumer can deliver what a schedule fired before the one that
// leads the stream has taken the schedule away. The command must not be dropped for that schedule's sake.
func TestParkWaitsForASpentScheduleToGo(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	const place, subject = "parked.acme.D-1", "deposit.requested.acme.D-1"
	command := func(sequence uint64, header events.Header) *delivery {
		return &delivery{stream: events.StreamCommands, message: events.Message{
			Subject: subject, Header: header, Data: []byte("body"), Sequence: sequence, StoredAt: time.Unix(int64(sequence), 0).UTC(),
		}}
	}
	later := time.Now().Add(time.Hour)
	if err := c.park(ctx, command(1, nil), later); err != nil { // it takes sequence 1
		t.Fatal(err)
	}
	if err := c.park(ctx, command(7, nil), later); err != nil { // a second copy from outside: one is enough
		t.Fatal(err)
	}
	fired := events.Header{njs.SchedulerHeader: {place}}
	newer := command(0, fired) // delivered by a schedule that was there before the one that stands
	if err := c.park(ctx, newer, later); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	before := c.Stats().PublishRetries
	go func() { done <- c.park(ctx, command(9, fired), later) }()
	for c.Stats().PublishRetries == before {
		select {
		case err := <-done:
			t.Fatalf("the command was dropped for a schedule that is spent: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	stream, err := c.js.Stream(ctx, events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(ctx, njs.WithPurgeSubject(place)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	held, err := stream.GetLastMsgForSubject(ctx, place)
	if err != nil || held.Header.Get(headerMessageID) != command(9, fired).id("park") {
		t.Errorf("the command is not parked: %+v, %v", held, err)
	}
}

// A command is parked, its acknowledgement is lost, the schedule fires, and the first delivery comes again: what
// it would park was delivered since.
func TestParkAgainAfterTheScheduleFiredIsDone(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	d := &delivery{stream: events.StreamCommands, message: events.Message{
		Subject: "deposit.requested.acme.D-1", Data: []byte("body"), Sequence: 1, StoredAt: time.Unix(1, 0).UTC(),
	}}
	if err := c.park(ctx, d, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := c.DropParked(ctx, payment.Ref{Provider: "acme", Order: "D-1"}); err != nil { // as if it had fired
		t.Fatal(err)
	}
	before := c.Stats().PublishRetries
	if err := c.park(ctx, d, time.Now().Add(time.Hour)); err != nil || c.Stats().PublishRetries != before {
		t.Errorf("%v after %d tries", err, c.Stats().PublishRetries-before)
	}
}

// A cluster can leave consumers out of its list.
func TestNoCommandIsSweptWhoseConsumerIsNotListed(t *testing.T) {
	cfg := DefaultConfig()
	cfg.OrphanAfter = time.Millisecond
	ctx, c := begin(t, cfg, func() time.Time { return time.Now().Add(time.Hour) })
	if _, err := c.js.CreateConsumer(ctx, events.StreamCommands, c.consumerConfig(commandsConsumer("acme"), 1, "*.requested.acme.*")); err != nil {
		t.Fatal(err)
	}
	for _, provider := range []string{"acme", "nobody"} {
		if _, err := c.js.Publish(ctx, "deposit.requested."+provider+".D-1", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.sweepAllBut(ctx, nil); n != 1 || err != nil {
		t.Errorf("%d swept, %v; want that of nobody only", n, err)
	}
	if _, err := c.lastCommand(ctx, "deposit.requested.acme.D-1"); err != nil {
		t.Errorf("the command of a provider with a consumer: %v", err)
	}
	silent, cancel := context.WithCancel(ctx)
	cancel()
	if consumed, err := c.isConsumed(silent, "acme"); err == nil {
		t.Errorf("without an answer: consumed %v, and no error", consumed)
	}
}

// A server of a cluster that is behind can report a message as deleted and still show it.
func TestACommandThatIsReportedAsDeletedIsLeftAlone(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	const subject = "deposit.requested.acme.D-1"
	if _, err := c.js.Publish(ctx, subject, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{reasonDeleted, termReason} {
		c.handleAdvisory(ctx, &nats.Msg{
			Subject: adviceTerminated + ".COMMANDS.commands-acme",
			Data:    fmt.Appendf(nil, `{"stream":"COMMANDS","consumer":"commands-acme","stream_seq":1,"deliveries":1,"reason":%q}`, reason),
		})
	}
	if _, err := c.lastCommand(ctx, subject); err != nil {
		t.Errorf("the command: %v", err)
	}
	if deadLetters, err := c.DeadLetters(ctx, 0, 10); len(deadLetters) > 0 || err != nil {
		t.Errorf("%d dead letters, %v", len(deadLetters), err)
	}
}
