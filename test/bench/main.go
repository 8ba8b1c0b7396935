// Command bench measures how fast payonce's workers are beside other programs that work on the same commands, broker,
// Redis and provider: a loop without any guarantee, Watermill and asynq. Rounds are interleaved, so that what else the
// machine does hits all programs alike. What counts are the ratios.
//
//	go run ./test/bench --sweep             # finds each baseline's best options, and keeps them
//	go run ./test/bench --rounds 5          # measures all programs, each with its best options
//	go run ./test/bench --growth --kept 1000000 --parked 50000   # measures payonce with payments that are there already
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
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is what to measure.
type plan struct {
	payments int           // in a backlog, for the throughput
	paced    time.Duration // how long payments are sent at each load, for the latency
	loads    []load
	rounds   int    // of each program in each setting
	store    string // a folder on the disk of the broker and of Redis
	before   string // another build of payonce's worker, to be measured beside this one; empty for none
	profile  string // a folder for profiles of payonce and of the broker; empty for none
	settings []setting
	programs []program
	best     options // of the baselines
	growth   bool    // compare settings with the first one, see growth.go
}

func run(ctx context.Context, args []string, out io.Writer) error {
	p, page, err := parse(args)
	if err != nil {
		return err
	}
	defer testenv.RemoveBuilds()
	if page.sweep {
		return p.sweep(ctx, page, out)
	}
	if err := p.checkRoom(os.Stderr); err != nil {
		return err
	}
	play, report, part, charts := p.play, p.report, "results", p.charts
	if p.growth {
		play, report, part, charts = p.playGrowth, p.reportGrowth, "growth", p.growthCharts
	}
	results, err := play(ctx, os.Stderr)
	if err != nil {
		return err
	}
	text, err := report(results)
	if err != nil {
		return err
	}
	fmt.Fprint(out, text)
	drawn, err := page.draw(charts(results))
	if p.growth { // they are among what is written, because not every machine holds enough for them
		text += drawn
	}
	return errors.Join(err, page.write(part, text))
}

// checkRoom refuses settings that do not fit on this machine.
func (p plan) checkRoom(progress io.Writer) error {
	has, err := roomAt(p.store)
	if err != nil {
		return err
	}
	return checkRoom(p.settings, p.growth, has, progress)
}

// parse reads the flags.
func parse(args []string) (p plan, o output, err error) {
	var s settingFlags
	var programs, loads string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&p.payments, "payments", 10_000, "payments of one round")
	flags.DurationVar(&p.paced, "paced", 5*time.Second, "how long payments are sent at each load, for the latency")
	flags.StringVar(&loads, "loads", "100,50%", "payments a `SECOND` for the latency, each a number or a part of the throughput that the round has measured")
	flags.IntVar(&p.rounds, "rounds", 5, "rounds of each program in each setting")
	flags.StringVar(&p.store, "store", os.TempDir(), "`FOLDER` for the data of the broker and of Redis")
	s.define(flags)
	flags.StringVar(&programs, "programs", "bare,watermill,asynq,payonce", "what to measure")
	flags.StringVar(&p.before, "before", "", "`FILE` with an older build of test/bench/worker to measure as well")
	flags.StringVar(&p.profile, "profile", "", "`FOLDER` for profiles of payonce and of the broker")
	flags.StringVar(&o.page, "write", "", "`FILE` whose tables and charts are replaced, e.g. docs/performance.md")
	flags.BoolVar(&o.sweep, "sweep", false, "try the options of each baseline in each setting, and keep the best ones")
	flags.StringVar(&o.best, "best", "", "`FILE` for the best options, to be kept; with --sweep alone")
	if err := flags.Parse(args); err != nil {
		return p, o, err
	}
	if p.settings, err = s.settings(); err != nil {
		return p, o, err
	}
	if p.programs, err = named(programs); err != nil {
		return p, o, err
	}
	if p.loads, err = parseLoads(loads); err != nil {
		return p, o, err
	}
	if p.best, err = keptOptions(); err != nil {
		return p, o, err
	}
	if p.before != "" {
		p.programs = append(p.programs, before(p.before))
	}
	p.growth = s.growth
	if p.payments < 10 || p.paced < 0 || p.rounds < 1 {
		return p, o, errors.New("payments must be 10 at least, rounds 1, and paced not negative")
	}
	return p, o, nil
}

// play measures every program in every setting, in turns.
func (p plan) play(ctx context.Context, progress io.Writer) (results []result, err error) {
	for _, s := range p.settings {
		for round := range p.rounds {
			for i := range p.programs { // each begins a round as often as the others
				program := p.programs[(round+i)%len(p.programs)]
				r, err := p.one(ctx, progress, program, s)
				if err != nil {
					return nil, err
				}
				fmt.Fprintf(progress, "%s  %s, round %d: %-9s %6.0f a second%s\n", time.Now().Format(time.TimeOnly), s, round+1, program.name, r.perSecond, r.latencies())
				results = append(results, r)
			}
		}
	}
	return results, nil
}

// one plays one round of one program, on servers of its own.
func (p plan) one(ctx context.Context, progress io.Writer, of program, in setting) (r result, err error) {
	ctx, cancel := context.WithTimeout(ctx, in.timeout())
	defer cancel()
	err = testenv.Run(ctx, progress, func(t testing.TB) { r = p.measure(t, progress, of, in) })
	if err != nil {
		return r, fmt.Errorf("%s, %s: %w", of.name, in, err)
	}
	return r, nil
}
