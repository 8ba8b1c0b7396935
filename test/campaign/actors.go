package campaign

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"payonce/pkg/payment"
)

// actors are all who act in a campaign besides the load and the strikes.
type actors struct {
	run            *run
	provider       *provider
	customers      *customers
	upstream       *upstream
	foreignOrders  *foreignOrders
	forgedWebhooks *forgedWebhooks
	person         *person
	// payouts is how many orders meet the account without money.
	payouts int
	// funded is closed when that account has money.
	funded chan struct{}
}

func (c *run) newActors(p *provider, orders []*Order) (*actors, error) {
	others, err := newForeignOrders(p, c.system.Config, c.Orders)
	if err != nil {
		return nil, err
	}
	logs, err := os.Create(filepath.Join(c.dir, "payctl.log"))
	if err != nil {
		return nil, err
	}
	return &actors{
		run: c, provider: p, customers: newCustomers(p), upstream: newUpstream(c.load, c.actions, orders),
		foreignOrders: others, forgedWebhooks: newForgedWebhooks(c.system, c.Seed, orders),
		person: &person{
			system: c.system, board: c.board, actions: c.actions, random: rand.New(rand.NewPCG(c.Seed, 4)), deadLetters: c.system.readDeadLetters, logs: logs,
		},
		payouts: payoutsOf(orders, overdrawn), funded: make(chan struct{}),
	}, nil
}

// hear lets all act on one event of the log.
func (a *actors) hear(ctx context.Context, p payment.Payment) {
	a.customers.hear(ctx, p)
	a.upstream.hear(ctx, p)
	a.person.hear(p)
}

// wait returns when no actor acts on an event any more.
func (a *actors) wait() {
	a.customers.visits.Wait()
	a.upstream.work.Wait()
}

// afterFaults bounds how long the operator goes on when the faults are over and not every kind of action was
// done yet, and how long an account without money is waited for that a busy machine has not come to.
const afterFaults = 4 * time.Minute

// act lets those act who do not wait for events. The function that it returns ends that.
func (a *actors) act(ctx context.Context) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	working, rest := context.WithCancel(ctx)
	var acting sync.WaitGroup
	acting.Go(func() { a.foreignOrders.run(ctx, a.run.Duration) })
	acting.Go(func() { a.forgedWebhooks.run(ctx) })
	acting.Go(func() { a.fund(ctx) })
	acting.Go(func() { a.person.run(working) })
	return func() {
		for deadline := time.Now().Add(afterFaults); a.busy() && time.Now().Before(deadline) && ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
		rest()
		stop()
		acting.Wait()
		_ = a.person.logs.Close()
	}
}

// busy reports whether something is planned that was not done yet.
func (a *actors) busy() bool {
	select {
	case <-a.funded:
		return len(a.person.undone()) > 0
	default:
		return a.payouts >= enough || len(a.person.undone()) > 0
	}
}

// fund puts money into the account that is overdrawn, when two fifths of the time are over, payouts wait for
// it, and the operator has cancelled and released something that was parked.
func (a *actors) fund(ctx context.Context) {
	defer close(a.funded)
	select {
	case <-ctx.Done():
	case <-time.After(a.run.Duration * 2 / 5):
	}
	for ctx.Err() == nil && (!a.person.usedParked() || a.short() < min(enough, a.payouts)) {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	// Also when the faults are over and no actor acts any more: payouts wait for it.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterFaults)
	defer cancel()
	untilDone(last, func() bool { return a.provider.fund(last, overdrawn, funding) == nil })
	a.run.note("%s has money for payouts now", overdrawn)
}

// short counts the payments that are parked because the account has no money.
func (a *actors) short() int {
	count := 0
	for _, p := range a.run.board.in(payment.Parked) {
		if isParkedFor(p, payment.ReasonBalance) {
			count++
		}
	}
	return count
}
