// Command bench measures how fast payonce's workers are beside two baselines that work on the same
// commands, broker, Redis and provider: a loop without any guarantee, and Watermill. Rounds are interleaved,
// so that what else the machine does hits all programs alike. What counts are the ratios.
//
//	go run ./test/bench --payments 10000 --rounds 5
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"payonce/test/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is what to measure.
type plan struct {
	payments int    // in a backlog, for the throughput
	paced    int    // sent one by one, for the latency
	rate     int    // of these, a second
	rounds   int    // of each program in each setting
	slots    int    // payments at the same time, in each worker
	store    string // a folder on the disk of the broker and of Redis
	before   string // another build of payonce's worker, to be measured beside this one; empty for none
	profile  string // a folder for profiles of payonce and of the broker; empty for none
	settings []setting
	programs []program
}

// setting is one line of the table.
type setting struct {
	sync    bool // NATS and Redis write to the disk before they answer
	workers int
}

func (s setting) String() string {
	sync := "default"
	if s.sync {
		sync = "always"
	}
	return fmt.Sprintf("sync %s, workers %d", sync, s.workers)
}

func run(ctx context.Context, args []string, out io.Writer) error {
	p := plan{}
	var sync, workers, programs, page string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&p.payments, "payments", 10_000, "payments of one round")
	flags.IntVar(&p.paced, "paced", 500, "payments of one round that are sent one by one, for the latency")
	flags.IntVar(&p.rate, "rate", 100, "of these, a second")
	flags.IntVar(&p.rounds, "rounds", 5, "rounds of each program in each setting")
	flags.IntVar(&p.slots, "slots", 32, "`NUMBER` of concurrent payments in each worker")
	flags.StringVar(&p.store, "store", os.TempDir(), "`FOLDER` for the data of the broker and of Redis")
	flags.StringVar(&sync, "sync", "default,always", "when the broker and Redis write to the disk")
	flags.StringVar(&workers, "workers", "1,2", "`NUMBER` of worker processes")
	flags.StringVar(&programs, "programs", "bare,payonce,watermill", "what to measure")
	flags.StringVar(&p.before, "before", "", "`FILE` with an older build of test/bench/worker to measure as well")
	flags.StringVar(&p.profile, "profile", "", "`FOLDER` for profiles of payonce and of the broker")
	flags.StringVar(&page, "write", "", "`FILE` whose table is replaced, e.g. docs/performance.md")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if p.settings, err = settings(sync, workers); err != nil {
		return err
	}
	if p.programs, err = named(programs); err != nil {
		return err
	}
	if p.before != "" {
		p.programs = append(p.programs, before(p.before))
	}
	if p.payments < 10 || p.paced < 1 || p.rate < 1 || p.rounds < 1 {
		return errors.New("payments must be 10 at least, and paced, rate and rounds 1")
	}
	results, err := p.play(ctx, os.Stderr)
	if err != nil {
		return err
	}
	text, err := p.report(results)
	if err != nil {
		return err
	}
	fmt.Fprint(out, text)
	if page != "" {
		return replaceTable(page, text)
	}
	return nil
}

func settings(sync, workers string) (all []setting, err error) {
	for _, s := range strings.Split(sync, ",") {
		for _, w := range strings.Split(workers, ",") {
			var n int
			if _, err := fmt.Sscanf(w, "%d", &n); err != nil || n < 1 || s != "default" && s != "always" {
				return nil, fmt.Errorf("sync must be default or always, and workers 1 or more, not %q and %q", s, w)
			}
			all = append(all, setting{sync: s == "always", workers: n})
		}
	}
	return all, nil
}

// play measures every program in every setting, in turns.
func (p plan) play(ctx context.Context, progress io.Writer) (results []result, err error) {
	defer testenv.RemoveBuilds()
	for _, s := range p.settings {
		for round := range p.rounds {
			for i := range p.programs { // each begins a round as often as the others
				program := p.programs[(round+i)%len(p.programs)]
				var r result
				limited, cancel := context.WithTimeout(ctx, runTimeout)
				err := testenv.Run(limited, progress, func(t testing.TB) { r = p.measure(t, program, s) })
				cancel()
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", program.name, s, err)
				}
				fmt.Fprintf(progress, "%s  %s, round %d: %-9s %6.0f a second, p50 %s\n", time.Now().Format(time.TimeOnly), s, round+1, program.name, r.perSecond, r.p50.Round(10*time.Microsecond))
				results = append(results, r)
			}
		}
	}
	return results, nil
}
