package status_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/status"
)

var update = flag.Bool("update", false, "write testdata")

// world is what a report is made from.
type world struct {
	beats  map[string]status.Heartbeat
	levels map[string]events.Level
	log    map[payment.Ref]payment.Payment
	waits  []operator.Request
	away   error

	endpoints []status.EndpointConfig
}

func (w world) Requests(context.Context, time.Time) ([]operator.Request, error) {
	return w.waits, w.away
}

func (w world) Heartbeats(context.Context) (map[string][]byte, error) {
	all := map[string][]byte{}
	for key, beat := range w.beats {
		data, err := beat.Encode()
		if err != nil {
			return nil, err
		}
		all[key] = data
	}
	return all, w.away
}

func (w world) Levels(context.Context, []string) (map[string]events.Level, error) {
	return w.levels, w.away
}

func (w world) Last(_ context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	p, known := w.log[ref]
	if !known && w.away == nil {
		return p, 0, events.ErrNoPayment
	}
	return p, 1, w.away
}

func (w world) EverDoubtful(context.Context, int) (refs []payment.Ref, more bool, err error) {
	for ref := range w.log {
		refs = append(refs, ref)
	}
	return refs, false, w.away
}

func (w world) report(providers ...status.ProviderConfig) status.Report {
	return status.Assemble(context.Background(), status.Sources{Heartbeats: w, Levels: w, Log: w, Doubtful: w, Requests: w, CountedBy: status.ServiceIngress, Endpoints: w.endpoints}, providers, now)
}

// week is open on weekdays from 8 to 23:30 in Seoul.
func week(t *testing.T) calendar.Hours {
	t.Helper()
	hours, err := calendar.Parse(calendar.Config{Zone: "Asia/Seoul", Days: "mon-fri", Hours: "08:00-23:30"})
	if err != nil {
		t.Fatal(err)
	}
	return hours
}

func provider(name string, hours calendar.Hours) status.ProviderConfig {
	return status.ProviderConfig{Name: name, Operations: payment.Operations(), Hours: func(payment.Operation) calendar.Hours { return hours }}
}

// everything is a world in which all that can be shown is shown.
func everything(t *testing.T) world {
	t.Helper()
	r := newReader()
	r.put("P-1001", payment.Submitting, 3*time.Hour)
	r.put("P-1001", payment.Settled, 3*time.Hour)
	r.put("P-1001", payment.Conflict, 2*time.Hour, because(payment.ReasonContradiction))
	r.put("P-1002", payment.InDoubt, 72*time.Minute, because(payment.ReasonNoAnswer))
	r.put("P-1003", payment.InDoubt, 90*time.Minute) // it ended after it was counted
	r.put("D-7", payment.Submitting, 4*time.Second)
	for _, order := range []string{"D-1", "D-2", "D-3"} {
		r.put(order, payment.Parked, 40*time.Minute, because(payment.ReasonClosed), func(e *events.LogEntry) { e.ResumeAt = now.Add(16 * time.Hour) })
	}
	r.put("D-4", payment.Parked, 5*time.Minute, because(payment.ReasonBalance))
	r.put("D-5", payment.Pending, 26*time.Hour, because(payment.ReasonOverdue), overdue)
	for _, order := range []string{"E-1", "E-2", "E-3", "E-4"} {
		r.put(order, payment.Submitting, 20*time.Minute)
		end := payment.Settled
		if order == "E-4" {
			end = payment.Failed
		}
		r.put(order, end, 19*time.Minute)
	}
	worker := status.Heartbeat{
		ID: "w1", Service: "worker", Process: "worker@host-a:4711", Host: "host-a", Version: "v1.4.0", Configuration: "3f9a6c0d51e2", StartedAt: now.Add(-75 * time.Hour),
		At: now.Add(-3 * time.Second), Slots: 96, InFlight: 12, Clock: &status.Clock{Difference: 0.004}, Failures: map[string]status.Failure{"redis": {At: now.Add(-8 * time.Minute), Error: "dial tcp 10.0.0.7:6379: connect: connection refused"}},
		Providers: map[string]status.ProviderHealth{acme: {Breaker: status.BreakerClosed}, "other-kr": {
			Breaker: status.BreakerOpen, CallsAt: now.Add(20 * time.Second), LastFail: &status.Failure{At: now.Add(-10 * time.Second), Error: "not_sent provider_unreachable"}}},
	}
	second := worker
	second.ID, second.Process, second.Host, second.Configuration, second.NotReady = "w2", "worker@host-b:52", "host-b", "another", "clock: it differs by 12s"
	second.Failures, second.Clock = nil, &status.Clock{Difference: -12}
	second.Providers = map[string]status.ProviderHealth{acme: {Breaker: status.BreakerClosed}, "other-kr": {Breaker: status.BreakerClosed, Refused: []string{"deposit/va (1001)"}}}
	ingress := status.Heartbeat{
		ID: "i1", Service: "ingress", Process: "ingress@host-a:99", Version: "v1.4.0", Configuration: "3f9a6c0d51e2", StartedAt: now.Add(-5 * time.Minute), At: now, Open: r.summary(t),
	}
	waits, none := 1204, 0
	notifier := status.Heartbeat{
		ID: "n1", Service: status.ServiceNotifier, Process: "notifier@host-a:7", Host: "host-a", Version: "v1.4.0", Configuration: "b81c24e07f3a", StartedAt: now.Add(-2 * time.Hour), At: now, Slots: 16,
		Endpoints: map[string]status.EndpointHealth{
			"shop": {Breaker: status.BreakerOpen, TriesAt: now.Add(20 * time.Second), New: &waits, Due: &none, DeliveredAt: now.Add(-time.Hour), Failures: []status.EndpointFailure{
				{Failure: status.Failure{At: now.Add(-10 * time.Second), Error: "HTTP 503"}, Provider: acme, Order: "P-1001", Status: payment.Conflict},
			}},
			"game": {Breaker: status.BreakerClosed, New: &none, Due: &none}, "bookkeeping": {Breaker: status.BreakerClosed, New: &waits, Due: &waits, Disabled: true},
			"of-another-file": {Breaker: status.BreakerHalfOpen},
		},
	}
	of := func(order string, s payment.Status, change func(*payment.Payment)) payment.Payment {
		p := payment.Payment{Ref: payment.Ref{Provider: acme, Order: order}, Operation: payment.Payout, Status: s, Amount: payment.KRW(10_000), UpdatedAt: now.Add(-2 * time.Hour), FirstSubmittedAt: now.Add(-3 * time.Hour)}
		if change != nil {
			change(&p)
		}
		return p
	}
	log := map[payment.Ref]payment.Payment{}
	for _, p := range []payment.Payment{
		of("P-1001", payment.Conflict, func(p *payment.Payment) { p.Reason = &payment.Reason{Code: payment.ReasonContradiction} }), of("P-1002", payment.InDoubt, nil),
		of("P-1003", payment.Settled, nil), of("D-4", payment.Parked, func(p *payment.Payment) { p.Reason = &payment.Reason{Code: payment.ReasonBalance} }),
		of("D-5", payment.Pending, func(p *payment.Payment) { p.Operation, p.OverdueAt = payment.Deposit, now }),
	} {
		log[p.Ref] = p
	}
	return world{
		beats: map[string]status.Heartbeat{"worker.w1": worker, "worker.w2": second, "ingress.i1": ingress, "notifier.n1": notifier},
		levels: map[string]events.Level{
			acme:       {Ready: 12, OldestReadyAt: now.Add(-4 * time.Second), InWork: 3},
			"other-kr": {DeadLetters: 2, OldestDeadLetterAt: now.Add(-30 * time.Minute)},
		},
		log: log,
	}
}

// Configurations are compared among processes of one service and version: others read other parts of the file.
func TestConfigurationsAreComparedWithinAService(t *testing.T) {
	for name, c := range map[string]struct {
		service, version, configuration string
		warns                           bool
	}{
		"the same": {"worker", "v1", "a", false}, "another configuration": {"worker", "v1", "b", true},
		"another service": {"archive", "v1", "b", false}, "another version": {"worker", "v2", "b", false},
	} {
		stands := world{beats: map[string]status.Heartbeat{
			"worker.1": {ID: "1", Service: "worker", Version: "v1", Configuration: "a"}, c.service + ".2": {ID: "2", Service: c.service, Version: c.version, Configuration: c.configuration},
		}}.report()
		if warns := strings.Contains(strings.Join(stands.Warnings, "\n"), "different configurations (a: 1, b: 1)"); warns != c.warns {
			t.Errorf("%s: %v", name, stands.Warnings)
		}
	}
}

// The whole report, as people and as programs read it. The text has lines of 80 characters at most.
func TestReportIsGolden(t *testing.T) {
	w := everything(t)
	w.waits = requests()
	limited := provider(acme, week(t))
	limited.Rate = &status.Rate{Calls: 20, PerSeconds: 1, Burst: 5}
	w.endpoints = []status.EndpointConfig{{Name: "bookkeeping"}, {Name: "game", Upstream: "game"}, {Name: "new"}, {Name: "shop", Upstream: "shop"}}
	full := w.report(limited, provider("other-kr", calendar.Hours{}))
	away := world{away: errors.New("no servers available for connection"), endpoints: []status.EndpointConfig{{Name: "shop"}}}.report(provider(acme, week(t)))
	quiet := newReader()
	well := world{
		beats: map[string]status.Heartbeat{
			"worker.1":  {ID: "1", Service: "worker", Process: "worker@host:1", Version: "v1.4.0", Configuration: "3f9a6c0d51e2", StartedAt: now.Add(-time.Hour), Providers: map[string]status.ProviderHealth{acme: {Breaker: "closed"}}},
			"ingress.1": {ID: "1", Service: "ingress", Process: "ingress@host:2", Version: "v1.4.0", Configuration: "3f9a6c0d51e2", StartedAt: now.Add(-time.Hour), Open: quiet.summary(t)},
		},
		levels: map[string]events.Level{acme: {}},
	}.report(provider(acme, week(t)))
	if full.Healthy() || away.Healthy() || !well.Healthy() {
		t.Errorf("healthy are %t, %t, %t", full.Healthy(), away.Healthy(), well.Healthy())
	}
	for name, report := range map[string]status.Report{"full": full, "away": away, "well": well} {
		var text bytes.Buffer
		if err := report.Text(&text); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text.String()) {
			if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
				t.Errorf("%s: a line is too long: %s", name, line)
			}
		}
		data, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", text.Bytes())
		golden(t, name+".json", append(data, '\n'))
	}
}

// requests are two that wait for a second person.
func requests() []operator.Request {
	one := events.AuditRecord{Action: events.ActionSettle, Provider: acme, By: "kim", At: now.Add(-50 * time.Minute), Items: []events.AuditItem{{Order: "P-1002", Amount: payment.KRW(9_000_000)}}}
	file := events.AuditRecord{Action: events.ActionImport, Provider: acme, By: "lee", At: now.Add(-time.Minute), Amount: payment.KRW(20_000_000), File: events.AuditFile{Name: "november.csv", Payouts: 2000}, Items: []events.AuditItem{}}
	return []operator.Request{
		{Sequence: 17, By: "kim", ExpiresAt: now.Add(23 * time.Hour), Record: one, State: events.Requested}, {Sequence: 21, By: "lee", ExpiresAt: now.Add(24 * time.Hour), Record: file, State: events.Requested},
	}
}

// Requests for a second person need a person, also where payments are not counted, and upstreams do not hear of them.
func TestRequestsNeedAPerson(t *testing.T) {
	w := everything(t)
	before := *w.report(provider(acme, week(t))).AttentionTotal
	w.waits = requests()
	r := w.report(provider(acme, week(t)))
	if *r.AttentionTotal != before+2 || r.Healthy() {
		t.Errorf("%d need a person, want %d", *r.AttentionTotal, before+2)
	}
	all := func(string) bool { return true }
	for _, i := range r.For(all, all, func(status.Item) bool { return true }, func(status.Endpoint) bool { return true }).Attention {
		if i.Request > 0 {
			t.Errorf("an upstream hears of %+v", i)
		}
	}
	w.beats, w.levels = nil, nil
	uncounted := status.Assemble(t.Context(), status.Sources{Heartbeats: w, Requests: w}, nil, now)
	if uncounted.AttentionTotal != nil || len(uncounted.Attention) != 2 || uncounted.Attention[0].Request != 17 {
		t.Errorf("%+v", uncounted.Attention)
	}
	var text bytes.Buffer
	if err := uncounted.Text(&text); err != nil || !strings.Contains(strings.Join(strings.Fields(text.String()), " "), "request 17 to settle at "+acme+" P-1002, 9000000 KRW, asked for by kim") {
		t.Errorf("%v: %s", err, &text)
	}
	w.away = errors.New("no responders")
	away := status.Assemble(t.Context(), status.Sources{Heartbeats: world{}, Requests: w}, nil, now)
	if len(away.Unknown) == 0 || away.Healthy() {
		t.Errorf("%+v", away)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs (%v); go test ./pkg/status -update writes it; got\n%s", path, err, got)
	}
}

// Without a process that counts, the log is searched for what was in doubt or in conflict, and the rest is unknown.
func TestNobodyCounts(t *testing.T) {
	w := everything(t)
	w.beats = nil
	r := w.report(provider(acme, week(t)))
	if len(r.Attention) != 5 || r.Providers[0].Payments != nil || r.Providers[0].Queue == nil || len(r.Unknown) != 1 || len(r.Warnings) != 1 {
		t.Errorf("attention %+v, unknown %+v, warnings %v", r.Attention, r.Unknown, r.Warnings)
	}
}

// An entry under another's name, or one that is not a heartbeat, is shown as that and does not hide the others.
func TestForeignHeartbeatsAreNotBelieved(t *testing.T) {
	w := everything(t)
	beat := w.beats["worker.w1"]
	w.beats["ingress.x"] = beat
	r := w.report(provider(acme, week(t)))
	if len(r.Processes) != 4 || len(r.Unknown) != 1 || r.Unknown[0].What != "processes" {
		t.Errorf("processes %+v, unknown %+v", r.Processes, r.Unknown)
	}
}

// A holder of a key of a service that may not read the system cannot hide what needs a person.
func TestOnlyWhoMayReadIsBelieved(t *testing.T) {
	w := everything(t)
	liar := w.beats["worker.w1"]
	liar.Open = &status.Summary{Sequence: 1 << 60, Providers: map[string]*status.ProviderSummary{}}
	w.beats["worker.w1"] = liar
	if r := w.report(provider(acme, week(t))); len(r.Attention) != 5 || r.Providers[0].Payments == nil {
		t.Errorf("attention %+v", r.Attention)
	}
}

// What others write must not steer a terminal.
func TestTextHasNothingThatATerminalObeys(t *testing.T) {
	w := everything(t)
	beat := w.beats["worker.w1"]
	beat.Process = "worker\x1b[2J\u202e"
	w.beats["worker.w1"] = beat
	var text bytes.Buffer
	if err := w.report(provider(acme, week(t))).Text(&text); err != nil || strings.ContainsAny(text.String(), "\x1b\u202e") {
		t.Errorf("%v: %q", err, text.String())
	}
	if f := status.FailureOf(now, errors.New("a\x1b[2J\nb"+strings.Repeat("x", 1000))); strings.ContainsAny(f.Error, "\x1b\n") || len(f.Error) > 310 {
		t.Errorf("got %q", f.Error)
	}
}

// One notifier that reaches an endpoint is enough, what waits is what the one sees that sees most, and none but notifiers are
// believed.
func TestEndpointsOfSeveralNotifiers(t *testing.T) {
	few, many := 2, 5
	beat := func(id, service string, e status.EndpointHealth) status.Heartbeat {
		return status.Heartbeat{ID: id, Service: service, Endpoints: map[string]status.EndpointHealth{"shop": e}}
	}
	failed := func(ago time.Duration, what string) status.EndpointFailure {
		return status.EndpointFailure{Failure: status.Failure{At: now.Add(-ago), Error: what}, Provider: acme, Order: "P-1001", Status: payment.Settled}
	}
	late, early := failed(time.Second, "HTTP 503"), failed(time.Minute, "HTTP 500")
	open := func(after time.Duration) status.EndpointHealth {
		return status.EndpointHealth{Breaker: status.BreakerOpen, TriesAt: now.Add(after)}
	}
	for name, c := range map[string]struct {
		beats []status.Heartbeat
		want  status.Endpoint
	}{
		"one reaches it": {
			[]status.Heartbeat{
				beat("1", status.ServiceNotifier, status.EndpointHealth{Breaker: status.BreakerOpen, TriesAt: now.Add(time.Second), New: &few, Due: &many, Failures: []status.EndpointFailure{late, early, early}}),
				beat("2", status.ServiceNotifier, status.EndpointHealth{Breaker: status.BreakerClosed, New: &many, Due: &few, DeliveredAt: now, Failures: []status.EndpointFailure{late, early, early}}),
			},
			status.Endpoint{Name: "shop", Upstream: "shop", Breaker: status.BreakerClosed, New: &many, Due: &many, DeliveredAt: now, Failures: []status.EndpointFailure{late, late, early, early, early}},
		},
		"one tries": {
			[]status.Heartbeat{beat("1", status.ServiceNotifier, status.EndpointHealth{Breaker: status.BreakerHalfOpen}), beat("2", status.ServiceNotifier, open(time.Second))},
			status.Endpoint{Name: "shop", Upstream: "shop", Breaker: status.BreakerHalfOpen},
		},
		"the first to try": {
			[]status.Heartbeat{beat("1", status.ServiceNotifier, open(9*time.Second)), beat("2", status.ServiceNotifier, open(3*time.Second))},
			status.Endpoint{Name: "shop", Upstream: "shop", Breaker: status.BreakerOpen, TriesAt: now.Add(3 * time.Second)},
		},
		"a worker says so": {
			[]status.Heartbeat{beat("1", status.ServiceWorker, status.EndpointHealth{Breaker: status.BreakerClosed, New: &few})},
			status.Endpoint{Name: "shop", Upstream: "shop"},
		},
	} {
		w := world{beats: map[string]status.Heartbeat{}, endpoints: []status.EndpointConfig{{Name: "shop", Upstream: "shop"}}}
		for _, b := range c.beats {
			w.beats[events.HeartbeatKey(b.Service, b.ID)] = b
		}
		r := w.report()
		if len(r.Endpoints) != 1 || !reflect.DeepEqual(r.Endpoints[0], c.want) {
			t.Errorf("%s: got %+v, want %+v", name, r.Endpoints, c.want)
		}
		if got := r.EndpointOf("shop"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s by its name: got %+v, want %+v", name, got, c.want)
		}
		if warned := strings.Contains(strings.Join(r.Warnings, "\n"), "no notifier lives"); warned != (name == "a worker says so") {
			t.Errorf("%s: warnings %q", name, r.Warnings)
		}
	}
	if r := (world{}).report(); strings.Contains(strings.Join(r.Warnings, "\n"), "notifier") || r.Endpoints != nil || !reflect.DeepEqual(r.EndpointOf("shop"), status.Endpoint{Name: "shop"}) {
		t.Errorf("without endpoints: %+v", r)
	}
}
