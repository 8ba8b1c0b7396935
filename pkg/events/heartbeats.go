package events

import (
	"time"

	"payonce/pkg/payment"
)

// HeartbeatBucket is the key-value bucket in which each running worker, ingress, archive and notifier says how it is. Its entries vanish by
// themselves, so that one that died is missed soon. StreamHeartbeats is the stream behind it.
const (
	HeartbeatBucket  = "HEARTBEATS"
	StreamHeartbeats = "KV_" + HeartbeatBucket
)

// MaxHeartbeatBytes is the largest heartbeat.
const MaxHeartbeatBytes = 128 << 10

// HeartbeatKey is where one process writes, e.g. "worker.0b5e…": the server lets a service write under its own name only.
func HeartbeatKey(service, id string) string { return join(service, id) }

// HeartbeatSubject is the subject of a key.
func HeartbeatSubject(key string) string { return join("$KV", HeartbeatBucket, key) }

// Level is how full the queue of one provider is.
type Level struct {
	// Ready commands were taken by no worker yet; parked ones are not ready. OldestReadyAt is when the oldest of them was
	// stored, zero when there is none.
	Ready         int64     `json:"ready"`
	OldestReadyAt time.Time `json:"oldest_ready_at,omitzero"`
	// InWork are commands that a worker has, or that wait for a retry.
	InWork int64 `json:"in_work"`
	// ReadyWebhooks were taken by no worker yet.
	ReadyWebhooks        int64     `json:"ready_webhooks"`
	OldestReadyWebhookAt time.Time `json:"oldest_ready_webhook_at,omitzero"`
	// DeadLetters are those that no operator has dealt with.
	DeadLetters        int64     `json:"dead_letters"`
	OldestDeadLetterAt time.Time `json:"oldest_dead_letter_at,omitzero"`
}

// LogEntry is an event of the log as its subject and headers give it.
type LogEntry struct {
	payment.Ref
	Status   payment.Status
	Sequence uint64
	StoredAt time.Time
	First    bool // it is the payment's first event
	// Unreadable says that its body cannot be read: it was not written by payonce.
	Unreadable bool
	// Described says that Reason, Overdue and ResumeAt are known: versions before wrote them into the body alone.
	Described bool
	Reason    string    // its code
	Overdue   bool      // a person was alerted that the payment is open for too long
	ResumeAt  time.Time // of a parked payment
}
