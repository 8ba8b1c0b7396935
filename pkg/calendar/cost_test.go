package calendar_test

import (
	"testing"
	"time"

	"payonce/pkg/calendar"
	"payonce/test/alloctest"
)

// A worker asks several times for each payment.
func TestQuestionsAllocateNothing(t *testing.T) {
	hours, err := calendar.Parse(calendar.ECommPayKorea())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	alloctest.None(t, func() {
		hours.Open(at)
		hours.NextOpening(at)
		hours.NextClosing(at)
		hours.AddOpen(at, 60*time.Hour)
		hours.OpenDuration(at, at.Add(60*time.Hour))
	})
}
