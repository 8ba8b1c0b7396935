// Package natstest runs a real nats-server with JetStream inside a test.
package natstest

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startTimeout bounds how long a server may take to start or to stop. Machines that run tests are slow.
const startTimeout = 30 * time.Second

// Server is a nats-server on a free loopback port that keeps its streams under the test's temporary
// directory. It is stopped when the test ends. Its methods are not for concurrent use.
type Server struct {
	t        testing.TB
	options  server.Options
	instance *server.Server
}

// Start starts a server for the length of the test.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, false, t.TempDir())
}

// StartSynced is Start with "sync_interval: always", as in production: what is acknowledged is on disk.
func StartSynced(t testing.TB) *Server {
	t.Helper()
	return start(t, true, t.TempDir())
}

// StartOn is StartSynced with the streams on a disk that can be full.
func StartOn(t testing.TB, disk *Disk) *Server {
	t.Helper()
	return start(t, true, disk.Dir)
}

// StartIn is StartSynced at a host:port, with the streams in a folder that stays.
func StartIn(t testing.TB, address, dir string) *Server {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatalf("natstest: %v", err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatalf("natstest: %v", err)
	}
	return startAt(t, number, true, dir)
}

func start(t testing.TB, sync bool, dir string) *Server {
	t.Helper()
	return startAt(t, freePort(t), sync, dir)
}

func startAt(t testing.TB, port int, sync bool, dir string) *Server {
	t.Helper()
	s := &Server{t: t, options: server.Options{
		ServerName: "natstest", Host: "127.0.0.1", Port: port,
		JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true, SyncAlways: sync,
	}}
	t.Cleanup(s.Stop)
	s.start()
	return s
}

// LimitStore restarts the server with so many bytes for all streams; 0 is no limit. It is no full disk ([Disk]): the
// server says that it has no room, and takes writes again when there is some.
func (s *Server) LimitStore(bytes int64) {
	s.t.Helper()
	s.options.JetStreamMaxStore = bytes
	s.Restart()
}

// URL is where clients connect to. It stays the same over a Restart.
func (s *Server) URL() string { return "nats://" + s.Addr() }

// Addr is the host and port of URL.
func (s *Server) Addr() string {
	return net.JoinHostPort(s.options.Host, strconv.Itoa(s.options.Port))
}

// Stop ends the server and leaves its streams on disk. To stop twice does nothing.
func (s *Server) Stop() {
	if s.instance == nil {
		return
	}
	s.instance.Shutdown()
	s.instance.WaitForShutdown()
	s.instance = nil
}

// Restart stops the server, if it runs, and starts it on the same port with the same streams.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.start()
}

func (s *Server) start() {
	s.t.Helper()
	options := s.options // the server writes into what it is given
	instance, err := server.NewServer(&options)
	if err != nil {
		s.t.Fatalf("natstest: %v", err)
	}
	instance.Start()
	s.instance = instance
	if !instance.ReadyForConnections(startTimeout) {
		s.t.Fatalf("natstest: the server is not ready after %v", startTimeout)
	}
}
