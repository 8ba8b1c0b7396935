package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// output is where results go, beside stdout.
type output struct {
	page  string // Markdown; empty for none
	best  string // JSON; empty for none
	sweep bool
}

// write puts a text into its place of the page, which is between two lines.
func (o output) write(part, text string) error {
	if o.page == "" {
		return nil
	}
	old, err := os.ReadFile(o.page)
	if err != nil {
		return err
	}
	begin, end := fmt.Sprintf("<!-- bench writes the %s from here -->\n", part), "<!-- to here -->\n"
	head, rest, found := strings.Cut(string(old), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		return fmt.Errorf("%s has no place for the %s", o.page, part)
	}
	return os.WriteFile(o.page, []byte(head+begin+"\n"+text+"\n"+end+tail), 0o644)
}

// draw makes those charts that the results are enough for, in a folder of images beside the page, and returns the page's lines
// that show them.
func (o output) draw(charts map[string]chart) (shown string, err error) {
	if o.page == "" {
		return "", nil
	}
	for _, name := range slices.Sorted(maps.Keys(charts)) {
		if c := charts[name]; c.fits() {
			file := filepath.Join("images", name+".svg")
			err = errors.Join(err, os.WriteFile(filepath.Join(filepath.Dir(o.page), file), []byte(c.svg()), 0o644))
			shown += fmt.Sprintf("\n![%s](%s)\n", c.title, filepath.ToSlash(file))
		}
	}
	return shown, err
}

// charts are those of a comparison of programs.
func (p plan) charts(results []result) map[string]chart {
	return map[string]chart{
		"bench-throughput": p.throughputChart(results), "bench-latency": p.latencyChart(results), "bench-kept": p.keptChart(results),
	}
}

// throughputChart is throughput over payments in flight, a line for each program, in the settings that differ by that alone.
func (p plan) throughputChart(results []result) chart {
	c := chart{title: "Payments a second over payments in flight", unit: "a second"}
	for _, sync := range []bool{false, true} {
		for _, program := range p.programs {
			line := line{name: program.name + map[bool]string{false: ", sync default", true: ", sync always"}[sync]}
			for _, s := range p.settings {
				if s.sync == sync && s.nodes == 1 && s.workers == 1 && s.delay == 0 && !s.filled() {
					rate := median(pick(results, program.name, s), func(r result) float64 { return r.perSecond })
					line.points = append(line.points, point{strconv.Itoa(s.slots), rate})
				}
			}
			c.lines = append(c.lines, line)
		}
	}
	return c
}

// latencyChart is payonce's latency over the load, in the first setting.
func (p plan) latencyChart(results []result) chart {
	c := chart{title: "Milliseconds from a command to its stored outcome over the load: payonce, " + p.settings[0].String(), unit: "ms"}
	own := pick(results, payonce().name, p.settings[0])
	if p.paced == 0 || len(own) == 0 {
		return c
	}
	for name, of := range map[string]func(l latency) float64{
		"p50": func(l latency) float64 { return l.p50.Seconds() * 1000 },
		"p90": func(l latency) float64 { return l.p90.Seconds() * 1000 },
		"p99": func(l latency) float64 { return l.p99.Seconds() * 1000 },
	} {
		line := line{name: name}
		for i, load := range p.loads {
			line.points = append(line.points, point{load.String(), median(own, func(r result) float64 { return of(r.latency[i]) })})
		}
		c.lines = append(c.lines, line)
	}
	return c
}

// keptChart is what a payment costs over the payments that the log keeps.
func (p plan) keptChart(results []result) chart {
	c := chart{title: "Microseconds of processor for a payment over payments that are kept: payonce", unit: "µs"}
	for name, of := range map[string]func(c cost) float64{
		"worker": func(c cost) float64 { return float64(c.worker.Microseconds()) },
		"broker": func(c cost) float64 { return float64(c.broker.Microseconds()) },
		"Redis":  func(c cost) float64 { return float64(c.redis.Microseconds()) },
	} {
		line := line{name: name}
		for _, s := range p.settings {
			if own := pick(results, payonce().name, s); len(own) > 0 && s.onlyKept(p.settings[0]) {
				line.points = append(line.points, point{strconv.Itoa(s.kept), median(own, func(r result) float64 { return of(r.cost) })})
			}
		}
		c.lines = append(c.lines, line)
	}
	return c
}

// onlyKept reports whether a setting differs from another in nothing but what is kept.
func (s setting) onlyKept(other setting) bool {
	s.kept = other.kept
	return s == other
}
