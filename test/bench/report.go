package main

import (
	"cmp"
	"fmt"
	"os"
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
	fmt.Fprintf(&text, "%d processors, %s, %d slots in each worker, rounds of %d payments, %d of each program in each setting. ",
		runtime.NumCPU(), runtime.Version(), p.slots, p.payments, p.rounds)
	fmt.Fprintf(&text, "The disk takes %.0f synced writes of 1 KiB a second.\n\n", writes)
	fmt.Fprintln(&text, "| setting | program | payments a second | payonce beside it | p50 | p99 | µs of processor: worker | broker | Redis | to the broker | to Redis |")
	fmt.Fprintln(&text, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, s := range p.settings {
		for _, program := range p.programs {
			own := pick(results, program.name, s)
			fmt.Fprintf(&text, "| %s | %s | %.0f | %s | %s | %s | %d | %d | %d | %.1f | %.1f |\n", s, program.name,
				median(own, func(r result) float64 { return r.perSecond }), ratio(pick(results, "payonce", s), own),
				millis(median(own, func(r result) time.Duration { return r.p50 })), millis(median(own, func(r result) time.Duration { return r.p99 })),
				median(own, func(r result) time.Duration { return r.worker }).Microseconds(),
				median(own, func(r result) time.Duration { return r.broker }).Microseconds(),
				median(own, func(r result) time.Duration { return r.redis }).Microseconds(),
				median(own, func(r result) float64 { return r.published }), median(own, func(r result) float64 { return r.commands }))
		}
	}
	return text.String(), nil
}

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

// The table is between these lines of the page.
const (
	tableBegins = "<!-- make bench writes from here -->\n"
	tableEnds   = "<!-- to here -->\n"
)

// replaceTable puts the text between the two lines of the page.
func replaceTable(page, text string) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	head, rest, found := strings.Cut(string(old), tableBegins)
	_, tail, ended := strings.Cut(rest, tableEnds)
	if !found || !ended {
		return fmt.Errorf("%s has no place for the table", page)
	}
	return os.WriteFile(page, []byte(head+tableBegins+"\n"+text+"\n"+tableEnds+tail), 0o644)
}
