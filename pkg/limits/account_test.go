package limits_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/pkg/connectors"
	"payonce/pkg/limits"
	"payonce/pkg/payment"
)

var ourAccount = &connectors.Error{Class: connectors.Misconfigured, Code: payment.ReasonAccountMisconfigured, ProviderCode: "0004"}

// pay makes a request to pay an order that ends with err and reports whether it was let through.
func pay(l *limits.Limits, way, order string, err error) (again time.Time, ok bool) {
	done, again, ok := l.EnterAccount(context.Background(), payment.Ref{Provider: acme, Order: order}, way)
	if ok {
		done(true, err)
	}
	return again, ok
}

// Two orders for which our account is refused stop the requests of their way of paying, and only these; after the pause
// one finds out whether it is over.
func TestRefusalsOfOurAccountStopTheirWay(t *testing.T) {
	for name, c := range map[string]struct {
		policy limits.Policy
		pause  time.Duration
	}{
		"a minute":   {limits.Policy{}, accountPause},
		"20 seconds": {limits.Policy{AccountPause: 20 * time.Second}, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, logs := open(t, c.policy)
				for range 3 {
					if _, ok := pay(l, "deposit/va", "o-1", declined); !ok {
						t.Fatal("a declined payment stops others")
					}
				}
				for _, order := range []string{"o-1", "o-2"} {
					if _, ok := pay(l, "deposit/va", order, ourAccount); !ok {
						t.Fatalf("%s is not let through", order)
					}
				}
				again, ok := pay(l, "deposit/va", "o-3", nil)
				if ok || time.Until(again) < c.pause || time.Until(again) > c.pause+time.Second {
					t.Errorf("let through: %t, again in %s", ok, time.Until(again))
				}
				if _, ok := pay(l, "deposit/kakaopay", "o-1", nil); !ok {
					t.Error("another way is stopped")
				}
				if !call(l, nil) {
					t.Error("look-ups are stopped")
				}
				time.Sleep(time.Until(again))
				probe, _, ok := l.EnterAccount(context.Background(), payment.Ref{Provider: acme, Order: "o-1"}, "deposit/va")
				if _, second := pay(l, "deposit/va", "o-1", nil); !ok || second {
					t.Errorf("after the pause: the first %t, the second %t", ok, second)
				}
				probe(true, ourAccount)
				if _, ok := pay(l, "deposit/va", "o-1", nil); ok {
					t.Error("open again although the account is still refused")
				}
				time.Sleep(c.pause + time.Second)
				for range 2 { // who gives no answer says nothing of our account
					if _, ok := pay(l, "deposit/va", "o-1", unreached); !ok {
						t.Error("a call without an answer stops others")
					}
				}
				for range 3 {
					if _, ok := pay(l, "deposit/va", "o-1", declined); !ok {
						t.Error("not taken again")
					}
				}
				text := logs.String()
				if strings.Count(text, "level=ERROR") != 1 || strings.Count(text, "requests to pay are paused") != 2 || !strings.Contains(text, "provider_code=0004") || !strings.Contains(text, "next=") || !strings.Contains(text, "accepts our account again") {
					t.Errorf("logs: %s", text)
				}
			})
		})
	}
}

// What a customer typed can make a provider answer with a code of our account. Such an order is reported to people, and stops
// no other, however often it is tried.
func TestOneOrderStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, logs := open(t, limits.Policy{})
		for range 10 {
			for _, order := range []string{"bad", "bad", "good"} {
				if _, ok := pay(l, "payout/", order, map[string]error{"bad": ourAccount}[order]); !ok {
					t.Fatalf("%s is stopped", order)
				}
			}
		}
		if text := logs.String(); strings.Count(text, "level=ERROR") != 10 || strings.Contains(text, "requests to pay are paused") {
			t.Errorf("logs: %s", text)
		}
		pay(l, "payout/", "bad", ourAccount)
		pay(l, "payout/", "good", unreached) // says nothing of our account
		pay(l, "payout/", "also bad", ourAccount)
		if _, ok := pay(l, "payout/", "good", nil); ok {
			t.Error("not stopped by two orders in a row")
		}
	})
}

func TestTheAccountsMetricNamesTheCode(t *testing.T) {
	reader := sdk.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	synctest.Test(t, func(t *testing.T) {
		l, _ := open(t, limits.Policy{})
		otherCode := *ourAccount
		otherCode.ProviderCode = "0005"
		for _, step := range []struct {
			order string
			err   error
			want  map[string]int64
		}{
			{"o-1", ourAccount, map[string]int64{"0004": 1}},
			{"o-2", ourAccount, map[string]int64{"0004": 1}},
			{"o-1", &otherCode, map[string]int64{"0004": 0, "0005": 1}}, // refused for something else now
			{"o-1", nil, map[string]int64{"0004": 0, "0005": 0}},
		} {
			if _, ok := pay(l, "payout/", step.order, step.err); !ok {
				t.Fatal("not let through")
			}
			if got := accountGauge(t, reader); !maps.Equal(got, step.want) {
				t.Errorf("%s, %v: %v, want %v", step.order, step.err, got, step.want)
			}
			time.Sleep(accountPause + time.Second)
		}
	})
}

// accountGauge returns the gauge of payouts by the provider's code.
func accountGauge(t *testing.T, reader sdk.Reader) map[string]int64 {
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	values := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		gauge, is := m.Data.(metricdata.Gauge[int64])
		if m.Name != limits.MetricAccount || !is {
			continue
		}
		for _, point := range gauge.DataPoints {
			code, _ := point.Attributes.Value("code")
			if way, _ := point.Attributes.Value("way"); way.AsString() == "payout/" {
				values[code.AsString()] = point.Value
			}
		}
	}
	return values
}

// Without a pause people are told, and nothing is stopped.
func TestWithoutAPauseNoWayIsStopped(t *testing.T) {
	l, err := limits.New(limits.Options{Policies: map[string]limits.Policy{acme: {}}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"o-1", "o-2", "o-3"} {
		if _, ok := pay(l, "deposit/va", order, ourAccount); !ok {
			t.Errorf("%s is stopped", order)
		}
	}
}

func TestTheAccountsPauseIsNotNegative(t *testing.T) {
	_, err := limits.New(limits.Options{Policies: map[string]limits.Policy{acme: {AccountPause: -1}}, Now: time.Now})
	if err == nil || errors.Unwrap(err) == nil || !strings.Contains(err.Error(), "account pause") {
		t.Errorf("%v", err)
	}
}

// A refusal that may be an answer to another request stops requests all the same: what it says of the payment is in
// doubt, not what it says of our account.
func TestAnUnconfirmedRefusalStopsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refusal := ourAccount.Unconfirmed()
		if refusal.Class != connectors.InDoubt {
			t.Fatalf("it is %v", refusal.Class)
		}
		l, _ := open(t, limits.Policy{})
		pay(l, "deposit/va", "o-1", refusal)
		pay(l, "deposit/va", "o-2", refusal)
		if _, ok := pay(l, "deposit/va", "o-3", nil); ok {
			t.Error("the next request is let through")
		}
	})
	throttled := &connectors.Error{Class: connectors.Throttled, Code: payment.ReasonThrottled}
	if !limits.Unavailable(throttled.Unconfirmed()) {
		t.Error("a provider that throttles is available")
	}
}
