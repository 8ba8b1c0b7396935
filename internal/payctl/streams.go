package payctl

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"payonce/pkg/events/jetstream"
)

func streamsCommand(env Env) *cobra.Command {
	c := group("streams", "Compare the streams in NATS with their definition, and make them",
		`  payctl streams diff --config operator.yaml
  payctl streams apply --config operator.yaml`)
	c.AddCommand(streamsDiffCommand(env), streamsApplyCommand(env))
	return c
}

func streamsDiffCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "diff", Short: "Show what is missing or different, and change nothing; exits with 1 if anything is",
		Example: "  payctl streams diff --config operator.yaml", Args: arguments(),
	}
	path, asJSON := addConfig(c), addJSON(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.onNATS(c.Context(), *path, func(ctx context.Context, conn *jetstream.Conn) error {
			differences, err := conn.CheckStreams(ctx)
			if err != nil {
				return err
			}
			if *asJSON {
				if err := writeJSON(env.Stdout, shown(differences)); err != nil {
					return err
				}
			} else {
				list(env, "", differences)
			}
			if len(differences) > 0 {
				return fmt.Errorf("%d differences; payctl streams apply makes what is missing, with --update also changes what is safe to change", len(differences))
			}
			_, err = fmt.Fprintln(env.Stderr, "All streams are as they are defined.")
			return err
		})
	}
	return c
}

func streamsApplyCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "apply", Short: "Make the streams and the ledgers' consumers that are missing",
		Long: `Make the streams and the ledgers' consumers that are missing.

What exists and differs is left as it is, unless --update is given. It then is changed if nothing can be lost
by that: what is kept and what is taken may grow. Other differences are shown, and nothing is changed.`,
		Example: `  payctl streams apply --config operator.yaml
  payctl streams apply --config operator.yaml --update`, Args: arguments(),
	}
	path, update := addConfig(c), c.Flags().Bool("update", false, "also change what differs, where that loses nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return env.onNATS(c.Context(), *path, func(ctx context.Context, conn *jetstream.Conn) error {
			done, err := conn.ApplyStreams(ctx, *update)
			list(env, "done: ", done)
			if err != nil {
				return err
			}
			left, err := conn.CheckStreams(ctx)
			if err != nil {
				return err
			}
			list(env, "left: ", left)
			if len(left) > 0 {
				return fmt.Errorf("%d differences are left", len(left))
			}
			_, err = fmt.Fprintln(env.Stdout, "All streams are as they are defined.")
			return err
		})
	}
	return c
}

// onNATS connects, whether or not the streams are there, and calls do.
func (e Env) onNATS(ctx context.Context, path string, do func(context.Context, *jetstream.Conn) error) error {
	cfg, err := load(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, streamsTimeout)
	defer cancel()
	conn, err := e.dial(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return do(ctx, conn)
}

// streamsTimeout is long enough for a cluster to choose leaders for all streams.
const streamsTimeout = 2 * time.Minute

func list(env Env, prefix string, differences []jetstream.Difference) {
	for _, d := range differences {
		_, _ = fmt.Fprintf(env.Stdout, "%s%s\n", prefix, d)
	}
}

// shownDifference is a difference as --json prints it.
type shownDifference struct {
	Stream   string `json:"stream"`
	Consumer string `json:"consumer,omitempty"`
	Field    string `json:"field,omitempty"` // none where the whole is missing
	Want     string `json:"want,omitempty"`
	Have     string `json:"have,omitempty"`
	Safe     bool   `json:"safe"` // whether apply --update changes it
}

func shown(differences []jetstream.Difference) []shownDifference {
	all := make([]shownDifference, 0, len(differences))
	for _, d := range differences {
		all = append(all, shownDifference{d.Stream, d.Consumer, d.Field, d.Want, d.Have, d.Safe()})
	}
	return all
}
