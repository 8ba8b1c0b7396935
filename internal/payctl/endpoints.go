package payctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/metric/noop"

	"payonce/pkg/config"
	"payonce/pkg/endpoints"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/status"
)

func endpointsCommand(env Env) *cobra.Command {
	c := group("endpoints", "Show the endpoints to which signed webhooks are sent, test, disable and enable them, and send events again",
		`  payctl endpoints list
  payctl endpoints show shop`)
	c.Long = c.Short + `.

Endpoints get webhooks from payonce. Webhooks that providers send to payonce are another thing: see payctl webhooks.`
	c.AddCommand(endpointsList(env), endpointsShow(env), endpointsTest(env), endpointsSwitch(env, true), endpointsSwitch(env, false), endpointsReplay(env))
	return c
}

// shownEndpoint is an endpoint as --json prints it.
type shownEndpoint struct {
	Name       string   `json:"name"`
	Host       string   `json:"host"` // the path can hold a secret
	Upstream   string   `json:"upstream,omitempty"`
	Providers  []string `json:"providers"`
	Operations []string `json:"operations"`
	Statuses   []string `json:"statuses"`
	events.EndpointState
	Problem string `json:"problem,omitempty"` // why its state cannot be read
	// What running notifiers say of it.
	Breaker     string                   `json:"breaker,omitempty"`
	DeliveredAt time.Time                `json:"delivered_at,omitzero"`
	Failures    []status.EndpointFailure `json:"failures,omitempty"` // the last ones, newest first
}

// notifiers is what running notifiers say of endpoints. Where that cannot be read it is empty: the rest is known all the same.
func (e Env) notifiers(ctx context.Context, conn *admin.Conn) status.Report {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	levels, err := statistics.New(conn.Conn, noop.NewMeterProvider())
	if err != nil {
		return status.Report{}
	}
	return status.Assemble(ctx, status.Sources{Heartbeats: levels}, nil, e.Now())
}

func (e Env) shownEndpoint(ctx context.Context, conn *admin.Conn, of endpoints.Endpoint, said status.Report) (shownEndpoint, error) {
	s := shownEndpoint{Name: of.Name, Upstream: of.Upstream, Providers: orAll(of.Providers), Operations: orAll(of.Operations), Statuses: orAll(of.Statuses)}
	if at, err := url.Parse(of.URL); err == nil {
		s.Host = at.Host
	}
	now := said.EndpointOf(of.Name)
	s.Breaker, s.DeliveredAt, s.Failures = now.Breaker, now.DeliveredAt, now.Failures
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	var err error
	s.EndpointState, err = conn.EndpointState(ctx, of.Name)
	if errors.Is(err, admin.ErrNotCreated) {
		s.Problem, err = admin.ErrNotCreated.Error(), nil
	}
	return s, err
}

// orAll is a list as texts, of which an empty one means all.
func orAll[T ~string](list []T) []string {
	texts := []string{}
	for _, one := range list {
		texts = append(texts, string(one))
	}
	return texts
}

func (s shownEndpoint) state() string {
	switch {
	case s.Problem != "":
		return s.Problem
	case s.Disabled:
		return "disabled"
	case s.Breaker == status.BreakerOpen || s.Breaker == status.BreakerHalfOpen:
		return "breaker " + strings.ReplaceAll(s.Breaker, "_", " ")
	}
	return "enabled"
}

func endpointsList(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List the endpoints with what waits for them",
		Long: `List the endpoints with what waits for them.

NEW are events of the log that were not sent yet, those included that the endpoint does not want. DUE are those to be sent
again now, WAITING those whose next attempt is later. DEAD are dead letters: payctl deadletters list --code endpoint_failed.
STATE is "breaker open" while a notifier sends nothing because requests failed; payctl endpoints show has the last failures.`,
		Example: "  payctl endpoints list\n  payctl endpoints list --json", Args: arguments(),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.withNATS(c.Context(), *path, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
			found, said := []shownEndpoint{}, env.notifiers(ctx, conn)
			for _, of := range cfg.SendTo() {
				s, err := env.shownEndpoint(ctx, conn, of, said)
				if err != nil {
					return err
				}
				found = append(found, s)
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), found)
			}
			return printEndpoints(c.OutOrStdout(), found)
		})
	}
	return c
}

func printEndpoints(w io.Writer, found []shownEndpoint) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(found) > 0 {
		_, _ = fmt.Fprintln(table, "ENDPOINT\tHOST\tUPSTREAM\tNEW\tDUE\tWAITING\tDEAD\tSTATE")
	}
	for _, s := range found {
		_, _ = fmt.Fprintln(table, printable(fmt.Sprintf("%s\x00%s\x00%s\x00%d\x00%d\x00%d\x00%d\x00%s", s.Name, s.Host, orEvery(s.Upstream),
			s.New, s.Due, s.Waiting, s.DeadLetters, s.state())))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s.\n", counted(len(found), "endpoint"))
	return err
}

func orEvery(upstream string) string {
	if upstream == "" {
		return "(every)"
	}
	return upstream
}

// endpointOf returns an endpoint of the configuration.
func endpointOf(cfg config.Config, name string) (endpoints.Endpoint, error) {
	for _, of := range cfg.SendTo() {
		if of.Name == name {
			return of, nil
		}
	}
	names := slices.Sorted(maps.Keys(cfg.Endpoints))
	if len(names) == 0 {
		return endpoints.Endpoint{}, usagef("the configuration has no endpoints; see docs/endpoints.md")
	}
	return endpoints.Endpoint{}, usagef("endpoint %q is not configured; configured: %s", name, strings.Join(names, ", "))
}

func endpointsShow(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "show NAME", Short: "Show one endpoint: what is sent to it, and what waits", Example: "  payctl endpoints show shop", Args: arguments("NAME"),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return env.withNATS(c.Context(), *path, func(ctx context.Context, cfg config.Config, conn *admin.Conn) error {
			of, err := endpointOf(cfg, args[0])
			if err != nil {
				return err
			}
			s, err := env.shownEndpoint(ctx, conn, of, env.notifiers(ctx, conn))
			if err != nil {
				return err
			}
			if *asJSON {
				return writeJSON(c.OutOrStdout(), s)
			}
			return s.write(c.OutOrStdout())
		})
	}
	return c
}

func (s shownEndpoint) write(w io.Writer) error {
	lines := [][2]string{
		{"endpoint", s.Name}, {"host", s.Host}, {"upstream", orEvery(s.Upstream)}, {"providers", listedOr(s.Providers, "all")},
		{"operations", listedOr(s.Operations, "all")}, {"statuses", listedOr(s.Statuses, "all")}, {"state", s.state()},
		{"new", fmt.Sprint(s.New)}, {"due", fmt.Sprint(s.Due)}, {"waiting", fmt.Sprint(s.Waiting)}, {"dead letters", fmt.Sprint(s.DeadLetters)},
	}
	if !s.NextAt.IsZero() {
		lines = append(lines, [2]string{"next attempt", s.NextAt.UTC().Format(time.RFC3339)})
	}
	if !s.DeliveredAt.IsZero() {
		lines = append(lines, [2]string{"last delivery", s.DeliveredAt.UTC().Format(time.RFC3339)})
	}
	for _, f := range s.Failures {
		lines = append(lines, [2]string{"failure", fmt.Sprintf("%s %s of %s %s: %s", f.At.UTC().Format(time.RFC3339), f.Status, f.Provider, f.Order, f.Error)})
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(w, "%-14s%s\n", line[0]+":", printable(line[1])); err != nil {
			return err
		}
	}
	return nil
}

func listedOr(list []string, empty string) string {
	if len(list) == 0 {
		return empty
	}
	return strings.Join(list, ", ")
}
