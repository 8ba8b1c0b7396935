// Campaign tries to break the promise with real processes, see docs/reliability.md. It starts itself
// again as nats-server, sandbox, ingress and worker.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"payonce/internal/app"
	"payonce/test/campaign"
)

func main() {
	if code, child := campaign.Child(os.Args[1:], os.Stdout, os.Stderr); child {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

const usage = `campaign: test the whole system under faults

It runs three nats-servers, a redis-server, the providers' sandbox, an ingress and workers on the loopback interface,
kills, freezes and disconnects them while orders arrive, waits until all orders have ended, and compares every order with
the log and the log with the sandbox's records.

Exit code: 0 no order was charged twice, lost or ended wrongly; 1 one was, or a planned fault did not happen; 2 wrong
command line.

Examples:
  campaign
  campaign --seed 7 --orders 500 --duration 15s
  campaign --orders 50000 --duration 15m --drain 10m

Flags:
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("campaign", flag.ContinueOnError)
	set.SetOutput(stderr)
	o := campaign.Options{Out: stdout}
	set.Uint64Var(&o.Seed, "seed", 1, "random seed `NUMBER` of the orders and the faults")
	set.IntVar(&o.Orders, "orders", campaign.DefaultOrders, "`NUMBER` of orders")
	set.DurationVar(&o.Duration, "duration", campaign.DefaultDuration, "`DURATION` of the arrival of orders and of the faults")
	set.IntVar(&o.Workers, "workers", campaign.DefaultWorkers, "`NUMBER` of workers")
	set.DurationVar(&o.DrainFor, "drain", campaign.DefaultDrainFor, "longest `DURATION` to wait until all orders have ended")
	set.BoolVar(&o.Keep, "keep", false, "keep logs and data after a success as well")
	set.Usage = func() {
		fmt.Fprint(set.Output(), usage)
		set.PrintDefaults()
	}
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return app.ExitOK
	case err != nil:
		return app.ExitUsage
	case set.NArg() > 0:
		fmt.Fprintln(stderr, "campaign takes no arguments, only flags; see campaign --help")
		return app.ExitUsage
	}
	if err := o.Validate(); err != nil {
		fmt.Fprintf(stderr, "campaign: %v\n", err)
		return app.ExitUsage
	}
	var err error
	if o.Program, err = os.Executable(); err == nil {
		err = campaign.Run(ctx, o)
	}
	return exitCode(err, stderr)
}

// exitCode says what went wrong, unless the campaign has printed it already, with its last line.
func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return app.ExitOK
	case !errors.Is(err, campaign.ErrBroken) && !errors.Is(err, campaign.ErrNotPlayed):
		fmt.Fprintf(stderr, "campaign: %v\n", err)
	}
	return app.ExitFailed
}
