package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// result is what became of one part.
type result struct {
	name     string
	prefix   string          // of its orders
	overload int             // the status that must be seen, because more was sent than can be taken
	statuses map[int]int     // 0: no answer
	accepted map[string]bool // orders that were answered 2xx
	metrics  vegeta.Metrics
	forged   map[int]int // answers to those that were forged beside them

	stored   map[string]int // messages in the stream by order
	resident int64          // bytes of the ingress' memory, the most since the program began
}

// unbacked counts the orders that were answered 2xx and are not in the stream.
func (r result) unbacked() (n int) {
	for order := range r.accepted {
		if r.stored[order] == 0 {
			n++
		}
	}
	return n
}

// twice counts the orders that are in the stream more than once.
func (r result) twice() (n int) {
	for _, messages := range r.stored {
		if messages > 1 {
			n++
		}
	}
	return n
}

// mostMemory is how much memory an ingress may take whatever it is sent, with its default limits.
const mostMemory = 512 << 20

// problems says what was promised and not kept.
func (r result) problems() (list []string) {
	note := func(wrong bool, format string, args ...any) {
		if wrong {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	note(len(r.accepted) == 0, "nothing was accepted")
	note(r.unbacked() > 0, "%d were answered 2xx and are not in the stream", r.unbacked())
	note(r.twice() > 0, "%d are in the stream more than once", r.twice())
	note(r.resident > mostMemory, "the ingress took %d MiB", r.resident>>20)
	for status, n := range r.statuses { // 0 is a client that waited too long: it knows nothing and sends again
		refusal := status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
		note(status >= 300 && !refusal, "%d were answered %d", n, status)
	}
	for status, n := range r.forged {
		note(status != http.StatusUnauthorized, "%d that were forged were answered %d", n, status)
	}
	note(r.overload != 0 && r.statuses[r.overload] == 0, "nothing was answered %d", r.overload)
	return list
}

// write prints the results as a table that can be put on a page.
func write(out io.Writer, results []result) {
	fmt.Fprintln(out, "| part | sent | a second | answered | 2xx a second | 2xx not in the stream | in the stream | p50 | p99 | most memory |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range results {
		var statuses []string
		for _, status := range slices.Sorted(maps.Keys(r.statuses)) {
			name := fmt.Sprint(status)
			if status == 0 {
				name = "none"
			}
			statuses = append(statuses, fmt.Sprintf("%s: %d", name, r.statuses[status]))
		}
		fmt.Fprintf(out, "| %s | %d | %.0f | %s | %.0f | %d | %d | %s | %s | %d MiB |\n", r.name, r.metrics.Requests, r.metrics.Rate,
			strings.Join(statuses, ", "), float64(len(r.accepted))/r.metrics.Duration.Seconds(), r.unbacked(), len(r.stored),
			r.metrics.Latencies.P50.Round(100*time.Microsecond), r.metrics.Latencies.P99.Round(100*time.Microsecond), r.resident>>20)
	}
}
