package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// Audit keeps a record of what a person does. A nil error means that it is kept: do the deed only then.
// Repeated within two minutes, a record is kept once.
func (c *Conn) Audit(ctx context.Context, r events.AuditRecord) error {
	id := r.ID + "-" + string(r.Stage)
	out, err := events.EncodeAudit(r, id)
	if err == nil {
		err = c.publish(ctx, newMessage(ctx, out, id))
	}
	if err != nil {
		return fmt.Errorf("audit record: %w", err)
	}
	return nil
}

// AuditEntry is a record as it stands in AUDIT.
type AuditEntry struct {
	Sequence uint64
	StoredAt time.Time
	Subject  string
	Record   events.AuditRecord // empty when Problem says why it cannot be read
	Problem  string
}

// Audits returns at most max audit records after a sequence, oldest first; 0 begins at the first. Fewer
// than max means that there are no more.
func (c *Conn) Audits(ctx context.Context, after uint64, max int) ([]AuditEntry, error) {
	stream, err := c.stream(ctx, events.StreamAudit)
	if err != nil {
		return nil, fmt.Errorf("audit records: %w", err)
	}
	var entries []AuditEntry
	for len(entries) < max {
		raw, err := stream.GetMsg(ctx, after+1, njs.WithGetMsgSubject("operator.>"))
		if errors.Is(err, njs.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("audit records after %d: %w", after, err)
		}
		entry := AuditEntry{Sequence: raw.Sequence, StoredAt: raw.Time, Subject: raw.Subject}
		if entry.Record, err = events.DecodeAudit(raw.Data); err != nil {
			entry.Problem = "it is not an audit record"
		}
		entries, after = append(entries, entry), raw.Sequence
	}
	return entries, nil
}
