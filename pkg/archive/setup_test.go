package archive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream/admin"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/search"
	"payonce/pkg/secret"
	"payonce/test/natstest"
	"payonce/test/pgtest"
)

// timeout bounds waits for what must happen. The machine can be slow.
const timeout = 2 * time.Minute

// postgres runs one server for all tests of the package; each test has a schema of its own.
var postgres = sync.OnceValues(func() (*pgtest.Server, error) { return pgtest.New(context.Background()) })

var used atomic.Bool

func TestMain(m *testing.M) {
	if location := os.Getenv("ARCHIVE_TEST_CHILD"); location != "" {
		os.Exit(child(location))
	}
	code := m.Run()
	folders.Range(func(folder, _ any) bool { return os.RemoveAll(folder.(string)) == nil })
	if used.Load() {
		if server, err := postgres(); err == nil {
			server.Remove()
		}
	}
	os.Exit(code)
}

var schemas atomic.Int64

// onBoth runs a test on both databases, each with an empty one.
func onBoth(t *testing.T, test func(t *testing.T, location archive.Location)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqlite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresLocation(t)) })
}

func sqlite(t testing.TB) archive.Location {
	return archive.Location{File: filepath.Join(t.TempDir(), "archive it?.db")} // a name that a URL would read otherwise
}

func postgresLocation(t testing.TB) archive.Location {
	t.Helper()
	pgtest.Require(t)
	used.Store(true)
	server, err := postgres()
	if err != nil {
		t.Fatal(err)
	}
	return archive.Location{URL: secret.New(server.URL()), Schema: fmt.Sprintf("a%d", schemas.Add(1))}
}

func openAt(t testing.TB, location archive.Location) *archive.Store {
	t.Helper()
	s, err := archive.Open(bounded(t), location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}

// start is a fixed time: nothing here goes by the clock.
var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// memoryLog is a log in memory.
type memoryLog struct {
	mu     sync.Mutex
	name   string
	first  uint64
	events []events.Message // of sequence first and on
}

func newLog() *memoryLog { return &memoryLog{name: "one", first: 1} }

func (l *memoryLog) LogBounds(context.Context) (events.LogBounds, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return events.LogBounds{LogMark: events.LogMark{Log: l.name, Sequence: l.first + uint64(len(l.events)) - 1}, First: l.first, Events: uint64(len(l.events))}, nil
}

func (l *memoryLog) ReadLog(_ context.Context, from uint64, each func(events.Message) (bool, error)) error {
	for {
		l.mu.Lock()
		from = max(from, l.first)
		if from >= l.first+uint64(len(l.events)) {
			l.mu.Unlock()
			return nil
		}
		m := l.events[from-l.first]
		l.mu.Unlock()
		if more, err := each(m); err != nil || !more {
			return err
		}
		from = m.Sequence + 1
	}
}

// add appends an event of a payment and returns it.
func (l *memoryLog) add(t testing.TB, p payment.Payment) events.Message {
	t.Helper()
	out, err := events.EncodePayment(p, fmt.Sprintf("e-%s-%d", p.Order, p.Revision))
	if err != nil {
		t.Fatal(err)
	}
	return l.addRaw(out.Subject, out.Header, out.Data)
}

func (l *memoryLog) addRaw(subject string, header events.Header, data []byte) events.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	sequence := l.first + uint64(len(l.events))
	m := events.Message{Subject: subject, Header: header, Data: data, Sequence: sequence, StoredAt: start.Add(time.Duration(sequence) * time.Second)}
	l.events = append(l.events, m)
	return m
}

// forget drops the oldest events.
func (l *memoryLog) forget(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events, l.first = l.events[n:], l.first+uint64(n)
}

// put stores events and fails the test where that fails.
func put(t testing.TB, s *archive.Store, batch ...events.Message) archive.Appended {
	t.Helper()
	done, err := s.Append(bounded(t), "one", batch, start)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func deposit(order string, status payment.Status, revision int) payment.Payment {
	return payment.Payment{
		Ref: payment.Ref{Provider: "acme", Order: order}, Operation: payment.Deposit, Status: status, Revision: revision,
		Amount: payment.KRW(10_000), RequestedAt: start, UpdatedAt: start.Add(time.Duration(revision) * time.Minute),
		Metadata: map[string]string{"customer_id": "c-" + order},
	}
}

// verified wants the archive to be the log.
func verified(t testing.TB, s *archive.Store, log archive.Log) archive.Verified {
	t.Helper()
	v, err := s.Verify(bounded(t), log, func(f archive.Finding) { t.Errorf("finding: %+v", f) })
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// found returns what a search finds, as orders.
func found(t testing.TB, s *archive.Store, f search.Filter) (orders []string) {
	t.Helper()
	page, err := s.Find(bounded(t), f, "", search.MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		orders = append(orders, e.Payment.Order)
	}
	return orders
}

// broker starts a nats-server with the streams and returns a connection.
func broker(t testing.TB) (*natstest.Server, *jetstream.Conn) {
	t.Helper()
	server := natstest.Start(t)
	conn, err := jetstream.Connect(bounded(t), connection(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := admin.New(conn).EnsureStreams(bounded(t)); err != nil {
		t.Fatal(err)
	}
	return server, conn
}

func connection(url string) jetstream.Options {
	cfg := streamconfig.Of(config.Defaults())
	cfg.DeadLetterBytes, cfg.RefusedBytes, cfg.RefusalBytes, cfg.AckWait = events.MinDeadLetterBytes, 64<<10, 64<<10, 3*time.Second
	return jetstream.Options{URLs: []string{url}, Name: "archive-test", Config: cfg, Logger: slog.New(slog.DiscardHandler), Now: time.Now}
}

// archiver returns one that copies from conn to place.
func archiver(conn *jetstream.Conn, location archive.Location) (*archive.Archiver, error) {
	return archive.New(archive.Options{
		Log: conn, Batch: 100, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Follow: func(ctx context.Context) (archive.Follower, error) { return conn.FollowLog(ctx, "archive") },
		Open:   func(ctx context.Context) (*archive.Store, error) { return archive.Open(ctx, location) },
	})
}

// child is an archive in a process of its own, which a test kills.
func child(location string) int {
	var at struct{ NATS, File, URL, Schema string }
	if err := json.Unmarshal([]byte(location), &at); err != nil {
		return 2
	}
	conn, err := jetstream.Connect(context.Background(), connection(at.NATS))
	if err != nil {
		return 3
	}
	target := archive.Location{File: at.File, Schema: at.Schema}
	if at.URL != "" {
		target.URL = secret.New(at.URL)
	}
	a, err := archiver(conn, target)
	if err != nil || a.Run(context.Background()) != nil {
		return 4
	}
	return 0
}

var discard = slog.New(slog.DiscardHandler)

func newSecret(text string) secret.Value { return secret.New(text) }
