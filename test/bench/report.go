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
	text, err := p.conditions()
	if err != nil {
		return "", err
	}
	columns := []string{"setting", "program", "payments a second", "payonce beside it"}
	for _, l := range p.loads {
		columns = append(columns, fmt.Sprintf("p50 at %s", l), "p99")
	}
	columns = append(columns, "µs of processor: worker", "broker", "Redis", "to the broker", "to Redis")
	text += fmt.Sprintf("\n\n| %s |\n%s|\n", strings.Join(columns, " | "), strings.Repeat("|---", len(columns)))
	for _, s := range p.settings {
		for _, program := range p.programs {
			text += fmt.Sprintf("| %s |\n", strings.Join(p.row(results, program, s), " | "))
		}
	}
	return text, nil
}

// conditions say on what it was measured, and how.
func (p plan) conditions() (string, error) {
	writes, err := testenv.SyncedWrites(p.store)
	return fmt.Sprintf("%d processors, %s, rounds of %d payments, %d of each program in each setting. The disk takes %.0f synced writes of 1 KiB a second.",
		runtime.NumCPU(), runtime.Version(), p.payments, p.rounds, writes), err
}

func (p plan) row(results []result, program program, s setting) []string {
	own := pick(results, program.name, s)
	beside := ""
	if program.name != payonce().name {
		beside = spread(pick(results, payonce().name, s), own)
	}
	cells := []string{s.String(), program.name, fmt.Sprintf("%.0f", median(own, func(r result) float64 { return r.perSecond })), beside}
	cells = append(append(cells, p.latencyCells(own)...), processorCells(own)...)
	return append(cells, fmt.Sprintf("%.1f", median(own, func(r result) float64 { return r.published })),
		fmt.Sprintf("%.1f", median(own, func(r result) float64 { return r.commands })))
}

// latencyCells are p50 and p99 at each load.
func (p plan) latencyCells(own []result) (cells []string) {
	for i := range p.loads {
		for _, of := range []func(l latency) time.Duration{latency.median, latency.worst} {
			cell := "–"
			if p.paced > 0 {
				cell = millis(median(own, func(r result) time.Duration { return of(r.latency[i]) }))
			}
			cells = append(cells, cell)
		}
	}
	return cells
}

// processorCells are the microseconds of worker, broker and Redis for a payment.
func processorCells(own []result) (cells []string) {
	for _, of := range []func(c cost) time.Duration{cost.ofWorker, cost.ofBroker, cost.ofRedis} {
		cells = append(cells, fmt.Sprint(median(own, func(r result) time.Duration { return of(r.cost) }).Microseconds()))
	}
	return cells
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

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// spread is how many times as fast the one was as the other, round by round: the median, the least and the most.
func spread(one, other []result) string {
	if len(one) != len(other) || len(one) == 0 {
		return ""
	}
	var values []float64
	for i := range one {
		values = append(values, one[i].perSecond/other[i].perSecond)
	}
	slices.Sort(values)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", values[len(values)/2], values[0], values[len(values)-1])
}
