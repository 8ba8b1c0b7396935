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

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// The orders of which the traces are followed.
const (
	byHTTP   = "TRACE-HTTP"
	byNATS   = "TRACE-NATS"                   // on a short subject
	parked   = "TRACE-LOWBALANCE"             // released by its schedule
	killed   = "TRACE-KILLED"                 // its worker was killed after the call
	lookedUp = "T-x-drop_1-x-lost-callback-1" // neither a reply nor a webhook
)

// traceOf is the trace of the upstream that sent an order.
func traceOf(order string) string { return fmt.Sprintf("%032x", "trace of "+order)[:32] }

const callersSpan = "00f067aa0ba902b7"

func traceparent(order string) string { return "00-" + traceOf(order) + "-" + callersSpan + "-01" }

// Programs at their most talkative report a scenario in traces, metrics and logs, and nothing about its people.
func TestWhatTheProgramsTell(t *testing.T) {
	o := observe(t)
	ctx := within(t, timeout)
	o.play(ctx)
	pages := o.pages(t)
	var deadLetters []string
	for header := range o.outcomes(ctx) {
		deadLetters = append(deadLetters, header)
	}
	o.Must(o.working.Stop(testenv.StopTimeout)) // what was not sent yet is sent now
	o.Must(o.ingress.Stop(testenv.StopTimeout))
	o.badStarts(ctx)
	t.Run("traces", func(t *testing.T) { o.checkTraces(t, deadLetters) })
	t.Run("metrics", func(t *testing.T) { o.checkMetrics(t, pages) })
	t.Run("logs", o.checkLogs)
	t.Run("masking", func(t *testing.T) { o.checkMasking(t, pages) })
}

// play lets everything happen that the programs can report.
func (o *observed) play(ctx context.Context) {
	js := natstest.JetStream(o.t, o.nats.URL, nats.UserInfo("payonce", o.natsPassword))
	send := func(subject, order, body string) {
		o.t.Helper()
		m := &nats.Msg{Subject: subject, Header: nats.Header{"traceparent": {traceparent(order)}}, Data: []byte(body)}
		_, err := js.PublishMsg(ctx, m)
		o.Must(err)
	}
	payout := func(provider, order string) {
		o.t.Helper()
		v := testenv.Variant{Account: provider, Operation: payment.Payout, Amount: payment.KRW(10_000), Method: map[string]string{testenv.TeemoPay: "bank_transfer", unreachable: "bank_transfer"}[provider]}
		send("payout.requested", order, v.Command(payment.Ref{Provider: provider, Order: order}))
	}
	doomed := o.launch(crashing(o.t), "doomed", `"msg":"working"`, "PAYONCE_CRASH_AT="+string(worker.StepCalled), "PAYONCE_CRASH_ORDER="+killed)
	payout(testenv.TeemoPay, killed)
	select {
	case <-doomed.Done():
	case <-ctx.Done():
		o.t.Fatal("the worker was not killed")
	}
	o.working = o.launch(crashing(o.t), "worker", `"msg":"working"`,
		"PAYONCE_CRASH_AT="+string(worker.StepClaimed), "PAYONCE_CRASH_ORDER=PANIC", "PAYONCE_CRASH_PANIC="+strings.Join(personal, " "))
	for _, order := range []string{byNATS, lookedUp, "PANIC", "x-decline-1", "ECHOTEXT-1", "ECHOCODE-1"} {
		payout(testenv.TeemoPay, order)
	}
	for _, provider := range []string{testenv.ECommPay, testenv.DiamondPayV2} {
		payout(provider, "ECHOTEXT-2")
		payout(provider, "ECHOCODE-2")
	}
	payout(testenv.DiamondPayV2, parked)
	payout(testenv.DiamondPayV2, wrongKeyOrder)
	for i := range 4 {
		payout(unreachable, fmt.Sprintf("UNSENT-%d", i))
	}
	o.badInput(send)
	var steps errgroup.Group
	steps.Go(func() error { return o.everyWay(ctx) })
	steps.Go(func() error { return o.traced(ctx) })
	steps.Go(func() error { return o.asked(ctx) })
	o.Must(steps.Wait())
	o.ask(http.MethodGet, "/v1/providers/"+testenv.ECommPay+"/banks?operation=payout", o.shop.Key, "")
	o.ask(http.MethodGet, "/v1/providers/"+testenv.TeemoPay+"/balance", o.shop.Key, "")
	unpaid := testenv.Variant{Account: testenv.DiamondPayV2, Method: "card", Operation: payment.Deposit, Amount: payment.KRW(10_000)}
	o.ask(http.MethodPost, "/v1/deposits", o.shop.Key, unpaid.Command(payment.Ref{Provider: unpaid.Account, Order: "UNPAID"}))
	for _, order := range []string{byNATS, parked, killed, lookedUp, "PANIC", "x-decline-1", wrongKeyOrder} {
		provider := testenv.TeemoPay
		if order == parked || order == wrongKeyOrder {
			provider = testenv.DiamondPayV2
		}
		o.ended(ctx, orderOf(provider, order))
	}
	for _, late := range []string{"payonce_payments_overdue_total{", "payonce_payments_open_age_seconds_count{"} { // of UNPAID
		o.happens(ctx, late, func() bool { return strings.Contains(o.page("worker", "/metrics"), late) })
	}
	o.redis.Stop() // the worker goes on without
	payout(testenv.TeemoPay, "NOREDIS")
	o.ended(ctx, orderOf(testenv.TeemoPay, "NOREDIS"))
	o.Must(os.WriteFile(o.Config, append(o.configText(), "# changed\n"...), 0o600))
	for _, late := range []string{"payonce_dead_letters", "payonce_configuration_reloads_total"} {
		o.happens(ctx, late, func() bool { return strings.Contains(o.page("ingress", "/metrics"), late+"{") })
	}
	for _, late := range []string{"payonce.dead_letters", "payonce.configuration.reloads", "payonce.payments.overdue", "payonce.payments.open_age"} {
		o.happens(ctx, late, func() bool { return o.collector.has(late) })
	}
}

func (o *observed) configText() []byte {
	text, err := os.ReadFile(o.Config)
	o.Must(err)
	return text
}

func orderOf(provider, name string) order {
	return order{payment.Ref{Provider: provider, Order: name}, payment.Payout}
}

// everyWay pays in every way of every provider.
func (o *observed) everyWay(ctx context.Context) error {
	for _, outcome := range o.shop.Round(ctx, "MASKED", 1, nil) {
		if !outcome.Good() {
			return fmt.Errorf("%s by %s: %s, %w", outcome.Ref, outcome.Variant.Method, outcome.Status, outcome.Err)
		}
	}
	return nil
}

// traced is a deposit whose upstream has a trace.
func (o *observed) traced(ctx context.Context) error {
	v := testenv.Variant{Account: testenv.TeemoPay, Method: "va", Operation: payment.Deposit, Amount: payment.KRW(10_000)}
	ref := payment.Ref{Provider: v.Account, Order: byHTTP}
	if status, text := o.ask(http.MethodPost, "/v1/deposits", o.shop.Key, v.Command(ref), "Traceparent", traceparent(byHTTP)); status != http.StatusAccepted {
		return fmt.Errorf("the deposit is answered %d %s", status, text)
	}
	outcome := o.shop.Pay(ctx, v, byHTTP) // the same command again, and what the customer does
	if !outcome.Good() {
		return fmt.Errorf("%s: %s, %w", ref, outcome.Status, outcome.Err)
	}
	return nil
}

// asked is a deposit about which the provider wants to know more.
func (o *observed) asked(ctx context.Context) error {
	v := testenv.Variant{Account: testenv.ECommPay, Method: "gate", Operation: payment.Deposit, Amount: payment.KRW(10_000)}
	ref := payment.Ref{Provider: v.Account, Order: "D-x-clarification-1"}
	if status, text := o.ask(http.MethodPost, "/v1/deposits", o.shop.Key, v.Command(ref)); status != http.StatusAccepted {
		return fmt.Errorf("the deposit is answered %d %s", status, text)
	}
	var p payment.Payment
	o.happens(ctx, "a question to the customer", func() bool {
		p, _, _ = jetstream.WithActions{Conn: o.Log.Conn}.Last(ctx, ref)
		return p.Action != nil && p.Action.Clarification != nil
	})
	var fields []string
	for group, names := range p.Action.Clarification.Fields {
		var of []string
		for _, name := range names {
			of = append(of, fmt.Sprintf("%q: %q", name, clarified))
		}
		fields = append(fields, fmt.Sprintf("%q: {%s}", group, strings.Join(of, ", ")))
	}
	body := `{"fields": {` + strings.Join(fields, ", ") + `}}`
	if status, text := o.ask(http.MethodPost, "/v1/payments/"+ref.String()+"/clarification", o.shop.Key, body); status != http.StatusAccepted {
		return fmt.Errorf("the clarification is answered %d %s", status, text)
	}
	o.happens(ctx, "an answer to the provider", func() bool {
		p, _, _ = o.Log.Last(ctx, ref)
		return p.Action == nil || p.Action.Type != payment.ActionClarification
	})
	return nil
}

// badInput is everything that is refused.
func (o *observed) badInput(send func(subject, order, body string)) {
	said := strings.Join(personal, " ")
	good := testenv.Variant{Account: testenv.TeemoPay, Method: "va", Operation: payment.Deposit, Amount: payment.KRW(10_000)}.Command(payment.Ref{Provider: testenv.TeemoPay, Order: "BAD"})
	for _, refused := range []struct{ path, key, body string }{
		{"/v1/deposits", o.shop.Key, "garbage " + said},
		{"/v1/deposits", o.shop.Key, strings.Replace(good, `"metadata"`, `"`+said+`": 1, "metadata"`, 1)},
		{"/v1/deposits", o.shop.Key, strings.Replace(good, `"KRW"`, `"`+said+`"`, 1)},
		{"/v1/deposits", o.shop.Key, strings.Replace(good, testenv.TeemoPay, "hong-gildong", 1)},
		{"/v1/deposits", o.shop.Key + "0", good},
		{"/v1/" + "홍길동", o.shop.Key, good},
		{"/webhooks/" + "홍길동", "", said},
		{"/webhooks/" + testenv.TeemoPay, "", `{"name":"` + said + `"}`},
		{"/webhooks/" + testenv.ECommPay, "", `{"payment":{"id":"1"},"signature":"` + said + `"}`},
		{"/webhooks/" + testenv.DiamondPayV2, "", `{"sign":"` + said + `"}`},
	} {
		if status, text := o.ask(http.MethodPost, refused.path, refused.key, refused.body); status < http.StatusBadRequest {
			o.t.Errorf("%s is answered %d %s", refused.path, status, text)
		}
	}
	for tries := 1; ; tries++ { // one a second is its limit, and a slow machine may keep to it for a while
		if status, _ := o.ask(http.MethodPost, "/v1/deposits", o.limited, good); status == http.StatusTooManyRequests {
			break
		} else if tries == 1000 {
			o.t.Fatalf("the last of %d requests at once is answered %d", tries, status)
		}
	}
	send("deposit.requested", "bad", "garbage "+said)
	send("deposit.requested."+testenv.TeemoPay+".bad-1", "bad", said)
	send("deposit.requested", "bad", strings.Replace(good, `"KRW"`, `"`+said+`"`, 1))
	send("webhook.received."+testenv.TeemoPay+".bad-2", "bad", said)
}

// badStarts are programs that do not start, because their configuration or a password is wrong.
func (o *observed) badStarts(ctx context.Context) {
	text := o.configText()
	var env []string
	for _, pair := range o.env {
		name, _, _ := strings.Cut(pair, "=")
		env = append(env, pair)
		if name == "TELEMETRY_NATS" {
			env[len(env)-1] += "-wrong"
		}
	}
	for name, bad := range map[string]string{
		"password": string(text),
		"inline":   strings.Replace(string(text), "${TELEMETRY_NATS}", o.secrets[0]+o.secrets[1], 1),
		"url":      strings.Replace(string(text), "nats://", "nats://payonce:"+o.secrets[0]+"@", 1),
		"key":      strings.Replace(string(text), "secret_file: keys/shared_secret", "secret: "+o.Keys.SharedSecret(), 1),
		"number":   strings.Replace(string(text), "replicas: 0", "replicas: "+o.secrets[0], 1) + "\nnats: " + o.secrets[0] + "\n",
	} {
		path := filepath.Join(o.Dir, "bad.yaml")
		o.Must(os.WriteFile(path, []byte(bad), 0o600))
		for _, program := range []string{shipped(o.t, "worker"), shipped(o.t, "ingress")} {
			cmd := exec.CommandContext(ctx, program, "--config", path)
			cmd.Env = append(os.Environ(), env...)
			out, err := cmd.CombinedOutput()
			if err == nil || len(out) == 0 {
				o.t.Errorf("%s starts with a bad %s: %s", filepath.Base(program), name, out)
			}
			o.Must(os.WriteFile(filepath.Join(o.Dir, "bad-"+name+"-"+filepath.Base(program)+".log"), out, 0o600))
		}
	}
}

// outcomes are the headers of settled payments as a ledger gets them: what it reads of CloudEvents, by order.
func (o *observed) outcomes(ctx context.Context) map[string]struct{} {
	found := map[string]struct{}{}
	js := natstest.JetStream(o.t, o.nats.URL, nats.UserInfo("payonce", o.natsPassword))
	consumer, err := js.CreateConsumer(ctx, events.StreamPayments, njs.ConsumerConfig{Durable: "ledger", FilterSubject: "payment.settled.>", AckPolicy: njs.AckExplicitPolicy})
	o.Must(err)
	batch, err := consumer.FetchNoWait(1000)
	o.Must(err)
	for m := range batch.Messages() {
		ref, _ := events.SubjectRef(m.Subject())
		found[ref.Order+" "+events.Header(m.Headers()).Get("ce-traceparent")] = struct{}{}
		o.Must(m.Ack())
	}
	o.Must(batch.Error())
	return found
}
