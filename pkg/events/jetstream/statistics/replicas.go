package statistics

import (
	"context"
	"fmt"

	"payonce/pkg/events/jetstream/admin"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// MetricReplicasBehind counts replicas that do not have all of a stream, or are away, by stream.
const MetricReplicasBehind = "payonce.streams.replicas_behind"

// MetricStreamFill is how full each stream is that takes nothing beyond a limit in bytes, from 0 to 1.
const MetricStreamFill = "payonce.streams.fill"

// streamLevels counts by stream the replicas that the leader does not call current, and says how full those streams are
// that have a limit. A replica that stays behind, for example after its disk was full, answers reads of the log with what it
// has until its server is restarted.
func (r *Reporter) streamLevels(ctx context.Context) (replicasBehind map[string]int64, fill map[string]float64, err error) {
	counts, fill := map[string]int64{}, map[string]float64{}
	for _, name := range admin.StreamNames(r.cfg) {
		stream, err := r.broker.JS.Stream(ctx, name)
		if err != nil {
			return nil, nil, fmt.Errorf("state of %s: %w", name, err)
		}
		info, behind := stream.CachedInfo(), int64(0)
		if name == events.StreamPayments {
			r.progress.compare(info.State.LastSeq, r.now())
		}
		if info.Config.MaxBytes > 0 && info.Config.Discard == njs.DiscardNew { // what forgets the oldest is never full
			fill[name] = float64(info.State.Bytes) / float64(info.Config.MaxBytes)
		}
		if cluster := info.Cluster; cluster != nil {
			for _, replica := range cluster.Replicas {
				if !replica.Current || replica.Offline {
					behind++
				}
			}
		}
		counts[name] = behind
	}
	return counts, fill, nil
}
