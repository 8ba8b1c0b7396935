//go:build measure

package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/natstest"
	"payonce/internal/redistest"
	"payonce/internal/testenv"
	"payonce/pkg/events"
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
