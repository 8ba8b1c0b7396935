package payctl

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/search"
)

// searchedEvents is how many of the newest events of the log are read where there is no archive.
const searchedEvents = 100_000

func paymentsCommand(env Env) *cobra.Command {
	parent := group("payments", "Find payments", "  payctl payments list --status in_doubt --provider ecommpay-kr")
	c := &cobra.Command{
		Use:   "list",
		Short: "List payments, newest first",
		Long: `List payments, newest first, from the archive. Without an archive the newest events of the log are read, as many as --events says, and payments of
before are not found; a line says so. A flag that can be repeated means any of its values.`,
		Example: `  payctl payments list --status in_doubt --status conflict
  payctl payments list --provider ecommpay-kr --amount-from 1000000 --currency KRW --from 2026-11-01 --csv > payments.csv
  payctl payments list --metadata customer_id=4711 --json`,
		Args: arguments(),
	}
	path, asJSON := addConfig(c), addJSON(c)
	asCSV := c.Flags().Bool("csv", false, "print CSV")
	limit := c.Flags().Int("limit", 100, "list so `MANY` payments at most; 0 lists all")
	most := c.Flags().Uint64("events", searchedEvents, "without an archive, read so `MANY` of the newest events of the log")
	values := searchFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		f, problems := search.Parse(values())
		for _, p := range problems {
			return usagef("--%s: %s", strings.ReplaceAll(p.Name, "_", "-"), p.Detail)
		}
		if *asJSON && *asCSV || *limit < 0 || *most < 1 {
			return usagef("give --json or --csv, --limit 0 or more and --events 1 or more; see %s --help", c.CommandPath())
		}
		return env.withSearch(c.Context(), *path, *most, func(ctx context.Context, s searcher) error {
			write, done := listTo(c.OutOrStdout(), *asJSON, *asCSV)
			if err := eachFound(ctx, s, f, *limit, write); err != nil {
				return err
			}
			return done()
		})
	}
	parent.AddCommand(c)
	return parent
}

// searchFlags adds a flag for each parameter of a search, and returns what they were given.
func searchFlags(c *cobra.Command) func() url.Values {
	usage := map[string]string{
		"status": "any of these `STATUS`es", "provider": "any of these `PROVIDER`s", "operation": "deposit or payout: `OPERATION`", "order": "the `ORDER` number",
		"provider_reference": "the provider's own `NUMBER` of the payment", "code": "any of these reason `CODE`s", "amount_from": "the least `AMOUNT`; needs --currency",
		"amount_to": "the largest `AMOUNT`; needs --currency", "currency": "`CODE` of the amounts", "from": "first event stored at this `TIME` or later, e.g. 2026-11-22 (UTC) or 2026-11-22T09:00:00+09:00",
		"to": "first event stored before this `TIME`", "metadata": "metadata has this `NAME`, or NAME=VALUE",
	}
	given := map[string]*[]string{}
	for _, name := range search.Parameters() {
		if name != "overdue" {
			given[name] = c.Flags().StringArray(strings.ReplaceAll(name, "_", "-"), nil, usage[name])
		}
	}
	overdue := c.Flags().Bool("overdue", false, "a person was told that they are open for too long")
	return func() url.Values {
		values := url.Values{}
		for name, texts := range given {
			for _, text := range *texts {
				if day, err := time.Parse(time.DateOnly, text); err == nil && (name == "from" || name == "to") {
					text = day.Format(time.RFC3339)
				}
				values.Add(name, text)
			}
		}
		if *overdue {
			values.Set("overdue", "true")
		}
		return values
	}
}

// searcher finds payments.
type searcher interface {
	Find(ctx context.Context, f search.Filter, after string, limit int) (search.Page, error)
}

// withSearch searches the archive. Without one it connects to NATS and reads so many of the newest events of the log, once.
func (e Env) withSearch(ctx context.Context, path string, most uint64, do func(context.Context, searcher) error) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	if !cfg.Archive.Configured() {
		return e.withNATS(ctx, path, func(ctx context.Context, _ config.Config, conn *admin.Conn) error {
			return do(ctx, e.logSearch(conn, most))
		})
	}
	store, err := openArchive(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // nothing was written
	return do(ctx, store)
}

// logSearch searches the log, and says what it looked at.
func (e Env) logSearch(conn *admin.Conn, most uint64) searcher {
	return saidSearch{search.Log{Source: conn, Events: most, Progress: e.readingLog("read")}, e.Stderr}
}

type saidSearch struct {
	search.Log
	notes io.Writer
}

func (s saidSearch) Find(ctx context.Context, f search.Filter, after string, _ int) (search.Page, error) {
	page, err := s.Log.All(ctx, f, after)
	if err == nil && after == "" {
		what := "all of it"
		if !page.Looked.All {
			what = "its newest, since " + page.Looked.Since.UTC().Format(time.RFC3339) + "; older payments are not found"
		}
		_, _ = fmt.Fprintf(s.notes, "There is no archive: %d events of the log were read, %s.\n", page.Looked.Events, what)
	}
	return page, err
}

// eachFound calls write for each payment, at most limit of them; 0 is all.
func eachFound(ctx context.Context, s searcher, f search.Filter, limit int, write func(search.Entry) error) error {
	for n, after := 0, ""; ; {
		page, err := s.Find(ctx, f, after, search.MaxPage)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if n++; limit > 0 && n > limit {
				return nil
			}
			if err := write(e); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

var listColumns = []string{"opened", "provider", "order", "operation", "status", "reason", "amount", "currency", "provider_reference", "changed", "submits"}

// amountCell is where the amount is. It is empty where a refused command had none that could be read: 0 would be an amount.
const amountCell = 6

func cellsOf(e search.Entry) []string {
	p, code, value := e.Payment, "", ""
	if !p.Amount.IsZero() {
		value = p.Amount.Value()
	}
	if p.Reason != nil {
		code = p.Reason.Code
	}
	status := string(p.Status)
	if e.Unreadable > 0 {
		status += " (a later event cannot be read)"
	}
	return []string{
		e.OpenedAt.UTC().Format(time.RFC3339), p.Provider, p.Order, string(p.Operation), status, code, value, p.Amount.Currency,
		p.ProviderReference, p.UpdatedAt.UTC().Format(time.RFC3339), fmt.Sprint(p.Requests()),
	}
}

// listTo returns what writes a payment, and what ends the list.
func listTo(w io.Writer, asJSON, asCSV bool) (write func(search.Entry) error, done func() error) {
	switch {
	case asJSON:
		all := []listed{}
		return func(e search.Entry) error {
			all = append(all, listed{events.DataOf(operator.HideActions(e.Payment)), e.Sequence, e.OpenedAt, e.EndedAt, e.Unreadable})
			return nil
		}, func() error { return writeJSON(w, all) }
	case asCSV:
		out := csv.NewWriter(w)
		err := out.Write(listColumns)
		return func(e search.Entry) error {
			cells := cellsOf(e)
			for i := range cells {
				cells[i] = plainCell(cells[i])
			}
			return out.Write(cells)
		}, func() error { out.Flush(); return firstError(err, out.Error()) }
	}
	table, n := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), 0
	_, _ = fmt.Fprintln(table, strings.ToUpper(strings.Join(listColumns, "\t")))
	return func(e search.Entry) error {
			n++
			cells := cellsOf(e)
			if cells[amountCell] == "" {
				cells[amountCell] = "-"
			}
			_, err := fmt.Fprintln(table, printable(strings.Join(cells, "\x00")))
			return err
		}, func() error {
			if err := table.Flush(); err != nil {
				return err
			}
			return says(w, "\n"+counted(n, "payment")+".")
		}
}

// listed is a payment of a list in JSON.
type listed struct {
	Payment    events.PaymentData `json:"payment"`
	Sequence   uint64             `json:"sequence"`
	OpenedAt   time.Time          `json:"opened_at"`
	EndedAt    time.Time          `json:"ended_at,omitzero"`
	Unreadable uint64             `json:"unreadable_sequence,omitempty"`
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}
