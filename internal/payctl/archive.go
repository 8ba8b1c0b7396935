package payctl

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"payonce/pkg/events/jetstream/admin"

	"github.com/spf13/cobra"

	"payonce/internal/app"
	"payonce/pkg/archive"
	"payonce/pkg/config"
)

func archiveCommand(env Env) *cobra.Command {
	parent := group("archive", "Look after the archive of payments: how far it has read, whether it is the log, make it again", "  payctl archive status")
	parent.AddCommand(archiveStatusCommand(env), archiveVerifyCommand(env), archiveRebuildCommand(env))
	return parent
}

// openArchive opens the archive of the configuration. The caller closes it.
func openArchive(ctx context.Context, cfg config.Config, readOnly bool) (*archive.Store, error) {
	if !cfg.Archive.Configured() {
		return nil, usagef("the configuration has no archive: set archive.file or archive.url")
	}
	return archive.Open(ctx, app.ArchiveLocation(cfg, readOnly))
}

// withArchive connects to NATS and opens the archive.
func (e Env) withArchive(ctx context.Context, path string, readOnly bool, do func(context.Context, config.Config, *admin.Conn, *archive.Store) error) error {
	return e.withNATS(ctx, path, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
		store, err := openArchive(ctx, cfg, readOnly)
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }() // every transaction has ended
		return do(ctx, cfg, conn, store)
	})
}

func archiveStatusCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how far the archive has read the log, and what it lacks",
		Long: `Show how far the archive has read the log, and what it lacks: events that the log forgot before they were read, and events that
cannot be read. It exits with 1 when events are lost to the archive, or when the log isn't the one that it has read.`,
		Example: "  payctl archive status --json", Args: arguments(),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.withArchive(c.Context(), *path, true, func(ctx context.Context, _ config.Config, conn *admin.Conn, store *archive.Store) error {
			st, err := store.Status(ctx, conn)
			if err != nil {
				return err
			}
			if *asJSON {
				err = writeJSON(c.OutOrStdout(), st)
			} else {
				err = writeStatus(c.OutOrStdout(), st, env.Now())
			}
			switch {
			case err != nil:
				return err
			case st.Problem != "":
				return fmt.Errorf("%s\nNext: %s", st.Problem, archive.NextOtherLog)
			case st.Forgotten > 0:
				return fmt.Errorf("%s lost to the archive: the log forgot them before they were read", counted(int(st.Forgotten), "event"))
			}
			return nil
		})
	}
	return c
}

func writeStatus(w io.Writer, st archive.Status, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	read := "nothing was read yet"
	if st.Sequence > 0 {
		read = fmt.Sprintf("event %d, stored %s, read %s ago", st.Sequence, st.StoredAt.UTC().Format(time.RFC3339), now.Sub(st.UpdatedAt).Round(time.Second))
	}
	for _, line := range [][2]string{
		{"read up to", read},
		{"log", fmt.Sprintf("events %d to %d", st.LogFirst, st.LogLast)},
		{"not read yet", fmt.Sprint(st.Lag)},
		{"read again soon", fmt.Sprint(st.Waiting)},
		{"forgotten before they were read", fmt.Sprint(st.Forgotten)},
		{"payments", fmt.Sprint(st.Payments)},
		{"events", fmt.Sprint(st.Events)},
		{"payments with erased data", fmt.Sprint(st.Erased)},
		{"events that cannot be read", fmt.Sprint(st.UnreadableCount)},
	} {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
	}
	for _, gap := range st.Gaps {
		_, _ = fmt.Fprintf(table, "gap\tevents %d to %d, forgotten: %t\n", gap.First, gap.Last, gap.Forgotten)
	}
	for _, bad := range st.Unreadable {
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("event %d\x00%s: %s", bad.Sequence, bad.Subject, bad.Problem)))
	}
	return table.Flush()
}

// verification is what verify prints.
type verification struct {
	archive.Verified
	Differences []archive.Finding `json:"differences"`
}

// shownFindings bounds the differences that are shown; all are counted.
const shownFindings = 100

func archiveVerifyCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Compare the archive with the log, both ways, and its payments with their events",
		Long: `Compare every event of the log with the archive, both ways: missing, more than the log has, or different. Then each payment is made
again from its events and compared. It reads all of both. It exits with 1 when there is a difference.`,
		Example: "  payctl archive verify", Args: arguments(),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.withArchive(c.Context(), *path, true, func(ctx context.Context, _ config.Config, conn *admin.Conn, store *archive.Store) error {
			var v verification
			v.Differences = []archive.Finding{}
			verified, err := store.Verify(ctx, conn, func(f archive.Finding) {
				if len(v.Differences) < shownFindings {
					v.Differences = append(v.Differences, f)
				}
			})
			if v.Verified = verified; err != nil {
				return err
			}
			if *asJSON {
				err = writeJSON(c.OutOrStdout(), v)
			} else {
				for _, f := range v.Differences {
					_, _ = fmt.Fprintln(c.OutOrStdout(), printable(strings.TrimSpace(fmt.Sprintf("%s: event %d of %s %s", f.Kind, f.Sequence, f.Subject, f.Detail))))
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%d events of the log and %d payments compared, %d events that the log has forgotten: %d differences.\n", v.Events, v.Payments, v.Older, v.Findings)
			}
			if err == nil && v.Findings > 0 {
				err = fmt.Errorf("%s; payctl archive rebuild makes the archive again", counted(int(v.Findings), "difference"))
			}
			return err
		})
	}
	return c
}

func archiveRebuildCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Make the archive again from the log, beside the one that serves",
		Long: `Make the archive again from the log, beside the one that serves, and put it in its place in one transaction. What the log has forgotten is
taken from the archive as it is, and so are erasures. The archive program may run meanwhile.

After the log was made again or restored from an older copy, --other-log is needed: what the archive has of the log before is then given
up, which is recorded in the stream AUDIT. Keep a copy of the database first.`,
		Example: `  payctl archive rebuild
  payctl archive rebuild --other-log --by kim --reason "restored the copy of 03:00, ticket 4718" --dry-run`, Args: arguments(),
	}
	path := addConfig(c)
	other := c.Flags().Bool("other-log", false, "give up what was read from another log")
	h := actionFlags{
		config: path,
		by:     c.Flags().String("by", "", "with --other-log: `NAME` of the person acting, for the audit record; "+byRequired),
		reason: c.Flags().String("reason", "", "with --other-log, required: why you do it, as `TEXT` for the audit record"),
		yes:    c.Flags().Bool("yes", false, "with --other-log: do not ask for confirmation"),
		dryRun: c.Flags().Bool("dry-run", false, "with --other-log: show what would be given up and exit"),
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		rebuild := func(ctx context.Context, cfg config.Config, conn *admin.Conn, store *archive.Store) error {
			return store.Rebuild(ctx, conn, cfg.Archive.Batch, *other, env.Now, env.readingLog("archived"))
		}
		if *other {
			return env.fromAnotherLog(c, h, rebuild)
		}
		if *h.dryRun {
			return usagef("--dry-run needs --other-log: nothing is given up without it")
		}
		return env.withArchive(c.Context(), *path, false, func(ctx context.Context, cfg config.Config, conn *admin.Conn, store *archive.Store) error {
			if err := rebuild(ctx, cfg, conn, store); err != nil {
				return err
			}
			return says(c.OutOrStdout(), "The archive was made again.")
		})
	}
	return c
}

// readingLog says now and then how far the log was read.
func (e Env) readingLog(what string) func(at, of uint64) {
	var said uint64
	return func(at, of uint64) {
		if tenth := at * 10 / max(of, 1); tenth > said {
			said = tenth
			_, _ = fmt.Fprintf(e.Stderr, "%d of %d events %s\n", at, of, what)
		}
	}
}
