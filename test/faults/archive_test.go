package faults

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"payonce/pkg/archive"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
	"payonce/test/natstest"
	"payonce/test/pgtest"
	"payonce/test/testenv"
)

// copied is a system whose archive runs beside it as a process of its own.
type copied struct {
	*system
	place archive.Location
	admin string
	n     int // payments so far
}

// startCopied starts everything.
func startCopied(t *testing.T, place archive.Location) *copied {
	t.Helper()
	s := &copied{system: prepare(t, testenv.NATSOptions{}), place: place}
	s.Archive(cmp.Or(place.File, place.URL.Reveal()))
	s.admin = s.Admin("archive")
	s.startIngress()
	s.worker()
	s.Process(shipped(t, "archive"), "archive", "copying the log")
	return s
}

var archiveSample = regexp.MustCompile(`(?m)^payonce_archive_(lag|database)(?:\{.*\})? (\d+)$`)

// shows returns what the archive's metrics say: its lag, and whether its database can be used.
func (s *copied) shows(ctx context.Context) (lag, database int) {
	lag, database = -1, -1
	_, text := s.Get(ctx, "http://"+s.admin+"/metrics")
	for _, m := range archiveSample.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[2])
		s.Must(err)
		if m[1] == "lag" {
			lag = n
		} else {
			database = n
		}
	}
	return lag, database
}

// pay has payments executed, each once.
func (s *copied) pay(ctx context.Context, n int) {
	s.t.Helper()
	var orders []order
	for range n {
		s.n++
		orders = append(orders, order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("archive-%d", s.n)}, payment.Deposit})
		s.publish(ctx, orders[len(orders)-1])
	}
	s.settleOnce(ctx, orders...)
}

// caughtUp waits until the archive has all and its metrics say so, and compares it with the log both ways.
func (s *copied) caughtUp(ctx context.Context) {
	s.t.Helper()
	place := s.place
	place.ReadOnly = true
	var store *archive.Store
	s.happens(ctx, "the archive has read everything and says so", func() bool {
		if store == nil {
			store, _ = archive.Open(ctx, place) // the archive makes it, or it is away
		}
		lag, database := s.shows(ctx)
		if store == nil || lag != 0 || database != 1 {
			return false
		}
		st, err := store.Status(ctx, s.Log)
		return err == nil && st.Lag == 0
	})
	defer func() { _ = store.Close() }() // nothing was written
	v, err := store.Verify(ctx, s.Log, func(f archive.Finding) { s.t.Errorf("%s: event %d of %s %s", f.Kind, f.Sequence, f.Subject, f.Detail) })
	s.Must(err)
	if int(v.Payments) != s.n {
		s.t.Errorf("the archive has %d payments of %d", v.Payments, s.n)
	}
}

// survives breaks the database while payments are executed: they go on, the lag and the database's state are seen, and when the database
// is back the archive catches up by itself, with nothing missing.
func (s *copied) survives(ctx context.Context, breakIt, repair func()) {
	s.t.Helper()
	s.pay(ctx, 3)
	s.caughtUp(ctx)
	breakIt()
	s.pay(ctx, 20)
	s.happens(ctx, "the lag rises and the database is called away", func() bool {
		lag, database := s.shows(ctx)
		return lag > 0 && database == 0
	})
	if status, text := s.Get(ctx, "http://"+s.admin+"/readyz"); status != 503 {
		s.t.Errorf("/readyz of the archive: %d %s", status, text)
	}
	before, _ := s.shows(ctx)
	s.pay(ctx, 20)
	s.happens(ctx, "the lag rises on", func() bool { lag, _ := s.shows(ctx); return lag > before })
	repair()
	s.caughtUp(ctx)
	s.pay(ctx, 3)
	s.caughtUp(ctx)
}

// The disk of SQLite is really full.
func TestArchiveOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := natstest.NewDisk(t, 4<<20)
	startCopied(t, archive.Location{File: filepath.Join(disk.Dir, "archive.db")}).survives(within(t, timeout), disk.Fill, disk.MakeRoom)
}

func TestArchiveWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := startCopied(t, archive.Location{URL: secret.New(server.URL())})
	s.survives(within(t, timeout), func() { s.Must(server.Stop()) }, func() { s.Must(server.Restart()) })
}

// The database takes reads and refuses writes, as some operators of databases have it do when a disk fills.
func TestArchiveWithAReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := startCopied(t, archive.Location{URL: secret.New(server.URL())})
	ctx := within(t, timeout)
	db, err := sql.Open("pgx", server.URL())
	s.Must(err)
	t.Cleanup(func() { _ = db.Close() })
	statements := func(all ...string) func() {
		return func() {
			for _, statement := range all {
				_, err := db.ExecContext(ctx, statement)
				s.Must(err)
			}
		}
	}
	s.survives(ctx,
		statements("ALTER DATABASE postgres SET default_transaction_read_only = on", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'payonce-archive'"),
		statements("ALTER DATABASE postgres SET default_transaction_read_only = off"))
}
