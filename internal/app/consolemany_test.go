package app_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/payment"
	"payonce/pkg/status"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

var openPayments = flag.Int("open", 300, "how many payments are open where the console is measured")

// The first page shows how many payments are open, from a process of its own. With -open 10000 -v it is a measurement, see docs/console.md.
func TestConsoleWithManyOpenPayments(t *testing.T) {
	nats := natstest.Start(t)
	conn := makeStreams(t, nats.URL())
	appendOpen(t, conn, *openPayments)
	s := configured(t, nats.URL())
	file := filepath.Join(t.TempDir(), "archive.db")
	listen, section := consoleSection(s)
	s.Edit("\nworker:\n", section, "\nworker:\n", "\narchive:\n  file: "+file+"\nworker:\n")
	fillArchive(t, conn, file)
	logs := &testenv.Logs{}
	rt, err := app.Load(app.Console(), s.Config, logs)
	s.Must(err)
	keepBeating(t, conn, app.CountedBy(rt.Config), rt.Connectors.Names(), *openPayments)
	process := exec.Command(testenv.Build(t, "payonce/cmd/console"), "--config", s.Config)
	t.Cleanup(testenv.RemoveBuilds)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	console, err := testenv.Start(ctx, process, logs, "listening on")
	s.Must(err)
	defer func() { s.Must(console.Stop(timeout)) }()
	client := enter(t, logs.String())
	want := regexp.MustCompile(fmt.Sprintf(`href="/payments\?status=pending">%s<`, thousands(*openPayments/2)))
	look := func() time.Duration {
		began := time.Now()
		reply, err := client.Get("http://" + listen + "/")
		if err != nil {
			t.Error(err)
			return 0
		}
		defer func() { _ = reply.Body.Close() }()
		page, err := io.ReadAll(reply.Body)
		if err != nil || reply.StatusCode != http.StatusOK || !want.Match(page) {
			t.Errorf("%s, %v: %s is not in %s", reply.Status, err, want, page)
		}
		return time.Since(began)
	}
	first := look()
	var mu sync.Mutex
	var took []time.Duration
	var browsers sync.WaitGroup
	for range 8 {
		browsers.Go(func() {
			for range 25 {
				d := look()
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			}
		})
	}
	browsers.Wait()
	slices.Sort(took)
	now, err := console.Memory("VmRSS")
	s.Must(err)
	most, err := console.Memory("VmHWM")
	s.Must(err)
	t.Logf("%d open payments: first page %s, 8 browsers p50 %s p99 %s; resident %d MiB, at most %d MiB", *openPayments, first.Round(time.Millisecond),
		took[len(took)/2].Round(100*time.Microsecond), took[len(took)*99/100].Round(100*time.Microsecond), now/1024, most/1024)
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// appendOpen appends payments: a half is pending, and the rest parked but for one in twenty in doubt.
func appendOpen(t *testing.T, conn *jetstream.Conn, n int) {
	t.Helper()
	for i := range n {
		p := submittingPayment()
		p.Order, p.Status, p.RequestedAt = fmt.Sprintf("D-%d", i), payment.Parked, time.Now().UTC()
		p.ResumeAt = time.Now().Add(time.Duration(i) * time.Second).UTC()
		switch {
		case i%2 == 0:
			p.Status, p.SubmittedAt, p.Attempts, p.ResumeAt = payment.Pending, time.Now().UTC(), 1, time.Time{}
		case i%20 == 1:
			p.Status, p.SubmittedAt, p.Attempts, p.ResumeAt = payment.InDoubt, time.Now().UTC(), 1, time.Time{}
		}
		if _, err := conn.Append(t.Context(), p, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// fillArchive copies the log into an archive, as the archive program does.
func fillArchive(t *testing.T, conn *jetstream.Conn, file string) {
	t.Helper()
	store, err := archive.Open(t.Context(), archive.Location{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	bounds, err := conn.LogBounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var batch []events.Message
	if err := conn.ReadLog(t.Context(), 1, func(m events.Message) (bool, error) { batch = append(batch, m); return true, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Append(t.Context(), bounds.Log, batch, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// keepBeating counts the open payments and says so, as the process does whose count is believed.
func keepBeating(t *testing.T, conn *jetstream.Conn, service string, providers []string, n int) {
	t.Helper()
	levels, err := statistics.New(conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	open := status.NewOpen(time.Now)
	following, cancel := context.WithCancel(t.Context())
	var follow sync.WaitGroup
	follow.Go(func() { _ = levels.FollowHeaders(following, open) })
	defer follow.Wait()
	defer cancel()
	var sum *status.Summary
	testenv.Await(t.Context(), t, "the count", func() bool {
		sum = open.Summary(providers)
		return sum != nil && sum.Sequence >= uint64(n)
	})
	h := status.Heartbeat{ID: "one", Service: service, Process: service + "@here:1", StartedAt: time.Now(), Open: sum}
	put := func() error {
		h.At = time.Now()
		data, err := h.Encode()
		if err != nil {
			return err
		}
		return levels.PutHeartbeat(t.Context(), events.HeartbeatKey(h.Service, h.ID), data)
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	// As a process does, and for as long as the test takes: one that is silent is not believed.
	beating, stop := context.WithCancel(t.Context())
	var beats sync.WaitGroup
	beats.Go(func() {
		for ticker := time.NewTicker(5 * time.Second); ; {
			select {
			case <-ticker.C:
				if err := put(); err != nil && beating.Err() == nil {
					t.Error(err)
				}
			case <-beating.Done():
				ticker.Stop()
				return
			}
		}
	})
	t.Cleanup(func() { stop(); beats.Wait() })
}
