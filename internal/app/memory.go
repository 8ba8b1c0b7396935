package app

import (
	"os"
	"runtime/debug"
)

// What the garbage collector of a worker or an archive may leave, where GOGC and GOMEMLIMIT say nothing. They hold little, so
// with Go's own 100 % it would collect many times a second under load.
const (
	garbagePercent = 400       // of what is in use
	garbageLimit   = 320 << 20 // bytes of memory; the manifests give both 512 MiB
)

// tuneGC lets a process collect its garbage less often, while it has little memory.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(garbageLimit)
	}
}
