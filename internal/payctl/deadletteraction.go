package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
)

// deadLettersAction is replay or drop.
func deadLettersAction(env Env, what events.Action) *cobra.Command {
	c := &cobra.Command{
		Use: "replay [SEQ...]", Short: "Return dead letters to their stream after the cause is fixed",
		Long: `Return dead letters to their stream after the cause is fixed, and delete them from DEADLETTERS. A command is skipped
while another command of its order is queued. A replay cannot pay twice: it is checked against the log like any command.
If the cause is not fixed, the message becomes a dead letter again under a new number.

If payctl is killed between publishing and deleting, the dead letter stays listed and its audit record has no result.
Replaying it again is safe.`,
		Example: `  payctl deadletters replay --code unknown_provider --by kim --reason "the account is configured now" --dry-run
  payctl deadletters replay 17 18 --by kim --reason "ticket 4711" --yes`,
		Args: cobra.ArbitraryArgs,
	}
	if what == events.ActionDrop {
		c.Use, c.Short, c.Long = "drop [SEQ...]", "Delete dead letters", "Delete dead letters permanently. The audit record lists them."
		c.Example = `  payctl deadletters drop --code bad_webhook --before 2026-11-22T00:00:00Z --by kim --reason "scans" --dry-run
  payctl deadletters drop 17 --by kim --reason "a test" --yes`
	}
	var s filter
	h, asJSON, all := addActionFlags(c), addJSON(c), false
	s.addFilters(c)
	c.Flags().BoolVar(&all, "all", false, "all dead letters")
	c.RunE = func(c *cobra.Command, args []string) error {
		s.sequences = append(s.sequences, args...)
		if !all && len(s.filter()) == 0 && len(s.sequences) == 0 {
			return usagef("name dead letters by number, with a filter, or use --all")
		}
		if err := s.validate(); err != nil {
			return err
		}
		who, err := h.person()
		if err != nil {
			return err
		}
		return env.asPerson(c.Context(), *h.config, who, func(ctx context.Context, _ config.Config, conn *admin.Conn, who operator.Person) error {
			d := deadLetterWork{env: env, conn: conn, flags: h, action: what, filter: s, who: who, json: *asJSON, out: c.OutOrStdout()}
			return d.run(ctx)
		})
	}
	return c
}

// deadLetterWork is one run of replay or drop.
type deadLetterWork struct {
	env    Env
	conn   *admin.Conn
	flags  actionFlags
	action events.Action
	filter filter
	who    operator.Person
	json   bool
	out    io.Writer
}

func (d deadLetterWork) run(ctx context.Context) error {
	found, reasons, err := d.env.sift(ctx, d.conn, d.filter)
	if err != nil {
		return err
	}
	lines, absent := operator.DeadLettersOf(found), d.absent(found)
	r := actionReport{Action: d.action, Chosen: len(lines), DryRun: *d.flags.dryRun, Items: append(itemsOf(lines), absent...)}
	if *d.flags.dryRun || len(found) == 0 {
		return d.show(r, lines, reasons, len(absent))
	}
	if !*d.flags.yes {
		if err := d.ask(lines, absent); err != nil {
			return err
		}
	}
	if err := d.env.confirm(d.flags, fmt.Sprintf("%s %s, as %s: %s", d.action, counted(len(found), "dead letter"), d.who.Name, d.who.Why), fmt.Sprint(len(found))); err != nil {
		return err
	}
	r.Items, r.Results, err = d.carryOut(ctx, lines)
	r.Items = append(r.Items, absent...)
	if len(absent) > 0 {
		r.Results[operator.NotFound] += len(absent)
	}
	err = errors.Join(r.write(d.out, d.json), err, leftAlone(r.Results))
	if d.action == events.ActionReplay && r.Results[operator.Replayed] > 0 {
		_, _ = fmt.Fprintln(d.env.Stderr, "Check payctl deadletters list: a message whose cause is not fixed comes back under a new number")
	}
	return err
}

// absent are the numbers that were named and that no dead letter has, unless a filter may have left it out.
func (d deadLetterWork) absent(found []events.DeadLetter) []events.AuditItem {
	var items []events.AuditItem
	if len(d.filter.filter()) > 0 {
		return nil
	}
	for _, text := range slices.Compact(slices.Sorted(slices.Values(d.filter.sequences))) {
		seq, _ := strconv.ParseUint(text, 10, 64)
		if !slices.ContainsFunc(found, func(l events.DeadLetter) bool { return l.Sequence == seq }) {
			items = append(items, events.AuditItem{DeadLetter: seq, Result: operator.NotFound})
		}
	}
	return items
}

func itemsOf(lines []operator.DeadLetter) []events.AuditItem {
	items := []events.AuditItem{}
	for _, l := range lines {
		items = append(items, events.AuditItem{Order: l.Order, Upstream: l.Upstream, DeadLetter: l.Sequence})
	}
	return items
}

// show shows what would be done. Numbers of which none exists are a mistake, or were done before.
func (d deadLetterWork) show(r actionReport, lines []operator.DeadLetter, reasons map[string]int, absent int) error {
	var err error
	if absent > 0 {
		err = fmt.Errorf("%d not done", absent)
	}
	if d.json {
		return errors.Join(r.write(d.out, true), err)
	}
	return errors.Join(printDeadLetters(d.out, lines, reasons), r.write(d.out, false), says(d.out, "Nothing was done."), err)
}

func says(w io.Writer, text string) error {
	_, err := fmt.Fprintln(w, text)
	return err
}

// ask shows what was chosen, the first of it, to who is asked.
func (d deadLetterWork) ask(lines []operator.DeadLetter, absent []events.AuditItem) error {
	if err := deadLetterTable(d.env.Stderr, lines[:min(shownFirst, len(lines))]); err != nil {
		return err
	}
	if more := len(lines) - shownFirst; more > 0 {
		_, _ = fmt.Fprintf(d.env.Stderr, "… and %d more; --dry-run shows them all\n", more)
	}
	for _, item := range absent {
		_, _ = fmt.Fprintf(d.env.Stderr, "%s: %s\n", named(item), item.Result)
	}
	return nil
}

// carryOut does it, with a record of its own for each provider.
func (d deadLetterWork) carryOut(ctx context.Context, lines []operator.DeadLetter) ([]events.AuditItem, map[string]int, error) {
	groups := map[string][]operator.DeadLetter{}
	for _, l := range lines {
		groups[l.Provider] = append(groups[l.Provider], l)
	}
	all, results := []events.AuditItem{}, map[string]int{}
	for _, provider := range slices.Sorted(maps.Keys(groups)) {
		items := itemsOf(groups[provider])
		done, err := d.onProvider(ctx, provider, items)
		all = append(all, items...)
		for result, n := range done {
			results[result] += n
		}
		if err != nil {
			return all, results, err
		}
	}
	return all, results, nil
}

func (d deadLetterWork) onProvider(ctx context.Context, provider string, items []events.AuditItem) (map[string]int, error) {
	shown := newProgress(d.env, len(items), "dead letters")
	defer shown.end()
	b := operator.Batch{Provider: provider, Who: d.who, Filter: d.filter.filter(), Items: items, Done: shown.add}
	if d.action == events.ActionDrop {
		return d.env.actions(d.conn).Drop(ctx, d.conn, b)
	}
	return d.env.actions(d.conn).Replay(ctx, d.conn, b)
}
