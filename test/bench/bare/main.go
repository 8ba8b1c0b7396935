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
	p := program{js: js, worker: worker, awaitAck: o.AwaitAck, messages: make(chan jetstream.Msg)}
	consuming, err := p.consume(ctx, o)
	if err != nil {
		return err
	}
	var workers sync.WaitGroup
	for range o.Slots {
		workers.Go(p.work)
	}
	fmt.Fprintln(os.Stderr, baseline.Ready)
	<-ctx.Done()
	consuming.Drain()
	<-consuming.Closed()
	close(p.messages)
	workers.Wait()
	return nil
}

type program struct {
	js       jetstream.JetStream
	worker   *baseline.Worker
	awaitAck bool
	messages chan jetstream.Msg
}

// consume begins to take messages.
func (p program) consume(ctx context.Context, o baseline.Options) (jetstream.ConsumeContext, error) {
	config := jetstream.ConsumerConfig{
		Durable: "bare", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: baseline.CommandFilter, MaxAckPending: o.AckPending,
	}
	take := func(m jetstream.Msg) { p.messages <- m }
	if !o.Push {
		consumer, err := p.js.CreateOrUpdateConsumer(ctx, baseline.CommandStream, config)
		if err != nil {
			return nil, err
		}
		return consumer.Consume(take)
	}
	config.DeliverSubject, config.DeliverGroup = "bare.deliver", "bare"
	consumer, err := p.js.CreateOrUpdatePushConsumer(ctx, baseline.CommandStream, config)
	if err != nil {
		return nil, err
	}
	return consumer.Consume(take)
}

func (p program) work() {
	for m := range p.messages {
		if err := p.handle(context.Background(), m); err != nil {
			fmt.Fprintln(os.Stderr, "bare:", err)
		}
	}
}

func (p program) handle(ctx context.Context, m jetstream.Msg) error {
	cmd, err := baseline.Order(m.Data())
	if err != nil {
		return err
	}
	if first, err := p.worker.First(ctx, cmd.Order); err != nil || !first {
		return err
	}
	subject, data, err := p.worker.Call(ctx, cmd)
	if err != nil {
		return err
	}
	if _, err := p.js.Publish(ctx, subject, data); err != nil {
		return err
	}
	if p.awaitAck {
		return m.DoubleAck(ctx)
	}
	return m.Ack()
}
