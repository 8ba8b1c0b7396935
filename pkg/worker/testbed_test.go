package worker_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// acme is the provider of all tests.
const acme = "acme-kr"

// persons are pieces of personal data that every command and webhook of these tests carries; no log line,
// event or verdict may hold one. upstreams are the upstream's metadata: in events, and never in a log line.
var (
	persons   = []string{"HONG-GILDONG", "hong@example.test", "01099887766", "110-222-333444", "203.0.113.77", "RRN-880101"}
	upstreams = []string{"metadata-value", "metadata-key"}
)

func personIn(text string) string {
	for _, p := range persons {
		if strings.Contains(text, p) {
			return p
		}
	}
	return ""
}

// testbed is everything around the workers of one test: the log, Redis, the provider and the clock.
type testbed struct {
	t        *testing.T
	log      *memoryLog
	server   *miniredis.Miniredis
	claims   idempotency.Store
	provider *provider
	options  worker.Options // of the next process
	logs     *syncBuffer
	ids      atomic.Int64
	ahead    time.Duration // the wall clock stands ahead of the bubble's by this much
}

// inBubble runs a test in fake time, with a Redis server of its own outside.
func inBubble(t *testing.T, test func(d *testbed)) {
	t.Helper()
	server := miniredis.RunT(t)
	synctest.Test(t, func(t *testing.T) { test(newTestbed(t, server)) })
}

// newTestbed returns a testbed whose claims are in Redis, or in memory when there is no server.
func newTestbed(t *testing.T, server *miniredis.Miniredis) *testbed {
	t.Helper()
	d := &testbed{t: t, log: newMemoryLog(t), server: server, provider: newProvider(), logs: &syncBuffer{}}
	if d.claims = newMemoryClaims(time.Now); server != nil {
		d.claims = redisClaims(t, server)
	}
	d.options = worker.Options{
		Timing: worker.DefaultTiming(), Now: d.now,
		GiveUpPolicy: func(string, payment.Operation) worker.GiveUpPolicy { return worker.GiveUpPolicy{MaxSubmits: 3} },
		NewID:        func() string { return fmt.Sprintf("id-%d", d.ids.Add(1)) },
		Logger:       slog.New(slog.NewJSONHandler(d.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	t.Cleanup(d.checkLogs)
	return d
}

func (d *testbed) now() time.Time { return time.Now().Add(d.ahead) }

func (d *testbed) checkLogs() {
	d.t.Helper()
	text := d.logs.String()
	if person := personIn(text); person != "" {
		d.t.Errorf("a log line holds personal data: %s", person)
	}
	for _, u := range upstreams {
		if strings.Contains(text, u) {
			d.t.Errorf("a log line holds metadata: %s", u)
		}
	}
}

// redisClaims is the real store; the server's clock follows the bubble's.
func redisClaims(t *testing.T, server *miniredis.Miniredis) idempotency.Store {
	client, err := redis.NewClient(redis.Config{Addresses: []string{server.Addr()}, DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return timedStore{redis.New(client, redis.Options{}), server}
}

type timedStore struct {
	*redis.Store
	server *miniredis.Miniredis
}

func (s timedStore) Claim(ctx context.Context, ref payment.Ref, req idempotency.Request) (idempotency.Claim, error) {
	s.server.SetTime(time.Now())
	return s.Store.Claim(ctx, ref, req)
}

func (s timedStore) Verify(ctx context.Context, ref payment.Ref, held idempotency.Held, left time.Duration) error {
	s.server.SetTime(time.Now())
	return s.Store.Verify(ctx, ref, held, left)
}

// process is one running worker with ports of its own, so that it can be killed alone.
type process struct {
	*worker.Worker
	ports *ports
}

// start starts a worker. The testbed's options may be changed before.
func (d *testbed) start() *process {
	d.t.Helper()
	p := &ports{testbed: d}
	o := d.options
	o.Log, o.Claims = logPort{p}, claimsPort{p}
	o.Connectors = connectors.NewRegistry(map[string]connectors.Connector{acme: connectorPort{d.provider, p}, "silent": silent{d.provider}})
	step := o.OnStep
	o.OnStep = func(s worker.Step, ref payment.Ref) {
		if p.crashAt == s {
			p.crash()
		}
		if step != nil {
			step(s, ref)
		}
	}
	w, err := worker.New(o)
	if err != nil {
		d.t.Fatal(err)
	}
	return &process{w, p}
}

// command delivers a message once. A crash of the process is no verdict: crashed is true.
func (p *process) command(ctx context.Context, m events.Message) (v queue.Verdict, crashed bool) {
	defer func() {
		if r := recover(); r != nil {
			if r != any(errCrash) {
				panic(r)
			}
			crashed = true
		}
	}()
	return p.Command(ctx, m), false
}

// settle delivers a message to the process again and again, as a queue would, until it is done with.
func (d *testbed) settle(p *process, m events.Message) queue.Verdict {
	d.t.Helper()
	for range 200 {
		m.Deliveries++
		v := p.Command(context.Background(), m)
		switch v.Kind {
		case queue.Retry:
			time.Sleep(v.Delay)
		case queue.Park:
			time.Sleep(v.At.Sub(d.now()))
		default:
			return v
		}
	}
	d.t.Fatalf("never done: %s\n%s", d.log.statuses("o-1"), d.logs)
	return queue.Verdict{}
}

// order returns a deposit of 10,000 won.
func (d *testbed) order(order string) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: acme, Order: order}, Operation: payment.Deposit, Amount: payment.KRW(10000),
		Customer: payment.Customer{
			Name: persons[0], Email: persons[1], Phone: persons[2], IPAddress: persons[4], IDNumber: persons[5],
		},
		Account:     payment.Account{Number: persons[3], Holder: persons[0]},
		RequestedAt: d.now(), Metadata: map[string]string{upstreams[1]: upstreams[0]},
	}
}

// message is a command as the queue delivers it.
func (d *testbed) message(cmd payment.Command) events.Message {
	d.t.Helper()
	out, err := events.EncodeCommand(cmd, "command-id")
	if err != nil {
		d.t.Fatal(err)
	}
	return events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Deliveries: 1, StoredAt: d.now()}
}

// webhook is a provider's call as the queue delivers it.
func (d *testbed) webhook(order string, o payment.Observation, edit ...func(*call, http.Header)) events.Message {
	d.t.Helper()
	c, header := call{Order: order, Operation: payment.Deposit, Observation: o, Customer: persons[0]}, http.Header{"X-Signature": {"good"}}
	for _, e := range edit {
		e(&c, header)
	}
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(c); err != nil {
		d.t.Fatal(err)
	}
	out, err := events.EncodeWebhook(events.Webhook{
		Ref: payment.Ref{Provider: acme, Order: order}, Header: header, Body: body.Bytes(), ReceivedAt: d.now(),
	}, "webhook-id")
	if err != nil {
		d.t.Fatal(err)
	}
	return events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data, Deliveries: 1, StoredAt: d.now()}
}

func paid(edit ...func(*payment.Observation)) payment.Observation {
	o := payment.Observation{Kind: payment.Paid, Reference: "ref-o-1", Amount: payment.KRW(10000)}
	for _, e := range edit {
		e(&o)
	}
	return o
}

// want fails the test unless the verdict is of this kind and, for a dead letter, of this reason. It
// returns the verdict's time as a delay from now.
func (d *testbed) want(v queue.Verdict, kind queue.Kind, reason ...events.DeadReason) time.Duration {
	d.t.Helper()
	if v.Kind != kind || len(reason) == 1 && v.Reason != reason[0] {
		d.t.Errorf("the verdict is %+v, want kind %d %v", v, kind, reason)
	}
	if person := personIn(v.Detail); person != "" {
		d.t.Errorf("the verdict holds personal data: %s", person)
	}
	if kind == queue.Dead && v.Detail == "" {
		d.t.Error("a dead letter without a detail")
	}
	if v.Kind == queue.Park {
		return v.At.Sub(d.now())
	}
	return v.Delay
}

// sent fails the test unless the provider got this many requests and executed this many times.
func (d *testbed) sent(order string, submitted, executed int) {
	d.t.Helper()
	if is := d.provider.of(order); is.submitted != submitted || is.executed != executed {
		d.t.Errorf("%s: %d requests, %d executed, want %d and %d", order, is.submitted, is.executed, submitted, executed)
	}
}

// reason fails the test unless the order's last event has this reason.
func (d *testbed) reason(order, code, providerCode string) {
	d.t.Helper()
	r := d.log.now(order).Reason
	if r == nil || r.Code != code || r.ProviderCode != providerCode {
		d.t.Errorf("%s: the reason is %+v, want %s %s", order, r, code, providerCode)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var errCrash = errors.New("kill -9")
