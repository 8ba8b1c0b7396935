package signin

import (
	"testing"
	"time"
)

// What has expired is not found, and does not stay in memory.
func TestSessionsExpire(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	s := newSessions(func() time.Time { return now })
	commit := func(token string, lives time.Duration) {
		t.Helper()
		if err := s.Commit(token, []byte(token), now.Add(lives)); err != nil {
			t.Fatal(err)
		}
	}
	has := func(token string) bool {
		t.Helper()
		data, found, err := s.Find(token)
		if err != nil || found && string(data) != token {
			t.Fatalf("%s: %q, %v", token, data, err)
		}
		return found
	}
	commit("short", time.Second)
	commit("long", time.Hour)
	if !has("short") || !has("long") || has("none") {
		t.Error("what was committed is not found, or more than that")
	}
	now = now.Add(time.Second)
	if has("short") || !has("long") {
		t.Error("it does not end when it expires")
	}
	now = now.Add(purgeEvery)
	commit("new", time.Hour)
	if len(s.all) != 2 {
		t.Errorf("%d sessions are kept", len(s.all))
	}
	if err := s.Delete("long"); err != nil || has("long") {
		t.Errorf("a deleted session is found: %v", err)
	}
}
