package app_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream/admin"

	"payonce/internal/app"
	"payonce/pkg/archive"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/search"
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
