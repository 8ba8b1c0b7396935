package status

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// The services that send heartbeats.
const (
	ServiceWorker   = "worker"
	ServiceIngress  = "ingress"
	ServiceArchive  = "archive"
	ServiceNotifier = "notifier"
)

// Heartbeats returns what each process that lives said last, by key.
type Heartbeats interface {
	Heartbeats(ctx context.Context) (map[string][]byte, error)
}

// Levels says how full the queue of each provider is.
type Levels interface {
	Levels(ctx context.Context, providers []string) (map[string]events.Level, error)
}

// Doubtful names payments that are or were in doubt or in conflict, at most most of them; more says that there are others.
type Doubtful interface {
	EverDoubtful(ctx context.Context, most int) (refs []payment.Ref, more bool, err error)
}

// Requests says which actions wait for a second person, oldest first.
type Requests interface {
	Requests(ctx context.Context, now time.Time) ([]operator.Request, error)
}

// Sources are where a report comes from. All but Heartbeats may be nil: then what they say is taken from the heartbeats of
// those who may read it.
type Sources struct {
	Heartbeats Heartbeats
	Levels     Levels
	Log        Log
	Doubtful   Doubtful
	Requests   Requests // nil where nothing needs a second person, and for those who may not read AUDIT
	// CountedBy is the service whose processes may read the whole system. What another's heartbeat says of it is not believed:
	// a holder of an ingress's key could hide a conflict.
	CountedBy string
	// Endpoints are those of the configuration.
	Endpoints []EndpointConfig
}

// ProviderConfig is what the configuration says of a provider.
type ProviderConfig struct {
	Name       string
	Operations []payment.Operation
	Hours      func(payment.Operation) calendar.Hours
	Rate       *Rate
}

// Assemble asks all sources. A source that fails is named in the report, which has the rest.
func Assemble(ctx context.Context, from Sources, providers []ProviderConfig, now time.Time) Report {
	a := &assembly{Sources: from, now: now, report: Report{At: now.UTC(), Providers: []Provider{}, Warnings: []string{}, Unknown: []Unknown{}}}
	for _, p := range providers {
		a.names = append(a.names, p.Name)
	}
	beats, known := a.readHeartbeats(ctx)
	levels := a.readLevels(ctx, beats)
	sum := newestSummary(beats)
	for _, p := range providers {
		a.report.Providers = append(a.report.Providers, a.provider(p, beats, levels, sum))
	}
	a.report.Endpoints = endpointsOf(a.Endpoints, beats)
	if known {
		a.processes(beats)
		a.unserved(beats)
	}
	a.attention(ctx, levels, sum)
	return a.report
}

// noWorker is the warning that every client may see.
const noWorker = "no worker lives: nothing is executed"

type assembly struct {
	Sources
	now    time.Time
	names  []string
	report Report
}

func (a *assembly) unknown(what string, format string, args ...any) {
	a.report.Unknown = append(a.report.Unknown, Unknown{what, fmt.Sprintf(format, args...)})
}

// readHeartbeats returns the heartbeats, those of workers first.
func (a *assembly) readHeartbeats(ctx context.Context) (beats []Heartbeat, known bool) {
	all, err := a.Heartbeats.Heartbeats(ctx)
	if err != nil {
		a.unknown("processes", "heartbeats cannot be read: %v", err)
		return nil, false
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		h, err := DecodeHeartbeat(all[key])
		if err != nil || events.HeartbeatKey(h.Service, h.ID) != key { // the server lets a service write under its own name only
			a.unknown("processes", "the heartbeat %s cannot be read", key)
			continue
		}
		if h.Service != a.CountedBy {
			h.Levels, h.Open = nil, nil
		}
		beats = append(beats, h)
	}
	slices.SortFunc(beats, func(x, y Heartbeat) int {
		return cmp.Or(-cmp.Compare(x.Service, y.Service), cmp.Compare(x.Process, y.Process), cmp.Compare(x.ID, y.ID))
	})
	return beats, true
}

// readLevels returns how full the queue is; nil where neither the broker nor a heartbeat says so.
func (a *assembly) readLevels(ctx context.Context, beats []Heartbeat) map[string]events.Level {
	var problem error
	if a.Levels != nil {
		levels, err := a.Levels.Levels(ctx, a.names)
		if err == nil {
			return levels
		}
		problem = err
	}
	var newest *Heartbeat
	for i, h := range beats {
		if h.Levels != nil && (newest == nil || h.At.After(newest.At)) {
			newest = &beats[i]
		}
	}
	switch {
	case newest != nil:
		return newest.Levels
	case problem != nil:
		a.unknown("queue", "it cannot be read: %v", problem)
	default:
		a.unknown("queue", "no process lives that may read it")
	}
	return nil
}

// newestSummary is what the process counted that has read most of the log; nil where none has counted.
func newestSummary(beats []Heartbeat) (sum *Summary) {
	for _, h := range beats {
		if h.Open != nil && (sum == nil || h.Open.Sequence > sum.Sequence || h.Open.Sequence == sum.Sequence && h.Open.At.After(sum.At)) {
			sum = h.Open
		}
	}
	return sum
}

func (a *assembly) provider(of ProviderConfig, beats []Heartbeat, levels map[string]events.Level, sum *Summary) Provider {
	p := Provider{Name: of.Name, Hours: []Opening{}, Rate: of.Rate, Breaker: worstBreaker(of.Name, beats)}
	for _, op := range of.Operations {
		p.Hours = append(p.Hours, OpeningOf(op, of.Hours(op), a.now))
	}
	for _, h := range beats {
		health := h.Providers[of.Name]
		for _, refused := range health.Refused {
			if !slices.Contains(p.AccountRefused, refused) {
				p.AccountRefused = append(p.AccountRefused, refused)
			}
		}
		if last := health.LastFail; last != nil && (p.LastFailure == nil || last.At.After(p.LastFailure.At)) {
			p.LastFailure = last
		}
	}
	if l, ok := levels[of.Name]; ok {
		p.Queue = &l
	}
	if sum != nil {
		p.Payments = sum.Providers[of.Name]
	}
	return p
}

// worstBreaker puts together what the workers say of a provider; nil where none does.
func worstBreaker(provider string, beats []Heartbeat) *Breaker {
	order := []string{"", BreakerClosed, BreakerHalfOpen, BreakerOpen}
	var worst *Breaker
	of := 0
	for _, h := range beats {
		health, knows := h.Providers[provider]
		if h.Service != ServiceWorker || !knows {
			continue
		}
		of++
		rank := func(state string) int { return slices.Index(order, state) }
		switch {
		case worst == nil || rank(health.Breaker) > rank(worst.State):
			worst = &Breaker{State: health.Breaker, Workers: 1, CallsAt: health.CallsAt}
		case health.Breaker == worst.State:
			worst.Workers++
			if health.CallsAt.After(worst.CallsAt) {
				worst.CallsAt = health.CallsAt
			}
		}
	}
	if worst != nil {
		worst.Of = of
	}
	return worst
}

// processes lists the processes, and warns of what is wrong with them.
func (a *assembly) processes(beats []Heartbeat) {
	a.report.Processes = []Process{}
	workers := 0
	configurations := map[program]map[string]int{} // how many processes have each
	for _, h := range beats {
		a.report.Processes = append(a.report.Processes, Process{
			Service: h.Service, Process: h.Process, Host: h.Host, Version: h.Version, Configuration: h.Configuration, StartedAt: h.StartedAt, At: h.At,
			Slots: h.Slots, InFlight: h.InFlight, Ready: h.NotReady == "", NotReady: h.NotReady, Clock: h.Clock, Failures: h.Failures, Providers: h.Providers,
		})
		if h.Service == ServiceWorker {
			workers++
		}
		of := program{h.Service, h.Version}
		if configurations[of] == nil {
			configurations[of] = map[string]int{}
		}
		configurations[of][h.Configuration]++
		if h.NotReady != "" {
			a.warn("%s is not ready: %s", h.Process, h.NotReady)
		}
	}
	if workers == 0 {
		a.warn(noWorker)
	}
	a.compare(configurations)
}

// program is what processes have in common that have the same digest of the same configuration: another service reads other parts of it,
// and another version may know other keys.
type program struct{ service, version string }

// compare warns of processes that run with another configuration than others of the same service and version.
func (a *assembly) compare(configurations map[program]map[string]int) {
	byName := func(x, y program) int {
		return cmp.Or(cmp.Compare(x.service, y.service), cmp.Compare(x.version, y.version))
	}
	for _, one := range slices.SortedFunc(maps.Keys(configurations), byName) {
		of := configurations[one]
		if len(of) < 2 {
			continue
		}
		var each []string
		for _, digest := range slices.Sorted(maps.Keys(of)) {
			each = append(each, fmt.Sprintf("%s: %d", digest, of[digest]))
		}
		a.warn("the processes of service %s run with different configurations (%s): restart those with the older one", one.service, strings.Join(each, ", "))
	}
}

func (a *assembly) warn(format string, args ...any) {
	a.report.Warnings = append(a.report.Warnings, fmt.Sprintf(format, args...))
}
