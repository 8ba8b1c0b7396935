package campaign

import (
	"context"
	"fmt"
	"time"

	"payonce/internal/app"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// foreignOrders is another system under the same accounts: it orders at the providers past payonce, which then
// gets webhooks of orders that it does not know.
type foreignOrders struct {
	provider *provider
	registry *connectors.Registry
	commands []payment.Command
}

// newForeignOrders makes the orders of another system, all by server, so that no customer has to open a page.
func newForeignOrders(p *provider, configFile string, orders int) (*foreignOrders, error) {
	cfg, err := config.Load(configFile, config.OS())
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	registry, err := cfg.Connectors(app.Kinds(), time.Now)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var ways []testenv.Variant
	for _, v := range testenv.Variants() {
		if v.Operation == payment.Deposit && (v.Method == "va" || v.Method == "gate" || v.Account == testenv.DiamondPayV1) {
			ways = append(ways, v)
		}
	}
	s := &foreignOrders{provider: p, registry: registry}
	for i := range max(3, orders/200) {
		v := ways[i%len(ways)]
		ref := payment.Ref{Provider: v.Account, Order: fmt.Sprintf("outsider%03d", i+1)}
		cmd, err := events.ParseCommand(v.Operation, []byte(v.Command(ref)))
		if err != nil {
			return nil, fmt.Errorf("order of an outsider: %w", err)
		}
		s.commands = append(s.commands, cmd)
	}
	return s, nil
}

// run sends the orders in the first half of the given time, or as soon as the provider can be reached, until
// ctx ends.
func (s *foreignOrders) run(ctx context.Context, over time.Duration) {
	ticker := time.NewTicker(max(over/time.Duration(2*len(s.commands)), time.Millisecond))
	defer ticker.Stop()
	for _, cmd := range s.commands {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		untilDone(ctx, func() bool {
			s.send(ctx, cmd)
			return s.provider.knows(ctx, cmd.Ref)
		})
	}
}

func (s *foreignOrders) send(ctx context.Context, cmd payment.Command) {
	connector, known := s.registry.Get(cmd.Provider)
	if !known {
		panic("campaign: there is no account " + cmd.Provider)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, _ = connector.Submit(ctx, cmd) // its records say what came of it
}

// refs names the orders.
func (s *foreignOrders) refs() map[payment.Ref]bool {
	refs := map[payment.Ref]bool{}
	for _, cmd := range s.commands {
		refs[cmd.Ref] = true
	}
	return refs
}
