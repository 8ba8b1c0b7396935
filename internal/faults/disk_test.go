package faults

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"payonce/internal/natstest"
	"payonce/internal/redistest"
	"payonce/internal/testenv"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
)

// small is a system whose nats-server stores on a disk that can be full.
type small struct {
	*system
	disk   *natstest.Disk
	key    string
	admins map[string]string // by service
}

func startSmall(ctx context.Context, t *testing.T) *small {
	built, err := build()
	if err != nil {
		t.Fatal(err)
	}
	s := &small{
		system: &system{t: t, dir: t.TempDir(), programs: built, redis: redistest.Start(t)},
		disk:   natstest.NewDisk(t, 48<<20), admins: map[string]string{},
	}
	s.must(os.Symlink(s.disk.Dir, filepath.Join(s.dir, "nats")))
	at := testenv.Addresses{Redis: s.redis.Addr(), NATS: []string{s.startNATS(ctx)}, Listen: s.free(ctx)}
	s.must(err)
	s.keys, err = testenv.NewKeys()
	s.must(err)
	at.Sandbox = s.startSandbox(s.keys, at)
	s.at = at
	s.config, s.key, err = s.keys.WriteConfig(s.dir, at)
	s.must(err)
	text, err := os.ReadFile(s.config)
	s.must(err)
	edited := string(text)
	for _, service := range []string{"ingress", "worker"} {
		s.admins[service] = s.free(ctx)
		edited = strings.Replace(edited, "\n"+service+":\n", "\n"+service+":\n  admin_listen: "+s.admins[service]+"\n", 1)
	}
	edited = strings.Replace(edited, "\ningress:\n", "\ningress:\n  backend_timeout: 1s\n", 1)
	edited = strings.Replace(edited, "\nnats:\n", "\nnats:\n  dead_letters_bytes: 1048576\n", 1) // the server reserves them
	s.must(os.WriteFile(s.config, []byte(edited), 0o600))
	return s
}

// post sends a command to the ingress as an upstream does, and returns the status of the answer.
func (s *small) post(ctx context.Context, o order) int {
	s.t.Helper()
	body := testenv.Variant{Account: testenv.TeemoPay, Method: "va", Operation: payment.Deposit, Amount: payment.KRW(10_000)}.Command(o.ref)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.at.Listen+"/v1/deposits", strings.NewReader(body))
	s.must(err)
	r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + s.key}}
	reply, err := http.DefaultClient.Do(r)
	s.must(err)
	_ = reply.Body.Close()
	return reply.StatusCode
}

// accept sends a command until it is accepted.
func (s *small) accept(ctx context.Context, o order) {
	s.t.Helper()
	for {
		switch status := s.post(ctx, o); status {
		case http.StatusAccepted:
			return
		case http.StatusServiceUnavailable: // the server has just been started
		default:
			s.t.Fatalf("%s: status %d", o.ref, status)
		}
	}
}

// untilReady waits until a service is ready, or not ready because of the streams that are named.
func (s *small) untilReady(ctx context.Context, service string, failing ...string) {
	s.t.Helper()
	var status int
	var text []byte
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("%s: /readyz: %d %s, want failing %v", service, status, text, failing)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admins[service]+"/readyz", nil)
		s.must(err)
		reply, err := http.DefaultClient.Do(r)
		if err != nil {
			continue
		}
		text, _ = io.ReadAll(reply.Body)
		_ = reply.Body.Close()
		status = reply.StatusCode
		as := (status == http.StatusOK) == (len(failing) == 0)
		for _, stream := range failing {
			as = as && strings.Contains(string(text), stream+" cannot be written since ") && strings.Contains(string(text), "restart that nats-server")
		}
		if as {
			tick.Stop()
			return
		}
	}
}

// The disk of the only nats-server is really full while payments are under way: what was accepted is kept, what is
// not kept is refused, and readiness is off on both sides. With room again, a restart of nats-server is all that
// it takes.
func TestFullDiskUnderPayments(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	s := startSmall(ctx, t)
	s.process(ctx, s.programs.ingress, "ingress", "listening on")
	worker := s.worker(s.programs.worker)
	var err error
	s.log, err = jetstream.Connect(ctx, jetstream.Options{URLs: s.at.NATS, Name: "faults", Config: jetstream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	s.must(err)
	t.Cleanup(func() { _ = s.log.Close() })

	orders := make([]order, 6)
	for i := range orders {
		orders[i] = order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("disk-%d", i)}, payment.Deposit}
	}
	s.accept(ctx, orders[0])
	s.ended(ctx, orders[0])
	s.must(worker.Signal(syscall.SIGSTOP)) // so that the next ones are accepted and not begun
	for _, o := range orders[1:4] {
		s.accept(ctx, o)
	}
	s.disk.Fill()
	s.must(worker.Signal(syscall.SIGCONT))
	for i, o := range orders[4:] {
		for n := 0; s.post(ctx, o) != http.StatusServiceUnavailable; n++ { // the last page of the file may take one more
			o.ref.Order = fmt.Sprintf("disk-%d-%d", 4+i, n)
			orders = append(orders, o)
		}
	}
	s.untilReady(ctx, "ingress", "COMMANDS")
	s.untilReady(ctx, "worker", "PAYMENTS")
	s.disk.MakeRoom()
	s.restartNATS(ctx)
	s.untilReady(ctx, "ingress")
	s.untilReady(ctx, "worker")
	for _, o := range orders { // the upstream sends again what was refused; the rest it may send again
		s.accept(ctx, o)
	}
	for _, o := range orders {
		s.check(o, s.ended(ctx, o))
	}
}
