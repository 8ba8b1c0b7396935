package httpcall_test

import (
	"net/http"
	"testing"
	"time"

	"payonce/pkg/connectors/httpcall"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	cases := []struct {
		text string
		wait time.Duration
		ok   bool
	}{
		{"0", 0, true},
		{"120", 2 * time.Minute, true},
		{"86400", 24 * time.Hour, true},
		{"86401", httpcall.MaxRetryAfter, true},
		{"99999999999999999999999", httpcall.MaxRetryAfter, true},
		{"Sun, 22 Nov 2026 10:00:30 GMT", 30 * time.Second, true},
		{"Sunday, 22-Nov-26 10:00:30 GMT", 30 * time.Second, true},
		{"Sun, 22 Nov 2026 09:00:00 GMT", 0, true},
		{"Sun, 22 Nov 2099 09:00:00 GMT", httpcall.MaxRetryAfter, true},
		{"", 0, false},
		{"-1", 0, false},
		{"+1", 0, false},
		{"1.5", 0, false},
		{"soon", 0, false},
	}
	for _, c := range cases {
		header := http.Header{}
		if c.text != "" {
			header.Set("Retry-After", c.text)
		}
		if wait, ok := httpcall.RetryAfter(header, now); wait != c.wait || ok != c.ok {
			t.Errorf("%q: got %v, %v; want %v, %v", c.text, wait, ok, c.wait, c.ok)
		}
	}
}
