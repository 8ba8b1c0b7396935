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

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
)

func parkedCommand(env Env) *cobra.Command {
	parent := group("parked", "List, release or cancel parked payments", "  payctl parked list --provider ecommpay-kr")
	parent.AddCommand(parkedList(env), parkedAction(env, events.ActionRelease), parkedAction(env, events.ActionCancel))
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
	Upstream  string            `json:"upstream,omitempty"`
}

// code is the reason's, or the status where there is none.
func (w waiting) code() string {
	if w.Reason == nil {
		return string(w.Status)
	}
	return w.Reason.Code
}

// choice says which parked payments are meant.
type choice struct {
	provider, operation, code, dueBefore string
	orders                               []string
	all                                  bool
}

func (w *choice) addFilters(c *cobra.Command) {
	c.Flags().StringVar(&w.operation, "operation", "", "filter by operation: deposit or payout")
	c.Flags().StringVar(&w.code, "code", "", "filter by reason `CODE`, e.g. provider_closed")
	c.Flags().StringVar(&w.dueBefore, "due-before", "", "filter by `TIME`: due before it, e.g. 2026-11-23T00:00:00Z")
}

func (w choice) filtered() bool { return w.operation != "" || w.code != "" || w.dueBefore != "" }

// filter is the choice by the names of its flags, for the audit.
func (w choice) filter() map[string]string {
	all := map[string]string{"operation": w.operation, "code": w.code, "due-before": w.dueBefore}
	if w.all {
		all["all"] = "true"
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

func (w choice) validate() error {
	if w.provider != "" && !payment.ValidProvider(w.provider) {
		return usagef("%q is not a valid provider name", w.provider)
	}
	for _, order := range w.orders {
		if !payment.ValidOrder(order) {
			return usagef("%q is not a valid order number", order)
		}
	}
	if w.operation != "" && !payment.Operation(w.operation).Valid() {
		return usagef("--operation must be deposit or payout")
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
		(w.code == "" || one.Reason != nil && one.Reason.Code == w.code) &&
		(w.dueBefore == "" || one.Due.Before(before))
}

func parkedList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List parked payments",
		Long: `List parked payments, and payments in doubt that wait for their next look-up. Only the listed ones are read in full;
the others are counted by their subjects.`,
		Example: `  payctl parked list
  payctl parked list --provider ecommpay-kr --code provider_closed
  payctl parked list --operation payout --due-before 2026-11-23T00:00:00Z --limit 0 --json`,
		Args: arguments(),
	}
	var w choice
	configPath, asJSON := addConfig(c), addJSON(c)
	c.Flags().StringVar(&w.provider, "provider", "", "filter by provider")
	limit := c.Flags().Int("limit", 100, "show at most this `NUMBER`; 0 shows all")
	w.addFilters(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := w.validate(); err != nil {
			return err
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
			l, err := env.listParked(ctx, cfg, conn, w, *limit)
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), l)
			}
			return l.print(c.OutOrStdout())
		})
	}
	return c
}

// parkedListing is what the list shows.
type parkedListing struct {
	Total    int       `json:"total"`
	Matching int       `json:"matching"`
	Parked   []waiting `json:"parked"`
	// Reasons counts all parked payments by reason if the filter matched none.
	Reasons map[string]int `json:"reasons,omitempty"`
	byName  bool           // only the first by name were read, so these are not the first due
}

func (e Env) listParked(ctx context.Context, cfg config.Config, conn *admin.Conn, w choice, limit int) (parkedListing, error) {
	refs, err := conn.ParkedOrders(ctx, w.provider)
	if err != nil {
		return parkedListing{}, err
	}
	if err := w.mustExist(cfg, refs); err != nil {
		return parkedListing{}, err
	}
	l := parkedListing{Total: len(refs), Matching: len(refs), byName: !w.filtered() && limit > 0 && limit < len(refs)}
	wanted := refs
	if l.byName {
		wanted = refs[:limit]
	}
	if l.Parked, l.Reasons, err = e.readWaiting(ctx, conn, wanted, w); err != nil {
		return parkedListing{}, err
	}
	if w.filtered() {
		l.Matching = len(l.Parked)
	}
	if l.Matching > 0 {
		l.Reasons = nil
	}
	if limit > 0 {
		l.Parked = l.Parked[:min(limit, len(l.Parked))]
	}
	return l, nil
}

// mustExist says that a provider's name is wrong, rather than that it holds nothing. One that was taken out of the
// configuration is still asked for what it holds.
func (w choice) mustExist(cfg config.Config, refs []payment.Ref) error {
	if _, known := cfg.Providers[w.provider]; w.provider == "" || known || len(refs) > 0 {
		return nil
	}
	return usagef("provider %q is not configured and has nothing parked; configured: %s", w.provider, providers(cfg))
}

// withNATS loads the configuration and connects.
func (e Env) withNATS(ctx context.Context, path string, do func(context.Context, config.Config, *admin.Conn) error) error {
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
// not parked any more is left out. It also counts all that it read by their reasons.
func (e Env) readWaiting(ctx context.Context, conn *admin.Conn, refs []payment.Ref, w choice) ([]waiting, map[string]int, error) {
	all, err := e.readAll(ctx, conn, refs)
	if err != nil {
		return nil, nil, err
	}
	found, reasons := []waiting{}, map[string]int{}
	for _, one := range all {
		if one == nil {
			continue
		}
		reasons[one.code()]++
		if w.matches(*one) {
			found = append(found, *one)
		}
	}
	slices.SortStableFunc(found, func(a, b waiting) int { return a.Due.Compare(b.Due) })
	return found, reasons, nil
}

const (
	// manyItems is above how many things to read progress is shown.
	manyItems = 500
	// readers is how many things are read at the same time.
	readers = 16
)

// readAll reads the parked command of each order; nil if it is not parked any more.
func (e Env) readAll(ctx context.Context, conn *admin.Conn, refs []payment.Ref) ([]*waiting, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	all, shown := make([]*waiting, len(refs)), progress(&lines{w: io.Discard, total: len(refs)})
	if len(refs) > manyItems {
		shown = newProgress(e, len(refs), "read")
	}
	defer shown.end()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, ref := range refs {
		group.Go(func() error {
			own, cancel := context.WithTimeout(ctx, e.Timeout)
			defer cancel()
			one, err := readOne(own, conn, ref)
			if err == nil {
				all[i] = &one
			}
			shown.add()
			if errors.Is(err, events.ErrNotParked) {
				return nil
			}
			return err
		})
	}
	return all, group.Wait()
}

func readOne(ctx context.Context, conn *admin.Conn, ref payment.Ref) (waiting, error) {
	m, err := conn.ParkedCommand(ctx, ref)
	if err != nil {
		return waiting{}, err
	}
	op, _ := events.SubjectOperation(m.Subject)
	one := waiting{Ref: ref, Operation: op, Due: m.Due, Status: payment.Requested, Upstream: m.Header.Get(events.HeaderUpstream)}
	p, _, err := conn.Last(ctx, ref)
	switch {
	case errors.Is(err, events.ErrNoPayment):
	case isUnreadable(err): // it must not hide the others
		one.Status, one.Reason = payment.InDoubt, &payment.Reason{Code: payment.ReasonUnreadable, Message: err.Error()}
	case err != nil:
		return waiting{}, err
	default:
		one.Status, one.Reason, one.Amount, one.Upstream = p.Status, p.Reason, p.Amount, p.Upstream
	}
	return one, nil
}

func (l parkedListing) print(w io.Writer) error {
	if err := printWaiting(w, l.Parked); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "%d shown of %d that match; %d parked in total%s.\n", len(l.Parked), l.Matching, l.Total, byReason(l.Reasons))
	if l.byName {
		_, _ = fmt.Fprintln(w, "Sorted by order number, not by due time: use --limit 0 or a filter to read all.")
	}
	return nil
}

// byReason says what there is where a filter found nothing: perhaps its word was misspelt.
func byReason(counts map[string]int) string {
	text := ""
	for i, code := range slices.Sorted(maps.Keys(counts)) {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %d %s", counts[code], code)
	}
	if text == "" {
		return ""
	}
	return ":" + text
}

func printWaiting(w io.Writer, found []waiting) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(found) > 0 {
		_, _ = fmt.Fprintln(table, "PROVIDER\tORDER\tOPERATION\tDUE\tSTATUS\tAMOUNT\tREASON")
	}
	for _, one := range found {
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s", one.Provider, one.Order, one.Operation,
			one.Due.UTC().Format(time.RFC3339), one.Status, money(one.Amount), one.Reason.Line())))
	}
	return table.Flush()
}
