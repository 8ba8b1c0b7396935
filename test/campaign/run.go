package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// Options of a campaign.
type Options struct {
	Seed     uint64        // decides the orders and the strikes
	Orders   int           // how many are made
	Duration time.Duration // how long they take to come in, and how long the strikes go on
	Workers  int
	// DrainFor bounds the time until nothing moves any more.
	DrainFor time.Duration
	// Program is the program to start as nats-server, sandbox, ingress and worker: one whose main
	// function calls [Child] first.
	Program string
	// Keep keeps the folder with logs and data also when all is well.
	Keep bool
	Out  io.Writer
}

// The defaults of the program.
const (
	DefaultOrders   = 5400
	DefaultDuration = 60 * time.Second
	DefaultWorkers  = 4
	DefaultDrainFor = 5 * time.Minute
)

// Validate reports what is wrong, joined.
func (o Options) Validate() error {
	var problems []error
	if o.Orders < 1 || o.Orders > 99_999 {
		problems = append(problems, errors.New("orders must be 1 to 99999"))
	}
	if o.Duration < time.Second || o.Duration > 24*time.Hour {
		problems = append(problems, errors.New("duration must be 1s to 24h"))
	}
	if o.Workers < 1 || o.Workers > 64 {
		problems = append(problems, errors.New("workers must be 1 to 64"))
	}
	if o.DrainFor < time.Second {
		problems = append(problems, errors.New("drain must be at least 1s"))
	}
	return errors.Join(problems...)
}

// ErrBroken says that the audit found something.
var ErrBroken = errors.New("the promise was broken")

// ErrNotPlayed says that something that was planned never happened, so the run proves less than it should.
var ErrNotPlayed = errors.New("not all that was planned happened")

// Run runs a campaign and prints what happens. The error is [ErrBroken] if the audit found something,
// [ErrNotPlayed], and another one if there could be no audit. The folder with logs and data is kept then.
func Run(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "payonce-campaign-")
	if err != nil {
		return err
	}
	c := &run{Options: o, dir: dir, began: time.Now(), board: newBoard(), actions: newActions()}
	var found *findings
	err = testenv.Run(ctx, o.Out, func(t testing.TB) {
		if found, err = c.play(ctx, t); err != nil {
			t.Fatal(err)
		}
	})
	if err == nil {
		err = c.tell(found)
	}
	if err != nil || o.Keep {
		c.print("Logs, configuration and data are kept in %s; each *.log names its process.\n", dir)
		c.print("The same orders and strikes again: make campaign SEED=%d ORDERS=%d DURATION=%s\n", o.Seed, o.Orders, o.Duration)
	} else {
		err = os.RemoveAll(dir)
	}
	if found != nil {
		c.print("%s\n", c.line(found.Verdict))
	}
	return err
}

// run is one campaign.
type run struct {
	Options
	dir     string
	began   time.Time
	system  *system
	board   *board
	load    *load
	strike  *striker
	actions *actions

	printing sync.Mutex
}

func (c *run) print(format string, args ...any) {
	c.printing.Lock()
	defer c.printing.Unlock()
	fmt.Fprintf(c.Out, format, args...)
}

// note prints a line with the time.
func (c *run) note(format string, args ...any) {
	c.print("%7.1fs  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// findings are the verdict with what it was made from.
type findings struct {
	Verdict
	Evidence
}

// play starts everything, lets it be struck, lets it drain and audits it.
func (c *run) play(ctx context.Context, t testing.TB) (*findings, error) {
	c.note("seed %d: %d orders in %s; three nats-servers, redis-server, sandbox, ingress and %d workers start in %s", c.Seed, c.Orders, c.Duration, c.Workers, c.dir)
	starting, cancel := context.WithTimeout(ctx, 2*startTimeout)
	defer cancel()
	c.system = startSystem(starting, t, c.dir, c.Options, c.note)
	orders := makeOrders(c.Seed, c.Orders)
	provider := newProvider(c.system.sandboxAt)
	c.load, c.strike = newLoad(c.system), &striker{system: c.system, note: c.note}
	actors, err := c.newActors(provider, orders)
	if err != nil {
		return nil, err
	}
	following, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { c.board.follow(following, c.system.js, func(p payment.Payment) { actors.hear(following, p) }) })
	background.Go(func() { c.tellProgress(following) })
	defer func() { stop(); background.Wait(); actors.wait() }()

	acting := actors.act(ctx)
	err = c.strikeAndLoad(ctx, orders)
	acting()
	if err != nil {
		return nil, err
	}
	c.note("the faults are over; draining")
	if err := c.drain(ctx, provider, orders, actors); err != nil {
		return nil, err
	}
	evidence, err := c.collect(ctx, provider, orders, actors)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	verdict := Audit(evidence)
	verdict.WrongOutcome = append(verdict.WrongOutcome, c.load.problems...)
	return &findings{verdict, evidence}, nil
}

// strikeAndLoad sends the orders while the plan is carried out. It returns when the time is over, all kinds of
// strikes have struck, and all orders are accepted.
func (c *run) strikeAndLoad(ctx context.Context, orders []*Order) error {
	strikes := plan(c.Seed, c.Duration, c.Workers, c.system.links.names())
	striking, enough := context.WithTimeout(ctx, c.Duration)
	defer enough()
	var both sync.WaitGroup
	both.Go(func() {
		c.strike.run(striking, strikes)
		c.strike.makeUp(ctx, strikes)
	})
	loading, cancel := context.WithTimeout(ctx, c.Duration+c.DrainFor)
	defer cancel()
	c.load.run(loading, orders, c.Duration)
	both.Wait()
	return ctx.Err()
}

// collectTimeout bounds how long the log and the records are asked for.
const collectTimeout = 2 * time.Minute

// collect reads the log and the records, again if no server answered: a server that stood still for a moment has lost its
// place in the cluster, which then answers nothing until it has another leader.
func (c *run) collect(ctx context.Context, provider *provider, orders []*Order, actors *actors) (Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, collectTimeout)
	defer cancel()
	e, err := Evidence{}, ctx.Err()
	untilDone(ctx, func() bool {
		e, err = c.collectOnce(ctx, provider, orders, actors)
		return err == nil
	})
	return e, err
}

func (c *run) collectOnce(ctx context.Context, provider *provider, orders []*Order, actors *actors) (Evidence, error) {
	at := time.Now() // what comes later is not in the log that is read
	log, err := readAll(ctx, c.system.js)
	if err != nil {
		return Evidence{}, fmt.Errorf("read the log: %w", err)
	}
	e, err := c.aside(ctx, provider, actors)
	if err != nil {
		return Evidence{}, err
	}
	e.Queued, err = c.queued(ctx)
	if err != nil {
		return Evidence{}, fmt.Errorf("read the queue: %w", err)
	}
	e.Orders, e.Log, e.Forged, e.At = orders, log, actors.forgedWebhooks.all(), at
	e.Deploys = c.strike.deploys.Load()
	e.Closings = map[string][]closing{closes: c.system.closings}
	return e, nil
}

// aside is the evidence beside the log and the queue: enough for [owed].
func (c *run) aside(ctx context.Context, provider *provider, actors *actors) (Evidence, error) {
	truth, err := provider.truth(ctx)
	if err != nil {
		return Evidence{}, err
	}
	deadLetters, err := c.system.readDeadLetters(ctx)
	if err != nil {
		return Evidence{}, fmt.Errorf("read the dead letters: %w", err)
	}
	return Evidence{Truth: truth, Dead: byPayment(deadLetters), Actions: c.actions.copied(), ForeignOrders: actors.foreignOrders.refs()}, nil
}

func (c *run) queued(ctx context.Context) (map[payment.Ref]bool, error) {
	stream, err := c.system.js.Stream(ctx, events.StreamCommands)
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return nil, err
	}
	queued := map[payment.Ref]bool{}
	for subject := range info.State.Subjects {
		if ref, ok := events.SubjectRef(subject); ok {
			queued[ref] = true
		}
	}
	return queued, nil
}

// unsettledCallbacks counts what the provider still wants to report, and charges that will still end.
func unsettledCallbacks(truth sandbox.Truth) int {
	count := 0
	for _, account := range truth.Accounts {
		for _, o := range account.Orders {
			for _, callback := range o.Callbacks {
				if !callback.Lost && !callback.Abandoned && callback.Acknowledged == 0 {
					count++
				}
			}
			if o.State == sandbox.Pending {
				count++
			}
		}
	}
	return count
}
