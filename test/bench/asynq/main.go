// Command asynq does the work of bare with tasks of asynq, whose queue is in Redis. It is a module of its own, so that
// payonce itself does not depend on asynq.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/hibiken/asynq"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"payonce/test/bench/baseline"
)

func main() { baseline.Main("asynq", run) }

// deposit is the type of the tasks.
const deposit = "deposit"

func run(ctx context.Context, o baseline.Options, worker *baseline.Worker) error {
	redis := asynq.RedisClientOpt{Addr: o.Redis, PoolSize: o.Pool}
	if o.Feed {
		return feed(ctx, os.Stdin, redis)
	}
	conn, err := nats.Connect(o.NATS)
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	server := asynq.NewServer(redis, asynq.Config{Concurrency: o.Slots, LogLevel: asynq.ErrorLevel})
	err = server.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		cmd, err := baseline.Order(t.Payload())
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
		_, err = js.Publish(ctx, subject, data)
		return err
	}))
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, baseline.Ready)
	<-ctx.Done()
	server.Shutdown()
	return nil
}

// feed puts one command a line into the queue.
func feed(ctx context.Context, commands io.Reader, redis asynq.RedisClientOpt) error {
	client := asynq.NewClient(redis)
	lines := bufio.NewScanner(commands)
	for lines.Scan() {
		if _, err := client.EnqueueContext(ctx, asynq.NewTask(deposit, lines.Bytes())); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return client.Close()
}
