package app

import (
	"os"
	"runtime/debug"
)

// What a worker's garbage collector may leave, where GOGC and GOMEMLIMIT say nothing. A worker holds little, so
// with Go's own 100 % it would collect many times a second under load.
const (
	garbagePercent = 400       // of what is in use
	garbageLimit   = 320 << 20 // bytes of memory; the manifests give a worker 512 MiB
)

// tuneGC lets a worker collect its garbage less often, while it has little memory.
func tuneGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(garbageLimit)
	}
}
