package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"payonce/internal/app"
	"payonce/internal/streamconfig"
	"payonce/pkg/events/jetstream"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// provider is the account that most of the scenario is about.
const provider = testenv.TeemoPay

// stack is the whole system.
type stack struct {
	*testenv.System
	ingress string // base URL
	console string // host:port
	redis   *miniredis.Miniredis
	workers []worker
	ledger  *ledger
}

// worker is one worker: this program, started once more.
type worker struct {
	*testenv.Process
	name string
}

// startStack starts a real nats-server with JetStream on disk, miniredis, the providers' sandbox, ingress, archive and console in this
// process, and two workers.
func startStack(t testing.TB, listen string) *stack {
	dir, err := os.MkdirTemp("", "payonce-demo-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("The logs are in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	nats := natstest.StartSynced(t).URL()
	s := &stack{redis: miniredis.RunT(t)}
	s.System = testenv.NewSystem(t, dir, testenv.Addresses{NATS: []string{nats}, Redis: s.redis.Addr(), Listen: listen}, nil)
	s.ingress = "http://" + s.At.Listen
	s.Unhurried() // an answer that is given up has taken the customer's link with it, which no look-up brings back
	s.Archive(filepath.Join(dir, "archive.db"))
	s.start(app.Ingress())
	s.start(app.Archive())
	s.console = testenv.FreeAddress(t)
	s.Edit("\nlog:\n", "\nconsole:\n  listen: "+s.console+"\n  base_url: http://"+s.console+"\n  zone: Asia/Seoul\n  links: true\nlog:\n")
	s.start(app.Console())
	s.startWorker()
	s.startWorker()
	s.startLedger()
	return s
}

// start runs a service in this process, from the same configuration as the workers.
func (s *stack) start(service app.Service) {
	logs, err := os.Create(filepath.Join(s.Dir, service.Name+".log"))
	s.Must(err)
	s.T.Cleanup(func() { _ = logs.Close() })
	rt, err := app.Load(service, s.Config, logs)
	s.Must(err)
	testenv.Serve(s.T, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
	if s.Log == nil {
		s.Log = testenv.Connect(s.T, jetstream.Options{URLs: s.At.NATS, Config: streamconfig.Of(rt.Config)})
	}
}

var consoleLink = regexp.MustCompile(`link="?(http://\S+?)"?(?:\s|$)`)

// link signs in to the console, once.
func (s *stack) link() string {
	m := consoleLink.FindStringSubmatch(s.LogOf(app.Console().Name))
	if m == nil {
		s.T.Fatal("the console printed no link")
	}
	return m[1]
}

// startWorker starts one more worker and waits until it works.
func (s *stack) startWorker() {
	self, err := os.Executable()
	s.Must(err)
	name := fmt.Sprintf("worker %d", len(s.workers)+1)
	cmd := exec.Command(self, workerArgument, "--config", s.Config)
	process := testenv.StartLogged(s.T, s.Dir, strings.ReplaceAll(name, " ", "-"), cmd, "msg=working")
	s.workers = append(s.workers, worker{process, name})
}

// ownerOf returns the worker that holds an order's claim.
func (s *stack) ownerOf(order string) (worker, error) {
	key := fmt.Sprintf("payonce:claim:{%s:%s}", provider, order)
	owner := s.redis.HGet(key, "owner") // "worker@host:pid/…"
	for _, w := range s.workers {
		if strings.Contains(owner, fmt.Sprintf(":%d/", w.Pid())) {
			return w, nil
		}
	}
	return worker{}, fmt.Errorf("no worker holds %s (owner %q)", order, owner)
}
