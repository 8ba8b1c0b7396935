package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/internal/bench/baseline"
	"payonce/internal/freeport"
	"payonce/internal/testenv"
	"payonce/pkg/events/jetstream"
)

// system is a nats-server and a redis-server, each a process of its own with nothing in it, a provider that
// answers at once, and a connection of ours.
type system struct {
	dir      string // on the measured disk
	slots    int
	nats     *testenv.Process
	redisOf  *testenv.Process
	provider *httptest.Server
	natsURL  string
	monitor  string // base URL of the broker's monitoring
	profiles string // base URL of its profiles
	redis    string
	config   string // file
	conn     *nats.Conn
	js       njs.JetStream
}

func start(ctx context.Context, b *builds, store string, slots int, sync bool) (_ *system, err error) {
	s := &system{slots: slots}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp(store, "payonce-bench-"); err != nil {
		return nil, err
	}
	s.provider = httptest.NewServer(http.HandlerFunc(answer))
	if err := s.startNATS(ctx, b.path("nats-server"), sync); err != nil {
		return nil, err
	}
	if err := s.startRedis(ctx, sync); err != nil {
		return nil, err
	}
	if err := s.configure(); err != nil {
		return nil, err
	}
	if err := s.makeStreams(ctx); err != nil {
		return nil, err
	}
	if s.conn, err = nats.Connect(s.natsURL); err != nil {
		return nil, err
	}
	s.js, err = njs.New(s.conn, njs.WithPublishAsyncMaxPending(512))
	return s, err
}

func (s *system) startNATS(ctx context.Context, binary string, sync bool) error {
	address, err := freeport.Address(ctx)
	if err != nil {
		return err
	}
	monitor, err := freeport.Address(ctx)
	if err != nil {
		return err
	}
	profiles, err := freeport.Address(ctx)
	if err != nil {
		return err
	}
	always := ""
	if sync {
		always = ", sync_interval: always"
	}
	_, port, err := net.SplitHostPort(profiles)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("listen: %q\nhttp: %q\nprof_port: %s\njetstream { store_dir: %q%s }\n", address, monitor, port, filepath.Join(s.dir, "nats"), always)
	file := filepath.Join(s.dir, "nats.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	s.natsURL, s.monitor, s.profiles = "nats://"+address, "http://"+monitor, "http://"+profiles
	s.nats, err = testenv.Start(ctx, exec.Command(binary, "--config", file), io.Discard, "Server is ready")
	return err
}

func (s *system) startRedis(ctx context.Context, sync bool) (err error) {
	if s.redis, err = freeport.Address(ctx); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(s.redis)
	if err != nil {
		return err
	}
	fsync := "everysec"
	if sync {
		fsync = "always"
	}
	s.redisOf, err = testenv.Start(ctx, exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--dir", s.dir,
		"--logfile", "/dev/stderr", "--save", "", "--appendonly", "yes", "--appendfsync", fsync, "--maxmemory-policy", "noeviction"),
		io.Discard, "Ready to accept connections")
	return err
}

func (s *system) configure() error {
	s.config = filepath.Join(s.dir, "payonce.yaml")
	text := fmt.Sprintf(configText, s.natsURL, s.redis, s.slots, s.provider.URL)
	return errors.Join(os.WriteFile(s.config, []byte(text), 0o600),
		os.WriteFile(filepath.Join(s.dir, "secret"), []byte(baseline.Secret), 0o600))
}

// makeStreams makes the streams as payonce has them. All programs use them.
func (s *system) makeStreams(ctx context.Context) error {
	rt, err := app.Load(app.Worker(), s.config, io.Discard)
	if err != nil {
		return err
	}
	conn, err := jetstream.Connect(ctx, jetstream.Options{
		URLs: []string{s.natsURL}, Name: "bench", Config: app.StreamConfig(rt.Config), Logger: rt.Logger, Now: time.Now,
	})
	if err != nil {
		return err
	}
	return errors.Join(conn.EnsureStreams(ctx), conn.Close())
}

func (s *system) stop() {
	if s.conn != nil {
		s.conn.Close()
	}
	for _, p := range []*testenv.Process{s.nats, s.redisOf} {
		if p != nil {
			p.Kill()
		}
	}
	if s.provider != nil {
		s.provider.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// answer is the provider: it takes every deposit at once and remembers nothing.
func answer(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Order  string `json:"payment_cl_id"`
		Amount string `json:"amount"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"error_code":"0000","data":{"link":"https://pay.example.com/cashier/%[1]s","payment_cl_id":%[1]q,"payment_id":"P%[1]s","amount":%[2]q}}`, asked.Order, asked.Amount)
}
