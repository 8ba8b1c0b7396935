//go:build !unix

package alloctest

import "time"

var start = time.Now()

// ProcessorTime returns the time of the process, where its processor time is not to be had.
func ProcessorTime() time.Duration { return time.Since(start) }
