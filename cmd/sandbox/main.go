// Command sandbox serves simulated payment providers, for tests and demos.
//
//	sandbox keys --dir keys
//	sandbox --keys keys --callback-url http://127.0.0.1:8080/webhooks/teemopay-kr --auto-pay
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"payonce/pkg/sandbox/teemopay"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err))
}

// usageError is a mistake of the caller.
type usageError struct{ error }

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	default:
		return 1
	}
}

// run is the whole program. It returns when ctx ends; the error has been printed already.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := serveCommand()
	root.AddCommand(keysCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		_, _ = fmt.Fprintf(stderr, "sandbox: %v\n", err)
		return err
	}
	return nil
}

// strict makes a command report wrong flags and arguments as usage errors.
func strict(c *cobra.Command) *cobra.Command {
	c.SilenceErrors, c.SilenceUsage = true, true
	c.CompletionOptions.DisableDefaultCmd = true
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("unknown command or argument %q; see %s --help", args[0], c.CommandPath())}
		}
		return nil
	}
	return c
}

func serveCommand() *cobra.Command {
	f := defaultFlags()
	c := strict(&cobra.Command{
		Use:   "sandbox",
		Short: "Serve simulated payment providers; no money moves here",
		Long: `Serve simulated payment providers; no money moves here.

Each account has the base URL http://<listen>/<provider>. GET / explains the admin API and the faults.
With --config the accounts come from a file; otherwise the flags describe one account of TeemoPay.
It refuses to run when the environment says PAYONCE_ENV=production.`,
		Example: `  sandbox keys --dir keys
  sandbox --keys keys --callback-url http://127.0.0.1:8080/webhooks/teemopay-kr --auto-pay
  sandbox --config sandbox.yaml --listen 127.0.0.1:9000

  # sandbox.yaml
  accounts:
    - name: teemopay-kr
      kind: teemopay
      app_code: sandbox-app
      keys: keys
      callback_url: http://127.0.0.1:8080/webhooks/teemopay-kr
      auto_pay: true
      move_delay: 100ms
      faults: [{fault: lag, ms: 500}]
      retry: {first: 1s, factor: 2, max: 1m, attempts: 20}`,
	})
	c.RunE = func(c *cobra.Command, _ []string) error {
		return serve(c.Context(), f, c.Flags().Changed, c.OutOrStdout())
	}
	f.bind(c.Flags())
	return c
}

func keysCommand() *cobra.Command {
	var dir string
	c := strict(&cobra.Command{
		Use:   "keys",
		Short: "Make the key pairs of a TeemoPay sandbox account",
		Long: `Make the key pairs of a TeemoPay sandbox account: four PEM files, marked "Sandbox: payonce", readable
by their owner only. The merchant signs requests, the platform signs callbacks. No file is replaced.`,
		Example: "  sandbox keys --dir keys",
	})
	c.Flags().StringVar(&dir, "dir", "", "folder for the files, made when it is missing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if dir == "" {
			return usageError{errors.New("--dir is required")}
		}
		keys, err := teemopay.NewKeys()
		if err != nil {
			return err
		}
		if err := keys.Write(dir); err != nil {
			return fmt.Errorf("write the keys: %w", err)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %s, %s, %s and %s to %s\n", teemopay.MerchantPrivateFile,
			teemopay.MerchantPublicFile, teemopay.PlatformPrivateFile, teemopay.PlatformPublicFile, dir)
		return err
	}
	return c
}
