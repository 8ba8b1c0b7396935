package main

import (
	"bufio"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // reads the size of an archive
	"golang.org/x/sync/errgroup"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
	"payonce/test/bench/baseline"
	"payonce/test/pgtest"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

var sizePayments = flag.Int("size-payments", 0, "TestMeasureSize: so many payments; 0 only tries it out")

// TestMeasureSize measures what a settled deposit takes of the memory and disk of NATS, of Redis and of the archive. docs/sizing.md
// has the figures. It holds no size; it checks that all payments are there.
func TestMeasureSize(t *testing.T) {
	redistest.Require(t)
	t.Cleanup(testenv.RemoveBuilds)
	n := max(*sizePayments, 50)
	s := start(t, t.TempDir(), setting{nodes: 1, slots: 64, workers: 1})
	before := s.sizes()
	s.settleAll(n)
	t.Logf("%-22s %7.0f bytes a payment at once", "NATS, live memory", (s.heap()-before["NATS, live memory"])/float64(n))
	if *sizePayments > 0 { // until the broker has forgotten the ids of messages
		<-time.After(3 * time.Minute)
	}
	after := s.sizes()
	after["archive, SQLite"] = s.archived(t, n, archive.Location{File: filepath.Join(t.TempDir(), "archive.db")}, func(place archive.Location) float64 { return diskUsed(t, filepath.Dir(place.File)) })
	server := pgtest.Start(t)
	after["archive, PostgreSQL"] = s.archived(t, n, archive.Location{URL: secret.New(server.URL()), Schema: "size"}, func(archive.Location) float64 { return schemaSize(t, server.URL()) })
	for _, name := range []string{"NATS, live memory", "NATS, resident memory", "NATS, disk", "PAYMENTS", "ACTIONS", "WEBHOOKS", "Redis, memory", "Redis, disk", "archive, SQLite", "archive, PostgreSQL"} {
		t.Logf("%-22s %7.0f bytes a payment", name, (after[name]-before[name])/float64(n))
	}
	if got := s.stored(); got != n*3 {
		t.Errorf("the log has %d events of %d payments", got, n)
	}
}

// settleAll writes what workers write for n deposits that settle: claims, events, links, webhooks.
func (s *system) settleAll(n int) {
	client := s.redisClient()
	defer func() { _ = client.Close() }()
	claims := redis.New(client, redis.Options{})
	var group errgroup.Group
	group.SetLimit(s.slots)
	for i := range n {
		group.Go(func() error {
			p, err := s.settle(claims, "S-2026-11-"+strconv.Itoa(1_000_000+i))
			if err != nil {
				return err
			}
			return keepWebhook(s.t.Context(), s.conn, p)
		})
	}
	testenv.Must(s.t, group.Wait())
}

// keepWebhook stores a webhook as a provider sends it: with the headers that proxies add, and a signature.
func keepWebhook(ctx context.Context, conn *admin.Conn, p payment.Payment) error {
	body := fmt.Sprintf(`{"payment_cl_id":%q,"payment_id":%q,"platform_id":%q,"amount":"10000","currency":"KRW","status":"2","created_at":%q,"sign":"%064d"}`,
		p.Order, p.ProviderReference, baseline.PlatformID, p.UpdatedAt.Format(time.RFC3339), 0)
	id := uuid.NewString()
	out, err := events.EncodeWebhook(events.Webhook{Ref: p.Ref, ReceivedAt: p.UpdatedAt, Body: []byte(body), Header: http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"Go-http-client/1.1"}, "Accept-Encoding": {"gzip"}, "Content-Length": {strconv.Itoa(len(body))},
		"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Proto": {"https"}, "X-Request-Id": {id},
	}}, id)
	if err != nil {
		return err
	}
	return conn.PublishWebhook(ctx, out, id)
}

// sizes are what the servers hold, in bytes.
func (s *system) sizes() map[string]float64 {
	sizes := map[string]float64{
		"NATS, live memory": s.heap(), "NATS, disk": diskUsed(s.t, s.nats[0].Store), "Redis, memory": s.redisInfo("used_memory"), "Redis, disk": s.redisInfo("aof_current_size"),
	}
	resident, err := s.nats[0].Memory("VmRSS")
	testenv.Must(s.t, err)
	sizes["NATS, resident memory"] = float64(resident) * 1024
	for _, name := range []string{events.StreamPayments, events.StreamActions, events.StreamWebhooks} {
		stream, err := s.js.Stream(s.t.Context(), name)
		testenv.Must(s.t, err)
		sizes[name] = float64(stream.CachedInfo().State.Bytes)
	}
	return sizes
}

// heap is what the broker's heap has after a collection.
func (s *system) heap() (size float64) {
	response, err := http.Get(s.profiler + "/debug/pprof/heap?gc=1&debug=1")
	testenv.Must(s.t, err)
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, is := strings.CutPrefix(lines.Text(), "# HeapAlloc = "); is {
			size, err = strconv.ParseFloat(value, 64)
			testenv.Must(s.t, err)
		}
	}
	return size
}

// archived is the size of an archive of the log.
func (s *system) archived(t *testing.T, payments int, place archive.Location, size func(archive.Location) float64) float64 {
	t.Helper()
	c := startCopier(t, s, place)
	testenv.Await(t.Context(), t, "the archive has all", func() bool { lag, _ := c.behind(t); return lag == 0 })
	testenv.Must(t, c.process.Stop(testenv.StopTimeout))
	st, err := c.store.Status(t.Context(), testenv.Connect(t, jetstream.Options{URLs: s.urls()}))
	testenv.Must(t, err)
	if int(st.Payments) != payments {
		t.Errorf("the archive has %d payments of %d", st.Payments, payments)
	}
	return size(place)
}

func schemaSize(t *testing.T, url string) (size float64) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	testenv.Must(t, err)
	defer func() { _ = db.Close() }()
	testenv.Must(t, db.QueryRowContext(t.Context(), "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'size' AND c.relkind = 'r'").Scan(&size))
	return size
}
