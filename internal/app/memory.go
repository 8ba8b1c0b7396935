package app

import (
	"os"
	"runtime/debug"

	"payonce/pkg/config"
)

// How much garbage a worker or an archive may keep, where GOGC and GOMEMLIMIT are not set. Their heap is small, so with Go's own
// 100 % it would be collected many times a second under load. Near the limit it is collected as often as necessary. The mapped
// program (30 MiB) is not part of the limit; a payment in flight needs some 70 KiB, most of it stacks.
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
