// Package redistest runs real redis-server processes for tests, on the loopback and with files in the
// test's directory, and a proxy that loses replies. It knows no Redis client.
package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"payonce/test/freeport"
)

// timeout is how long a server may take for what it must do.
const timeout = 30 * time.Second

// Server is a redis-server process: AOF with appendfsync always, maxmemory-policy noeviction. Its
// methods are for the test's goroutine and fail the test on their own.
type Server struct {
	t      testing.TB
	binary string
	dir    string
	addr   string
	args   []string
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// Start runs a redis-server, waits until it answers and kills it when the test ends. Arguments come after
// the package's own, so they win, e.g. "--maxmemory-policy", "allkeys-lru".
//
// Without redis-server the test is skipped, or fails when the environment has REQUIRE_SERVICES=1.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, binary: Require(t), dir: t.TempDir()}
	t.Cleanup(func() {
		if s.running() {
			s.Kill9()
		}
	})
	s.addr = freeAddr(t)
	s.args = append(s.ownArgs(), args...)
	if err := s.launch(); err != nil {
		t.Fatalf("start redis-server: %v\n%s", err, s.log())
	}
	return s
}

// StartCluster runs a Redis Cluster of one node that owns all slots.
func StartCluster(t testing.TB) *Server {
	t.Helper()
	_, busPort, _ := net.SplitHostPort(freeAddr(t)) // the default, port+10000, can be none
	s := Start(t, "--cluster-enabled", "yes", "--cluster-port", busPort)
	s.MustDo("CLUSTER ADDSLOTSRANGE 0 16383")
	s.waitFor("the cluster to be ok", func() bool {
		info, err := s.Do("CLUSTER INFO")
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	return s
}

// Require returns the path of redis-server. Where it is not installed the test is left out, or fails if REQUIRE_SERVICES
// is set.
func Require(t testing.TB) string {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err == nil {
		return binary
	}
	const how = "redis-server is not installed (apt-get install redis-server, brew install redis)"
	if os.Getenv("REQUIRE_SERVICES") != "" {
		t.Fatal(how)
	}
	t.Skip(how)
	return ""
}

func freeAddr(t testing.TB) string {
	t.Helper()
	address, err := freeport.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (s *Server) ownArgs() []string {
	_, port, _ := net.SplitHostPort(s.addr)
	return []string{
		"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--logfile", s.logFile(),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
	}
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "redis.log") }

func (s *Server) log() string {
	text, _ := os.ReadFile(s.logFile())
	return string(text)
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	s.cmd = exec.Command(s.binary, s.args...)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, exited := s.cmd, make(chan struct{})
	s.exited = exited
	go func() {
		_ = cmd.Wait() // a killed server ends with an error
		close(exited)
	}()
	s.waitFor("redis-server to answer", func() bool {
		pong, err := s.Do("PING")
		return !s.running() || err == nil && pong == "PONG"
	})
	if !s.running() {
		return fmt.Errorf("it ended at once: %v", cmd.ProcessState)
	}
	return nil
}

// waitFor polls until the condition holds.
func (s *Server) waitFor(what string, holds func() bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(timeout)
	for !holds() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %s for %s\n%s", timeout, what, s.log())
		}
		<-tick.C
	}
}

func (s *Server) running() bool {
	if s.exited == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// Addr returns the host and port, which stay the same over restarts.
func (s *Server) Addr() string { return s.addr }

// Pid returns the process's id.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Stop ends the server as an operator does, with SIGTERM.
func (s *Server) Stop() {
	s.t.Helper()
	s.end(syscall.SIGTERM)
}

// Kill9 ends the server as a crash does.
func (s *Server) Kill9() {
	s.t.Helper()
	s.end(syscall.SIGKILL)
}

// Restart starts a server that was ended, on the same address and files.
func (s *Server) Restart() {
	s.t.Helper()
	if err := s.launch(); err != nil {
		s.t.Fatalf("restart redis-server: %v\n%s", err, s.log())
	}
}

// Freeze halts the server: it keeps its connections and answers nothing.
func (s *Server) Freeze() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	s.waitFor("redis-server to be silent", func() bool {
		_, err := s.doWithin(100*time.Millisecond, "PING")
		return err != nil
	})
}

// Continue lets a frozen server go on, with what it was sent meanwhile.
func (s *Server) Continue() {
	s.t.Helper()
	s.signal(syscall.SIGCONT)
}

// FlushAll makes the server forget everything, its scripts too.
func (s *Server) FlushAll() {
	s.t.Helper()
	s.MustDo("FLUSHALL")
	s.MustDo("SCRIPT FLUSH")
}

func (s *Server) end(signal syscall.Signal) {
	s.t.Helper()
	s.signal(signal)
	select {
	case <-s.exited:
	case <-time.After(timeout):
		s.t.Fatalf("redis-server did not end within %s\n%s", timeout, s.log())
	}
}

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatalf("%v to redis-server: %v", signal, err)
	}
}
