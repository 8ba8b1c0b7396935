package jetstream

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

const (
	// lookEvery is how often a stream is probed or looked at while it cannot be written.
	lookEvery = time.Second
	// probeBytes is more than a page of a file system, so that no probe fits into what is left of the last page
	// of a full disk.
	probeBytes = 8 << 10
)

// WatchWrites finds out, until ctx ends, whether streams can be written, for [Conn.Ready] and the metrics. What
// this process publishes shows when a stream fails; WatchWrites shows when it works again.
//
// The probed streams, COMMANDS and WEBHOOKS, or the one of an ingress's account, or none, are also written: every Config.ProbeEvery, and every
// second while the last publish to them failed. So a full disk is found while there is no traffic, and so is its
// end. A probe replaces the one before it, and no consumer reads it.
//
// The others, PAYMENTS above all, are never written for a test. One that failed works again when a publish of
// this process is stored, when another process wrote it, when it has another leader, or when the server that
// led it was restarted.
func (c *Conn) WatchWrites(ctx context.Context, probed ...string) error {
	if !c.broker.Begin() {
		return fmt.Errorf("watch writes: %w", ErrClosed)
	}
	defer c.broker.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.broker.Stopping, cancel)()
	var probing sync.WaitGroup
	defer probing.Wait()
	for _, stream := range probed {
		probing.Go(func() { c.keepProbing(ctx, stream) })
	}
	for ticker := time.NewTicker(lookEvery); ; {
		select {
		case <-ctx.Done():
			ticker.Stop()
			return nil
		case <-ticker.C:
		}
		for _, stream := range c.broker.Writes.AllFailing() {
			if !slices.Contains(probed, stream) {
				c.broker.LookAt(ctx, stream)
			}
		}
	}
}

// keepProbing probes a stream until ctx ends: seldom while it can be written, often while it cannot.
func (c *Conn) keepProbing(ctx context.Context, stream string) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for next := time.Duration(0); ; next -= lookEvery {
		if next <= 0 || c.broker.Writes.Failing(stream) {
			c.probe(ctx, stream)
			next = c.cfg.ProbeEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// probe writes to a stream; what comes of it is noted as for every publish.
func (c *Conn) probe(ctx context.Context, stream string) {
	if !c.broker.NATS.IsConnected() {
		return // Ready says so already
	}
	err := c.writeProbe(ctx, stream)
	if broker.ReplyOf(err) == broker.Refused && !broker.NoRoom(err) && ctx.Err() == nil {
		c.log.Error("stream probe refused", "stream", stream, "error", err)
	}
}

func (c *Conn) writeProbe(ctx context.Context, stream string) error {
	if c.broker.Apart {
		return c.probeApart(ctx, stream)
	}
	msg := nats.NewMsg(events.ProbeSubject(stream))
	msg.Header.Set(njs.MsgRollup, njs.MsgRollupSubject)
	msg.Data = make([]byte, probeBytes)
	_, err := c.broker.Send(ctx, msg)
	return err
}
