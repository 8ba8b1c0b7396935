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
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func ledgersCommand(env Env) *cobra.Command {
	c := group("ledgers", "Show how far ledgers have read the log, and have them read it again",
		`  payctl ledgers list
  payctl ledgers rewind accounting --from start --by kim --reason "its journal is lost, ticket 4711"`)
	c.AddCommand(ledgersList(env), ledgersShow(env), ledgersRewind(env))
	return c
}

func ledgersList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List the ledgers of nats.ledgers with how far they have read", Example: "  payctl ledgers list\n  payctl ledgers list --json", Args: arguments(),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.showLedgers(c, *path, *asJSON, func(cfg config.Config) ([]string, error) { return cfg.NATS.Ledgers, nil })
	}
	return c
}

func ledgersShow(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "show NAME", Short: "Show how far one ledger has read", Example: "  payctl ledgers show accounting", Args: arguments("NAME"),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return env.showLedgers(c, *path, *asJSON, func(cfg config.Config) ([]string, error) { return args, isLedger(args[0]) })
	}
	return c
}

// isLedger takes names that nats.ledgers lacks, too: a ledger can have made its own consumer.
func isLedger(name string) error {
	if !payment.ValidProvider(name) {
		return usagef("ledger %q must be 1 to 32 characters of a-z, 0-9 and \"-\", without the ledger- of its consumer", name)
	}
	return nil
}

func (e Env) showLedgers(c *cobra.Command, path string, asJSON bool, chosen func(config.Config) ([]string, error)) error {
	return e.withNATS(c.Context(), path, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
		names, err := chosen(cfg)
		if err != nil {
			return err
		}
		found := []admin.LedgerState{}
		for _, name := range names {
			own, cancel := context.WithTimeout(ctx, e.Timeout)
			s, err := conn.LedgerState(own, name)
			cancel()
			if err != nil {
				return err
			}
			found = append(found, s)
		}
		if asJSON {
			return writeJSON(c.OutOrStdout(), found)
		}
		return printLedgers(c.OutOrStdout(), found)
	})
}

func printLedgers(w io.Writer, found []admin.LedgerState) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(w, "0 ledgers: nats.ledgers names none. A ledger that made its own consumer: payctl ledgers show NAME")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "LEDGER\tREAD UP TO\tUNREAD\tIN WORK\tREADING\tLAST READ")
	for _, s := range found {
		reading, at := "no", "never"
		if s.Reading {
			reading = "yes"
		}
		if !s.ReadAt.IsZero() {
			at = s.ReadAt.Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%s\t%s\n", s.Ledger, s.ReadUpTo, s.Unread, s.InWork, reading, at)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s.\n", counted(len(found), "ledger"))
	return err
}

func ledgersRewind(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "rewind NAME --from (start|SEQUENCE|TIME)", Short: "Have a ledger read the log again",
		Long: `Have a ledger read the log again: from its start, from a sequence of PAYMENTS, or from what was stored at a time.

The ledger's consumer keeps its name and definition, and the ledger may run meanwhile. It gets outcomes again that it has
booked; the revision of each tells it so. With nats.accounts only the administrator can do it.`,
		Example: `  payctl ledgers rewind accounting --from start --by kim --reason "its journal is lost, ticket 4711" --config administrator.yaml
  payctl ledgers rewind accounting --from 2026-11-22T00:00:00Z --by kim --reason "restored from a backup of that day" --yes`,
		Args: arguments("NAME"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	from := c.Flags().String("from", "", "`WHERE` to begin: start, a sequence number of PAYMENTS, or a time such as 2026-11-22T00:00:00Z; required")
	c.RunE = func(c *cobra.Command, args []string) error {
		where, err := parseFrom(*from)
		if err != nil {
			return err
		}
		who, err := h.person()
		if err != nil {
			return err
		}
		return env.asPerson(c.Context(), *h.config, who, func(ctx context.Context, _ config.Config, conn *admin.Conn, who operator.Person) error {
			if err := isLedger(args[0]); err != nil {
				return err
			}
			return env.rewind(ctx, c, conn, args[0], where, h, who, *asJSON)
		})
	}
	return c
}

// position is where a ledger begins to read: at a sequence, or at a time.
type position struct {
	text     string
	sequence uint64
	at       time.Time
}

func parseFrom(text string) (position, error) {
	if text == "start" {
		return position{text: text, sequence: 1}, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil && n > 0 {
		return position{text: text, sequence: n}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return position{}, usagef("--from is required: start, a sequence number of PAYMENTS, or a time such as 2026-11-22T00:00:00Z")
	}
	return position{text: text, at: at}, nil
}

// sequenceOf returns the sequence of a position.
func (p position) sequenceOf(ctx context.Context, conn *admin.Conn) (uint64, error) {
	if p.at.IsZero() {
		return p.sequence, nil
	}
	return conn.FirstSince(ctx, p.at)
}

func (e Env) rewind(ctx context.Context, c *cobra.Command, conn *admin.Conn, ledger string, where position, h actionFlags, who operator.Person, asJSON bool) error {
	reading, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	before, err := conn.LedgerState(reading, ledger)
	if err != nil {
		return err
	}
	sequence, err := where.sequenceOf(reading, conn)
	if err != nil {
		return err
	}
	if sequence > before.ReadUpTo+1 {
		return fmt.Errorf("the ledger has read up to %d; to begin at %d would leave out what is between: nothing was done", before.ReadUpTo, sequence)
	}
	question := fmt.Sprintf("have the ledger %s read PAYMENTS again from sequence %d; it has read up to %d. As %s: %s", ledger, sequence, before.ReadUpTo, who.Name, who.Why)
	if *h.dryRun {
		_, err := fmt.Fprintln(e.Stderr, printable(question)+"\nNothing was done: this is a dry run.")
		return err
	}
	if err := e.confirm(h, printable(question), ledger); err != nil {
		return err
	}
	record := events.AuditRecord{
		Action: events.ActionRewind, Provider: events.NoProvider, By: who.Name, Reason: who.Why,
		Filter: map[string]string{"ledger": ledger, "from": where.text},
	}
	item := events.AuditItem{Stream: events.StreamPayments + " consumer " + before.Consumer, Event: sequence}
	var refused error
	_, err = e.carryOut(ctx, conn, record, []events.AuditItem{item}, "ledgers", func(ctx context.Context, item *events.AuditItem) error {
		ctx, cancel := context.WithTimeout(ctx, e.Timeout)
		defer cancel()
		err := conn.RewindLedger(ctx, ledger, sequence)
		if item.Result = "rewound"; errors.Is(err, admin.ErrCannotRewind) {
			item.Result, refused, err = "not done: not permitted", err, nil
		}
		return err
	})
	if err = errors.Join(err, refused); err != nil {
		return err
	}
	now, err := conn.LedgerState(ctx, ledger)
	if err != nil {
		return err
	}
	if asJSON {
		return writeJSON(c.OutOrStdout(), now)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "The ledger %s reads PAYMENTS again from sequence %d: %s. It had read up to %d.\n", ledger, sequence, counted(int(now.Unread), "outcome"), before.ReadUpTo)
	return err
}
