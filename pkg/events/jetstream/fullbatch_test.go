package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/test/natstest"
)

// The disk is full before a batch, while the server stages it, or while it commits it. Whatever the server has of the batch
// then: an append that was reported as stored is in the log after the restart that a full disk needs, and none is
// reported as refused.
func TestFullDiskInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	disk := natstest.NewDisk(t, 32<<20)
	server := natstest.StartOn(t, disk)
	connect(t, server.URL(), testConfig())
	const size = 20
	partly := 0
	for room := int64(0); room <= 240<<10; room += 24 << 10 {
		c := reconnect(t, server.URL(), alwaysBatching()) // one that was not refused a batch yet
		all := firsts(fmt.Sprintf("D%d", room>>10), size) // some 50 KB, which the server writes twice
		ctx, cancel := context.WithTimeout(t.Context(), attempts)
		for _, a := range all {
			a.ctx, a.payment.Metadata = ctx, map[string]string{"text": strings.Repeat("x", 2<<10)}
		}
		appendInBatch(t, c, all, func() { disk.FillBut(room) }, nothing)
		cancel()
		disk.MakeRoom()
		server.Restart()
		told, stored, lost := 0, 0, 0
		for _, a := range all {
			if a.err == nil {
				told++
			}
			if errors.Is(a.err, events.ErrStale) {
				t.Errorf("%s: %v, without a concurrent writer", a.payment.Ref, a.err)
			}
			var err error
			eventually(t, "an answer about "+a.payment.Ref.Order, func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, _, err = c.Last(ctx, a.payment.Ref)
				return err == nil || errors.Is(err, events.ErrNoPayment)
			})
			switch {
			case a.err == nil && err != nil:
				lost++
			case err == nil:
				stored++
			}
		}
		t.Logf("room for %d KB: %d of %d were reported as stored, and %d are in the log; batches, appends and failed: %v", room>>10, told, size, stored, batches(c))
		if 0 < told && told < size {
			partly++
		}
		if lost > 0 {
			t.Errorf("room for %d KB: %d appends were reported as stored and are not in the log", room>>10, lost)
		}
	}
	if partly == 0 {
		t.Error("no disk became full in the middle of a batch: the test proves little")
	}
}
