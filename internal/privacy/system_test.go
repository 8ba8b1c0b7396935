package privacy_test

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/internal/freeport"
	"payonce/internal/natstest"
	"payonce/internal/redistest"
	"payonce/internal/testenv"
	"payonce/internal/testmerchant"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/sandbox"
)

// timeout bounds everything that must happen.
const timeout = 3 * time.Minute

// system is the whole of it: ingress, worker, every provider's simulator, nats-server and Redis.
type system struct {
	t     *testing.T
	shop  testmerchant.Shop
	nats  *nats.Conn
	conn  *jetstream.Conn
	redis *redistest.Server

	stopIngress, stopWorker func()

	mu    sync.Mutex
	heard []*nats.Msg // everything that was published
}

func start(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, redis: redistest.Start(t)}
	broker := natstest.Start(t)
	s.listen(broker.URL())
	listen, err := freeport.Address(t.Context())
	s.must(err)
	at := testenv.Addresses{NATS: []string{broker.URL()}, Redis: s.redis.Addr(), Listen: listen}
	keys, err := testenv.NewKeys()
	s.must(err)
	accounts, err := keys.Accounts(at, nil)
	s.must(err)
	box, err := sandbox.New(sandbox.Options{Now: time.Now, Accounts: accounts})
	s.must(err)
	api := httptest.NewServer(box)
	t.Cleanup(func() { box.Close(); api.Close() })
	at.Sandbox = api.URL
	path, key, err := keys.WriteConfig(t.TempDir(), at)
	s.must(err)
	path, err = testenv.Unhurried(path)
	s.must(err)
	s.shop = testmerchant.Shop{Ingress: "http://" + listen, Sandbox: at.Sandbox, Key: key}
	s.stopIngress = sync.OnceFunc(s.run(app.Ingress(), path))
	t.Cleanup(s.stopIngress)
	s.stopWorker = sync.OnceFunc(s.run(app.Worker(), path))
	t.Cleanup(s.stopWorker)
	s.conn, err = jetstream.Connect(t.Context(), jetstream.Options{
		URLs: at.NATS, Name: "privacy", Config: jetstream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	s.must(err)
	t.Cleanup(func() { _ = s.conn.Close() })
	return s
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// run runs a service until the returned function is called, which waits for its end.
func (s *system) run(service app.Service, config string) (stop func()) {
	rt, err := app.Load(service, config, io.Discard)
	s.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ready, ended := make(chan struct{}), make(chan error, 1)
	once := sync.OnceFunc(func() { close(ready) })
	go func() { ended <- service.Run(ctx, rt, func(string) { once() }) }()
	select {
	case <-ready:
	case err := <-ended:
		s.t.Fatalf("%s: %v", service.Name, err)
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("%s: %v", service.Name, err)
		}
	}
}

// listen hears every message that is published, also one that a stream keeps for a moment only.
func (s *system) listen(url string) {
	nc, err := nats.Connect(url)
	s.must(err)
	s.t.Cleanup(nc.Close)
	s.nats = nc
	_, err = nc.Subscribe(">", func(m *nats.Msg) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, m)
	})
	s.must(err)
	s.must(nc.Flush())
}

// published returns everything that was published so far.
func (s *system) published() []*nats.Msg {
	s.must(s.nats.Flush())
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*nats.Msg(nil), s.heard...)
}

// inRedis returns every key of Redis with its value, as text.
func (s *system) inRedis() map[string]string {
	ctx := s.t.Context()
	client, err := redis.NewClient(redis.Config{Addresses: []string{s.redis.Addr()}})
	s.must(err)
	defer func() { _ = client.Close() }()
	names, err := client.Keys(ctx, "*").Result()
	s.must(err)
	all := map[string]string{}
	for _, name := range names {
		kind, err := client.Type(ctx, name).Result()
		s.must(err)
		switch kind {
		case "string":
			all[name], err = client.Get(ctx, name).Result()
		case "hash":
			fields, failed := client.HGetAll(ctx, name).Result()
			for field, value := range fields {
				all[name] += field + "=" + value + "\n"
			}
			err = failed
		case "none": // it expired just now
		default:
			s.t.Errorf("%s is a %s, which this test cannot read", name, kind)
		}
		s.must(err)
	}
	return all
}

func (s *system) streams() njs.JetStream {
	js, err := njs.New(s.nats)
	s.must(err)
	return js
}
