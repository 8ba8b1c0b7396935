package diamondpay_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
)

func query(operation payment.Operation) connectors.Query {
	return connectors.Query{Ref: payment.Ref{Provider: "diamondpay", Order: order}, Operation: operation, Amount: payment.KRW(10000)}
}

func lookup(t testing.TB, a account, operation payment.Operation, body string) (payment.Observation, error) {
	t.Helper()
	g := newGateway(t, reply(body))
	o, err := connect(t, a(g.URL)).Lookup(testContext(t), query(operation))
	g.Only(t)
	return o, err
}

// row is an order of a query's answer; more comes first, so that it can give the fields other values.
func row(operation payment.Operation, more string) string {
	kind, id := "payment", "PM00000102"
	if operation == payment.Payout {
		kind, id = "payout", "POT00000001"
	}
	return fmt.Sprintf(`{%s,"fee":3200,"%s_id":"%s","%s_cl_id":"%s","create_time":1567614049}`, more, kind, id, kind, order)
}

// signedRow is a row of v1, signed as the provider does.
func signedRow(t testing.TB, signType string, operation payment.Operation, more string) string {
	t.Helper()
	body := string(withFields(row(operation, more), `"platform_id":"PF0002","platform_channel_id":"PFC1","memo":"","update_time":1567614111`))
	return string(signedWith(t, signType, key, body))
}

func signedWith(t testing.TB, signType, secret, body string) []byte {
	t.Helper()
	sign, err := diamondpay.Sign(signType, secret, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return withSign(body, sign)
}

func list(rows ...string) string {
	return fmt.Sprintf(`{"error_code":"0000","data":[%s],"total":%d}`, strings.Join(rows, ","), len(rows))
}

func one(row string) string { return `{"error_code":"0000","data":` + row + `}` }

func TestLookupRequests(t *testing.T) {
	silent := with(krwV1, func(s *diamondpay.Settings) { s.Authorization = diamondpay.Settings{}.Authorization })
	cases := []struct {
		account   account
		operation payment.Operation
		path      string
		token     []string
	}{
		{krwV1, payment.Deposit, "GET /gateway/api/v1/payments?payment_cl_id=DEVPM00014581", []string{token}},
		{krwV1, payment.Payout, "GET /gateway/api/v1/payouts?payout_cl_id=DEVPM00014581", []string{token}},
		{krwV2, payment.Deposit, "GET /gateway/api/v2/payments/DEVPM00014581", []string{token}},
		{krwV2, payment.Payout, "GET /gateway/api/v2/payouts/DEVPM00014581", []string{token}},
		{twd, payment.Deposit, "GET /gateway/api/v1/payments?payment_cl_id=DEVPM00014581", []string{token}},
		{silent, payment.Deposit, "GET /gateway/api/v1/payments?payment_cl_id=DEVPM00014581", nil},
	}
	for _, c := range cases {
		g := newGateway(t, reply(`{"error_code":"0050","error_msg":"order not found"}`))
		o, err := connect(t, c.account(g.URL)).Lookup(testContext(t), query(c.operation))
		if err != nil || o.Kind != payment.Unknown {
			t.Errorf("got %+v, %v", o, err)
		}
		r := g.Only(t)
		if r.String() != c.path || len(r.Body) != 0 || !slices.Equal(r.Header["Authorization"], c.token) {
			t.Errorf("sent %s %v %s, want %s", r.String(), r.Header, r.Body, c.path)
		}
	}
}

// states are all documented statuses, and others, with what they mean.
type state struct {
	fields  string
	kind    payment.Kind
	settled payment.Money
}

func depositStates() []state {
	const amount, both = `"amount":1000000`, `"amount":1000000,"real_amount":999600`
	none := payment.Money{}
	return []state{
		{amount + `,"real_amount":0,"status":0`, payment.Accepted, none},
		{both + `,"status":1`, payment.Accepted, none},
		{amount + `,"status":"1"`, payment.Accepted, none},
		{both + `,"status":2`, payment.Paid, payment.KRW(9996)},
		{both + `,"status":"2"`, payment.Paid, payment.KRW(9996)},
		{`"amount":"1000000","real_amount":"1000000","status":2`, payment.Paid, payment.KRW(10000)},
		{amount + `,"real_amount":0,"status":3`, payment.Declined, none},
		{amount + `,"status":4`, payment.Declined, none},
		{amount + `,"status":2`, payment.Indeterminate, none}, // credit real_amount, never amount
		{amount + `,"real_amount":0,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":999650,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":100,"status":2`, payment.Paid, payment.KRW(1)}, // whatever arrives, if it is whole won
		{amount + `,"real_amount":2000000,"status":2`, payment.Paid, payment.KRW(20000)},
		{amount + `,"real_amount":9999999900,"status":2`, payment.Paid, payment.KRW(99999999)},
		{amount + `,"real_amount":10000000000,"status":2`, payment.Indeterminate, none}, // more than ten digits
		{amount + `,"real_amount":99999999999999999900,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":999996,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":10000,"status":2`, payment.Indeterminate, none}, // 100 won, or 10,000 in another unit
		{amount + `,"real_amount":9900,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":100000000,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":"1000000.00","status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":1e6,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":1000000.0,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":" 1000000","status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":"1,000,000","status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":"+1000000","status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":"-1000000","status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":true,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":null,"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":"","status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":[1000000],"status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":[],"status":1`, payment.Indeterminate, none},
		{`"amount":[1000000],"real_amount":1000000,"status":1`, payment.Indeterminate, none},
		{amount + `,"real_amount":"9996.00","status":2`, payment.Indeterminate, none},
		{amount + `,"real_amount":-1000000,"status":2`, payment.Indeterminate, none},
		{`"amount":1000050,"real_amount":1000000,"status":2`, payment.Indeterminate, none},
		{`"amount":0,"real_amount":1000000,"status":2`, payment.Indeterminate, none},
		{`"real_amount":1000000,"status":2`, payment.Indeterminate, none},
		{both + `,"status":3`, payment.Indeterminate, none}, // cancelled, and yet money
		{both + `,"status":4`, payment.Indeterminate, none},
		{both + `,"status":5`, payment.Indeterminate, none},
		{both + `,"status":-1`, payment.Indeterminate, none},
		{both + `,"status":2.0`, payment.Indeterminate, none},
		{both + `,"status":"02"`, payment.Indeterminate, none},
		{both + `,"status":true`, payment.Indeterminate, none},
		{both + `,"status":null`, payment.Indeterminate, none},
		{both + `,"status":"success"`, payment.Indeterminate, none},
		{both, payment.Indeterminate, none},
	}
}

func payoutStates() []state {
	const amount = `"amount":1000000`
	none := payment.Money{}
	return []state{
		{amount + `,"status":0`, payment.Accepted, none},
		{amount + `,"status":1`, payment.Accepted, none},
		{amount + `,"status":2`, payment.Accepted, none}, // a success only in very old documents
		{amount + `,"status":3`, payment.Paid, none},
		{amount + `,"status":3,"real_amount":1000000`, payment.Paid, payment.KRW(10000)},
		{amount + `,"status":4`, payment.Declined, none},
		{amount + `,"status":5,"error_msg":"x"`, payment.Declined, none},
		{amount + `,"status":6`, payment.Accepted, none},
		{amount + `,"status":7`, payment.Indeterminate, none},
		{amount + `,"status":3,"real_amount":0`, payment.Indeterminate, none},
		{amount + `,"status":3,"real_amount":[]`, payment.Indeterminate, none},
		{amount + `,"status":3,"real_amount":10000`, payment.Indeterminate, none},
		{amount + `,"status":[3]`, payment.Indeterminate, none},
		{amount + `,"status":5,"real_amount":1000000`, payment.Indeterminate, none},
		{`"status":3`, payment.Indeterminate, none}, // nothing to compare with ours
		{`"amount":1000001,"status":3`, payment.Indeterminate, none},
		{amount, payment.Indeterminate, none},
	}
}

func statesOf(operation payment.Operation) []state {
	if operation == payment.Payout {
		return payoutStates()
	}
	return depositStates()
}

// checkState compares an observation with a state.
func checkState(t *testing.T, o payment.Observation, s state, source payment.Source, operation payment.Operation) {
	t.Helper()
	want := map[payment.Operation]string{payment.Deposit: "PM00000102", payment.Payout: "POT00000001"}[operation]
	if o.Kind != s.kind || o.SettledAmount != s.settled || o.Source != source || o.Reference != want || o.Known != (s.kind == payment.Indeterminate) {
		t.Errorf("%s %s: got %+v", operation, s.fields, o)
	}
	switch s.kind {
	case payment.Indeterminate:
		if o.Reason == nil || o.Reason.Code != payment.ReasonIndeterminate || !o.Amount.IsZero() {
			t.Errorf("%s %s: got %+v, %+v", operation, s.fields, o, o.Reason)
		}
	case payment.Declined:
		if o.Reason == nil || o.Reason.Code != payment.ReasonDeclined || !strings.Contains(s.fields, `"status":`+o.Reason.ProviderCode) || o.Amount != payment.KRW(10000) {
			t.Errorf("%s %s: got %+v, %+v", operation, s.fields, o, o.Reason)
		}
	case payment.Accepted:
		told := operation == payment.Deposit && source == payment.FromLookup // that only the create request says where to pay
		if o.Amount != payment.KRW(10000) || told != (o.Reason != nil && o.Reason.Code == payment.ReasonNoInstructions) || o.Action != nil {
			t.Errorf("%s %s: got %+v, %+v", operation, s.fields, o, o.Reason)
		}
	default:
		if o.Amount != payment.KRW(10000) || o.Reason != nil || o.Action != nil {
			t.Errorf("%s %s: got %+v", operation, s.fields, o)
		}
	}
}

func TestLookupStates(t *testing.T) {
	for _, operation := range payment.Operations() {
		for _, s := range statesOf(operation) {
			for name, c := range map[string]struct {
				account account
				body    string
			}{
				"v1":          {krwV1, list(signedRow(t, diamondpay.MD5, operation, s.fields))},
				"v1 HMAC":     {hmacOf(krwV1), list(signedRow(t, diamondpay.HMACSHA256, operation, s.fields))},
				"v2":          {krwV2, one(row(operation, s.fields))},
				"v2, signed":  {krwV2, one(signedRow(t, diamondpay.MD5, operation, s.fields))},
				"v1, a comma": {krwV1, strings.Replace(list(signedRow(t, diamondpay.MD5, operation, s.fields)), "}]", "},]", 1)},
			} {
				o, err := lookup(t, c.account, operation, c.body)
				if err != nil {
					t.Errorf("%s %s %s: %v", name, operation, s.fields, err)
					continue
				}
				checkState(t, o, s, payment.FromLookup, operation)
			}
		}
	}
	o, err := lookup(t, krwV2, payment.Payout, one(row(payment.Payout, `"amount":1000000,"status":5,"error_msg":"Account 12345678998765 does not exist"`)))
	if err != nil || *o.Reason != (payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "5", Message: "Account … does not exist"}) {
		t.Errorf("got %+v, %v", o.Reason, err)
	}
}

func TestConfiguredStatuses(t *testing.T) {
	a := with(krwV2, func(s *diamondpay.Settings) {
		s.PayoutStatuses = map[string]string{"2": "paid", "3": "indeterminate", "7": "failed"}
		s.DepositStatuses = map[string]string{"5": "pending"}
	})
	for _, operation := range payment.Operations() {
		for status, kinds := range map[int]map[payment.Operation]payment.Kind{
			2: {payment.Deposit: payment.Paid, payment.Payout: payment.Paid},
			3: {payment.Deposit: payment.Indeterminate, payment.Payout: payment.Indeterminate}, // a deposit is not failed with money
			5: {payment.Deposit: payment.Accepted, payment.Payout: payment.Indeterminate},
			1: {payment.Deposit: payment.Accepted, payment.Payout: payment.Accepted},
		} {
			o, err := lookup(t, a, operation, one(row(operation, fmt.Sprintf(`"amount":1000000,"real_amount":1000000,"status":%d`, status))))
			if err != nil || o.Kind != kinds[operation] {
				t.Errorf("%s %d: got %+v, %v", operation, status, o, err)
			}
		}
	}
	if o, err := lookup(t, a, payment.Payout, one(row(payment.Payout, `"amount":1000000,"status":7`))); err != nil || o.Kind != payment.Declined {
		t.Errorf("got %+v, %v", o, err)
	}
	// A configuration changes its own account only.
	if o, err := lookup(t, krwV2, payment.Payout, one(row(payment.Payout, `"amount":1000000,"status":2`))); err != nil || o.Kind != payment.Accepted {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestLookupOfAnUnknownOrder(t *testing.T) {
	cases := []struct {
		account   account
		operation payment.Operation
		body      string
	}{
		{krwV1, payment.Deposit, `{"error_code":"0000","data":[],"total":0}`},
		{krwV1, payment.Deposit, `{"error_code":"0000","data":[]}`},
		{krwV1, payment.Deposit, `{"errorCode":"0000","data":[],"total":0}`},
		{krwV1, payment.Payout, `{"error_code":"0000","data":[],"total":0}`},
		{krwV1, payment.Deposit, `{"error_code":"0007","error_msg":"x"}`},
		{krwV1, payment.Deposit, `{"error_code":"0050"}`},
		{krwV2, payment.Deposit, `{"error_code":"0007","data":null}`},
		{krwV2, payment.Deposit, `{"error_code":"0050","data":{}}`},
		{krwV2, payment.Payout, `{"error_code":"0050","data":[]}`},
		{krwV1, payment.Payout, `{"error_code":"0050"}`},
	}
	for _, c := range cases {
		a := with(c.account, func(s *diamondpay.Settings) { s.SettlingDelay = 7 * time.Minute })
		o, err := lookup(t, a, c.operation, c.body)
		if err != nil || o.Kind != payment.Unknown || o.Source != payment.FromLookup || o.Settling != 7*time.Minute || o.Known || o.Reason.Code != payment.ReasonNotFound {
			t.Errorf("%s %s: got %+v, %v", c.operation, c.body, o, err)
		}
	}
}

// Nothing was learned: neither "unknown" nor anything else may come of these.
func TestLookupErrors(t *testing.T) {
	const paid = `"amount":1000000,"real_amount":1000000,"status":2`
	for _, operation := range payment.Operations() {
		good := signedRow(t, diamondpay.MD5, operation, paid)
		elsewhere := string(signedWith(t, diamondpay.MD5, key, strings.Replace(row(operation, paid+`,"platform_id":"PF0002"`), order, "other", 1)))
		foreignOrder := string(signedWith(t, diamondpay.MD5, key, row(operation, paid+`,"platform_id":"PF0003"`)))
		nobody := string(signedWith(t, diamondpay.MD5, key, row(operation, paid)))
		tampered := strings.Replace(good, `"status":2`, `"status":1`, 1)
		v1 := []string{
			list(row(operation, paid+`,"platform_id":"PF0002"`)), list(tampered), list(good, tampered), list(elsewhere), list(foreignOrder), list(nobody),
			list(string(signedWith(t, diamondpay.MD5, "another-secret-than-ours", row(operation, paid+`,"platform_id":"PF0002"`)))),
			one(good), `{"error_code":"0000","data":[],"total":1}`, `{"error_code":"0000","data":[],"total":[1]}`, `{"error_code":"0000","data":[],"total":{"count":1}}`, `{"error_code":"0000","data":null}`, `{"error_code":"0000"}`, `{"error_code":"0000","data":{}}`,
			`{"error_code":"0000","data":[1]}`, `{"error_code":"0000","data":"[]"}`,
			list(strings.Replace(good, `{`, `{"status":2,`, 1)),
		}
		v2 := []string{
			one(tampered), one(elsewhere), one(foreignOrder), one(`{}`), one(`null`), one(`[]`), list(good), `{"error_code":"0000"}`,
			one(strings.Replace(row(operation, paid), order, "other", 1)), one(row(operation, paid+`,"platform_id":"PF0003"`)),
			one(row(operation, paid+`,"sign":"x"`)), one(row(operation, paid+`,"amount":1`)), one(row(operation, paid+`,"clId":1,"cl_id":1`)),
		}
		both := []string{
			`{"error_code":"0050","data":` + good + `}`, `{"error_code":"0050","data":[` + good + `]}`, `{"error_code":"0004"}`, `{"error_code":"0005"}`, `{"error_code":"0006"}`,
			`{"error_code":"0001"}`, `{"error_code":"0014"}`, `{"error_code":"0027"}`, `{"error_code":"50"}`, `{"error_code":50}`, `{"error_code":"9999"}`, `{"error_code":["0050"]}`, `{}`, ``, `<html>`,
		}
		if operation == payment.Payout {
			both = append(both, `{"error_code":"0007"}`) // is about deposits
		}
		for _, c := range []struct {
			account account
			bodies  []string
		}{{krwV1, append(v1, both...)}, {krwV2, append(v2, both...)}} {
			for _, body := range c.bodies {
				o, err := lookup(t, c.account, operation, body)
				if err == nil {
					t.Errorf("%s %s: got %+v", operation, body, o)
					continue
				}
				if e := classified(t, err); e.Class != connectors.InDoubt || strings.Contains(err.Error(), "another-secret") {
					t.Errorf("%s %s: got %+v", operation, body, e)
				}
			}
		}
	}
}

func TestLookupAmongOthers(t *testing.T) {
	const paid = `"amount":1000000,"real_amount":1000000,"status":2`
	good := signedRow(t, diamondpay.MD5, payment.Deposit, paid)
	other := string(signedWith(t, diamondpay.MD5, key, strings.Replace(row(payment.Deposit, `"platform_id":"PF0002","amount":1,"status":4`), order, "other", 1)))
	if o, err := lookup(t, krwV1, payment.Deposit, list(other, good)); err != nil || o.Kind != payment.Paid {
		t.Errorf("got %+v, %v", o, err)
	}
	if o, err := lookup(t, krwV1, payment.Deposit, list(good, good)); err != nil || o.Kind != payment.Indeterminate || !o.Known {
		t.Errorf("an order twice: %+v, %v", o, err)
	}
	// A row in the names of the TWD deposit page is signed over the names of the documents.
	camel := strings.NewReplacer("payment_cl_id", "paymentClId", "real_amount", "realAmount", "payment_id", "paymentId").Replace(good)
	if o, err := lookup(t, krwV1, payment.Deposit, list(camel)); err != nil || o.Kind != payment.Paid {
		t.Errorf("got %+v, %v", o, err)
	}
	old := string(signedWith(t, diamondpay.MD5, oldKey, row(payment.Deposit, paid+`,"platform_id":"PF0002"`)))
	if o, err := lookup(t, krwV1, payment.Deposit, list(old)); err != nil || o.Kind != payment.Paid {
		t.Errorf("a row signed with the previous secret: %+v, %v", o, err)
	}
	long := strings.Replace(row(payment.Deposit, paid), "PM00000102", strings.Repeat("P", 257), 1)
	if o, err := lookup(t, krwV2, payment.Deposit, one(long)); err != nil || o.Reference != "" || o.Kind != payment.Paid {
		t.Errorf("a long number: %+v, %v", o, err)
	}
	dollars := string(signedWith(t, diamondpay.MD5, key, row(payment.Deposit, `"platform_id":"PF0003","amount":48389,"real_amount":48301,"status":2`)))
	if o, err := lookup(t, twd, payment.Deposit, list(dollars)); err != nil || o.Amount != payment.TWD(48389) || o.SettledAmount != payment.TWD(48301) {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestLookupHTTPStatusAndQuery(t *testing.T) {
	for _, a := range []account{krwV1, krwV2} {
		g := newGateway(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code":"0050"}`)
		})
		c := connect(t, a(g.URL))
		if o, err := c.Lookup(testContext(t), query(payment.Deposit)); err == nil {
			t.Errorf("a page that is not found is not an order that is not found: %+v", o)
		}
		for _, q := range []connectors.Query{{Ref: query(payment.Deposit).Ref}, {Ref: payment.Ref{Provider: "diamondpay"}, Operation: payment.Deposit}} {
			if _, err := c.Lookup(testContext(t), q); err == nil || classified(t, err).Class != connectors.NotSent {
				t.Errorf("got %v", err)
			}
		}
		g.Only(t)
	}
}
