package console

import (
	"context"
	"net/http"
	"sync"
	"time"

	"payonce/pkg/connectors"
)

const (
	// balanceLife is how long a balance is shown before the provider is asked again: people must not use up its limit of calls.
	balanceLife    = time.Minute
	balanceTimeout = 20 * time.Second
)

// balance is what a provider said last of the merchant's account.
type balance struct {
	At       time.Time
	Accounts []connectors.Balance
	Failed   bool
}

// balances keeps what each provider said last.
type balances struct {
	mu   sync.Mutex
	last map[string]balance
}

// ask asks a provider, at most once in balanceLife. One provider is asked at a time.
func (b *balances) ask(ctx context.Context, p Provider, now func() time.Time) (balance, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if last, known := b.last[p.Name]; known && now().Sub(last.At) < balanceLife {
		return last, nil
	}
	ctx, cancel := context.WithTimeout(ctx, balanceTimeout)
	defer cancel()
	accounts, err := p.Balance.Balance(ctx)
	said := balance{now(), accounts, err != nil}
	if ctx.Err() == nil || err == nil { // who closed the page has learned nothing
		b.last[p.Name] = said
	}
	return said, err
}

// balance answers with the page of a provider and its balance.
func (c *Console) balance(w http.ResponseWriter, r *http.Request) {
	for _, p := range c.o.Providers {
		if p.Name != r.PathValue("provider") || p.Balance == nil {
			continue
		}
		said, err := c.balances.ask(r.Context(), p, c.o.Now)
		if err != nil {
			c.o.Logger.WarnContext(r.Context(), "a provider did not say its balance", "provider", p.Name, "error", err)
		}
		page := c.pageOf(p)
		page.Said = &said
		c.render(w, r, http.StatusOK, "provider", p.Name, page)
		return
	}
	c.notFound(w, r)
}
