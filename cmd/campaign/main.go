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
	"payonce/internal/campaign"
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

const usage = `campaign: many orders, and everything that can break breaks

It runs three nats-servers, a redis-server, the providers' sandbox, an ingress and workers as processes on
the loopback, kills, freezes and cuts off these processes while orders come in, lets everything drain, and
holds every order against the log and the log against the sandbox's books. Exit code 0 means that no order
was charged twice, lost, or ended wrongly; 1 that one was, or that something planned never happened;
2 that the command line is wrong.

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
	set.Uint64Var(&o.Seed, "seed", 1, "`number` that decides the orders and the faults")
	set.IntVar(&o.Orders, "orders", campaign.DefaultOrders, "how many orders are made")
	set.DurationVar(&o.Duration, "duration", campaign.DefaultDuration, "how long they take to come in, and the faults go on")
	set.IntVar(&o.Workers, "workers", campaign.DefaultWorkers, "how many workers there are")
	set.DurationVar(&o.DrainFor, "drain", campaign.DefaultDrainFor, "how long to wait at most until nothing moves any more")
	set.BoolVar(&o.Keep, "keep", false, "keep logs and data also when all is well")
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

// exitCode says what went wrong, unless the campaign has told it already, with its last line.
func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return app.ExitOK
	case !errors.Is(err, campaign.ErrBroken) && !errors.Is(err, campaign.ErrNotPlayed):
		fmt.Fprintf(stderr, "campaign: %v\n", err)
	}
	return app.ExitFailed
}
