package diamondpay_test

import (
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
)

// told is what an observation tells of the fee and the time: "32.5 KRW 2019-09-04T15:35:11Z, fee_unreadable".
func told(o payment.Observation) string {
	text := "none"
	if !o.Report.Fee.IsZero() {
		text = o.Report.Fee.String()
	}
	if at := o.Report.CompletedAt; !at.IsZero() {
		text += " " + at.Format(time.RFC3339)
	}
	for _, why := range o.Report.Unread {
		text += ", " + why.Code
	}
	return text
}

// The fee is in hundredths, as all amounts, and can be parts of a won. A notification tells when the order changed last, which is no
// time of completion.
func TestFeesOfNotifications(t *testing.T) {
	for fee, want := range map[string]string{
		`3200`: "32 KRW", `3250`: "32.5 KRW", `"3205"`: "32.05 KRW", `5`: "0.05 KRW", `0`: "0 KRW", `-3250`: "-32.5 KRW", `null`: "none", `""`: "none", `9999999999`: "99999999.99 KRW",
		`32.5`: "none, fee_unreadable", `"x"`: "none, fee_unreadable", `10000000000`: "none, fee_unreadable", `--5`: "", `"--5"`: "none, fee_unreadable", `1e3`: "none, fee_unreadable",
	} {
		if want == "" {
			continue // no JSON
		}
		n, err := receiver(t, diamondpay.MD5).Webhook(nil, signedWith(t, diamondpay.MD5, key, replaced(depositNotification, `"fee":3200`, `"fee":`+fee)), now)
		if err != nil || n.Observation.Kind != payment.Paid || told(n.Observation) != want {
			t.Errorf("%s: %s as %q, %v; want %q", fee, n.Observation.Kind, told(n.Observation), err, want)
		}
	}
	n, err := receiver(t, diamondpay.MD5).Webhook(nil, signedWith(t, diamondpay.MD5, key, replaced(depositNotification, `"fee":3200,`, ``)), now)
	if err != nil || told(n.Observation) != "none" {
		t.Errorf("without: %q, %v", told(n.Observation), err)
	}
}

// Look-ups of v2 have success_time, which is 0 until an order has succeeded; v1 has not.
func TestFeesAndTimesOfLookups(t *testing.T) {
	const paid = `"amount":1000000,"real_amount":1000000,"status":2`
	for more, want := range map[string]string{
		paid + `,"success_time":1567614111`:                            "32 KRW 2019-09-04T16:21:51Z",
		paid + `,"success_time":"1567614111"`:                          "32 KRW 2019-09-04T16:21:51Z",
		paid + `,"success_time":0`:                                     "32 KRW",
		paid + `,"success_time":null,"update_time":1567614111`:         "32 KRW",
		paid + `,"success_time":"yesterday"`:                           "32 KRW, completion_unreadable",
		paid + `,"success_time":99999999999999`:                        "32 KRW, completion_unreadable",
		paid + `,"success_time":[1567614111]`:                          "32 KRW, completion_unreadable",
		paid + `,"success_time":{"at":1567614111}`:                     "32 KRW, completion_unreadable",
		paid + `,"success_time":[ ]`:                                   "32 KRW",
		`"amount":1000000,"real_amount":0,"status":4,"success_time":0`: "none",
		`"amount":1000000,"real_amount":0,"status":1,"success_time":0`: "none",
	} {
		o, err := lookup(t, krwV2, payment.Deposit, one(row(payment.Deposit, more)))
		if err != nil || told(o) != want {
			t.Errorf("%s: %s as %q, %v; want %q", more, o.Kind, told(o), err, want)
		}
	}
}

// A number of the platform that cannot be kept does not stop a payment from ending, and is not taken for a missing one.
func TestNumbersThatCannotBeKept(t *testing.T) {
	for operation, c := range map[payment.Operation]struct{ given, paid string }{payment.Deposit: {`"PM00000102"`, "2"}, payment.Payout: {`"POT00000001"`, "3"}} {
		for number, want := range map[string]string{
			`["P1"]`: "32 KRW, reference_unreadable", `{"id":"P1"}`: "32 KRW, reference_unreadable", `"` + strings.Repeat("9", payment.MaxText+1) + `"`: "32 KRW, reference_unreadable",
			`"` + strings.Repeat("길", payment.MaxText) + `"`: "32 KRW", `"P1"`: "32 KRW", `[]`: "32 KRW", `""`: "32 KRW",
		} {
			o, err := lookup(t, krwV2, operation, one(strings.Replace(row(operation, `"amount":1000000,"real_amount":1000000,"status":`+c.paid), c.given, number, 1)))
			if err != nil || o.Kind != payment.Paid || told(o) != want || (o.Reference == "P1") != (number == `"P1"`) {
				t.Errorf("%s %s: %s as %q, %v; want %q", operation, number, o.Kind, told(o), err, want)
			}
		}
	}
}

// A list or an object where the pages have a plain value was told and cannot be read. It leaves a trace, by each way that an answer
// comes; an empty one tells nothing, as PHP writes it.
func TestListsInOptionalFields(t *testing.T) {
	const paid = `"amount":1000000,"real_amount":1000000,"status":2`
	for fee, want := range map[string]string{
		`[3200]`: "none, fee_unreadable", `[[]]`: "none, fee_unreadable", `{"amount":3200}`: "none, fee_unreadable", `[]`: "none", `{}`: "none", `[ ]`: "none",
	} {
		text := strings.Replace(row(payment.Deposit, paid), `"fee":3200`, `"fee":`+fee, 1)
		if o, err := lookup(t, krwV2, payment.Deposit, one(text)); err != nil || o.Kind != payment.Paid || told(o) != want {
			t.Errorf("look-up %s: %s as %q, %v; want %q", fee, o.Kind, told(o), err, want)
		}
		if fee[0] == '{' {
			continue // no page says how an object is signed: it is refused
		}
		v1 := string(withFields(text, `"platform_id":"PF0002","platform_channel_id":"PFC1","memo":"","update_time":1567614111`))
		if o, err := lookup(t, krwV1, payment.Deposit, list(string(signedWith(t, diamondpay.MD5, key, v1)))); err != nil || o.Kind != payment.Paid || told(o) != want {
			t.Errorf("look-up of v1 %s: %s as %q, %v; want %q", fee, o.Kind, told(o), err, want)
		}
		n, err := receiver(t, diamondpay.MD5).Webhook(nil, signedWith(t, diamondpay.MD5, key, replaced(depositNotification, `"fee":3200`, `"fee":`+fee)), now)
		if err != nil || n.Observation.Kind != payment.Paid || told(n.Observation) != want {
			t.Errorf("notification %s: %s as %q, %v; want %q", fee, n.Observation.Kind, told(n.Observation), err, want)
		}
	}
	for more, want := range map[string]payment.Kind{`,"currency":["TWD"]`: payment.Indeterminate, `,"currency":[]`: payment.Paid} {
		if o, err := lookup(t, krwV2, payment.Deposit, one(row(payment.Deposit, paid+more))); err != nil || o.Kind != want {
			t.Errorf("%s: %s, %v", more, o.Kind, err)
		}
	}
	o, err := lookup(t, krwV2, payment.Payout, one(row(payment.Payout, `"amount":1000000,"status":5,"error_msg":{"reason":"no such account"}`)))
	if err != nil || o.Kind != payment.Declined || !strings.Contains(o.Reason.Message, "no such account") {
		t.Errorf("%+v, %v", o.Reason, err)
	}
	for _, total := range []string{`[1]`, `{"a":1}`, `[]`} { // nothing was learned, which a worker logs
		if got, err := balance(t, krwV2, balanceV2(total, "0")); err == nil {
			t.Errorf("a balance of %s: %+v", total, got)
		}
	}
}
