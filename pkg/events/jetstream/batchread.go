package jetstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
)

const (
	// readBatch is how many events one request reads, and readBatchBytes how many bytes of them at most.
	readBatch      = 256
	readBatchBytes = 4 << 20
	// readTimeout is how long the next event of a batch may take.
	readTimeout = 30 * time.Second
)

// logRead is a request for events of the log ("direct get" of JetStream, ADR-31).
type logRead struct {
	Sequence uint64     `json:"seq,omitempty"`
	From     *time.Time `json:"start_time,omitempty"`
	Subject  string     `json:"next_by_subj"`
	Batch    int        `json:"batch"`
	MaxBytes int        `json:"max_bytes"`
}

// logEvent is an event of the log as it is stored.
type logEvent struct {
	subject  string
	at       time.Time
	sequence uint64
	header   events.Header
	data     []byte
}

// readLog gives each event of the log that is asked for, by subject and by time or sequence, to each, oldest first, until
// there is no more, each says so, or it fails. It needs no consumer: who may make one can have the server write to any subject.
func (c *Conn) readLog(ctx context.Context, request logRead, each func(logEvent) (more bool, err error)) error {
	request.Batch, request.MaxBytes = readBatch, readBatchBytes
	for {
		last, more, err := c.readLogBatch(ctx, request, each)
		if err != nil || !more {
			return err
		}
		request.Sequence, request.From = last+1, nil
	}
}

// readLogBatch reads one batch. more says that there may be others after the sequence last.
func (c *Conn) readLogBatch(ctx context.Context, request logRead, each func(logEvent) (bool, error)) (last uint64, more bool, err error) {
	body, err := json.Marshal(request)
	if err != nil {
		return 0, false, err
	}
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := c.nc.PublishRequest("$JS.API.DIRECT.GET."+events.StreamPayments, inbox, body); err != nil {
		return 0, false, err
	}
	for {
		m, err := nextOf(ctx, sub)
		if err != nil {
			return 0, false, fmt.Errorf("read the log: %w", err)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // end of the batch
			return last, last != 0 && m.Header.Get("Nats-Num-Pending") != "0", nil
		case "404":
			return last, false, nil
		default:
			return 0, false, fmt.Errorf("read the log: %s %s", status, m.Header.Get("Description"))
		}
		sequence, seqErr := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		at, timeErr := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
		if seqErr != nil || timeErr != nil {
			return 0, false, fmt.Errorf("read the log: an event without sequence or time on %s", m.Header.Get("Nats-Subject"))
		}
		last = sequence
		e := logEvent{m.Header.Get("Nats-Subject"), at, sequence, events.Header(m.Header), m.Data}
		if more, err := each(e); err != nil || !more {
			return last, false, err
		}
	}
}

func nextOf(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}
