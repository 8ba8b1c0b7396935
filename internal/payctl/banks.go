package payctl

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

func banksCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "banks PROVIDER",
		Short: "List the banks that a provider serves",
		Long: `List the banks that a provider serves now, asked of the provider. The code goes into account.bank_code of a
command and into the column account.bank_id of a mass payout file.`,
		Example: `  payctl banks ecommpay-kr
  payctl banks ecommpay-kr --operation deposit --json`,
		Args: arguments("PROVIDER"),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	operation := c.Flags().String("operation", string(payment.Payout), "payout or deposit")
	c.RunE = func(c *cobra.Command, args []string) error {
		op := payment.Operation(*operation)
		if !op.Valid() {
			return usagef("--operation must be payout or deposit")
		}
		cfg, err := load(*configPath)
		if err != nil {
			return err
		}
		list, err := env.banks(c.Context(), cfg, args[0], op)
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(c.OutOrStdout(), list)
		}
		return printBanks(c.OutOrStdout(), list)
	}
	return c
}

// bank is a bank in JSON.
type bank struct {
	Code       string `json:"code"`
	Name       string `json:"name"`
	NativeName string `json:"native_name,omitempty"`
}

func (e Env) banks(ctx context.Context, cfg config.Config, provider string, op payment.Operation) ([]bank, error) {
	connector, err := e.connector(cfg, provider)
	if err != nil {
		return nil, err
	}
	lister, can := connector.(connectors.BankLister)
	if !can {
		return nil, fmt.Errorf("%s has no list of banks (kind %s)", provider, connector.Traits().Kind)
	}
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	banks, err := lister.Banks(ctx, op)
	if err != nil {
		return nil, fmt.Errorf("banks of %s: %w", provider, err)
	}
	list := make([]bank, 0, len(banks))
	for _, b := range banks {
		list = append(list, bank(b))
	}
	return list, nil
}

func printBanks(w io.Writer, list []bank) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "CODE\tNAME\tNATIVE NAME")
	for _, b := range list {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", printable(b.Code), printable(b.Name), printable(b.NativeName))
	}
	return table.Flush()
}

// providers names the configured providers.
func providers(cfg config.Config) string {
	return strings.Join(slices.Sorted(maps.Keys(cfg.Providers)), ", ")
}
