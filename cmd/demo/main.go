// Demo runs the whole system on embedded parts and plays a scenario with it: a real nats-server with
// JetStream on disk, miniredis, the provider sandbox, ingress, archive, console, and two workers that are processes of
// their own, so that one can be killed.
//
//	go run ./cmd/demo                      plays the scenario and ends with exit code 0 only if all is as it must be
//	go run ./cmd/demo --keep               keeps the system up and prints commands to try
//	go run ./cmd/demo --keep --state dir   the same, with its state in a folder: the next run goes on with the same payments
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/test/testenv"
)

// workerArgument makes this program a worker: the demo starts itself again for each of its workers.
const workerArgument = "worker"

func main() {
	if len(os.Args) > 1 && os.Args[1] == workerArgument {
		os.Exit(app.Main(app.Worker(), os.Args[2:], os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// scenarioTimeout bounds the whole scenario. It takes about 10 s, and several times that on a machine that is busy.
const scenarioTimeout = 5 * time.Minute

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("demo", flag.ContinueOnError)
	set.SetOutput(stderr)
	keep := set.Bool("keep", false, "keep the system running and print commands to try, instead of running the scenario")
	listen := set.String("listen", "", "loopback `ADDRESS` of the ingress; default: a free port, with --keep 127.0.0.1:8080")
	dir := set.String("state", "", "with --keep, `FOLDER` of everything that the system keeps, made if it is missing; default: a fresh one that is removed in the end")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return app.ExitOK
		}
		return app.ExitUsage
	}
	if *dir != "" && !*keep {
		fmt.Fprintln(stderr, "demo: --state requires --keep: the scenario needs a fresh system")
		return app.ExitUsage
	}
	if *keep && *listen == "" {
		*listen = "127.0.0.1:8080"
	}
	if err := free(ctx, *listen); err != nil {
		fmt.Fprintf(stderr, "demo: the ingress cannot listen: %v\nNext: end what listens there, or name another address: make run LISTEN=127.0.0.1:8081\n", err)
		return app.ExitFailed
	}
	began := time.Now()
	err := testenv.Run(ctx, stderr, func(t testing.TB) {
		s := startStack(t, *dir, *listen)
		if *keep {
			keepUp(ctx, s, stdout)
			return
		}
		s.Must(play(ctx, s, stdout, began))
	})
	if err != nil {
		fmt.Fprintf(stderr, "demo: %v\n", err)
		return app.ExitFailed
	}
	return app.ExitOK
}

// free says whether the ingress can listen at an address, before everything else is started. Empty is a free one.
func free(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// play runs the scenario and says whether everything was as it must be.
func play(ctx context.Context, s *stack, stdout io.Writer, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, scenarioTimeout)
	defer cancel()
	t := &teller{out: stdout, began: began, stack: s}
	t.introduce()
	err := t.tell(ctx)
	return errors.Join(err, t.audit(ctx))
}
