package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"payonce/pkg/sandbox/diamondpay"
	"payonce/test/testenv"
)

// provider is the account whose webhooks are sent.
const provider = testenv.DiamondPayV2

// system is a nats-server and an ingress, each a process of its own.
type system struct {
	*testenv.System
	nats    *testenv.NATS
	ingress *testenv.Process
	url     string
}

// start starts both, with the broker's streams in a folder, and an ingress with the limits that a file has which says nothing of them.
func start(t testing.TB, store string) *system {
	dir := t.TempDir()
	streams, err := os.MkdirTemp(store, "payonce-load-streams-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(streams) })
	s := &system{nats: testenv.StartNATS(t, dir, testenv.NATSOptions{Store: streams})}
	s.System = testenv.NewSystem(t, dir, testenv.Addresses{NATS: []string{s.nats.URL}, Redis: "127.0.0.1:1", Sandbox: "http://127.0.0.1:1"}, nil)
	s.Edit("      requests_per_second: 10000 # a test environment is in a hurry\n", "", "      burst: 10000\n", "",
		"level: debug\n  format: text", "level: info\n  format: json")
	s.url = "http://" + s.At.Listen
	s.ingress = s.Process(testenv.Build(t, "payonce/cmd/ingress"), "ingress", "listening on")
	return s
}

// webhooks makes signed calls of the provider, each for an order of its own.
func (s *system) webhooks(prefix string, n int) []vegeta.Target {
	targets := make([]vegeta.Target, n)
	for i := range targets {
		order := fmt.Sprintf("%s%d", prefix, i)
		body, err := diamondpay.SignedRequest(diamondpay.HMACSHA256, s.Keys.SharedSecret(), map[string]any{
			"platform_id": testenv.PlatformID, "payment_cl_id": order, "payment_id": fmt.Sprintf("P%d", i),
			"amount": "10000", "real_amount": "10000", "status": "2", "currency": "KRW",
		})
		s.Must(err)
		targets[i] = vegeta.Target{
			Method: http.MethodPost, URL: withOrder(s.url+"/webhooks/"+provider, order), Body: body,
			Header: http.Header{"Content-Type": {"application/json"}},
		}
	}
	return targets
}

// commands makes deposits, each with an order of its own.
func (s *system) commands(prefix string, n int) []vegeta.Target {
	targets := make([]vegeta.Target, n)
	for i := range targets {
		order := fmt.Sprintf("%s%d", prefix, i)
		targets[i] = vegeta.Target{
			Method: http.MethodPost, URL: withOrder(s.url+"/v1/deposits", order),
			Body:   fmt.Appendf(nil, `{"provider":%q,"order":%q,"method":"card","amount":{"value":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`, provider, order),
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + s.APIKey}},
		}
	}
	return targets
}

// freeze stops the broker's process after a while, and continues it after another. The function that it
// returns waits for that.
func (s *system) freeze(after, length time.Duration) (thawed func()) {
	var frozen sync.WaitGroup
	var err error
	frozen.Go(func() {
		<-time.After(after)
		err = s.nats.Signal(syscall.SIGSTOP)
		<-time.After(length)
		err = errors.Join(err, s.nats.Signal(syscall.SIGCONT))
	})
	return func() { frozen.Wait(); s.Must(err) }
}
