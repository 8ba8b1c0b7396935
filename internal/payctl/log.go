package payctl

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
)

func logCommand(env Env) *cobra.Command {
	parent := group("log", "Accept a restored log, or skip an event that cannot be read", "  payctl log skip teemopay-kr P-1001 --sequence 4711 --by kim --reason \"ticket 4720\" --dry-run\n  payctl log accept --by kim --reason \"restored the copy of 03:00, ticket 4718\" --dry-run")
	c := &cobra.Command{
		Use: "accept", Short: "Let workers continue with a log that lost events",
		Long: `Let workers continue with a log that lost events, for example after a restore from an older copy. Until then they execute
nothing and are not ready: orders that were paid after the copy are not in the log and would be paid again.

First compare every provider's statement with the log, from the day of the copy on (payctl statements compare), and cancel
parked payments that were paid (payctl parked cancel). docs/operators.md has the steps. Workers continue within seconds.`,
		Example: `  payctl log accept --by kim --reason "restored the copy of 03:00, ticket 4718" --dry-run
  payctl log accept --by kim --reason "restored the copy of 03:00; statements compared, ticket 4718" --yes`,
		Args: arguments(),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		who, err := h.person()
		if err != nil {
			return err
		}
		return env.asPerson(c.Context(), *h.config, who, func(ctx context.Context, _ config.Config, conn *admin.Conn, who operator.Person) error {
			record := events.AuditRecord{ID: uuid.NewString(), Action: events.ActionAccept, Provider: events.NoProvider, By: who.Name, Reason: who.Why}
			end, err := env.acceptLog(ctx, conn, h, record)
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), acceptedLog{Made: end.Log, Sequence: end.Sequence, DryRun: *h.dryRun})
			}
			result := "accepted; workers continue within seconds"
			if *h.dryRun {
				result = "nothing was done"
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "PAYMENTS, made at %s, ends at sequence %d: %s.\n", end.Log, end.Sequence, result)
			return err
		})
	}
	parent.AddCommand(c, skipCommand(env))
	return parent
}

// acceptedLog is what log accept prints as JSON.
type acceptedLog struct {
	Made     string `json:"made"` // when the stream was made
	Sequence uint64 `json:"sequence"`
	DryRun   bool   `json:"dry_run,omitempty"`
}

// acceptLog writes that a person accepts the log as it ends now.
func (e Env) acceptLog(ctx context.Context, conn *admin.Conn, h actionFlags, r events.AuditRecord) (events.LogMark, error) {
	asking, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	end, err := conn.LogEnd(asking)
	if err != nil || *h.dryRun {
		return end, err
	}
	question := fmt.Sprintf("The log was made at %s and ends at sequence %d. Payments made after that are not in it, and are made again if their command comes again.\n"+
		"Accept it, as %s: %s", end.Log, end.Sequence, r.By, r.Reason)
	if err := e.confirm(h, question, "accept"); err != nil {
		return end, err
	}
	writing, done := context.WithTimeout(context.WithoutCancel(ctx), e.Timeout)
	defer done()
	r.Log, r.LogSequence, r.Items = end.Log, end.Sequence, []events.AuditItem{{Stream: events.StreamPayments}}
	for _, stage := range []events.Stage{events.Intended, events.Finished} { // workers wait for the second
		r.Stage, r.At = stage, e.Now().UTC().Truncate(time.Millisecond)
		if stage == events.Finished {
			r.Items[0].Result = "accepted"
		}
		if err := conn.Audit(writing, r); err != nil {
			return end, err
		}
	}
	return end, nil
}
