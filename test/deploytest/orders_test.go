package deploytest

import (
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/internal/app"
	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// contested orders are asked for twice, with two amounts, in the same instant. An ingress in an account of its own cannot see
// what another one stores, so both commands can be taken: the worker executes at most one, and gives up the other.
func contested(t *testing.T, s *system) {
	t.Helper()
	body := func(ref payment.Ref, amount string) string {
		return fmt.Sprintf(`{"provider":%q,"order":%q,"amount":{"value":%q,"currency":"KRW"},"customer":{"name":"홍길동"}}`, ref.Provider, ref.Order, amount)
	}
	amounts := []string{"10000", "20000"}
	refs := map[payment.Ref]int{} // → how many of the two were taken
	var mu sync.Mutex
	var asking sync.WaitGroup
	for i := range 4 {
		ref := payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("C-%d", i)}
		for _, amount := range amounts {
			asking.Go(func() {
				status, _ := s.Post(t.Context(), "/v1/deposits", body(ref, amount))
				if status/100 != 2 && status != http.StatusConflict {
					t.Errorf("%s for %s: %d", ref, amount, status)
				}
				mu.Lock()
				defer mu.Unlock()
				if status/100 == 2 {
					refs[ref]++
				}
			})
		}
	}
	asking.Wait()
	// What two ingresses store that looked at the log at the same time.
	both := payment.Ref{Provider: testenv.TeemoPay, Order: "C-both"}
	ingress := s.jetStream(t, "ingress")
	for _, amount := range amounts {
		if _, err := ingress.Publish(bounded(t), events.CommandSubject(payment.Deposit, both), []byte(body(both, amount))); err != nil {
			t.Fatal(err)
		}
	}
	refs[both] = 2
	var all []payment.Ref
	for ref, taken := range refs {
		all = append(all, ref)
		if taken == 2 {
			eventually(t, "the second command of "+ref.Order+" is given up", func() bool {
				_, out := s.payctl(t, "operator-kim", "payment", "show", ref.Provider, ref.Order)
				return strings.Contains(out, string(events.DeadOrderReused))
			})
		}
	}
	s.settled(t, all...)
	for _, ref := range all {
		if o, err := s.Sandbox.Order(ref.Provider, ref.Order); err != nil || len(o.Charges) != 1 {
			t.Errorf("%s: %d charges, %v", ref, len(o.Charges), err)
		}
	}
}

// unanswered asks for orders while no worker runs: one that the log knows is shown, and of another no process can say that
// it does not exist, because its command may wait.
func unanswered(t *testing.T, s *system) {
	t.Helper()
	s.stopWorker()
	for order, want := range map[string]int{"H-1": http.StatusOK, "never-asked-for": http.StatusServiceUnavailable} {
		for _, below := range []string{"", "/events"} {
			if status, body := s.get(t, payment.Ref{Provider: testenv.TeemoPay, Order: order}, below); status != want {
				t.Errorf("%s%s without a worker: %d %s, want %d", order, below, status, body, want)
			}
		}
	}
}

// sentInBatches reads more events of the log than one answer holds, by number and by size, with an operator's key.
func sentInBatches(t *testing.T, s *system) {
	t.Helper()
	from := time.Now().Add(-time.Minute)
	conn := s.connect(t, "worker")
	const small, large = 600, 24
	for i := range small + large {
		p := payment.Payment{
			Ref: payment.Ref{Provider: "not-configured", Order: fmt.Sprintf("B-%03d", i)}, Operation: payment.Deposit, Status: payment.Submitting,
			Revision: 1, Attempts: 1, Amount: payment.KRW(10000), UpdatedAt: time.Now().UTC(),
		}
		if i >= small { // more than the 4 MiB of an answer
			p.Metadata = map[string]string{"note": strings.Repeat("x", 300_000)}
		}
		if _, err := conn.Append(bounded(t), p, 0); err != nil {
			t.Fatal(err)
		}
	}
	next := 0
	err := s.connect(t, "operator-kim").SentPayments(bounded(t), "not-configured", from, time.Now().Add(time.Hour), func(p payment.Payment) error {
		if want := fmt.Sprintf("B-%03d", next); p.Order != want {
			return fmt.Errorf("%s comes, want %s", p.Order, want)
		}
		next++
		return nil
	})
	if err != nil || next != small+large {
		t.Errorf("%d of %d, %v", next, small+large, err)
	}
}

// appendsInBatches has a worker append events of many payments in atomic batches: its permissions must suffice for that.
func appendsInBatches(t *testing.T, s *system) {
	t.Helper()
	conn := s.connect(t, "worker", func(cfg *config.Config) { cfg.NATS.GroupCommit = "always" })
	var group errgroup.Group
	for i := range 64 {
		group.Go(func() error {
			for n := range 5 {
				p := payment.Payment{
					Ref: payment.Ref{Provider: "not-configured", Order: fmt.Sprintf("T-%d-%d", i, n)}, Operation: payment.Deposit, Status: payment.Submitting,
					Revision: 1, Attempts: 1, Amount: payment.KRW(10000), UpdatedAt: time.Now().UTC(),
				}
				if _, err := conn.Append(bounded(t), p, 0); err != nil {
					return err
				}
			}
			return nil
		})
	}
	testenv.Must(t, group.Wait())
	// On a busy machine some have no answer in time; without the rights, all.
	if count := &conn.Broker().Count; count.BatchedAppends.Load() < 64 || count.BatchesFailed.Load() >= count.Batches.Load() {
		t.Errorf("%d appends in %d batches, of which %d failed", count.BatchedAppends.Load(), count.Batches.Load(), count.BatchesFailed.Load())
	}
}

// connect connects as the program of a user does, with its configuration.
func (s *system) connect(t *testing.T, user string, edit ...func(*config.Config)) *jetstream.Conn {
	t.Helper()
	cfg, err := config.Load(filepath.Join(s.Dir, user+".yaml"), config.OS())
	testenv.Must(t, err)
	tls, err := cfg.NATS.TLS.Client()
	testenv.Must(t, err)
	for _, edit := range edit {
		edit(&cfg)
	}
	inbox := map[string]string{"worker": "worker", "ingress": "ingress"}[user]
	if inbox == "" {
		inbox = "payctl"
	}
	conn, err := jetstream.Connect(bounded(t), jetstream.Options{
		URLs: cfg.NATS.URLs, Name: "test", Inbox: app.Inbox(inbox), NKeySeed: cfg.NATS.NKeySeed, TLS: tls, Ingress: user == "ingress",
		Config: streamconfig.Of(cfg), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	testenv.Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
