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

func resolveCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "resolve PROVIDER ORDER --settled|--failed",
		Short: "Settle or fail a payment that is in doubt, pending or in conflict",
		Long: `Settle or fail a payment that is in doubt, pending or in conflict, after you found its result at the provider. The log
records who decided and why. Nothing is sent to the provider. Above approvals.above it is requested, and another person
decides: see payctl approvals.

A wrong decision pays twice or not at all: first find the order in the provider's console by our order number.`,
		Example: `  payctl payment resolve ecommpay-kr P-1001 --settled --by kim --reason "in the provider's list, ticket 4711"
  payctl payment resolve ecommpay-kr P-1001 --settled --amount 9900 --by kim --reason "ticket 4711"
  payctl payment resolve ecommpay-kr P-1001 --failed --by kim --reason "the provider's support team says it never came, ticket 4711"`,
		Args: arguments("PROVIDER", "ORDER"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	settled := c.Flags().Bool("settled", false, "money moved")
	failed := c.Flags().Bool("failed", false, "no money moved, and none will")
	amount := c.Flags().String("amount", "", "the settled amount if it differs from the ordered one, e.g. 9900, or \"9900 KRW\" if the currency is not known")
	c.RunE = func(c *cobra.Command, args []string) error {
		ref, err := paymentArgs(args)
		if err != nil {
			return err
		}
		if *settled == *failed || *failed && *amount != "" {
			return usagef("use --settled (with --amount if it differs) or --failed")
		}
		return env.aboutPayment(c, ref, h, *asJSON, func(ctx context.Context, cfg config.Config, conn *admin.Conn, who operator.Person) (timeline, error) {
			r := resolution{env: env, flags: h, actions: env.deciding(cfg, conn), conn: conn, ref: ref, settled: *settled, amount: *amount, who: who}
			return r.run(ctx)
		})
	}
	return c
}

// resolution is one run of resolve.
type resolution struct {
	env     Env
	flags   actionFlags
	actions operator.Actions
	conn    *admin.Conn
	ref     payment.Ref
	settled bool
	amount  string
	who     operator.Person
}

// run shows the payment, asks, and decides; again when it moved on meanwhile. It returns the payment's
// timeline as it stands then.
func (r resolution) run(ctx context.Context) (timeline, error) {
	for {
		shown, seq, decision, err := r.look(ctx)
		if err != nil {
			return timeline{}, err
		}
		question := r.question(shown, decision)
		if *r.flags.dryRun {
			_, _ = fmt.Fprintln(r.env.Stderr, question+"\nNothing was done: this is a dry run.")
			return r.env.tell(ctx, r.conn, r.ref)
		}
		if *r.flags.yes {
			_, _ = fmt.Fprintln(r.env.Stderr, question)
		}
		if err := r.env.confirm(r.flags, question, r.ref.Order); err != nil {
			return timeline{}, err
		}
		err = r.actions.Resolve(ctx, shown, seq, r.who, decision)
		switch {
		case errors.Is(err, events.ErrStale) && !*r.flags.yes:
			_, _ = fmt.Fprintln(r.env.Stderr, "The payment has changed meanwhile; check it again.")
			continue
		case err != nil:
			return timeline{}, ifMoved(err)
		}
		return r.env.tell(ctx, r.conn, r.ref)
	}
}

// question says what will be written, and warns where it is not what the customer was asked for.
func (r resolution) question(shown payment.Payment, decision operator.Decision) string {
	word, warning := "failed: no money moved, and none will", ""
	if r.settled {
		word = "settled, " + money(decision.Amount)
	}
	if r.settled && !shown.Amount.IsZero() && decision.Amount != shown.Amount {
		warning = fmt.Sprintf("\nWARNING: %s was ordered. Ledgers will book %s.", money(shown.Amount), money(decision.Amount))
	}
	return printable(fmt.Sprintf("%s is %s. It will be %s; %s says: %s", r.ref, open(shown), word, r.who.Name, r.who.Why)) + warning
}

// open is the status of a payment, with its reason where it has one.
func open(p payment.Payment) string {
	if why := p.Reason.Line(); why != "" {
		return fmt.Sprintf("%s (%s)", p.Status, why)
	}
	return string(p.Status)
}

// look reads the payment and what can be decided about it.
func (r resolution) look(ctx context.Context) (payment.Payment, uint64, operator.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, r.env.Timeout)
	defer cancel()
	p, seq, err := r.conn.Last(ctx, r.ref)
	if err != nil {
		return p, 0, operator.Decision{}, err
	}
	switch p.Status {
	case payment.InDoubt, payment.Pending, payment.Conflict:
	case payment.Parked:
		return p, 0, operator.Decision{}, fmt.Errorf("%s is parked and was not sent: use payctl parked cancel", r.ref)
	case payment.Submitting:
		return p, 0, operator.Decision{}, fmt.Errorf("%s is submitting, a worker is processing it: payctl parked release has it looked up; resolve it if it stays in doubt", r.ref)
	default:
		return p, 0, operator.Decision{}, fmt.Errorf("%s is %s: there is nothing to resolve; see payctl payment show %s %s", r.ref, open(p), r.ref.Provider, r.ref.Order)
	}
	decision := operator.Decision{Settled: r.settled}
	if !r.settled {
		return p, seq, decision, nil
	}
	if decision.Amount, err = operator.SettledAmount(p, r.amount); err != nil {
		return p, 0, decision, usagef("--amount: %w", err)
	}
	if r.amount != "" && decision.Amount.Minor <= 0 {
		return p, 0, decision, usagef("--amount must be positive; use --failed if no money moved")
	}
	return p, seq, decision, nil
}
