//go:build measure

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/test/natstest"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

const scaled = "acme-kr"

// scale is a nats-server that syncs every write, a redis-server, a provider and any number of worker processes.
type scale struct {
	*testenv.System
	nats     *natstest.Server
	provider *scaleProvider
	workers  int
}

// startScale starts everything but workers. Text is what the configuration says of workers and of the provider.
func startScale(t *testing.T, worker, account string) *scale {
	t.Helper()
	server, store := natstest.StartSynced(t), redistest.Start(t)
	s := &scale{System: newLog(t, server), nats: server, provider: newScaleProvider(t)}
	s.Config = filepath.Join(s.Dir, "payonce.yaml")
	text := fmt.Sprintf(scaleConfig, server.URL(), store.Addr(), worker, account, s.provider.url())
	s.Must(os.WriteFile(s.Config, []byte(text), 0o600))
	s.Must(os.WriteFile(filepath.Join(s.Dir, "secret"), []byte("scale-secret-0123456789"), 0o600))
	return s
}

const scaleConfig = `environment: test
nats:
  urls: [%q]
redis:
  addresses: [%q]
worker:
  shutdown_timeout: 30s
%s
providers:
  ` + scaled + `:
    kind: diamondpay
%s
    settings:
      base_url: %s
      platform_id: PF0002
      secret_file: secret
      sign_type: HMAC-SHA256
      currency: KRW
      version: v2
      settling_delay: 1m
      callback_url: http://127.0.0.1:1/webhooks/` + scaled + `
      allow_plain_links: true
`

// work starts a worker process.
func (s *scale) work() *testenv.Process {
	s.T.Helper()
	s.workers++
	return s.Process(shipped(s.T, "worker"), fmt.Sprintf("worker-%d", s.workers), "working")
}

func (s *scale) publish(ctx context.Context, order string) error {
	return publish(ctx, s.Log, payoutOf(scaled, order))
}

// timers returns the consumers of the log.
func (s *scale) timers() (log njs.Stream, all []*njs.ConsumerInfo) {
	s.T.Helper()
	log, err := natstest.JetStream(s.T, s.nats.URL()).Stream(s.T.Context(), events.StreamPayments)
	s.Must(err)
	for info := range log.ListConsumers(s.T.Context()).Info() {
		all = append(all, info)
	}
	return log, all
}

// forgetTimers deletes the consumers of the log, so that the next worker makes them.
func (s *scale) forgetTimers() {
	s.T.Helper()
	log, all := s.timers()
	for _, timer := range all {
		if err := log.DeleteConsumer(s.T.Context(), timer.Name); err != nil {
			s.T.Fatal(err)
		}
	}
}

// read says how many events each timer was given.
func (s *scale) read() (text string) {
	s.T.Helper()
	_, all := s.timers()
	for _, timer := range all {
		text += fmt.Sprintf("%s %d, ", timer.Name, timer.Delivered.Consumer)
	}
	return strings.TrimSuffix(text, ", ")
}

// scaleProvider takes every payout at once and says of every order that it is still pending. It can be away: no
// server listens then.
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
	testenv.Must(p.t, err)
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
