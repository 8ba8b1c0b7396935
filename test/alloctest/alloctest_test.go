package alloctest_test

import (
	"testing"

	"payonce/test/alloctest"
	"payonce/test/race"
)

// recorder keeps a failure to itself.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Errorf(string, ...any) { r.failed = true }

var kept []byte // so that what is allocated is not left out

// What is checked must be able to fail.
func TestWhatAllocatesTooMuchFails(t *testing.T) {
	large := func() { kept = make([]byte, 1<<20) }
	nothing := func() {}
	for name, c := range map[string]struct {
		check func(testing.TB, func())
		f     func()
		fails bool
	}{
		"none of nothing":   {alloctest.None, nothing, false},
		"none of a MiB":     {alloctest.None, large, true},
		"linear of nothing": {func(t testing.TB, f func()) { alloctest.Linear(t, 0, f) }, nothing, false},
		"a MiB for a byte":  {func(t testing.TB, f func()) { alloctest.Linear(t, 1, f) }, large, !race.Enabled},
		"a MiB for a MiB":   {func(t testing.TB, f func()) { alloctest.Linear(t, 1<<20, f) }, large, false},
	} {
		r := &recorder{TB: t}
		if c.check(r, c.f); r.failed != c.fails {
			t.Errorf("%s fails: %t", name, r.failed)
		}
	}
}
