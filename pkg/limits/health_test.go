package limits_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/limits"
	"payonce/pkg/payment"
)

// Health reports what the breakers know, and of an error its class and codes alone.
func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := open(t, limits.Policy{Breaker: config})
		if h := l.Health()[acme]; h.Breaker != "closed" || h.LastFailure != nil || len(h.Refused) > 0 {
			t.Errorf("at first %+v", h)
		}
		call(l, declined)
		if h := l.Health()[acme]; h.LastFailure != nil {
			t.Errorf("a declined payment is a failure: %+v", h.LastFailure)
		}
		failed := &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "http_503", Err: errors.New("HongGilDong")}
		for range config.Failures {
			call(l, failed)
		}
		h := l.Health()[acme]
		if h.Breaker != "open" || h.CallsAt.Before(time.Now().Add(config.OpenFor)) || h.LastFailure == nil || h.LastFailure.What != "in_doubt indeterminate_answer (http_503)" || !h.LastFailure.At.Equal(time.Now()) {
			t.Errorf("open: %+v, %+v", h, h.LastFailure)
		}
		time.Sleep(config.OpenFor + time.Second)
		if h := l.Health()[acme]; h.Breaker != "half_open" || !h.CallsAt.IsZero() {
			t.Errorf("after its time %+v", h)
		}
	})
}

// A provider without a breaker has failures, too, and an account that it refuses is named with its code.
func TestHealthWithoutABreaker(t *testing.T) {
	l, _ := open(t, limits.Policy{})
	call(l, unreached)
	refused := &connectors.Error{Class: connectors.Misconfigured, Code: payment.ReasonAccountMisconfigured, ProviderCode: "1001"}
	done, _, _ := l.EnterAccount(context.Background(), payment.Ref{Provider: acme, Order: "D-1"}, "deposit/va")
	done(true, refused)
	h := l.Health()[acme]
	if h.Breaker != "" || h.LastFailure == nil || h.LastFailure.What != "not_sent provider_unreachable" || len(h.Refused) != 1 || h.Refused[0] != "deposit/va (1001)" {
		t.Errorf("got %+v, %+v", h, h.LastFailure)
	}
}
