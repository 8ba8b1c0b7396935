package payctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
)

func streamsCommand(env Env) *cobra.Command {
	c := group("streams", "Compare the streams in NATS with their definition, and create them",
		`  payctl streams diff --config administrator.yaml
  payctl streams apply --config administrator.yaml`)
	c.AddCommand(streamsDiffCommand(env), streamsApplyCommand(env))
	return c
}

func streamsDiffCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "diff", Short: "Show how the streams differ from their definition",
		Long: `Show how the streams differ from their definition. It changes nothing, and exits with 1 if anything differs.

It also checks whether the log lost events: deleted ones, or all after an older copy was restored. Each record of AUDIT
holds the log's first and last sequence, the number of events and the hash of the last one.`,
		Example: "  payctl streams diff --config administrator.yaml", Args: arguments(),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.onNATS(c.Context(), *path, func(ctx context.Context, conn *admin.Conn) error {
			differences, err := conn.CheckStreams(ctx)
			if err != nil {
				return err
			}
			lost, err := lostPast(ctx, conn, differences)
			if err != nil {
				return err
			}
			differences = append(differences, lost...)
			if *asJSON {
				if err := writeJSON(env.Stdout, shown(differences)); err != nil {
					return err
				}
			} else {
				list(env, "", differences)
			}
			if len(differences) > 0 {
				if len(lost) > 0 {
					return fmt.Errorf("%d differences; the log lost events: stop the workers and see docs/operators.md", len(differences))
				}
				return fmt.Errorf("%d differences; payctl streams apply creates what is missing, --update also changes what is safe to change", len(differences))
			}
			_, err = fmt.Fprintln(env.Stderr, "All streams match their definition.")
			return err
		})
	}
	return c
}

// lostPast says what the log lost, as differences. Where the log or AUDIT is missing there is nothing to compare.
func lostPast(ctx context.Context, conn *admin.Conn, differences []admin.Difference) ([]admin.Difference, error) {
	for _, stream := range []string{events.StreamPayments, events.StreamAudit} {
		if slices.Contains(differences, admin.Difference{Stream: stream}) {
			return nil, nil
		}
	}
	problems, err := conn.CheckLog(ctx)
	var lost []admin.Difference
	for _, problem := range problems {
		lost = append(lost, admin.Difference{Stream: events.StreamPayments, Field: admin.FieldPast, Have: problem, Want: "all events that AUDIT recorded"})
	}
	return lost, err
}

func streamsApplyCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "apply", Short: "Create missing streams, and consumers for ledgers and the archive",
		Long: `Create missing streams, and consumers for ledgers and the archive.

Existing streams are changed only with --update, and only where no data can be lost: limits may grow.
Other differences are printed and left.

The changes are recorded in the stream AUDIT, see payctl audit list --action apply.`,
		Example: `  payctl streams apply --config administrator.yaml
  payctl streams apply --config administrator.yaml --update --by kim --reason "keep payments longer, ticket 4716"`, Args: arguments(),
	}
	path, update := addConfig(c), c.Flags().Bool("update", false, "also change existing streams where no data can be lost")
	wait := c.Flags().Duration("wait", 0, "retry for this `DURATION` while the servers start")
	by := c.Flags().String("by", unattended.Name, "`NAME` of the person acting, for the audit record; required with --update unless NATS has an account for each operator")
	reason := c.Flags().String("reason", unattended.Why, "why you do it, as `TEXT` for the audit record; required with --update")
	c.RunE = func(c *cobra.Command, _ []string) error {
		who := operator.Person{Name: *by, Why: *reason}
		if cfg, err := load(*path); err == nil && cfg.NATS.Accounts && who.Name == unattended.Name {
			who.Name = nameFromServer
		}
		err := who.Validate()
		if err == nil && *update && (who.Name == unattended.Name || who.Why == unattended.Why) {
			err = errors.New("a script must not change existing streams")
		}
		if err != nil {
			return usagef("--by NAME and --reason TEXT are required with --update: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		return env.patiently(c.Context(), *wait, *path, func(ctx context.Context, conn *admin.Conn) error {
			who, err := whoIs(ctx, conn, who)
			if err != nil {
				return err
			}
			return env.applyStreams(ctx, conn, *update, who)
		})
	}
	return c
}

// unattended is the person of the audit record when a script creates missing streams.
var unattended = operator.Person{Name: "unattended", Why: "create what is missing"}

func (e Env) applyStreams(ctx context.Context, conn *admin.Conn, update bool, who operator.Person) error {
	record := events.AuditRecord{
		ID: uuid.NewString(), Action: events.ActionApply, Provider: events.NoProvider, By: who.Name, Reason: who.Why,
		Filter: map[string]string{"update": strconv.FormatBool(update)},
	}
	done, err := e.applyRecorded(ctx, conn, update, record)
	list(e, "done: ", done)
	if err != nil {
		return err
	}
	left, err := conn.CheckStreams(ctx)
	if err != nil {
		return err
	}
	list(e, "left: ", left)
	if len(left) > 0 {
		return fmt.Errorf("%d differences are left", len(left))
	}
	_, err = fmt.Fprintln(e.Stdout, "All streams match their definition.")
	return err
}

// takesNoRecord reports whether AUDIT has to be made or changed before it takes a record of this configuration: it is missing, or was made
// for a NATS without accounts, where records have other subjects.
func takesNoRecord(d admin.Difference) bool {
	return d.Stream == events.StreamAudit && (d.Field == "" || d.Field == "subjects")
}

// applyRecorded keeps the intent, applies, and keeps the result. Where AUDIT itself has to be made or changed the intent is
// kept right after that. Nothing is kept where there is nothing to do.
func (e Env) applyRecorded(ctx context.Context, conn *admin.Conn, update bool, record events.AuditRecord) ([]admin.Difference, error) {
	made, err := conn.MakeCopy(ctx) // without it no record is kept
	if err != nil {
		return made, err
	}
	planned, err := conn.CheckStreams(ctx)
	if err != nil {
		return made, err
	}
	noAudit := slices.ContainsFunc(planned, takesNoRecord)
	planned = slices.DeleteFunc(planned, func(d admin.Difference) bool { return d.Field != "" && !update })
	if len(planned) == 0 {
		return made, nil
	}
	if noAudit && !slices.ContainsFunc(planned, takesNoRecord) {
		return made, errors.New("nothing was done: the subjects of AUDIT do not match this configuration: use --update")
	}
	for _, d := range planned {
		record.Items = append(record.Items, events.AuditItem{Stream: d.String()})
	}
	record.Stage, record.At = events.Intended, e.Now().UTC()
	if !noAudit {
		if err := conn.Audit(ctx, record); err != nil {
			return made, fmt.Errorf("nothing was done: cannot write the audit record: %w", err)
		}
	}
	done, err := conn.ApplyStreams(ctx, update)
	if noAudit && len(done) == 0 { // nothing is there that could be recorded, and no place for it
		return made, err
	}
	if noAudit {
		err = errors.Join(err, conn.Audit(ctx, record))
	}
	for i, d := range planned {
		record.Items[i].Result = "not done"
		if slices.Contains(done, d) {
			record.Items[i].Result = "done"
		}
	}
	record.Stage, record.At = events.Finished, e.Now().UTC()
	return append(made, done...), errors.Join(err, conn.Audit(ctx, record))
}

// onNATS connects, whether or not the streams are there, and calls do.
func (e Env) onNATS(ctx context.Context, path string, do func(context.Context, *admin.Conn) error) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, streamsTimeout)
	defer cancel()
	conn, err := e.dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return do(ctx, conn)
}

// patiently is onNATS, again and again for a time. A wrong command line or configuration does not fix itself.
func (e Env) patiently(ctx context.Context, wait time.Duration, path string, do func(context.Context, *admin.Conn) error) error {
	for deadline := e.Now().Add(wait); ; {
		err := e.onNATS(ctx, path, do)
		var usage usageError
		if err == nil || errors.As(err, &usage) || ctx.Err() != nil || !e.Now().Before(deadline) {
			return err
		}
		_, _ = fmt.Fprintf(e.Stderr, "not yet: %v\n", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(streamsAgain):
		}
	}
}

// streamsAgain is the pause between two tries.
const streamsAgain = time.Second

// streamsTimeout is long enough for a cluster to choose leaders for all streams.
const streamsTimeout = 2 * time.Minute

func list(env Env, prefix string, differences []admin.Difference) {
	for _, d := range differences {
		_, _ = fmt.Fprintf(env.Stdout, "%s%s\n", prefix, d)
	}
}

// shownDifference is a difference as --json prints it.
type shownDifference struct {
	Stream   string `json:"stream"`
	Consumer string `json:"consumer,omitempty"`
	Field    string `json:"field,omitempty"` // none where the whole is missing
	Want     string `json:"want,omitempty"`
	Have     string `json:"have,omitempty"`
	Safe     bool   `json:"safe"` // whether apply --update changes it
}

func shown(differences []admin.Difference) []shownDifference {
	all := make([]shownDifference, 0, len(differences))
	for _, d := range differences {
		all = append(all, shownDifference{d.Stream, d.Consumer, d.Field, d.Want, d.Have, d.Safe()})
	}
	return all
}
