package payctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

func skipCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "skip PROVIDER ORDER --sequence N",
		Short: "Skip an event of the log that cannot be read",
		Long: `Skip an event of the log that cannot be read, so that its payment can continue. Until then workers append nothing to the
payment and do not call its provider, because the event could say anything.

The event stays in the log, and another one is appended: with the status before it, if that was an outcome or pending;
otherwise in_doubt, because the event may have been the intent to send the payment. A payment in doubt is looked up at
its provider. It is sent again only if workers write such an event before they know anything from the provider, and the
provider says twice that it does not know the order. If the log has no earlier event of the payment, it is never sent;
if its command is gone as well, --operation is required.

Read the event first, with payctl payment show and at its sequence in PAYMENTS. Ledgers that read it stop at it.`,
		Example: `  payctl log skip teemopay-kr P-1001 --sequence 4711 --by kim --reason "ticket 4720" --dry-run
  payctl log skip teemopay-kr P-1001 --sequence 4711 --by kim --reason "written by a tool of ours, ticket 4720"`,
		Args: arguments("PROVIDER", "ORDER"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	sequence := c.Flags().Uint64("sequence", 0, "sequence `NUMBER` of the event in PAYMENTS; required")
	operation := c.Flags().String("operation", "", "deposit or payout; required if neither log nor queue has it")
	c.RunE = func(c *cobra.Command, args []string) error {
		ref, err := paymentArgs(args)
		if err != nil {
			return err
		}
		if *sequence == 0 {
			return usagef("--sequence N is required; see payctl payment show %s %s", ref.Provider, ref.Order)
		}
		if *operation != "" && !payment.Operation(*operation).Valid() {
			return usagef("--operation must be deposit or payout")
		}
		return env.aboutPayment(c, ref, h, *asJSON, func(ctx context.Context, _ config.Config, conn *admin.Conn, who operator.Person) (timeline, error) {
			return env.skip(ctx, conn, h, operator.Skip{Ref: ref, Sequence: *sequence, Operation: payment.Operation(*operation)}, who)
		})
	}
	return c
}

// skip shows what would be written, asks, and writes it. It returns the payment's history as it stands then.
func (e Env) skip(ctx context.Context, conn *admin.Conn, h actionFlags, want operator.Skip, who operator.Person) (timeline, error) {
	ref := want.Ref
	reading, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	records, err := conn.History(reading, ref)
	if err != nil {
		return timeline{}, err
	}
	plan, err := e.actions(conn).Service.PlanSkip(reading, records, want, who)
	if err != nil {
		return timeline{}, err
	}
	question := printable(skipQuestion(plan, who))
	if *h.dryRun {
		_, _ = fmt.Fprintln(e.Stderr, question+"\nNothing was done: this is a dry run.")
		return e.tell(ctx, conn, ref)
	}
	if *h.yes {
		_, _ = fmt.Fprintln(e.Stderr, question)
	}
	if err := e.confirm(h, question, ref.Order); err != nil {
		return timeline{}, err
	}
	if err := e.actions(conn).StepOver(ctx, plan, who); err != nil {
		return timeline{}, ifMoved(err)
	}
	return e.tell(ctx, conn, ref)
}

// skipQuestion says what is known of the payment and what will be written.
func skipQuestion(plan operator.SkipPlan, who operator.Person) string {
	var says []string
	for _, s := range plan.Skipped {
		says = append(says, fmt.Sprintf("%s of %s", s.Status, s.At.UTC().Format(time.RFC3339)))
	}
	before := "the log has no earlier event of it"
	if plan.Before.Status != payment.Requested {
		before = "before it stood " + open(plan.Before)
	}
	return fmt.Sprintf("Event %d of %s cannot be read: %s; the subjects say %s. It is skipped and stays in the log. The payment will be %s; %s says: %s",
		plan.Sequence, plan.Next.Ref, before, strings.Join(says, ", then "), open(plan.Next), who.Name, who.Why)
}

func isUnreadable(err error) bool {
	_, is := events.Unreadable(err)
	return is
}
