//go:build !unix

package alloctest

import "time"

var start = time.Now()

// used returns the time of the process, where its processor time is not to be had.
func used() time.Duration { return time.Since(start) }
