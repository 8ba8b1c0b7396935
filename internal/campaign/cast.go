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

// cast are all who act in a campaign besides the load and the strikes.
type cast struct {
	run       *run
	provider  *provider
	customers *customers
	upstream  *upstream
	strangers *strangers
	forger    *forger
	person    *person
}

func (c *run) newCast(p *provider, orders []*Order) (*cast, error) {
	others, err := newStrangers(c.system.config, c.Orders)
	if err != nil {
		return nil, err
	}
	logs, err := os.Create(filepath.Join(c.dir, "payctl.log"))
	if err != nil {
		return nil, err
	}
	return &cast{
		run: c, provider: p, customers: newCustomers(p), upstream: newUpstream(c.load, c.deeds, orders),
		strangers: others, forger: newForger(c.system, c.Seed, orders),
		person: &person{
			system: c.system, board: c.board, deeds: c.deeds, random: rand.New(rand.NewPCG(c.Seed, 4)), letters: c.system.readLetters, logs: logs,
		},
	}, nil
}

// hear lets all act on one event of the log.
func (a *cast) hear(ctx context.Context, p payment.Payment) {
	a.customers.hear(ctx, p)
	a.upstream.hear(ctx, p)
	a.person.hear(p)
}

// wait returns when nobody acts on an event any more.
func (a *cast) wait() {
	a.customers.visits.Wait()
	a.upstream.work.Wait()
}

// afterFaults bounds how long the operator goes on when the faults are over and not every kind of deed was
// done yet.
const afterFaults = 2 * time.Minute

// act lets those act who do not wait for events. The function that it returns ends that.
func (a *cast) act(ctx context.Context) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	working, rest := context.WithCancel(ctx)
	var acting sync.WaitGroup
	acting.Go(func() { a.strangers.run(ctx, a.run.Duration) })
	acting.Go(func() { a.forger.run(ctx) })
	acting.Go(func() { a.fund(ctx) })
	acting.Go(func() { a.person.run(working) })
	return func() {
		for deadline := time.Now().Add(afterFaults); len(a.person.undone()) > 0 && time.Now().Before(deadline) && ctx.Err() == nil; {
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

// fund puts money into the account that is overdrawn, when two fifths of the load are in and the operator has
// cancelled and released something that was parked.
func (a *cast) fund(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(a.run.Duration * 2 / 5):
	}
	for ctx.Err() == nil && !a.person.usedParked() {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	// Also when the faults are over and nobody acts any more: payouts wait for it.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterFaults)
	defer cancel()
	untilDone(last, func() bool { return a.provider.fund(last, overdrawn, funding) == nil })
	a.run.note("%s has money for payouts now", overdrawn)
}
