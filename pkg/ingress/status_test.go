package ingress_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
	"payonce/pkg/status"
)

// fakeStatus reports what one worker says that counted three payments, and reads these in the log.
type fakeStatus struct{ log *fakeLog }

func (f fakeStatus) Report(ctx context.Context) status.Report {
	endpoints := []status.EndpointConfig{{Name: "of-shop", Upstream: "shop"}, {Name: "of-all"}, {Name: "of-narrow", Upstream: "narrow"}}
	return status.Assemble(ctx, status.Sources{Heartbeats: f, Log: f.log, CountedBy: status.ServiceWorker, Endpoints: endpoints}, []status.ProviderConfig{configured("fake-kr"), configured("other-kr")}, start)
}

func configured(name string) status.ProviderConfig {
	return status.ProviderConfig{
		Name: name, Operations: payment.Operations(), Hours: func(payment.Operation) calendar.Hours { return calendar.Hours{} },
		Rate: &status.Rate{Calls: 20, PerSeconds: 1, Burst: 1},
	}
}

func (f fakeStatus) Heartbeats(context.Context) (map[string][]byte, error) {
	since := start.Add(-2 * time.Hour)
	one := func(provider, order string) status.Attention {
		return status.Attention{Ref: payment.Ref{Provider: provider, Order: order}, Status: payment.Conflict, Since: since}
	}
	open := func() *status.ProviderSummary {
		return &status.ProviderSummary{Open: map[payment.Status]status.Count{payment.Conflict: {Number: 1, Since: since}}, Parked: map[string]int{}}
	}
	beat := status.Heartbeat{
		ID: "1", Service: status.ServiceWorker, Process: "worker@secret-host:1", Host: "secret-host", Version: "v1", Configuration: "abc", StartedAt: since, At: start,
		Slots: 32, Failures: map[string]status.Failure{"redis": {At: since, Error: "dial secret-host"}}, NotReady: "secret-host is away",
		Providers: map[string]status.ProviderHealth{"fake-kr": {Breaker: status.BreakerOpen, CallsAt: start.Add(time.Minute), Refused: []string{"deposit/va (12)"}, LastFail: &status.Failure{At: since, Error: "not_sent provider_unreachable"}}},
		Levels:    map[string]events.Level{"fake-kr": {Ready: 3, OldestReadyAt: since, ReadyWebhooks: 1, OldestReadyWebhookAt: since, DeadLetters: 2, OldestDeadLetterAt: since}, "other-kr": {}},
		Open: &status.Summary{At: start, Sequence: 7, Providers: map[string]*status.ProviderSummary{"fake-kr": open(), "other-kr": open()},
			Attention: []status.Attention{one("fake-kr", "D-1"), one("fake-kr", "D-2"), one("other-kr", "D-3")}, AttentionTotal: 3},
	}
	waits := 3
	notifier := status.Heartbeat{ID: "2", Service: status.ServiceNotifier, Process: "notifier@secret-host:1", Endpoints: map[string]status.EndpointHealth{
		"of-shop": {Breaker: status.BreakerClosed, New: &waits, Due: &waits, Failures: []status.EndpointFailure{{Failure: status.Failure{At: since, Error: "dial secret-host"}}}}, "of-another": {Breaker: status.BreakerClosed},
	}}
	data, err := beat.Encode()
	more, err2 := notifier.Encode()
	return map[string][]byte{"worker.1": data, "notifier.2": more}, errors.Join(err, err2)
}

// conflicts puts the payments into the log that the heartbeat names, of two upstreams.
func conflicts(t *testing.T, b *border) {
	t.Helper()
	for _, of := range []struct {
		ref      payment.Ref
		upstream string
		op       payment.Operation
	}{
		{payment.Ref{Provider: "fake-kr", Order: "D-1"}, "shop", payment.Deposit}, {payment.Ref{Provider: "fake-kr", Order: "D-2"}, "another", payment.Deposit},
		{payment.Ref{Provider: "other-kr", Order: "D-3"}, "narrow", payment.Payout},
	} {
		p := paymentOf(t, of.op, depositBody, payment.Conflict)
		p.Ref, p.Upstream, p.Operation, p.UpdatedAt = of.ref, of.upstream, of.op, start.Add(-time.Hour)
		b.log.append(p)
	}
}

// A key sees the state of its providers, and of payments those that it could read one by one.
func TestStatusShowsWhatTheKeyMaySee(t *testing.T) {
	b := newBorder(t)
	conflicts(t, b)
	for key, want := range map[string]struct {
		providers, shared, items []string
		endpoint                 string
	}{
		apiKey:    {[]string{"fake-kr", "other-kr"}, []string{"other-kr"}, []string{"fake-kr/", "fake-kr/D-1"}, "of-shop"},
		narrowKey: {[]string{"other-kr"}, []string{"other-kr"}, nil, "of-narrow"}, // it is not for payouts
	} {
		a := b.do("GET", "/v1/status", "", "Authorization", "Bearer "+key)
		a.mustBe(t, 200)
		if strings.Contains(a.body, "secret-host") || strings.Contains(a.body, "abc") || strings.Contains(a.body, "D-2") {
			t.Errorf("it shows too much: %s", a.body)
		}
		var got status.Report
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		var providers, shared, items []string
		for _, p := range got.Providers {
			providers = append(providers, p.Name)
			if p.Shared {
				shared = append(shared, p.Name)
			}
			if counts := p.Queue != nil && p.Payments != nil; counts == p.Shared || !counts && (p.Queue != nil || p.Payments != nil) {
				t.Errorf("%s: shared %t, queue %v, payments %v", p.Name, p.Shared, p.Queue, p.Payments)
			}
		}
		for _, i := range got.Attention {
			items = append(items, i.Provider+"/"+i.Order)
		}
		slices.Sort(items)
		if !slices.Equal(shared, want.shared) {
			t.Errorf("%v are shared, want %v", shared, want.shared)
		}
		if !slices.Equal(providers, want.providers) || !slices.Equal(items, want.items) || got.AttentionTotal == nil || *got.AttentionTotal != len(want.items) {
			t.Errorf("the key sees %v and %v of %v, want %v", providers, items, got.AttentionTotal, want)
		}
		if len(got.Processes) != 2 || got.Processes[0].Ready || got.Processes[0].Slots != 32 {
			t.Errorf("processes %+v", got.Processes)
		}
		if len(got.Endpoints) != 1 || got.Endpoints[0].Name != want.endpoint {
			t.Errorf("the key sees the endpoints %+v, want %s", got.Endpoints, want.endpoint)
		}
	}
}

// The whole answer, byte by byte.
func TestStatusOfOneProvider(t *testing.T) {
	b := newBorder(t, func(o *ingress.Options) { o.Keys[0].Operations, o.Keys[1].Providers = nil, []string{"fake-kr"} })
	conflicts(t, b)
	a := b.do("GET", "/v1/status", "", "Authorization", "Bearer "+narrowKey)
	a.mustBe(t, 200)
	const want = `{"at":"2026-11-22T00:00:00Z","providers":[{"name":"other-kr","hours":[{"operation":"deposit","open":true,"zone":"UTC"},{"operation":"payout","open":true,"zone":"UTC"}],"rate":{"calls":20,"per_seconds":1,"burst":1},"breaker":null,"queue":{"ready":0,"in_work":0,"ready_webhooks":0,"dead_letters":0},"payments":{"open":{"conflict":{"number":1,"since":"2026-11-21T22:00:00Z"}},"parked":{},"overdue":0,"last_hour":{"settled":0,"failed":0}}}],"processes":[{"service":"worker","version":"v1","started_at":"2026-11-21T22:00:00Z","at":"2026-11-22T00:00:00Z","slots":32,"in_flight":0,"ready":false},{"service":"notifier","version":"","started_at":"0001-01-01T00:00:00Z","at":"0001-01-01T00:00:00Z","in_flight":0,"ready":true}],"endpoints":[{"name":"of-narrow","upstream":"narrow","new":null,"due":null}],"attention":[{"provider":"other-kr","order":"D-3","operation":"payout","status":"conflict","reason":"declined","amount":{"value":"10000","currency":"KRW"},"upstream":"narrow","number":1,"since":"2026-11-21T22:00:00Z","next":"the provider contradicts a published outcome: inform the owner of the ledger and check the provider's console. Then: payctl payment resolve other-kr D-3 --settled or --failed"}],"attention_total":1,"warnings":[],"unknown":[]}`
	if got := strings.TrimSpace(a.body); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What is counted at a provider that another upstream may use shows that one's payments.
func TestStatusOfASharedProvider(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *ingress.Options)
		shown  bool
	}{
		"another key":                 {func(*ingress.Options) {}, false},
		"another key, allowed":        {func(o *ingress.Options) { o.Keys[0].Balance = true }, true},
		"another key of the upstream": {func(o *ingress.Options) { o.Keys[0].Upstream = "shop" }, true},
		"a key of another provider":   {func(o *ingress.Options) { o.Keys[1].Providers = []string{"fake-kr"} }, true},
		"and a NATS upstream":         {func(o *ingress.Options) { o.Keys[1].Providers, o.NATSUpstreams = []string{"fake-kr"}, []string{"game"} }, false},
		"and the upstream's own NATS": {func(o *ingress.Options) {
			o.Keys[1].Providers, o.NATSUpstreams = []string{"fake-kr"}, []string{"narrow"}
		}, true},
	} {
		b := newBorder(t, c.change)
		conflicts(t, b)
		a := b.do("GET", "/v1/status", "", "Authorization", "Bearer "+narrowKey)
		provider := a.mustBe(t, 200)["providers"].([]any)[0].(map[string]any)
		if shared := provider["shared"] == true; shared == c.shown || (provider["payments"] != nil) != c.shown || (provider["queue"] != nil) != c.shown || provider["hours"] == nil {
			t.Errorf("%s: %v", name, provider)
		}
	}
}

// awayStatus is a report without NATS.
type awayStatus struct{}

func (awayStatus) Report(ctx context.Context) status.Report {
	return status.Assemble(ctx, status.Sources{Heartbeats: awayStatus{}}, []status.ProviderConfig{configured("fake-kr")}, start)
}

func (awayStatus) Heartbeats(context.Context) (map[string][]byte, error) {
	return nil, errors.New("secret-host: no servers available")
}

// What cannot be found out is null, and never 0.
func TestStatusThatIsNotKnown(t *testing.T) {
	b := newBorder(t, func(o *ingress.Options) { o.Status = awayStatus{} })
	a := b.do("GET", "/v1/status", "")
	got := a.mustBe(t, 200)
	first := got["providers"].([]any)[0].(map[string]any)
	if got["processes"] != nil || got["attention"] != nil || got["attention_total"] != nil || first["queue"] != nil || first["payments"] != nil || first["breaker"] != nil || strings.Contains(a.body, "secret-host") {
		t.Errorf("got %s", a.body)
	}
	if unknown := got["unknown"].([]any); len(unknown) != 3 {
		t.Errorf("unknown %v", unknown)
	}
	none := newBorder(t, func(o *ingress.Options) { o.Status = nil })
	none.do("GET", "/v1/status", "").mustRefuse(t, 503, "unavailable", "")
}
