package jetstream_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
	"payonce/test/testenv"
)

// BenchmarkAppends measures appends of new orders by so many callers, each of which makes one after the other, on a nats-server
// that is a process of its own.
//
//	go test ./pkg/events/jetstream -run - -bench Appends -benchtime 20000x
func BenchmarkAppends(b *testing.B) {
	for _, unsynced := range []bool{false, true} {
		for _, callers := range []int{8, 32, 64, 128, 256} {
			for _, mode := range []string{jetstream.GroupCommitNever, jetstream.GroupCommitAuto, jetstream.GroupCommitAlways} {
				name := fmt.Sprintf("sync=always/callers=%d/group=%s", callers, mode)
				if unsynced {
					name = fmt.Sprintf("sync=default/callers=%d/group=%s", callers, mode)
				}
				b.Run(name, func(b *testing.B) { benchmarkAppends(b, unsynced, callers, mode) })
			}
		}
	}
}

func benchmarkAppends(b *testing.B, unsynced bool, callers int, mode string) {
	server := testenv.StartNATS(b, b.TempDir(), testenv.NATSOptions{Unsynced: unsynced})
	cfg := jetstreamtest.Config()
	cfg.GroupCommit, cfg.PublishTimeout = mode, 2*time.Second
	conn := testenv.Connect(b, jetstream.Options{URLs: []string{server.URL}, Config: cfg})
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Minute)
	defer cancel()
	if err := conn.EnsureStreams(ctx); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range callers {
		group.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if _, err := conn.Append(ctx, jetstreamtest.PaymentOf(jetstreamtest.Ref(fmt.Sprint(n)), payment.Submitting), 0); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
	count := &conn.Broker().Count
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(float64(count.BatchedAppends.Load())/float64(max(count.Batches.Load(), 1)), "appends/batch")
	b.ReportMetric(float64(count.BatchedAppends.Load())/float64(b.N), "batched")
}
