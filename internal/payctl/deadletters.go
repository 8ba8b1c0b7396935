package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
)

func deadLettersCommand(env Env) *cobra.Command {
	parent := group("deadletters", "List, replay or delete messages that could not be processed", "  payctl deadletters list --code unknown_provider")
	parent.AddCommand(deadLettersList(env), deadLettersShow(env), deadLettersAction(env, events.ActionReplay), deadLettersAction(env, events.ActionDrop))
	return parent
}

// filter says which dead letters are meant.
type filter struct {
	code, provider, stream, since, before string
	sequences                             []string
}

func (s *filter) addFilters(c *cobra.Command) {
	c.Flags().StringVar(&s.code, "code", "", "filter by reason `CODE`, e.g. unknown_provider")
	c.Flags().StringVar(&s.provider, "provider", "", "filter by provider; unknown for messages without one")
	c.Flags().StringVar(&s.stream, "stream", "", "filter by stream: COMMANDS or WEBHOOKS")
	c.Flags().StringVar(&s.since, "since", "", "filter by `TIME`: at or after it, e.g. 2026-11-22T00:00:00Z")
	c.Flags().StringVar(&s.before, "before", "", "filter by `TIME`: before it")
	c.Flags().StringSliceVar(&s.sequences, "seq", nil, "filter by `NUMBERS`, e.g. 17,18")
}

// filter is the filter by the names of its flags, for the audit.
func (s filter) filter() map[string]string {
	all := map[string]string{"code": s.code, "provider": s.provider, "stream": s.stream, "since": s.since, "before": s.before}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

func (s filter) validate() error {
	for _, text := range s.sequences {
		if _, err := strconv.ParseUint(text, 10, 64); err != nil {
			return usagef("--seq: %q is not a number", text)
		}
	}
	return errors.Join(validTime("--since", s.since), validTime("--before", s.before))
}

func (s filter) matches(l events.DeadLetter) bool {
	since, _ := time.Parse(time.RFC3339, s.since)
	before, _ := time.Parse(time.RFC3339, s.before)
	return (s.code == "" || string(l.Reason) == s.code) && (s.stream == "" || l.Stream == s.stream) &&
		(s.provider == "" || operator.DeadLetterRef(l).Provider == s.provider) &&
		(s.since == "" || !l.At.Before(since)) && (s.before == "" || l.At.Before(before)) &&
		(len(s.sequences) == 0 || slices.Contains(s.sequences, strconv.FormatUint(l.Sequence, 10)))
}

// sift reads the dead letters that are meant, without their bodies' content being looked at. It also counts
// all that there are by their reasons.
func (e Env) sift(ctx context.Context, conn *admin.Conn, s filter) ([]events.DeadLetter, map[string]int, error) {
	var found []events.DeadLetter
	reasons := map[string]int{}
	for after := uint64(0); ; {
		page, err := readPage(ctx, e.Timeout, conn, after)
		if err != nil {
			return nil, nil, err
		}
		for _, l := range page {
			after = l.Sequence
			reasons[string(l.Reason)]++
			if s.matches(l) {
				l.Message.Data = nil // a list of 100,000 needs no bodies
				found = append(found, l)
			}
		}
		if len(page) < pageSize {
			return found, reasons, nil
		}
	}
}

func readPage(ctx context.Context, timeout time.Duration, conn *admin.Conn, after uint64) ([]events.DeadLetter, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return conn.DeadLetters(ctx, after, pageSize)
}

func deadLettersList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List dead letters without their content",
		Example: `  payctl deadletters list
  payctl deadletters list --code order_reused --provider ecommpay-kr --since 2026-11-22T00:00:00Z --json`,
		Args: arguments(),
	}
	var s filter
	configPath, asJSON := addConfig(c), addJSON(c)
	s.addFilters(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := s.validate(); err != nil {
			return err
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, _ config.Config, conn *admin.Conn) error {
			found, reasons, err := env.sift(ctx, conn, s)
			if err != nil {
				return err
			}
			lines := operator.DeadLettersOf(found)
			if *asJSON {
				return writeJSON(c.OutOrStdout(), lines)
			}
			return printDeadLetters(c.OutOrStdout(), lines, reasons)
		})
	}
	return c
}

// printDeadLetters prints a table, how many there are, and for each reason what a person does next. Where a filter
// found none, all counts what there is.
func printDeadLetters(w io.Writer, lines []operator.DeadLetter, all map[string]int) error {
	if err := deadLetterTable(w, lines); err != nil {
		return err
	}
	if len(lines) == 0 && len(all) > 0 {
		_, err := fmt.Fprintf(w, "no match (in total:%s)\n", strings.TrimPrefix(byReason(all), ":"))
		return err
	}
	_, _ = fmt.Fprintf(w, "%s.\n", counted(len(lines), "dead letter"))
	next := map[events.DeadReason]string{}
	for _, l := range lines {
		next[l.Reason] = l.Next
	}
	for _, reason := range slices.Sorted(maps.Keys(next)) {
		_, _ = fmt.Fprintf(w, "%s: %s\n", printable(string(reason)), next[reason])
	}
	return nil
}

func deadLetterTable(w io.Writer, lines []operator.DeadLetter) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(lines) > 0 {
		_, _ = fmt.Fprintln(table, "SEQ\tAT\tREASON\tSTREAM\tPROVIDER\tORDER\tDELIVERIES\tDETAIL")
	}
	for _, l := range lines {
		if l.ReplayOf != 0 {
			l.Detail += fmt.Sprintf(" (replayed before, as %d)", l.ReplayOf)
		}
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%d\x00%s\x00%s\x00%s\x00%s\x00%s\x00%d\x00%s", l.Sequence, l.At.UTC().Format(time.RFC3339),
			l.Reason, l.Stream, l.Provider, l.Order, l.Deliveries, l.Detail)))
	}
	return table.Flush()
}

func deadLettersShow(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "show SEQ", Short: "Show one dead letter, with personal data masked",
		Long: `Show one dead letter. Personal data is masked: only field names and what identifies the payment are shown. --unmask
shows all of it and writes an audit record.`,
		Example: `  payctl deadletters show 1
  payctl deadletters show 1 --unmask --by kim --reason "the upstream asks what it sent, ticket 4711"`,
		Args: arguments("SEQ"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	for _, name := range []string{"yes", "dry-run"} {
		_ = c.Flags().MarkHidden(name)
	}
	unmask := c.Flags().Bool("unmask", false, "show personal data; requires --by and --reason")
	c.RunE = func(c *cobra.Command, args []string) error {
		seq, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			return usagef("%q is not the number of a dead letter; see payctl deadletters list", args[0])
		}
		var who operator.Person
		if *unmask {
			if who, err = h.person(); err != nil {
				return err
			}
		}
		return env.withNATS(c.Context(), *h.config, func(ctx context.Context, _ config.Config, conn *admin.Conn) error {
			l, err := conn.DeadLetter(ctx, seq)
			if errors.Is(err, events.ErrNoDeadLetter) {
				return fmt.Errorf("%w; see payctl deadletters list", err)
			}
			if err != nil {
				return err
			}
			if !*unmask {
				return openDeadLetter(l, false).write(c.OutOrStdout(), *asJSON)
			}
			if who, err = whoIs(ctx, conn, who); err != nil {
				return err
			}
			ref := operator.DeadLetterRef(l)
			item := events.AuditItem{Order: ref.Order, Upstream: l.Message.Header.Get(events.HeaderUpstream), DeadLetter: seq}
			return env.actions(conn).Unmask(ctx, ref.Provider, item, who, func(context.Context) error {
				return openDeadLetter(l, true).write(c.OutOrStdout(), *asJSON)
			})
		})
	}
	return c
}

// shownDeadLetter is a dead letter with its content, masked or not.
type shownDeadLetter struct {
	operator.DeadLetter
	Header  map[string][]string `json:"header"`
	Content string              `json:"content"` // for people: JSON is laid out, and what is masked is …
}

func openDeadLetter(l events.DeadLetter, unmask bool) shownDeadLetter {
	s := shownDeadLetter{DeadLetter: operator.DeadLetterOf(l), Header: map[string][]string{}, Content: maskBody(l.Message.Data)}
	if unmask {
		s.Content = printableLines(string(l.Message.Data))
	}
	for name, values := range l.Message.Header {
		for _, value := range values {
			if !unmask && !plainHeader(name) {
				value = mask
			}
			s.Header[name] = append(s.Header[name], value)
		}
	}
	return s
}

func (s shownDeadLetter) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, s)
	}
	if err := deadLetterTable(w, []operator.DeadLetter{s.DeadLetter}); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "next: %s\n\nsubject: %s\n", s.Next, printable(s.Subject))
	for _, name := range slices.Sorted(maps.Keys(s.Header)) {
		for _, value := range s.Header[name] {
			_, _ = fmt.Fprintf(w, "%s: %s\n", printable(name), printable(value))
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\n", s.Content)
	return err
}
