package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

var (
	partsTimes   = flag.Int("parts-times", 0, "TestMeasureParts: how often each part is done; 0 only tries it out")
	partsCallers = flag.Int("parts-callers", 128, "TestMeasureParts: how many do it at the same time")
)

// TestMeasureParts measures what the parts of a payment cost in processor time that payonce has beyond the bare loop, each by
// itself. docs/performance.md adds them up. It holds no time; it checks that each part was done.
func TestMeasureParts(t *testing.T) {
	redistest.Require(t)
	t.Cleanup(testenv.RemoveBuilds)
	m := newParts(t, max(*partsTimes, 50))
	m.measure("a publish with its acknowledgement, 700 bytes", m.publish)
	m.measure("the append of an intent", m.intend)
	m.measure("a link, and the append of its event", m.accept)
	m.measure("SET NX", m.setNX)
	m.measure("claim and release", m.claimAndRelease)
	if got := m.s.stored(); got != 3*m.times {
		t.Errorf("the log has %d messages after %d times three", got, m.times)
	}
}

// parts does parts of payments.
type parts struct {
	s        *system
	conn     *jetstream.Conn // that makes no batches: what one append costs
	client   goredis.UniversalClient
	claims   idempotency.Store
	times    int
	payments []payment.Payment
	last     []uint64 // sequence of each payment's last event
}

func newParts(t *testing.T, times int) *parts {
	t.Helper()
	s := start(t, t.TempDir(), setting{nodes: 1, slots: *partsCallers, workers: 1})
	cfg := streamconfig.Of(config.Defaults())
	cfg.GroupCommit = jetstream.GroupCommitNever
	client := s.redisClient()
	t.Cleanup(func() { _ = client.Close() })
	return &parts{
		s: s, conn: testenv.Connect(t, jetstream.Options{URLs: s.urls(), Config: cfg}).Conn,
		client: client, claims: redis.New(client, redis.Options{}), times: times,
		payments: make([]payment.Payment, times), last: make([]uint64, times),
	}
}

// measure does a part as often as is to be done, and logs what one took.
func (m *parts) measure(name string, do func(ctx context.Context, i int) error) {
	t, ctx := m.s.t, m.s.t.Context()
	before, own := m.s.spent(), processorTime(t, os.Getpid())
	var group errgroup.Group
	group.SetLimit(m.s.slots)
	for i := range m.times {
		group.Go(func() error { return do(ctx, i) })
	}
	testenv.Must(t, group.Wait())
	after := m.s.spent()
	after.worker = processorTime(t, os.Getpid()) - own
	each := after.minus(before).of(m.times)
	t.Logf("%-48s %4d µs of the client, %4d of the broker, %4d of Redis", name, each.worker.Microseconds(), each.broker.Microseconds(), each.redis.Microseconds())
}

func partsOrder(i int) string { return fmt.Sprintf("B-2026-11-%d", 1_000_000+i) }

func (m *parts) publish(ctx context.Context, i int) error {
	ref := deposit("A" + partsOrder(i)).Ref
	_, err := m.s.js.PublishMsg(ctx, &nats.Msg{Subject: events.PaymentSubject(payment.Settled, ref), Data: make([]byte, 700)})
	return err
}

func (m *parts) intend(ctx context.Context, i int) error {
	return m.append(ctx, i, payment.New(deposit(partsOrder(i))), payment.Observation{Kind: payment.Intend, Source: payment.FromWorker})
}

func (m *parts) accept(ctx context.Context, i int) error {
	return m.append(ctx, i, m.payments[i], payment.Observation{
		Kind: payment.Accepted, Source: payment.FromSubmit, Attempt: m.payments[i].Attempts, Reference: "P" + partsOrder(i),
		Action: &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: http.MethodGet, URL: "https://pay.example.com/cashier/" + uuid.NewString()}},
	})
}

func (m *parts) append(ctx context.Context, i int, p payment.Payment, o payment.Observation) (err error) {
	if m.payments[i], _, err = payment.Decide(p, o, time.Now().UTC()); err != nil {
		return err
	}
	m.last[i], err = m.conn.Append(ctx, m.payments[i], m.last[i])
	return err
}

func (m *parts) setNX(ctx context.Context, i int) error {
	return m.client.SetNX(ctx, partsOrder(i), "1", time.Hour).Err()
}

func (m *parts) claimAndRelease(ctx context.Context, i int) error {
	ref := deposit(partsOrder(i)).Ref
	claim, err := m.claims.Claim(ctx, ref, idempotency.Request{Owner: uuid.NewString(), Lease: time.Minute, Retention: 400 * 24 * time.Hour})
	if err != nil {
		return err
	}
	return m.claims.Release(ctx, ref, claim.Held)
}
