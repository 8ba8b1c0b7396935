package payctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func paymentCommand(env Env) *cobra.Command {
	parent := group("payment", "Show, resolve or retry one payment", "  payctl payment show ecommpay-kr P-1001")
	c := &cobra.Command{
		Use:   "show PROVIDER ORDER|REFERENCE",
		Short: "Show a payment and its history",
		Long: `Show a payment and its history: one line for each event of the log, with the time in UTC, the provider's local time and
the time since the previous event.

An order without events is looked for in the queue, then among the provider's references, in the archive or, without one,
in the newest events of the log. A payment that the log has forgotten is shown from the archive. Dead letters of the order,
and what its publisher was told of a refused command, are listed. It exits with 1 if the order is not found.

The payment page or account that the customer got is personal data: --unmask shows it and writes an audit record.`,
		Example: `  payctl payment show ecommpay-kr P-1001
  payctl payment show ecommpay-kr P-1001 --unmask --by kim --reason "the customer lost the link, ticket 4711"
  payctl payment show ecommpay-kr P-1001 --json --config /etc/payonce/payonce.yaml`,
		Args: arguments("PROVIDER", "ORDER|REFERENCE"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	for _, name := range []string{"yes", "dry-run"} {
		_ = c.Flags().MarkHidden(name)
	}
	unmask := c.Flags().Bool("unmask", false, "show the payment page or account that the customer got; requires --by and --reason")
	c.RunE = func(c *cobra.Command, args []string) error {
		ref := payment.Ref{Provider: args[0], Order: args[1]}
		if !payment.ValidProvider(ref.Provider) || args[1] == "" {
			return usageError{ref.Validate()}
		}
		var who *operator.Person
		if *unmask {
			person, err := h.person()
			if err != nil {
				return err
			}
			who = &person
		}
		cfg, err := load(*h.config)
		if err != nil {
			return err
		}
		s, err := env.show(c.Context(), cfg, ref, who)
		if err != nil {
			return err
		}
		return s.write(c.OutOrStdout(), *asJSON)
	}
	parent.AddCommand(c, resolveCommand(env), retryCommand(env))
	return parent
}

// timeline is a payment and how it came to stand as it does, to be printed.
type timeline operator.Timeline

func (e Env) show(ctx context.Context, cfg config.Config, ref payment.Ref, unmask *operator.Person) (timeline, error) {
	conn, err := e.connect(ctx, cfg)
	if err != nil {
		return timeline{}, err
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	s, err := operator.Timeline{}, events.ErrNoPayment
	if ref.Validate() == nil {
		s, err = operator.ReadHistory(ctx, conn, conn, ref)
	}
	if errors.Is(err, events.ErrNoPayment) {
		if found, has, lookErr := e.elsewhere(ctx, cfg, conn, ref); lookErr != nil {
			return timeline{}, lookErr
		} else if has {
			s, err, ref = found, nil, found.Ref
		}
	}
	if ref.Validate() != nil {
		return timeline{}, fmt.Errorf("no payment of %s with this order or reference is known", ref.Provider)
	}
	if err == nil && unmask != nil && len(s.Events) > 0 {
		if err := e.unmask(ctx, conn, &s, *unmask); err != nil {
			return timeline{}, err
		}
	}
	s, err = operator.WithDeadLetters(ctx, conn, s, err)
	if err != nil && !errors.Is(err, events.ErrNoPayment) {
		return timeline{}, err
	}
	if s.Refusals, err = withRefusals(ctx, conn, ref, err); err != nil && !errors.Is(err, events.ErrNoPayment) {
		return timeline{}, err
	}
	return timeline(s), unknownTo(cfg, ref, err)
}

// withRefusals returns what upstreams were told of refused commands of an order. An order that only they know isn't an error.
func withRefusals(ctx context.Context, conn *admin.Conn, ref payment.Ref, known error) ([]events.Refusal, error) {
	all, err := conn.RefusalsOf(ctx, ref)
	if err == nil && len(all) == 0 {
		err = known
	}
	return all, err
}

// unknownTo says more than that the log does not know an order: where it may lie, and that its provider is none of ours.
func unknownTo(cfg config.Config, ref payment.Ref, err error) error {
	if bad, is := events.Unreadable(err); is {
		return fmt.Errorf("%w\nNext: %s", err, bad.Next())
	}
	if !errors.Is(err, events.ErrNoPayment) {
		return err
	}
	hint := ""
	if _, known := cfg.Providers[ref.Provider]; !known {
		hint = fmt.Sprintf("; provider %q is not configured; configured: %s", ref.Provider, providers(cfg))
	}
	return fmt.Errorf("%s not found: it has no event in the log and no command in the queue; "+
		"for a command without an order number see payctl deadletters list --provider %s%s", ref, events.NoProvider, hint)
}

// tell reads a payment's timeline, within the time of one step.
func (e Env) tell(ctx context.Context, conn *admin.Conn, ref payment.Ref) (timeline, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	s, err := operator.ReadHistory(ctx, conn, conn, ref)
	return timeline(s), err
}
