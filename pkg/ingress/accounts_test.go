package ingress_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// tellingConnector is a provider that returns its banks for payouts and the balance, or err.
type tellingConnector struct {
	fakeConnector
	err error
}

func (c *tellingConnector) Banks(ctx context.Context, op payment.Operation) ([]connectors.Bank, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return nil, errors.New("asked without an end")
	}
	if op != payment.Payout {
		return nil, c.err
	}
	return []connectors.Bank{{Code: "004", Name: "Kookmin Bank", NativeName: "국민은행"}, {Code: "088", Name: "Shinhan <Bank>"}}, c.err
}

func (c *tellingConnector) Balance(ctx context.Context) ([]connectors.Balance, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return nil, errors.New("asked without an end")
	}
	return []connectors.Balance{{Currency: "KRW", Available: payment.KRW(10000), Frozen: payment.KRW(0)}}, c.err
}

func whoTells(t *testing.T) (*border, *tellingConnector) {
	t.Helper()
	telling := &tellingConnector{}
	return newBorder(t, func(o *ingress.Options) {
		o.Registry = connectors.NewRegistry(map[string]connectors.Connector{"fake-kr": telling, "other-kr": telling, "mute-kr": muteConnector{}})
	}), telling
}

func TestBanks(t *testing.T) {
	b, _ := whoTells(t)
	a := b.do("GET", "/v1/providers/fake-kr/banks?operation=payout", "")
	a.mustBe(t, 200)
	want := `{"provider":"fake-kr","operation":"payout","banks":[{"code":"004","name":"Kookmin Bank","native_name":"국민은행"},{"code":"088","name":"Shinhan \u003cBank\u003e"}]}`
	if strings.TrimSpace(a.body) != want {
		t.Errorf("got  %s\nwant %s", a.body, want)
	}
	b.do("GET", "/v1/providers/fake-kr/banks?operation=deposit", "").mustRefuse(t, 404, "not_found", "")
	b.do("GET", "/v1/providers/mute-kr/banks?operation=payout", "").mustRefuse(t, 404, "not_found", "")
	for _, query := range []string{"", "?operation=", "?operation=refund", "?operation=Payout", "?op=payout"} {
		b.do("GET", "/v1/providers/fake-kr/banks"+query, "").mustRefuse(t, 422, "invalid_field", "operation")
	}
}

func TestBalance(t *testing.T) {
	b, _ := whoTells(t)
	a := b.do("GET", "/v1/providers/fake-kr/balance", "")
	a.mustBe(t, 200)
	want := `{"provider":"fake-kr","balances":[{"currency":"KRW","available":{"value":"10000","currency":"KRW"},"frozen":{"value":"0","currency":"KRW"}}]}`
	if strings.TrimSpace(a.body) != want {
		t.Errorf("got  %s\nwant %s", a.body, want)
	}
	b.do("GET", "/v1/providers/mute-kr/balance", "").mustRefuse(t, 404, "not_found", "")
}

func TestOnlyAKeyForTheProviderSeesWhatItTells(t *testing.T) {
	b, _ := whoTells(t)
	narrow := []string{"Authorization", "Bearer " + narrowKey} // deposits at other-kr
	for _, provider := range []string{"fake-kr", "nobody"} {
		b.do("GET", "/v1/providers/"+provider, "", narrow...).mustRefuse(t, 403, "forbidden", "")
	}
	b.do("GET", "/v1/providers/nobody", "").mustRefuse(t, 404, "not_found", "")
	for _, path := range []string{"banks?operation=payout", "balance"} {
		b.do("GET", "/v1/providers/fake-kr/"+path, "", "Authorization", "").mustRefuse(t, 401, "unauthorized", "")
		b.do("GET", "/v1/providers/nobody/"+path, "").mustRefuse(t, 404, "not_found", "")
		for _, provider := range []string{"fake-kr", "other-kr", "nobody"} {
			b.do("GET", "/v1/providers/"+provider+"/"+path, "", narrow...).mustRefuse(t, 403, "forbidden", "")
		}
	}
	b.do("GET", "/v1/providers/other-kr/banks?operation=deposit", "", narrow...).mustRefuse(t, 404, "not_found", "")
}

func TestProviderThatDoesNotTell(t *testing.T) {
	b, telling := whoTells(t)
	for _, c := range []struct {
		err    error
		status int
		kind   string
	}{
		{&connectors.Error{Class: connectors.NotSent, Code: payment.ReasonUnreachable}, 503, "unavailable"},
		{&connectors.Error{Class: connectors.Throttled, Code: payment.ReasonThrottled}, 503, "unavailable"},
		{&connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "500", Message: "HongGilDong"}, 502, "provider_failed"},
		{&connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined}, 502, "provider_failed"},
		{errors.New("HongGilDong"), 502, "provider_failed"},
	} {
		telling.err = c.err
		b.do("GET", "/v1/providers/fake-kr/banks?operation=payout", "").mustRefuse(t, c.status, c.kind, "")
		b.do("GET", "/v1/providers/fake-kr/balance", "").mustRefuse(t, c.status, c.kind, "")
	}
	if !strings.Contains(b.logged.String(), `"provider_code":"500"`) {
		t.Error("the log does not say what the provider answered")
	}
}

func registryOf(telling *tellingConnector) *connectors.Registry {
	return connectors.NewRegistry(map[string]connectors.Connector{"fake-kr": telling, "other-kr": telling, "mute-kr": muteConnector{}})
}
