package payctl

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func retryCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "retry PROVIDER ORDER",
		Short: "Submit a payment again that its provider does not know",
		Long: `Submit a payment again that is in doubt because it reached its limit (max_submits, give_up_after) and its provider says
that it does not know the order. The worker looks the order up first, and submits it once only if the provider still
does not know it. The log records who decided and why.

Check the provider's console first: the order must not be there.`,
		Example: `  payctl payment retry ecommpay-kr P-1003 --by kim --reason "the provider corrected it, ticket 4711"
  payctl payment retry ecommpay-kr P-1003 --by kim --reason "ticket 4711" --dry-run`,
		Args: arguments("PROVIDER", "ORDER"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		ref, err := paymentArgs(args)
		if err != nil {
			return err
		}
		return env.aboutPayment(c, ref, h, *asJSON, func(ctx context.Context, _ config.Config, conn *admin.Conn, who operator.Person) (timeline, error) {
			return env.retry(ctx, conn, h, ref, who)
		})
	}
	return c
}

// retry shows the payment, asks, and has it sent once more. It returns the payment's history as it stands then.
func (e Env) retry(ctx context.Context, conn *admin.Conn, h actionFlags, ref payment.Ref, who operator.Person) (timeline, error) {
	shown, seq, err := conn.Last(ctx, ref)
	if err != nil {
		return timeline{}, err
	}
	question := printable(fmt.Sprintf("%s is %s, sent %d times. It will be looked up, and submitted once more if the provider still does not know it; %s says: %s",
		ref, open(shown), shown.Requests(), who.Name, who.Why))
	if *h.dryRun {
		_, _ = fmt.Fprintln(e.Stderr, question+"\nNothing was done: this is a dry run.")
		return e.tell(ctx, conn, ref)
	}
	if err := e.confirm(h, question, ref.Order); err != nil {
		return timeline{}, err
	}
	if err := e.actions(conn).Retry(ctx, shown, seq, who); err != nil {
		return timeline{}, ifMoved(err)
	}
	return e.tell(ctx, conn, ref)
}
