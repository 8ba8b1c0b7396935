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
		percent              int
		limit                int64
	}{
		{"", "", 400, 320 << 20},
		{"50", "", 100, 320 << 20},
		{"", "1GiB", 400, math.MaxInt64},
	} {
		t.Setenv("GOGC", test.percentSet)
		t.Setenv("GOMEMLIMIT", test.limitSet)
		tuneGC()
		gotLimit, gotPercent := debug.SetMemoryLimit(math.MaxInt64), debug.SetGCPercent(100)
		if gotPercent != test.percent || gotLimit != test.limit {
			t.Errorf("GOGC=%s GOMEMLIMIT=%s: %d %%, %d bytes; want %d, %d", test.percentSet, test.limitSet, gotPercent, gotLimit, test.percent, test.limit)
		}
	}
}
