package app

import (
	"os"
	"runtime/debug"

	"payonce/pkg/config"
)

// What the garbage collector of a worker or an archive may leave, where GOGC and GOMEMLIMIT say nothing. They hold little, so
// with Go's own 100 % it would collect many times a second under load. Above the limit, which the program's own file in
// memory (30 MiB) comes on top of, it collects as often as it must; a payment on its way holds some 70 KiB, most of it
// stacks.
const (
	garbagePercent = 400       // of what is in use
	leastLimit     = 96 << 20  // bytes of memory of a worker
	archiveLimit   = 320 << 20 // of an archive; the manifests give it 512 MiB
	fixedLimit     = 16 << 20
	slotLimit      = 80 << 10 // for each payment that can be on its way
)

// workerLimit is the memory of a worker that works on as many payments at the same time as its configuration says.
func workerLimit(c config.Config) int64 {
	slots := 0
	for name := range c.Providers {
		slots += c.ProviderSlots(name)
	}
	return limitOf(slots)
}

func limitOf(slots int) int64 { return max(leastLimit, fixedLimit+int64(slots)*slotLimit) }

// tuneGC lets a process collect its garbage less often, while it has less memory than the limit.
func tuneGC(limit int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit)
	}
}
