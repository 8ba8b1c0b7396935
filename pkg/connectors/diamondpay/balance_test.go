package diamondpay_test

import (
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
)

// balanceV1 is an answer of v1: every channel is signed, and everything but the channels.
func balanceV1(t testing.TB, platform, total, frozen string) string {
	t.Helper()
	channel := string(signedWith(t, diamondpay.MD5, key, `{"platform_channel_id":"PFC1","channel_name":"ATM","balance":`+total+`,"frozen_balance":`+frozen+`}`))
	totals := string(signedWith(t, diamondpay.MD5, key, `{"platform_id":"`+platform+`","total":1,"total_balance":`+total+`,"total_frozen_balance":`+frozen+`,"request_time":1595504136}`))
	return `{"error_code":"0000","data":` + string(withFields(totals, `"platform_channels":[`+channel+`]`)) + `}`
}

func balanceV2(total, frozen string) string {
	return `{"error_code":"0000","data":{"platform_id":"PF0002","total_balance":` + total + `,"total_frozen_balance":` + frozen + `}}`
}

func balance(t testing.TB, a account, body string) ([]connectors.Balance, error) {
	t.Helper()
	g := newGateway(t, reply(body))
	s := a(g.URL)
	b, err := connect(t, s).Balance(testContext(t))
	r := g.Only(t)
	if r.String() != "GET /gateway/api/"+s.Version+"/platforms/balance" || r.Header.Get("Authorization") != token || len(r.Body) != 0 {
		t.Errorf("sent %s %v %s", r.String(), r.Header, r.Body)
	}
	return b, err
}

func TestBalance(t *testing.T) {
	won := []connectors.Balance{{Currency: "KRW", Available: payment.KRW(12345), Frozen: payment.KRW(67)}}
	for _, c := range []struct {
		account account
		body    string
		want    []connectors.Balance
	}{
		{krwV1, balanceV1(t, "PF0002", "1234500", "6700"), won},
		{krwV1, balanceV1(t, "PF0002", "1234599", "6701"), won}, // fractions of a won are cut off
		{krwV2, balanceV2("1234500", "6700"), won},
		{krwV2, balanceV2(`"1234500"`, `"6700"`), won},
		{krwV2, balanceV2("0", "0"), []connectors.Balance{{Currency: "KRW", Available: payment.KRW(0), Frozen: payment.KRW(0)}}},
		{twd, balanceV1(t, "PF0003", "48389", "1"), []connectors.Balance{{Currency: "TWD", Available: payment.TWD(48389), Frozen: payment.TWD(1)}}},
	} {
		got, err := balance(t, c.account, c.body)
		if err != nil {
			t.Errorf("%s: %v", c.body, err)
		}
		mustEqual(t, got, c.want)
	}
}

func TestBalanceErrors(t *testing.T) {
	good := balanceV1(t, "PF0002", "1234500", "6700")
	noChannels := strings.Replace(good, `"platform_channels":[`, `"platform_channels":{"a":[`, 1)
	for _, c := range []struct {
		account account
		body    string
	}{
		{krwV1, strings.Replace(good, `"total_balance":1234500`, `"total_balance":9234500`, 1)},
		{krwV1, strings.Replace(good, `"balance":1234500`, `"balance":9234500`, 1)},
		{krwV1, strings.Replace(noChannels, `]}}`, `]}}}`, 1)},
		{krwV1, balanceV1(t, "PF0003", "1", "1")},
		{krwV1, balanceV2("1234500", "6700")}, // v1 is signed
		{krwV2, balanceV2("-1", "0")},
		{krwV2, balanceV2("1", "null")},
		{krwV2, balanceV2("1.5", "0")},
		{krwV2, balanceV2("100000000000000000", "0")},
		{krwV2, strings.Replace(balanceV2("1", "1"), "PF0002", "PF0003", 1)},
		{krwV2, strings.Replace(balanceV2("1", "1"), `"data":{`, `"data":{"sign":"x",`, 1)},
		{krwV2, `{"error_code":"0000","data":{}}`}, {krwV2, `{"error_code":"0000"}`}, {krwV2, `{"error_code":"0006"}`}, {krwV2, `x`},
	} {
		if got, err := balance(t, c.account, c.body); err == nil || classified(t, err).Class != connectors.InDoubt {
			t.Errorf("%s: got %+v, %v", c.body, got, err)
		}
	}
	g := newGateway(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	if _, err := connect(t, krwV1(g.URL)).Balance(testContext(t)); classified(t, err).ProviderCode != "http_500" {
		t.Error(err)
	}
}

// The totals name no currency, so with two of them they mean nothing.
func TestNoBalanceOfTwoCurrencies(t *testing.T) {
	_, err := connect(t, whole("https://gateway.example")).Balance(testContext(t))
	if e := classified(t, err); e.Class != connectors.NotSent {
		t.Errorf("got %+v", e)
	}
}
