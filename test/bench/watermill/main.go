// Command watermill does the work of bare on Watermill's router, with the middlewares that its
// documentation puts there: Recoverer, Retry, Timeout, Deduplicator. The Deduplicator remembers in Redis,
// because the one in memory knows nothing of a second worker. It is a module of its own, so that payonce
// itself does not depend on Watermill.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/nats-io/nats.go"

	"payonce/test/bench/baseline"
)

func main() { baseline.Main("watermill", run) }

// callTimeout is that of payonce.
const callTimeout = 15 * time.Second

func run(ctx context.Context, o baseline.Options, worker *baseline.Worker) error {
	logger := watermill.NewStdLogger(false, false)
	publisher, err := wmnats.NewPublisher(wmnats.PublisherConfig{URL: o.NATS}, logger)
	if err != nil {
		return err
	}
	subscribe := []nats.SubOpt{nats.BindStream(baseline.CommandStream), nats.DeliverAll(), nats.AckExplicit(), nats.AckWait(time.Minute)}
	if o.AckPending > 0 {
		subscribe = append(subscribe, nats.MaxAckPending(o.AckPending))
	}
	if o.ManualAck {
		subscribe = append(subscribe, nats.ManualAck())
	}
	subscriber, err := wmnats.NewSubscriber(wmnats.SubscriberConfig{
		URL: o.NATS, QueueGroupPrefix: "watermill", SubscribersCount: o.Slots, AckWaitTimeout: time.Minute,
		JetStream: wmnats.JetStreamConfig{
			DurablePrefix: "watermill", AckAsync: !o.AwaitAck, SubscribeOptions: subscribe,
		},
	}, logger)
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{}, logger)
	if err != nil {
		return err
	}
	router.AddMiddleware(
		middleware.Recoverer,
		middleware.Retry{MaxRetries: 3, InitialInterval: 100 * time.Millisecond, Logger: logger}.Middleware,
		middleware.Timeout(callTimeout),
		(&middleware.Deduplicator{KeyFactory: order, Repository: seen{worker}}).Middleware,
	)
	router.AddNoPublisherHandler("deposits", baseline.CommandFilter, subscriber, func(m *message.Message) error {
		cmd, err := baseline.Order(m.Payload)
		if err != nil {
			return err
		}
		subject, data, err := worker.Call(m.Context(), cmd)
		if err != nil {
			return err
		}
		return publisher.Publish(subject, message.NewMessage(watermill.NewUUID(), data))
	})
	go func() {
		<-router.Running()
		fmt.Fprintln(os.Stderr, baseline.Ready)
	}()
	return router.Run(ctx)
}

// order is what a command is known by.
func order(m *message.Message) (string, error) {
	var named struct {
		Order string `json:"order"`
	}
	err := json.Unmarshal(m.Payload, &named)
	return named.Order, err
}

// seen is a middleware.ExpiringKeyRepository in Redis.
type seen struct{ worker *baseline.Worker }

// IsDuplicate reports whether the key was seen before.
func (s seen) IsDuplicate(ctx context.Context, key string) (bool, error) {
	first, err := s.worker.First(ctx, key)
	return !first && err == nil, err
}
