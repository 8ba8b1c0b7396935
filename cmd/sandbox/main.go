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
	root.SetArgs(append([]string{}, args...)) // for nil it would take those of the process
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
Without --config there is a demo set: teemopay-kr, ecommpay-kr (project 200, with redirection),
ecommpay-kr-direct (project 1840, with instructions), diamondpay-kr (PF0002, HMAC-SHA256) and diamondpay-tw
(PF0003, MD5, camelCase). Their keys and secrets are made when the folder of --keys is missing.
With --config the accounts come from a file. Amounts in it are minor units of the account's currency.

It refuses to run when the environment says PAYONCE_ENV=production, and from a configuration of payonce.`,
		Example: `  sandbox --auto-pay --callback-url http://127.0.0.1:8080/webhooks/{provider}
  sandbox keys --dir keys
  sandbox --config sandbox.yaml --listen 127.0.0.1:9000

  # sandbox.yaml
  accounts:
    - name: teemopay-kr
      kind: teemopay
      keys: keys                     # folder of 'sandbox keys'
      callback_url: http://127.0.0.1:8080/webhooks/teemopay-kr
      auto_pay: true
      move_delay: 100ms
      balance: 1000000
      faults: [{fault: lag, ms: 500}]
      retry: {first: 1s, factor: 2, max: 1m, attempts: 20}
      app_code: sandbox-app          # also refusal_code, cashier_url, require_holder_number
    - name: ecommpay-kr
      kind: ecommpay
      keys: keys
      callback_url: http://127.0.0.1:8080/webhooks/ecommpay-kr
      tell_delay: 100ms              # until the merchant hears what the customer has to do
      retry: {speed: 100}            # the documented schedule, so many times as fast
      project_id: 200
      redirect: true                 # false: the merchant shows instructions
      sign_general: false            # callbacks are signed in general.signature, not in the root
      office_hours: false            # Monday to Friday, 08:00 to 23:59 GMT+9
      min_deposit: 10000             # also max_deposit, min_payout, max_payout
      refuse_limits: false           # true: at once, with 3358 and 2642, not by callback
      banks: [{id: 140, name: Bank}] # more than ECommPay's Korean banks page lists; also timeout, bank_url
    - name: diamondpay-tw
      kind: diamondpay
      keys: keys
      platform_id: PF0003
      currency: TWD                  # or KRW
      sign_type: HMAC-SHA256         # or MD5
      camel_case: true               # names in answers to TWD deposits
      payment_info: true             # in answers to KRW v1 deposits; false: links only
      exact_amounts: false           # true: v1 displays, and v2 answers with, the ordered amount and not one of a few won less or more
      old_payouts: false             # without phone_number and currency
      min_amount: 100                # also max_amount, portal_url`,
	})
	c.RunE = func(c *cobra.Command, _ []string) error {
		return serve(c.Context(), f, c.Flags().Changed, c.OutOrStdout())
	}
	f.bind(c.Flags())
	return c
}
