// Package alloctest proves that something allocates nothing, also while other goroutines of the test's process do.
package alloctest

import "testing"

const tries, runs = 20, 200

// None fails the test if every try of f allocates. f itself does always the same; what others allocate
// meanwhile is counted too, and they need not all be silent at once. Call it in a test that is not parallel.
func None(t testing.TB, f func()) {
	t.Helper()
	least := testing.AllocsPerRun(runs, f)
	for try := 1; try < tries && least > 0; try++ {
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	if least > 0 {
		t.Errorf("%v allocations, want none", least)
	}
}
