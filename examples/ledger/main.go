// Ledger is an example of a service that books the outcomes of payonce. It uses nothing of payonce but its client, which reads
// and checks the events. See README.md beside it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && ctx.Err() == nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
}

// outcomes are the statuses that a ledger books. The consumer ledger-<name> of deploy/nats gets the same.
var outcomes = []string{"settled", "failed", "reversed", "conflict"}

func run(ctx context.Context, args []string, out io.Writer) error {
	set := flag.NewFlagSet("ledger", flag.ContinueOnError)
	url := set.String("nats", "nats://127.0.0.1:4222", "`URL` of NATS")
	seed := set.String("seed", "", "`FILE` with this ledger's nkey seed, on a secured NATS")
	ca := set.String("ca", "", "`FILE` with the CA of a secured NATS")
	prefix := set.String("api-prefix", "$JS.API", "of the JetStream API; PAYONCE in an account of deploy/nats")
	name := set.String("consumer", "ledger-accounting", "the durable consumer")
	create := set.Bool("create", false, "make the consumer, where NATS has no accounts")
	path := set.String("journal", "ledger.jsonl", "the `FILE` to book into")
	if err := set.Parse(args); err != nil {
		return err
	}
	book, err := openJournal(*path)
	if err != nil {
		return err
	}
	defer func() { _ = book.close() }()
	options := []nats.Option{nats.Name(*name), nats.MaxReconnects(-1)}
	if *seed != "" {
		login, err := nats.NkeyOptionFromSeed(*seed)
		if err != nil {
			return err
		}
		options = append(options, login)
	}
	if *ca != "" {
		options = append(options, nats.RootCAs(*ca))
	}
	nc, err := nats.Connect(*url, options...)
	if err != nil {
		return fmt.Errorf("connect to the address of --nats: %w", err)
	}
	defer nc.Close()
	consumer, err := open(ctx, nc, *prefix, *name, *create)
	if err != nil {
		return fmt.Errorf("consumer %s: %w", *name, err)
	}
	tell(os.Stderr, consumer.CachedInfo(), *path, book)
	return follow(ctx, consumer, book, out)
}

// tell says what the ledger waits for, and that its records are lost where the consumer has read what the journal lacks.
func tell(w io.Writer, info *jetstream.ConsumerInfo, path string, book *journal) {
	_, _ = fmt.Fprintf(w, "ledger: waiting for payments that are %s, as %s; %d outcomes wait now\n", strings.Join(outcomes, ", "), info.Name, info.NumPending)
	if read := info.AckFloor.Stream; read > 0 && len(book.last) == 0 {
		_, _ = fmt.Fprintf(w, `ledger: the journal %s is empty, but %s has read the log up to sequence %d, and does not get that again.
ledger: if the records are lost: payctl ledgers rewind %s --from start
`, path, info.Name, read, strings.TrimPrefix(info.Name, "ledger-"))
	}
}

func open(ctx context.Context, nc *nats.Conn, prefix, name string, create bool) (jetstream.Consumer, error) {
	js, err := jetstream.NewWithAPIPrefix(nc, prefix)
	if err != nil {
		return nil, err
	}
	if !create {
		consumer, err := js.Consumer(ctx, "PAYMENTS", name)
		if errors.Is(err, jetstream.ErrConsumerNotFound) {
			err = fmt.Errorf("%w: start with --create where NATS has no accounts; elsewhere an operator names the ledger in nats.ledgers and runs payctl streams apply", err)
		}
		return consumer, err
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	config := jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Second}
	for _, status := range outcomes {
		config.FilterSubjects = append(config.FilterSubjects, "payment."+status+".>")
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "PAYMENTS", config)
	if err != nil && (prefix != "$JS.API" || errors.Is(nc.LastError(), nats.ErrPermissionViolation)) {
		return nil, fmt.Errorf("--create is refused: this user may not make consumers. Start without it; an operator names the ledger in nats.ledgers and runs payctl streams apply (%w)", err)
	}
	return consumer, err
}

// createTimeout bounds a request that a server without the right to it does not answer.
const createTimeout = 10 * time.Second

// follow books what comes until ctx ends. A message is acknowledged only after it is on the disk: whatever
// dies in between, it comes again, and the journal knows it.
func follow(ctx context.Context, consumer jetstream.Consumer, book *journal, out io.Writer) error {
	for ctx.Err() == nil {
		batch, err := consumer.Fetch(100, jetstream.FetchMaxWait(2*time.Second))
		if err != nil {
			return err
		}
		var taken []jetstream.Msg
		for m := range batch.Messages() {
			// What the client does not know must not be booked, and not acknowledged either: an operator updates the ledger, and
			// then it comes again.
			e, err := client.DecodeEvent(m.Headers(), m.Data())
			if err != nil {
				return fmt.Errorf("%s is not acknowledged: %w", m.Subject(), err)
			}
			line, err := book.post(e)
			if err != nil {
				return err
			}
			if line != "" {
				_, _ = fmt.Fprintln(out, line)
			}
			taken = append(taken, m)
		}
		if err := book.sync(); err != nil {
			return err
		}
		for _, m := range taken {
			if err := m.Ack(); err != nil {
				return err
			}
		}
		if err := batch.Error(); err != nil && !errors.Is(err, nats.ErrTimeout) {
			_, _ = fmt.Fprintln(os.Stderr, "ledger: trying again:", err) // e.g. NATS was restarted
		}
	}
	return nil
}
