package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// Error codes of a broker that has no room, from its errors.json. They end by themselves when there is room.
const (
	codeAccountResources = 10002 // "resource limits exceeded for account"
	codeMemoryResources  = 10028 // "insufficient memory resources available"
	codeStorageResources = 10047 // "insufficient storage resources available"
	codeStoreFailed      = 10077 // what the store says, e.g. "maximum bytes exceeded"
)

// nextNotWritable is what a person does about a stream that cannot be written.
const nextNotWritable = "free disk space on the nats-server that leads the stream, then restart it: " +
	"it refuses writes until its restart (docs/runbooks/PayonceStreamNotWritable.md)"

// Writes knows which streams store what this process publishes.
//
// Only publishes can show it. A nats-server (2.15) without replicas whose disk was full once keeps the stream's write
// error until it restarts. It answers reads, and compares expected sequences before it looks at that error, but
// gives no answer to a write.
type Writes struct {
	mu      sync.Mutex
	begun   uint64              // publishes
	streams map[string]*failure // every stream that was published to; nil where the last known publish was stored
}

// failure is a stream whose last publishes were not stored.
type failure struct {
	since time.Time // when the first of them failed
	begun uint64    // publishes that were begun until then
	err   error     // of the last one
	// confirmed says that the broker named the reason, or that a publish failed which was begun after another had
	// failed. One lost acknowledgement proves nothing.
	confirmed bool
	evidence  evidence // at the first failure, and then of the first look
	looked    bool
}

// evidence is what changes when a stream was written by any client, or has another leader, or its server was
// restarted.
type evidence struct {
	server      string // id of the server that this process is connected to, if it leads the stream: new after each start
	leader      string
	leaderSince time.Time // zero on a server without a cluster
	last        uint64    // sequence in the stream
}

// begin counts a publish. What it returns orders publishes, whatever a clock says.
func (w *Writes) begin() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun++
	return w.begun
}

// stored notes that a stream takes writes. It reports whether that is news.
func (w *Writes) stored(stream string) (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.streams[stream]
	w.streams[stream] = nil
	return before != nil && before.confirmed
}

// failed notes that a publish was not stored. certain says that the broker said so. It reports whether it is
// news that the stream cannot be written.
func (w *Writes) failed(stream string, publish uint64, certain bool, err error, now time.Time, server string) (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.streams[stream]
	if f == nil {
		f = &failure{since: now, begun: w.begun, evidence: evidence{server: server}}
		w.streams[stream] = f
	}
	before := f.confirmed
	f.confirmed = before || certain || publish > f.begun
	f.err = err
	return f.confirmed && !before
}

// looked compares what a stream looks like with how it looked after the first failure. It reports whether the
// stream was written or its server was changed or restarted since.
func (w *Writes) looked(stream string, now evidence) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.streams[stream]
	if f == nil {
		return false
	}
	restarted := f.evidence.server != "" && now.server != "" && f.evidence.server != now.server
	if f.looked && f.evidence != now || restarted {
		return true
	}
	f.looked, f.evidence = true, now
	return false
}

// AllFailing returns the streams whose last known publish was not stored, certain or not.
func (w *Writes) AllFailing() (streams []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for stream, f := range w.streams {
		if f != nil {
			streams = append(streams, stream)
		}
	}
	return streams
}

// Failing is AllFailing for one stream.
func (w *Writes) Failing(stream string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.streams[stream] != nil
}

// Known returns for each stream that was published to whether it can be written.
func (w *Writes) Known() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string]bool{}
	for stream, f := range w.streams {
		all[stream] = f == nil || !f.confirmed
	}
	return all
}

// Err says which streams cannot be written, and what to do.
func (w *Writes) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var problems []error
	for _, stream := range slices.Sorted(maps.Keys(w.streams)) {
		if f := w.streams[stream]; f != nil && f.confirmed {
			problems = append(problems, fmt.Errorf("%s not writable since %s: %w; next: %s",
				stream, f.since.UTC().Format(time.RFC3339), f.err, nextNotWritable))
		}
	}
	return errors.Join(problems...)
}

// noteWrite learns from the result of a publish whether its stream can be written.
func (c *Client) noteWrite(subject string, publish uint64, ack *njs.PubAck, err error) {
	stream := c.streamOf(subject)
	switch {
	case err == nil && ack.Duplicate: // answered from memory
	case err == nil:
		c.NoteStored(stream)
	case NoRoom(err), noAnswer(err) && c.NATS.IsConnected():
		if last := c.NATS.LastError(); noAnswer(err) && errors.Is(last, nats.ErrPermissionViolation) && strings.Contains(last.Error(), subject) {
			err = last
		} else if noAnswer(err) {
			err = fmt.Errorf("no answer to a publish (%w)", err)
		}
		if c.Writes.failed(stream, publish, NoRoom(err), err, c.Now(), c.NATS.ConnectedServerId()) {
			c.Log.Error("stream not writable", "stream", stream, "error", err, "next", nextNotWritable)
		}
	}
}

// NoteStored notes that a stream stored something.
func (c *Client) NoteStored(stream string) {
	if c.Writes.stored(stream) {
		c.Log.Info("stream writable again", "stream", stream)
	}
}

// NoRoom reports whether the broker said that it does not store for want of room.
func NoRoom(err error) bool {
	var api *njs.APIError
	return errors.As(err, &api) && slices.Contains(
		[]njs.ErrorCode{codeAccountResources, codeFewResources, codeMemoryResources, codeStorageResources, codeStoreFailed}, api.ErrorCode)
}

// noAnswer reports whether the stream did not answer.
func noAnswer(err error) bool {
	for _, silent := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, njs.ErrNoStreamResponse} {
		if errors.Is(err, silent) {
			return true
		}
	}
	return false
}

// streamOf returns the stream that takes a subject of ours.
func (c *Client) streamOf(subject string) string {
	if c.Apart {
		return events.IntakeStream(events.IngressIntake)
	}
	return streamOf(subject)
}

// streamOf returns the stream that takes a subject in the account of our programs.
func streamOf(subject string) string {
	first, _, _ := strings.Cut(subject, ".")
	switch first {
	case "payment":
		return events.StreamPayments
	case "webhook":
		return events.StreamWebhooks
	case "deadletter":
		return events.StreamDeadLetters
	case "operator":
		return events.StreamAudit
	case "action":
		return events.StreamActions
	case "endpoint":
		return events.StreamEndpoints
	}
	if subject == events.ProbeSubject(events.StreamWebhooks) {
		return events.StreamWebhooks
	}
	return events.StreamCommands
}

// LookAt asks what became of a stream that failed and is not probed.
func (c *Client) LookAt(ctx context.Context, stream string) {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	handle, err := c.JS.Stream(ctx, stream)
	if err != nil {
		return // it is as it was, or gone
	}
	info := handle.CachedInfo()
	now := evidence{last: info.State.LastSeq}
	if cluster := info.Cluster; cluster != nil {
		now.leader = cluster.Leader
		if cluster.LeaderSince != nil {
			now.leaderSince = *cluster.LeaderSince
		}
	}
	if now.leader == "" || now.leader == c.NATS.ConnectedServerName() {
		now.server = c.NATS.ConnectedServerId()
	}
	if c.Writes.looked(stream, now) {
		c.NoteStored(stream)
	}
}
