// Command load sends signed webhooks to a real ingress before a real nats-server that syncs every write,
// and counts what was answered 200 against what is in the stream. Then it freezes the broker under load,
// floods one API key, and forges webhooks beside signed ones.
//
//	go run ./test/load --rate 2000 --duration 30s
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"testing"
	"time"

	"payonce/test/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// plan is what to send.
type plan struct {
	rate     int           // webhooks a second
	duration time.Duration // of the webhooks, and of each of the other parts at most
	freeze   time.Duration // how long the broker stands still
	store    string        // a folder on the disk that keeps the streams
	flood    int           // commands a second of one key
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var p plan
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.IntVar(&p.rate, "rate", 2000, "webhooks a second")
	flags.DurationVar(&p.duration, "duration", 30*time.Second, "how long the webhooks are sent")
	flags.DurationVar(&p.freeze, "freeze", 5*time.Second, "how long the broker is paused under load")
	flags.StringVar(&p.store, "store", os.TempDir(), "`FOLDER` for the broker's streams, on the disk to measure")
	flags.IntVar(&p.flood, "flood", 1000, "commands a second with one API key, which may send 200")
	if err := flags.Parse(args); err != nil {
		return err
	}
	defer testenv.RemoveBuilds()
	var results []result
	if err := testenv.Run(ctx, os.Stderr, func(t testing.TB) { results = p.play(ctx, t) }); err != nil {
		return err
	}
	synced, err := testenv.SyncedWrites(p.store)
	if err != nil {
		return err
	}
	failed := false
	write(out, results)
	fmt.Fprintf(out, "\nThe disk of the streams takes %.0f synced writes of 1 KiB a second. A broker without replicas makes one for each message.\n", synced)
	for _, r := range results {
		for _, problem := range r.problems() {
			failed = true
			fmt.Fprintf(out, "FAILED: %s: %s\n", r.name, problem)
		}
	}
	if failed {
		return errors.New("a guarantee was violated")
	}
	return nil
}

// play starts the system and sends everything.
func (p plan) play(ctx context.Context, t testing.TB) (results []result) {
	s := start(t, p.store)
	for _, part := range []func(context.Context, *system) result{p.steady, p.forged, p.frozen, p.flooded} {
		results = append(results, part(ctx, s))
	}
	return results
}

// steady sends webhooks at the rate.
func (p plan) steady(ctx context.Context, s *system) result {
	calls := s.webhooks("S-", int(float64(p.rate)*p.duration.Seconds()))
	return s.finish(ctx, attack(ctx, "webhooks", "S-", calls, p.rate, p.duration), webhookStream)
}

// frozen sends webhooks at the rate and stops the broker's process in the middle.
func (p plan) frozen(ctx context.Context, s *system) result {
	length := 2*p.freeze + 2*time.Second
	calls := s.webhooks("F-", int(float64(p.rate)*length.Seconds()))
	thaw := s.freeze(time.Second, p.freeze)
	r := attack(ctx, "broker frozen", "F-", calls, p.rate, length)
	thaw()
	r.overload = 503
	return s.finish(ctx, r, webhookStream)
}

// flooded sends more commands with one key than it may.
func (p plan) flooded(ctx context.Context, s *system) result {
	length := min(p.duration, 10*time.Second)
	calls := s.commands("C-", int(float64(p.flood)*length.Seconds()))
	r := attack(ctx, "one key floods", "C-", calls, p.flood, length)
	r.overload = 429
	return s.finish(ctx, r, commandStream)
}
