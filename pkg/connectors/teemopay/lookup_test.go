package teemopay_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
)

func query(operation payment.Operation) connectors.Query {
	return connectors.Query{Ref: payment.Ref{Provider: "teemopay-kr", Order: order}, Operation: operation, Amount: payment.KRW(1000)}
}

func lookup(t testing.TB, operation payment.Operation, body string) (payment.Observation, error) {
	t.Helper()
	g := newGateway(t, reply(body))
	o, err := connect(t, settings(t, g.URL), rand.Reader).Lookup(testContext(t), query(operation))
	g.Only(t)
	return o, err
}

func TestLookupSendsASignedQuery(t *testing.T) {
	for operation, path := range map[payment.Operation]string{payment.Deposit: "POST /api/pay/payment/query/v1", payment.Payout: "POST /api/pay/payout/query/v1"} {
		g := newGateway(t, reply(data(`"status":1`)))
		if _, err := connect(t, settings(t, g.URL), rand.Reader).Lookup(testContext(t), query(operation)); err != nil {
			t.Fatal(err)
		}
		r := g.Only(t)
		if f := fieldsOf(t, r.Body); r.String() != path || len(f) != 2 || f["merchantOrderNo"] != order {
			t.Errorf("sent %s %s", r.String(), r.Body)
		}
		if err := teemopay.Verify([]*rsa.PublicKey{&merchantKey().PublicKey}, r.Body, r.Header.Get("nonce")); err != nil {
			t.Error(err)
		}
	}
}

// statement is one entry of a statementList.
func statement(number, amount string, status int) string {
	return fmt.Sprintf(`{"paymentSingleOrderNo":"%s","paymentStatementAmount":"%s","paymentStatementStatus":%d,"paymentStatementStatusName":"x","serviceRate":"0.0100"}`, number, amount, status)
}

func TestLookupDeposit(t *testing.T) {
	const ordered = `"transactionAmount":"1000.00",`
	doubt := payment.Indeterminate
	cases := []struct {
		name, data string
		kind       payment.Kind
		settled    payment.Money
		transfers  int
	}{
		{"in payment", ordered + `"amount":null,"paymentType":801,"paymentInfo":"299","status":1`, payment.Accepted, payment.Money{}, 0},
		{"in payment, status as text, nothing received", ordered + `"amount":"0.00","status":"1"`, payment.Accepted, payment.Money{}, 0},
		{"KYC not passed", ordered + `"paymentType":802,"paymentInfo":"` + page + `","status":0`, payment.Accepted, payment.Money{}, 0},
		{"status 0 of another type", ordered + `"paymentType":801,"status":0`, doubt, payment.Money{}, 0},
		{"paid", ordered + `"amount":"1000.00","status":2,"statementList":[` + statement("A", "1000.00", 2) + `]`, payment.Paid, payment.KRW(1000), 1},
		{"paid less", ordered + `"amount":"400.00","status":2,"statementList":[` + statement("A", "400", 2) + `]`, payment.Paid, payment.KRW(400), 1},
		{"paid twice, one failed", ordered + `"amount":"1500","status":"2","statementList":[` + statement("A", "1000.00", 2) + `,` + statement("B", "9.00", 3) + `,` + statement("C", "500", 2) + `]`, payment.Paid, payment.KRW(1500), 2},
		{"paid, no list", ordered + `"amount":"1000.00","status":2`, payment.Paid, payment.KRW(1000), 0},
		{"paid, no total", ordered + `"amount":null,"status":2,"statementList":[` + statement("A", "1000.00", 2) + `]`, payment.Paid, payment.Money{}, 1},
		{"paid nothing", ordered + `"amount":"0.00","status":2`, doubt, payment.Money{}, 0},
		{"paid, no amounts", ordered + `"status":2,"statementList":[]`, doubt, payment.Money{}, 0},
		{"paid, the sums differ", ordered + `"amount":"1000.00","status":2,"statementList":[` + statement("A", "900.00", 2) + `]`, doubt, payment.Money{}, 0},
		{"paid, one payment twice", ordered + `"amount":"2000.00","status":2,"statementList":[` + statement("A", "1000.00", 2) + `,` + statement("A", "1000.00", 2) + `]`, doubt, payment.Money{}, 0},
		{"paid, a payment without a number", ordered + `"status":2,"statementList":[` + statement("", "1000.00", 2) + `]`, doubt, payment.Money{}, 0},
		{"paid, a payment of nothing", ordered + `"status":2,"statementList":[` + statement("A", "0.00", 2) + `]`, doubt, payment.Money{}, 0},
		{"paid, a payment of unknown status", ordered + `"amount":"1000.00","status":2,"statementList":[` + statement("A", "1000.00", 1) + `]`, doubt, payment.Money{}, 0},
		{"a broken list", ordered + `"amount":"1000.00","status":2,"statementList":{"a":1}`, doubt, payment.Money{}, 0},
		{"a list of words", ordered + `"amount":"1000.00","status":2,"statementList":["a"]`, doubt, payment.Money{}, 0},
		{"a fraction", ordered + `"amount":"1000.01","status":2`, doubt, payment.Money{}, 0},
		{"an unreadable order amount", `"transactionAmount":"x","amount":"1000.00","status":2`, doubt, payment.Money{}, 0},
		{"in payment, and yet paid", ordered + `"status":1,"statementList":[` + statement("A", "1000.00", 2) + `]`, doubt, payment.Money{}, 0},
		{"failed", ordered + `"amount":"0.00","status":3,"errorMessage":"Unstable network, kindly retry later."`, payment.Declined, payment.Money{}, 0},
		{"failed, and yet paid", ordered + `"status":3,"statementList":[` + statement("A", "1000.00", 2) + `]`, doubt, payment.Money{}, 0},
		{"failed, and yet received", ordered + `"amount":"1000.00","status":3`, doubt, payment.Money{}, 0},
		{"refunded", ordered + `"amount":"1000.00","status":4`, doubt, payment.Money{}, 0},
		{"no status", ordered + `"amount":"1000.00"`, doubt, payment.Money{}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := lookup(t, payment.Deposit, data(c.data))
			if err != nil {
				t.Fatal(err)
			}
			if o.Kind != c.kind || o.SettledAmount.Minor != c.settled.Minor || len(o.Transfers) != c.transfers || o.Source != payment.FromLookup || o.Reference != "T1" {
				t.Errorf("got %+v", o)
			}
			if c.kind == doubt && (!o.Known || o.Reason == nil || o.Reason.Code != payment.ReasonIndeterminate) || c.kind != doubt && o.Amount != payment.KRW(1000) {
				t.Errorf("got %+v, %+v", o, o.Reason)
			}
		})
	}
	o, err := lookup(t, payment.Deposit, data(ordered+`"paymentType":801,"paymentInfo":"29900000000000","status":1`))
	if err != nil || o.Action == nil || o.Action.Transfer.AccountNumber != "29900000000000" {
		t.Errorf("got %+v, %v", o, err)
	}
	o, err = lookup(t, payment.Deposit, data(ordered+`"paymentType":803,"paymentInfo":"`+page+`","status":1`))
	if err != nil || o.Action == nil || o.Action.Redirect.URL != page {
		t.Errorf("got %+v, %v", o, err)
	}
	o, err = lookup(t, payment.Deposit, data(ordered+`"amount":"1000.00","status":2,"statementList":[`+statement("A", "1000.00", 2)+`]`))
	if err != nil || o.Transfers[0] != (payment.Transfer{Reference: "A", Amount: payment.KRW(1000)}) {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestLookupPayout(t *testing.T) {
	for text, kind := range map[string]payment.Kind{
		`"amount":"1000.00","status":1`:                                          payment.Accepted,
		`"amount":"1000.00","status":2,"serviceAmount":"15.00","errorCode":null`: payment.Paid,
		`"amount":"1000.00","status":"2"`:                                        payment.Paid,
		`"amount":"1000.00","status":2,"errorCode":0`:                            payment.Paid,
		`"amount":"1000.00","status":2,"errorCode":1016`:                         payment.Indeterminate, // given back by the bank, or paid
		`"amount":"1000.00","status":2,"errorCode":"9999"`:                       payment.Indeterminate,
		`"status":2`:                                     payment.Indeterminate, // nothing to compare with ours
		`"amount":"0.00","status":2`:                     payment.Indeterminate,
		`"amount":"1000.5","status":2`:                   payment.Indeterminate,
		`"amount":null,"status":3,"errorCode":1004`:      payment.Declined,
		`"amount":"1000.00","status":4,"errorCode":1000`: payment.Reversal,
		`"amount":"1000.00","status":5`:                  payment.Indeterminate,
		`"amount":"1000.00","status":0`:                  payment.Indeterminate,
		`"amount":"1000.00"`:                             payment.Indeterminate,
	} {
		o, err := lookup(t, payment.Payout, data(text))
		if err != nil || o.Kind != kind || o.Reference != "T1" || o.Source != payment.FromLookup || o.Known != (kind == payment.Indeterminate) {
			t.Errorf("%s: got %+v, %v", text, o, err)
		}
		if kind == payment.Paid && o.Amount != payment.KRW(1000) {
			t.Errorf("%s: no echo in %+v", text, o)
		}
	}
	o, err := lookup(t, payment.Payout, data(`"status":3,"errorCode":"1014","errorMessage":"Account 12345678998765 does not exist"`))
	if err != nil || *o.Reason != (payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "1014", Message: "Account … does not exist"}) {
		t.Errorf("got %+v, %v", o.Reason, err)
	}
}

func TestLookupOfAnUnknownOrder(t *testing.T) {
	unknown := map[payment.Operation][]string{
		payment.Deposit: {`{"code":434,"data":null,"msg":"Merchant order not exist","traceId":"x"}`},
		payment.Payout:  {`{"code":434,"msg":"Merchant order not exist"}`, `{"code":400,"msg":"Order not found","traceId":"x"}`},
	}
	for operation, bodies := range unknown {
		for _, body := range bodies {
			g := newGateway(t, reply(body))
			s := settings(t, g.URL)
			s.SettlingDelay = 7 * time.Minute
			o, err := connect(t, s, rand.Reader).Lookup(testContext(t), query(operation))
			if err != nil || o.Kind != payment.Unknown || o.Settling != 7*time.Minute || o.Known || o.Reason.Code != payment.ReasonNotFound {
				t.Errorf("%s %s: got %+v, %v", operation, body, o, err)
			}
		}
	}
}

// Nothing was learned: neither "unknown" nor anything else may come of these.
func TestLookupErrors(t *testing.T) {
	for _, operation := range payment.Operations() {
		for _, body := range []string{
			`{"code":400,"msg":"Bad request"}`, `{"code":400,"msg":"order not found"}`, `{"code":400,"msg":"Order not found."}`, `{"code":404,"msg":"Order not found"}`,
			`{"code":412,"msg":"Please try again later"}`, `{"code":414,"msg":"x"}`, `{"code":416,"msg":"Application not found"}`, `{"code":417}`, `{"code":418}`, `{"code":500}`,
			`{"code":434,"data":{"merchantOrderNo":"` + order + `","status":2}}`,
			strings.Replace(data(`"status":2,"amount":"1000.00"`), order, "other", 1), `{"code":200}`, ``, `<html>`,
		} {
			o, err := lookup(t, operation, body)
			if err == nil {
				t.Errorf("%s %s: got %+v", operation, body, o)
				continue
			}
			if e := classified(t, err); e.Class != connectors.InDoubt {
				t.Errorf("%s %s: got %+v", operation, body, e)
			}
		}
	}
	if o, err := lookup(t, payment.Deposit, `{"code":400,"msg":"Order not found"}`); err == nil { // documented for payouts only
		t.Errorf("got %+v", o)
	}
	g := newGateway(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"code":434}`)
	})
	c := connect(t, settings(t, g.URL), rand.Reader)
	if o, err := c.Lookup(testContext(t), query(payment.Deposit)); err == nil {
		t.Errorf("a page that is not found is not an order that is not found: %+v", o)
	}
	for _, q := range []connectors.Query{{Ref: query(payment.Deposit).Ref}, {Ref: payment.Ref{Provider: "teemopay-kr"}, Operation: payment.Deposit}} {
		if _, err := c.Lookup(testContext(t), q); err == nil || classified(t, err).Class != connectors.NotSent {
			t.Errorf("got %v", err)
		}
	}
	g.Only(t)
}

// A sandbox on this machine may send the customer to a plain page there; a real gateway may not.
func TestPlainPageOfASandbox(t *testing.T) {
	answer := httpcall.Reply{Status: 200, Body: []byte(data(`"transactionAmount":"1000.00","paymentType":803,"paymentInfo":"http://127.0.0.1:8080/pay","status":1`))}
	for gateway, shown := range map[string]bool{"http://127.0.0.1:8080": true, "https://gateway.example.com": false} {
		o, err := connect(t, settings(t, gateway), rand.Reader).Answered(query(payment.Deposit), answer)
		if err != nil || o.Kind != payment.Accepted || (o.Action != nil) != shown {
			t.Errorf("%s: got %+v, %v", gateway, o, err)
		}
	}
}

// A number that is too long for an event is left out of what is known; a payment under one is not believed.
func TestNumbersThatNoEventCanHoldAreLeftOut(t *testing.T) {
	c, long := newReceiver(t), strings.Repeat("9", payment.MaxText+1)
	looked := func(operation payment.Operation, number, fields string) func() (payment.Observation, error) {
		return func() (payment.Observation, error) {
			return lookup(t, operation, strings.Replace(data(fields), number, long, 1))
		}
	}
	called := func(body, number string) func() (payment.Observation, error) {
		return func() (payment.Observation, error) {
			body := strings.Replace(body, number, long, 1)
			notice, err := c.Webhook(callbackHeader(), signedBy(t, platformKey(), body), now)
			return notice.Observation, err
		}
	}
	listed := func(kind string, operation payment.Operation, changes ...string) func() (payment.Observation, error) {
		return func() (payment.Observation, error) {
			lines, _, err := statementOf(t, operation, "", envelopeOf(`{"records":[`+record(kind, changes...)+`]}`))
			if err != nil {
				return payment.Observation{}, err
			}
			return lines[0].Observation, nil
		}
	}
	quoted := `"` + long + `"`
	for name, k := range map[string]struct {
		learn func() (payment.Observation, error)
		want  payment.Kind
	}{
		"deposit looked up":                 {looked(payment.Deposit, "T1", `"transactionAmount":"1000.00","amount":"1000.00","status":2`), payment.Paid},
		"deposit looked up, indeterminate":  {looked(payment.Deposit, "T1", `"transactionAmount":"1000.10","status":2`), payment.Indeterminate},
		"payout looked up":                  {looked(payment.Payout, "T1", `"amount":"1000.00","status":2`), payment.Paid},
		"deposit's callback":                {called(payinCallback, "TS2501010001MX0000000000000000"), payment.Paid},
		"payout's callback":                 {called(payoutCallback, "TF2501010001KR0000000000000000"), payment.Paid},
		"statement's line":                  {listed("PAYOUT", payment.Payout, "tradeNo", quoted), payment.Paid},
		"deposit looked up, its payment":    {looked(payment.Deposit, "AA", `"transactionAmount":"1000.00","status":2,"statementList":[`+statement("AA", "1000.00", 2)+`]`), payment.Indeterminate},
		"deposit's callback, its payment":   {called(payinCallback, "TSOPaymentOrderNoExample"), payment.Indeterminate},
		"statement's line, one its payment": {listed("PAYIN", payment.Deposit, "paymentList", "["+paid(long, "5000.00")+"]"), payment.Indeterminate},
	} {
		o, err := k.learn()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o.Kind != k.want || len(o.Reference) > payment.MaxText || len(o.Transfers) > 0 && len(o.Transfers[0].Reference) > payment.MaxText {
			t.Errorf("%s: %s, number of %d characters, transfers %.40v", name, o.Kind, len(o.Reference), o.Transfers)
		}
	}
}
