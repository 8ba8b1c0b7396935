package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func approvalsCommand(env Env) *cobra.Command {
	parent := group("approvals", "List, approve or refuse actions that need a second person", "  payctl approvals list")
	parent.AddCommand(approvalsList(env), approvalsShow(env), approvalsEnd(env, events.Approved), approvalsEnd(env, events.Refused), approvalsVerify(env))
	return parent
}

const (
	// approvalsShown is how far back requests that ended are listed.
	approvalsShown = 30 * 24 * time.Hour
	// clocksDiffer is how much this machine's clock may be ahead of the broker's, which wrote when a request was stored.
	clocksDiffer = time.Hour
)

func approvalsList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List requests that wait for a second person",
		Long: `List requests that wait for a second person.

AUDIT is read from the oldest request on that can still be approved, with --all that of 30 days, or from --since.`,
		Example: "  payctl approvals list\n  payctl approvals list --all --since 2026-10-01T00:00:00Z --json", Args: arguments(),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	all := c.Flags().Bool("all", false, "also those that were approved or refused, or ended otherwise")
	since := c.Flags().String("since", "", "list those that were made at or after this `TIME`, e.g. 2026-11-22T00:00:00Z")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := validTime("--since", *since); err != nil {
			return err
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
			from := env.Now().Add(-cfg.Approvals.Expires - clocksDiffer)
			if *all {
				from = env.Now().Add(-max(cfg.Approvals.Expires, approvalsShown))
			}
			if *since != "" {
				from, _ = time.Parse(time.RFC3339, *since)
			}
			found, err := env.deciding(cfg, conn).Approvals.Recent(ctx, from, env.Now())
			if err != nil {
				return err
			}
			if !*all {
				found = slices.DeleteFunc(found, func(r operator.Request) bool { return r.State != events.Requested })
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), found)
			}
			return printRequests(c.OutOrStdout(), found)
		})
	}
	return c
}

func printRequests(w io.Writer, found []operator.Request) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(found) > 0 {
		_, _ = fmt.Fprintln(table, "REQUEST\tSTATE\tEXPIRES\tACTION\tPROVIDER\tABOUT\tBY\tREASON")
	}
	for _, r := range found {
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%d\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s", r.Sequence, r.State,
			r.ExpiresAt.UTC().Format(time.RFC3339), r.Record.Action, r.Record.Provider, aboutRequest(r.Record), r.By, r.Record.Reason)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s.\n", counted(len(found), "request"))
	return err
}

// aboutRequest says what an action is about, and how much.
func aboutRequest(r events.AuditRecord) string {
	switch {
	case r.Action == events.ActionImport:
		return fmt.Sprintf("%s of %s, %s in total", counted(r.File.Payouts, "payout"), r.File.Name, r.Amount)
	case len(r.Items) != 1:
		return counted(len(r.Items), "payment")
	}
	text := r.Items[0].Order + " of " + amountText(r.Items[0].Amount)
	if !r.Amount.IsZero() && r.Amount != r.Items[0].Amount {
		text += ", settled with " + money(r.Amount)
	}
	return text
}

func amountText(m payment.Money) string {
	if m.IsZero() {
		return "an unknown amount"
	}
	return m.String()
}

func approvalsShow(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "show REQUEST", Short: "Show a request, and the payments that it is about",
		Example: "  payctl approvals show 4711\n  payctl approvals show 4711 --json", Args: arguments("REQUEST"),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		number, err := requestNumber(args[0])
		if err != nil {
			return err
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
			r, err := env.deciding(cfg, conn).Approvals.Request(ctx, number, env.Now())
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), r)
			}
			return printRequest(c.OutOrStdout(), r)
		})
	}
	return c
}

func requestNumber(text string) (uint64, error) {
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, usagef("%q is not the number of a request; see payctl approvals list", text)
	}
	return number, nil
}

func printRequest(w io.Writer, r operator.Request) error {
	if err := printRequests(w, []operator.Request{r}); err != nil {
		return err
	}
	if r.EndedBy != "" {
		_, _ = fmt.Fprintf(w, "%s by %s.\n", r.State, printable(r.EndedBy))
	}
	if r.Record.Action == events.ActionImport {
		_, _ = fmt.Fprintf(w, "SHA-256 of the file: %s\n", printable(r.Record.File.SHA256))
	}
	for _, item := range r.Record.Items {
		_, _ = fmt.Fprintln(w, printable(fmt.Sprintf("%s, %s, was %s: payctl payment show %s %[1]s", item.Order, amountText(item.Amount), item.Before, r.Record.Provider)))
	}
	return nil
}

// approvalsEnd is approve or refuse.
func approvalsEnd(env Env, stage events.Stage) *cobra.Command {
	c := &cobra.Command{
		Use: "approve REQUEST", Short: "Approve a request of another person, which carries it out",
		Long: `Approve a request of another person, which carries it out exactly as requested, if its payments still stand as they did
then. Otherwise the request is overtaken, and nothing is done. For an import, --file is the same file. Of two persons who
approve at once, one carries it out; a request that ended cannot be used again.`,
		Example: `  payctl approvals approve 4711 --by lee --reason "seen in the provider's console, ticket 4711"
  payctl approvals approve 4712 --file payouts.csv --by lee --reason "ticket 4712" --yes`,
		Args: arguments("REQUEST"),
	}
	if stage == events.Refused {
		c.Use, c.Short, c.Long = "refuse REQUEST", "Refuse a request, or withdraw one of your own", "Refuse a request, or withdraw one of your own. It cannot be approved any more."
		c.Example = `  payctl approvals refuse 4711 --by lee --reason "the provider has no such payment, ticket 4711"`
	}
	h, path := addActionFlags(c), new(string)
	if stage == events.Approved {
		path = c.Flags().String("file", "", "the `FILE.csv` of an import")
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		number, err := requestNumber(args[0])
		if err != nil {
			return err
		}
		who, err := h.person()
		if err != nil {
			return err
		}
		return env.asPerson(c.Context(), *h.config, who, func(ctx context.Context, cfg config.Config, conn *admin.Conn, who operator.Person) error {
			e := ending{env: env, cfg: cfg, conn: conn, flags: h, number: number, file: *path, who: who, out: c.OutOrStdout()}
			return e.run(ctx, stage)
		})
	}
	return c
}

// ending is one run of approve or refuse.
type ending struct {
	env    Env
	cfg    config.Config
	conn   *admin.Conn
	flags  actionFlags
	number uint64
	file   string
	who    operator.Person
	out    io.Writer
}

func (n ending) run(ctx context.Context, stage events.Stage) error {
	a := n.env.deciding(n.cfg, n.conn)
	r, err := a.Approvals.Request(ctx, n.number, n.env.Now())
	if err != nil {
		return err
	}
	if err := printRequest(n.env.Stderr, r); err != nil {
		return err
	}
	if *n.flags.dryRun {
		return says(n.out, "Nothing was done.")
	}
	question := fmt.Sprintf("request %d of %s will be %s, as %s: %s", n.number, r.By, stage, n.who.Name, n.who.Why)
	if err := n.env.confirm(n.flags, printable(question), fmt.Sprint(n.number)); err != nil {
		return err
	}
	if stage == events.Refused {
		if err := a.Refuse(ctx, n.number, n.who); err != nil {
			return err
		}
		return says(n.out, "refused")
	}
	return n.approve(ctx, a, r)
}

func (n ending) approve(ctx context.Context, a operator.Actions, r operator.Request) error {
	if r.Record.Action != events.ActionImport {
		if err := a.Approve(ctx, n.number, n.who, nil); err != nil {
			return err
		}
		return says(n.out, "approved and carried out")
	}
	if n.file == "" {
		return usagef("--file FILE.csv is required: the file of the import")
	}
	imported := report{File: n.file, Provider: r.Record.Provider}
	file, err := n.env.checked(ctx, n.cfg, &imported)
	if err == nil {
		payouts := n.env.payoutFile(n.conn, file, &imported)
		err = imported.problem(a.Approve(ctx, n.number, n.who, &payouts),
			"Import the file again, which requests the rest: payouts that were sent are recognised")
	}
	return errors.Join(imported.write(n.out, false), err)
}

func approvalsVerify(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "verify", Short: "Find payments that were decided by hand without a second person",
		Long: `Find payments that were settled, failed or cancelled by hand above approvals.above without the approval of another
person. payctl does not do that, but with the key of an operator or of a worker the event can be written past it. Run it
every day, with a configuration that no operator can change. It exits with 1 if it finds something. It does not find payouts
that were queued past payctl: they look like those of an upstream.`,
		Example: "  payctl approvals verify\n  payctl approvals verify --since 2026-11-22T00:00:00Z --json", Args: arguments(),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	since := c.Flags().String("since", "", "look at what was decided at or after this `TIME`, e.g. 2026-11-22T00:00:00Z; default: the last 7 days")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := validTime("--since", *since); err != nil {
			return err
		}
		from := env.Now().Add(-7 * 24 * time.Hour)
		if *since != "" {
			from, _ = time.Parse(time.RFC3339, *since)
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
			if len(cfg.Approvals.Above) == 0 {
				return usagef("approvals.above is empty: nothing needs a second person")
			}
			found, err := env.deciding(cfg, conn).Approvals.FindUnapproved(ctx, conn, from)
			if err == nil {
				err = writeUnapproved(c.OutOrStdout(), found, *asJSON)
			}
			if err == nil && len(found) > 0 {
				err = fmt.Errorf("%d decided without a second person; see docs/operators.md", len(found))
			}
			return err
		})
	}
	return c
}

func writeUnapproved(w io.Writer, found []operator.Unapproved, asJSON bool) error {
	if asJSON {
		return writeJSON(w, found)
	}
	for _, f := range found {
		_, _ = fmt.Fprintln(w, printable(fmt.Sprintf("event %d of %s, %s: %s, %s, by %q, without an approval: payctl payment show %s %s", f.Sequence,
			f.StoredAt.UTC().Format(time.RFC3339), f.Ref, f.Status, amountText(f.Amount), f.By, f.Provider, f.Order)))
	}
	return says(w, fmt.Sprintf("%d found.", len(found)))
}
