package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"payonce/internal/app"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// parkedAction is release or cancel.
func parkedAction(env Env, what events.Action) *cobra.Command {
	c := &cobra.Command{
		Use:   "release PROVIDER [ORDER...]",
		Short: "Release parked payments now",
		Long: `Release parked payments, so that workers try them now. A payment in doubt is looked up now. The log records who
released them and why. While the provider is closed, a released payment is parked again; payctl warns before it asks.

Releasing a payment twice is safe, so an interrupted command can be run again.`,
		Example: `  payctl parked release ecommpay-kr P-1001 P-1002 --by kim --reason "the provider opened early, ticket 4711"
  payctl parked release ecommpay-kr --code provider_closed --by kim --reason "ticket 4711" --dry-run
  payctl parked release ecommpay-kr --all --over 10m --by kim --reason "ticket 4711" --yes`,
		Args: cobra.ArbitraryArgs,
	}
	if what == events.ActionCancel {
		c.Use, c.Short = "cancel PROVIDER [ORDER...]", "Cancel parked payments"
		c.Long = `Cancel payments that were never sent: they fail with the reason cancelled, and the log records who did it and why.
A payment that may have been sent is skipped; use payctl payment resolve. If one of the payments is above approvals.above,
all are requested together, and another person decides: see payctl approvals.`
		c.Example = `  payctl parked cancel ecommpay-kr P-1001 --by kim --reason "the customer withdrew it, ticket 4711"
  payctl parked cancel ecommpay-kr --operation payout --by kim --reason "ticket 4711" --dry-run`
	}
	var w choice
	var over time.Duration
	h, asJSON := addActionFlags(c), addJSON(c)
	w.addFilters(c)
	c.Flags().BoolVar(&w.all, "all", false, "all parked payments of the provider")
	if what == events.ActionRelease {
		c.Flags().DurationVar(&over, "over", 0, "spread them evenly over this time, e.g. 10m; none is released later than it is due")
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s needs a PROVIDER; see %[1]s --help", c.CommandPath())
		}
		w.provider, w.orders = args[0], args[1:]
		if (len(w.orders) > 0) == (w.all || w.filtered()) {
			return usagef("name orders, or use --all, --code, --operation or --due-before; not both")
		}
		if over < 0 {
			return usagef("--over must not be negative")
		}
		if err := w.validate(); err != nil {
			return err
		}
		who, err := h.person()
		if err != nil {
			return err
		}
		return env.asPerson(c.Context(), *h.config, who, func(ctx context.Context, cfg config.Config, conn *admin.Conn, who operator.Person) error {
			d := parkedWork{env: env, flags: h, action: what, choice: w, over: over, who: who, json: *asJSON, out: c.OutOrStdout()}
			return d.run(ctx, cfg, conn)
		})
	}
	return c
}

// parkedWork is one run of release or cancel.
type parkedWork struct {
	env    Env
	flags  actionFlags
	action events.Action
	choice choice
	over   time.Duration
	who    operator.Person
	json   bool
	out    io.Writer
	others string // what there is besides, where a filter found nothing
}

func (d parkedWork) run(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
	items, found, err := d.chosen(ctx, cfg, conn)
	if err != nil {
		return err
	}
	if _, known := cfg.Providers[d.choice.provider]; !known {
		_, _ = fmt.Fprintf(d.env.Stderr, "note: provider %q is not configured; configured: %s\n", d.choice.provider, providers(cfg))
	}
	if d.action == events.ActionRelease {
		d.warnOfClosed(cfg, found)
	}
	r := actionReport{Action: d.action, Provider: d.choice.provider, Chosen: len(items), DryRun: *d.flags.dryRun, Items: items}
	if *d.flags.dryRun || len(items) == 0 {
		return d.show(r, found)
	}
	if err := d.ask(items, found); err != nil {
		return err
	}
	r.Results, err = d.carryOut(ctx, d.env.deciding(cfg, conn), items, found)
	var requested *operator.RequestedError
	if errors.As(err, &requested) {
		return err
	}
	return errors.Join(r.write(d.out, d.json), err, leftAlone(r.Results))
}

func (d parkedWork) carryOut(ctx context.Context, a operator.Actions, items []events.AuditItem, found []waiting) (map[string]int, error) {
	shown := newProgress(d.env, len(items), "payments")
	defer shown.end()
	b := operator.Batch{Provider: d.choice.provider, Who: d.who, Filter: d.choice.filter(), Items: items, Done: shown.add}
	if d.action == events.ActionCancel {
		return a.Cancel(ctx, b)
	}
	return a.Release(ctx, b, d.times(items, found))
}

// times says when each payment is tried after a release: spread, and never later than it would be by itself.
func (d parkedWork) times(items []events.AuditItem, found []waiting) map[string]time.Time {
	began, times := d.env.Now(), map[string]time.Time{}
	for i, item := range items {
		times[item.Order] = began.Add(d.over / time.Duration(len(items)) * time.Duration(i))
	}
	for _, one := range found {
		if !one.Due.IsZero() && one.Due.Before(times[one.Order]) {
			times[one.Order] = one.Due
		}
	}
	return times
}

// shownFirst is how many of those chosen are shown to who is asked.
const shownFirst = 10

// ask shows what was chosen, the first of it, and asks.
func (d parkedWork) ask(items []events.AuditItem, found []waiting) error {
	if !*d.flags.yes {
		if err := printWaiting(d.env.Stderr, found[:min(shownFirst, len(found))]); err != nil {
			return err
		}
		if more := len(found) - shownFirst; more > 0 {
			_, _ = fmt.Fprintf(d.env.Stderr, "… and %d more; --dry-run shows them all\n", more)
		}
		d.notParked(d.env.Stderr, items, found)
	}
	question := fmt.Sprintf("%s %s of %s, as %s: %s", d.action, counted(len(items), "payment"), d.choice.provider, d.who.Name, d.who.Why)
	return d.env.confirm(d.flags, question, fmt.Sprint(len(items)))
}

// show shows what would be done.
func (d parkedWork) show(r actionReport, found []waiting) error {
	if d.json {
		return r.write(d.out, true)
	}
	if err := printWaiting(d.out, found); err != nil {
		return err
	}
	d.notParked(d.out, r.Items, found)
	_, err := fmt.Fprintf(d.out, "%s selected%s. Nothing was done.\n", counted(r.Chosen, "payment"), d.others)
	return err
}

// notParked names the requested orders that are not parked.
func (d parkedWork) notParked(w io.Writer, items []events.AuditItem, found []waiting) {
	parked := map[string]bool{}
	for _, one := range found {
		parked[one.Order] = true
	}
	for _, item := range items {
		if !parked[item.Order] {
			_, _ = fmt.Fprintf(w, "%s: not parked; see payctl payment show %s %[1]s\n", item.Order, d.choice.provider)
		}
	}
}

// chosen returns what the action is to be done to.
func (d *parkedWork) chosen(ctx context.Context, cfg config.Config, conn *admin.Conn) ([]events.AuditItem, []waiting, error) {
	var items []events.AuditItem
	if len(d.choice.orders) > 0 {
		slices.Sort(d.choice.orders)
		var refs []payment.Ref
		for _, order := range slices.Compact(d.choice.orders) {
			items = append(items, events.AuditItem{Order: order})
			refs = append(refs, payment.Ref{Provider: d.choice.provider, Order: order})
		}
		found, _, err := d.env.readWaiting(ctx, conn, refs, choice{})
		for i := range items {
			if at := slices.IndexFunc(found, func(one waiting) bool { return one.Order == items[i].Order }); at >= 0 {
				items[i].Upstream = found[at].Upstream
			}
		}
		return items, found, err
	}
	refs, err := conn.ParkedOrders(ctx, d.choice.provider)
	if err == nil {
		err = d.choice.mustExist(cfg, refs)
	}
	if err != nil {
		return nil, nil, err
	}
	found, reasons, err := d.env.readWaiting(ctx, conn, refs, d.choice)
	if len(found) == 0 && len(refs) > 0 {
		d.others = fmt.Sprintf("; %d parked in total%s", len(refs), byReason(reasons))
	}
	for _, one := range found {
		items = append(items, events.AuditItem{Order: one.Order, Upstream: one.Upstream, Before: one.Status})
	}
	return items, found, err
}

// warnOfClosed says what will become of a release while the provider is closed.
func (d parkedWork) warnOfClosed(cfg config.Config, found []waiting) {
	if _, err := cfg.Connectors(d.env.Kinds, d.env.Now); err != nil {
		_, _ = fmt.Fprintln(d.env.Stderr, "note: cannot read the opening hours from the configuration")
		return
	}
	closed := map[payment.Operation]int{}
	for _, one := range found {
		if opening := app.Opening(cfg)(one.Provider, one.Operation); !opening.Hours.Open(d.env.Now()) {
			closed[one.Operation]++
		}
	}
	for op, n := range closed {
		_, _ = fmt.Fprintf(d.env.Stderr, "note: %s is closed for %ss now: %d will be parked again (provider_closed), unless its policy sends or rejects them\n",
			d.choice.provider, op, n)
	}
}
