package ecommpay

import (
	"math"
	"time"

	"payonce/pkg/sandbox"
)

// The documented repetition of callbacks (developers.ecommpay.com en_PP_Callbacks).
const (
	retryQuick    = 6
	retryAttempts = 120
	retryMost     = 4 * time.Hour
	retryWithin   = 11 * 24 * time.Hour
)

// Retry is the documented schedule: six times every 10 s, then growing waits of 70 + 10·1.12^(n-4)
// seconds up to 4 h, then every 4 h; at most 120 attempts within 11 days. speed divides all waits.
func Retry(speed float64) sandbox.Retry {
	var waits []time.Duration
	var total time.Duration
	for n := 1; n < retryAttempts; n++ {
		wait := 10 * time.Second
		if n > retryQuick {
			wait = time.Duration((70 + 10*math.Pow(1.12, float64(n-4))) * float64(time.Second))
		}
		wait = min(wait, retryMost)
		if total += wait; total > retryWithin {
			break
		}
		waits = append(waits, time.Duration(float64(wait)/speed))
	}
	return sandbox.Retry{Waits: waits}
}
