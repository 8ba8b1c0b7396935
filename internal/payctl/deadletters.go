package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// The results of deeds on dead letters.
const (
	replayed = "replayed"
	dropped  = "dropped"
)

func deadLettersCommand(env Env) *cobra.Command {
	parent := group("deadletters", "Look at what could not be worked, send it again or delete it", "  payctl deadletters list --reason unknown_provider")
	parent.AddCommand(deadLettersList(env), deadLettersShow(env), deadLettersDeed(env, events.DeedReplay), deadLettersDeed(env, events.DeedDrop))
	return parent
}

// sieve says which dead letters are meant.
type sieve struct {
	reason, provider, stream, since, before string
	sequences                               []string
}

func (s *sieve) addFilters(c *cobra.Command) {
	c.Flags().StringVar(&s.reason, "reason", "", "only with this reason `CODE`, e.g. unknown_provider")
	c.Flags().StringVar(&s.provider, "provider", "", "only of this account; unknown for those without one")
	c.Flags().StringVar(&s.stream, "stream", "", "only from COMMANDS or WEBHOOKS")
	c.Flags().StringVar(&s.since, "since", "", "only from this `TIME` on, e.g. 2026-11-22T00:00:00Z")
	c.Flags().StringVar(&s.before, "before", "", "only before this `TIME`")
	c.Flags().StringSliceVar(&s.sequences, "seq", nil, "only these `NUMBERS`, e.g. 17,18")
}

// filter is the sieve by the names of its flags, for the audit.
func (s sieve) filter() map[string]string {
	all := map[string]string{"reason": s.reason, "provider": s.provider, "stream": s.stream, "since": s.since, "before": s.before}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

func (s sieve) validate() error {
	for _, text := range s.sequences {
		if _, err := strconv.ParseUint(text, 10, 64); err != nil {
			return usagef("--seq: %q is not a number", text)
		}
	}
	return errors.Join(validTime("--since", s.since), validTime("--before", s.before))
}

func (s sieve) matches(l jetstream.DeadLetter) bool {
	since, _ := time.Parse(time.RFC3339, s.since)
	before, _ := time.Parse(time.RFC3339, s.before)
	return (s.reason == "" || string(l.Reason) == s.reason) && (s.stream == "" || l.Stream == s.stream) &&
		(s.provider == "" || letterRef(l).Provider == s.provider) &&
		(s.since == "" || !l.At.Before(since)) && (s.before == "" || l.At.Before(before)) &&
		(len(s.sequences) == 0 || slices.Contains(s.sequences, strconv.FormatUint(l.Sequence, 10)))
}

// letterRef is the payment that a dead letter names.
func letterRef(l jetstream.DeadLetter) payment.Ref {
	if ref, ok := events.SubjectRef(l.Message.Subject); ok {
		return ref
	}
	return payment.Ref{Provider: events.NoProvider}
}

// sift reads the dead letters that are meant, without their bodies' content being looked at.
func (e Env) sift(ctx context.Context, conn *jetstream.Conn, s sieve) ([]jetstream.DeadLetter, error) {
	var found []jetstream.DeadLetter
	for after := uint64(0); ; {
		page, err := readPage(ctx, e.Timeout, conn, after)
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			after = l.Sequence
			if s.matches(l) {
				l.Message.Data = nil // a list of 100,000 needs no bodies
				found = append(found, l)
			}
		}
		if len(page) < batch {
			return found, nil
		}
	}
}

func readPage(ctx context.Context, timeout time.Duration, conn *jetstream.Conn, after uint64) ([]jetstream.DeadLetter, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return conn.DeadLetters(ctx, after, batch)
}

// letterLine is a dead letter without its content.
type letterLine struct {
	Sequence   uint64            `json:"sequence"`
	At         time.Time         `json:"at"`
	Reason     events.DeadReason `json:"reason"`
	Stream     string            `json:"stream"`
	Provider   string            `json:"provider"`
	Order      string            `json:"order,omitempty"`
	Subject    string            `json:"subject"`
	Deliveries int               `json:"deliveries"`
	Detail     string            `json:"detail"`
}

func lineOf(l jetstream.DeadLetter) letterLine {
	ref := letterRef(l)
	return letterLine{l.Sequence, l.At, l.Reason, l.Stream, ref.Provider, ref.Order, l.Message.Subject, l.Message.Deliveries, l.Detail}
}

func deadLettersList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List dead letters, without their content",
		Example: `  payctl deadletters list
  payctl deadletters list --reason order_reused --provider ecommpay-kr --since 2026-11-22T00:00:00Z --json`,
		Args: arguments(),
	}
	var s sieve
	configPath, asJSON := addConfig(c), addJSON(c)
	s.addFilters(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := s.validate(); err != nil {
			return err
		}
		return env.withNATS(c.Context(), *configPath, func(ctx context.Context, _ config.Config, conn *jetstream.Conn) error {
			found, err := env.sift(ctx, conn, s)
			if err != nil {
				return err
			}
			lines := make([]letterLine, len(found))
			for i, l := range found {
				lines[i] = lineOf(l)
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), lines)
			}
			return printLetters(c.OutOrStdout(), lines)
		})
	}
	return c
}

func printLetters(w io.Writer, lines []letterLine) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(lines) > 0 {
		_, _ = fmt.Fprintln(table, "SEQ\tAT\tREASON\tSTREAM\tPROVIDER\tORDER\tDELIVERIES\tDETAIL")
	}
	for _, l := range lines {
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%d\x00%s\x00%s\x00%s\x00%s\x00%s\x00%d\x00%s", l.Sequence, l.At.UTC().Format(time.RFC3339),
			l.Reason, l.Stream, l.Provider, l.Order, l.Deliveries, l.Detail)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d dead letters.\n", len(lines))
	return err
}

func deadLettersShow(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "show SEQ", Short: "Show one dead letter, with personal data masked",
		Long: `Show one dead letter, with personal data masked: of its content, only names of fields and what names and measures
the payment. --unmask shows all of it, and a record of who looked and why is kept.`,
		Example: `  payctl deadletters show 1
  payctl deadletters show 1 --unmask --by kim --because "the upstream asks what it sent, ticket 4711"`,
		Args: arguments("SEQ"),
	}
	h := addHand(c, "because")
	for _, name := range []string{"yes", "dry-run"} {
		_ = c.Flags().MarkHidden(name)
	}
	unmask := c.Flags().Bool("unmask", false, "show personal data; needs --by and --because")
	c.RunE = func(c *cobra.Command, args []string) error {
		seq, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil {
			return usagef("%q is not the number of a dead letter", args[0])
		}
		var who operator.Person
		if *unmask {
			if who, err = h.person("because"); err != nil {
				return err
			}
		}
		return env.withNATS(c.Context(), *h.config, func(ctx context.Context, _ config.Config, conn *jetstream.Conn) error {
			l, err := conn.DeadLetter(ctx, seq)
			if err != nil {
				return err
			}
			if !*unmask {
				return printLetter(c.OutOrStdout(), l, false)
			}
			ref := letterRef(l)
			record := events.AuditRecord{Deed: events.DeedUnmask, Provider: ref.Provider, By: who.Name, Reason: who.Why}
			_, err = env.carryOut(ctx, conn, record, []events.AuditItem{{Order: ref.Order, DeadLetter: seq}}, "dead letters",
				func(_ context.Context, item *events.AuditItem) error {
					item.Result = "shown"
					return printLetter(c.OutOrStdout(), l, true)
				})
			return err
		})
	}
	return c
}

func printLetter(w io.Writer, l jetstream.DeadLetter, unmask bool) error {
	if err := printLetters(w, []letterLine{lineOf(l)}); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "\nsubject: %s\n", printable(l.Message.Subject))
	for _, name := range slices.Sorted(maps.Keys(l.Message.Header)) {
		for _, value := range l.Message.Header[name] {
			if !unmask && !plainHeader(name) {
				value = mask
			}
			_, _ = fmt.Fprintf(w, "%s: %s\n", printable(name), printable(value))
		}
	}
	body := printable(string(l.Message.Data))
	if !unmask {
		body = maskBody(l.Message.Data)
	}
	_, err := fmt.Fprintf(w, "\n%s\n", body)
	return err
}

// deadLettersDeed is replay or drop.
func deadLettersDeed(env Env, what events.Deed) *cobra.Command {
	c := &cobra.Command{
		Use: "replay [SEQ...]", Short: "Send dead letters to where they came from, after their cause was mended",
		Long: `Send dead letters to where they came from, after their cause was mended, and delete them here. A command whose order
has another one in the queue is left. Nothing is paid twice: the log decides about a replayed command as about any.

A dead letter that was sent and not deleted, because payctl was killed in between, is still listed, and its audit
record has no result. To replay it again does no harm.`,
		Example: `  payctl deadletters replay --reason unknown_provider --by kim --because "the account is configured now" --dry-run
  payctl deadletters replay 17 18 --by kim --because "ticket 4711" --yes`,
		Args: cobra.ArbitraryArgs,
	}
	if what == events.DeedDrop {
		c.Use, c.Short, c.Long = "drop [SEQ...]", "Delete dead letters", "Delete dead letters for ever. The audit says which and why."
		c.Example = `  payctl deadletters drop --reason bad_webhook --before 2026-11-22T00:00:00Z --by kim --because "scans" --dry-run
  payctl deadletters drop 17 --by kim --because "a test" --yes`
	}
	var s sieve
	h, all := addHand(c, "because"), false
	s.addFilters(c)
	c.Flags().BoolVar(&all, "all", false, "all dead letters")
	c.RunE = func(c *cobra.Command, args []string) error {
		s.sequences = append(s.sequences, args...)
		if !all && len(s.filter()) == 0 && len(s.sequences) == 0 {
			return usagef("say which dead letters: by number, with a filter, or --all")
		}
		if err := s.validate(); err != nil {
			return err
		}
		who, err := h.person("because")
		if err != nil {
			return err
		}
		return env.withNATS(c.Context(), *h.config, func(ctx context.Context, _ config.Config, conn *jetstream.Conn) error {
			return env.doToLetters(ctx, conn, what, s, h, who, c.OutOrStdout())
		})
	}
	return c
}

func (e Env) doToLetters(ctx context.Context, conn *jetstream.Conn, what events.Deed, s sieve, h hand, who operator.Person, w io.Writer) error {
	found, err := e.sift(ctx, conn, s)
	if err != nil {
		return err
	}
	groups, lines := map[string][]events.AuditItem{}, make([]letterLine, len(found))
	for i, l := range found {
		lines[i] = lineOf(l)
		groups[lines[i].Provider] = append(groups[lines[i].Provider], events.AuditItem{Order: lines[i].Order, DeadLetter: l.Sequence})
	}
	if *h.dryRun || len(found) == 0 {
		if err := printLetters(w, lines); err != nil {
			return err
		}
		return printResults(w, nil, "Nothing was done.")
	}
	if err := printLetters(e.Stderr, lines[:min(10, len(lines))]); err != nil {
		return err
	}
	if err := e.confirm(h, fmt.Sprintf("%s %d dead letters, as %s: %s", what, len(found), who.Name, who.Why), fmt.Sprint(len(found))); err != nil {
		return err
	}
	results := map[string]int{}
	for _, provider := range slices.Sorted(maps.Keys(groups)) {
		record := events.AuditRecord{Deed: what, Provider: provider, By: who.Name, Reason: who.Why, Filter: s.filter()}
		done, err := e.carryOut(ctx, conn, record, groups[provider], "dead letters", func(ctx context.Context, item *events.AuditItem) error {
			return doToLetter(ctx, conn, what, item)
		})
		for result, n := range done {
			results[result] += n
		}
		if err != nil {
			return errors.Join(printResults(w, results, ""), err)
		}
	}
	return errors.Join(printResults(w, results, ""), leftAlone(results))
}

func doToLetter(ctx context.Context, conn *jetstream.Conn, what events.Deed, item *events.AuditItem) error {
	if what == events.DeedDrop {
		item.Result = dropped
		return conn.DropDeadLetter(ctx, item.DeadLetter)
	}
	err := conn.Replay(ctx, item.DeadLetter)
	item.Result = replayed
	switch {
	case errors.Is(err, events.ErrQueued):
		item.Result, err = "left: another command of the order is queued", nil
	case errors.Is(err, events.ErrNoDeadLetter):
		item.Result, err = "gone already", nil
	case errors.Is(err, jetstream.ErrNoPlace):
		item.Result, err = "left: it names no place to send it to", nil
	}
	return err
}
