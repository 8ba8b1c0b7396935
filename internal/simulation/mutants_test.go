package simulation_test

import (
	"testing"

	"payonce/internal/simulation"
)

// The oracle must find every mistake that can cost money or lose something, and must be silent about those
// that cost only speed.
func TestOracleFindsMistakes(t *testing.T) {
	const most, harmless = 3000, 300
	for _, m := range simulation.Mutants() {
		found, first := uint64(0), ""
		last := uint64(most)
		if m.Harmless {
			last = harmless
		}
		for s := uint64(1); s <= last && found == 0; s++ {
			if r := simulation.Run(s, m, false); len(r.Problems) > 0 {
				found, first = s, r.Problems[0]
			}
		}
		switch {
		case m.Harmless && found > 0:
			t.Errorf("%s: seed %d: %s", m.Name, found, first)
		case m.Harmless:
			t.Logf("| %-50s | %7s |", m.Name, "-")
		case found == 0:
			t.Errorf("%s: not found in %d runs", m.Name, most)
		default:
			t.Logf("| %-50s | %7d | %s", m.Name, found, first)
		}
	}
}
