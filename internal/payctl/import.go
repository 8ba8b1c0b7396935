package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"payonce/internal/csvfile"
	"payonce/internal/payouts"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func payoutsCommand(env Env) *cobra.Command {
	parent := group("payouts", "Import mass payouts", "  payctl payouts import payouts.csv --provider ecommpay-kr --dry-run")
	c := &cobra.Command{
		Use:   "import FILE.csv",
		Short: "Queue the payouts of a CSV file in the format of ECommPay's Dashboard",
		Long: `Queue the payouts of a CSV file in the format of ECommPay's Dashboard for mass payouts. The first line names the
columns, which are the fields of a payout by Gate without the signature:

  general.project_id, general.payment_id, customer.id, customer.first_name, customer.last_name,
  customer.email, customer.ip_address, account.number, account.customer_name, account.bank_id,
  payment.amount, payment.currency

The columns can be in any order and in upper or lower case, separated by "," or ";". The file is UTF-8, with or without
BOM. Lines that contain only separators are skipped.

The whole file is checked first. If any line is wrong, all problems are printed with line and column, and nothing is
queued. Bank ids are compared with the provider's own list, also with --dry-run; if the list cannot be read, the summary
says so. Then it shows how many payouts the file has and their sum, and asks. An audit record with both, and with the
file's SHA-256, is written before and after. A sum above approvals.above is requested, and another person imports the same
file: see payctl approvals.

Running the same file again is safe: a payout that was queued before is recognised. A payout whose payment_id
belongs to another payment is a conflict: it is not queued, and the exit code is 1.`,
		Example: `  payctl payouts import payouts.csv --provider ecommpay-kr --dry-run
  payctl payouts import payouts.csv --provider ecommpay-kr --by kim --reason "payouts of November, ticket 4711"
  payctl payouts import payouts.csv --provider ecommpay-kr --by kim --reason "ticket 4711" --yes --json`,
		Args: arguments("FILE.csv"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	provider := c.Flags().String("provider", "", "the provider that pays; required")
	c.Flags().Lookup("dry-run").Usage = "check the file only; NATS, --by and --reason are not needed"
	c.RunE = func(c *cobra.Command, args []string) error {
		if *provider == "" {
			return usagef("--provider is required")
		}
		var who operator.Person
		if !*h.dryRun {
			var err error
			if who, err = h.person(); err != nil {
				return err
			}
		}
		cfg, err := load(*h.config)
		if err != nil {
			return err
		}
		r := report{File: args[0], Provider: *provider, DryRun: *h.dryRun}
		err = env.importFile(c.Context(), cfg, h, who, &r)
		var usage usageError
		if errors.As(err, &usage) {
			return err
		}
		if written := r.write(c.OutOrStdout(), *asJSON); written != nil {
			return written
		}
		return err
	}
	parent.AddCommand(c)
	return parent
}

// importFile does the whole work and fills r with what came of it.
func (e Env) importFile(ctx context.Context, cfg config.Config, h actionFlags, who operator.Person, r *report) error {
	f, err := e.checked(ctx, cfg, r)
	if err != nil || r.DryRun {
		return err
	}
	conn, err := e.connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if who, err = whoIs(ctx, conn, who); err != nil {
		return err
	}
	question := fmt.Sprintf("queue %s, %s in total, from %s for %s, as %s: %s", counted(r.Payouts, "payout"), r.Total, r.File, r.Provider, who.Name, who.Why)
	if err := e.confirm(h, printable(question), fmt.Sprint(r.Payouts)); err != nil {
		return err
	}
	return r.problem(e.deciding(cfg, conn).Import(ctx, e.payoutFile(conn, f, r), who),
		"Run the same command again to continue: payouts that were sent are recognised")
}

// checked reads and checks the file.
func (e Env) checked(ctx context.Context, cfg config.Config, r *report) (*payouts.File, error) {
	connector, err := e.connector(cfg, r.Provider)
	if err != nil {
		return nil, err
	}
	to, err := payouts.TargetOf(r.Provider, cfg.Providers[r.Provider], connector, e.Now())
	if err != nil {
		return nil, usageError{err}
	}
	r.BanksUnchecked = e.askBanks(ctx, connector)
	f, err := payouts.Read(r.File, to)
	if err != nil {
		return nil, usageError{err}
	}
	r.Payouts, r.Total, r.Problems = len(f.Payouts), f.Total, f.Problems
	if len(f.Problems) > 0 {
		return nil, fmt.Errorf("problems in the file: %d; nothing was sent", len(f.Problems))
	}
	return f, nil
}

// problem is what an import ended with, and how one that was stopped goes on.
func (r *report) problem(err error, again string) error {
	switch {
	case err != nil && !r.begun: // before the first payout
		return err
	case err != nil:
		return fmt.Errorf("stopped: %w\n%s", err, again)
	case len(r.Conflicts) > 0:
		return fmt.Errorf("conflicts: %d; these payouts were not sent", len(r.Conflicts))
	}
	return nil
}

// payoutFile is what is to be sent, with its progress and with r as its report.
func (e Env) payoutFile(conn *admin.Conn, f *payouts.File, r *report) operator.PayoutFile {
	return operator.PayoutFile{
		Provider: r.Provider, Total: f.Total, File: f.Audited(),
		Send: func(ctx context.Context) (map[string]int, error) {
			r.begun = true
			shown := newProgress(e, len(f.Payouts), "payouts")
			defer shown.end()
			results, err := payouts.Send(ctx, conn, f.Payouts, shown.add, e.Timeout)
			counts := payouts.Count(f.Payouts, results)
			r.New, r.Already, r.Conflicts, r.Unsent = counts.New, counts.Already, counts.Conflicts, counts.Unsent
			return counts.Audited(), err
		},
	}
}

// askBanks has the connector ask for the banks that it compares the file's with. It returns why they are not
// compared, if they are not: a payout to a bank that is not served is then refused by the provider itself.
func (e Env) askBanks(ctx context.Context, connector connectors.Connector) string {
	lister, able := connector.(connectors.BankLister)
	if !able {
		return "the provider has no list of banks"
	}
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	if _, err := lister.Banks(ctx, payment.Payout); err != nil {
		failed := connectors.Classify(err)
		return strings.TrimSpace(fmt.Sprintf("cannot read the provider's list of banks: %s %s", failed.Code, failed.ProviderCode))
	}
	return ""
}

// report is what came of an import.
type report struct {
	File     string            `json:"file"`
	Provider string            `json:"provider"`
	DryRun   bool              `json:"dry_run"`
	Payouts  int               `json:"payouts"` // good lines
	Total    payment.Money     `json:"total,omitzero"`
	Problems []csvfile.Problem `json:"problems,omitempty"`
	// BanksUnchecked says why the bank ids were not compared with the provider's list; empty when they were.
	BanksUnchecked string `json:"banks_unchecked,omitempty"`
	New            int    `json:"new"`
	Already        int    `json:"already_there"`
	// Conflicts are lines whose order is known with another command.
	Conflicts []int `json:"conflicts,omitempty"`
	// Unsent are those of which it is not known that they are in the queue.
	Unsent int `json:"unsent"`
	begun  bool
}

func (r *report) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r)
	}
	for _, p := range r.Problems {
		_, _ = fmt.Fprintln(w, p)
	}
	if r.BanksUnchecked != "" && len(r.Problems) == 0 {
		_, _ = fmt.Fprintln(w, "bank ids were not compared:", r.BanksUnchecked)
	}
	for _, line := range r.Conflicts {
		_, _ = fmt.Fprintf(w, "line %d: conflict: its payment_id was used for another payment\n", line)
	}
	var err error
	switch {
	case len(r.Problems) > 0:
	case r.DryRun:
		_, err = fmt.Fprintf(w, "%d payouts, %s in total: no problems. Nothing was sent.\n", r.Payouts, r.Total)
	default:
		_, err = fmt.Fprintf(w, "%d payouts, %s in total: %d new, %d already there, %d conflicts, %d not sent.\n",
			r.Payouts, r.Total, r.New, r.Already, len(r.Conflicts), r.Unsent)
	}
	return err
}
