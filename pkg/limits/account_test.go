package limits_test

import (
	"context"
	"errors"
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

// pay makes a request to pay that ends with err and reports whether it was let through.
func pay(l *limits.Limits, way string, err error) (again time.Time, ok bool) {
	done, again, ok := l.EnterAccount(context.Background(), acme, way)
	if ok {
		done(true, err)
	}
	return again, ok
}

// One refusal of our account stops the requests of that way of paying, and only these; after the pause one finds
// out whether it is over.
func TestOneRefusalOfOurAccountStopsItsWay(t *testing.T) {
	for name, c := range map[string]struct {
		policy limits.Policy
		pause  time.Duration
	}{
		"by default": {limits.Policy{}, limits.DefaultAccountPause},
		"configured": {limits.Policy{AccountPause: 20 * time.Second}, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, logs := open(t, c.policy)
				for range 3 {
					if _, ok := pay(l, "deposit/va", declined); !ok {
						t.Fatal("a declined payment stops others")
					}
				}
				pay(l, "deposit/va", ourAccount)
				again, ok := pay(l, "deposit/va", nil)
				if ok || time.Until(again) < c.pause || time.Until(again) > c.pause+time.Second {
					t.Errorf("let through: %t, again in %s", ok, time.Until(again))
				}
				if _, ok := pay(l, "deposit/kakaopay", nil); !ok {
					t.Error("another way is stopped")
				}
				if !call(l, nil) {
					t.Error("look-ups are stopped")
				}
				time.Sleep(time.Until(again))
				probe, _, ok := l.EnterAccount(context.Background(), acme, "deposit/va")
				if _, second := pay(l, "deposit/va", nil); !ok || second {
					t.Errorf("after the pause: the first %t, the second %t", ok, second)
				}
				probe(true, ourAccount)
				if _, ok := pay(l, "deposit/va", nil); ok {
					t.Error("open again although the account is still refused")
				}
				time.Sleep(c.pause + time.Second)
				for range 2 { // who gives no answer says nothing of our account
					if _, ok := pay(l, "deposit/va", unreached); !ok {
						t.Error("a call without an answer stops others")
					}
				}
				for range 3 {
					if _, ok := pay(l, "deposit/va", declined); !ok {
						t.Error("not taken again")
					}
				}
				text := logs.String()
				if strings.Count(text, "level=ERROR") != 2 || !strings.Contains(text, "provider_code=0004") || !strings.Contains(text, "next=") || !strings.Contains(text, "takes our account again") {
					t.Errorf("logs: %s", text)
				}
			})
		})
	}
}

func TestTheAccountsMetricNamesTheCode(t *testing.T) {
	reader := sdk.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	synctest.Test(t, func(t *testing.T) {
		l, _ := open(t, limits.Policy{})
		for _, want := range []int64{1, 0} {
			pay(l, "payout/", map[int64]error{1: ourAccount, 0: nil}[want])
			var all metricdata.ResourceMetrics
			if err := reader.Collect(context.Background(), &all); err != nil {
				t.Fatal(err)
			}
			found := false
			for _, m := range all.ScopeMetrics[0].Metrics {
				gauge, is := m.Data.(metricdata.Gauge[int64])
				if m.Name != limits.MetricAccount || !is {
					continue
				}
				for _, point := range gauge.DataPoints {
					code, _ := point.Attributes.Value("code")
					way, _ := point.Attributes.Value("way")
					found = found || point.Value == want && code.AsString() == "0004" && way.AsString() == "payout/"
				}
			}
			if !found {
				t.Errorf("no gauge of %d: %+v", want, all.ScopeMetrics[0].Metrics)
			}
			time.Sleep(limits.DefaultAccountPause + time.Second)
		}
	})
}

func TestTheAccountsPauseIsNotNegative(t *testing.T) {
	_, err := limits.New(limits.Options{Policies: map[string]limits.Policy{acme: {AccountPause: -1}}, Now: time.Now})
	if err == nil || errors.Unwrap(err) == nil || !strings.Contains(err.Error(), "account pause") {
		t.Errorf("%v", err)
	}
}
