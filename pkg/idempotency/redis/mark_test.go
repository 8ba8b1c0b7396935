package redis_test

import (
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/idempotency/redis"
	"payonce/test/redistest"
)

// The mark rises with the log, refuses one that lacks what was seen, and falls only after a person accepted that. The rule
// is the one of events.LogMark.Lost.
func TestMark(t *testing.T) {
	client, err := redis.NewClient(redis.Config{Addresses: []string{redistest.Start(t).Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	store := redis.New(client, redis.Options{})
	if mark, err := store.Mark(t.Context()); err != nil || mark != (events.LogMark{}) {
		t.Fatalf("before the first: %+v, %v", mark, err)
	}
	at := time.Date(2026, 11, 22, 0, 0, 0, 123_000, time.UTC)
	for _, step := range []struct {
		name     string
		now      events.LogMark
		accepted time.Time
		ok       bool
		kept     events.LogMark
	}{
		{"the first", events.LogMark{Log: "a", Sequence: 10, At: at}, time.Time{}, true, events.LogMark{Log: "a", Sequence: 10, At: at}},
		{"the same again", events.LogMark{Log: "a", Sequence: 10, At: at}, time.Time{}, true, events.LogMark{Log: "a", Sequence: 10, At: at}},
		{"it grew, by a slower clock", events.LogMark{Log: "a", Sequence: 12, At: at.Add(-time.Second)}, time.Time{}, true, events.LogMark{Log: "a", Sequence: 12, At: at}},
		{"an event is gone", events.LogMark{Log: "a", Sequence: 11, At: at.Add(time.Second)}, time.Time{}, false, events.LogMark{Log: "a", Sequence: 12, At: at}},
		{"another log", events.LogMark{Log: "b", Sequence: 99, At: at.Add(time.Second)}, time.Time{}, false, events.LogMark{Log: "a", Sequence: 12, At: at}},
		{"accepted before it was seen", events.LogMark{Log: "a", Sequence: 11, At: at.Add(time.Second)}, at.Add(-time.Hour), false, events.LogMark{Log: "a", Sequence: 12, At: at}},
		{"accepted", events.LogMark{Log: "b", Sequence: 3, At: at.Add(3 * time.Second)}, at.Add(2 * time.Second), true, events.LogMark{Log: "b", Sequence: 3, At: at.Add(3 * time.Second)}},
		{"a large one", events.LogMark{Log: "b", Sequence: 1 << 52, At: at.Add(4 * time.Second)}, time.Time{}, true, events.LogMark{Log: "b", Sequence: 1 << 52, At: at.Add(4 * time.Second)}},
		{"and one less", events.LogMark{Log: "b", Sequence: 1<<52 - 1, At: at.Add(4 * time.Second)}, time.Time{}, false, events.LogMark{Log: "b", Sequence: 1 << 52, At: at.Add(4 * time.Second)}},
	} {
		before, err := store.Mark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if before.Lost(step.now, step.accepted) == step.ok {
			t.Errorf("%s: the test and events.LogMark.Lost disagree", step.name)
		}
		kept, ok, err := store.Raise(t.Context(), step.now, step.accepted)
		if err != nil || ok != step.ok || kept != step.kept {
			t.Errorf("%s: %+v, %v, %v", step.name, kept, ok, err)
		}
		if mark, err := store.Mark(t.Context()); err != nil || mark != step.kept {
			t.Errorf("%s: kept is %+v, %v", step.name, mark, err)
		}
	}
}
