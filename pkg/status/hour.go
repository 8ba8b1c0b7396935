package status

import (
	"math"
	"time"

	"payonce/pkg/payment"
)

// Hour is what came of payments in the last hour. Times count from a payment's first event in the log to its outcome; they are
// upper bounds, exact to a fifth.
type Hour struct {
	Settled int     `json:"settled"`
	Failed  int     `json:"failed"`
	Half    float64 `json:"half_within_seconds,omitempty"`
	Most    float64 `json:"most_within_seconds,omitempty"` // 95 of 100

	counted buckets
}

const (
	minutes = 60
	// growth is by how much each bucket of times is longer than the one before: the last holds weeks.
	growth, firstBucket = 1.2, 0.05
	bucketCount         = 96
)

type buckets [bucketCount]uint32

// hour holds the outcomes of one provider by minute. Its zero value is empty.
type hour struct{ minutes [minutes]minute }

type minute struct {
	number          int64 // since 1970
	settled, failed int
	times           buckets
}

// add counts an outcome. Events come in the order of the log, so a minute that comes again is the next hour's.
func (h *hour) add(at time.Time, status payment.Status, took time.Duration) {
	number := at.Unix() / 60
	m := &h.minutes[number%minutes]
	if m.number != number {
		*m = minute{number: number}
	}
	if status == payment.Failed {
		m.failed++
	} else {
		m.settled++
	}
	m.times[bucketOf(took)]++
}

func bucketOf(took time.Duration) int {
	seconds := max(took.Seconds(), firstBucket)
	return min(int(math.Ceil(math.Log(seconds/firstBucket)/math.Log(growth)-1e-9)), bucketCount-1)
}

// last adds up the last hour.
func (h *hour) last(now time.Time) (sum Hour) {
	number := now.Unix() / 60
	for i := range h.minutes {
		m := &h.minutes[i]
		if m.number <= number-minutes || m.number > number+1 { // the broker's clock may be ahead a little
			continue
		}
		sum.Settled += m.settled
		sum.Failed += m.failed
		for bucket, n := range m.times {
			sum.counted[bucket] += n
		}
	}
	return sum
}

func (h *Hour) add(other Hour) {
	h.Settled += other.Settled
	h.Failed += other.Failed
	for bucket, n := range other.counted {
		h.counted[bucket] += n
	}
}

// finish says within which time half and most of the payments came to their outcome.
func (h *Hour) finish() {
	h.Half, h.Most = h.within(50), h.within(95)
}

func (h *Hour) within(percent int) float64 {
	want := (h.Settled + h.Failed) * percent
	sum := 0
	for bucket, n := range h.counted {
		if sum += int(n) * 100; n > 0 && sum >= want {
			return math.Round(firstBucket*math.Pow(growth, float64(bucket))*100) / 100
		}
	}
	return 0
}
