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
	state   *state
	ingress string // base URL
	console string // host:port
	metrics []endpoint
	redis   *miniredis.Miniredis
	workers []worker
	ledger  *ledger
}

// endpoint is where a process shows its metrics.
type endpoint struct{ process, url string }

// worker is one worker: this program, started once more.
type worker struct {
	*testenv.Process
	name string
}

// startStack starts a real nats-server with JetStream on disk, miniredis, the providers' sandbox, ingress, archive and console in this
// process, and two workers. Its state is in a folder, or in a fresh one that is removed in the end; see openState.
func startStack(t testing.TB, dir, listen string) *stack {
	kept := openState(t, dir, listen)
	nats := natstest.StartIn(t, kept.NATS, filepath.Join(kept.dir, "nats")).URL()
	s := &stack{redis: miniredis.RunT(t), state: kept}
	at := testenv.Addresses{NATS: []string{nats}, Redis: s.redis.Addr(), Listen: kept.Ingress, SandboxListen: kept.Sandbox}
	s.System = testenv.NewSystem(t, kept.dir, at, nil)
	if kept.kept {
		s.keepSandbox()
	}
	s.ingress, s.console = "http://"+s.At.Listen, kept.Console
	s.configure()
	for _, service := range []app.Service{app.Ingress(), app.Archive(), app.Console()} {
		s.start(service)
	}
	s.startWorker()
	s.startWorker()
	s.startLedger()
	return s
}

// configure writes the one configuration of all services.
func (s *stack) configure() {
	s.Unhurried() // an answer that is given up has taken the customer's link with it, which no look-up brings back
	s.Archive(filepath.Join(s.Dir, "archive.db"))
	s.Edit("\nlog:\n", "\nconsole:\n  listen: "+s.console+"\n  base_url: http://"+s.console+"\n  zone: Asia/Seoul\n  links: true\n  actions: true\nlog:\n")
	for _, service := range []string{"ingress", "archive", "console"} {
		s.Admin(service)
	}
	s.Edit("\nworker:\n", "\nworker:\n  admin_listen: 127.0.0.1:0\n") // several workers have the same file
	last := filepath.Join(s.Dir, "payonce.yaml")
	s.Must(os.Rename(s.Config, last))
	for _, earlier := range glob(s.Dir, "payonce-*.yaml") {
		s.Must(os.Remove(earlier))
	}
	s.Config = last
}

func glob(dir, pattern string) []string {
	found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is well-formed
	return found
}

var metricsAddress = regexp.MustCompile(`metrics and health at (http://[0-9.:]+)`)

// noteMetrics remembers where a process shows its metrics, from its log.
func (s *stack) noteMetrics(process, log string) {
	m := metricsAddress.FindStringSubmatch(s.LogOf(log))
	if m == nil {
		s.T.Fatalf("%s does not say where its metrics are", process)
	}
	s.metrics = append(s.metrics, endpoint{process, m[1] + "/metrics"})
}

// start runs a service in this process, from the same configuration as the workers.
func (s *stack) start(service app.Service) {
	logs, err := os.Create(filepath.Join(s.Dir, service.Name+".log"))
	s.Must(err)
	s.T.Cleanup(func() { _ = logs.Close() })
	rt, err := app.Load(service, s.Config, logs)
	s.Must(err)
	rt.Payctl = payctl
	testenv.Serve(s.T, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
	s.noteMetrics(service.Name, service.Name)
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
	log := strings.ReplaceAll(name, " ", "-")
	process := testenv.StartLogged(s.T, s.Dir, log, cmd, "msg=working")
	s.workers = append(s.workers, worker{process, name})
	s.noteMetrics(name, log)
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
