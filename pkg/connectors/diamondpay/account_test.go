package diamondpay_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
)

// whole is one account with all that the provider has: both currencies and both versions.
func whole(baseURL string) diamondpay.Settings {
	s := krwV1(baseURL)
	s.Currency, s.Version, s.Currencies, s.Versions = "", "", []string{"KRW", "TWD"}, []string{"v1", "v2"}
	s.PayoutQueryVersion, s.AllowPlainLinks = "v2", true
	return s
}

func TestTraitsOfAWholeAccount(t *testing.T) {
	traits := connect(t, whole("https://gateway.example")).Traits()
	mustEqual(t, traits.Methods, map[payment.Operation][]string{payment.Deposit: {"atm", "card", "direct", "qr"}, payment.Payout: {"bank"}})
	mustEqual(t, traits.Currencies, []string{"KRW", "TWD"})
	if traits.MaxOrderLength != 32 || traits.Account != "at gateway.example platform_id PF0002 currency KRW,TWD version v1,v2 payout_query_version v2" {
		t.Errorf("got %+v", traits)
	}
	turned := connect(t, with(whole, func(s *diamondpay.Settings) { s.Versions, s.Currencies = []string{"v2", "v1"}, []string{"TWD", "KRW"} })("https://gateway.example")).Traits()
	if turned.Methods[payment.Deposit][0] != "card" || turned.Account != traits.Account {
		t.Errorf("with v2 as the default: %+v", turned)
	}
}

// The method and the currency of a command choose the interface, down to the bytes.
func TestAWholeAccountSubmitsByMethodAndCurrency(t *testing.T) {
	for _, c := range []struct {
		name, method, path string
		cmd                payment.Command
		fields             []string // of the request
	}{
		{"won by default", "", "/gateway/api/v1/payments", deposit(payment.KRW(10_000)), []string{`"amount":"1000000"`, `"service_id":"SVC0026"`}},
		{"won v1", "atm", "/gateway/api/v1/payments", deposit(payment.KRW(10_000)), []string{`"amount":"1000000"`, `"service_id":"SVC0026"`}},
		{"won v2", "qr", "/gateway/api/v2/payments", deposit(payment.KRW(10_000)), []string{`"amount":"1000000"`, `"service_id":"SVC0017"`}},
		{"dollars", "atm", "/gateway/api/v1/payments", depositTWD(), []string{`"last_numbers":[`, `"service_id":"SVC0025"`}},
		{"dollars by default", "", "/gateway/api/v1/payments", depositTWD(), []string{`"last_numbers":[`, `"service_id":"SVC0025"`}},
		{"payout", "", "/gateway/api/v2/payouts", payout(), []string{`"currency":"krw"`, `"service_id":"SVC0004"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, reply(`{"error_code":"0000","data":{"payout_id":"POT1","link":"https://pay.example/1"}}`))
			c.cmd.Method = c.method
			_, _ = connect(t, whole(g.URL)).Submit(testContext(t), c.cmd) // what the answer means is another test
			request := g.Only(t)
			if request.Method != http.MethodPost || request.Target != c.path {
				t.Errorf("got %s %s", request.Method, request.Target)
			}
			for _, field := range c.fields {
				if !strings.Contains(string(request.Body), field) {
					t.Errorf("%s is not in %s", field, request.Body)
				}
			}
		})
	}
}

func TestAWholeAccountRefusesMethodsOfAnotherCurrency(t *testing.T) {
	c := connect(t, whole("https://gateway.example"))
	for name, cmd := range map[string]payment.Command{
		"a card in dollars":   change(depositTWD(), func(c *payment.Command) { c.Method = "card" }),
		"a payout in dollars": change(payout(), func(c *payment.Command) { c.Amount = payment.TWD(100) }),
	} {
		if err := connectors.Check(c, cmd); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// A look-up asks both versions before it says that an order is unknown, and an error of one is no "unknown".
func TestAWholeAccountLooksUpInEachVersion(t *testing.T) {
	const unknown, failed = `{"error_code":"0050"}`, `{"error_code":"0020"}`
	v1Row := list(signedRow(t, diamondpay.MD5, payment.Deposit, `"status":2,"amount":1000000,"real_amount":1000000`))
	v2Row := one(row(payment.Deposit, `"status":2,"amount":1000000,"real_amount":1000000`))
	for _, c := range []struct {
		name, v1, v2 string
		amount       payment.Money
		want         payment.Kind // empty: nothing was learned
		asked        []string
	}{
		{"v1 has it", v1Row, unknown, payment.KRW(10_000), payment.Paid, []string{"v1"}},
		{"v2 has it", unknown, v2Row, payment.KRW(10_000), payment.Paid, []string{"v1", "v2"}},
		{"v1 fails, v2 has it", failed, v2Row, payment.KRW(10_000), payment.Paid, []string{"v1", "v2"}},
		{"v1 fails, v2 does not know it", failed, unknown, payment.KRW(10_000), "", []string{"v1", "v2"}},
		{"v2 fails, v1 does not know it", unknown, failed, payment.KRW(10_000), "", []string{"v1", "v2"}},
		{"unknown", unknown, unknown, payment.KRW(10_000), payment.Unknown, []string{"v1", "v2"}},
		{"dollars", unknown, v2Row, payment.TWD(10_000), payment.Unknown, []string{"v1"}},
		{"no currency", v1Row, unknown, payment.Money{}, payment.Indeterminate, []string{"v1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
				version := strings.Split(r.URL.Path, "/")[3]
				asked = append(asked, version)
				_, _ = fmt.Fprint(w, map[string]string{"v1": c.v1, "v2": c.v2}[version])
			})
			q := query(payment.Deposit)
			q.Amount = c.amount
			o, err := connect(t, whole(g.URL)).Lookup(testContext(t), q)
			if o.Kind != c.want || (err != nil) != (c.want == "") || !slices.Equal(slices.Compact(asked), c.asked) {
				t.Errorf("got %+v, %v, asked %v", o, err, asked)
			}
		})
	}
}

// A notification names no currency: it is read in the order's. One that names an account's currency is read in it, and
// one of another account, currency or operation is refused.
func TestNotificationsOfAWholeAccount(t *testing.T) {
	c := connect(t, whole("https://gateway.example"))
	signed := func(more string) []byte {
		return []byte(signedRow(t, diamondpay.MD5, payment.Deposit, `"status":2,"amount":1000000,"real_amount":1000000`+more))
	}
	n, err := c.Webhook(nil, signed(""), now)
	if err != nil || n.In == nil || n.Observation.Kind != payment.Indeterminate {
		t.Fatalf("got %+v, %v", n, err)
	}
	for currency, want := range map[string]payment.Money{"KRW": payment.KRW(10_000), "TWD": payment.TWD(1_000_000)} {
		if o := n.In(currency); o.Kind != payment.Paid || o.SettledAmount != want {
			t.Errorf("%s: got %+v", currency, o)
		}
	}
	for _, currency := range []string{"", "USD"} {
		if o := n.In(currency); o.Kind != payment.Indeterminate || !o.Known {
			t.Errorf("%q: got %+v", currency, o)
		}
	}
	n, err = c.Webhook(nil, signed(`,"currency":"twd"`), now)
	if err != nil || n.In != nil || n.Observation.SettledAmount != payment.TWD(1_000_000) {
		t.Errorf("got %+v, %v", n, err)
	}
	_, err = c.Webhook(nil, signed(`,"currency":"USD"`), now)
	refused(t, err, connectors.WrongProvider)
	o, err := lookup(t, krwV1, payment.Deposit, list(signedRow(t, diamondpay.MD5, payment.Deposit, `"status":2,"amount":1000000,"real_amount":1000000,"currency":"TWD"`)))
	if err != nil || o.Kind != payment.Indeterminate || !o.Known {
		t.Errorf("a row in another currency: got %+v, %v", o, err)
	}
}

func TestNotificationsOfAnotherCurrencyOrOperation(t *testing.T) {
	paid := `"status":2,"amount":1000000,"real_amount":1000000`
	for name, c := range map[string]struct {
		account   account
		operation payment.Operation
		fields    string
		refused   bool
	}{
		"won":                            {krwV1, payment.Deposit, paid + `,"currency":"krw"`, false},
		"dollars of an account of won":   {krwV1, payment.Deposit, paid + `,"currency":"TWD"`, true},
		"a payout in dollars":            {whole, payment.Payout, `"status":3,"amount":1000000,"currency":"TWD"`, true},
		"a payout where there are none":  {with(krwV1, func(s *diamondpay.Settings) { s.Operations = []string{"deposit"} }), payment.Payout, `"status":3,"amount":1000000`, true},
		"a deposit where there are none": {with(krwV1, func(s *diamondpay.Settings) { s.Operations = []string{"payout"} }), payment.Deposit, paid, true},
	} {
		_, err := connect(t, c.account("https://gateway.example")).Webhook(nil, []byte(signedRow(t, diamondpay.MD5, c.operation, c.fields)), now)
		if c.refused {
			refused(t, err, connectors.WrongProvider)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSettingsOfAWholeAccount(t *testing.T) {
	for want, f := range map[string]func(*diamondpay.Settings){
		"currency must be left out beside currencies": func(s *diamondpay.Settings) { s.Currency = "KRW" },
		"version must be left out beside versions":    func(s *diamondpay.Settings) { s.Version = "v1" },
		"currencies must be KRW or TWD":               func(s *diamondpay.Settings) { s.Currencies = []string{"KRW", "KRW"} },
		"versions must be v1 or v2":                   func(s *diamondpay.Settings) { s.Versions = []string{"v1", "v3"} },
		"versions must be v1, or v2 for KRW":          func(s *diamondpay.Settings) { s.Versions = []string{"v2"} },
		`services: "atm" must be a method of one`:     func(s *diamondpay.Settings) { s.Services = map[string]string{"atm": "SVC0126"} },
		`services: "wallet" must be a method of one`:  func(s *diamondpay.Settings) { s.Services = map[string]string{"wallet": "SVC0042"} },
		`services: "TWD/v2/x" must be a method of`:    func(s *diamondpay.Settings) { s.Services = map[string]string{"TWD/v2/x": "SVC0042"} },
		`services: "KRW/v1/qr" occurs twice`:          func(s *diamondpay.Settings) { s.Services = map[string]string{"KRW/v1/qr": "SVC0042"} },
	} {
		_, err := diamondpay.New("diamondpay", with(whole, f)("https://gateway.example"), nil, clock)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	own := with(whole, func(s *diamondpay.Settings) {
		s.Services = map[string]string{"TWD/v1/atm": "SVC0125", "KRW/v2/wallet": "SVC0042", "card": "SVC0115"}
	})
	for method, service := range map[string]string{"atm": "SVC0125", "wallet": "SVC0042", "card": "SVC0115"} {
		g := newGateway(t, connectortest.Answer(http.StatusOK, `{"error_code":"0004"}`))
		cmd := deposit(payment.KRW(10_000))
		if method == "atm" {
			cmd = depositTWD()
		}
		cmd.Method = method
		_, _ = connect(t, own(g.URL)).Submit(testContext(t), cmd)
		if request := g.Only(t); !strings.Contains(string(request.Body), service) {
			t.Errorf("%s: %s is not in %s", method, service, request.Body)
		}
	}
}
