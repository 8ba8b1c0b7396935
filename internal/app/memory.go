package app

import (
	"os"
	"runtime/debug"

	"payonce/pkg/config"
)

// What a worker's garbage collector may leave, where GOGC and GOMEMLIMIT say nothing. A worker holds little, so
// with Go's own 100 % it would collect many times a second under load. Above the limit, which the program's own file in
// memory (30 MiB) comes on top of, it collects as often as it must; a payment on its way holds some 70 KiB, most of it
// stacks.
const (
	garbagePercent = 400      // of what is in use
	leastLimit     = 64 << 20 // bytes of memory
	fixedLimit     = 16 << 20
	slotLimit      = 80 << 10 // for each payment that can be on its way
)

// slotsOf is how many payments a worker works on at the same time, of all providers.
func slotsOf(c config.Config) (slots int) {
	for name := range c.Providers {
		slots += c.ProviderSlots(name)
	}
	return slots
}

// tuneGC lets a worker collect its garbage less often, while it has little memory for its slots.
func tuneGC(slots int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(max(leastLimit, fixedLimit+int64(slots)*slotLimit))
	}
}
