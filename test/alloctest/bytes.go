package alloctest

import (
	"runtime"
	"testing"

	"payonce/test/race"
)

// What reading bytes of outsiders may cost: so many bytes of memory for each byte that is read, and as many more
// for the whole, whatever is read.
const (
	PerByte = 32
	Fixed   = 16 << 10
)

// Bytes returns how many bytes f allocates at least, in a few tries: what other goroutines of the process allocate
// meanwhile is counted too.
func Bytes(f func()) uint64 {
	return within(0, f)
}

// Linear fails the test if f, which reads so many bytes, allocates more than [PerByte] for each of them and [Fixed]. The
// race detector allocates too and empties pools at random: under it, f is only run. "make costs" measures.
func Linear(t testing.TB, read int, f func()) {
	t.Helper()
	if race.Enabled {
		f()
		return
	}
	most := uint64(PerByte*read + Fixed)
	if used := within(most, f); used > most {
		t.Errorf("reading %d bytes allocates %d, which is %d for each: at most %d and %d for the whole are allowed", read, used, used/uint64(max(read, 1)), PerByte, Fixed)
	}
}

// within tries until f allocates no more than enough, and returns the least that it did.
func within(enough uint64, f func()) uint64 {
	const tries = 5
	least := ^uint64(0)
	for range tries {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if least = min(least, after.TotalAlloc-before.TotalAlloc); least <= enough {
			break
		}
	}
	return least
}

// Time reports, for a benchmark, how much processor time f takes for each of the bytes that it reads, whatever else the
// machine does.
func Time(b *testing.B, read int, f func()) {
	b.Helper()
	before := ProcessorTime()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64((ProcessorTime()-before).Nanoseconds())/float64(b.N)/float64(max(read, 1)), "ns/byte")
}
