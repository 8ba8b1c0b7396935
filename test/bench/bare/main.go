// Command bare is the loop that a developer writes by hand on an afternoon: take a command, SET NX in Redis,
// call the provider, publish the event, acknowledge. Whatever goes wrong in between loses a payment or pays
// it twice. It is the baseline for what safety costs, see docs/performance.md.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"payonce/test/bench/baseline"
)

func main() { baseline.Main("bare", run) }

func run(ctx context.Context, o baseline.Options, worker *baseline.Worker) error {
	conn, err := nats.Connect(o.NATS)
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, baseline.CommandStream, jetstream.ConsumerConfig{
		Durable: "bare", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: baseline.CommandFilter, MaxAckPending: 10_000,
	})
	if err != nil {
		return err
	}
	return work(js, consumer, worker, o.Slots, ctx.Done())
}

// work consumes until stop is closed, with as many goroutines as there are slots.
func work(js jetstream.JetStream, consumer jetstream.Consumer, worker *baseline.Worker, slots int, stop <-chan struct{}) error {
	messages := make(chan jetstream.Msg)
	var workers sync.WaitGroup
	for range slots {
		workers.Go(func() {
			for m := range messages {
				if err := handle(context.Background(), js, worker, m); err != nil {
					fmt.Fprintln(os.Stderr, "bare:", err)
				}
			}
		})
	}
	consuming, err := consumer.Consume(func(m jetstream.Msg) { messages <- m })
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, baseline.Ready)
	<-stop
	consuming.Drain()
	<-consuming.Closed()
	close(messages)
	workers.Wait()
	return nil
}

func handle(ctx context.Context, js jetstream.JetStream, worker *baseline.Worker, m jetstream.Msg) error {
	cmd, err := baseline.Order(m.Data())
	if err != nil {
		return err
	}
	if first, err := worker.First(ctx, cmd.Order); err != nil || !first {
		return err
	}
	subject, data, err := worker.Call(ctx, cmd)
	if err != nil {
		return err
	}
	if _, err := js.Publish(ctx, subject, data); err != nil {
		return err
	}
	return m.Ack()
}
