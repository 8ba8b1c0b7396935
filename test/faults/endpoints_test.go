package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

const shopSecret = "whsec_c2hvcCBzZWNyZXQgb2YgdGhlIGZhdWx0IHRlc3RzLCAzMisgYnl0ZXM="

// httpShop is a shop that knows HTTP and nothing else: it asks for payments, and books what its endpoint is sent, once for each
// webhook-id. What it has booked outlives its endpoint, as a database does.
type httpShop struct {
	*system
	address string
	verify  *standardwebhooks.Webhook

	mu       sync.Mutex
	booked   map[string]hookBody // by webhook-id
	got      int                 // requests, repetitions included
	cut      int                 // booked, and not answered
	serving  *http.Server
	progress chan struct{}
}

// hookBody is what the shop reads of an event.
type hookBody struct {
	Provider, Order, Status string
	Revision                int
}

// cutEvery is after how many requests the endpoint dies between booking and answering.
const cutEvery = 97

func newHTTPShop(s *system) *httpShop {
	s.t.Helper()
	verify, err := standardwebhooks.NewWebhook(shopSecret)
	s.Must(err)
	shop := &httpShop{system: s, address: testenv.FreeAddress(s.t), verify: verify, booked: map[string]hookBody{}, progress: make(chan struct{}, 1)}
	s.t.Cleanup(shop.kill)
	return shop
}

// open starts the endpoint.
func (s *httpShop) open() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.address)
	s.Must(err)
	s.serving = &http.Server{Handler: http.HandlerFunc(s.receive), ReadHeaderTimeout: time.Minute}
	go func(server *http.Server) { _ = server.Serve(listener) }(s.serving)
}

// kill ends the endpoint with all its connections.
func (s *httpShop) kill() {
	if s.serving != nil {
		_ = s.serving.Close()
	}
}

func (s *httpShop) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off: it comes again
	}
	if err := s.verify.Verify(body, r.Header); err != nil {
		s.t.Errorf("an event does not verify: %v", err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var data hookBody
	if err := json.Unmarshal(body, &data); err != nil {
		s.t.Errorf("an event is not JSON: %v", err)
	}
	id := r.Header.Get("webhook-id")
	s.mu.Lock()
	before, known := s.booked[id]
	if s.got++; known && before != data {
		s.t.Errorf("webhook-id %s is %+v and %+v", id, before, data)
	}
	s.booked[id] = data
	dies := s.got%cutEvery == 0
	if dies {
		s.cut++
	}
	s.mu.Unlock()
	select {
	case s.progress <- struct{}{}:
	default:
	}
	if dies {
		panic(http.ErrAbortHandler)
	}
}

func (s *httpShop) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.booked)
}

// ask has one payout made.
func (s *httpShop) ask(ctx context.Context, ref payment.Ref) error {
	body := testenv.Variant{Account: ref.Provider, Operation: payment.Payout, Amount: payment.KRW(10_000)}.Command(ref)
	for ctx.Err() == nil {
		if status, _ := s.Post(ctx, "/v1/payouts", body); status == http.StatusAccepted {
			return nil
		}
	}
	return ctx.Err()
}

// hangingEndpoint takes connections and never answers. It says how often it was asked.
func hangingEndpoint(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	end := make(chan struct{})
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-end:
		case <-r.Context().Done():
		}
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	testenv.Must(t, err)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { close(end); _ = server.Close() })
	return "http://" + listener.Addr().String(), asked
}

// sendTo adds the endpoints to the configuration.
func (s *system) sendTo(shop, dead string) {
	s.t.Helper()
	s.Must(os.WriteFile(filepath.Join(s.Dir, "keys", "shop.secret"), []byte(shopSecret), 0o600))
	endpoint := "  %s: {url: \"%s/payonce\", secrets_file: [keys/shop.secret], api_key: testenv, allow_networks: [127.0.0.0/8]}\n"
	s.Edit("\nworker:\n", "\nnotifier: {timeout: 2s, retry_min: 1s, retry_max: 2s, breaker_open_for: 1s}\nendpoints:\n"+
		fmt.Sprintf(endpoint, "shop", shop)+fmt.Sprintf(endpoint, "dead", dead)+"\nworker:\n")
}

const hookPayments = 2000

// A shop that knows only HTTP gets every outcome of 2,000 payments, once for each webhook-id, while workers, notifiers and its own
// endpoint are killed, and while another endpoint takes connections and never answers.
func TestHTTPShopGetsEveryOutcomeOnce(t *testing.T) {
	t.Parallel()
	s := prepare(t, testenv.NATSOptions{})
	shop := newHTTPShop(s)
	dead, asked := hangingEndpoint(t)
	s.sendTo("http://"+shop.address, dead)
	s.startIngress()
	shop.open()
	ctx := within(t, 6*timeout)
	if _, err := s.Log.EndpointState(ctx, "shop"); !errors.Is(err, admin.ErrNotCreated) {
		t.Errorf("the ingress cares for endpoints, so a change of them can stop payments: %v", err)
	}
	asking, asks := errgroup.WithContext(ctx)
	asking.SetLimit(16)
	go func() {
		for i := range hookPayments {
			ref := payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("hook-%d", i)}
			asking.Go(func() error { return shop.ask(asks, ref) })
		}
	}()
	notifiers := 0
	notify := func() *testenv.Process {
		notifiers++
		return s.Process(shipped(t, "notifier"), fmt.Sprintf("notifier-%d", notifiers), "msg=sending")
	}
	notifier := notify() // makes the consumers: from now on outcomes are kept for the endpoints
	worker := s.worker()
	kills := []func(){
		func() { notifier.Kill(); notifier = notify() },
		func() { shop.kill(); shop.open() },
		func() { worker.Kill(); worker = s.worker() },
	}
	for n, next := 0, hookPayments/20; shop.count() < hookPayments; {
		select {
		case <-shop.progress:
		case <-ctx.Done():
			t.Fatalf("%d of %d outcomes: %v", shop.count(), hookPayments, context.Cause(ctx))
		}
		if shop.count() >= next { // by what has come, not by time
			kills[n%len(kills)]()
			n, next = n+1, next+hookPayments/20
		}
	}
	s.Must(asking.Wait())
	shop.compare(ctx)
	shop.mu.Lock() // an event that was cut off can still come again
	got, cut := shop.got, shop.cut
	shop.mu.Unlock()
	t.Logf("%d events in %d requests, %d of them cut off; the dead endpoint was asked %d times", shop.count(), got, cut, asked.Load())
	if asked.Load() == 0 || cut == 0 || got <= hookPayments {
		t.Error("the dead endpoint was never asked, or nothing was sent twice: it proves nothing")
	}
}

// compare holds what the shop booked against the log: every outcome, and under its own id.
func (s *httpShop) compare(ctx context.Context) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	left := map[string]hookBody{}
	for id, data := range s.booked {
		left[id] = data
	}
	outcomes := map[string]int{}
	s.Must(s.Log.ReadLog(ctx, 1, func(m events.Message) (bool, error) {
		p, err := events.DecodePayment(m.Data)
		if err != nil || !p.Status.Ended() {
			return true, err
		}
		id := m.Header.Get("ce-id")
		if data := left[id]; data != (hookBody{p.Provider, p.Order, string(p.Status), p.Revision}) {
			s.t.Errorf("event %s of %s, %s: the shop has %+v", id, p.Ref, p.Status, data)
		}
		delete(left, id)
		outcomes[p.Order]++
		return true, nil
	}))
	for id, data := range left {
		s.t.Errorf("the shop booked %s, which is no outcome of the log: %+v", id, data)
	}
	if len(outcomes) != hookPayments {
		s.t.Errorf("%d payments have outcomes, want %d", len(outcomes), hookPayments)
	}
	for order, n := range outcomes {
		if n != 1 {
			s.t.Errorf("%s has %d outcomes", order, n)
		}
	}
}
