package jetstream

import (
	"context"
	"fmt"
)

// MetricReplicasBehind counts replicas that do not have all of a stream, or are away, by stream.
const MetricReplicasBehind = "payonce.streams.replicas_behind"

// replicasBehind counts by stream the replicas that the leader does not call current. One that stays behind, for
// example after its disk was full, answers reads of the log with what it has until its server is restarted.
func (c *Conn) replicasBehind(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	for _, config := range streamConfigs(c.cfg) {
		stream, err := c.js.Stream(ctx, config.Name)
		if err != nil {
			return nil, fmt.Errorf("replicas of %s: %w", config.Name, err)
		}
		behind := int64(0)
		if cluster := stream.CachedInfo().Cluster; cluster != nil {
			for _, replica := range cluster.Replicas {
				if !replica.Current || replica.Offline {
					behind++
				}
			}
		}
		counts[config.Name] = behind
	}
	return counts, nil
}
