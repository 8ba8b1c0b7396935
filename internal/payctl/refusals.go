package payctl

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
)

func refusalsCommand(env Env) *cobra.Command {
	parent := group("refusals", "List what upstreams were told of refused commands", "  payctl refusals list --upstream shop")
	parent.AddCommand(refusalsList(env))
	return parent
}

func refusalsList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List what upstreams were told of refused commands, oldest first",
		Long: `List what upstreams were told of refused commands, oldest first.

Each is about a dead letter (payctl deadletters list). An upstream reads its own, see docs/upstream.md.`,
		Example: `  payctl refusals list
  payctl refusals list --upstream shop --order D-1001 --json`, Args: arguments(),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	upstream := c.Flags().String("upstream", "", "filter by the upstream that published the command")
	provider := c.Flags().String("provider", "", "filter by provider; "+events.NoProvider+" for messages without one")
	order := c.Flags().String("order", "", "filter by order number")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, _ config.Config, conn *admin.Conn) error {
			found, err := env.readRefusals(ctx, conn, *upstream, func(r events.Refusal) bool {
				named := r.Provider
				if named == "" {
					named = events.NoProvider
				}
				return (*provider == "" || named == *provider) && (*order == "" || r.Order == *order)
			})
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), found)
			}
			return printRefusals(c.OutOrStdout(), found)
		})
	}
	return c
}

// refusalLine is a refusal as --json prints it.
type refusalLine struct {
	Place uint64 `json:"refusal"` // its sequence in REFUSALS
	events.Refusal
	Problem string `json:"problem,omitempty"`
}

func (e Env) readRefusals(ctx context.Context, conn *admin.Conn, upstream string, meant func(events.Refusal) bool) ([]refusalLine, error) {
	found := []refusalLine{}
	for after := uint64(0); ; {
		own, cancel := context.WithTimeout(ctx, e.Timeout)
		page, err := conn.Refusals(own, upstream, after, pageSize)
		cancel()
		if err != nil {
			return nil, err
		}
		for _, one := range page {
			after = one.Sequence
			if meant(one.Refusal) {
				found = append(found, refusalLine{one.Sequence, one.Refusal, one.Problem})
			}
		}
		if len(page) < pageSize {
			return found, nil
		}
	}
}

func printRefusals(w io.Writer, found []refusalLine) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "no refusals")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "SEQ\tAT\tUPSTREAM\tPROVIDER\tORDER\tREASON\tDETAIL")
	for _, l := range found {
		if l.Problem != "" {
			l.Detail = l.Problem
		}
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%d\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s", l.Place, l.RefusedAt.UTC().Format(time.RFC3339),
			l.Upstream, l.Provider, l.Order, l.Reason, l.Detail)))
	}
	return table.Flush()
}
