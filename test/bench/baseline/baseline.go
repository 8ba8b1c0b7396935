// Package baseline is what the programs have in common that payonce is measured against: the same
// connector, one key in Redis for each order, and one event of the outcome. It guards against nothing else.
package baseline

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// The account at the provider, which all programs share.
const (
	Provider   = "bench"
	PlatformID = "PF0002"
	Secret     = "sandbox-bench-secret-0001"
	NotifyURL  = "http://127.0.0.1:1/webhooks/bench" // no provider calls it
)

// Names in the broker.
const (
	CommandStream = "COMMANDS"
	CommandFilter = "deposit.requested." + Provider + ".*"
	OutcomePrefix = "payment.pending." + Provider + "."
)

// guardFor is how long an order is remembered.
const guardFor = 24 * time.Hour

// Ready is what a program writes to stderr when it takes commands.
const Ready = "working"

// Options are what a program is started with. Those from AckPending on are what a sweep tries; a program reads those that it knows.
type Options struct {
	NATS, Redis, ProviderURL string
	Slots                    int  // commands at the same time
	Feed                     bool // put commands from stdin, one a line, into the program's own queue, and end
	AckPending               int  // messages that the broker delivers before they are acknowledged; 0 is the library's default
	AwaitAck                 bool // wait until the broker has confirmed an acknowledgement
	ManualAck                bool // acknowledge by Watermill alone, not by its NATS library as well
	Push                     bool // the broker pushes messages
	Pool                     int  // connections to Redis; 0 is the library's default
}

// Main is the whole of a program's main function: it reads the flags, lets the program work until SIGINT or
// SIGTERM, and ends the process.
func Main(name string, work func(context.Context, Options, *Worker) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], work)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, work func(context.Context, Options, *Worker) error) error {
	var o Options
	set := flag.NewFlagSet("baseline", flag.ContinueOnError)
	set.StringVar(&o.NATS, "nats", "", "`URL` of NATS")
	set.StringVar(&o.Redis, "redis", "", "`host:port` of Redis")
	set.StringVar(&o.ProviderURL, "provider", "", "base `URL` of the provider")
	set.IntVar(&o.Slots, "slots", 32, "commands at the same time")
	set.BoolVar(&o.Feed, "feed", false, "put commands from stdin into the queue")
	set.IntVar(&o.AckPending, "ack-pending", 0, "messages that may wait for their acknowledgement")
	set.BoolVar(&o.AwaitAck, "await-ack", false, "wait until an acknowledgement is confirmed")
	set.BoolVar(&o.ManualAck, "manual-ack", false, "do not let the NATS library acknowledge")
	set.BoolVar(&o.Push, "push", false, "take messages from a push consumer")
	set.IntVar(&o.Pool, "pool", 0, "connections to Redis for the queue")
	if err := set.Parse(args); err != nil {
		return err
	}
	worker, err := newWorker(o)
	if err != nil {
		return err
	}
	return errors.Join(work(ctx, o, worker), worker.redis.Close())
}

// Worker does for one command what every program here does.
type Worker struct {
	conn  connectors.Connector
	redis *goredis.Client
}

func newWorker(o Options) (*Worker, error) {
	conn, err := diamondpay.New(Provider, diamondpay.Settings{
		BaseURL: o.ProviderURL, PlatformID: PlatformID, Secret: secret.New(Secret), SignType: diamondpay.HMACSHA256,
		Currency: "KRW", Version: "v2", NotifyURL: NotifyURL, AllowPlainLinks: true,
	}, httpcall.NewClient(httpcall.Options{}), time.Now)
	if err != nil {
		return nil, err
	}
	return &Worker{conn: conn, redis: goredis.NewClient(&goredis.Options{Addr: o.Redis, PoolSize: o.Slots})}, nil
}

// First reports whether the key was not seen before, and remembers it.
func (d *Worker) First(ctx context.Context, key string) (bool, error) {
	_, err := d.redis.SetArgs(ctx, "bench:"+key, "1", goredis.SetArgs{Mode: "NX", TTL: guardFor}).Result()
	if errors.Is(err, goredis.Nil) {
		return false, nil
	}
	return err == nil, err
}

// Order reads the command.
func Order(body []byte) (payment.Command, error) {
	var cmd payment.Command
	err := json.Unmarshal(body, &cmd)
	cmd.Operation = payment.Deposit
	return cmd, err
}

// Outcome is the event that a program writes.
type Outcome struct {
	payment.Ref
	Status    payment.Status  `json:"status"`
	Amount    payment.Money   `json:"amount"`
	Reference string          `json:"provider_reference"`
	Action    *payment.Action `json:"action,omitempty"`
	UpdatedAt time.Time       `json:"updated_at"`
}

// Call asks the provider once and returns the subject and the data of the event.
func (d *Worker) Call(ctx context.Context, cmd payment.Command) (subject string, data []byte, err error) {
	observation, err := d.conn.Submit(ctx, cmd)
	if err != nil {
		return "", nil, fmt.Errorf("submit %s: %w", cmd.Ref, err)
	}
	data, err = json.Marshal(Outcome{
		Ref: cmd.Ref, Status: payment.Pending, Amount: cmd.Amount, Reference: observation.Reference,
		Action: observation.Action, UpdatedAt: time.Now().UTC(),
	})
	return OutcomePrefix + cmd.Order, data, err
}
