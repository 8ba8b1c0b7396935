package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/internal/streamconfig"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/test/bench/baseline"
	"payonce/test/natstest"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

// system is a NATS and a redis-server, processes of their own with nothing in them, a provider, and a connection of ours.
type system struct {
	setting
	t        testing.TB
	nats     []*testenv.NATS
	redis    *redistest.Server
	provider string   // base URL
	monitors []string // base URLs of the broker's monitoring
	profiler string   // base URL of the first server's profiles
	config   string   // file
	js       njs.JetStream
	conn     *admin.Conn
	round    int          // in the names of its orders, 0 before the first
	lookups  atomic.Int64 // that the provider got
	from     int          // sequence of the log from which a round's outcomes are read
}

func start(t testing.TB, store string, in setting) *system {
	dir, err := os.MkdirTemp(store, "payonce-bench-") // on the measured disk
	testenv.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &system{t: t, setting: in}
	s.startNATS(dir)
	fsync := map[bool]string{false: "everysec", true: "always"}[in.sync]
	s.redis = redistest.Start(t, "--dir", dir, "--appendfsync", fsync)
	s.provider = testenv.HTTP(t, "127.0.0.1:0", http.HandlerFunc(s.answer))
	s.config = filepath.Join(dir, "payonce.yaml")
	testenv.Must(t, errors.Join(os.WriteFile(s.config, []byte(s.configuration(time.Now())), 0o600), os.WriteFile(filepath.Join(dir, "secret"), []byte(baseline.Secret), 0o600)))
	rt, err := app.Load(app.Worker(), s.config, io.Discard)
	testenv.Must(t, err)
	// The streams are as payonce has them. All programs use them.
	s.conn = testenv.Connect(t, jetstream.Options{URLs: s.urls(), Config: streamconfig.Of(rt.Config)})
	testenv.Await(t.Context(), t, "the streams have leaders", func() bool {
		err = s.conn.EnsureStreams(t.Context())
		return err == nil || in.nodes == 1
	})
	testenv.Must(t, err)
	s.js, err = njs.New(natstest.JetStream(t, s.urls()[0]).Conn(), njs.WithPublishAsyncMaxPending(512))
	testenv.Must(t, err)
	return s
}

// startNATS starts as many servers as the setting has, and waits until they take streams.
func (s *system) startNATS(dir string) {
	routes := make([]string, s.nodes)
	for i := range routes {
		routes[i] = testenv.FreeAddress(s.t)
	}
	for i, route := range routes {
		monitor, profiler := testenv.FreeAddress(s.t), testenv.FreeAddress(s.t)
		_, port, _ := net.SplitHostPort(profiler)
		lines := fmt.Sprintf("http: %q\nprof_port: %s\nserver_name: bench-%d", monitor, port, i+1)
		if s.nodes > 1 {
			lines += fmt.Sprintf("\ncluster { name: bench, listen: %q, routes: [\"nats://%s\"] }", route, strings.Join(routes, `", "nats://`))
		}
		s.monitors = append(s.monitors, "http://"+monitor)
		if i == 0 {
			s.profiler = "http://" + profiler
		}
		own := filepath.Join(dir, strconv.Itoa(i+1))
		testenv.Must(s.t, os.Mkdir(own, 0o700))
		s.nats = append(s.nats, testenv.StartNATS(s.t, own, testenv.NATSOptions{Unsynced: !s.sync, Lines: lines}))
	}
	if s.nodes > 1 {
		js := natstest.JetStream(s.t, s.urls()[0])
		testenv.Await(s.t.Context(), s.t, "the cluster has a leader", func() bool {
			ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
			defer cancel()
			_, err := js.AccountInfo(ctx)
			return err == nil
		})
	}
}

func (s *system) urls() (urls []string) {
	for _, server := range s.nats {
		urls = append(urls, server.URL)
	}
	return urls
}
