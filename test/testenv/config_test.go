package testenv

import (
	"io"
	"os"
	"strings"
	"testing"
)

// All times that a machine exceeds which stands still are longer then, and a configuration without them is refused.
func TestUnhurried(t *testing.T) {
	s := NewSystem(t, t.TempDir(), Addresses{NATS: []string{"nats://127.0.0.1:1"}, Redis: "127.0.0.1:1", Sandbox: "http://127.0.0.1:1"}, nil)
	s.Unhurried()
	text, err := os.ReadFile(s.Config)
	if err != nil || strings.Contains(string(text), "submit_timeout: 1s\n") || strings.Contains(string(text), "settling_delay: 5s\n") {
		t.Errorf("%v\n%s", err, text)
	}
	err = Run(t.Context(), io.Discard, func(p testing.TB) {
		s.T = p
		s.Unhurried()
		t.Error("a configuration of which nothing was changed is taken")
	})
	if err == nil || !strings.Contains(err.Error(), "submit_timeout") {
		t.Errorf("%v", err)
	}
}

// A program's failure ends it as a test's does, and what it started is stopped.
func TestRun(t *testing.T) {
	stopped := false
	err := Run(t.Context(), io.Discard, func(p testing.TB) {
		p.Cleanup(func() { stopped = p.Failed() && p.Context().Err() != nil })
		p.Fatalf("first")
		t.Error("it went on")
	})
	if err == nil || err.Error() != "first" || !stopped {
		t.Errorf("%v, stopped %t", err, stopped)
	}
	if err := Run(t.Context(), io.Discard, func(testing.TB) {}); err != nil {
		t.Error(err)
	}
}
