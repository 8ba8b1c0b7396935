package faults

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"payonce/internal/app"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// newLog connects to a nats-server and makes the streams.
func newLog(t testing.TB, server *natstest.Server) *testenv.System {
	t.Helper()
	s := &testenv.System{T: t, Dir: t.TempDir(), Log: testenv.Connect(t, jetstream.Options{URLs: []string{server.URL()}})}
	s.Must(s.Log.EnsureStreams(t.Context()))
	return s
}

// newEngine makes the real engine in this process, for tests that have their own clock or providers in memory.
func newEngine(t testing.TB, o worker.Options) *worker.Worker {
	t.Helper()
	client, err := redis.NewClient(redis.Config{Addresses: []string{miniredis.RunT(t).Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	o.Claims, o.Timing, o.NewID = redis.New(client, redis.Options{}), app.Timing(config.Defaults()), uuid.NewString
	engine, err := worker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return engine
}

// inBackground runs something until the test ends.
func inBackground(t testing.TB, run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func payoutOf(provider, order string) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: provider, Order: order}, Operation: payment.Payout, Amount: payment.KRW(10_000), RequestedAt: time.Now().UTC(),
		Customer: payment.Customer{Name: "홍길동", Phone: "01012345678"}, Account: payment.Account{Number: "1234567890", BankCode: "004"},
	}
}

func publish(ctx context.Context, log *admin.Conn, cmd payment.Command) error {
	out, err := events.EncodeCommand(cmd, uuid.NewString())
	if err != nil {
		return err
	}
	return log.PublishCommand(ctx, out)
}

// forEach does something for so many orders, 64 at a time.
func forEach(t testing.TB, n int, prefix string, do func(ctx context.Context, order string) error) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(64)
	for i := range n {
		group.Go(func() error { return do(ctx, fmt.Sprintf("%s-%d", prefix, i)) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// until waits for something that takes as long as a measurement.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := within(t, 20*time.Minute)
	testenv.Await(ctx, t, what, holds)
}

func percentile(all []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)*percent/100].Round(10 * time.Microsecond)
}

func ratio(a, b []time.Duration, percent int) float64 {
	return float64(percentile(a, percent)) / float64(max(percentile(b, percent), 1))
}
