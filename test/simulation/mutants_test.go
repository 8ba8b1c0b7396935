//go:build !race

package simulation_test

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"payonce/test/simulation"
)

// harmlessRuns are tried of a mistake that must not be found.
const harmlessRuns = 300

// The oracle must find every mistake of the table in docs/reliability.md within the runs that are given there,
// and be silent, for harmlessRuns, about those that cost only speed.
func TestOracleFindsMistakes(t *testing.T) {
	most := documented(t)
	for _, m := range simulation.Mutants() {
		last, named := most[m.Name]
		delete(most, m.Name)
		if !named || m.Harmless != (last == 0) {
			t.Errorf("docs/reliability.md does not say what the code says of: %s", m.Name)
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			if m.Harmless {
				last = harmlessRuns
			}
			found, problem := find(m, last)
			t.Logf("| %s | %d | %s", m.Name, found, problem)
			if m.Harmless != (found == 0) {
				t.Errorf("harmless: %t; found in run %d of %d: %s", m.Harmless, found, last, problem)
			}
		})
	}
	for name := range most {
		t.Errorf("docs/reliability.md names a mistake that nobody tries: %s", name)
	}
}

// find returns the first seed that finds the mistake; 0 for none.
func find(m simulation.Mutant, last uint64) (uint64, string) {
	for s := uint64(1); s <= last; s++ {
		if r := simulation.Run(s, m, false); len(r.Problems) > 0 {
			return s, r.Problems[0]
		}
	}
	return 0, ""
}

var row = regexp.MustCompile(`(?m)^\| (.+?) +\| (\d+|never) +\|$`)

// documented reads the table: the most runs by mistake, 0 for never.
func documented(t *testing.T) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	most := map[string]uint64{}
	for _, cells := range row.FindAllStringSubmatch(string(text), -1) {
		most[cells[1]], _ = strconv.ParseUint(cells[2], 10, 64) // "never" is 0
	}
	return most
}
