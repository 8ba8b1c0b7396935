package faults

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/reconcile"
	"payonce/pkg/sandbox"
	simulator "payonce/pkg/sandbox/ecommpay"
	"payonce/pkg/secret"
	"payonce/pkg/worker"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

const pageKey = "a-secret-of-the-sandbox"

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

// page is everything of ECommPay's Payment Page in one process: the real engine, timers and connector on a real nats-server, and the
// provider's simulator behind a real HTTP server. Only the clock is the test's, because what is asked about takes days.
type page struct {
	*testenv.System
	clock  *clock
	engine *worker.Worker
	url    string // of the page at the simulator
}

func startPage(t *testing.T) *page {
	t.Helper()
	others := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, others) })
	s := &page{System: newLog(t, natstest.Start(t)), clock: &clock{}}
	hook := httptest.NewServer(http.HandlerFunc(s.callback))
	t.Cleanup(hook.Close)
	protocol, err := simulator.New(simulator.Settings{ProjectID: 200, Secret: pageKey, Redirect: true})
	s.Must(err)
	s.Sandbox, err = sandbox.New(sandbox.Options{
		Accounts: []sandbox.AccountConfig{{Name: testenv.ECommPay, Protocol: protocol, CallbackURL: hook.URL, MoveDelay: time.Millisecond}}, Now: s.clock.Now,
	})
	s.Must(err)
	api := httptest.NewServer(s.Sandbox)
	t.Cleanup(func() { s.Sandbox.Close(); api.Close() })
	s.url = api.URL + "/" + testenv.ECommPay
	client := httpcall.NewClient(httpcall.Options{})
	t.Cleanup(client.CloseIdleConnections)
	connector, err := ecommpay.New(testenv.ECommPay, ecommpay.Settings{
		ProjectID: 200, Secret: secret.New(pageKey), GateURL: s.url, PaymentPageURL: s.url + "/payment",
	}, client, s.clock.Now)
	s.Must(err)
	s.engine = newEngine(t, worker.Options{
		Log: s.Log, Connectors: connectors.NewRegistry(map[string]connectors.Connector{testenv.ECommPay: connector}), Now: s.clock.Now,
	})
	s.keepTime(connector.Traits())
	return s
}

// keepTime runs the timers as the worker's program does.
func (s *page) keepTime(traits connectors.Traits) {
	inBackground(s.T, func(ctx context.Context) error {
		return reconcile.Run(ctx, jumpingBroker{s.Log.Conn}, s.engine, []reconcile.Provider{{
			Name: testenv.ECommPay, Slots: 4, LookupSchedule: reconcile.LookupSchedule{BasicTime: traits.BasicTime, Threshold: traits.Threshold},
			Pages: reconcile.Pages{Grace: traits.PageGrace, Lives: reconcile.PageLives()},
			Hours: func(op payment.Operation) calendar.Hours { return calendar.Hours{} },
		}}, s.clock.Now)
	})
}

// jumpingBroker is the nats-server with the clock of the test: an event is as old as the worker says, and what is not due is
// looked at again at once, because the clock may jump.
type jumpingBroker struct{ *jetstream.Conn }

func (b jumpingBroker) ConsumePayments(ctx context.Context, provider, timer string, statuses []payment.Status, slots int, h queue.Handler) error {
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
func (s *page) callback(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	conn, _ := s.engine.Connectors.Get(testenv.ECommPay)
	notice, err := conn.(connectors.Webhooks).Webhook(r.Header, body, s.clock.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	out, err := events.EncodeWebhook(events.Webhook{
		Ref: payment.Ref{Provider: testenv.ECommPay, Order: notice.Order}, Header: r.Header, Body: body, ReceivedAt: s.clock.Now(),
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
func (s *page) checkout(order string) string {
	s.T.Helper()
	out, err := events.EncodeCommand(payment.Command{
		Ref: payment.Ref{Provider: testenv.ECommPay, Order: order}, Operation: payment.Deposit, Amount: payment.KRW(10000), RequestedAt: s.clock.Now(),
		Customer: payment.Customer{ID: "21"},
	}, uuid.NewString())
	s.Must(err)
	if v := s.engine.Command(s.T.Context(), events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Deliveries: 1, StoredAt: s.clock.Now()}); v.Kind != queue.Done {
		s.T.Fatalf("%+v", v)
	}
	p := s.until(order, "pending", func(p payment.Payment) bool { return p.Status == payment.Pending })
	p, err = s.Log.Actions(s.T.Context(), p)
	s.Must(err)
	return p.Action.Redirect.URL
}

// until waits until a payment is so in the log.
func (s *page) until(order, what string, is func(payment.Payment) bool) payment.Payment {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), timeout)
	defer cancel()
	records := s.Until(ctx, payment.Ref{Provider: testenv.ECommPay, Order: order}, what, is)
	return records[len(records)-1].Payment
}

// asked waits until the provider was asked so often about an order.
func (s *page) asked(order string, times int) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), timeout)
	defer cancel()
	_, err := s.Sandbox.WaitFor(ctx, testenv.ECommPay, order, sandbox.Queried(times))
	s.Must(err)
}

// visit opens a link as a customer would, and reports whether the page took the payment.
func (s *page) visit(link string) bool {
	s.T.Helper()
	response, err := http.Get(link)
	s.Must(err)
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// want compares all that the log says of an order.
func (s *page) want(order string, statuses ...payment.Status) []payment.Payment {
	s.T.Helper()
	records, err := s.Log.History(s.T.Context(), payment.Ref{Provider: testenv.ECommPay, Order: order})
	s.Must(err)
	var all []payment.Payment
	same := len(records) == len(statuses)
	for i, r := range records {
		all = append(all, r.Payment)
		same = same && r.Payment.Status == statuses[i]
		if !r.Payment.OverdueAt.IsZero() {
			s.T.Errorf("%s: a person was told at event %d", order, i+1)
		}
	}
	if !same {
		s.T.Errorf("%s: the log has %d events, want %v: %+v", order, len(all), statuses, all)
	}
	return all
}
