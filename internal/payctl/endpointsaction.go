package payctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/config"
	"payonce/pkg/endpoints"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// onEndpoint carries out a person's action on an endpoint of the configuration.
func (e Env) onEndpoint(c *cobra.Command, h actionFlags, name string, do func(context.Context, *admin.Conn, endpoints.Endpoint, operator.Person) error) error {
	who, err := h.person()
	if err != nil {
		return err
	}
	return e.asPerson(c.Context(), *h.config, who, func(ctx context.Context, cfg config.Config, conn *admin.Conn, who operator.Person) error {
		of, err := endpointOf(cfg, name)
		if err != nil {
			return err
		}
		return do(ctx, conn, of, who)
	})
}

func endpointsTest(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "test NAME", Short: "Have a notifier send a test event to an endpoint",
		Long: `Have a notifier send a test event to an endpoint, and show what came of it.

The body is {"test":true,"endpoint":NAME}. It is signed like every event and its webhook-id is new each time. It is sent once,
also while the endpoint is disabled. Exit code 1: the endpoint did not answer with 2xx.`,
		Example: `  payctl endpoints test shop --by kim --reason "the shop has a new certificate"`, Args: arguments("NAME"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return env.onEndpoint(c, h, args[0], func(ctx context.Context, conn *admin.Conn, of endpoints.Endpoint, who operator.Person) error {
			if *h.dryRun {
				_, err := fmt.Fprintln(env.Stderr, "A test event would be sent to the endpoint "+of.Name+". Nothing was done: this is a dry run.")
				return err
			}
			came, err := env.actions(conn).TestEndpoint(ctx, conn, of.Name, who)
			if errors.Is(err, events.ErrNoNotifier) {
				err = fmt.Errorf("%w: start one, or look at its log", err)
			}
			if err != nil {
				return err
			}
			return showTest(c, of.Name, came, *asJSON)
		})
	}
	return c
}

func showTest(c *cobra.Command, name string, came events.EndpointTest, asJSON bool) error {
	if asJSON {
		if err := writeJSON(c.OutOrStdout(), came); err != nil {
			return err
		}
	}
	if !came.Delivered {
		return fmt.Errorf("endpoint %s did not take the test event: %s", name, printable(came.Problem))
	}
	if asJSON {
		return nil
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "The endpoint %s took the test event: HTTP %d after %s. webhook-id %s\n", name, came.Status,
		time.Duration(came.Seconds*float64(time.Second)).Round(time.Millisecond), printable(came.ID))
	return err
}

// endpointsSwitch is disable or enable.
func endpointsSwitch(env Env, disable bool) *cobra.Command {
	c := &cobra.Command{
		Use: "enable NAME", Short: "Have notifiers send to a disabled endpoint again", Args: arguments("NAME"),
		Example: `  payctl endpoints enable shop --by kim --reason "the shop is back, ticket 4711"`,
	}
	word, done, follows := "enable", operator.EndpointEnabled, "Notifiers send what waited within seconds."
	if disable {
		word, done, follows = "disable", operator.EndpointDisabled, "Its events wait until it is enabled; requests under way are finished."
		c.Use, c.Short = "disable NAME", "Have notifiers send nothing to an endpoint"
		c.Long = c.Short + `.

Its events wait, however long, and are sent when it is enabled again. Notifiers notice it within seconds.`
		c.Example = `  payctl endpoints disable shop --by kim --reason "the shop counts outcomes twice, ticket 4711"`
	}
	h := addActionFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return env.onEndpoint(c, h, args[0], func(ctx context.Context, conn *admin.Conn, of endpoints.Endpoint, who operator.Person) error {
			if *h.dryRun {
				_, err := fmt.Fprintf(env.Stderr, "The endpoint %s would be %s. Nothing was done: this is a dry run.\n", of.Name, done)
				return err
			}
			if err := env.confirm(h, fmt.Sprintf("%s the endpoint %s, as %s: %s", word, of.Name, who.Name, who.Why), of.Name); err != nil {
				return err
			}
			if err := env.actions(conn).SwitchEndpoint(ctx, conn, of.Name, !disable, who); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "The endpoint %s is %s. %s\n", of.Name, done, follows)
			return err
		})
	}
	return c
}

func endpointsReplay(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "replay NAME", Short: "Send events of the log to an endpoint again",
		Long: `Send events of the log to an endpoint again: those of one order, or those that were stored in a time.

Each has the webhook-id that it had before, so a receiver that keeps these ids takes none twice. Only events are sent that the
endpoint wants. Events that became dead letters are sent again with payctl deadletters replay --code endpoint_failed.`,
		Example: `  payctl endpoints replay shop --provider ecommpay-kr --order P-1001 --by kim --reason "the shop lost it, ticket 4711" --yes
  payctl endpoints replay shop --from 2026-11-22T00:00:00Z --to 2026-11-23T00:00:00Z --by kim --reason "restored from a backup" --dry-run`,
		Args: arguments("NAME"),
	}
	h, asJSON := addActionFlags(c), addJSON(c)
	var s eventFilter
	c.Flags().StringVar(&s.provider, "provider", "", "filter by provider; required with --order")
	c.Flags().StringVar(&s.order, "order", "", "filter by order")
	c.Flags().StringVar(&s.from, "from", "", "filter by `TIME`: stored at or after it, e.g. 2026-11-22T00:00:00Z")
	c.Flags().StringVar(&s.to, "to", "", "filter by `TIME`: stored before it")
	c.RunE = func(c *cobra.Command, args []string) error {
		filter, err := s.parse()
		if err != nil {
			return err
		}
		return env.onEndpoint(c, h, args[0], func(ctx context.Context, conn *admin.Conn, of endpoints.Endpoint, who operator.Person) error {
			found, err := filter.Read(ctx, conn, of.Wants, maxReplayed)
			var tooMany *operator.TooManyError
			if errors.As(err, &tooMany) {
				return usageError{fmt.Errorf("%w with --to", err)}
			}
			if err != nil {
				return err
			}
			return env.replayTo(ctx, c, conn, operator.ResendOf(of.Name, filter, found), h, who, *asJSON)
		})
	}
	return c
}

// eventFilter are the flags that choose events of the log.
type eventFilter struct{ provider, order, from, to string }

func (s eventFilter) parse() (f operator.EventFilter, err error) {
	if s.order == "" && s.from == "" {
		return f, usagef("--order or --from is required")
	}
	if s.order != "" {
		if err := (payment.Ref{Provider: s.provider, Order: s.order}).Validate(); err != nil {
			return f, usagef("--order requires --provider: %w", err)
		}
	} else if s.provider != "" && !payment.ValidProvider(s.provider) {
		return f, usagef("--provider: %q is not a valid provider name", s.provider)
	}
	if err := errors.Join(validTime("--from", s.from), validTime("--to", s.to)); err != nil {
		return f, err
	}
	f = operator.EventFilter{Provider: s.provider, Order: s.order}
	f.From, _ = time.Parse(time.RFC3339, s.from) // those that are not empty are valid
	f.To, _ = time.Parse(time.RFC3339, s.to)
	return f, nil
}

// maxReplayed bounds one replay, which is held in memory: name a shorter time.
const maxReplayed = 100_000

func (e Env) replayTo(ctx context.Context, c *cobra.Command, conn *admin.Conn, again operator.Resend, h actionFlags, who operator.Person, asJSON bool) error {
	n := len(again.Events)
	r := actionReport{Action: events.ActionReplay, Chosen: n, DryRun: *h.dryRun, Items: again.Items}
	if *h.dryRun || n == 0 {
		_, _ = fmt.Fprintf(e.Stderr, "%s would be sent to the endpoint %s again.\n", counted(n, "event"), again.Endpoint)
		return r.write(c.OutOrStdout(), asJSON)
	}
	question := fmt.Sprintf("send %s to the endpoint %s again, as %s: %s", counted(n, "event"), again.Endpoint, who.Name, who.Why)
	if err := e.confirm(h, question, fmt.Sprint(n)); err != nil {
		return err
	}
	shown := newProgress(e, n, "events")
	defer shown.end()
	again.Done = shown.add
	results, err := e.actions(conn).SendAgain(ctx, conn, again, who)
	r.Results = results
	return errors.Join(r.write(c.OutOrStdout(), asJSON), err)
}
