package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"payonce/internal/app"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func parkedCommand(env Env) *cobra.Command {
	parent := group("parked", "Look at parked payments, release or cancel them", "  payctl parked list --provider ecommpay-kr")
	parent.AddCommand(parkedList(env), parkedDeed(env, events.DeedRelease), parkedDeed(env, events.DeedCancel))
	return parent
}

// waiting is a command that the broker holds, with its payment.
type waiting struct {
	payment.Ref
	Operation payment.Operation `json:"operation"`
	Due       time.Time         `json:"due"`
	Status    payment.Status    `json:"status"`
	Reason    *payment.Reason   `json:"reason,omitempty"`
	Amount    payment.Money     `json:"amount,omitzero"`
}

// choice says which parked payments are meant.
type choice struct {
	provider, operation, reason, dueBefore string
	orders                                 []string
	all                                    bool
}

func (w *choice) addFilters(c *cobra.Command) {
	c.Flags().StringVar(&w.operation, "operation", "", "only deposit or payout")
	c.Flags().StringVar(&w.reason, "reason", "", "only with this reason `CODE`, e.g. provider_closed")
	c.Flags().StringVar(&w.dueBefore, "due-before", "", "only those due before this `TIME`, e.g. 2026-11-23T00:00:00Z")
}

func (w choice) filtered() bool { return w.operation != "" || w.reason != "" || w.dueBefore != "" }

// filter is the choice by the names of its flags, for the audit.
func (w choice) filter() map[string]string {
	all := map[string]string{"operation": w.operation, "reason": w.reason, "due-before": w.dueBefore}
	if w.all {
		all["all"] = "true"
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

func (w choice) validate() error {
	if w.provider != "" && !payment.ValidProvider(w.provider) {
		return usagef("%q cannot be a provider", w.provider)
	}
	for _, order := range w.orders {
		if !payment.ValidOrder(order) {
			return usagef("%q cannot be an order", order)
		}
	}
	if w.operation != "" && !payment.Operation(w.operation).Valid() {
		return usagef("--operation is deposit or payout")
	}
	return validTime("--due-before", w.dueBefore)
}

func validTime(flag, text string) error {
	if _, err := time.Parse(time.RFC3339, text); err != nil && text != "" {
		return usagef("%s must be a time like 2026-11-23T00:00:00Z", flag)
	}
	return nil
}

func (w choice) matches(one waiting) bool {
	before, _ := time.Parse(time.RFC3339, w.dueBefore)
	return (w.operation == "" || string(one.Operation) == w.operation) &&
		(w.reason == "" || one.Reason != nil && one.Reason.Code == w.reason) &&
		(w.dueBefore == "" || one.Due.Before(before))
}

func parkedList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List what the broker holds until later",
		Long: `List what the broker holds until later: payments that are parked, and payments in doubt whose next look-up is due.
Names alone are read to count; only what is shown is read whole.`,
		Example: `  payctl parked list
  payctl parked list --provider ecommpay-kr --reason provider_closed
  payctl parked list --operation payout --due-before 2026-11-23T00:00:00Z --limit 0 --json`,
		Args: arguments(),
	}
	var w choice
	configPath, asJSON := addConfig(c), addJSON(c)
	c.Flags().StringVar(&w.provider, "provider", "", "only of this configured account")
	limit := c.Flags().Int("limit", 100, "show at most so many; 0 shows all")
	w.addFilters(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := w.validate(); err != nil {
			return err
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, _ config.Config, conn *jetstream.Conn) error {
			refs, err := conn.ParkedOrders(ctx, w.provider)
			if err != nil {
				return err
			}
			wanted := refs
			if !w.filtered() && *limit > 0 {
				wanted = refs[:min(*limit, len(refs))]
			}
			found, err := env.readWaiting(ctx, conn, wanted, w)
			if err != nil {
				return err
			}
			matching := len(found)
			if !w.filtered() {
				matching = len(refs)
			}
			if *limit > 0 {
				found = found[:min(*limit, len(found))]
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), map[string]any{"held": len(refs), "matching": matching, "parked": found})
			}
			return printWaiting(c.OutOrStdout(), found, len(refs), matching)
		})
	}
	return c
}

// withNATS loads the configuration and connects.
func (e Env) withNATS(ctx context.Context, path string, do func(context.Context, config.Config, *jetstream.Conn) error) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	conn, err := e.connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return do(ctx, cfg, conn)
}

// readWaiting reads the commands and the payments, and keeps what was chosen, the first due first. What is
// not parked any more is left out.
func (e Env) readWaiting(ctx context.Context, conn *jetstream.Conn, refs []payment.Ref, w choice) ([]waiting, error) {
	if len(refs) == 0 {
		return []waiting{}, nil
	}
	all, shown := make([]*waiting, len(refs)), progress(&lines{w: io.Discard, total: len(refs)})
	if len(refs) > batch {
		shown = newProgress(e, len(refs), "read")
	}
	defer shown.end()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(hands)
	for i, ref := range refs {
		group.Go(func() error {
			own, cancel := context.WithTimeout(ctx, e.Timeout)
			defer cancel()
			one, err := readOne(own, conn, ref)
			if err == nil && w.matches(one) {
				all[i] = &one
			}
			shown.add()
			if errors.Is(err, events.ErrNotParked) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found := []waiting{}
	for _, one := range all {
		if one != nil {
			found = append(found, *one)
		}
	}
	slices.SortStableFunc(found, func(a, b waiting) int { return a.Due.Compare(b.Due) })
	return found, nil
}

func readOne(ctx context.Context, conn *jetstream.Conn, ref payment.Ref) (waiting, error) {
	held, err := conn.ParkedCommand(ctx, ref)
	if err != nil {
		return waiting{}, err
	}
	op, _ := events.SubjectOperation(held.Subject)
	one := waiting{Ref: ref, Operation: op, Due: held.Due, Status: payment.Requested}
	p, _, err := conn.Last(ctx, ref)
	switch {
	case errors.Is(err, events.ErrNoPayment):
	case err != nil:
		return waiting{}, err
	default:
		one.Status, one.Reason, one.Amount = p.Status, p.Reason, p.Amount
	}
	return one, nil
}

func printWaiting(w io.Writer, found []waiting, held, matching int) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(found) > 0 {
		_, _ = fmt.Fprintln(table, "PROVIDER\tORDER\tOPERATION\tDUE\tSTATUS\tAMOUNT\tREASON")
	}
	for _, one := range found {
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s", one.Provider, one.Order, one.Operation,
			one.Due.UTC().Format(time.RFC3339), one.Status, money(one.Amount), reason(one.Reason))))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d shown of %d that match; the broker holds %d.\n", len(found), matching, held)
	return err
}

// parkedDeed is release or cancel.
func parkedDeed(env Env, what events.Deed) *cobra.Command {
	c := &cobra.Command{
		Use:   "release PROVIDER [ORDER...]",
		Short: "Let parked payments be tried now",
		Long: `Let parked payments be tried now. The log says who released them and why. A payment in doubt is looked up now.
While the provider is closed a released payment is parked again, with the true reason; payctl says so before it asks.

What was released before is released once more without harm, so an interrupted command can be run again.`,
		Example: `  payctl parked release ecommpay-kr P-1001 P-1002 --by kim --because "the provider opened early, ticket 4711"
  payctl parked release ecommpay-kr --reason provider_closed --by kim --because "ticket 4711" --dry-run
  payctl parked release ecommpay-kr --all --over 10m --by kim --because "ticket 4711" --yes`,
		Args: cobra.ArbitraryArgs,
	}
	if what == events.DeedCancel {
		c.Use, c.Short = "cancel PROVIDER [ORDER...]", "Give parked payments up for ever"
		c.Long = `Give payments up for ever of which nothing was sent: they fail with the reason cancelled, and the log says who
did it and why. A payment that may have been sent is left as it is; payctl payment resolve is for those.`
		c.Example = `  payctl parked cancel ecommpay-kr P-1001 --by kim --because "the customer withdrew it, ticket 4711"
  payctl parked cancel ecommpay-kr --operation payout --by kim --because "ticket 4711" --dry-run`
	}
	var w choice
	var over time.Duration
	h, asJSON := addHand(c, "because"), addJSON(c)
	w.addFilters(c)
	c.Flags().BoolVar(&w.all, "all", false, "all that the provider has parked")
	if what == events.DeedRelease {
		c.Flags().DurationVar(&over, "over", 0, "spread them evenly over this time, e.g. 10m")
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s needs a PROVIDER; see %[1]s --help", c.CommandPath())
		}
		w.provider, w.orders = args[0], args[1:]
		if (len(w.orders) > 0) == (w.all || w.filtered()) {
			return usagef("name orders, or say which with --all, --reason, --operation or --due-before; not both")
		}
		if err := w.validate(); err != nil {
			return err
		}
		who, err := h.person("because")
		if err != nil {
			return err
		}
		return env.withNATS(c.Context(), *h.config, func(ctx context.Context, cfg config.Config, conn *jetstream.Conn) error {
			d := parkedWork{env: env, hand: h, deed: what, choice: w, over: over, who: who, json: *asJSON, out: c.OutOrStdout()}
			return d.run(ctx, cfg, conn)
		})
	}
	return c
}

// parkedWork is one run of release or cancel.
type parkedWork struct {
	env    Env
	hand   hand
	deed   events.Deed
	choice choice
	over   time.Duration
	who    operator.Person
	json   bool
	out    io.Writer
}

func (d parkedWork) run(ctx context.Context, cfg config.Config, conn *jetstream.Conn) error {
	items, found, err := d.chosen(ctx, conn)
	if err != nil {
		return err
	}
	if d.deed == events.DeedRelease {
		d.warnOfClosed(cfg, found)
	}
	report := map[string]any{"deed": d.deed, "provider": d.choice.provider, "chosen": len(items), "dry_run": *d.hand.dryRun}
	if *d.hand.dryRun || len(items) == 0 {
		return d.write(report, nil, fmt.Sprintf("%d payments would be chosen. Nothing was done.", len(items)))
	}
	if err := d.env.confirm(d.hand, fmt.Sprintf("%s %d payments of %s, as %s: %s", d.deed, len(items), d.choice.provider, d.who.Name, d.who.Why), fmt.Sprint(len(items))); err != nil {
		return err
	}
	record := events.AuditRecord{
		Deed: d.deed, Provider: d.choice.provider, By: d.who.Name, Reason: d.who.Why, Filter: d.choice.filter(),
	}
	desk := operator.Desk{Log: conn, Queue: conn, Now: d.env.Now}
	began, places := d.env.Now(), map[string]int{}
	for i, item := range items {
		places[item.Order] = i
	}
	results, err := d.env.carryOut(ctx, conn, record, items, "payments", func(ctx context.Context, item *events.AuditItem) error {
		ref := payment.Ref{Provider: d.choice.provider, Order: item.Order}
		at := began.Add(d.over / time.Duration(len(items)) * time.Duration(places[item.Order]))
		o, err := operator.Outcome{}, error(nil)
		if d.deed == events.DeedCancel {
			o, err = desk.Cancel(ctx, ref, d.who)
		} else {
			o, err = desk.Release(ctx, ref, d.who, at)
		}
		item.Before, item.After, item.Result = o.Before, o.After, o.Result
		if errors.Is(err, operator.ErrNotNow) || errors.Is(err, events.ErrNotQueued) || errors.Is(err, events.ErrStale) {
			item.Result, err = "left as it is: "+err.Error(), nil
		}
		return err
	})
	return errors.Join(d.write(report, results, ""), err, leftAlone(results))
}

// leftAlone makes the exit code say that not all was done.
func leftAlone(results map[string]int) error {
	left := 0
	for result, n := range results {
		if result != operator.Released && result != operator.LookedUp && result != operator.Cancelled && result != replayed && result != dropped {
			left += n
		}
	}
	if left > 0 {
		return fmt.Errorf("%d were not done", left)
	}
	return nil
}

// chosen returns what the deed is to be done to.
func (d parkedWork) chosen(ctx context.Context, conn *jetstream.Conn) ([]events.AuditItem, []waiting, error) {
	var items []events.AuditItem
	if len(d.choice.orders) > 0 {
		slices.Sort(d.choice.orders)
		var refs []payment.Ref
		for _, order := range slices.Compact(d.choice.orders) {
			items = append(items, events.AuditItem{Order: order})
			refs = append(refs, payment.Ref{Provider: d.choice.provider, Order: order})
		}
		found, err := d.env.readWaiting(ctx, conn, refs, choice{})
		return items, found, err
	}
	refs, err := conn.ParkedOrders(ctx, d.choice.provider)
	if err != nil {
		return nil, nil, err
	}
	found, err := d.env.readWaiting(ctx, conn, refs, d.choice)
	for _, one := range found {
		items = append(items, events.AuditItem{Order: one.Order, Before: one.Status})
	}
	return items, found, err
}

// warnOfClosed says what will become of a release while the provider is closed.
func (d parkedWork) warnOfClosed(cfg config.Config, found []waiting) {
	if _, err := cfg.Connectors(d.env.Kinds, d.env.Now); err != nil {
		_, _ = fmt.Fprintln(d.env.Stderr, "note: the opening hours are not known here, because the configuration's providers cannot be read")
		return
	}
	closed := map[payment.Operation]int{}
	for _, one := range found {
		if opening := app.Opening(cfg)(one.Provider, one.Operation); !opening.Hours.Open(d.env.Now()) {
			closed[one.Operation]++
		}
	}
	for op, n := range closed {
		_, _ = fmt.Fprintf(d.env.Stderr, "note: %s is closed for the %s now: %d will be parked again with the reason provider_closed, unless its policy sends or rejects them\n",
			d.choice.provider, op, n)
	}
}

func (d parkedWork) write(report map[string]any, results map[string]int, none string) error {
	if d.json {
		report["results"] = results
		return writeJSON(d.out, report)
	}
	return printResults(d.out, results, none)
}

func printResults(w io.Writer, results map[string]int, none string) error {
	for _, result := range slices.Sorted(maps.Keys(results)) {
		_, _ = fmt.Fprintf(w, "%d: %s\n", results[result], printable(result))
	}
	if none != "" {
		_, err := fmt.Fprintln(w, none)
		return err
	}
	return nil
}
