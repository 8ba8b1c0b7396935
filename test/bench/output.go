package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// draw makes the charts of the page that the results are enough for: in a folder of images beside the page.
func (o output) draw(p plan, results []result) error {
	if o.page == "" {
		return nil
	}
	var failed []error
	for name, c := range map[string]chart{
		"bench-throughput": p.throughputChart(results), "bench-latency": p.latencyChart(results), "bench-kept": p.keptChart(results),
	} {
		if c.fits() {
			file := filepath.Join(filepath.Dir(o.page), "images", name+".svg")
			failed = append(failed, os.WriteFile(file, []byte(c.svg()), 0o644))
		}
	}
	return errors.Join(failed...)
}

// throughputChart is throughput over payments in flight, a line for each program, in the settings that differ by that alone.
func (p plan) throughputChart(results []result) chart {
	c := chart{title: "Payments a second over payments in flight", unit: "a second"}
	for _, sync := range []bool{false, true} {
		for _, program := range p.programs {
			line := line{name: program.name + map[bool]string{false: ", sync default", true: ", sync always"}[sync]}
			for _, s := range p.settings {
				if s.sync == sync && s.nodes == 1 && s.workers == 1 && s.delay == 0 && s.kept == 0 {
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
			if own := pick(results, payonce().name, s); len(own) > 0 && s.sync == p.settings[0].sync && s.slots == p.settings[0].slots {
				line.points = append(line.points, point{strconv.Itoa(s.kept), median(own, func(r result) float64 { return of(r.cost) })})
			}
		}
		c.lines = append(c.lines, line)
	}
	if len(c.lines[0].points) > 1 && c.lines[0].points[0].x == c.lines[0].points[1].x { // what differs is not what is kept
		return chart{}
	}
	return c
}
