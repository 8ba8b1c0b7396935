// Command covercheck reads a coverage profile of go test and prints how much of each package was run. It
// fails when a package that has to meet the threshold does not.
//
//	go run ./internal/covercheck -min 90 -of payonce/pkg/payment,payonce/pkg/connectors/... coverage.out
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "covercheck:", err)
		os.Exit(1)
	}
}

// run is the program: it writes the table to out and returns what is wrong.
func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("covercheck", flag.ContinueOnError)
	least := flags.Float64("min", 90, "percent of statements that must have run")
	of := flags.String("of", "", "packages that must meet it, separated by commas; /... at the end means all below")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("want one coverage profile, have %d", flags.NArg())
	}
	file, err := os.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	packages, err := read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", flags.Arg(0), err)
	}
	return report(packages, strings.Split(*of, ","), *least, out)
}

// share counts statements.
type share struct{ run, all int }

func (s share) percent() float64 {
	if s.all == 0 {
		return 100
	}
	return 100 * float64(s.run) / float64(s.all)
}

// read adds up a profile by package. A block that stands several times, because several test binaries
// ran it, counts once.
func read(profile io.Reader) (map[string]share, error) {
	type block struct {
		statements int
		run        bool
	}
	blocks := map[string]block{}
	lines := bufio.NewScanner(profile)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "mode:") {
			continue
		}
		fields := strings.Fields(lines.Text()) // payonce/pkg/x/a.go:1.2,3.4 5 6
		if len(fields) != 3 {
			return nil, fmt.Errorf("not a line of a coverage profile: %q", lines.Text())
		}
		statements, err := strconv.Atoi(fields[1])
		if err != nil {
			return nil, fmt.Errorf("not a line of a coverage profile: %q", lines.Text())
		}
		blocks[fields[0]] = block{statements, blocks[fields[0]].run || fields[2] != "0"}
	}
	packages := map[string]share{}
	for name, b := range blocks {
		name, _, _ = strings.Cut(name, ":")
		s := packages[path.Dir(name)]
		s.all += b.statements
		if b.run {
			s.run += b.statements
		}
		packages[path.Dir(name)] = s
	}
	return packages, lines.Err()
}

// report prints the table, and returns an error that names the packages below the threshold. A pattern
// without "..." that matches nothing is an error too: its package was not tested.
func report(packages map[string]share, of []string, least float64, out io.Writer) error {
	var low []string
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		mark := "    "
		if slices.ContainsFunc(of, func(pattern string) bool { return matches(name, pattern) }) {
			mark = fmt.Sprintf(">=%.0f", least)
			if packages[name].percent() < least {
				mark = "LOW "
				low = append(low, name)
			}
		}
		fmt.Fprintf(out, "%6.1f%%  %-5s %s\n", packages[name].percent(), mark, name)
	}
	for _, pattern := range of {
		if _, tested := packages[pattern]; !tested && pattern != "" && !strings.HasSuffix(pattern, "/...") {
			low = append(low, pattern+" (not tested)")
		}
	}
	if len(low) > 0 {
		return fmt.Errorf("less than %.0f%% of statements were run in %s", least, strings.Join(low, ", "))
	}
	return nil
}

// matches reports whether a package must meet the threshold. Suites (storetest, connectortest) need not:
// they are run by the packages that they test.
func matches(name, pattern string) bool {
	above, below := strings.CutSuffix(pattern, "/...")
	return name == above || below && strings.HasPrefix(name, above+"/") && !strings.HasSuffix(name, "test")
}
