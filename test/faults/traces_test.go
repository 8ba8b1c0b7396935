package faults

import (
	"slices"
	"strings"
	"testing"

	traced "go.opentelemetry.io/proto/otlp/trace/v1"

	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// checkTraces reads what the collector was sent. ledger is what a ledger read, by order.
func (o *observed) checkTraces(t *testing.T, ledger []string) {
	o.checkHTTP(t, ledger)
	for order, want := range map[string]struct {
		deliveries int // at least
		calls      []string
		statuses   []payment.Status
	}{
		byNATS:   {2, []string{"submit"}, []payment.Status{payment.Submitting, payment.Settled}},
		parked:   {3, []string{"submit"}, []payment.Status{payment.Submitting, payment.Parked, payment.Settled}},
		killed:   {1, nil, []payment.Status{payment.Settled}}, // the killed worker may have reported nothing
		lookedUp: {2, []string{"submit", "lookup"}, []payment.Status{payment.Submitting, payment.InDoubt, payment.Settled}},
	} {
		deliveries := o.collector.of("process COMMANDS", traceOf(order)) // on the short subject too, which names no order
		if len(deliveries) < want.deliveries {
			t.Errorf("%s: %d deliveries have a span, want %d", order, len(deliveries), want.deliveries)
		}
		for _, d := range deliveries {
			if named := d.attribute("payonce.order"); named != order && named != "" || d.parent() != callersSpan || d.service != "payonce-worker" {
				t.Errorf("%s: a delivery is not below its upstream", order)
			}
		}
		for _, call := range want.calls {
			found := o.collector.find("provider "+call, order)
			if len(found) == 0 {
				t.Errorf("%s: no span of %s", order, call)
			}
			for _, c := range found {
				if c.trace() != traceOf(order) {
					t.Errorf("%s: %s is in another trace", order, call)
				}
			}
		}
		settled := o.checkEvents(t, order, want.statuses)
		if !slices.Contains(ledger, order+" 00-"+traceOf(order)+"-"+settled.id()+"-01") {
			t.Errorf("%s: the ledger does not get the trace: %q", order, ledger)
		}
	}
	if !slices.ContainsFunc(o.collector.find("process COMMANDS", killed), func(d span) bool { return d.attribute("payonce.deliveries") != "1" }) {
		t.Error("the delivery after the kill has no span")
	}
	o.checkQuestions(t)
	o.checkConventions(t)
}

// checkEvents wants every event of an order in its upstream's trace, and returns the outcome's span.
func (o *observed) checkEvents(t *testing.T, order string, want []payment.Status) (settled span) {
	t.Helper()
	var statuses []payment.Status
	for _, e := range o.collector.find("send PAYMENTS", order) {
		if e.trace() != traceOf(order) {
			t.Errorf("%s: the event %s is in another trace", order, e.attribute("payonce.status"))
		}
		if e.Status.GetCode() == traced.Status_STATUS_CODE_ERROR { // another was faster
			continue
		}
		statuses = append(statuses, payment.Status(e.attribute("payonce.status")))
		if statuses[len(statuses)-1] == payment.Settled {
			settled = e
		}
	}
	for _, status := range want {
		if !slices.Contains(statuses, status) {
			t.Errorf("%s: the event %s has no span: %v", order, status, statuses)
		}
	}
	if settled.Span == nil {
		t.Fatalf("%s: no outcome has a span", order)
	}
	return settled
}

// checkHTTP follows one deposit from its upstream by HTTP to the outcome.
func (o *observed) checkHTTP(t *testing.T, ledger []string) {
	c := o.collector
	var server, sent span
	for _, s := range c.find("POST /v1/deposits", "") {
		if s.trace() == traceOf(byHTTP) {
			server = s
		}
	}
	for _, s := range c.find("send COMMANDS", byHTTP) {
		if s.trace() == traceOf(byHTTP) {
			sent = s
		}
	}
	if server.Span == nil || sent.Span == nil || server.parent() != callersSpan || sent.parent() != server.id() || server.service != "payonce-ingress" {
		t.Fatal("the upstream's trace is not continued")
	}
	worked, call := c.find("process COMMANDS", byHTTP), c.one(t, "provider submit", byHTTP)
	at := slices.IndexFunc(worked, func(w span) bool { return w.parent() == sent.id() })
	if at < 0 || call.parent() != worked[at].id() || call.trace() != traceOf(byHTTP) || call.service != "payonce-worker" {
		t.Error("the call is not below the delivery, or that not below the message")
	}
	if !slices.ContainsFunc(c.find("POST", ""), func(s span) bool { return s.parent() == call.id() && s.Kind == traced.Span_SPAN_KIND_CLIENT }) {
		t.Error("the request to the provider is not below the call")
	}
	settled := o.checkEvents(t, byHTTP, []payment.Status{payment.Submitting, payment.Pending, payment.Settled})
	if !slices.Contains(ledger, byHTTP+" 00-"+traceOf(byHTTP)+"-"+settled.id()+"-01") {
		t.Errorf("the ledger does not get the trace: %q", ledger)
	}
	brought := slices.ContainsFunc(c.find("process WEBHOOKS", byHTTP), func(w span) bool {
		if w.trace() == traceOf(byHTTP) || !settled.linksTo(w) || !w.linksInto(traceOf(byHTTP)) {
			return false
		}
		kept := c.find("send WEBHOOKS", byHTTP)
		k := slices.IndexFunc(kept, func(k span) bool { return k.id() == w.parent() && k.trace() == w.trace() })
		return k >= 0 && slices.ContainsFunc(c.find("POST /webhooks/{provider}", ""), func(s span) bool { return s.id() == kept[k].parent() })
	})
	if !brought {
		t.Error("the webhook and the outcome that it brought are not linked both ways")
	}
}

// checkQuestions wants spans of calls that are about no payment.
func (o *observed) checkQuestions(t *testing.T) {
	balance := o.collector.one(t, "provider balance", "")
	if balance.attribute("payonce.provider") != testenv.TeemoPay || balance.service != "payonce-ingress" {
		t.Errorf("the balance: %v", balance)
	}
	banks := o.collector.find("provider banks", "")
	if !slices.ContainsFunc(banks, func(b span) bool {
		return slices.ContainsFunc(o.collector.find("POST", ""), func(s span) bool { return s.parent() == b.id() })
	}) {
		t.Errorf("%d spans of lists of banks, and no request below any", len(banks))
	}
}

// checkConventions wants what the semantic conventions of messaging require of every span of a message.
func (o *observed) checkConventions(t *testing.T) {
	messages := 0
	for _, s := range o.collector.spans {
		operation, stream, found := strings.Cut(s.Name, " ")
		if !found || operation != "send" && operation != "process" {
			continue
		}
		messages++
		kind := map[string]traced.Span_SpanKind{"send": traced.Span_SPAN_KIND_PRODUCER, "process": traced.Span_SPAN_KIND_CONSUMER}[operation]
		if s.Kind != kind {
			t.Fatalf("%s is of kind %v", s.Name, s.Kind)
		}
		for key, want := range map[string]string{
			"messaging.system": "nats", "messaging.operation.name": operation, "messaging.operation.type": operation,
			"messaging.destination.name": stream, "server.address": "127.0.0.1", "server.port": o.nats.URL[strings.LastIndex(o.nats.URL, ":")+1:],
		} {
			if got := s.attribute(key); got != want {
				t.Fatalf("%s: %s is %q, want %q", s.Name, key, got, want)
			}
		}
		if operation == "process" && s.attribute("messaging.consumer.group.name") == "" || operation == "send" && s.attribute("messaging.message.id") == "" {
			t.Fatalf("%s has no consumer or no id: %v", s.Name, s)
		}
		if s.Status.GetCode() == traced.Status_STATUS_CODE_ERROR && s.attribute("error.type") == "" {
			t.Fatalf("%s failed without error.type", s.Name)
		}
	}
	if messages < 50 {
		t.Errorf("only %d spans of messages", messages)
	}
}
