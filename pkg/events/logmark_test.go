package events_test

import (
	"testing"
	"time"

	"payonce/pkg/events"
)

func TestLogMark(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	mark := events.LogMark{Log: "a", Sequence: 10, At: at}
	for name, c := range map[string]struct {
		mark     events.LogMark
		log      string
		sequence uint64
		accepted time.Time
		lost     bool
	}{
		"it grew":                       {mark, "a", 11, time.Time{}, false},
		"nothing came":                  {mark, "a", 10, time.Time{}, false},
		"one event is gone":             {mark, "a", 9, time.Time{}, true},
		"it is empty":                   {mark, "a", 0, time.Time{}, true},
		"it is another log":             {mark, "b", 10, time.Time{}, true},
		"accepted afterwards":           {mark, "a", 9, at.Add(1), false},
		"another, accepted afterwards":  {mark, "b", 0, at.Add(1), false},
		"accepted before it was seen":   {mark, "a", 9, at.Add(-1), true},
		"accepted in the very moment":   {mark, "a", 9, at, true},
		"nothing was seen":              {events.LogMark{}, "a", 0, time.Time{}, false},
		"nothing was seen and accepted": {events.LogMark{}, "a", 0, at, false},
	} {
		if lost := c.mark.Lost(events.LogMark{Log: c.log, Sequence: c.sequence, At: at.Add(time.Hour)}, c.accepted); lost != c.lost {
			t.Errorf("%s: lost is %v", name, lost)
		}
	}
}
