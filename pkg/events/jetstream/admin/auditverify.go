package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// AuditFinding is what is wrong with AUDIT or, by what AUDIT remembers, with the log.
type AuditFinding struct {
	Sequence uint64 `json:"sequence"` // of the record in AUDIT
	Problem  string `json:"problem"`
}

// AuditCheck is what [Conn.VerifyAudit] found.
type AuditCheck struct {
	Records  int            `json:"records"`
	Chained  int            `json:"chained"` // records with a link; those of older versions have none
	Copies   int            `json:"copies"`  // -1 where the server has no account for copies
	Findings []AuditFinding `json:"findings"`
}

// VerifyAudit reads all of AUDIT and says where its chain is broken, which records name another person than the server
// does, and which are missing in the copy, or are other there. It changes nothing.
func (c *Conn) VerifyAudit(ctx context.Context) (AuditCheck, error) {
	check := AuditCheck{Copies: -1, Findings: []AuditFinding{}}
	chain := auditChain{check: &check}
	kept := map[string]auditEntry{}
	if err := c.eachAudit(ctx, func(e auditEntry) {
		chain.next(e)
		key := e.id
		if key == "" { // it can have no copy
			key = fmt.Sprint("sequence ", e.Sequence)
		}
		if _, again := kept[key]; again {
			chain.found(e.Sequence, "another record has the same id")
			return
		}
		kept[key] = e
	}); err != nil {
		return check, fmt.Errorf("verify the audit: %w", err)
	}
	check.Records = len(kept)
	if c.cfg.Accounts {
		if err := c.compareCopy(ctx, kept, &check); err != nil {
			return check, fmt.Errorf("verify the audit: %w", err)
		}
	}
	return check, nil
}

func (c *Conn) eachAudit(ctx context.Context, each func(auditEntry)) error {
	for raw, err := range c.broker.Messages(ctx, events.StreamAudit, ">", 0) {
		if err != nil {
			return fmt.Errorf("audit records: %w", err)
		}
		each(entryOf(raw))
	}
	return nil
}

// auditChain checks each record against the one before it.
type auditChain struct {
	check *AuditCheck
	last  auditEntry
	began bool // a record with a link was seen: all later ones must have one
}

func (a *auditChain) found(sequence uint64, format string, args ...any) {
	a.check.Findings = append(a.check.Findings, AuditFinding{sequence, fmt.Sprintf(format, args...)})
}

func (a *auditChain) next(e auditEntry) {
	defer func() { a.last = e }()
	if e.Problem != "" {
		a.found(e.Sequence, "%s", e.Problem)
	}
	if gap := e.Sequence - a.last.Sequence; a.last.Sequence != 0 && gap != 1 {
		a.found(e.Sequence, "%d earlier records are missing", gap-1)
		return
	}
	link := e.Record.Previous
	if e.Problem != "" {
		return
	}
	if link == (events.AuditLink{}) {
		if a.began || a.last.Record.LogState != (events.LogState{}) {
			a.found(e.Sequence, "it has no link to the previous record: it was not written by payctl or a worker")
		}
		return
	}
	a.began = true
	a.check.Chained++
	switch {
	case link.Sequence != e.Sequence-1:
		a.found(e.Sequence, "it claims to follow record %d", link.Sequence)
	case a.last.Sequence != 0 && link.Hash != a.last.hash:
		a.found(e.Sequence, "the previous record was changed after this one was written")
	case a.last.Sequence == 0 && link.Sequence == 0 && e.Sequence != 1:
		a.found(e.Sequence, "earlier records are missing")
	}
}

// compareCopy compares the copies with the records.
func (c *Conn) compareCopy(ctx context.Context, kept map[string]auditEntry, check *AuditCheck) error {
	js, err := njs.NewWithAPIPrefix(c.broker.NATS, copyPrefix)
	if err != nil {
		return err
	}
	stream, err := js.Stream(ctx, events.StreamAuditCopy)
	if err != nil {
		return fmt.Errorf("stream %s: %w", events.StreamAuditCopy, err)
	}
	copies := map[string]bool{}
	begins := time.Time{}
	for after := uint64(0); ; {
		raw, err := stream.GetMsg(ctx, after+1, njs.WithGetMsgSubject(">"))
		if errors.Is(err, njs.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s after %d: %w", events.StreamAuditCopy, after, err)
		}
		after = raw.Sequence
		if begins.IsZero() {
			begins = raw.Time
		}
		id := raw.Header.Get(broker.HeaderMessageID)
		copies[id] = true
		switch original, there := kept[id]; {
		case !there:
			check.Findings = append(check.Findings, AuditFinding{0, fmt.Sprintf("the copy %d (%s) is not in AUDIT", raw.Sequence, raw.Subject)})
		case raw.Subject != events.StoredCopySubject(original.Subject):
			check.Findings = append(check.Findings, AuditFinding{original.Sequence, fmt.Sprintf("its copy %d was written by another account: %s", raw.Sequence, raw.Subject)})
		case original.hash != events.AuditHash(original.Subject, raw.Data):
			check.Findings = append(check.Findings, AuditFinding{original.Sequence, fmt.Sprintf("its copy %d differs", raw.Sequence)})
		}
	}
	check.Copies = len(copies)
	for id, original := range kept { // those from before there was a copy have none
		linked := original.Record.LogState != (events.LogState{}) || original.Record.Previous != (events.AuditLink{})
		if !copies[id] && (begins.IsZero() && linked || !begins.IsZero() && original.StoredAt.After(begins)) {
			check.Findings = append(check.Findings, AuditFinding{original.Sequence, "it has no copy"})
		}
	}
	return nil
}
