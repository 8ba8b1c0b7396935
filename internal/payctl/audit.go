package payctl

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
)

func auditCommand(env Env) *cobra.Command {
	parent := group("audit", "List actions of operators, and verify the audit trail", "  payctl audit list --provider ecommpay-kr")
	c := &cobra.Command{
		Use: "list", Short: "List the actions of operators",
		Long: `List the actions of operators, with their reasons. An intent is recorded before each action and a result after it. An action
without a result was interrupted or is in progress; it may have taken effect.`,
		Example: `  payctl audit list
  payctl audit list --provider ecommpay-kr --order P-1001 --json
  payctl audit list --action release --since 2026-11-22T00:00:00Z`,
		Args: arguments(),
	}
	var s auditFilter
	configPath, asJSON := addConfig(c), addJSON(c)
	c.Flags().StringVar(&s.provider, "provider", "", "filter by provider")
	c.Flags().StringVar(&s.order, "order", "", "filter by order")
	c.Flags().StringVar(&s.action, "action", "", "filter by action: "+actionNames())
	c.Flags().StringVar(&s.since, "since", "", "filter by `TIME`: at or after it, e.g. 2026-11-22T00:00:00Z")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if s.action != "" && !slices.Contains(events.Actions(), events.Action(s.action)) {
			return usagef("--action: %q is not one of %s", s.action, actionNames())
		}
		if err := validTime("--since", s.since); err != nil {
			return err
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, _ config.Config, conn *admin.Conn) error {
			actions, all, err := env.readAudit(ctx, conn, s)
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), actions)
			}
			return printAudit(c.OutOrStdout(), actions, all)
		})
	}
	parent.AddCommand(c, auditVerifyCommand(env))
	return parent
}

// actionNames lists the actions for a person to read.
func actionNames() string {
	all := events.Actions()
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = string(a)
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

type auditFilter struct{ provider, order, action, since string }

func (s auditFilter) matches(r events.AuditRecord) bool {
	since, _ := time.Parse(time.RFC3339, s.since)
	return (s.provider == "" || r.Provider == s.provider) && (s.action == "" || string(r.Action) == s.action) &&
		(s.since == "" || !r.At.Before(since)) &&
		(s.order == "" || slices.ContainsFunc(r.Items, func(i events.AuditItem) bool { return i.Order == s.order }))
}

// done is an action with its result, if it has one.
type done struct {
	Sequence uint64              `json:"sequence"`
	Intent   events.AuditRecord  `json:"intent"`
	Result   *events.AuditRecord `json:"result"` // null: it was interrupted, or is under way
	Problem  string              `json:"problem,omitempty"`
}

// readAudit returns the actions that are meant, and how many there are in all.
func (e Env) readAudit(ctx context.Context, conn *admin.Conn, s auditFilter) (actions []*done, all int, err error) {
	byID := map[string]*done{}
	actions = []*done{}
	for after := uint64(0); ; {
		own, cancel := context.WithTimeout(ctx, e.Timeout)
		page, err := conn.Audits(own, after, pageSize)
		cancel()
		if err != nil {
			return nil, 0, err
		}
		for _, entry := range page {
			after = entry.Sequence
			if entry.Problem != "" || entry.Record.Stage != events.Finished {
				all++
			}
			switch known := byID[entry.Record.ID]; {
			case entry.Problem != "":
				actions = append(actions, &done{Sequence: entry.Sequence, Problem: entry.Subject + ": " + entry.Problem})
			case entry.Record.Stage == events.Finished && known != nil:
				known.Result = &entry.Record
			case entry.Record.Stage != events.Intended && entry.Record.Stage != events.Finished && s.matches(entry.Record):
				actions = append(actions, &done{Sequence: entry.Sequence, Intent: entry.Record})
			case entry.Record.Stage == events.Intended && s.matches(entry.Record):
				byID[entry.Record.ID] = &done{Sequence: entry.Sequence, Intent: entry.Record}
				actions = append(actions, byID[entry.Record.ID])
			}
		}
		if len(page) < pageSize {
			return actions, all, nil
		}
	}
}

func printAudit(w io.Writer, actions []*done, all int) error {
	if len(actions) == 0 && all > 0 {
		_, err := fmt.Fprintf(w, "no match (%d records in total)\n", all)
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(actions) > 0 {
		_, _ = fmt.Fprintln(table, "AT\tACTION\tPROVIDER\tORDER\tBY\tREASON\tRESULT")
	}
	for _, d := range actions {
		if d.Problem != "" {
			_, _ = fmt.Fprintln(table, printable("?\x00?\x00?\x00?\x00?\x00"+d.Problem))
			continue
		}
		r := d.Intent
		order := r.Order
		if order == "" {
			order = fmt.Sprintf("(%d)", len(r.Items))
		}
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s", r.At.UTC().Format(time.RFC3339),
			r.Action, r.Provider, order, r.By, r.Reason, d.result())))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d actions.\n", len(actions))
	return err
}

// result is what came of an action, or what became of a request.
func (d done) result() string {
	switch r := d.Intent; {
	case r.Stage == events.Requested:
		return fmt.Sprintf("requested as %d", d.Sequence)
	case r.Stage.EndsRequest():
		return fmt.Sprintf("request %d %s", r.Request, r.Stage)
	}
	return resultText(d.Result)
}

// resultText counts the results of an action's items.
func resultText(r *events.AuditRecord) string {
	if r == nil {
		return "NO RESULT: interrupted or in progress"
	}
	if r.Action == events.ActionImport {
		return fileText(r.File)
	}
	counts, order := map[string]int{}, []string{}
	for _, item := range r.Items {
		if counts[item.Result]++; counts[item.Result] == 1 {
			order = append(order, item.Result)
		}
	}
	text := ""
	for i, result := range order {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("%d %s", counts[result], result)
	}
	return text
}

func fileText(f events.AuditFile) string {
	return fmt.Sprintf("%s of %s: %d new, %d already there, %d conflicts, %d not sent", counted(f.Payouts, "payout"), f.Name,
		f.Results["new"], f.Results["already_there"], f.Results["conflict"], f.Results["unsent"])
}
