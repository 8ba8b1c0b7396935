package ecommpay_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/payment"
	"payonce/test/race"
)

// statusAnswer is an answer to a status query in the form of en_Gate_payment_status_request, unsigned.
func statusAnswer(paymentFields string, more ...string) string {
	sums := `"sum_request":{"amount":10000,"currency":"KRW"},"sum_real":{"amount":10000,"currency":"KRW"}`
	if len(more) > 0 {
		sums = strings.Join(more, ",")
	}
	return `{"general":{"project_id":200,"payment_id":"` + order + `"},"request_id":"r","description":"",` + sums +
		`,"payment":{"id":"` + order + `","date":"2019-10-16T09:41:26+0000","method":"Korean banks",` + paymentFields + `}}`
}

const (
	sumRequest = `"sum_request":{"amount":10000,"currency":"KRW"}`
	sumReal    = `"sum_real":{"amount":10000,"currency":"KRW"}`
)

func operations(list ...string) string { return `"operations":[` + strings.Join(list, ",") + `]` }

func operation(id, kind, status, code string) string {
	return fmt.Sprintf(`{"id":%s,"type":%q,"status":%q,"code":%q,"message":"of the operation","request_id":"r"}`, id, kind, status, code)
}

func lookUp(t testing.TB, operation payment.Operation, status int, body string) (payment.Observation, error) {
	t.Helper()
	g := newGate(t, reply(status, body))
	o, err := connect(t, settings(g.URL)).Lookup(testContext(t), query(operation))
	r := g.Only(t)
	signature, signError := ecommpay.Sign(current, r.Body)
	if signError != nil {
		t.Fatal(signError)
	}
	if r.String() != "POST /v2/payment/status" || string(r.Body) != `{"general":{"project_id":200,"payment_id":"`+order+`","signature":"`+signature+`"}}` {
		t.Errorf("asked %s\n%s", r.String(), r.Body)
	}
	return o, err
}

// kinds are all documented statuses of a payment and what they mean when nothing contradicts them.
var kinds = map[payment.Kind]string{
	payment.Paid:     "success",
	payment.Declined: "decline|canceled|cancelled",
	payment.Accepted: "processing|external processing|clearing processing|scheduled recurring processing|awaiting 3ds result|awaiting approval|awaiting capture|awaiting clarification|awaiting clarify data|" +
		"awaiting clearing|awaiting confirmation|awaiting customer|awaiting customer action|awaiting finalization|awaiting merchant auth|awaiting partially clearing|awaiting payment|awaiting redirect result|awaiting retry|invoice sent",
	payment.Reversal: "refunded|reversed", payment.PartialReversal: "partially refunded|partially reversed",
	payment.Indeterminate: "error|internal error|external error|expired|partially paid|partially paid out|invoice cancelled|decline renewal|" +
		// documented for operations only, or not at all
		"unknown|Success|SUCCESS| success|settled|paid|ok|0|refund|declined|awaiting|awaiting something|success\\u0000|",
}

func TestEveryStatus(t *testing.T) {
	count := 0
	for kind, list := range kinds {
		for _, status := range strings.Split(list, "|") {
			for _, spelled := range []string{status, strings.ReplaceAll(status, " ", "_")} {
				if _, documented := ecommpay.Statuses()[spelled]; documented {
					count++
				}
				o, err := lookUp(t, payment.Deposit, 200, signedBy(t, current, statusAnswer(`"status":"`+spelled+`","result_message":"of the payment"`)))
				if err != nil || o.Kind != kind || o.Source != payment.FromLookup || o.Known != (kind == payment.Indeterminate) {
					t.Errorf("%q: got %+v, %v, want %s", spelled, o, err, kind)
				}
				if settles := kind == payment.Paid; (o.SettledAmount == payment.KRW(10000)) != settles {
					t.Errorf("%q: settled %v", spelled, o.SettledAmount)
				}
				if spelled == strings.ReplaceAll(status, " ", "_") && spelled == status {
					break // the same
				}
			}
		}
	}
	if count != len(ecommpay.Statuses()) {
		t.Errorf("%d of %d statuses are tested", count, len(ecommpay.Statuses()))
	}
}

// unnumbered is an outcome whose number was told and cannot be kept.
func unnumbered(o payment.Observation) payment.Observation {
	o.Reference, o.Report.Unread = "", []payment.Reason{payment.UnreadReference("the operation's id")}
	return o
}

func TestLookup(t *testing.T) {
	sale := func(status, code string) string {
		return operations(operation("1737000008461", "sale", status, code))
	}
	amounts := sumRequest + "," + sumReal
	accepted := payment.Observation{Kind: payment.Accepted, Amount: payment.KRW(10000)}
	paid := payment.Observation{Kind: payment.Paid, Amount: payment.KRW(10000), SettledAmount: payment.KRW(10000), Reference: "1737000008461"}
	declined := func(code, message string) payment.Observation {
		return payment.Observation{Kind: payment.Declined, Amount: payment.KRW(10000), Reference: "1737000008461",
			Reason: &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: code, Message: message}}
	}
	indeterminate := func(status, why string) payment.Observation {
		return payment.Observation{Kind: payment.Indeterminate, Known: true, Reference: "1737000008461", Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: status, Message: why}}
	}
	nameless := func(o payment.Observation) payment.Observation { o.Reference = ""; return o }
	other := func(won, sums string) payment.Observation { // for the domain to see that it is not what was ordered
		amount, err := payment.ParseMoney(won, "KRW")
		if err != nil {
			t.Fatal(err)
		}
		return payment.Observation{Kind: payment.Paid, Amount: amount, Reference: "1737000008461", Reason: &payment.Reason{ProviderCode: "0", Message: "the amounts differ: " + sums}}
	}
	mismatch := func(sums string) payment.Observation {
		o := indeterminate("success", "not all amounts are whole won: "+sums)
		o.Reason.Code = payment.ReasonAmountMismatch
		return o
	}
	summed := func(sum string) string {
		return strings.Replace(operation("1737000008461", "sale", "success", "0"), "{", "{"+sum+",", 1)
	}
	payoutPaid := paid
	payoutPaid.Reference = "6042000008706"
	redirected := accepted
	redirected.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://bank.example.com/x?a=1"}}
	redirected.Reference = "1737000008461"
	cases := []struct {
		name string
		op   payment.Operation
		body string
		want payment.Observation
	}{
		{"paid", payment.Deposit, statusAnswer(`"status":"success","result_code":"0"`, amounts, sale("success", "0")), paid},
		{"paid, by number", payment.Deposit, statusAnswer(`"status":"success","result_code":0`, amounts, `"transaction":{"id":"1737000008461","date":"x","type":"sale"}`), paid},
		{"paid, under a number that no event can hold", payment.Deposit, strings.ReplaceAll(statusAnswer(`"status":"success","result_code":"0"`, amounts, sale("success", "0")), "1737000008461", strings.Repeat("1", 257)), unnumbered(paid)},
		{"paid, amounts as texts", payment.Deposit, statusAnswer(`"status":"success"`, strings.ReplaceAll(amounts, `10000`, `"10000.00"`), sale("success", "0")), paid},
		{"another amount arrived", payment.Deposit, statusAnswer(`"status":"success"`, sumRequest, strings.Replace(sumReal, "10000", "9000", 1), sale("success", "0")), other("9000", "sum_request 10000 KRW, sum_real 9000 KRW")},
		{"another amount was ordered there", payment.Deposit, statusAnswer(`"status":"success"`, strings.Replace(sumRequest, "10000", "9000", 1), sumReal, sale("success", "0")), other("9000", "sum_request 9000 KRW, sum_real 10000 KRW")},
		{"another amount arrived, and its operation says so", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(summed(`"sum":{"amount":9000,"currency":"KRW"}`))), other("9000", "sum_request 10000 KRW, sum_real 10000 KRW, operations.sum 9000 KRW")},
		{"another amount was converted", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(summed(`"sum_converted":{"amount":"9000","currency":"KRW"}`))), other("9000", "sum_request 10000 KRW, sum_real 10000 KRW, operations.sum_converted 9000 KRW")},
		{"nothing arrived", payment.Deposit, statusAnswer(`"status":"success"`, sumRequest, strings.Replace(sumReal, "10000", "0", 1), sale("success", "0")), other("0", "sum_request 10000 KRW, sum_real 0 KRW")},
		{"the same amount everywhere", payment.Deposit, statusAnswer(`"status":"success","result_code":"0"`, amounts, operations(summed(`"sum":{"amount":"10000.00","currency":"KRW"},"sum_converted":{"amount":10000,"currency":"KRW"}`))), paid},
		{"only what arrived", payment.Deposit, statusAnswer(`"status":"success"`, sumReal, sale("success", "0")), paid},
		{"its operation has another currency", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(summed(`"sum":{"amount":7.35,"currency":"USD"}`))), mismatch("sum_request 10000 KRW, sum_real 10000 KRW, operations.sum 7.35 USD")},
		{"its operation has no currency", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(summed(`"sum":{"amount":10000}`))), mismatch("sum_request 10000 KRW, sum_real 10000 KRW, operations.sum unreadable")},
		{"a declined attempt had another amount", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(strings.Replace(operation("1", "sale", "decline", "20105"), "{", `{"sum":{"amount":5000,"currency":"KRW"},`, 1), operation("1737000008461", "sale", "success", "0"))), paid},
		{"declined, nothing arrived", payment.Deposit, statusAnswer(`"status":"decline","result_code":"603","result_message":"Auto decline"`, sumRequest, strings.Replace(sumReal, "10000", "0", 1), sale("decline", "20000")), declined("603", "Auto decline")},
		{"paid at the second attempt", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(operation("1", "sale", "decline", "20105"), operation("1737000008461", "sale", "success", "0"))), paid},
		{"paid at the first of two attempts", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(operation("1737000008461", "sale", "success", "0"), operation("2", "sale", "decline", "20105"))), paid},
		{"paid, with a refund that was declined", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(operation("1737000008461", "sale", "success", "0"), operation("2", "refund", "decline", "903"))), paid},
		{"payout paid", payment.Payout, statusAnswer(`"status":"success"`, amounts, operations(operation("6042000008706", "payout", "success", "0"))), payoutPaid},
		{"paid twice", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(operation("1737000008461", "sale", "success", "0"), operation("2", "sale", "success", "0"))), indeterminate("success", "two operations of one payment succeeded")},
		{"a payout for a deposit", payment.Deposit, statusAnswer(`"status":"success"`, amounts, operations(operation("1737000008461", "payout", "success", "0"))), indeterminate("success", "the provider knows the payment in the other direction")},
		{"paid without an amount", payment.Deposit, statusAnswer(`"status":"success"`, sale("success", "0")), indeterminate("success", "paid, but nothing says how much")},
		{"indeterminate, under a number that no event can hold", payment.Deposit, strings.ReplaceAll(statusAnswer(`"status":"success"`, sale("success", "0")), "1737000008461", strings.Repeat("1", 257)), nameless(indeterminate("success", "paid, but nothing says how much"))},
		{"paid in another currency", payment.Deposit, statusAnswer(`"status":"success"`, sumRequest, strings.Replace(sumReal, "KRW", "USD", 1), sale("success", "0")), mismatch("sum_request 10000 KRW, sum_real 10000 USD")},
		{"paid a fraction", payment.Deposit, statusAnswer(`"status":"success"`, strings.Replace(sumRequest, "10000", "10000.5", 1), sale("success", "0")), mismatch("sum_request 10000.5 KRW")},
		{"paid in an amount of powers", payment.Deposit, statusAnswer(`"status":"success"`, strings.Replace(sumRequest, "10000", "1e4", 1), sale("success", "0")), mismatch("sum_request unreadable")},
		{"paid, and its operation failed", payment.Deposit, statusAnswer(`"status":"success"`, amounts, sale("decline", "0")), indeterminate("success", "paid, but its operation did not succeed")},
		{"paid with a code of failure", payment.Deposit, statusAnswer(`"status":"success","result_code":"20000"`, amounts, sale("success", "0")), indeterminate("success", "paid, but with the code of something else")},
		{"declined", payment.Deposit, statusAnswer(`"status":"decline","result_code":"603","result_message":"Auto decline"`, amounts, sale("decline", "20000")), declined("603", "Auto decline")},
		{"declined, code of the operation", payment.Deposit, statusAnswer(`"status":"decline"`, amounts, sale("decline", "20000")), declined("20000", "of the operation")},
		{"declined, the customer may try again", payment.Deposit, statusAnswer(`"status":"decline","is_new_attempts_available":true,"attempts_timeout":360`, amounts, sale("decline", "20000")),
			payment.Observation{Kind: payment.Accepted, Amount: payment.KRW(10000), Reference: "1737000008461"}},
		{"declined, the customer may not try again", payment.Deposit, statusAnswer(`"status":"decline","is_new_attempts_available":false`, amounts, sale("decline", "20000")), declined("20000", "of the operation")},
		{"declined, and its operation succeeded", payment.Deposit, statusAnswer(`"status":"decline"`, amounts, sale("success", "20000")), indeterminate("decline", "declined, but its operation succeeded")},
		{"declined with success", payment.Deposit, statusAnswer(`"status":"decline","result_code":"0"`, amounts, sale("decline", "0")), indeterminate("decline", "declined, but its code says that this is not the end")},
		{"refunded", payment.Deposit, statusAnswer(`"status":"refunded","result_message":"x"`, amounts, sale("success", "0")), payment.Observation{Kind: payment.Reversal, Reference: "1737000008461", Reason: &payment.Reason{Code: payment.ReasonReversed, ProviderCode: "0", Message: "of the operation"}}},
		{"redirect", payment.Deposit, statusAnswer(`"status":"awaiting redirect result","result_code":"9999"`, amounts, sale("awaiting redirect result", "9999"), `"return_url":{"method":"GET","body":{"a":"1"},"encrypted":[],"url":"https://bank.example.com/x"}`), redirected},
		{"processing", payment.Deposit, statusAnswer(`"status":"processing","result_code":"9999"`, amounts), accepted},
		{"processing, return_url is a text", payment.Deposit, statusAnswer(`"status":"processing"`, amounts, `"return_url":"https://x.example.com"`), accepted},
		{"no status", payment.Deposit, statusAnswer(`"a":1`, amounts), nameless(indeterminate("", "no page documents this status"))},
		{"status is a number", payment.Deposit, statusAnswer(`"status":1`, amounts), nameless(indeterminate("1", "no page documents this status"))},
		{"status is a list", payment.Deposit, statusAnswer(`"status":["success"]`, amounts), nameless(indeterminate("", "no page documents this status"))},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.want.Source = payment.FromLookup
			for _, key := range []string{"current", "previous"} {
				body := signedBy(t, current, c.body)
				if key == "previous" {
					body = signedBy(t, previous, c.body)
				}
				o, err := lookUp(t, c.op, 200, body)
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, o, c.want)
			}
		})
	}
}

// No decline is believed whose code says that it is not the end, and every other one is.
func TestDeclinesOfEveryCode(t *testing.T) {
	open := map[string]bool{"0": true, "3191": true, "9999": true, "10801": true, "19999": true, "20801": true, "20802": true, "20812": true, "20899": true, "29999": true}
	c := connect(t, settings("http://127.0.0.1:1"))
	for i, k := range append(race.Sample(allCodes(t), 11), code{Code: "77777"}, code{Code: ""}) {
		kind, operation := "purchase", "sale"
		if i%2 == 1 {
			kind, operation = "payout", "payout"
		}
		n, err := c.Webhook(nil, []byte(signedBy(t, current, callback(kind, "decline", operation, "decline", k.Code))), now)
		if err != nil {
			t.Fatal(err)
		}
		want := payment.Declined
		if open[k.Code] {
			want = payment.Indeterminate
		}
		if n.Observation.Kind != want || want == payment.Declined && n.Observation.Reason.ProviderCode != k.Code {
			t.Errorf("%s: got %+v, want %s", k.Code, n.Observation, want)
		}
		// With any code but 0, nothing is paid.
		n, err = c.Webhook(nil, []byte(signedBy(t, current, callback(kind, "success", operation, "success", k.Code))), now)
		if err != nil || (n.Observation.Kind == payment.Paid) != (k.Code == "0" || k.Code == "") {
			t.Errorf("%s: got %+v, %v", k.Code, n.Observation, err)
		}
	}
}

func TestNotFound(t *testing.T) {
	const documented = `{"payment":{"status":"error"},"errors":[{"code":"3061","message":"Transaction not found"}]}`
	want := payment.Observation{Kind: payment.Unknown, Source: payment.FromLookup, Settling: time.Minute,
		Reason: &payment.Reason{Code: payment.ReasonNotFound, ProviderCode: "3061"}}
	common := gateError("3061", "Transaction not found")
	named := `{"general":{"project_id":200,"payment_id":"` + order + `"},` + documented[1:]
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"as documented":        {200, documented},
		"by number":            {200, strings.Replace(documented, `"3061"`, `3061`, 1)},
		"not 200":              {404, documented},
		"the common form":      {400, common},
		"the common form, 200": {200, common},
		"signed":               {200, signedBy(t, current, named)},
		"named, not signed":    {200, named},
		"empty lists":          {200, strings.Replace(documented, `{`, `{"operations":[],"transaction":null,`, 1)},
	} {
		for _, operation := range payment.Operations() {
			o, err := lookUp(t, operation, c.status, c.body)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			mustEqual(t, o, want)
			if o.Settling != time.Minute {
				t.Errorf("%s: settling %v", name, o.Settling)
			}
		}
	}
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"5xx":                        {500, documented},
		"timeout":                    {408, documented},
		"too many":                   {429, documented},
		"moved":                      {302, documented},
		"another code":               {200, strings.Replace(documented, `3061`, `3062`, 1)},
		"no code":                    {200, strings.Replace(documented, `"3061"`, `null`, 1)},
		"another payment":            {200, strings.Replace(named, order, "other", 1)},
		"another project":            {200, strings.Replace(named, `200`, `201`, 1)},
		"wrong signature":            {200, signedBy(t, foreign, named)},
		"paid":                       {200, strings.Replace(documented, `"error"`, `"success"`, 1)},
		"it has operations":          {200, strings.Replace(documented, `{`, `{`+operations(operation("1", "sale", "processing", "0"))+`,`, 1)},
		"it has a transaction":       {200, strings.Replace(documented, `{`, `{"transaction":{"id":1},`, 1)},
		"code in a success":          {200, `{"status":"success","code":"3061"}`},
		"code without a status":      {200, `{"code":"3061"}`},
		"bad signature of ours":      {401, gateError("3261", "Invalid signature")},
		"address not on list":        {403, `<html>`},
		"empty":                      {200, ``},
		"a refused query":            {400, gateError("2004", "")},
		"an error, not signed":       {200, `{"payment":{"status":"error"},"errors":[{"code":"501"}]}`},
		"code twice":                 {200, strings.Replace(documented, `{"code"`, `{"code":"1","code"`, 1)},
		"both payments, paid":        {200, strings.Replace(documented, `{`, `{"payment":{"status":"success"},`, 1)},
		"a list of statuses":         {200, strings.Replace(common, `{`, `{"payment":{"status":["processing"]},`, 1)},
		"a payment as a text":        {200, strings.Replace(common, `{`, `{"payment":"processing",`, 1)},
		"a list of numbers":          {200, strings.Replace(documented, `{`, `{"payment_id":["other"],`, 1)},
		"a list of numbers, general": {200, strings.Replace(documented, `{`, `{"general":{"payment_id":["other"]},`, 1)},
		"a list of codes":            {200, strings.Replace(documented, `[`, `[{"code":["3028"]},`, 1)},
		"a code as an object":        {200, strings.Replace(documented, `{`, `{"code":{"is":"3028"},`, 1)},
		"not found and a status":     {200, strings.Replace(documented, `"error"`, `"processing"`, 1)},
	} {
		o, err := lookUp(t, payment.Deposit, c.status, c.body)
		if err == nil {
			t.Errorf("%s: got %+v", name, o)
			continue
		}
		if e := classified(t, err); e.Class != connectors.InDoubt || strings.Contains(err.Error(), "zq7w") {
			t.Errorf("%s: got %+v", name, e)
		}
	}
}

func TestUnbelievableAnswers(t *testing.T) {
	good := statusAnswer(`"status":"success"`)
	signed := signedBy(t, current, good)
	cases := map[string]string{
		"not signed":             good,
		"another secret":         signedBy(t, foreign, good),
		"changed afterwards":     strings.Replace(signed, `"amount":10000`, `"amount":90000`, 1),
		"signature twice":        strings.Replace(signed, `{`, `{"signature":"x",`, 1),
		"another payment":        signedBy(t, current, strings.ReplaceAll(good, order, "other")),
		"another payment inside": signedBy(t, current, strings.Replace(good, order, "other", 1)),
		"another project":        signedBy(t, current, strings.Replace(good, `200`, `201`, 1)),
		"no payment":             signedBy(t, current, `{"general":{"project_id":200},"payment":{"status":"success"},`+sumRequest+`}`),
		"a list":                 `[` + signed + `]`,
		"half":                   signed[:len(signed)-1],
	}
	for name, body := range cases {
		o, err := lookUp(t, payment.Deposit, 200, body)
		if err == nil {
			t.Errorf("%s: got %+v", name, o)
			continue
		}
		if e := classified(t, err); e.Class != connectors.InDoubt || e.Known {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	for _, status := range []int{201, 204, 301, 400, 401, 403, 404, 408, 429, 500, 502, 503} {
		g := newGate(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "30")
			if status == 204 {
				w.WriteHeader(status)
				return
			}
			reply(status, signed)(w, r)
		})
		_, err := connect(t, settings(g.URL)).Lookup(testContext(t), query(payment.Deposit))
		if e := classified(t, err); e.Class != connectors.InDoubt || e.RetryAfter != 30*time.Second {
			t.Errorf("%d: got %+v", status, e)
		}
	}
	// payment.id is enough where general does not name the payment.
	if o, err := lookUp(t, payment.Deposit, 200, signedBy(t, current, strings.Replace(good, `,"payment_id":"`+order+`"`, ``, 1))); err != nil || o.Kind != payment.Paid {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestLookupOfNothing(t *testing.T) {
	c := connect(t, settings("http://127.0.0.1:1"))
	bad, none := query(payment.Deposit), query("")
	bad.Order = "a b"
	for _, q := range []connectors.Query{bad, none} {
		if _, err := c.Lookup(testContext(t), q); classified(t, err).Class != connectors.NotSent || classified(t, err).Code != payment.ReasonInvalid {
			t.Errorf("got %v", err)
		}
	}
}

// The amounts that the provider repeats are compared with ours by the domain.
func TestAnotherAmountIsAMismatch(t *testing.T) {
	o, err := lookUp(t, payment.Deposit, 200, signedBy(t, current, statusAnswer(`"status":"success"`, strings.Replace(sumRequest, "10000", "1000000", 1), sumReal)))
	if err != nil {
		t.Fatal(err)
	}
	cmd := deposit("gate")
	p := payment.New(cmd)
	p, _, err = payment.Decide(p, payment.Observation{Kind: payment.Intend, Source: payment.FromWorker}, now)
	if err != nil {
		t.Fatal(err)
	}
	p, changed, err := payment.Decide(p, o, now)
	if err != nil || !changed || p.Status != payment.InDoubt || p.Reason.Code != payment.ReasonAmountMismatch {
		t.Errorf("got %+v, %v", p, err)
	}
}

// The stored example of the status format has other numbers inside than in general.
func TestPublishedStatusFormat(t *testing.T) {
	for _, v := range vectors(t).Vectors {
		if v.ID != "php-pe868-format-7" {
			continue
		}
		var doc map[string]any
		if err := json.Unmarshal(v.Data, &doc); err != nil {
			t.Fatal(err)
		}
		doc["general"] = map[string]any{"project_id": "200", "payment_id": order}
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		o, err := lookUp(t, payment.Deposit, 200, signedBy(t, current, string(body)))
		if err != nil || o.Kind != payment.Indeterminate || !o.Known { // status "processed", in another currency
			t.Errorf("got %+v, %v", o, err)
		}
	}
}
