package jetstream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/payment"
)

func memberOf(ctx context.Context, order string, size int) *groupMember {
	msg := nats.NewMsg("payment.submitting.acme." + order)
	msg.Data = make([]byte, size)
	return &groupMember{ctx: ctx, ref: payment.Ref{Provider: "acme", Order: order}, msg: msg, turn: make(chan struct{})}
}

// A batch has a limited number of appends and bytes. What does not fit waits for the next.
func TestABatchIsBounded(t *testing.T) {
	t.Parallel()
	for size, most := range map[int]int{10: maxBatch, maxBatchBytes / 4: 3, 2 * maxBatchBytes: 0} {
		g := &groupCommit{}
		for i := range 2 * maxBatch {
			g.waiting = append(g.waiting, memberOf(t.Context(), fmt.Sprint(i), size))
		}
		if members := g.choose(); len(members) != most || most > 0 && members[0] != g.waiting[0] {
			t.Errorf("%d appends of %d bytes are in a batch, want %d", len(members), size, most)
		}
	}
}

// An append whose context ends before its batch leaves is not sent.
func TestABatchLeavesOutCancelledAppends(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	gone, giveUp := context.WithCancel(ctx)
	giveUp()
	b := &groupBatch{members: []*groupMember{memberOf(ctx, "a", 1), memberOf(gone, "b", 1), memberOf(ctx, "c", 1)}}
	if size := c.group.sendBatch(b); size != 2 || b.err != nil || b.members[1].sent || !b.members[2].sent || b.members[2].index != 1 {
		t.Errorf("%d were sent: %v", size, b.err)
	}
	if end, err := c.LogEnd(ctx); err != nil || end.Sequence != 2 || b.first != 1 {
		t.Errorf("the log ends at %d, the batch begins at %d: %v", end.Sequence, b.first, err)
	}
}

// Nothing is sent while the log is not known to be whole, also when it was before an append had to wait.
func TestABatchWaitsForTheLogToBeChecked(t *testing.T) {
	cfg := DefaultConfig()
	cfg.PublishTimeout = 100 * time.Millisecond
	ctx, c := begin(t, cfg, time.Now)
	c.past.guard()
	b := &groupBatch{members: []*groupMember{memberOf(ctx, "a", 1)}}
	if size := c.group.sendBatch(b); size != 0 || b.err == nil {
		t.Errorf("%d were sent: %v", size, b.err)
	}
	if end, err := c.LogEnd(ctx); err != nil || end.Sequence != 0 {
		t.Errorf("the log ends at %d: %v", end.Sequence, err)
	}
	if _, batched, err := c.group.send(gaveUp(ctx), payment.Ref{Provider: "acme", Order: "a"}, memberOf(ctx, "a", 1).msg); batched || !errors.Is(err, context.Canceled) {
		t.Errorf("an append whose caller has given up: %v", err)
	}
}

func gaveUp(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
