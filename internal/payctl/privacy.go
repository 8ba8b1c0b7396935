package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/archive"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func privacyCommand(env Env) *cobra.Command {
	parent := group("privacy", "Erase customers' personal data", "  payctl privacy erase ecommpay-kr P-1001 --by kim --reason \"request of the customer, ticket 4711\" --dry-run")
	c := &cobra.Command{
		Use:   "erase PROVIDER [ORDER...]",
		Short: "Erase personal data of payments that have ended",
		Long: `Erase the customer's personal data of payments that have ended: the payment page or account that the customer got, and all
commands, clarifications, webhooks and dead letters of the order. The log of payments keeps amounts, statuses, times and
the provider's references. In the archive, where there is one, the values of the payment's metadata are replaced as well.

Payments that are open or in conflict are skipped. So is what may still report money: webhooks that no worker has
processed or that became dead letters, and another command under the same order. Run the command again later.

The log does not know customers: find a customer's orders in the upstream system. If archive.customer_field names the field of
the metadata with the customer's number, --customer finds them in the archive.`,
		Example: `  payctl privacy erase ecommpay-kr P-1001 --by kim --reason "request of the customer, ticket 4711"
  payctl privacy erase ecommpay-kr P-1001 P-1002 --by kim --reason "ticket 4711" --dry-run`,
		Args: cobra.ArbitraryArgs,
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	customer := c.Flags().String("customer", "", "erase all payments of the provider whose metadata names this `CUSTOMER`, by archive.customer_field")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) < 1 || (len(args) == 1) == (*customer == "") {
			return usagef("%s needs a PROVIDER, and an ORDER or --customer; see %[1]s --help", c.CommandPath())
		}
		w := erasure{env: env, flags: h, provider: args[0], orders: slices.Compact(slices.Sorted(slices.Values(args[1:]))), json: *asJSON, out: c.OutOrStdout()}
		for _, order := range w.orders {
			if err := (payment.Ref{Provider: w.provider, Order: order}).Validate(); err != nil {
				return usageError{err}
			}
		}
		var err error
		if w.who, err = h.person(); err != nil {
			return err
		}
		return env.asPerson(c.Context(), *h.config, w.who, func(ctx context.Context, cfg config.Config, conn *admin.Conn, who operator.Person) error {
			w.conn, w.retention, w.who = conn, cfg.NATS.PaymentsRetention, who
			return w.withArchive(ctx, cfg, *customer)
		})
	}
	parent.AddCommand(c)
	return parent
}

// erasure is one run of erase.
type erasure struct {
	env       Env
	flags     actionFlags
	conn      *admin.Conn
	provider  string
	orders    []string
	who       operator.Person
	json      bool
	out       io.Writer
	retention time.Duration  // of the log
	archive   *archive.Store // nil for none
}

// erasureReport is what came of it, or would.
type erasureReport struct {
	actionReport
	// NotReached is what the command cannot erase, for people.
	NotReached []string `json:"not_reached"`
}

// notReached holds of every erasure.
var notReached = []string{
	"the log keeps amounts, statuses, times, references, the upstream's metadata and the command's fingerprint",
	"backups and snapshots of NATS keep the data until they expire; so do copies in other systems",
	"the provider keeps what it received",
}

func (w erasure) run(ctx context.Context) error {
	r := erasureReport{actionReport: actionReport{Action: events.ActionErase, Provider: w.provider, DryRun: *w.flags.dryRun}, NotReached: notReached}
	var items []events.AuditItem
	for _, order := range w.orders {
		item, old, err := w.look(ctx, order)
		if err != nil {
			return err
		}
		if old != "" {
			r.NotReached = append(slices.Clone(r.NotReached), order+": "+old)
		}
		r.Items = append(r.Items, item)
		if item.Result == "" {
			items = append(items, item)
		}
	}
	r.Chosen = len(items)
	if *w.flags.dryRun {
		return errors.Join(w.show(w.out, r), leftIn(r.Items))
	}
	if err := w.show(w.env.Stderr, r); err != nil {
		return err
	}
	if len(items) > 0 {
		question := fmt.Sprintf("permanently erase personal data of %s, as %s: %s", counted(len(items), "payment"), w.who.Name, w.who.Why)
		if err := w.env.confirm(w.flags, question, fmt.Sprint(len(items))); err != nil {
			return err
		}
	}
	refused := slices.DeleteFunc(slices.Clone(r.Items), func(i events.AuditItem) bool { return i.Result == "" })
	results, err := w.carryOut(ctx, items)
	for _, item := range refused {
		results[item.Result]++
	}
	r.Results, r.Items = results, append(items, refused...)
	return errors.Join(w.write(r), err, leftAlone(results))
}

// leftIn makes the exit code of a preview say that not all could be done.
func leftIn(items []events.AuditItem) error {
	results := map[string]int{}
	for _, item := range items {
		if item.Result != "" {
			results[item.Result]++
		}
	}
	return leftAlone(results)
}

// look says what would be erased of an order. Its result is why that cannot be. old is what the log itself holds.
func (w erasure) look(ctx context.Context, order string) (item events.AuditItem, old string, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.env.Timeout)
	defer cancel()
	ref := payment.Ref{Provider: w.provider, Order: order}
	item = events.AuditItem{Order: order}
	p, found, err := w.env.actions(w.conn).Service.Personal(ctx, w.conn, ref)
	item.Before, item.Upstream = p.Status, p.Upstream
	if errors.Is(err, operator.ErrNotNow) {
		item.Result = operator.LeftAlone(err)
		return item, "", nil
	}
	if err != nil {
		return item, "", err
	}
	item.Stream = operator.ByStream(found)
	if result, err := w.lookInArchive(ctx, ref, &item); err != nil || result != "" {
		item.Result = result
		return item, "", err
	}
	if p.Status == "" {
		return item, "", nil
	}
	old, err = w.inLog(ctx, ref)
	return item, old, err
}

func (w erasure) carryOut(ctx context.Context, items []events.AuditItem) (map[string]int, error) {
	if len(items) == 0 {
		return map[string]int{}, nil
	}
	shown := newProgress(w.env, len(items), "payments")
	defer shown.end()
	return w.env.actions(w.conn).Erase(ctx, w.conn, operator.Batch{Provider: w.provider, Who: w.who, Items: items, Done: shown.add}, w.eraseInArchive)
}

// inLog says what events of older versions hold, which had links and accounts in themselves.
func (w erasure) inLog(ctx context.Context, ref payment.Ref) (string, error) {
	records, err := w.conn.History(ctx, ref)
	if errors.Is(err, events.ErrNoPayment) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var last time.Time
	count := 0
	for _, record := range records {
		for _, a := range []*payment.Action{record.Payment.Action, record.Payment.WithheldAction} {
			if a != nil && !a.Missing() {
				count, last = count+1, record.StoredAt
			}
		}
	}
	if count == 0 {
		return "", nil
	}
	return fmt.Sprintf("the log has personal data in %s written by an older version, until %s", counted(count, "event"),
		last.Add(w.retention).UTC().Format(time.DateOnly)), nil
}

// show shows what was found.
func (w erasure) show(out io.Writer, r erasureReport) error {
	if w.json {
		if r.DryRun {
			return writeJSON(out, r)
		}
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ORDER\tSTATUS\tMESSAGES TO ERASE")
	for _, item := range r.Items {
		what := item.Stream
		if item.Result != "" {
			what = "left: " + item.Result
		} else if what == "" {
			what = "none"
		}
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%s\x00%s\x00%s", item.Order, item.Before, what)))
	}
	if err := table.Flush(); err != nil || !r.DryRun {
		return err
	}
	return errors.Join(w.notes(out, r), says(out, "Nothing was done."))
}

func (w erasure) write(r erasureReport) error {
	if w.json {
		return writeJSON(w.out, r)
	}
	for _, item := range r.Items {
		if item.Result == operator.Erased && item.Stream != "" {
			_, _ = fmt.Fprintf(w.out, "%s: %s\n", item.Order, item.Stream)
		}
	}
	return errors.Join(r.actionReport.write(w.out, false), w.notes(w.out, r))
}

func (w erasure) notes(out io.Writer, r erasureReport) error {
	_, err := fmt.Fprintf(out, "Not reached:\n- %s\n", strings.Join(r.NotReached, "\n- "))
	return err
}
