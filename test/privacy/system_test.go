package privacy_test

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/idempotency/redis"
	"payonce/test/natstest"
	"payonce/test/redistest"
	"payonce/test/testenv"
	"payonce/test/testmerchant"
)

// timeout bounds everything that must happen.
const timeout = 3 * time.Minute

// system is the whole of it: ingress, worker, every provider's simulator, nats-server and Redis.
type system struct {
	*testenv.System
	shop  testmerchant.Shop
	js    njs.JetStream
	redis *redistest.Server

	stopIngress, stopWorker func()

	mu    sync.Mutex
	heard []*nats.Msg // everything that was published
}

func start(t *testing.T) *system {
	t.Helper()
	broker, store := natstest.Start(t), redistest.Start(t)
	s := &system{redis: store, js: natstest.JetStream(t, broker.URL())}
	s.System = testenv.NewSystem(t, t.TempDir(), testenv.Addresses{NATS: []string{broker.URL()}, Redis: store.Addr()}, nil)
	s.listen()
	s.Unhurried()
	s.shop = testmerchant.Shop{Ingress: "http://" + s.At.Listen, Sandbox: s.At.Sandbox, Key: s.APIKey}
	s.stopIngress, s.stopWorker = s.run(app.Ingress()), s.run(app.Worker())
	s.Log = testenv.Connect(t, jetstream.Options{URLs: s.At.NATS})
	return s
}

// run runs a service until the returned function is called.
func (s *system) run(service app.Service) (stop func()) {
	rt, err := app.Load(service, s.Config, io.Discard)
	s.Must(err)
	return testenv.Serve(s.T, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
}

// listen hears every message that is published, also one that a stream keeps for a moment only.
func (s *system) listen() {
	_, err := s.js.Conn().Subscribe(">", func(m *nats.Msg) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard = append(s.heard, m)
	})
	s.Must(err)
	s.Must(s.js.Conn().Flush())
}

// published returns everything that was published so far.
func (s *system) published() []*nats.Msg {
	s.Must(s.js.Conn().Flush())
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*nats.Msg(nil), s.heard...)
}

// inRedis returns every key of Redis with its value, as text.
func (s *system) inRedis() map[string]string {
	ctx := s.T.Context()
	client, err := redis.NewClient(redis.Config{Addresses: []string{s.redis.Addr()}})
	s.Must(err)
	defer func() { _ = client.Close() }()
	names, err := client.Keys(ctx, "*").Result()
	s.Must(err)
	all := map[string]string{}
	for _, name := range names {
		kind, err := client.Type(ctx, name).Result()
		s.Must(err)
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
			s.T.Errorf("%s is a %s, which this test cannot read", name, kind)
		}
		s.Must(err)
	}
	return all
}
