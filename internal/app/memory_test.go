package app

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestTuneGC(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	for _, test := range []struct {
		percentSet, limitSet string
		slots                int
		percent              int
		limit                int64
	}{
		{"", "", 32, 400, 96 << 20},
		{"", "", 1024, 400, 96 << 20},
		{"", "", 2048, 400, 176 << 20},
		{"50", "", 1024, 100, 96 << 20},
		{"", "1GiB", 1024, 400, math.MaxInt64},
	} {
		t.Setenv("GOGC", test.percentSet)
		t.Setenv("GOMEMLIMIT", test.limitSet)
		tuneGC(limitOf(test.slots))
		gotLimit, gotPercent := debug.SetMemoryLimit(math.MaxInt64), debug.SetGCPercent(100)
		if gotPercent != test.percent || gotLimit != test.limit {
			t.Errorf("%d slots, GOGC=%s GOMEMLIMIT=%s: %d %%, %d bytes; want %d, %d", test.slots, test.percentSet, test.limitSet, gotPercent, gotLimit, test.percent, test.limit)
		}
	}
}
