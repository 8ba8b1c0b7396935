package simulation_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"payonce/test/simulation"
)

// record is a file with the lines of searches, one every minute and one at each end. A search that has the file of earlier ones
// goes on after their seeds, so that a long one can be made in parts. The zero record keeps nothing.
type record struct {
	file    string
	version string // of the program that is tried
}

// newRecord names the version by its commit; "-dirty" says that files were changed since.
func newRecord(file string) record {
	if file == "" {
		return record{}
	}
	out, err := exec.Command("git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*").Output()
	if err != nil {
		return record{file, "unknown"}
	}
	return record{file, strings.TrimSpace(string(out))}
}

// add adds a line to the file.
func (r record) add(t *testing.T, line string) {
	t.Helper()
	if r.file == "" {
		return
	}
	file, err := os.OpenFile(r.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(file, "%s %s, version %s\n", time.Now().UTC().Format(time.RFC3339), line, r.version)
	if closed := file.Close(); err != nil || closed != nil {
		t.Fatalf("write the record: %v, %v", err, closed)
	}
}

// stretch is seeds that were played without a gap.
type stretch struct{ first, last uint64 }

var (
	stretchLine = regexp.MustCompile(`(?m)^\S+ seeds (\d+) to (\d+): .*, version (\S+)$`)
	failureLine = regexp.MustCompile(`(?m)^\S+ .*\bseed (\d+) fails.*, version (\S+)$`)
)

// sum is what all searches of a file say.
type sum struct {
	next     uint64   // the first seed that was not played
	runs     uint64   // different seeds
	versions []string // of the program, in the order of the file
	failed   []string // seeds, each with the version of which it showed a mistake
}

func (r record) sum(t *testing.T) sum {
	t.Helper()
	text, err := os.ReadFile(r.file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	s := sum{next: 1}
	var all []stretch
	for _, found := range stretchLine.FindAllStringSubmatch(string(text), -1) {
		first, err := strconv.ParseUint(found[1], 10, 64)
		last, wrong := strconv.ParseUint(found[2], 10, 64)
		if err != nil || wrong != nil || last < first {
			t.Fatalf("%s: %s", r.file, found[0])
		}
		all = append(all, stretch{first, last})
		if !slices.Contains(s.versions, found[3]) {
			s.versions = append(s.versions, found[3])
		}
	}
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Compare(a.first, b.first) })
	counted := uint64(0) // the highest seed that is counted
	for _, part := range all {
		if part.first <= s.next {
			s.next = max(s.next, part.last+1)
		}
		if part.last > counted {
			s.runs += part.last - max(counted, part.first-1)
			counted = part.last
		}
	}
	for _, found := range failureLine.FindAllStringSubmatch(string(text), -1) {
		if seed := found[1] + " (version " + found[2] + ")"; !slices.Contains(s.failed, seed) {
			s.failed = append(s.failed, seed)
		}
	}
	return s
}

func (s sum) String() string {
	text := fmt.Sprintf("%d different seeds are played in all, by version %s; no seed failed", s.runs, strings.Join(s.versions, ", "))
	if len(s.failed) > 0 {
		text = strings.Replace(text, "no seed failed", "failed: seed "+strings.Join(s.failed, ", "), 1)
	}
	return text + fmt.Sprintf("; the next seed is %d", s.next)
}

// given reports whether a flag is on the command line.
func given(name string) (is bool) {
	flag.Visit(func(f *flag.Flag) { is = is || f.Name == name })
	return is
}

// What a search says of itself is all that is kept of it, and enough to go on with it.
func TestSearchIsRecorded(t *testing.T) {
	r := record{filepath.Join(t.TempDir(), "record"), "v1"}
	if s := r.sum(t); s.next != 1 || s.runs != 0 {
		t.Errorf("a search without a record: %+v", s)
	}
	play := func(s *search, version, want string, sums string) {
		t.Helper()
		s.play()
		r.version = version
		r.add(t, s.String())
		text, err := os.ReadFile(r.file)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if err != nil || !strings.Contains(lines[len(lines)-1], want) || !strings.HasSuffix(lines[len(lines)-1], ", version "+version) {
			t.Errorf("recorded %q, %v; want %q", lines, err, want)
		}
		if got := r.sum(t).String(); got != sums {
			t.Errorf("the record says %q, want %q", got, sums)
		}
	}
	none := simulation.Mutant{}
	play(newSearch(1, 20, none), "v1", " seeds 1 to 20: 20 of 20 runs, ", "20 different seeds are played in all, by version v1; no seed failed; the next seed is 21")
	play(newSearch(31, 10, none), "v1", " seeds 31 to 40: ", "30 different seeds are played in all, by version v1; no seed failed; the next seed is 21")
	play(newSearch(15, 20, none), "v2", " seeds 15 to 34: ", "40 different seeds are played in all, by version v1, v2; no seed failed; the next seed is 41")
	broken := newSearch(41, 1000, simulation.Mutants()[0])
	broken.play()
	failed := broken.failed.Load() - 1
	r.version = "v3"
	r.add(t, broken.String())
	if s := r.sum(t); s.next < 41 || s.next > failed || len(s.failed) != 1 || s.failed[0] != fmt.Sprintf("%d (version v3)", failed) {
		t.Errorf("after a seed that fails the record says %s", s)
	}
}

func TestSearchSaysHowFarItIs(t *testing.T) {
	half := newSearch(7, 20, simulation.Mutant{})
	for p := range half.playing {
		half.playing[p].Store(10 + uint64(p))
	}
	if text := half.String(); !strings.HasPrefix(text, "seeds 7 to 16: 10 of 20 runs, ") || !strings.HasSuffix(text, " left") {
		t.Errorf("half of a search: %s", text)
	}
}
