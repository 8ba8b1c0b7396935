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
	"payonce/pkg/events/jetstream"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// hand is what every command that changes something is given.
type hand struct {
	config, by, because *string
	yes, dryRun         *bool
}

// addActionFlags adds the flags of an action. whyFlag is the flag of the reason: --reason is a filter elsewhere.
func addActionFlags(c *cobra.Command, whyFlag string) hand {
	return hand{
		config:  addConfig(c),
		by:      c.Flags().String("by", "", byUsage),
		because: c.Flags().String(whyFlag, "", "why, in your own `WORDS`; required"),
		yes:     c.Flags().Bool("yes", false, "do not ask, for scripts"),
		dryRun:  c.Flags().Bool("dry-run", false, "show what would be done, and do nothing"),
	}
}

const byUsage = "your `NAME`, as colleagues know it; kept for ever beside what you did; required where NATS has no accounts, which else know it"

// person is who decides, as far as the command line says. The login of the machine is no default: operators share machines
// and accounts. Where NATS has an account for each operator the name may be left to [whoIs].
func (h hand) person(whyFlag string) (operator.Person, error) {
	p := operator.Person{Name: *h.by, Why: *h.because}
	if p.Name == "" {
		if cfg, err := load(*h.config); err == nil && cfg.NATS.Accounts {
			p.Name = nameFromServer
		}
	}
	if err := p.Validate(); err != nil {
		return p, usagef("--by NAME and --%s WORDS are required: %s", whyFlag, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return p, nil
}

// nameFromServer stands for a name until the server was asked.
const nameFromServer = "?"

// whoIs gives a person the name of the NATS account that payctl is logged in to, where the server has one for each person:
// no other can be typed. Elsewhere the name is the typed one.
func whoIs(ctx context.Context, conn *jetstream.Conn, p operator.Person) (operator.Person, error) {
	name, err := conn.Person(ctx)
	switch {
	case err != nil:
		return p, err
	case name == "" && p.Name == nameFromServer:
		return p, usagef("--by NAME is required: this user of NATS is no operator's")
	case name == "":
		return p, nil
	case p.Name != nameFromServer && p.Name != name:
		return p, usagef("--by %s: this is the key of %s, and the audit says so", p.Name, name)
	}
	p.Name = name
	return p, nil
}

// asPerson is withNATS for what a person does; who is then the person whose key it is, see [whoIs].
func (e Env) asPerson(ctx context.Context, path string, who operator.Person, do func(context.Context, config.Config, *jetstream.Conn, operator.Person) error) error {
	return e.withNATS(ctx, path, func(ctx context.Context, cfg config.Config, conn *jetstream.Conn) error {
		who, err := whoIs(ctx, conn, who)
		if err != nil {
			return err
		}
		return do(ctx, cfg, conn, who)
	})
}

// aboutPayment does what a person decided about one payment, whose reason is in --reason, and shows its history as it stands
// then.
func (e Env) aboutPayment(c *cobra.Command, ref payment.Ref, h hand, asJSON bool, do func(context.Context, *jetstream.Conn, operator.Person) (timeline, error)) error {
	who, err := h.person("reason")
	if err != nil {
		return err
	}
	return e.asPerson(c.Context(), *h.config, who, func(ctx context.Context, cfg config.Config, conn *jetstream.Conn, who operator.Person) error {
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

// confirm asks for a word to be typed. Without a terminal only --yes will do.
func (e Env) confirm(h hand, question, word string) error {
	if *h.yes {
		return nil
	}
	if !e.Interactive {
		return usagef("stdin is not a terminal: use --yes, or --dry-run to preview")
	}
	_, _ = fmt.Fprintf(e.Stderr, "%s\nType %s to do it: ", question, word)
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
	// batch is how many things one pair of audit records is about.
	batch = 500
	// hands is how many things are done at the same time.
	hands = 16
)

// action does one thing of a batch and fills in what came of it. An error ends the work; what is only not
// possible for this one is a result.
type action func(ctx context.Context, item *events.AuditItem) error

// carryOut does an action to all items, batch by batch: the intent is kept, then it is done, then its result
// is kept. record holds what all batches have in common. When ctx ends, the batch under way is finished.
func (e Env) carryOut(ctx context.Context, conn *jetstream.Conn, record events.AuditRecord, items []events.AuditItem, unit string, do action) (map[string]int, error) {
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

func (e Env) carryOutBatch(ctx context.Context, conn *jetstream.Conn, record events.AuditRecord, shown progress, do action) error {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout+batch*time.Second)
	defer cancel()
	record.Stage, record.At = events.Intended, e.Now().UTC()
	if len(record.Items) == 1 {
		record.Order = record.Items[0].Order
	}
	if err := conn.Audit(ctx, record); err != nil {
		return fmt.Errorf("nothing was done, because it could not be recorded: %w", err)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(hands)
	for i := range record.Items {
		group.Go(func() error {
			if groupCtx.Err() != nil {
				record.Items[i].Result = "not begun"
				return nil
			}
			if err := do(ctx, &record.Items[i]); err != nil {
				record.Items[i].Result = "not known"
				return err
			}
			shown.add()
			return nil
		})
	}
	err := group.Wait()
	record.Stage, record.At = events.Finished, e.Now().UTC()
	if auditErr := conn.Audit(ctx, record); auditErr != nil {
		err = errors.Join(err, fmt.Errorf("it was done, and its result could not be recorded: %w", auditErr))
	}
	return err
}
