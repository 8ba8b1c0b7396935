package checkout_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"

	"payonce/internal/natstest"
	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/reconcile"
	"payonce/pkg/sandbox"
	simulator "payonce/pkg/sandbox/ecommpay"
	"payonce/pkg/secret"
	"payonce/pkg/worker"
)

const (
	shop    = "ecommpay-kr"
	key     = "a-secret-of-the-sandbox"
	timeout = time.Minute // for what must happen on a busy machine
)

// clock goes on by itself, and further when the test says so.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// system is everything of one provider in one process.
type system struct {
	t      *testing.T
	clock  *clock
	conn   *jetstream.Conn
	engine *worker.Worker
	box    *sandbox.Sandbox
	page   string // address of the page at the simulator
}

func start(t *testing.T) *system {
	t.Helper()
	s := &system{t: t, clock: &clock{}}
	hook := httptest.NewServer(http.HandlerFunc(s.callback))
	protocol, err := simulator.New(simulator.Settings{ProjectID: 200, Secret: key, Redirect: true})
	s.must(err)
	s.box, err = sandbox.New(sandbox.Options{
		Accounts: []sandbox.AccountConfig{{Name: shop, Protocol: protocol, CallbackURL: hook.URL, MoveDelay: time.Millisecond}}, Now: s.clock.Now,
	})
	s.must(err)
	api := httptest.NewServer(s.box)
	s.page = api.URL + "/" + shop
	client := httpcall.NewClient(httpcall.Options{})
	connector, err := ecommpay.New(shop, ecommpay.Settings{
		ProjectID: 200, Secret: secret.New(key), GateURL: s.page, PaymentPageURL: s.page + "/payment",
	}, client, s.clock.Now)
	s.must(err)
	server, store := natstest.Start(t), miniredis.RunT(t)
	s.conn, err = jetstream.Connect(t.Context(), jetstream.Options{
		URLs: []string{server.URL()}, Name: "checkout", Config: jetstream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	s.must(err)
	s.must(s.conn.EnsureStreams(t.Context()))
	memory, err := redis.NewClient(redis.Config{Addresses: []string{store.Addr()}})
	s.must(err)
	s.engine, err = worker.New(worker.Options{
		Log: s.conn, Claims: redis.New(memory, redis.Options{}), Connectors: connectors.NewRegistry(map[string]connectors.Connector{shop: connector}),
		Timing: worker.DefaultTiming(), Now: s.clock.Now, NewID: uuid.NewString,
	})
	s.must(err)
	stop := s.keepTime(connector.Traits())
	t.Cleanup(func() {
		stop()
		s.box.Close()
		api.Close()
		hook.Close()
		client.CloseIdleConnections()
		_ = s.conn.Close()
		_ = memory.Close()
	})
	return s
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// keepTime runs the timers as the worker's program does.
func (s *system) keepTime(traits connectors.Traits) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- reconcile.Run(ctx, broker{s.conn}, s.engine, []reconcile.Provider{{
			Name: shop, Slots: 4, LookupSchedule: reconcile.LookupSchedule{BasicTime: traits.BasicTime, Threshold: traits.Threshold},
			Pages: reconcile.Pages{Grace: traits.PageGrace, Lives: reconcile.PageLives()},
			Hours: func(op payment.Operation) calendar.Hours { return calendar.Hours{} },
		}}, s.clock.Now)
	}()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
}

// broker is the nats-server with the clock of the test: an event is as old as the worker says, and what is not due is
// looked at again at once, because the clock may jump.
type broker struct{ *jetstream.Conn }

func (b broker) ConsumePayments(ctx context.Context, provider, timer string, statuses []payment.Status, slots int, h queue.Handler) error {
	return b.Conn.ConsumePayments(ctx, provider, timer, statuses, slots, func(ctx context.Context, m events.Message) queue.Verdict {
		if p, err := events.DecodePayment(m.Data); err == nil {
			m.StoredAt = p.UpdatedAt
		}
		v := h(ctx, m)
		v.Delay = min(v.Delay, 20*time.Millisecond)
		return v
	})
}

// callback is the ingress and the queue of webhooks in one.
func (s *system) callback(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	conn, _ := s.engine.Connectors.Get(shop)
	notice, err := conn.(connectors.Webhooks).Webhook(r.Header, body, s.clock.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	out, err := events.EncodeWebhook(events.Webhook{
		Ref: payment.Ref{Provider: shop, Order: notice.Order}, Header: r.Header, Body: body, ReceivedAt: s.clock.Now(),
	}, uuid.NewString())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if v := s.engine.Webhook(r.Context(), events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Deliveries: 1}); v.Kind != queue.Done {
		http.Error(w, string(v.Reason), http.StatusServiceUnavailable)
	}
}

// checkout asks for a deposit and returns the link that its customer gets.
func (s *system) checkout(order string) string {
	s.t.Helper()
	out, err := events.EncodeCommand(payment.Command{
		Ref: payment.Ref{Provider: shop, Order: order}, Operation: payment.Deposit, Amount: payment.KRW(10000), RequestedAt: s.clock.Now(),
		Customer: payment.Customer{ID: "21"},
	}, uuid.NewString())
	s.must(err)
	if v := s.engine.Command(s.t.Context(), events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Deliveries: 1, StoredAt: s.clock.Now()}); v.Kind != queue.Done {
		s.t.Fatalf("%+v", v)
	}
	p := s.until(order, "pending", func(p payment.Payment) bool { return p.Status == payment.Pending })
	p, err = s.conn.Actions(s.t.Context(), p)
	s.must(err)
	return p.Action.Redirect.URL
}

// until waits until a payment stands so in the log.
func (s *system) until(order, what string, is func(payment.Payment) bool) payment.Payment {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), timeout)
	defer cancel()
	ref := payment.Ref{Provider: shop, Order: order}
	changed, stop := s.conn.Watch(ref)
	defer stop()
	for {
		p, _, err := s.conn.Last(ctx, ref)
		if err == nil && is(p) {
			return p
		}
		select {
		case <-changed:
		case <-time.After(time.Second):
		case <-ctx.Done():
			s.t.Fatalf("%s is not %s: %s, %v", ref, what, p.Status, err)
		}
	}
}

// asked waits until the provider was asked so often about an order.
func (s *system) asked(order string, times int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), timeout)
	defer cancel()
	_, err := s.box.WaitFor(ctx, shop, order, sandbox.Queried(times))
	s.must(err)
}

// visit opens a link as a customer would, and reports whether the page took the payment.
func (s *system) visit(link string) bool {
	s.t.Helper()
	response, err := http.Get(link)
	s.must(err)
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// want compares all that the log says of an order.
func (s *system) want(order string, statuses ...payment.Status) []payment.Payment {
	s.t.Helper()
	records, err := s.conn.History(s.t.Context(), payment.Ref{Provider: shop, Order: order})
	s.must(err)
	var all []payment.Payment
	same := len(records) == len(statuses)
	for i, r := range records {
		all = append(all, r.Payment)
		same = same && r.Payment.Status == statuses[i]
		if !r.Payment.OverdueAt.IsZero() {
			s.t.Errorf("%s: a person was told at event %d", order, i+1)
		}
	}
	if !same {
		s.t.Errorf("%s: the log has %d events, want %v: %+v", order, len(all), statuses, all)
	}
	return all
}
