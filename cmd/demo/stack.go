package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"

	"payonce/internal/app"
	"payonce/internal/freeport"
	"payonce/internal/testenv"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/sandbox"
)

// provider is the account that most of the scenario is about.
const provider = testenv.TeemoPay

// stack is the whole system.
type stack struct {
	dir       string
	keepFiles bool
	config    string // path of the configuration of ingress and workers
	apiKey    string
	ingress   string // base URL
	sandboxAt string // base URL
	natsURL   string

	sandbox *sandbox.Sandbox
	redis   *miniredis.Miniredis
	log     *jetstream.Conn // reads the log and the dead letters
	workers []worker
	ledger  *ledger

	closers []func() // run in reverse
}

func startStack(ctx context.Context, listen string) (*stack, error) {
	dir, err := os.MkdirTemp("", "payonce-demo-")
	if err != nil {
		return nil, err
	}
	s := &stack{dir: dir}
	steps := []func(context.Context) error{
		s.startNATS, s.startRedis,
		func(ctx context.Context) error { return s.startSandbox(ctx, listen) },
		s.startIngress, s.startWorkers, s.startLedger,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			s.keepFiles = true
			s.close()
			return nil, fmt.Errorf("%w (logs in %s)", err, dir)
		}
	}
	return s, nil
}

// close stops everything that was started, the last first.
func (s *stack) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
	if !s.keepFiles {
		_ = os.RemoveAll(s.dir)
	}
}

// startNATS runs a real nats-server in this process, with JetStream on disk.
func (s *stack) startNATS(context.Context) error {
	ns, err := server.NewServer(&server.Options{
		ServerName: "payonce-demo", Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true,
		StoreDir: filepath.Join(s.dir, "nats"), SyncAlways: true, NoSigs: true, NoLog: true,
	})
	if err != nil {
		return fmt.Errorf("nats-server: %w", err)
	}
	ns.Start()
	s.closers = append(s.closers, func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(time.Minute) {
		return errors.New("nats-server does not answer")
	}
	s.natsURL = ns.ClientURL()
	return nil
}

func (s *stack) startRedis(context.Context) error {
	s.redis = miniredis.NewMiniRedis()
	if err := s.redis.StartAddr("127.0.0.1:0"); err != nil {
		return fmt.Errorf("miniredis: %w", err)
	}
	s.closers = append(s.closers, s.redis.Close)
	return nil
}

// startSandbox runs the providers' simulator and writes the configuration that points to it.
func (s *stack) startSandbox(ctx context.Context, listen string) error {
	keys, err := testenv.NewKeys()
	if err != nil {
		return err
	}
	if listen == "" {
		if listen, err = freeport.Address(ctx); err != nil {
			return err
		}
	}
	at := testenv.Addresses{NATS: []string{s.natsURL}, Redis: s.redis.Addr(), Listen: listen}
	accounts, err := keys.Accounts(at, nil)
	if err != nil {
		return err
	}
	if s.sandbox, err = sandbox.New(sandbox.Options{Now: time.Now, Accounts: accounts}); err != nil {
		return err
	}
	s.closers = append(s.closers, s.sandbox.Close)
	if at.Sandbox, err = s.serve(ctx, s.sandbox); err != nil {
		return err
	}
	s.ingress, s.sandboxAt = "http://"+listen, at.Sandbox
	if s.config, s.apiKey, err = keys.WriteConfig(s.dir, at); err != nil {
		return err
	}
	// An answer that is given up has taken the customer's link with it, which no look-up brings back.
	s.config, err = testenv.Unhurried(s.config)
	return err
}

// serve answers on a free loopback port and returns the base URL.
func (s *stack) serve(ctx context.Context, handler http.Handler) (string, error) {
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(listener) }()
	s.closers = append(s.closers, func() { _ = srv.Close() })
	return "http://" + listener.Addr().String(), nil
}

// startIngress runs the ingress service in this process, from the same configuration as the workers.
func (s *stack) startIngress(ctx context.Context) error {
	logs, err := os.Create(filepath.Join(s.dir, "ingress.log"))
	if err != nil {
		return err
	}
	rt, err := app.Load(app.Ingress(), s.config, logs)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() {
		ended <- app.Ingress().Run(ctx, rt, func(string) { once.Do(func() { close(ready) }) })
	}()
	s.closers = append(s.closers, func() { cancel(); <-ended; _ = logs.Close() })
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		return fmt.Errorf("ingress: %w", err)
	}
	s.log, err = jetstream.Connect(ctx, jetstream.Options{
		URLs: []string{s.natsURL}, Name: "demo", Config: app.StreamConfig(rt.Config), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, func() { _ = s.log.Close() })
	return nil
}
