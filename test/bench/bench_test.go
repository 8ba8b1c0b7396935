package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/test/redistest"
)

// timeout bounds a whole test, building included.
const timeout = 8 * time.Minute

// pageWithPlaces has the places that bench writes to.
const pageWithPlaces = "before\n<!-- bench writes the results from here -->\nold\n<!-- to here -->\nbetween\n<!-- bench writes the sweep from here -->\nold\n<!-- to here -->\n<!-- bench writes the growth from here -->\nold\n<!-- to here -->\nafter\n"

func play(t *testing.T, args ...string) (text, page string) {
	t.Helper()
	redistest.Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	dir := t.TempDir()
	page = filepath.Join(dir, "performance.md")
	if err := os.WriteFile(page, []byte(pageWithPlaces), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "images"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(ctx, append([]string{"--payments", "100", "--rounds", "1", "--store", t.TempDir(), "--write", page}, args...), &out); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", out.String())
	return out.String(), page
}

// TestBench is make bench with few payments: that all programs still do the work. It says nothing about
// speed.
func TestBench(t *testing.T) {
	text, page := play(t, "--paced", "200ms", "--in-flight", "8", "--workers", "2")
	for _, program := range all {
		if n := strings.Count(text, "in flight, 2 workers | "+program.name+" |"); n != 1 {
			t.Errorf("the table has %d lines of %s", n, program.name)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(pageWithPlaces, "results from here -->\nold\n", "results from here -->\n\n"+text+"\n", 1); string(written) != want {
		t.Errorf("the page is\n%s", written)
	}
}

// TestBenchOnThreeNodes is one setting on a cluster, with a provider that takes its time and a log that is not empty.
func TestBenchOnThreeNodes(t *testing.T) {
	text, _ := play(t, "--paced", "0s", "--nodes", "3", "--delay", "1ms", "--kept", "50", "--sync", "always", "--programs", "payonce")
	if want := "| sync always, 3 nodes, 128 in flight, provider takes 1ms, 50 payments kept | payonce |"; !strings.Contains(text, want) {
		t.Errorf("%q is missing in\n%s", want, text)
	}
}

// TestSweep tries all options of a program and keeps those that were best.
func TestSweep(t *testing.T) {
	best := filepath.Join(t.TempDir(), "best.json")
	text, page := play(t, "--sweep", "--best", best, "--in-flight", "8", "--programs", "asynq")
	kept, err := os.ReadFile(best)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range all[2:3] {
		for _, options := range program.options {
			if !strings.Contains(text, "| sync default, 8 in flight | "+program.name+" | `"+options+"` |") {
				t.Errorf("%s with %s was not tried", program.name, options)
			}
		}
		if len(program.options) > 0 && !bytes.Contains(kept, []byte(`"`+program.name+`"`)) {
			t.Errorf("nothing is best for %s", program.name)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(written), text) {
		t.Errorf("the page has no sweep: %v\n%s", err, written)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--sync", "never"}, {"--workers", "0"}, {"--workers", "x"}, {"--programs", "celery"}, {"--payments", "9"}, {"--rounds", "0"}, {"--unknown"},
		{"--nodes", "2"}, {"--delay", "x"}, {"--delay", "-1s"}, {"--kept", "-1"}, {"--parked", "x"}, {"--pending", "-1"},
		{"--due", "5", "--due-after", "9s"}, {"--due", "5", "--pending", "5"}, {"--growth", "--kept", "5", "--sync", "default,always"}, {"--growth", "--parked", "-5"}, {"--loads", ""}, {"--loads", "0"}, {"--loads", "x%"}, {"--loads", "5,5"}, {"--paced", "-1s"},
	} {
		if _, _, err := parse(args); err == nil {
			t.Errorf("%q were taken", args)
		}
	}
	p, _, err := parse([]string{"--sync", "default,always", "--in-flight", "32,128", "--delay", "300ms"})
	if err != nil || len(p.settings) != 4 || p.settings[3].String() != "sync always, 128 in flight, provider takes 300ms" {
		t.Errorf("the settings are %v, %v", p.settings, err)
	}
	if p, _, err = parse([]string{"--kept", "0,5", "--parked", "6", "--due", "7"}); err != nil || len(p.settings) != 2 ||
		p.settings[1].String() != "sync default, 128 in flight, 5 payments kept, 6 parked, 7 pending and due" {
		t.Errorf("combined, the settings are %v, %v", p.settings, err)
	}
	p, _, err = parse([]string{"--growth", "--kept", "0,5,50", "--parked", "6", "--pending", "7", "--due", "8"})
	var grown []string
	for _, s := range p.settings {
		grown = append(grown, s.there())
	}
	if want := []string{"", "5 payments kept", "50 payments kept", "6 parked", "7 pending", "8 pending and due"}; err != nil || !slices.Equal(grown, want) {
		t.Errorf("one at a time, the settings are %q, %v, want %q", grown, err, want)
	}
	if p, _, err = parse(nil); err != nil || !slices.Equal(p.settings, published) {
		t.Errorf("without flags the settings are %v, %v", p.settings, err)
	}
}

// TestBestOptions holds that what was found in a sweep is what a program is started with, and that it was found for every
// setting that is published.
func TestBestOptions(t *testing.T) {
	kept, err := keptOptions()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range published {
		for _, program := range all {
			found, ok := kept[s.String()][program.name]
			if ok != (len(program.options) > 0) || ok && !slices.Contains(program.options, found) {
				t.Errorf("%s, %s: %q was found best, of %q", s, program.name, found, program.options)
			}
			if got := kept.of(program, s); got != found {
				t.Errorf("%s, %s: started with %q, best is %q", s, program.name, got, found)
			}
		}
	}
	if got := kept.of(all[0], setting{}); got != all[0].options[0] {
		t.Errorf("in an unknown setting %q", got)
	}
}

func TestReport(t *testing.T) {
	s := setting{nodes: 1, slots: 8, workers: 1}
	more := s
	more.slots = 16
	p := plan{payments: 10, rounds: 3, store: t.TempDir(), settings: []setting{s, more}, programs: []program{all[0], payonce()}, paced: 1, loads: []load{{rate: 100}, {part: 0.5}}}
	var results []result
	for _, in := range p.settings {
		for i, rate := range []float64{100, 300, 200} {
			took := latency{p50: time.Duration(i+1) * time.Millisecond, p99: 9 * time.Millisecond}
			results = append(results, result{program: "bare", setting: in, perSecond: 2 * rate, latency: []latency{took, took}},
				result{program: "payonce", setting: in, perSecond: rate * float64(i+1) / 2, latency: []latency{took, took}})
		}
	}
	text, err := p.report(results)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| p50 at 100 | p99 | p50 at 50 % | p99 |",
		"| sync default, 8 in flight | bare | 400 | 0.50 (0.25–0.75) | 2.0 ms | 9.0 ms | 2.0 ms | 9.0 ms |", "| sync default, 8 in flight | payonce | 300 |  | 2.0 ms |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, c := range []chart{p.throughputChart(results), p.latencyChart(results)} {
		if !c.fits() {
			t.Errorf("%s: no line", c.title)
		}
		checkSVG(t, c.svg())
	}
	if p.keptChart(results).fits() {
		t.Error("a chart over kept payments was made of settings that keep none")
	}
	p.settings = []setting{s, {nodes: 1, slots: 8, workers: 1, kept: 1000}}
	results = append(results, result{program: "payonce", setting: p.settings[1]})
	p.settings = append(p.settings, setting{nodes: 1, slots: 8, workers: 1, parked: 5})
	results = append(results, result{program: "payonce", setting: p.settings[2]})
	if c := p.keptChart(results); !c.fits() || len(c.lines[0].points) != 2 {
		t.Errorf("the chart over kept payments is %+v", c)
	}
}

// checkSVG holds that a chart is well-formed and has its lines.
func checkSVG(t *testing.T, text string) {
	t.Helper()
	lines, tokens := 0, xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := tokens.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if begin, is := token.(xml.StartElement); is && begin.Name.Local == "polyline" {
			lines++
		}
	}
	if lines < 2 || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("the chart has %d lines:\n%s", lines, text)
	}
}

func TestPageWithoutPlace(t *testing.T) {
	dir := t.TempDir()
	if err := (output{page: filepath.Join(dir, "none.md")}).write("results", "text"); err == nil {
		t.Error("a page that is not there was written")
	}
	for name, page := range map[string]string{"nothing": "text", "begin": "<!-- bench writes the results from here -->\n", "end": "<!-- to here -->\n"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (output{page: path}).write("results", "text"); err == nil {
			t.Errorf("a page with only %s was written", name)
		}
	}
}
