package ingress_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/natstest"
)

var (
	_ ingress.Commands    = (*jetstream.Conn)(nil)
	_ ingress.WebhookSink = (*jetstream.Conn)(nil)
	_ ingress.Log         = (*jetstream.Conn)(nil)
)

// timeout is how long to wait for what must happen. It is less than the longest Prefer: wait.
const timeout = 30 * time.Second

// watchedLog says when a request begins to wait.
type watchedLog struct {
	*jetstream.Conn
	watched chan struct{}
}

func (l watchedLog) Watch(ref payment.Ref) (<-chan struct{}, func()) {
	changed, stop := l.Conn.Watch(ref)
	l.watched <- struct{}{}
	return changed, stop
}

// onNATS is an ingress on a real nats-server.
func onNATS(t *testing.T, change ...func(*ingress.Options)) (*border, watchedLog) {
	t.Helper()
	conn, err := jetstream.Connect(t.Context(), jetstream.Options{
		URLs: []string{natstest.Start(t).URL()}, Name: t.Name(), Config: streamconfig.Of(config.Defaults()),
		Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := admin.New(conn).EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := watchedLog{conn, make(chan struct{}, 1)}
	b := newBorder(t, append(change, func(o *ingress.Options) { o.Commands, o.Webhooks, o.Log, o.Actions = conn, conn, log, conn })...)
	return b, log
}

func TestOneOrderFromCommandToOutcomeOnNATS(t *testing.T) {
	b, conn := onNATS(t)
	b.do("GET", "/v1/payments/fake-kr/D-1", "").mustRefuse(t, 404, "not_found", "")
	b.do("POST", "/v1/deposits", depositBody).mustBeDuplicate(t, false, payment.Requested)
	b.do("POST", "/v1/deposits", rewritten).mustBeDuplicate(t, true, payment.Requested)
	b.do("POST", "/v1/deposits", different).mustRefuse(t, 409, "order_reused", "order")
	b.do("POST", "/v1/payouts", depositBody).mustRefuse(t, 409, "order_reused", "order")
	if view := b.do("GET", "/v1/payments/fake-kr/D-1", "").mustBe(t, 200); view["status"] != "requested" {
		t.Errorf("status %v", view["status"])
	}

	waited := make(chan answer)
	go func() { waited <- b.do("GET", "/v1/payments/fake-kr/D-1", "", "Prefer", "wait=60") }()
	<-conn.watched
	p := paymentOf(t, payment.Deposit, depositBody, payment.Submitting)
	sequence, err := conn.Append(t.Context(), p, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.Status, p.Revision, p.SettledAmount = payment.Settled, 2, p.Amount
	if _, err := conn.Append(t.Context(), p, sequence); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-waited:
		if view := a.mustBe(t, 200); view["status"] != "settled" {
			t.Errorf("the waiting request got status %v", view["status"])
		}
	case <-time.After(timeout):
		t.Fatal("the outcome did not wake the waiting request")
	}

	b.do("POST", "/v1/deposits", rewritten).mustBeDuplicate(t, true, payment.Settled)
	b.do("POST", "/v1/deposits", different).mustRefuse(t, 409, "order_reused", "order")
	timeline := b.do("GET", "/v1/payments/fake-kr/D-1/events", "").mustBe(t, 200)
	if list, _ := timeline["events"].([]any); len(list) != 2 {
		t.Errorf("timeline %v", timeline)
	}
}

func TestWebhookOnNATS(t *testing.T) {
	b, conn := onNATS(t)
	body := `{"order":"D-1"}`
	for range 2 { // the second is the same call again
		if a := b.call(body); a.status != http.StatusOK || a.body != "SUCCESS" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	b.call(strings.Replace(body, "D-1", "D-2", 1))
	first, second := firstTwo(t, conn)
	if first.Order != "D-1" || second.Order != "D-2" {
		t.Errorf("stored for %s and %s", first.Order, second.Order)
	}
	if string(first.Body) != body || first.Header.Get("X-Signature") != signature(body) {
		t.Errorf("stored %+v", first)
	}
}

// firstTwo returns the first two webhooks that a worker gets.
func firstTwo(t *testing.T, conn watchedLog) (events.Webhook, events.Webhook) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var got []events.Webhook
	if err := conn.ConsumeWebhooks(ctx, "fake-kr", 1, func(_ context.Context, m events.Message) queue.Verdict {
		w, err := events.DecodeWebhook(m)
		if err != nil {
			t.Error(err)
		}
		if got = append(got, w); len(got) == 2 {
			cancel()
		}
		return queue.Acknowledge()
	}); err != nil || len(got) < 2 {
		t.Fatalf("%d webhooks, %v", len(got), err)
	}
	return got[0], got[1]
}
