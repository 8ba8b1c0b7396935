package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"payonce/test/testenv"
)

// timeout bounds the whole test, building included.
const timeout = 8 * time.Minute

// TestNothingIsAnsweredThatIsNotStored is make load in short. It says nothing about speed.
func TestNothingIsAnsweredThatIsNotStored(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	p := plan{rate: 600, duration: 5 * time.Second, freeze: 3 * time.Second, flood: 2000, store: t.TempDir()}
	t.Cleanup(testenv.RemoveBuilds)
	results := p.play(ctx, t)
	var table bytes.Buffer
	write(&table, results)
	t.Logf("\n%s", table.String())
	for _, r := range results {
		for _, problem := range r.problems() {
			t.Errorf("%s: %s", r.name, problem)
		}
		if len(r.stored) < len(r.accepted) {
			t.Errorf("%s: %d accepted, %d stored", r.name, len(r.accepted), len(r.stored))
		}
	}
	if len(results) != 4 {
		t.Errorf("%d parts", len(results))
	}
}

// What the count is there for is found.
func TestProblemsAreFound(t *testing.T) {
	good := func() result {
		return result{
			statuses: map[int]int{200: 2, 503: 1, 429: 1, 0: 1}, overload: 503,
			accepted: map[string]bool{"a": true, "b": true}, stored: map[string]int{"a": 1, "b": 1, "c": 1},
		}
	}
	if found := good().problems(); found != nil {
		t.Fatalf("good: %q", found)
	}
	for want, spoil := range map[string]func(*result){
		"1 were answered 2xx and are not in the stream": func(r *result) { delete(r.stored, "b") },
		"1 are in the stream more than once":            func(r *result) { r.stored["a"] = 2 },
		"nothing was accepted":                          func(r *result) { r.accepted = nil },
		"the ingress took 513 MiB":                      func(r *result) { r.resident = 513 << 20 },
		"3 were answered 500":                           func(r *result) { r.statuses[500] = 3 },
		"1 were answered 404":                           func(r *result) { r.statuses[404] = 1 },
		"1 that were forged were answered 503":          func(r *result) { r.forged = map[int]int{401: 9, 503: 1} },
		"nothing was answered 429":                      func(r *result) { r.overload = 429; delete(r.statuses, 429) },
	} {
		r := good()
		spoil(&r)
		if found := strings.Join(r.problems(), "; "); found != want {
			t.Errorf("want %q, have %q", want, found)
		}
	}
}
