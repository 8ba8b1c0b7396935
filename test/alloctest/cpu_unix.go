//go:build unix

package alloctest

import (
	"syscall"
	"time"
)

// ProcessorTime returns the processor time of the process.
func ProcessorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
