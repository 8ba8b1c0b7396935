package reconcile

import (
	"testing"
	"time"

	"payonce/pkg/events"
)

// Two deliveries of one moment are noted the other way round: what the later one says of those that wait counts. After a minute any
// delivery does, because a consumer that was deleted and made again counts from one.
func TestTheLaterDeliveryCounts(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	var p progress
	p.note(events.Message{Sequence: 8, Delivered: 12, Pending: 0}, now.Add(-time.Hour), true, now)
	p.note(events.Message{Sequence: 7, Delivered: 11, Pending: 5}, now.Add(-time.Hour), true, now)
	if late := p.late(now); late != 0 {
		t.Errorf("late by %s though none wait", late)
	}
	now = now.Add(2 * time.Minute)
	p.note(events.Message{Sequence: 7, Delivered: 1, Pending: 5}, now.Add(-time.Hour), true, now)
	if late := p.late(now); late != time.Hour+2*time.Minute {
		t.Errorf("late by %s though others wait", late)
	}
}
