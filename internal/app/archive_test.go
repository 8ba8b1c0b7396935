package app_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"

	"github.com/nats-io/nats-server/v2/server"

	"payonce/internal/app"
	"payonce/pkg/archive"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/search"
	"payonce/pkg/secret"
	"payonce/test/natstest"
)

// makeStreams makes the streams as workers do, and returns a connection.
func makeStreams(t *testing.T, url string) *jetstream.Conn {
	t.Helper()
	conn, err := jetstream.Connect(t.Context(), jetstream.Options{
		URLs: []string{url}, Name: "test", Config: streamconfig.Of(config.Defaults()), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := admin.New(conn).EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return conn
}

// The program copies what is written, shows its metrics, and ends in good order.
func TestArchiveProgram(t *testing.T) {
	nats := natstest.Start(t)
	conn := makeStreams(t, nats.URL())
	b := begin(t, app.Archive(), nats.URL())
	defer b.stop()
	for _, order := range []string{"D-1", "D-2"} {
		p := payment.Payment{
			Ref: payment.Ref{Provider: "teemopay-kr", Order: order}, Operation: payment.Deposit, Status: payment.Failed, Revision: 1,
			Amount: payment.KRW(10_000), UpdatedAt: time.Now().UTC(),
		}
		if _, err := conn.Append(t.Context(), p, 0); err != nil {
			t.Fatal(err)
		}
	}
	b.sees("the start", func() bool { return strings.Contains(b.logs.String(), "metrics and health at "+b.admin) })
	at := b.admin
	var metrics string
	b.sees("both events", func() bool {
		_, metrics = get(t, at+"/metrics")
		return strings.Contains(metrics, "payonce_archive_events_total 2") || strings.Contains(metrics, "payonce_archive_events_total{")
	})
	b.sees("readiness", func() bool { status, _ := get(t, at+"/readyz"); return status == http.StatusOK })
	for _, name := range []string{"payonce_archive_lag", "payonce_archive_forgotten"} {
		if !strings.Contains(metrics, "\n"+name) {
			t.Errorf("/metrics has no %s", name)
		}
	}
	b.stop()
	if err := <-b.ended; err != nil {
		t.Error(err)
	}
	s, err := archive.Open(t.Context(), archive.Location{File: b.archive, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if page, err := s.Find(t.Context(), search.Filter{}, "", 10); err != nil || len(page.Entries) != 2 {
		t.Errorf("%+v, %v", page, err)
	}
}

// The archive needs no more of NATS than docs/archive.md says, where its consumer was made for it.
func TestArchiveWithItsUserOfNATS(t *testing.T) {
	page, err := os.ReadFile("../../docs/archive.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Its user of NATS")
	section, _, _ = strings.Cut(section, "Make the consumer once")
	var publish, subscribe []string
	for _, m := range regexp.MustCompile("`([$_][^`]+)`").FindAllStringSubmatch(section, -1) {
		if strings.HasPrefix(m[1], "_INBOX") {
			subscribe = append(subscribe, m[1])
		} else {
			publish = append(publish, m[1])
		}
	}
	nats, err := server.NewServer(&server.Options{
		ServerName: "users", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: t.TempDir(),
		Users: []*server.User{
			{Username: "administrator", Password: "administrator-password"},
			{Username: "archive", Password: "archive-password-long", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(func() { nats.Shutdown(); nats.WaitForShutdown() })
	if !nats.ReadyForConnections(timeout) {
		t.Fatal("nats-server does not start")
	}
	maker := connectAs(t, nats.ClientURL(), "administrator", "administrator-password", "_INBOX")
	if err := admin.New(maker).EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := maker.FollowLog(t.Context(), "archive"); err != nil { // makes the consumer
		t.Fatal(err)
	}
	failed := payment.Payment{
		Ref: payment.Ref{Provider: "acme", Order: "D-1"}, Operation: payment.Deposit, Status: payment.Failed, Revision: 1, UpdatedAt: time.Now().UTC(),
	}
	if _, err := maker.Append(t.Context(), failed, 0); err != nil {
		t.Fatal(err)
	}
	store, err := archive.Open(t.Context(), archive.Location{File: filepath.Join(t.TempDir(), "archive.db")})
	if err != nil {
		t.Fatal(err)
	}
	conn := connectAs(t, nats.ClientURL(), "archive", "archive-password-long", app.Inbox("archive"))
	a, err := archive.New(archive.Options{
		Log: conn, Batch: 10, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Follow: func(ctx context.Context) (archive.Follower, error) { return conn.FollowLog(ctx, "archive") },
		Open:   func(context.Context) (*archive.Store, error) { return store, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(timeout); ; {
		if at, err := store.Position(t.Context()); err == nil && at.Sequence == 1 {
			break
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal(a.Ready())
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	bounded, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	failed.Order = "D-2"
	if _, err := conn.Append(bounded, failed, 0); err == nil {
		t.Error("the archive's user can write to the log")
	}
}

func connectAs(t *testing.T, url, user, password, inbox string) *jetstream.Conn {
	t.Helper()
	return connectWith(t, url, user, password, inbox, streamconfig.Of(config.Defaults()))
}

func connectWith(t *testing.T, url, user, password, inbox string, cfg jetstream.Config) *jetstream.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cfg.DeadLetterBytes, cfg.RefusedBytes = events.MinDeadLetterBytes, 64<<10
	conn, err := jetstream.Connect(ctx, jetstream.Options{
		URLs: []string{url}, Name: user, User: user, Password: secret.New(password), Inbox: inbox, Config: cfg, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
