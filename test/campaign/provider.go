package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// provider talks to the sandbox's admin API, past all proxies.
type provider struct {
	at     string // base URL
	client *http.Client
}

func newProvider(at string) *provider {
	return &provider{at: at, client: &http.Client{Timeout: 30 * time.Second}}
}

func (p *provider) ask(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, p.at+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	reply, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("sandbox: %s %s: status %d", method, path, reply.StatusCode)
	}
	return json.NewDecoder(reply.Body).Decode(into)
}

// truth returns everything that happened at the providers.
func (p *provider) truth(ctx context.Context) (sandbox.Truth, error) {
	var truth sandbox.Truth
	return truth, p.ask(ctx, http.MethodGet, "/admin/truth", nil, &truth)
}

// knows reports whether an account has heard of an order; false also if the sandbox does not answer.
func (p *provider) knows(ctx context.Context, ref payment.Ref) bool {
	var order sandbox.Order
	err := p.ask(ctx, http.MethodGet, "/admin/"+ref.Provider+"/orders/"+ref.Order, nil, &order)
	return err == nil && (len(order.Charges) > 0 || order.State != sandbox.Unknown)
}

// fund puts money into an account that is overdrawn.
func (p *provider) fund(ctx context.Context, account string, amount int64) error {
	var balance map[string]string
	return p.ask(ctx, http.MethodPost, "/admin/"+account+"/fund", map[string]string{"amount": strconv.FormatInt(amount, 10)}, &balance)
}

// customers open the payment pages that they are sent to: only with that the provider hears of the
// payment. Other links lead to pages that the sandbox does not have.
type customers struct {
	provider *provider
	visits   sync.WaitGroup
	seen     map[payment.Ref]bool // of the one goroutine that follows the log
	slots    chan struct{}        // one for each page that is open
}

func newCustomers(p *provider) *customers {
	return &customers{provider: p, seen: map[payment.Ref]bool{}, slots: make(chan struct{}, 64)}
}

// hear lets the customer of a payment act once.
func (c *customers) hear(ctx context.Context, p payment.Payment) {
	page := p.Provider == testenv.ECommPay || p.Provider == testenv.ECommPayRedirect
	if !page || p.Action == nil || p.Action.Redirect == nil || p.Action.Redirect.Method != http.MethodGet || c.seen[p.Ref] {
		return
	}
	c.seen[p.Ref] = true
	c.visits.Go(func() {
		c.slots <- struct{}{}
		defer func() { <-c.slots }()
		for ctx.Err() == nil && !c.visit(ctx, p.Ref, p.Action.Redirect.URL) {
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	})
}

// visit opens a page and returns whether the provider knows the payment then. A customer who sees an error
// does not: reloading would ask the provider for a second payment.
func (c *customers) visit(ctx context.Context, ref payment.Ref, link string) bool {
	short, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var page struct {
		Status int `json:"status"`
	}
	err := c.provider.ask(short, http.MethodPost, "/admin/"+ref.Provider+"/visit", map[string]string{"link": link}, &page)
	return err == nil && page.Status < http.StatusBadRequest || c.provider.knows(ctx, ref)
}
