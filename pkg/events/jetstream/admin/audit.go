package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// Audit keeps a record of what a person does, chained to the record before it, and its copy where the server has an account
// for copies. A nil error means that both are kept: perform the action only then. Repeated within two minutes, a record is
// kept once.
func (c *Conn) Audit(ctx context.Context, r events.AuditRecord) error {
	_, err := c.RecordRequest(ctx, r)
	return err
}

// RecordRequest is [Conn.Audit], and returns the record's sequence in AUDIT.
func (c *Conn) RecordRequest(ctx context.Context, r events.AuditRecord) (uint64, error) {
	sequence, err := c.appendAudit(ctx, r, auditAfter{})
	if err != nil {
		return 0, fmt.Errorf("audit record: %w", err)
	}
	return sequence, nil
}

// RecordAfter is [Conn.Audit], if the record with this sequence is the last one. Otherwise the error is [events.ErrStale]:
// another one was written meanwhile.
func (c *Conn) RecordAfter(ctx context.Context, r events.AuditRecord, last uint64) error {
	_, err := c.appendAudit(ctx, r, auditAfter{record: &last})
	if errors.Is(err, broker.ErrTaken) {
		err = events.ErrStale
	}
	if err != nil {
		return fmt.Errorf("audit record: %w", err)
	}
	return nil
}

// auditAfter says after which record another one is written; the zero value says after any.
type auditAfter struct {
	record  *uint64 // the last one of AUDIT
	account *uint64 // the last one of the record's own subject, 0 for none
}

// appendAudit writes a record after the last one, and returns its sequence. The error is broker.ErrTaken when another record
// than the one of after is the last.
func (c *Conn) appendAudit(ctx context.Context, r events.AuditRecord, after auditAfter) (uint64, error) {
	id := r.ID + "-" + string(r.Stage)
	state, err := c.LogState(ctx)
	if err == nil {
		r.LogState = state
	} else { // what a person must do now must not wait for the log
		c.log.WarnContext(ctx, "cannot add the state of the log to the audit record", "error", err)
	}
	for wait := broker.NewBackoff(); ; {
		link, err := c.lastAudit(ctx)
		if err != nil {
			return 0, err
		}
		if after.record != nil && link.Sequence != *after.record {
			return 0, broker.ErrTaken
		}
		r.Previous = link
		out, err := events.EncodeAudit(r, id)
		if err != nil {
			return 0, err
		}
		msg := broker.NewMessage(ctx, out, id)
		msg.Header.Set(njs.ExpectedLastSeqHeader, strconv.FormatUint(link.Sequence, 10))
		if after.account != nil {
			msg.Header.Set(njs.ExpectedLastSubjSeqHeader, strconv.FormatUint(*after.account, 10))
		}
		err = c.broker.Publish(ctx, msg)
		if errors.Is(err, broker.ErrTaken) {
			err = c.whoIsAudited(ctx, link.Sequence, id)
		}
		if errors.Is(err, broker.ErrTaken) && after.account != nil {
			if last, lastErr := c.LastAccount(ctx, r.Provider); lastErr != nil || last.Sequence != *after.account {
				return 0, errors.Join(broker.ErrTaken, lastErr)
			}
		}
		if errors.Is(err, broker.ErrTaken) && c.broker.Again(ctx, wait) {
			continue
		}
		if err != nil {
			return 0, err
		}
		return link.Sequence + 1, c.copyAudit(ctx, out, id)
	}
}

// lastAudit returns the link to the last record of AUDIT.
func (c *Conn) lastAudit(ctx context.Context) (events.AuditLink, error) {
	var link events.AuditLink
	err := c.broker.Ask(ctx, func(ctx context.Context) error {
		stream, err := c.broker.JS.Stream(ctx, events.StreamAudit) // for the last sequence
		if err != nil {
			return err
		}
		link = events.AuditLink{Sequence: stream.CachedInfo().State.LastSeq}
		if stream.CachedInfo().State.Msgs == 0 {
			return nil
		}
		raw, err := stream.GetMsg(ctx, link.Sequence)
		if err == nil {
			link.Hash = events.AuditHash(raw.Subject, raw.Data)
		}
		return err
	})
	if err != nil {
		return link, fmt.Errorf("last record: %w", err)
	}
	return link, nil
}

// whoIsAudited returns nil when the record after a sequence is the one with this id, whose acknowledgement was lost, and
// else broker.ErrTaken.
func (c *Conn) whoIsAudited(ctx context.Context, after uint64, id string) error {
	stream, err := c.broker.Stream(ctx, events.StreamAudit)
	if err != nil {
		return err
	}
	raw, err := stream.GetMsg(ctx, after+1)
	if err == nil && raw.Header.Get(broker.HeaderMessageID) == id {
		return nil
	}
	if err == nil || errors.Is(err, njs.ErrMsgNotFound) {
		return broker.ErrTaken
	}
	return err
}

// copyAudit keeps the same record in the account for copies.
func (c *Conn) copyAudit(ctx context.Context, out events.Outgoing, id string) error {
	if !c.cfg.Accounts {
		return nil
	}
	out.Subject = events.CopySubject(out.Subject)
	if err := c.broker.Publish(ctx, broker.NewMessage(ctx, out, id)); err != nil {
		return fmt.Errorf("copy to %s: %w", events.StreamAuditCopy, err)
	}
	return nil
}

// auditEntry is a record with what a chain is checked by.
type auditEntry struct {
	events.AuditEntry
	hash string
	id   string
}

func entryOf(raw *njs.RawStreamMsg) auditEntry {
	entry := auditEntry{
		AuditEntry: events.AuditEntry{Sequence: raw.Sequence, StoredAt: raw.Time, Subject: raw.Subject, Account: events.AuditAccount(raw.Subject)},
		hash:       events.AuditHash(raw.Subject, raw.Data), id: raw.Header.Get(broker.HeaderMessageID),
	}
	var err error
	if entry.Record, err = events.DecodeAudit(raw.Data); err != nil {
		entry.Problem = "it is not an audit record"
	}
	if person := events.AccountPerson(entry.Account); entry.Problem == "" && person != "" && person != entry.Record.By {
		entry.Problem = fmt.Sprintf("it names %q, but was written by the account %s", entry.Record.By, entry.Account)
		entry.Record = events.AuditRecord{}
	}
	return entry
}

// Audits returns at most max audit records after a sequence, oldest first; 0 begins at the first. Fewer
// than max means that there are no more.
func (c *Conn) Audits(ctx context.Context, after uint64, max int) (entries []events.AuditEntry, err error) {
	for raw, err := range c.broker.Messages(ctx, events.StreamAudit, ">", after) {
		if err != nil {
			return nil, fmt.Errorf("audit records: %w", err)
		}
		if entries = append(entries, entryOf(raw).AuditEntry); len(entries) >= max {
			break
		}
	}
	return entries, nil
}

// LatestAudits returns at most max audit records before a sequence, newest first; 0 begins at the last. Fewer than max means that
// there are no more, because AUDIT loses none but its oldest.
func (c *Conn) LatestAudits(ctx context.Context, before uint64, max int) ([]events.AuditEntry, error) {
	if before == 0 {
		last, err := c.lastAudit(ctx)
		if err != nil {
			return nil, fmt.Errorf("audit records: %w", err)
		}
		before = last.Sequence + 1
	}
	if before <= 1 {
		return nil, nil
	}
	after := before - 1 - min(before-1, uint64(max))
	entries, err := c.Audits(ctx, after, max)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e events.AuditEntry) bool { return e.Sequence >= before }) // where the oldest are gone
	slices.Reverse(entries)
	return entries, nil
}

// userInfoSubject is where the server tells a client who it is.
const userInfoSubject = "$SYS.REQ.USER.INFO"

// Person returns the name under which this connection's user is in AUDIT, as the server gives it by the account that the
// user logged in to. It is empty on a server without accounts for persons.
func (c *Conn) Person(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.AskTimeout)
	defer cancel()
	m, err := c.broker.NATS.RequestWithContext(ctx, userInfoSubject, nil)
	if errors.Is(err, nats.ErrNoResponders) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("identify the NATS user: %w", err)
	}
	var answer struct {
		Data struct {
			Account string `json:"account"`
		} `json:"data"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return "", fmt.Errorf("identify the NATS user: %w", err)
	}
	return events.AccountPerson(answer.Data.Account), nil
}
