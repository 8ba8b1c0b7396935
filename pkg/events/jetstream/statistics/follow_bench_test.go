package statistics_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"payonce/pkg/events/jetstream/statistics"
	"payonce/test/jetstreamtest"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/status"
	"payonce/test/natstest"
)

// BenchmarkFollowHeaders reads a log of 100,000 open payments, of two events each, as a process does at its start.
func BenchmarkFollowHeaders(b *testing.B) {
	const payments = 100_000
	server := natstest.Start(b)
	conn, err := jetstreamtest.Dial(b.Context(), jetstream.Options{URLs: []string{server.URL()}, Name: "bench", Config: jetstreamtest.Config(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.EnsureStreams(b.Context()); err != nil {
		b.Fatal(err)
	}
	c, err := statistics.New(conn.Conn, nil)
	if err != nil {
		b.Fatal(err)
	}
	nc, err := nats.Connect(server.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	js, err := njs.New(nc, njs.WithPublishAsyncMaxPending(4000))
	if err != nil {
		b.Fatal(err)
	}
	for n := range payments {
		for i, s := range []payment.Status{payment.Submitting, payment.Pending} {
			r := payment.Ref{Provider: "acme", Order: fmt.Sprintf("D-%d", n)}
			out, err := events.EncodePayment(jetstreamtest.PaymentOf(r, s), fmt.Sprint(n, "-", i))
			if err != nil {
				b.Fatal(err)
			}
			out.Header[jetstream.HeaderPrevious], out.Header[jetstream.HeaderReason] = []string{fmt.Sprint(i)}, []string{""}
			if _, err := js.PublishMsgAsync(&nats.Msg{Subject: out.Subject, Header: nats.Header(out.Header), Data: out.Data}); err != nil {
				b.Fatal(err)
			}
		}
	}
	<-js.PublishAsyncComplete()
	for b.Loop() {
		open := caughtUp{status.NewOpen(time.Now), make(chan struct{}, 1)}
		ctx, cancel := context.WithCancel(b.Context())
		end := make(chan error, 1)
		go func() { end <- c.FollowHeaders(ctx, open) }()
		<-open.done
		if sum := open.Summary([]string{"acme"}); sum.Providers["acme"].Open[payment.Pending].Number != payments {
			b.Fatalf("counted %+v", sum.Providers["acme"])
		}
		cancel()
		<-end
	}
}

// caughtUp reports when the log was read.
type caughtUp struct {
	*status.Open
	done chan struct{}
}

func (c caughtUp) CaughtUp() {
	c.Open.CaughtUp()
	select {
	case c.done <- struct{}{}:
	default:
	}
}
