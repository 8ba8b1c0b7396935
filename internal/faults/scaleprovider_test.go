//go:build measure

package faults

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path"
	"sync"
	"testing"
	"time"

	"payonce/internal/testenv"
)

// scaleProvider takes every payout at once and says of every order that it is still pending. It can be away: nobody
// listens then.
type scaleProvider struct {
	t       *testing.T
	address string
	server  *http.Server

	mu      sync.Mutex
	taken   map[string][]time.Time   // by order, each request to pay
	waiting map[string]chan struct{} // by order, closed at the first
	lookups int
}

func newScaleProvider(t *testing.T) *scaleProvider {
	t.Helper()
	p := &scaleProvider{t: t, address: testenv.FreeAddress(t), taken: map[string][]time.Time{}, waiting: map[string]chan struct{}{}}
	p.open()
	t.Cleanup(p.close)
	return p
}

func (p *scaleProvider) url() string { return "http://" + p.address }

func (p *scaleProvider) open() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.server = &http.Server{Handler: p}
	go func() { _ = p.server.Serve(listener) }()
}

func (p *scaleProvider) close() { _ = p.server.Close() }

func (p *scaleProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	order := path.Base(r.URL.Path)
	if r.Method == http.MethodPost {
		var asked struct {
			Order string `json:"payout_cl_id"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		order = asked.Order
	}
	p.note(r.Method, order)
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPost {
		_, _ = fmt.Fprintf(w, `{"error_code":"0000","data":{"payout_id":"P%s"}}`, order)
		return
	}
	_, _ = fmt.Fprintf(w, `{"error_code":"0000","data":{"payout_cl_id":%[1]q,"payout_id":"P%[1]s","platform_id":"PF0002","amount":"10000","status":"1"}}`, order)
}

func (p *scaleProvider) note(method, order string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if method != http.MethodPost {
		p.lookups++
		return
	}
	if p.taken[order] = append(p.taken[order], time.Now()); len(p.taken[order]) == 1 && p.waiting[order] != nil {
		close(p.waiting[order])
	}
}

// expect returns a channel that is closed when the order is paid. Call it before.
func (p *scaleProvider) expect(order string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[order] = make(chan struct{})
	return p.waiting[order]
}

// at is when the provider was asked to pay the order for the first time.
func (p *scaleProvider) at(order string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken[order][0]
}

// counts returns how many orders were paid, how many of them more than once, and how often it was asked about one.
func (p *scaleProvider) counts() (paid, twice, lookups int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, times := range p.taken {
		if len(times) > 1 {
			twice++
		}
	}
	return len(p.taken), twice, p.lookups
}

// moments returns the time of every request to pay.
func (p *scaleProvider) moments() (all []time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, times := range p.taken {
		all = append(all, times...)
	}
	return all
}
