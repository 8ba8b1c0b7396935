package jetstream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/internal/natstest"
	"payonce/pkg/payment"
)

// The server's disk is full: nothing more is taken and nobody is told that it was. What was taken before
// is there afterwards, and the log is as whole as the queue.
func TestFullDiskRefusesAndLosesNothing(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	server.LimitStore(256 << 10)
	c := connect(t, server.URL(), testConfig())
	try := func(n int, limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return c.PublishCommand(ctx, command(ref(fmt.Sprintf("D-%d", n)), strings.Repeat("x", 32<<10)))
	}
	taken := 0
	for ; taken < 100 && try(taken, 5*time.Second) == nil; taken++ {
	}
	if taken == 0 || taken == 100 {
		t.Fatalf("%d commands were taken by a full disk", taken)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	big := paymentOf(ref("D-log"), payment.Pending)
	big.Metadata = map[string]string{"text": strings.Repeat("x", 64<<10)}
	if _, err := c.Append(ctx, big, 0); err == nil {
		t.Error("an event was taken by a full disk")
	}
	server.LimitStore(0)
	if err := try(taken, patience); err != nil {
		t.Errorf("with room again: %v", err)
	}
	for n := range taken + 1 {
		if _, err := c.QueuedCommand(testContext(t), ref(fmt.Sprintf("D-%d", n))); err != nil {
			t.Errorf("D-%d: %v", n, err)
		}
	}
}
