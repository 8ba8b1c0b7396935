package campaign

import (
	"context"
	"fmt"
	"time"

	"payonce/internal/app"
	"payonce/internal/trial"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// strangers is another system under the same accounts: it orders at the providers past payonce, which then
// gets webhooks of orders that it does not know.
type strangers struct {
	provider *provider
	registry *connectors.Registry
	commands []payment.Command
}

// newStrangers makes the orders of another system, all by server, so that nobody has to open a page.
func newStrangers(p *provider, configFile string, orders int) (*strangers, error) {
	cfg, err := config.Load(configFile, config.OS())
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	registry, err := cfg.Connectors(app.Kinds(), time.Now)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var ways []trial.Variant
	for _, v := range trial.Variants() {
		if v.Operation == payment.Deposit && (v.Method == "va" || v.Method == "gate" || v.Account == trial.DiamondPayV1) {
			ways = append(ways, v)
		}
	}
	s := &strangers{provider: p, registry: registry}
	for i := range max(3, orders/200) {
		v := ways[i%len(ways)]
		ref := payment.Ref{Provider: v.Account, Order: fmt.Sprintf("stranger%03d", i+1)}
		cmd, err := events.ParseCommand(v.Operation, []byte(v.Command(ref)))
		if err != nil {
			return nil, fmt.Errorf("order of a stranger: %w", err)
		}
		s.commands = append(s.commands, cmd)
	}
	return s, nil
}

// run sends the orders in the first half of the given time, or as soon as the provider can be reached, until
// ctx ends.
func (s *strangers) run(ctx context.Context, over time.Duration) {
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

func (s *strangers) send(ctx context.Context, cmd payment.Command) {
	connector, known := s.registry.Get(cmd.Provider)
	if !known {
		panic("campaign: there is no account " + cmd.Provider)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, _ = connector.Submit(ctx, cmd) // its books say what came of it
}

// refs names the orders.
func (s *strangers) refs() map[payment.Ref]bool {
	refs := map[payment.Ref]bool{}
	for _, cmd := range s.commands {
		refs[cmd.Ref] = true
	}
	return refs
}
