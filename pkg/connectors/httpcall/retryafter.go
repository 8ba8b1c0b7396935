package httpcall

import (
	"net/http"
	"strconv"
	"time"
)

// MaxRetryAfter is the longest wait that [RetryAfter] returns.
const MaxRetryAfter = 24 * time.Hour

// RetryAfter reads the Retry-After header in both its forms (RFC 9110, section 10.2.3): whole seconds,
// or a date, which is counted from now. ok is false when the header is missing or unreadable. A date
// that has passed gives 0, and nothing gives more than [MaxRetryAfter].
func RetryAfter(header http.Header, now time.Time) (wait time.Duration, ok bool) {
	text := header.Get("Retry-After")
	if isDigits(text) {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) { // all digits: only too large can fail
			return MaxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter), true
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
