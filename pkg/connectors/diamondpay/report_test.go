package diamondpay_test

import (
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
		`"amount":1000000,"real_amount":0,"status":4,"success_time":0`: "none",
		`"amount":1000000,"real_amount":0,"status":1,"success_time":0`: "none",
	} {
		o, err := lookup(t, krwV2, payment.Deposit, one(row(payment.Deposit, more)))
		if err != nil || told(o) != want {
			t.Errorf("%s: %s as %q, %v; want %q", more, o.Kind, told(o), err, want)
		}
	}
}
