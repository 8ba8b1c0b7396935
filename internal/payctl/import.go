package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"payonce/internal/csvfile"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
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
says so. Running the same file again is safe: a payout that was queued before is recognised. A payout whose payment_id
belongs to another payment is a conflict: it is not queued, and the exit code is 1.`,
		Example: `  payctl payouts import payouts.csv --provider ecommpay-kr --dry-run
  payctl payouts import payouts.csv --provider ecommpay-kr
  payctl payouts import payouts.csv --provider ecommpay-kr --json --config /etc/payonce/payonce.yaml`,
		Args: arguments("FILE.csv"),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	provider := c.Flags().String("provider", "", "the provider that pays; required")
	dryRun := c.Flags().Bool("dry-run", false, "check the file only; NATS is not needed")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *provider == "" {
			return usagef("--provider is required")
		}
		cfg, err := load(*configPath)
		if err != nil {
			return err
		}
		r := report{File: args[0], Provider: *provider, DryRun: *dryRun}
		err = env.importFile(c.Context(), cfg, &r)
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
func (e Env) importFile(ctx context.Context, cfg config.Config, r *report) error {
	to, err := e.target(cfg, r.Provider)
	if err != nil {
		return err
	}
	r.BanksUnchecked = e.askBanks(ctx, to.connector)
	f, err := readPayouts(r.File, to)
	if err != nil {
		return usageError{err}
	}
	r.Payouts, r.Total, r.Problems = len(f.payouts), f.total, f.problems
	if len(f.problems) > 0 {
		return fmt.Errorf("problems in the file: %d; nothing was sent", len(f.problems))
	}
	if r.DryRun {
		return nil
	}
	conn, err := e.connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	results, err := send(ctx, conn, f.payouts, newProgress(e, len(f.payouts), "payouts"), e.Timeout)
	r.count(f.payouts, results)
	switch {
	case err != nil:
		return fmt.Errorf("stopped: %w\nRun the same command again to continue: payouts that were sent are recognised", err)
	case len(r.Conflicts) > 0:
		return fmt.Errorf("conflicts: %d; these payouts were not sent", len(r.Conflicts))
	}
	return nil
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

// target finds the account. A file of ECommPay's Dashboard names a project, which only an account there has.
func (e Env) target(cfg config.Config, provider string) (target, error) {
	connector, err := e.connector(cfg, provider)
	if err != nil {
		return target{}, err
	}
	if kind := cfg.Providers[provider].Kind; kind != ecommpay.Kind.Name {
		return target{}, usagef("%s is of kind %s; the file format is that of ECommPay's Dashboard", provider, kind)
	}
	var settings ecommpay.Settings
	if err := cfg.Providers[provider].Decode(&settings); err != nil {
		return target{}, usageError{err}
	}
	return target{provider: provider, project: strconv.FormatInt(settings.ProjectID, 10), connector: connector, now: e.Now()}, nil
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
}

func (r *report) count(payouts []payout, results []result) {
	for i, result := range results {
		switch result {
		case sent:
			r.New++
		case alreadyThere:
			r.Already++
		case conflict:
			r.Conflicts = append(r.Conflicts, payouts[i].line)
		default:
			r.Unsent++
		}
	}
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
