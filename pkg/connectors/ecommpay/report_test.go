package ecommpay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
)

// The operation's date is when it ended, in the zone of the text. The provider tells no fee. A date that cannot be read stops nothing.
func TestTimesOfOutcomes(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	for date, want := range map[string]string{
		`"2019-10-16T09:41:26+0000"`: "2019-10-16T09:41:26Z", `"2019-10-16T18:41:26+0900"`: "2019-10-16T18:41:26+09:00", `"2019-10-16T18:41:26+09:00"`: "2019-10-16T18:41:26+09:00",
		`"2019-10-16T09:41:26Z"`: "2019-10-16T09:41:26Z", `null`: "", `""`: "", `"2019-10-16 09:41:26"`: payment.ReasonCompletionUnreadable, `"yesterday"`: payment.ReasonCompletionUnreadable,
		`"0001-01-01T00:00:00+0000"`: payment.ReasonCompletionUnreadable, `["2019-10-16T09:41:26Z"]`: payment.ReasonCompletionUnreadable, `{"at":1}`: payment.ReasonCompletionUnreadable,
		`[]`: "", `{}`: "",
	} {
		for status, kind := range map[string]payment.Kind{"success": payment.Paid, "decline": payment.Declined} {
			code := map[string]string{"success": "0", "decline": "603"}[status]
			dated := func(text string) string {
				return strings.Replace(text, `"date":"2019-10-16T09:41:26+0000","created_date"`, `"date":`+date+`,"created_date"`, 1)
			}
			n, err := c.Webhook(nil, []byte(signedBy(t, current, dated(callback("purchase", status, "sale", status, code)))), now)
			if err != nil || n.Observation.Kind != kind || ended(n.Observation) != want || !n.Observation.Report.Fee.IsZero() {
				t.Errorf("%s %s: %s at %q, %v; want %q", status, date, n.Observation.Kind, ended(n.Observation), err, want)
			}
			one := strings.Replace(operation("1", "sale", status, code), `"request_id"`, `"date":`+date+`,"request_id"`, 1)
			o, err := lookUp(t, payment.Deposit, http.StatusOK, signedBy(t, current, statusAnswer(`"status":"`+status+`"`, sumRequest, sumReal, operations(one))))
			if err != nil || o.Kind != kind || ended(o) != want {
				t.Errorf("look-up %s %s: %s at %q, %v; want %q", status, date, o.Kind, ended(o), err, want)
			}
		}
	}
}

// A number of the operation that cannot be kept does not stop a payment from ending, and is not taken for a missing one.
func TestNumbersThatCannotBeKept(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	for number, want := range map[string]string{
		`["1"]`: payment.ReasonReferenceUnreadable, `{"id":1}`: payment.ReasonReferenceUnreadable, `"` + strings.Repeat("9", payment.MaxText+1) + `"`: payment.ReasonReferenceUnreadable,
		`1`: "", `"1"`: "", `[]`: "", `null`: "",
	} {
		for status, kind := range map[string]payment.Kind{"success": payment.Paid, "decline": payment.Declined} {
			code := map[string]string{"success": "0", "decline": "603"}[status]
			one := strings.Replace(operation("1", "sale", status, code), `"id":1,`, `"id":`+number+`,`, 1)
			o, err := lookUp(t, payment.Deposit, http.StatusOK, signedBy(t, current, statusAnswer(`"status":"`+status+`"`, sumRequest, sumReal, operations(one))))
			if err != nil || o.Kind != kind || ended(o) != want || (o.Reference == "1") != strings.Contains(`"1"`, number) {
				t.Errorf("look-up %s %s: %+v, %v; want %q", status, number, o, err, want)
			}
			body := strings.Replace(callback("purchase", status, "sale", status, code), `"id":1737000008461,`, `"id":`+number+`,`, 1)
			n, err := c.Webhook(nil, []byte(signedBy(t, current, body)), now)
			if err != nil || n.Observation.Kind != kind || (want != "") != (ended(n.Observation) == want) {
				t.Errorf("callback %s %s: %+v, %v; want %q", status, number, n.Observation, err, want)
			}
		}
	}
}

// A list or an object in place of a code is not a missing code: what it stands beside decides nothing.
func TestListsInPlaceOfCodes(t *testing.T) {
	for code, want := range map[string]payment.Kind{`"0"`: payment.Paid, `[]`: payment.Paid, `["301"]`: payment.Indeterminate, `{"a":"301"}`: payment.Indeterminate} {
		n, err := connect(t, settings("https://api.example.com")).Webhook(nil, []byte(signedBy(t, current, strings.Replace(callback("purchase", "success", "sale", "success", "0"), `"code":"0"`, `"code":`+code, 1))), now)
		if err != nil || n.Observation.Kind != want {
			t.Errorf("callback %s: %s, %v; want %s", code, n.Observation.Kind, err, want)
		}
		one := strings.Replace(operation("1", "sale", "success", "0"), `"code":"0"`, `"code":`+code, 1)
		o, err := lookUp(t, payment.Deposit, http.StatusOK, signedBy(t, current, statusAnswer(`"status":"success"`, sumRequest, sumReal, operations(one))))
		if err != nil || o.Kind != want {
			t.Errorf("look-up %s: %s, %v; want %s", code, o.Kind, err, want)
		}
	}
}

func ended(o payment.Observation) string {
	switch {
	case len(o.Report.Unread) > 0:
		return o.Report.Unread[0].Code
	case o.Report.CompletedAt.IsZero():
		return ""
	}
	return o.Report.CompletedAt.Format(time.RFC3339)
}
