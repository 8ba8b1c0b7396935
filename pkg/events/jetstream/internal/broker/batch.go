package broker

import (
	"context"
	"errors"
	"maps"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// SendBatch publishes messages of one stream as one atomic batch (ADR-50) and waits for its acknowledgement, at most
// PublishTimeout. The server stores all of them, in this order and with no other message between them, or none. It returns the
// sequence of the last one.
//
// Only the last message has a reply, so that an error of any of them comes as that of the batch. The caller's messages are
// not changed. Two messages that expect a sequence for the same subject must not be in one batch: where that subject has a
// wildcard, the server (2.15) compares both with what was stored before, and takes both.
func (c *Client) SendBatch(ctx context.Context, msgs []*nats.Msg) (last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.PublishTimeout)
	defer cancel()
	batch := make([]*nats.Msg, len(msgs))
	for i, m := range msgs {
		batch[i] = &nats.Msg{Subject: m.Subject, Header: maps.Clone(m.Header), Data: m.Data} // the library adds headers
	}
	publish := c.Writes.begin()
	ack, err := jetstreamext.PublishMsgBatch(ctx, c.JS, batch, jetstreamext.BatchFlowControl{})
	if err != nil {
		c.noteWrite(msgs[0].Subject, publish, nil, err)
		return 0, err
	}
	c.noteWrite(msgs[0].Subject, publish, &njs.PubAck{Stream: ack.Stream, Sequence: ack.Sequence}, nil)
	return ack.Sequence, nil
}

// RefusesBatches reports whether the server refused a batch for another reason than one of its messages: it will refuse the
// next one as well.
func RefusesBatches(err error) bool {
	var api *njs.APIError
	return errors.As(err, &api) && ReplyOf(err) == Refused
}
