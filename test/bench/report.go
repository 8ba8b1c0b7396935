package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"payonce/test/testenv"
)

// report writes the results as a table: medians of the rounds, and ratios of payonce with their spread.
func (p plan) report(results []result) (string, error) {
	var text strings.Builder
	writes, err := testenv.SyncedWrites(p.store)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&text, "%d processors, %s, rounds of %d payments, %d of each program in each setting. ", runtime.NumCPU(), runtime.Version(), p.payments, p.rounds)
	fmt.Fprintf(&text, "The disk takes %.0f synced writes of 1 KiB a second.\n\n", writes)
	columns := []string{"setting", "program", "payments a second", "payonce beside it"}
	for _, l := range p.loads {
		columns = append(columns, fmt.Sprintf("p50 at %s", l), "p99")
	}
	columns = append(columns, "µs of processor: worker", "broker", "Redis", "to the broker", "to Redis")
	fmt.Fprintf(&text, "| %s |\n%s|\n", strings.Join(columns, " | "), strings.Repeat("|---", len(columns)))
	for _, s := range p.settings {
		for _, program := range p.programs {
			fmt.Fprintf(&text, "| %s |\n", strings.Join(p.row(results, program, s), " | "))
		}
	}
	return text.String(), nil
}

func (p plan) row(results []result, program program, s setting) []string {
	own := pick(results, program.name, s)
	cells := []string{
		s.String(), program.name, fmt.Sprintf("%.0f", median(own, func(r result) float64 { return r.perSecond })),
		ratio(pick(results, payonce().name, s), own),
	}
	for i := range p.loads {
		for _, of := range []func(l latency) time.Duration{latency.median, latency.worst} {
			cell := "–"
			if p.paced > 0 {
				cell = millis(median(own, func(r result) time.Duration { return of(r.latency[i]) }))
			}
			cells = append(cells, cell)
		}
	}
	for _, of := range []func(c cost) time.Duration{cost.ofWorker, cost.ofBroker, cost.ofRedis} {
		cells = append(cells, fmt.Sprint(median(own, func(r result) time.Duration { return of(r.cost) }).Microseconds()))
	}
	return append(cells, fmt.Sprintf("%.1f", median(own, func(r result) float64 { return r.published })),
		fmt.Sprintf("%.1f", median(own, func(r result) float64 { return r.commands })))
}

func (l latency) median() time.Duration { return l.p50 }
func (l latency) worst() time.Duration  { return l.p99 }

func (c cost) ofWorker() time.Duration { return c.worker }
func (c cost) ofBroker() time.Duration { return c.broker }
func (c cost) ofRedis() time.Duration  { return c.redis }

func pick(results []result, program string, s setting) (own []result) {
	for _, r := range results {
		if r.program == program && r.setting == s {
			own = append(own, r)
		}
	}
	return own
}

func median[T cmp.Ordered](results []result, of func(result) T) T {
	var values []T
	for _, r := range results {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// ratio is how many times as fast payonce was, round by round: the median, the least and the most.
func ratio(payonce, other []result) string {
	if len(payonce) != len(other) || len(other) == 0 || payonce[0].program == other[0].program {
		return ""
	}
	var values []float64
	for i := range other {
		values = append(values, payonce[i].perSecond/other[i].perSecond)
	}
	slices.Sort(values)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", values[len(values)/2], values[0], values[len(values)-1])
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
