package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/internal/streamconfig"
	"payonce/pkg/events/jetstream"
	"payonce/test/bench/baseline"
	"payonce/test/natstest"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

// system is a nats-server and a redis-server, each a process of its own with nothing in it, a provider that
// answers at once, and a connection of ours.
type system struct {
	t        testing.TB
	slots    int
	nats     *testenv.NATS
	redis    *redistest.Server
	provider string // base URL
	monitor  string // base URL of the broker's monitoring
	profiler string // base URL of its profiles
	config   string // file
	js       njs.JetStream
}

func start(t testing.TB, store string, slots int, sync bool) *system {
	dir, err := os.MkdirTemp(store, "payonce-bench-") // on the measured disk
	testenv.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &system{t: t, slots: slots}
	monitor, profiler := testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(profiler)
	s.monitor, s.profiler = "http://"+monitor, "http://"+profiler
	s.nats = testenv.StartNATS(t, dir, testenv.NATSOptions{Unsynced: !sync, Lines: fmt.Sprintf("http: %q\nprof_port: %s", monitor, port)})
	fsync := map[bool]string{false: "everysec", true: "always"}[sync]
	s.redis = redistest.Start(t, "--dir", dir, "--appendfsync", fsync)
	s.provider = testenv.HTTP(t, "127.0.0.1:0", http.HandlerFunc(answer))
	s.config = filepath.Join(dir, "payonce.yaml")
	text := fmt.Sprintf(configText, s.nats.URL, s.redis.Addr(), s.slots, s.provider)
	testenv.Must(t, errors.Join(os.WriteFile(s.config, []byte(text), 0o600), os.WriteFile(filepath.Join(dir, "secret"), []byte(baseline.Secret), 0o600)))
	rt, err := app.Load(app.Worker(), s.config, io.Discard)
	testenv.Must(t, err)
	// The streams are as payonce has them. All programs use them.
	testenv.Must(t, testenv.Connect(t, jetstream.Options{URLs: []string{s.nats.URL}, Config: streamconfig.Of(rt.Config)}).EnsureStreams(t.Context()))
	s.js, err = njs.New(natstest.JetStream(t, s.nats.URL).Conn(), njs.WithPublishAsyncMaxPending(512))
	testenv.Must(t, err)
	return s
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
