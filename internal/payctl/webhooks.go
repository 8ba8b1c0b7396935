package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
)

func webhooksCommand(env Env) *cobra.Command {
	parent := group("webhooks", "List webhooks that the ingress refused", "  payctl webhooks refused list --provider ecommpay-kr")
	refused := group("refused", "List webhooks that the ingress refused in the last 24 hours",
		`  payctl webhooks refused list
  payctl webhooks refused show 17 --json > callback.json`)
	refused.AddCommand(refusedList(env), refusedShow(env))
	parent.AddCommand(refused)
	return parent
}

func refusedList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List refused webhooks, oldest first",
		Long: `List refused webhooks, oldest first.

They are kept for 24 hours, and only the latest of each provider and source network. The metric payonce.webhooks counts
all of them.`,
		Example: `  payctl webhooks refused list
  payctl webhooks refused list --provider ecommpay-kr --json`, Args: arguments(),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	provider := c.Flags().String("provider", "", "filter by provider; "+events.NoProvider+" for paths without a valid one")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, _ config.Config, conn *admin.Conn) error {
			found, all, err := env.readRefused(ctx, conn, *provider)
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), found)
			}
			return printRefused(c.OutOrStdout(), found, all)
		})
	}
	return c
}

// shownRefused is a refused webhook as --json prints it.
type shownRefused struct {
	Sequence uint64 `json:"sequence"`
	events.RefusedWebhook
	Problem string `json:"problem,omitempty"`
}

// readRefused returns the refused webhooks of a provider, of all when it is empty, and how many there are in all.
func (e Env) readRefused(ctx context.Context, conn *admin.Conn, provider string) (found []shownRefused, all int, err error) {
	found = []shownRefused{}
	for after := uint64(0); ; {
		own, cancel := context.WithTimeout(ctx, e.Timeout)
		page, err := conn.RefusedWebhooks(own, after, pageSize)
		cancel()
		if err != nil {
			return nil, 0, err
		}
		for _, one := range page {
			after = one.Sequence
			all++
			if provider == "" || one.Webhook.Provider == provider || one.Problem != "" {
				found = append(found, shownRefused{one.Sequence, one.Webhook, one.Problem})
			}
		}
		if len(page) < pageSize {
			return found, all, nil
		}
	}
}

func printRefused(w io.Writer, found []shownRefused, all int) error {
	if len(found) == 0 && all > 0 {
		_, err := fmt.Fprintf(w, "no match (%s in total)\n", counted(all, "refused webhook"))
		return err
	}
	if err := refusedTable(w, found); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s.\n", counted(len(found), "refused webhook"))
	return err
}

func refusedTable(w io.Writer, found []shownRefused) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(found) > 0 {
		_, _ = fmt.Fprintln(table, "SEQ\tAT\tPROVIDER\tREFUSAL\tADDRESS\tBYTES\tREASON")
	}
	for _, one := range found {
		reason := one.Reason
		switch {
		case one.Problem != "":
			reason = one.Problem
		case one.Path != "":
			reason = "the path names " + one.Path
		}
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%d\x00%s\x00%s\x00%s\x00%s\x00%d\x00%s", one.Sequence, one.ReceivedAt.UTC().Format(time.RFC3339),
			one.Provider, one.Refusal, one.Address, one.BodyBytes, reason)))
	}
	return table.Flush()
}

func refusedShow(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "show SEQ", Short: "Show one refused webhook with masked content",
		Long: `Show one refused webhook with masked content.

Of a JSON document or a form, the field names and what identifies the payment are kept; of any other body the size and
the SHA-256; of headers the size, and of a signature the SHA-256. payctl verify therefore cannot verify it.`,
		Example: `  payctl webhooks refused show 17
  payctl webhooks refused show 17 --json > callback.json`, Args: arguments("SEQ"),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		seq, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil || seq == 0 {
			return usagef("%q is not the number of a refused webhook; see payctl webhooks refused list", args[0])
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, _ config.Config, conn *admin.Conn) error {
			one, err := conn.RefusedWebhook(ctx, seq)
			if errors.Is(err, admin.ErrNoRefusedWebhook) {
				return fmt.Errorf("%w; see payctl webhooks refused list", err)
			}
			if err != nil {
				return err
			}
			shown := shownRefused{one.Sequence, one.Webhook, one.Problem}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), shown)
			}
			return shown.write(c.OutOrStdout())
		})
	}
	return c
}

func (s shownRefused) write(w io.Writer) error {
	if err := refusedTable(w, []shownRefused{s}); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "\nrequest_id: %s\n", printable(s.RequestID))
	if s.ContentType != "" {
		_, _ = fmt.Fprintf(w, "content type: %s\n", printable(s.ContentType))
	}
	for _, h := range s.Headers {
		_, _ = fmt.Fprintf(w, "%s: %s\n", printable(h.Name), printable(sizeOf(h.Bytes, h.SHA256)))
	}
	body := "not read"
	if s.BodySHA256 != "" {
		body = sizeOf(s.BodyBytes, s.BodySHA256)
	}
	_, err := fmt.Fprintf(w, "body: %s\n", printable(body))
	if s.Body != "" {
		_, err = fmt.Fprintf(w, "\n%s\n", laidOut(s.Body))
	}
	if s.Truncated {
		_, err = fmt.Fprintln(w, "(truncated)")
	}
	return err
}

func sizeOf(bytes int, sha256 string) string {
	if sha256 == "" {
		return counted(bytes, "byte")
	}
	return counted(bytes, "byte") + ", SHA-256 " + sha256
}
