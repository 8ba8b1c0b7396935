package console_test

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"payonce/internal/console"
	"payonce/pkg/endpoints"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
	"payonce/pkg/status"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// receiver is a service that gets webhooks: what came, by webhook-id, and how it answers.
type receiver struct {
	url string

	mu     sync.Mutex
	status int
	got    []string // webhook-ids
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusNoContent}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got = append(r.got, request.Header.Get("webhook-id"))
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, "the customer is Kim Minsu")
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// shop is an endpoint at a receiver. The path of its URL is a secret.
func shop(url string) endpoints.Endpoint {
	return endpoints.Endpoint{
		Name: "shop", URL: url + "/hooks/c0ffee", Secrets: []secret.Value{secret.New("whsec_" + base64.StdEncoding.EncodeToString([]byte("first key of the shop, 32 bytes!")))},
		EveryUpstream: true, Statuses: []payment.Status{payment.Settled, payment.Failed}, Concurrency: 1, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}
}

// notified is a report with what a running notifier says, as its heartbeat would.
type notified struct {
	report
	n *endpoints.Notifier
}

func (r notified) Report(ctx context.Context) status.Report {
	stands := r.report.Report(ctx)
	stands.At = time.Now()
	if r.n == nil {
		return stands
	}
	for name, h := range r.n.Health() {
		e := status.Endpoint{Name: name, Breaker: strings.ReplaceAll(h.State, "-", "_"), TriesAt: h.TriesAt, DeliveredAt: h.DeliveredAt}
		for _, f := range h.Failures {
			e.Failures = append(e.Failures, status.EndpointFailure{Failure: status.Failure{At: f.At, Error: f.Problem}, Provider: f.Provider, Order: f.Order, Status: f.Status})
		}
		stands.Endpoints = append(stands.Endpoints, e)
	}
	stands.Processes = []status.Process{{Service: status.ServiceNotifier, Process: "notifier@test:1", Ready: true, StartedAt: stands.At, At: stands.At}}
	return stands
}

// withEndpoint is a console beside a broker with the streams of the endpoint "shop", and a notifier that sends to it.
func withEndpoint(t *testing.T, to *receiver, running bool, change ...func(*console.Options)) system {
	t.Helper()
	t.Parallel()
	of := shop(to.url)
	cfg := jetstreamtest.Config()
	cfg.Endpoints = []jetstream.Endpoint{{Name: of.Name, Statuses: of.Statuses}}
	broker := natstest.Start(t)
	conn := jetstreamtest.Connect(t, broker.URL(), cfg)
	said := notified{report: quiet()}
	if running {
		var err error
		said.n, err = endpoints.New(endpoints.Options{
			Endpoints: []endpoints.Endpoint{of}, Timeout: 5 * time.Second, RetryMin: time.Minute, RetryMax: time.Hour, GiveUpAfter: 72 * time.Hour,
			Breaker: endpoints.Breaker{Failures: 2, OpenFor: time.Hour}, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- said.n.Run(ctx, conn.Conn) }()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	of.Secrets = nil // the console has none
	return startOn(t, broker, conn, append([]func(*console.Options){func(o *console.Options) {
		o.SendTo, o.Endpoints, o.Status = []endpoints.Endpoint{of}, conn, said
	}}, change...)...)
}

func (s system) settle(orders ...string) {
	s.t.Helper()
	for _, order := range orders {
		s.append(newPayment(order), 0, in(payment.Submitting), settled)
	}
}

// has waits until an element of a page holds a text, loading the page again. The page keeps nothing that a person wrote meanwhile.
func has(ctx context.Context, t *testing.T, url, selector, want string) {
	t.Helper()
	jetstreamtest.Eventually(t, want, func() bool {
		do(ctx, t, chromedp.Navigate(url), chromedp.WaitVisible(selector))
		return strings.Contains(text(ctx, t, selector), want)
	})
}

// An endpoint that fails is seen with its breaker, its failures, its next attempt and what waits, and nothing that it answered; a
// person tests it, disables it, has events sent again under their own ids, and enables it.
func TestEndpointInTheConsole(t *testing.T) {
	to := newReceiver(t)
	s := withEndpoint(t, to, true)
	s.settle("D-1")
	jetstreamtest.Eventually(t, "the first delivery", func() bool { return len(to.ids()) == 1 })
	ctx := browser(t, 1280, 800)
	s.signInAs(ctx, "ann", "/ledgers")
	if shown := text(ctx, t, `[data-part="endpoints"]`); !strings.Contains(shown, "enabled") || strings.Contains(shown, "c0ffee") {
		t.Error(shown)
	}
	to.answers(http.StatusInternalServerError)
	s.settle("D-2", "D-3", "D-4")
	page := s.url + "/ledgers/endpoints/shop"
	has(ctx, t, page, "main", "breaker open")
	shown := text(ctx, t, "main")
	for _, want := range []string{"HTTP 500", "D-2", "in the log, not sent yet"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown: %s", want, shown)
		}
	}
	if strings.Contains(shown, "Kim Minsu") || strings.Contains(shown, "c0ffee") {
		t.Errorf("what is secret is shown: %s", shown)
	}
	has(ctx, t, page, `[data-part="figures"]`, "Next attempt")
	acts := func(action, want string) {
		t.Helper()
		do(ctx, t, chromedp.Navigate(page), chromedp.WaitVisible("main"))
		press(ctx, t, `a.button[href$="/`+action+`"]`)
		do(ctx, t, chromedp.WaitVisible("#reason"), chromedp.SendKeys("#reason", "ticket 4711\r"), chromedp.WaitVisible("#notice"))
		if told := strings.Join(strings.Fields(text(ctx, t, "#notice")), " "); !strings.Contains(told, want) {
			t.Errorf("%s: %s", action, told)
		}
	}
	acts("test", "did not take the test event. HTTP 500")
	to.answers(http.StatusNoContent)
	acts("test", "took the test event: HTTP 204")
	acts("disable", "The endpoint is disabled")
	has(ctx, t, page, `[data-part="state"]`, "disabled")
	before := to.ids()[0]
	do(ctx, t, chromedp.Navigate(page+"/replay?provider=acme&order=D-1"), chromedp.WaitVisible("#preview"))
	if shown := text(ctx, t, "#preview"); shown != "1 event" {
		t.Error(shown)
	}
	do(ctx, t, chromedp.SendKeys("#reason", "the shop lost it\r"), chromedp.WaitVisible("#notice"))
	if told := text(ctx, t, "#notice"); !strings.Contains(told, "1: sent again") {
		t.Error(told)
	}
	has(ctx, t, page, `[data-part="figures"]`, "1\nDue again")
	acts("enable", "The endpoint is enabled")
	s.wantAudits("intended test ann: ticket 4711", "finished test ann: ticket 4711", "intended test ann: ticket 4711", "finished test ann: ticket 4711",
		"intended disable ann: ticket 4711", "finished disable ann: ticket 4711", "intended replay ann: the shop lost it", "finished replay ann: the shop lost it",
		"intended enable ann: ticket 4711", "finished enable ann: ticket 4711")
	if first := to.ids()[0]; first != before {
		t.Error("the first id changed")
	}
}

// An endpoint without a running notifier says so, and a test of it says that none answers.
func TestEndpointWithoutANotifier(t *testing.T) {
	s := withEndpoint(t, newReceiver(t), false)
	ann := s.clientOf("ann")
	path := "/ledgers/endpoints/shop"
	if status, _, page := s.get(ann, path); status != http.StatusOK || !strings.Contains(page, "no notifier runs") {
		t.Errorf("%d %s", status, page)
	}
	if status, _, _ := s.get(ann, "/ledgers/endpoints/game"); status != http.StatusNotFound {
		t.Errorf("an endpoint that is not there: %d", status)
	}
	form := s.form(ann, path+"/test")
	if status, page := s.post(ann, path+"/test", form); status != http.StatusBadRequest || !strings.Contains(page, "Say why") {
		t.Errorf("without a reason: %d", status)
	}
	s.wantAudits()
	form.Set("reason", "seen")
	if _, page := s.post(ann, path+"/test", form); !strings.Contains(page, "No notifier answers") {
		t.Error(page)
	}
	if _, page := s.post(ann, path+"/enable", url.Values{"reason": {"x"}}); !strings.Contains(page, "not possible as the endpoint stands") {
		t.Error(page)
	}
	s.wantAudits("intended test ann: seen", "finished test ann: seen")
}

// Events are sent again as they were shown: without a choice nothing is, and when the choice has other events meanwhile.
func TestResendWhatWasShown(t *testing.T) {
	s := withEndpoint(t, newReceiver(t), false)
	s.settle("D-1", "D-2")
	ann, path := s.clientOf("ann"), "/ledgers/endpoints/shop/replay"
	for query, want := range map[string]string{
		"": "Which events", "?order=D-1": "Give an order with its provider", "?from=x": "A time cannot be read", "?provider=acme&order=D-9": "no such event",
		"?from=2026-01-01T00:00": "2 events",
	} {
		if status, _, page := s.get(ann, path+query); status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("%q: %d, %q is not in it", query, status, want)
		}
	}
	if status, _ := s.post(ann, path, url.Values{"reason": {"x"}}); status != http.StatusBadRequest {
		t.Errorf("a form that chooses nothing: %d", status)
	}
	form := s.form(ann, path+"?from=2026-01-01T00:00")
	s.settle("D-3") // comes after what was shown, and is not meant
	form.Set("reason", "restored from a backup")
	number := form.Get("number")
	form.Set("number", "1")
	if status, page := s.post(ann, path, form); status != http.StatusConflict || !strings.Contains(page, "Nothing was sent") {
		t.Errorf("%d", status)
	}
	s.wantAudits()
	form.Set("number", number)
	if _, page := s.post(ann, path, form); !strings.Contains(page, "2: sent again") {
		t.Error(page)
	}
	states, err := s.conn.EndpointStates(jetstreamtest.Context(t))
	if err != nil || states["shop"].Due != 2 || states["shop"].New != 3 {
		t.Errorf("%+v, %v", states, err)
	}
	if _, _, page := s.get(ann, "/audit"); strings.Contains(page, "/payments/unknown/") {
		t.Error("a record without a provider leads to a payment")
	}
	s.wantAudits("intended replay ann: restored from a backup", "finished replay ann: restored from a backup")
}

// A viewer sees endpoints and can do nothing about them.
func TestViewersOnlyLookAtEndpoints(t *testing.T) {
	s := withEndpoint(t, newReceiver(t), false)
	kim := s.client()
	if status, _, page := s.get(kim, "/ledgers/endpoints/shop"); status != http.StatusOK || strings.Contains(page, "/disable") {
		t.Errorf("%d %s", status, page)
	}
	for _, action := range []string{"test", "disable", "enable", "replay"} {
		path := "/ledgers/endpoints/shop/" + action
		if status, _ := s.post(kim, path, url.Values{"reason": {"x"}, "provider": {"acme"}, "order": {"D-1"}}); status != http.StatusForbidden {
			t.Errorf("%s: %d", action, status)
		}
		if status, _, _ := s.get(kim, path); status != http.StatusForbidden {
			t.Errorf("the page of %s: %d", action, status)
		}
	}
	s.wantAudits()
}
