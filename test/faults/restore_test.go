package faults

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// operate runs payctl as a person does.
func (s *system) operate(args ...string) string {
	s.t.Helper()
	var out testenv.Logs // the connection logs while the command writes
	code := payctl.Run(s.t.Context(), append(args, "--config", s.Config), payctl.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, LookupEnv: os.LookupEnv, Now: time.Now, Kinds: app.Kinds(),
	})
	if code != payctl.ExitOK {
		s.t.Fatalf("payctl %s: exit %d\n%s", strings.Join(args, " "), code, &out)
	}
	return out.String()
}

// NATS is restored from an older copy under a running worker. Neither it nor a worker that starts then executes anything,
// both say why, and webhooks are stored all the same, until a person accepts the log.
func TestALogThatLostItsPastIsNotWorkedWith(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := within(t, 2*timeout)
	plain := s.Config
	admin := s.Admin("worker")
	ready := func() (is bool, body string) {
		status, body := s.Get(ctx, "http://"+admin+"/readyz")
		return status == http.StatusOK, body
	}
	s.worker()
	pay := func(name string, n int) (orders []order) {
		for i := range n {
			o := order{payment.Ref{Provider: testenv.DiamondPayV1, Order: fmt.Sprintf("%s-%d", name, i)}, payment.Deposit}
			orders = append(orders, o)
			s.publish(ctx, o)
		}
		return orders
	}
	client, err := redis.NewClient(redis.Config{Addresses: []string{s.redis.Addr()}})
	s.Must(err)
	t.Cleanup(func() { _ = client.Close() })
	marks := redis.New(client, redis.Options{})
	s.settleOnce(ctx, pay("before", 3)...)
	store, copied := s.nats.Store, filepath.Join(s.Dir, "copy")
	s.nats.Stop()
	s.Must(os.CopyFS(copied, os.DirFS(store)))
	s.nats.Start() // an ordinary restart: work goes on
	lost := pay("lost", 5)
	s.settleOnce(ctx, lost...)
	s.happens(ctx, "the mark of what was seen", func() bool { // once a second
		ready, _ := ready()
		end, err := s.Log.LogEnd(ctx)
		s.Must(err)
		mark, err := marks.Mark(ctx)
		return ready && err == nil && mark.Sequence == end.Sequence
	})
	s.nats.Stop()
	s.Must(os.RemoveAll(store))
	s.Must(os.CopyFS(store, os.DirFS(copied)))
	s.nats.Start()

	s.happens(ctx, "the worker's refusal", func() bool {
		ready, body := ready()
		return !ready && strings.Contains(body, "lost events") && strings.Contains(body, "payctl log accept")
	})
	s.Config = plain
	s.Process(shipped(t, "worker"), "second", "nothing is executed: the log lost events")
	check := exec.CommandContext(ctx, shipped(t, "worker"), "--config", s.Config, "--check")
	if said, err := check.CombinedOutput(); err == nil || !strings.Contains(string(said), "payctl log accept") {
		t.Errorf("the self-check: %v\n%s", err, said)
	}
	held := pay("held", 3)
	for range 3 { // what both would do within this time they have not done
		s.happens(ctx, "another comparison", s.comparedAgain(ctx, ready))
	}
	for _, o := range held {
		if truth, err := s.Sandbox.Order(o.ref.Provider, o.ref.Order); err != nil || len(truth.Charges) != 0 {
			t.Errorf("%s was sent before the log was accepted: %d charges, %v", o.ref, len(truth.Charges), err)
		}
		if _, _, err := s.Log.Last(ctx, o.ref); err == nil {
			t.Errorf("%s was begun before the log was accepted", o.ref)
		}
	}
	if said := s.operate("log", "accept", "--by", "kim", "--reason", "ticket 4718", "--yes"); !strings.Contains(said, "accepted") {
		t.Error(said)
	}
	s.settleOnce(ctx, held...)
	s.happens(ctx, "readiness", func() bool { ready, _ := ready(); return ready })
	if said := s.operate("audit", "list", "--action", "accept"); !strings.Contains(said, "kim") || !strings.Contains(said, "ticket 4718") {
		t.Error(said)
	}
	for _, o := range lost { // paid once, though the log has forgotten it
		if truth, err := s.Sandbox.WaitFor(ctx, o.ref.Provider, o.ref.Order, sandbox.ChargedTimes(1)); err != nil || len(truth.Charges) != 1 {
			t.Errorf("%s: %d charges, %v", o.ref, len(truth.Charges), err)
		}
	}
}

// comparedAgain is done when a worker that is not ready has had time for another comparison: the log has another time.
func (s *system) comparedAgain(ctx context.Context, isReady func() (bool, string)) func() bool {
	begin, err := s.Log.LogEnd(ctx)
	s.Must(err)
	return func() bool {
		if ready, body := isReady(); ready {
			s.t.Fatalf("ready: %s", body)
		}
		now, err := s.Log.LogEnd(ctx)
		s.Must(err)
		return now.At.Sub(begin.At) > time.Second
	}
}
