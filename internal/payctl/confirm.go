package payctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// actionFlags are the flags of every command that changes something.
type actionFlags struct {
	config, by, reason *string
	yes, dryRun        *bool
}

// addActionFlags adds the flags of an action.
func addActionFlags(c *cobra.Command) actionFlags {
	return actionFlags{
		config: addConfig(c),
		by:     c.Flags().String("by", "", "`NAME` of the person acting, for the audit record; "+byRequired),
		reason: c.Flags().String("reason", "", "why you do it, as `TEXT` for the audit record; required"),
		yes:    c.Flags().Bool("yes", false, "do not ask for confirmation"),
		dryRun: c.Flags().Bool("dry-run", false, "show what would be done and exit"),
	}
}

const byRequired = "required unless NATS has an account for each operator"

// person returns the person that the command line names. The login of the machine is not the default, because operators share
// machines and logins. Where NATS has an account for each operator, [whoIs] fills in the name.
func (h actionFlags) person() (operator.Person, error) {
	p := operator.Person{Name: *h.by, Why: *h.reason}
	if p.Name == "" {
		if cfg, err := load(*h.config); err == nil && cfg.NATS.Accounts {
			p.Name = nameFromServer
		}
	}
	if err := p.Validate(); err != nil {
		return p, usagef("--by NAME and --reason TEXT are required: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return p, nil
}

// nameFromServer is the name until the server has returned it.
const nameFromServer = "?"

// whoIs returns the person with the name of the NATS account that payctl is logged in to, where the server has one for each
// person; --by cannot name another. Elsewhere it returns p unchanged.
func whoIs(ctx context.Context, conn *admin.Conn, p operator.Person) (operator.Person, error) {
	name, err := conn.Person(ctx)
	switch {
	case err != nil:
		return p, err
	case name == "" && p.Name == nameFromServer:
		return p, usagef("--by NAME is required: this NATS user does not belong to an operator")
	case name == "":
		return p, nil
	case p.Name != nameFromServer && p.Name != name:
		return p, usagef("--by %s: the NATS key belongs to %s", p.Name, name)
	}
	p.Name = name
	return p, nil
}

// asPerson is withNATS for an action of a person, whose name [whoIs] completes.
func (e Env) asPerson(ctx context.Context, path string, who operator.Person, do func(context.Context, config.Config, *admin.Conn, operator.Person) error) error {
	return e.withNATS(ctx, path, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
		who, err := whoIs(ctx, conn, who)
		if err != nil {
			return err
		}
		return do(ctx, cfg, conn, who)
	})
}

// aboutPayment carries out a person's decision about one payment and prints the payment's history after it.
func (e Env) aboutPayment(c *cobra.Command, ref payment.Ref, h actionFlags, asJSON bool, do func(context.Context, *admin.Conn, operator.Person) (timeline, error)) error {
	who, err := h.person()
	if err != nil {
		return err
	}
	return e.asPerson(c.Context(), *h.config, who, func(ctx context.Context, cfg config.Config, conn *admin.Conn, who operator.Person) error {
		s, err := do(ctx, conn, who)
		if err != nil {
			return unknownTo(cfg, ref, err)
		}
		return s.write(c.OutOrStdout(), asJSON)
	})
}

// paymentArgs returns the payment that PROVIDER and ORDER name.
func paymentArgs(args []string) (payment.Ref, error) {
	ref := payment.Ref{Provider: args[0], Order: args[1]}
	if err := ref.Validate(); err != nil {
		return ref, usageError{err}
	}
	return ref, nil
}

// confirm asks the person to type a word. Without a terminal --yes is required.
func (e Env) confirm(h actionFlags, question, word string) error {
	if *h.yes {
		return nil
	}
	if !e.Interactive {
		return usagef("stdin is not a terminal: use --yes, or --dry-run to preview")
	}
	_, _ = fmt.Fprintf(e.Stderr, "%s\nType %s to confirm: ", question, word)
	answer, err := e.line()
	if err != nil || strings.TrimSpace(answer) != word {
		return errors.New("not confirmed; nothing was done")
	}
	return nil
}

// line reads one line and no further, so that a second question finds the second answer.
func (e Env) line() (string, error) {
	if reader, ok := e.Stdin.(*bufio.Reader); ok {
		return reader.ReadString('\n')
	}
	var line strings.Builder
	for one := make([]byte, 1); ; {
		if _, err := e.Stdin.Read(one); err != nil {
			return line.String(), err
		}
		if one[0] == '\n' {
			return line.String(), nil
		}
		line.WriteByte(one[0])
	}
}

const (
	// batch is the number of items in one pair of audit records.
	batch = 500
	// concurrency is the number of items acted on at the same time.
	concurrency = 16
)

// action acts on one item of a batch and sets its result. An error stops the run; an item that cannot be acted on
// has a result that says so.
type action func(ctx context.Context, item *events.AuditItem) error

// carryOut applies an action to all items in batches: it records the intent, acts, then records the results. record
// holds the fields that all batches share. When ctx ends, the current batch is finished.
func (e Env) carryOut(ctx context.Context, conn *admin.Conn, record events.AuditRecord, items []events.AuditItem, unit string, do action) (map[string]int, error) {
	results := map[string]int{}
	if len(items) == 0 {
		return results, nil
	}
	shown := newProgress(e, len(items), unit)
	defer shown.end()
	for len(items) > 0 {
		if ctx.Err() != nil {
			return results, fmt.Errorf("interrupted, %d left; run the same command again to continue", len(items))
		}
		n := min(batch, len(items))
		record.ID, record.Items, items = uuid.NewString(), items[:n], items[n:]
		err := e.carryOutBatch(context.WithoutCancel(ctx), conn, record, shown, do)
		for _, item := range record.Items {
			results[item.Result]++
		}
		if err != nil {
			return results, fmt.Errorf("stopped: %w\nRun the same command again to continue", err)
		}
	}
	return results, nil
}

func (e Env) carryOutBatch(ctx context.Context, conn *admin.Conn, record events.AuditRecord, shown progress, do action) error {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout+batch*time.Second)
	defer cancel()
	record.Stage, record.At = events.Intended, e.Now().UTC()
	if len(record.Items) == 1 {
		record.Order = record.Items[0].Order
	}
	if err := conn.Audit(ctx, record); err != nil {
		return fmt.Errorf("nothing was done: cannot write the audit record: %w", err)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range record.Items {
		group.Go(func() error {
			if groupCtx.Err() != nil {
				record.Items[i].Result = "not started"
				return nil
			}
			if err := do(ctx, &record.Items[i]); err != nil {
				record.Items[i].Result = "unknown"
				return err
			}
			shown.add()
			return nil
		})
	}
	err := group.Wait()
	record.Stage, record.At = events.Finished, e.Now().UTC()
	if auditErr := conn.Audit(ctx, record); auditErr != nil {
		err = errors.Join(err, fmt.Errorf("the action was carried out; cannot record its result: %w", auditErr))
	}
	return err
}
