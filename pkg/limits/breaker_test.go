package limits_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/limits"
	"payonce/pkg/payment"
)

const acme = "acme-kr"

var (
	unreached = &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonUnreachable}
	declined  = &connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined}
	config    = limits.Breaker{Failures: 3, OpenFor: time.Minute, Probes: 2}
)

// accountPause is that of the tests that name none.
const accountPause = time.Minute

func open(t *testing.T, policy limits.Policy, edit ...func(*limits.Options)) (*limits.Limits, *bytes.Buffer) {
	t.Helper()
	logs := &bytes.Buffer{}
	policy.AccountPause = cmp.Or(policy.AccountPause, accountPause)
	o := limits.Options{
		Policies: map[string]limits.Policy{acme: policy}, Now: time.Now, Logger: slog.New(slog.NewTextHandler(logs, nil)),
	}
	for _, e := range edit {
		e(&o)
	}
	l, err := limits.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l, logs
}

// call makes a call that ends with err and reports whether it was let through.
func call(l *limits.Limits, err error) bool {
	done, _, ok := l.Enter(context.Background(), acme)
	if ok {
		done(true, err)
	}
	return ok
}

// opened returns limits whose breaker has just opened.
func opened(t *testing.T) (*limits.Limits, *bytes.Buffer) {
	t.Helper()
	l, logs := open(t, limits.Policy{Breaker: config})
	for range config.Failures {
		if !call(l, unreached) {
			t.Fatal("it opens too early")
		}
	}
	return l, logs
}

func TestWhatIsUnavailable(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"an answer":               {nil, false},
		"unreachable":             {unreached, true},
		"no answer":               {&connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonNoAnswer}, true},
		"not classified":          {errors.New("reset"), true},
		"a server's fault":        {&connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "http_503"}, true},
		"throttled":               {&connectors.Error{Class: connectors.Throttled, Code: payment.ReasonThrottled}, true},
		"declined":                {declined, false},
		"declined with a 5xx":     {&connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined, ProviderCode: "http_500"}, false},
		"low balance":             {&connectors.Error{Class: connectors.NotSent, Code: payment.ReasonBalance}, false},
		"an undocumented answer":  {&connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "http_404"}, false},
		"a code like a 5xx's end": {&connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "5"}, false},
	} {
		if got := limits.Unavailable(c.err); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestTheBreakerOpensAfterFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, logs := open(t, limits.Policy{Breaker: config})
		for range 10 { // never three in a row
			for _, err := range []error{unreached, unreached, declined} {
				if !call(l, err) {
					t.Fatal("it opened although the provider answered")
				}
			}
		}
		call(l, unreached)
		call(l, unreached)
		if done, _, ok := l.Enter(context.Background(), acme); !ok {
			t.Fatal("it opened too early")
		} else {
			done(false, unreached) // no call was made
		}
		if !call(l, unreached) {
			t.Fatal("what was not called was counted")
		}
		if _, again, ok := l.Enter(context.Background(), acme); ok || time.Until(again) < config.OpenFor || time.Until(again) > config.OpenFor+time.Second {
			t.Errorf("open: let through %t, again in %s", ok, time.Until(again))
		}
		if n := strings.Count(logs.String(), "provider unavailable"); n != 1 {
			t.Errorf("%d log lines: %s", n, logs)
		}
		if _, _, ok := l.Enter(context.Background(), "other"); !ok {
			t.Error("another provider is stopped too")
		}
	})
}

// tracing writes into each line whose call it was, as the services' handler does with traces.
type tracing struct{ slog.Handler }

type caller struct{}

func (h tracing) Handle(ctx context.Context, line slog.Record) error {
	line.AddAttrs(slog.Any("trace", ctx.Value(caller{})))
	return h.Handler.Handle(ctx, line)
}

// TestTheBreakersLinesBelongToACall: to the one that opened it, and to the one that closed it.
func TestTheBreakersLinesBelongToACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &bytes.Buffer{}
		l, err := limits.New(limits.Options{
			Policies: map[string]limits.Policy{acme: {Breaker: config}}, Now: time.Now,
			Logger: slog.New(tracing{slog.NewTextHandler(logs, nil)}),
		})
		if err != nil {
			t.Fatal(err)
		}
		as := func(name string, err error) {
			done, _, ok := l.Enter(context.WithValue(context.Background(), caller{}, name), acme)
			if !ok {
				t.Fatalf("%s is not let through", name)
			}
			done(true, err)
		}
		for i := range config.Failures {
			as(fmt.Sprintf("bad-%d", i), unreached)
		}
		time.Sleep(config.OpenFor + time.Second)
		for i := range config.Probes {
			as(fmt.Sprintf("good-%d", i), nil)
		}
		opens, closes, _ := strings.Cut(strings.TrimSpace(logs.String()), "\n")
		if want := fmt.Sprintf("trace=bad-%d", config.Failures-1); !strings.Contains(opens, "provider unavailable") || !strings.Contains(opens, want) ||
			!strings.Contains(opens, "payctl parked list --provider "+acme) {
			t.Errorf("opened: %s, want %s", opens, want)
		}
		if want := fmt.Sprintf("trace=good-%d", config.Probes-1); !strings.Contains(closes, "available again") || !strings.Contains(closes, want) {
			t.Errorf("closed: %s, want %s", closes, want)
		}
	})
}

func TestHalfOpenLetsExactlyTheProbesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, logs := opened(t)
		_, again, _ := l.Enter(context.Background(), acme)
		time.Sleep(time.Until(again) - 2*time.Millisecond)
		if call(l, nil) {
			t.Error("it let a call through before its time")
		}
		time.Sleep(2 * time.Millisecond)
		var mu sync.Mutex
		var probes []func(bool, error)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				done, again, ok := l.Enter(context.Background(), acme)
				mu.Lock()
				defer mu.Unlock()
				if ok {
					probes = append(probes, done)
				} else if time.Until(again) != min(config.OpenFor, 5*time.Second) {
					t.Errorf("told to come again in %s", time.Until(again))
				}
			})
		}
		all.Wait()
		if len(probes) != config.Probes {
			t.Fatalf("%d calls of 100 are let through, want %d", len(probes), config.Probes)
		}
		probes[0](false, nil) // it made no call: another may
		if done, _, ok := l.Enter(context.Background(), acme); !ok {
			t.Error("the place of a probe that was none is lost")
		} else {
			probes[0] = done
		}
		if call(l, nil) {
			t.Error("one too many")
		}
		probes[0](true, declined) // the provider answers
		if call(l, nil) {
			t.Error("one good probe of two closed it")
		}
		probes[1](true, nil)
		for range 10 {
			if !call(l, nil) {
				t.Fatal("it did not close")
			}
		}
		if !strings.Contains(logs.String(), "available again") {
			t.Errorf("logs: %s", logs)
		}
	})
}

func TestABadProbeOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := opened(t)
		time.Sleep(config.OpenFor + time.Second)
		first, _, _ := l.Enter(context.Background(), acme)
		second, _, _ := l.Enter(context.Background(), acme)
		first(true, unreached)
		second(true, nil) // late: it belongs to no probing any more
		if _, again, ok := l.Enter(context.Background(), acme); ok || time.Until(again) < config.OpenFor {
			t.Errorf("let through %t, again in %s", ok, time.Until(again))
		}
	})
}

func TestWithoutABreakerEverythingGoes(t *testing.T) {
	l, _ := open(t, limits.Policy{})
	for range 100 {
		if !call(l, unreached) {
			t.Fatal("stopped")
		}
	}
}

func TestProblemsOfPolicies(t *testing.T) {
	good := limits.Policy{Rate: limits.Rate{Calls: 1, Per: time.Second, Burst: 1}, Breaker: config}
	if _, err := limits.New(limits.Options{Policies: map[string]limits.Policy{acme: good}}); err == nil {
		t.Error("without a clock, and taken")
	}
	for name, edit := range map[string]func(*limits.Policy){
		"rate: calls":     func(p *limits.Policy) { p.Rate.Calls = -1 },
		"rate: calls ":    func(p *limits.Policy) { p.Rate.Per = 0 },
		"rate: calls m":   func(p *limits.Policy) { p.Rate.Burst = 0 },
		"rate: more than": func(p *limits.Policy) { p.Rate.Calls = 2_000_000 },
		"breaker: f":      func(p *limits.Policy) { p.Breaker.Failures = -1 },
		"breaker: fa":     func(p *limits.Policy) { p.Breaker.OpenFor = 0 },
		"breaker: fai":    func(p *limits.Policy) { p.Breaker.Probes = 0 },
	} {
		bad := good
		edit(&bad)
		_, err := limits.New(limits.Options{Policies: map[string]limits.Policy{acme: bad, "other": bad}, Now: time.Now})
		for _, provider := range []string{acme, "other"} {
			if err == nil || !strings.Contains(err.Error(), provider+": "+name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := limits.New(limits.Options{Policies: map[string]limits.Policy{acme: good}, Now: time.Now}); err != nil {
		t.Error(err)
	}
}

// A breaker that is open for a moment only does not keep others waiting for longer than that.
func TestOthersWaitForAProbeNoLongerThanTheBreakerIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := limits.Breaker{Failures: 1, OpenFor: time.Second, Probes: 1}
		l, _ := open(t, limits.Policy{Breaker: short})
		call(l, unreached)
		time.Sleep(2 * time.Second)
		l.Enter(t.Context(), acme) // the probe
		if _, again, ok := l.Enter(t.Context(), acme); ok || time.Until(again) != time.Second {
			t.Errorf("again in %s, %t", time.Until(again), ok)
		}
	})
}
