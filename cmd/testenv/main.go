// Command testenv makes the secrets of a test environment with containers, pays through it, and is the endpoint that gets its
// webhooks. It is never part of production.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"payonce/test/testmerchant"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := &cobra.Command{Use: "testenv", Short: "Create the secrets of a test environment, send test payments, and take the webhooks about them", SilenceUsage: true}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(secretsCommand(), payCommand(), receiveCommand())
	if root.ExecuteContext(ctx) != nil {
		stop()
		os.Exit(1)
	}
}

func payCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "pay", Short: "Send test payments of every provider to a running ingress, act as the customers, and print the outcomes",
		Example: "  testenv pay --ingress https://127.0.0.1:8080 --sandbox https://127.0.0.1:8090 --key-file secrets/ingress/api.key",
		Args:    cobra.NoArgs,
	}
	ingress := c.Flags().String("ingress", "https://127.0.0.1:8080", "base `URL` of the ingress")
	sandbox := c.Flags().String("sandbox", "https://127.0.0.1:8090", "base `URL` of the providers' sandbox")
	key := c.Flags().String("key-file", "secrets/ingress/api.key", "`FILE` with an API key of the ingress")
	ca := c.Flags().String("ca-file", "secrets/nats/clients/ca.pem", "`FILE` with the CA of their certificates")
	timeout := c.Flags().Duration("timeout", 2*time.Minute, "longest `DURATION` of the run")
	c.RunE = func(c *cobra.Command, _ []string) error {
		text, err := os.ReadFile(*key)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.Context(), *timeout)
		defer cancel()
		s := testmerchant.Shop{Ingress: *ingress, Sandbox: *sandbox, Key: strings.TrimSpace(string(text))}
		if err := s.Trust(*ca); err != nil {
			return err
		}
		// The time makes order numbers of another run others.
		outcomes := s.Round(ctx, fmt.Sprintf("T%d", time.Now().Unix()), 1, nil)
		if testmerchant.Print(c.OutOrStdout(), outcomes) > 0 {
			return errors.New("not every payment ended as expected")
		}
		return nil
	}
	return c
}
