// Command fuzzrun runs every fuzz target of the module for a while, several side by side. It ends with 1
// and says how to repeat it when a target finds something.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// target is one fuzz target.
type target struct{ dir, name string }

var declared = regexp.MustCompile(`(?m)^func (Fuzz[A-Z]\w*)\(`)

func main() {
	each := flag.Duration("time", 30*time.Second, "how long each target runs")
	jobs := flag.Int("jobs", 4, "how many targets run side by side, each with one worker")
	flag.Parse()
	if err := run(context.Background(), ".", *each, *jobs, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run fuzzes all targets below root.
func run(ctx context.Context, root string, each time.Duration, jobs int, out io.Writer) error {
	targets, err := find(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "payonce-fuzz-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	programs, err := build(ctx, root, dir, targets)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var found []error
	counts := map[target]int{}
	var group errgroup.Group
	group.SetLimit(jobs)
	for _, t := range targets {
		group.Go(func() error {
			text, err := t.fuzz(ctx, root, programs[t.dir], filepath.Join(dir, "cache"), each)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				found = append(found, fmt.Errorf("%s in %s: %w\n%s\nrepeat it: cd %[2]s && go test -run '^%[1]s$' . (the input is kept in testdata/fuzz/%[1]s)", t.name, t.dir, err, text))
				return nil
			}
			counts[t] = executions(text)
			fmt.Fprintf(out, "%-28s %-28s %s\n", t.name, t.dir, lastLine(text))
			return nil
		})
	}
	_ = group.Wait()
	summarise(out, targets, counts)
	return errors.Join(found...)
}

// summarise prints how many inputs each target that found nothing was run with.
func summarise(out io.Writer, targets []target, counts map[target]int) {
	all := 0
	fmt.Fprintf(out, "\n%-14s %-28s %s\n", "executions", "target", "package")
	for _, t := range targets {
		if n, passed := counts[t]; passed {
			fmt.Fprintf(out, "%-14d %-28s %s\n", n, t.name, t.dir)
			all += n
		}
	}
	fmt.Fprintf(out, "%-14d of %d targets, %d passed\n", all, len(targets), len(counts))
}

var execs = regexp.MustCompile(`execs: (\d+)`)

// executions returns how many inputs a target says last that it was run with.
func executions(text string) int {
	all := execs.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1][1])
	return n
}

// find returns the targets below root, in order.
func find(root string) (targets []target, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		for _, name := range declared.FindAllStringSubmatch(string(text), -1) {
			targets = append(targets, target{filepath.ToSlash(dir), name[1]})
		}
		return err
	})
	if err == nil && len(targets) == 0 {
		err = errors.New("no fuzz target is found")
	}
	return targets, err
}

// build makes one instrumented test program for each package with targets.
func build(ctx context.Context, root, dir string, targets []target) (programs map[string]string, err error) {
	programs = map[string]string{}
	for _, t := range targets {
		if programs[t.dir] != "" {
			continue
		}
		program := filepath.Join(dir, strings.ReplaceAll(t.dir, "/", "-")+".test")
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-fuzz", "Fuzz", "-o", program, "./"+t.dir)
		cmd.Dir = root
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", t.dir, err, text)
		}
		programs[t.dir] = program
	}
	return programs, nil
}

// fuzz runs one target with one worker and returns what it printed.
func (t target) fuzz(ctx context.Context, root, program, cache string, each time.Duration) (string, error) {
	cmd := exec.CommandContext(ctx, program, "-test.run=^$", "-test.fuzz=^"+t.name+"$", "-test.fuzztime="+each.String(),
		"-test.fuzzminimizetime=10x", "-test.parallel=1", "-test.fuzzcachedir="+cache)
	cmd.Dir = filepath.Join(root, filepath.FromSlash(t.dir))
	text, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil && endedByTheClock(string(text)) {
		err = nil
	}
	return string(text), err
}

// outOfTime is all that a target says of its failure when its time ended in the middle of an input.
var outOfTime = regexp.MustCompile(`\n--- FAIL: Fuzz\w+ \([\d.]+s\)\n\s+context deadline exceeded\s+FAIL\s*$`)

// endedByTheClock reports whether a target failed for nothing but the end of its time: Go's fuzzer says so now
// and then (testing, Go 1.26). A finding names the input that it kept, or, if the time ended while the input was
// being made smaller, says no more than that it was (internal/fuzz.CoordinateFuzzing).
func endedByTheClock(text string) bool {
	return outOfTime.MatchString(text) && !strings.Contains(strings.ToLower(text), "failing input")
}

// lastLine is the last that a target says of its progress.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	at := slices.IndexFunc(lines, func(line string) bool { return line == "PASS" })
	if at < 1 {
		return "passed"
	}
	return strings.TrimPrefix(lines[at-1], "fuzz: ")
}
