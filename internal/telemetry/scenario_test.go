package telemetry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// timeout bounds every wait for something that must happen.
const timeout = 2 * time.Minute

// system is an ingress and a worker with real bytes between them, NATS and the providers' sandbox.
type system struct {
	*testenv.System
	logs            *testenv.Logs
	spans           *tracetest.InMemoryExporter
	nats            *natstest.Server
	admins          []string
	secrets         []string
	worker, ingress app.Runtime
}

func start(t *testing.T) *system {
	s := &system{logs: &testenv.Logs{}, nats: natstest.Start(t), spans: tracetest.NewInMemoryExporter()}
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.spans)))
	at := testenv.Addresses{NATS: []string{s.nats.URL()}, Redis: miniredis.RunT(t).Addr()}
	s.System = testenv.NewSystem(t, t.TempDir(), at, func(a *sandbox.AccountConfig) { a.MoveDelay, a.AutoPay = 50*time.Millisecond, true })
	s.Unhurried() // each step is wanted once
	s.Edit("level: debug\n  format: text", "level: debug\n  format: json")
	s.admins = []string{"http://" + s.Admin("ingress"), "http://" + s.Admin("worker")}
	token, err := os.ReadFile(filepath.Join(s.Dir, "keys", "token"))
	s.Must(err)
	s.secrets = []string{s.APIKey, s.Keys.SharedSecret(), string(token)}
	s.ingress, s.worker = s.run(app.Ingress()), s.run(app.Worker())
	return s
}

// run runs a service.
func (s *system) run(service app.Service) app.Runtime {
	s.T.Helper()
	rt, err := app.Load(service, s.Config, s.logs)
	s.Must(err)
	testenv.Serve(s.T, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
	return rt
}

// ask talks to the ingress as an upstream service does.
func (s *system) ask(method, path, body, traceparent string) payment.Payment {
	s.T.Helper()
	req, err := http.NewRequest(method, "http://"+s.At.Listen+path, strings.NewReader(body))
	s.Must(err)
	req.Header = http.Header{"Authorization": {"Bearer " + s.APIKey}, "Content-Type": {"application/json"}, "Prefer": {"wait=5"}}
	if traceparent != "" {
		req.Header.Set("Traceparent", traceparent)
	}
	reply, err := http.DefaultClient.Do(req)
	s.Must(err)
	defer func() { _ = reply.Body.Close() }()
	data, err := io.ReadAll(reply.Body)
	s.Must(err)
	var p payment.Payment
	if reply.StatusCode >= http.StatusBadRequest || json.Unmarshal(data, &p) != nil {
		s.T.Fatalf("%s %s: %d %s", method, path, reply.StatusCode, data)
	}
	return p
}

// pay sends one payment through all of it.
func (s *system) pay(v testenv.Variant, ref payment.Ref, traceparent string) {
	s.T.Helper()
	s.ask(http.MethodPost, "/v1/"+string(v.Operation)+"s", v.Command(ref), traceparent)
	opened := false
	for deadline := time.Now().Add(timeout); ; {
		p := s.ask(http.MethodGet, "/v1/payments/"+ref.String(), "", "")
		if p.Status == payment.Settled {
			return
		}
		if p.Status.Ended() || time.Now().After(deadline) {
			s.T.Fatalf("%s is %s: %+v", ref, p.Status, p.Reason)
		}
		if page := p.Action; page != nil && page.Redirect != nil && page.Redirect.Method == http.MethodGet && strings.HasPrefix(ref.Provider, "ecommpay") && !opened {
			_, err := s.Sandbox.Visit(s.T.Context(), ref.Provider, page.Redirect.URL)
			s.Must(err)
			opened = true
		}
	}
}

// find returns the spans of a name, of one payment unless order is empty.
func (s *system) find(name, order string) (found []tracetest.SpanStub) {
	for _, span := range s.spans.GetSpans() {
		of := attributeOf(span, "payonce.order")
		if span.Name == name && (order == "" || of == order) {
			found = append(found, span)
		}
	}
	return found
}

func attributeOf(span tracetest.SpanStub, key string) string {
	for _, a := range span.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

func linked(span tracetest.SpanStub, to trace.SpanContext) bool {
	return slices.ContainsFunc(span.Links, func(l sdktrace.Link) bool {
		return l.SpanContext.TraceID() == to.TraceID() && l.SpanContext.SpanID() == to.SpanID()
	})
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

func TestWholeScenario(t *testing.T) {
	s := start(t)
	t.Run("one trace", s.checkTrace)
	t.Run("no personal data", s.checkMasking)
}

// checkTrace follows one deposit: HTTP, queue, worker, provider, webhook, outcome.
func (s *system) checkTrace(t *testing.T) {
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: "TRACED-1"}
	s.pay(testenv.Variant{Account: testenv.TeemoPay, Method: "va", Operation: payment.Deposit, Amount: payment.KRW(10_000)}, ref, "00-"+callersTrace+"-"+callersSpan+"-01")
	var webhooks []tracetest.SpanStub
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(timeout); ; <-ticker.C { // the last spans end after the outcome is seen
		webhooks = s.find("process WEBHOOKS", ref.Order)
		if len(webhooks) > 0 && len(s.find("process COMMANDS", ref.Order)) > 0 && len(s.find("POST /v1/deposits", "")) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d webhooks were worked, and not all that was before", len(webhooks))
		}
	}
	one := func(name, order string) tracetest.SpanStub {
		t.Helper()
		found := s.find(name, order)
		if len(found) != 1 {
			t.Fatalf("%d spans %q, want 1", len(found), name)
		}
		return found[0]
	}
	server, sent := one("POST /v1/deposits", ""), one("send COMMANDS", ref.Order)
	worked, call := one("process COMMANDS", ref.Order), one("provider submit", ref.Order)
	if server.SpanContext.TraceID().String() != callersTrace || server.Parent.SpanID().String() != callersSpan {
		t.Error("the caller's trace is not continued")
	}
	for _, step := range []struct{ child, parent tracetest.SpanStub }{{sent, server}, {worked, sent}, {call, worked}} {
		if step.child.Parent.SpanID() != step.parent.SpanContext.SpanID() || step.child.SpanContext.TraceID().String() != callersTrace {
			t.Errorf("%s is not below %s", step.child.Name, step.parent.Name)
		}
	}
	if !slices.ContainsFunc(s.find("POST", ""), func(p tracetest.SpanStub) bool { return p.Parent.SpanID() == call.SpanContext.SpanID() }) {
		t.Error("the HTTP request to the provider has no span below the call")
	}
	statuses := map[string]tracetest.SpanStub{}
	for _, event := range s.find("send PAYMENTS", ref.Order) {
		if event.Status.Code != codes.Error {
			statuses[attributeOf(event, "payonce.status")] = event
		}
		if event.SpanContext.TraceID().String() != callersTrace {
			t.Errorf("the event %s is in another trace", attributeOf(event, "payonce.status"))
		}
	}
	for _, status := range []payment.Status{payment.Submitting, payment.Pending, payment.Settled} {
		if _, there := statuses[string(status)]; !there {
			t.Errorf("the event %s has no span", status)
		}
	}
	s.checkWebhook(t, ref, statuses[string(payment.Settled)], webhooks)
}

// checkWebhook wants the webhook's own trace, linked to the payment's both ways, and the outcome that it brought.
func (s *system) checkWebhook(t *testing.T, ref payment.Ref, outcome tracetest.SpanStub, webhooks []tracetest.SpanStub) {
	brought := slices.ContainsFunc(webhooks, func(w tracetest.SpanStub) bool {
		return w.SpanContext.TraceID().String() != callersTrace && linked(outcome, w.SpanContext) &&
			slices.ContainsFunc(w.Links, func(l sdktrace.Link) bool { return l.SpanContext.TraceID().String() == callersTrace })
	})
	if !brought {
		t.Error("the webhook that settled the payment and its outcome are not linked")
	}
	nc, err := nats.Connect(s.nats.URL())
	s.Must(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	s.Must(err)
	stream, err := js.Stream(t.Context(), events.StreamPayments)
	s.Must(err)
	last, err := stream.GetLastMsgForSubject(t.Context(), events.PaymentSubject(payment.Settled, ref))
	s.Must(err)
	want := "00-" + callersTrace + "-" + outcome.SpanContext.SpanID().String() + "-01"
	if last.Header.Get("traceparent") != want || last.Header.Get("ce-traceparent") != want {
		t.Errorf("the outcome carries %q and %q, want %q", last.Header.Get("traceparent"), last.Header.Get("ce-traceparent"), want)
	}
	if !strings.Contains(s.logs.String(), `"trace_id":"`+callersTrace+`"`) {
		t.Error("no line of the log names the trace")
	}
}

// personal is what the commands of the testenv hold of a person.
var personal = []string{"홍길동", "길동", "hong@example.com", "01012345678", "198.51.100.7", "29900000000000"}

// found returns which of the texts are in out, as they are or escaped.
func found(out string, texts []string) (leaks []string) {
	for _, text := range texts {
		ascii := strings.Trim(strconv.QuoteToASCII(text), `"`)
		for _, form := range []string{text, url.QueryEscape(text), ascii} {
			if strings.Contains(out, form) {
				leaks = append(leaks, text)
				break
			}
		}
	}
	return leaks
}

// checkMasking pays in every way of every provider, at the log level debug, and searches everything that comes
// out: logs, spans, metrics, events without the customer's instructions.
func (s *system) checkMasking(t *testing.T) {
	for i, v := range testenv.Variants() {
		s.pay(v, payment.Ref{Provider: v.Account, Order: fmt.Sprintf("MASKED-%d", i)}, "")
	}
	s.forgedWebhook()
	out := map[string]string{"logs": s.logs.String(), "events": s.events()}
	spans, err := json.Marshal(s.spans.GetSpans())
	s.Must(err)
	out["spans"] = string(spans)
	for _, at := range s.admins {
		reply, err := http.Get(at + "/metrics")
		s.Must(err)
		data, err := io.ReadAll(reply.Body)
		s.Must(err)
		_ = reply.Body.Close()
		out["metrics"] += string(data)
	}
	for name, marker := range map[string]string{"logs": "MASKED-1", "events": "MASKED-1", "spans": "MASKED-1", "metrics": "payonce_payments_transitions_total"} {
		if !strings.Contains(out[name], marker) {
			t.Fatalf("there are no %s to search", name)
		}
	}
	if strings.Contains(out["metrics"], "MASKED-") {
		t.Error("a metric names orders: that is a series for each payment")
	}
	texts := append(slices.Clone(personal), s.secrets...)
	for name, text := range out {
		if leaks := found(text, texts); len(leaks) > 0 {
			t.Errorf("the %s show %q", name, leaks)
		}
	}
	s.plantLeaks(t, texts)
}

// forgedWebhook is refused, and what it holds must not be shown either.
func (s *system) forgedWebhook() {
	body := `{"order":"x","name":"홍길동","phone":"01012345678"}`
	reply, err := http.Post("http://"+s.At.Listen+"/webhooks/"+testenv.TeemoPay, "application/json", strings.NewReader(body))
	s.Must(err)
	_ = reply.Body.Close()
}

// plantLeaks shows that a leak would be found, whichever way it takes.
func (s *system) plantLeaks(t *testing.T, texts []string) {
	for _, text := range texts {
		s.worker.Logger.Debug("planted", "error", fmt.Errorf("refused: %s", text))
		if !slices.Contains(found(s.logs.String(), texts), text) {
			t.Errorf("%q in a log is not found", text)
		}
		_, span := otel.Tracer("planted").Start(t.Context(), "planted")
		span.SetStatus(codes.Error, "https://provider.example/?name="+url.QueryEscape(text))
		span.End()
		spans, err := json.Marshal(s.spans.GetSpans())
		s.Must(err)
		if !slices.Contains(found(string(spans), texts), text) {
			t.Errorf("%q in a span is not found", text)
		}
	}
}

// events returns the log as JSON, each payment without its action and with all headers.
func (s *system) events() string {
	nc, err := nats.Connect(s.nats.URL())
	s.Must(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	s.Must(err)
	stream, err := js.Stream(s.T.Context(), events.StreamPayments)
	s.Must(err)
	var out strings.Builder
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(s.T.Context(), seq)
		s.Must(err)
		var body map[string]json.RawMessage
		s.Must(json.Unmarshal(m.Data, &body))
		delete(body, "action")
		text, err := json.Marshal(body)
		s.Must(err)
		fmt.Fprintf(&out, "%s %v %s\n", m.Subject, m.Header, text)
	}
	return out.String()
}
