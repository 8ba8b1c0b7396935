//go:build unix

package alloctest

import (
	"syscall"
	"time"
)

// used returns the processor time of the process.
func used() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
