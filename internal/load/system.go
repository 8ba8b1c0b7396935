package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"payonce/internal/freeport"
	"payonce/internal/testenv"
	"payonce/pkg/sandbox/diamondpay"
)

// startTimeout bounds how long the programs may take to be built and to begin to work.
const startTimeout = 5 * time.Minute

// provider is the account whose webhooks are sent.
const provider = testenv.DiamondPayV2

// system is a nats-server and an ingress, each a process of its own.
type system struct {
	dir     string
	store   string // of the broker
	nats    *testenv.Process
	ingress *testenv.Process
	natsURL string
	url     string
	apiKey  string
	keys    testenv.Keys
}

func start(ctx context.Context, store string) (_ *system, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &system{}
	if s.dir, err = os.MkdirTemp("", "payonce-load-"); err != nil {
		return nil, err
	}
	if s.store, err = os.MkdirTemp(store, "payonce-load-streams-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	for name, source := range map[string]string{"nats-server": "github.com/nats-io/nats-server/v2", "ingress": "payonce/cmd/ingress"} {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(s.dir, name), source).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go build %s: %w\n%s", source, err, out)
		}
	}
	if err := s.startNATS(ctx); err != nil {
		return nil, err
	}
	return s, s.startIngress(ctx)
}

// startNATS runs a nats-server that syncs every write to the disk, as production does.
func (s *system) startNATS(ctx context.Context) error {
	address, err := freeport.Address(ctx)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	config := fmt.Sprintf("listen: 127.0.0.1:%s\njetstream { store_dir: %q, sync_interval: always }\n", port, s.store)
	path := filepath.Join(s.dir, "nats.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return err
	}
	s.natsURL = "nats://" + address
	s.nats, err = testenv.Start(ctx, exec.Command(filepath.Join(s.dir, "nats-server"), "--config", path), io.Discard, "Server is ready")
	return err
}

// startIngress runs an ingress with the limits that a file has which says nothing of them.
func (s *system) startIngress(ctx context.Context) error {
	listen, err := freeport.Address(ctx)
	if err != nil {
		return err
	}
	s.url = "http://" + listen
	if s.keys, err = testenv.NewKeys(); err != nil {
		return err
	}
	path, apiKey, err := s.keys.WriteConfig(s.dir, testenv.Addresses{NATS: []string{s.natsURL}, Redis: "127.0.0.1:1", Listen: listen, Sandbox: "http://127.0.0.1:1"})
	if err != nil {
		return err
	}
	s.apiKey = apiKey
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, hurry := range []string{"      requests_per_second: 10000 # a test environment is in a hurry\n", "      burst: 10000\n"} {
		if !bytes.Contains(text, []byte(hurry)) {
			return errors.New("the configuration of test environments has changed: its rate is not known")
		}
		text = bytes.Replace(text, []byte(hurry), nil, 1)
	}
	text = bytes.Replace(text, []byte("level: debug\n  format: text"), []byte("level: info\n  format: json"), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	s.ingress, err = testenv.Start(ctx, exec.Command(filepath.Join(s.dir, "ingress"), "--config", path), io.Discard, "listening on")
	return err
}

func (s *system) stop() {
	for _, p := range []*testenv.Process{s.ingress, s.nats} {
		if p != nil {
			p.Kill()
		}
	}
	_ = os.RemoveAll(s.dir)
	_ = os.RemoveAll(s.store)
}

// webhooks makes signed calls of the provider, each for an order of its own.
func (s *system) webhooks(prefix string, n int) ([]vegeta.Target, error) {
	targets := make([]vegeta.Target, n)
	for i := range targets {
		order := fmt.Sprintf("%s%d", prefix, i)
		body, err := diamondpay.SignedRequest(diamondpay.HMACSHA256, s.keys.SharedSecret(), map[string]any{
			"platform_id": testenv.PlatformID, "payment_cl_id": order, "payment_id": fmt.Sprintf("P%d", i),
			"amount": "10000", "real_amount": "10000", "status": "2", "currency": "KRW",
		})
		if err != nil {
			return nil, err
		}
		targets[i] = vegeta.Target{
			Method: http.MethodPost, URL: withOrder(s.url+"/webhooks/"+provider, order), Body: body,
			Header: http.Header{"Content-Type": {"application/json"}},
		}
	}
	return targets, nil
}

// commands makes deposits, each with an order of its own.
func (s *system) commands(prefix string, n int) []vegeta.Target {
	targets := make([]vegeta.Target, n)
	for i := range targets {
		order := fmt.Sprintf("%s%d", prefix, i)
		targets[i] = vegeta.Target{
			Method: http.MethodPost, URL: withOrder(s.url+"/v1/deposits", order),
			Body:   fmt.Appendf(nil, `{"provider":%q,"order":%q,"method":"card","amount":{"value":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`, provider, order),
			Header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + s.apiKey}},
		}
	}
	return targets
}

// freeze stops the broker's process after a while, and continues it after another. The function that it
// returns waits for that.
func (s *system) freeze(after, length time.Duration) (thawed func() error) {
	var frozen sync.WaitGroup
	var err error
	frozen.Go(func() {
		<-time.After(after)
		err = s.nats.Signal(syscall.SIGSTOP)
		<-time.After(length)
		err = errors.Join(err, s.nats.Signal(syscall.SIGCONT))
	})
	return func() error { frozen.Wait(); return err }
}

// memory returns the most memory that the ingress ever had resident, in bytes (proc(5), VmHWM).
func (s *system) memory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.ingress.Pid()))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) < 2 || fields[1] != "kB" {
		return 0, errors.New("the memory of the ingress is not told")
	}
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	return kilobytes << 10, err
}
