package payctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"payonce/pkg/archive"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
)

// fromAnotherLog makes the archive again from another log than it has read, with a record of who gave up what it had.
func (e Env) fromAnotherLog(c *cobra.Command, h actionFlags, rebuild func(context.Context, config.Config, *admin.Conn, *archive.Store) error) error {
	who, err := h.person()
	if err != nil {
		return err
	}
	return e.asPerson(c.Context(), *h.config, who, func(ctx context.Context, cfg config.Config, conn *admin.Conn, who operator.Person) error {
		store, err := openArchive(ctx, cfg, false)
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }() // every transaction has ended
		record, err := givenUp(ctx, conn, store)
		if err != nil {
			return err
		}
		question := fmt.Sprintf("The %s. The log that is there was made at %s and ends at event %d.\nMake the archive again from it, as %s: %s",
			record.Items[0].Stream, record.Log, record.LogSequence, who.Name, who.Why)
		if *h.dryRun {
			return says(c.OutOrStdout(), question+"\nNothing was done.")
		}
		if err := e.confirm(h, question, "rebuild"); err != nil {
			return err
		}
		record.By, record.Reason = who.Name, who.Why
		if err := e.auditRebuild(ctx, conn, record, events.Intended, ""); err != nil {
			return fmt.Errorf("nothing was done: cannot write the audit record: %w", err)
		}
		result := "made again"
		failed := rebuild(ctx, cfg, conn, store)
		if failed != nil {
			result = "not done"
		}
		if err := errors.Join(failed, e.auditRebuild(ctx, conn, record, events.Finished, result)); err != nil {
			return err
		}
		return says(c.OutOrStdout(), "The archive was made again.")
	})
}

// givenUp says what the archive has read so far, and which log is there.
func givenUp(ctx context.Context, conn *admin.Conn, store *archive.Store) (r events.AuditRecord, err error) {
	at, err := store.Position(ctx)
	if err != nil {
		return r, err
	}
	bounds, err := conn.LogBounds(ctx)
	if err != nil {
		return r, err
	}
	has := "archive: had read nothing"
	if at.Sequence > 0 {
		has = fmt.Sprintf("archive: had read to event %d of the log made at %s", at.Sequence, at.Log)
	}
	return events.AuditRecord{
		ID: uuid.NewString(), Action: events.ActionRebuild, Provider: events.NoProvider, Log: bounds.Log, LogSequence: bounds.Sequence,
		Items: []events.AuditItem{{Stream: has}},
	}, nil
}

func (e Env) auditRebuild(ctx context.Context, conn *admin.Conn, r events.AuditRecord, stage events.Stage, result string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.Timeout)
	defer cancel()
	r.Stage, r.At = stage, e.Now().UTC()
	r.Items[0].Result = result
	return conn.Audit(ctx, r)
}
