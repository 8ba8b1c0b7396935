package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/internal/testenv"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// stopNATS and startNATSAgain let a test change the store in between.
func (s *system) stopNATS() {
	s.t.Helper()
	s.must(s.nats.Stop(testenv.StopTimeout))
}

func (s *system) startNATSAgain(ctx context.Context) {
	s.t.Helper()
	logs, err := os.OpenFile(filepath.Join(s.dir, "nats-again.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	s.must(err)
	s.t.Cleanup(func() { _ = logs.Close() })
	s.nats, err = testenv.Start(ctx, exec.Command(s.programs.nats, "--config", filepath.Join(s.dir, "nats.conf")), logs, "Server is ready")
	s.must(err)
}

// operate runs payctl as a person does.
func (s *system) operate(args ...string) string {
	s.t.Helper()
	var out strings.Builder
	code := payctl.Run(s.t.Context(), append(args, "--config", s.config), payctl.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, LookupEnv: os.LookupEnv, Now: time.Now, Kinds: app.Kinds(),
	})
	if code != payctl.ExitOK {
		s.t.Fatalf("payctl %s: exit %d\n%s", strings.Join(args, " "), code, &out)
	}
	return out.String()
}

// workerReady asks a worker's /readyz.
func (s *system) workerReady(ctx context.Context, address string) (ready bool, body string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	s.must(err)
	reply, err := http.DefaultClient.Do(request)
	s.must(err)
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	s.must(err)
	return reply.StatusCode == http.StatusOK, string(text)
}

// happens waits until done is true.
func (s *system) happens(ctx context.Context, what string, done func() bool) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("%s did not happen", what)
		}
	}
}

// NATS is restored from an older copy under a running worker. Neither it nor a worker that starts then executes anything,
// both say why, and webhooks are stored all the same, until a person accepts the log.
func TestALogThatLostItsPastIsNotWorkedWith(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*timeout)
	defer cancel()
	plain, admin := s.config, s.free(ctx)
	text, err := os.ReadFile(plain)
	s.must(err)
	s.config = filepath.Join(s.dir, "watched.yaml")
	s.must(os.WriteFile(s.config, []byte(strings.Replace(string(text), "\nworker:\n", "\nworker:\n  admin_listen: "+admin+"\n", 1)), 0o600))
	s.worker(s.programs.worker)
	pay := func(name string, n int) (orders []order) {
		for i := range n {
			o := order{payment.Ref{Provider: testenv.DiamondPayV1, Order: fmt.Sprintf("%s-%d", name, i)}, payment.Deposit}
			orders = append(orders, o)
			s.publish(ctx, o)
		}
		return orders
	}
	ended := func(orders []order) {
		t.Helper()
		for _, o := range orders {
			s.check(o, s.ended(ctx, o))
		}
	}
	client, err := redis.NewClient(redis.Config{Addresses: []string{s.redis.Addr()}})
	s.must(err)
	t.Cleanup(func() { _ = client.Close() })
	marks := redis.New(client, redis.Options{})
	ended(pay("before", 3))
	store, copied := filepath.Join(s.dir, "nats"), filepath.Join(s.dir, "copy")
	s.stopNATS()
	s.must(os.CopyFS(copied, os.DirFS(store)))
	s.startNATSAgain(ctx) // an ordinary restart: work goes on
	lost := pay("lost", 5)
	ended(lost)
	s.happens(ctx, "the mark of what was seen", func() bool { // once a second
		ready, _ := s.workerReady(ctx, admin)
		end, err := s.log.LogEnd(ctx)
		s.must(err)
		mark, err := marks.Mark(ctx)
		return ready && err == nil && mark.Sequence == end.Sequence
	})
	s.stopNATS()
	s.must(os.RemoveAll(store))
	s.must(os.CopyFS(store, os.DirFS(copied)))
	s.startNATSAgain(ctx)

	s.happens(ctx, "the worker's refusal", func() bool {
		ready, body := s.workerReady(ctx, admin)
		return !ready && strings.Contains(body, "lost its past") && strings.Contains(body, "payctl log accept")
	})
	s.config = plain
	waits := exec.Command(s.programs.worker, "--config", s.config)
	s.run(ctx, waits, "second", "nothing is executed: the log lacks what was seen of it")
	check := exec.CommandContext(ctx, s.programs.worker, "--config", s.config, "--check")
	if said, err := check.CombinedOutput(); err == nil || !strings.Contains(string(said), "payctl log accept") {
		t.Errorf("the self-check: %v\n%s", err, said)
	}
	held := pay("held", 3)
	for range 3 { // what both would do within this time they have not done
		s.happens(ctx, "another comparison", s.comparedAgain(ctx, admin))
	}
	for _, o := range held {
		if truth, err := s.sandbox.Order(o.ref.Provider, o.ref.Order); err != nil || len(truth.Charges) != 0 {
			t.Errorf("%s was sent before the log was accepted: %d charges, %v", o.ref, len(truth.Charges), err)
		}
		if _, _, err := s.log.Last(ctx, o.ref); err == nil {
			t.Errorf("%s was begun before the log was accepted", o.ref)
		}
	}
	if said := s.operate("log", "accept", "--by", "kim", "--reason", "ticket 4718", "--yes"); !strings.Contains(said, "accepted") {
		t.Error(said)
	}
	ended(held)
	s.happens(ctx, "readiness", func() bool { ready, _ := s.workerReady(ctx, admin); return ready })
	if said := s.operate("audit", "list", "--action", "accept"); !strings.Contains(said, "kim") || !strings.Contains(said, "ticket 4718") {
		t.Error(said)
	}
	for _, o := range lost { // paid once, though the log has forgotten it
		if truth, err := s.sandbox.WaitFor(ctx, o.ref.Provider, o.ref.Order, sandbox.ChargedTimes(1)); err != nil || len(truth.Charges) != 1 {
			t.Errorf("%s: %d charges, %v", o.ref, len(truth.Charges), err)
		}
	}
}

// comparedAgain is done when a worker that is not ready has had time for another comparison: the log has another time.
func (s *system) comparedAgain(ctx context.Context, admin string) func() bool {
	begin, err := s.log.LogEnd(ctx)
	s.must(err)
	return func() bool {
		if ready, body := s.workerReady(ctx, admin); ready {
			s.t.Fatalf("ready: %s", body)
		}
		now, err := s.log.LogEnd(ctx)
		s.must(err)
		return now.At.Sub(begin.At) > time.Second
	}
}
