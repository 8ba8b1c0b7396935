package teemopay_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
)

// reads compares what an observation tells of the fee and the time: "18.02 at 2025-01-01T00:00:00+09:00, fee_unreadable".
func reads(t *testing.T, o payment.Observation, fee, at string, unread ...string) {
	t.Helper()
	total, told := o.Report.Fee, ""
	if total.IsZero() {
		for _, r := range o.Transfers {
			total, _ = total.Add(r.Fee)
		}
	}
	if !total.IsZero() {
		told = total.Value()
	}
	when := ""
	if !o.Report.CompletedAt.IsZero() {
		when = o.Report.CompletedAt.Format(time.RFC3339)
	}
	var codes []string
	for _, why := range o.Report.Unread {
		codes = append(codes, why.Code)
	}
	if told != fee || when != at || !slices.Equal(codes, unread) {
		t.Errorf("it tells the fee %q at %q and %v, want %q at %q and %v", told, when, codes, fee, at, unread)
	}
}

// The fee comes in parts of a won, and the time in the country's zone. What is missing is not told, and what cannot be read is noted:
// neither is zero, and neither stops the payment from being settled.
func TestFeesAndTimes(t *testing.T) {
	c := newReceiver(t)
	const midnight = "2025-01-01T00:00:00+09:00"
	for name, k := range map[string]struct {
		old, new, fee, at string
		unread            []string
	}{
		"as the page has it":     {"", "", "15", midnight, nil},
		"parts of a won":         {`"15.00"`, `"18.02"`, "18.02", midnight, nil},
		"a number":               {`"15.00"`, `18.02`, "18.02", midnight, nil},
		"nothing":                {`"15.00"`, `"0.00"`, "0", midnight, nil},
		"less than nothing":      {`"15.00"`, `"-18.02"`, "-18.02", midnight, nil},
		"no fee":                 {`"15.00"`, `null`, "", midnight, nil},
		"a blank":                {`"15.00"`, `" "`, "", midnight, nil},
		"words":                  {`"15.00"`, `"15 won"`, "", midnight, []string{payment.ReasonFeeUnreadable}},
		"parts of a part":        {`"15.00"`, `"15.001"`, "", midnight, []string{payment.ReasonFeeUnreadable}},
		"no time":                {`"2025-01-01 00:00:00"`, `null`, "15", "", nil},
		"a time with its zone":   {`"2025-01-01 00:00:00"`, `"2025-01-01T00:00:00Z"`, "15", "", []string{payment.ReasonCompletionUnreadable}},
		"no year":                {`"2025-01-01 00:00:00"`, `"0000-01-01 00:00:00"`, "15", "", []string{payment.ReasonCompletionUnreadable}},
		"the time of nothing":    {`"2025-01-01 00:00:00"`, `"0001-01-01 09:00:00"`, "15", "", []string{payment.ReasonCompletionUnreadable}},
		"a day that never comes": {`"2025-01-01 00:00:00"`, `"2025-02-30 00:00:00"`, "15", "", []string{payment.ReasonCompletionUnreadable}},
	} {
		t.Run(name, func(t *testing.T) {
			body := payinCallback
			if k.old != "" {
				body = strings.Replace(body, k.old, k.new, 1)
			}
			n, err := c.Webhook(callbackHeader(), signedBy(t, platformKey(), body), now)
			if err != nil || n.Observation.Kind != payment.Paid {
				t.Fatalf("%+v, %v", n, err)
			}
			reads(t, n.Observation, k.fee, k.at, k.unread...)
		})
	}
}

// A number of the platform that cannot be kept does not stop a payment from ending, and is not taken for a missing one.
func TestNumbersThatCannotBeKept(t *testing.T) {
	const given = `"TS2501010001MX0000000000000000"`
	c := newReceiver(t)
	unread := []string{payment.ReasonReferenceUnreadable}
	for number, want := range map[string][]string{`"` + strings.Repeat("9", payment.MaxText+1) + `"`: unread, `"` + strings.Repeat("9", payment.MaxText) + `"`: nil, `null`: nil, `""`: nil} {
		n, err := c.Webhook(callbackHeader(), signedBy(t, platformKey(), strings.Replace(payinCallback, given, number, 1)), now)
		if err != nil || n.Observation.Kind != payment.Paid {
			t.Fatalf("%s: %+v, %v", number, n, err)
		}
		reads(t, n.Observation, "15", "2025-01-01T00:00:00+09:00", want...)
	}
	for number, want := range map[string][]string{`["T1"]`: unread, `{"no":"T1"}`: unread, `[]`: nil, `"T1"`: nil} {
		for operation, text := range map[payment.Operation]string{
			payment.Deposit: `"transactionAmount":"1000.00","amount":"1000.00","status":2,"serviceAmount":null,"statementList":[]`,
			payment.Payout:  `"amount":"1000.00","status":2`,
		} {
			o, err := lookup(t, operation, strings.Replace(data(text), `"T1"`, number, 1))
			if err != nil || o.Kind != payment.Paid || (o.Reference == "T1") != (number == `"T1"`) {
				t.Errorf("%s of a %s: %+v, %v", number, operation, o, err)
			}
			reads(t, o, "", "", want...)
		}
		o, err := lookup(t, payment.Payout, strings.Replace(data(`"amount":"1000.00","status":3`), `"T1"`, number, 1))
		if err != nil || o.Kind != payment.Declined {
			t.Errorf("%s: %+v, %v", number, o, err)
		}
		reads(t, o, "", "", want...)
	}
}

// A look-up and the statement tell the fee of the order, and when the last of its payments was paid.
func TestFeesOfLookupsAndStatements(t *testing.T) {
	statement := func(number, amount, fee, at string) string {
		return `{"paymentSingleOrderNo":"` + number + `","paymentStatementAmount":"` + amount + `","paymentStatementStatus":2,"serviceAmount":` + fee + `,"completeTime":` + at + `}`
	}
	for name, k := range map[string]struct {
		list, whole, fee, at string
		unread               []string
	}{
		"the whole":       {statement("A", "600", `"11.00"`, `"2025-01-01 00:00:05"`) + "," + statement("B", "400", `"9.00"`, `"2025-01-01 00:00:00"`), `"20.00"`, "20", "2025-01-01T00:00:05+09:00", nil},
		"the parts":       {statement("A", "600", `"11.00"`, `null`) + "," + statement("B", "400", `"9.50"`, `"2025-01-01 00:00:00"`), "null", "20.5", "2025-01-01T00:00:00+09:00", nil},
		"nothing":         {statement("A", "1000", "null", "null"), "null", "", "", nil},
		"unreadable":      {statement("A", "1000", `"x"`, `"x"`), "null", "", "", []string{payment.ReasonCompletionUnreadable, payment.ReasonFeeUnreadable}},
		"a list":          {statement("A", "1000", `[1]`, `{"at":1}`), `["20.00"]`, "", "", []string{payment.ReasonCompletionUnreadable, payment.ReasonFeeUnreadable, payment.ReasonFeeUnreadable}},
		"an empty list":   {statement("A", "1000", `[]`, `{}`), `[ ]`, "", "", nil},
		"unreadable part": {statement("A", "1000", `"x"`, "null"), `"20.00"`, "20", "", []string{payment.ReasonFeeUnreadable}},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := lookup(t, payment.Deposit, data(`"transactionAmount":"1000.00","amount":"1000.00","status":2,"serviceAmount":`+k.whole+`,"statementList":[`+k.list+`]`))
			if err != nil || o.Kind != payment.Paid {
				t.Fatalf("%+v, %v", o, err)
			}
			reads(t, o, k.fee, k.at, k.unread...)
		})
	}
	o, err := lookup(t, payment.Payout, data(`"amount":"1000.00","status":2,"serviceAmount":"10.50","completeTime":"2025-05-01 00:00:00"`))
	if err != nil {
		t.Fatal(err)
	}
	reads(t, o, "10.5", "2025-05-01T00:00:00+09:00")
	o, err = lookup(t, payment.Payout, data(`"amount":"1000.00","status":1,"serviceAmount":"10.50","completeTime":"2025-05-01 00:00:00"`))
	if err != nil {
		t.Fatal(err)
	}
	reads(t, o, "", "") // it has not ended
	lines, _, err := statementOf(t, payment.Deposit, "", envelopeOf(`{"pageIndex":"next","records":[`+record("PAYIN", "paymentList", "["+paid("TSO1", "5000.00")+"]")+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	reads(t, lines[0].Observation, "26", "2026-02-27T03:01:08+09:00")
}

// A list or an object where the pages have a plain value is not a missing value: it decides nothing, and people see it.
func TestListsInAnswers(t *testing.T) {
	for fields, want := range map[string]payment.Kind{
		`"amount":"1000.00","status":2,"errorCode":[1001]`: payment.Indeterminate, `"amount":"1000.00","status":2,"errorCode":[]`: payment.Paid,
		`"amount":["1000.00"],"status":2`: payment.Indeterminate, `"amount":"1000.00","status":[2]`: payment.Indeterminate,
	} {
		if o, err := lookup(t, payment.Payout, data(fields)); err != nil || o.Kind != want {
			t.Errorf("%s: %s, %v; want %s", fields, o.Kind, err, want)
		}
	}
	const list = `"statementList":[{"paymentSingleOrderNo":"A","paymentStatementAmount":"1000","paymentStatementStatus":2}]`
	for fields, want := range map[string]payment.Kind{
		`"transactionAmount":"1000.00","amount":["1.00"],"status":2,`: payment.Indeterminate, `"transactionAmount":{"a":1},"amount":"1000.00","status":2,`: payment.Indeterminate,
		`"transactionAmount":"1000.00","amount":[],"status":2,`: payment.Paid, // as without an amount
	} {
		if o, err := lookup(t, payment.Deposit, data(fields+list)); err != nil || o.Kind != want {
			t.Errorf("%s: %s, %v; want %s", fields, o.Kind, err, want)
		}
	}
	o, err := lookup(t, payment.Payout, data(`"amount":"1000.00","status":3,"errorMessage":["no such account"]`))
	if err != nil || o.Kind != payment.Declined || !strings.Contains(o.Reason.Message, "no such account") {
		t.Errorf("%+v, %v", o.Reason, err)
	}
}
