package admin

import (
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
)

// heartbeatBytes is what all heartbeats take together.
const heartbeatBytes = 4 << 20

// heartbeatStream is the stream behind the bucket. It is on disk, because a server that is alone forgets a stream in memory
// with its definition when it restarts. It has no rollups, so a process that may write its own entry cannot remove another's.
func heartbeatStream(c jetstream.Config) njs.StreamConfig {
	s := baseStream(c, events.StreamHeartbeats, "How each worker and ingress is, as long as it says so", events.HeartbeatSubject(">"))
	s.MaxMsgsPerSubject, s.MaxMsgSize, s.MaxBytes = 1, events.MaxHeartbeatBytes, heartbeatBytes
	s.MaxAge, s.Duplicates = c.HeartbeatTTL, min(c.HeartbeatTTL, duplicateWindow)
	s.DenyDelete, s.AllowDirect = true, true
	return s
}
