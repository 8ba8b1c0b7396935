package jetstream_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"payonce/internal/natstest"
	"payonce/pkg/events/jetstream"
)

// TestSweepTellsWhoseCommandsItGaveUp: one line for each provider, with how many and what to type.
func TestSweepTellsWhoseCommandsItGaveUp(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.OrphanAfter = time.Millisecond
	var logs bytes.Buffer // only the sweep writes, and it is over when it is read
	o := options(t, server.URL(), cfg)
	o.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelError}))
	c, err := jetstream.Connect(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	for _, r := range orders("S", 3) {
		r.Provider = "nobody"
		publish(t, c, r)
	}
	swept := 0
	eventually(t, "all are swept", func() bool {
		n, err := c.SweepOrphans(testContext(t))
		swept += n
		return err == nil && swept == 3
	})
	text := logs.String()
	if !strings.Contains(text, "provider=nobody") || !strings.Contains(text, "reason=unknown_provider") ||
		!strings.Contains(text, `next="payctl deadletters list --provider nobody"`) {
		t.Errorf("logged %s", text)
	}
	if _, err := c.SweepOrphans(testContext(t)); err != nil || logs.String() != text {
		t.Errorf("an empty sweep is told: %v, %s", err, logs.String())
	}
}
