package ecommpay_test

import (
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/payment"
	"payonce/test/race"
)

// existing are the documented codes that report something that is there already, or that has not ended.
const existing = ` 3041 2147 3060 3081 3198 3230 3285 3288 3610 3611 3613 0 3191 9999 10801 19999 20801 20802 20812 20899 29999 `

// TestRefused: an error answer in the documented form whose code leaves a doubt is marked as a refusal, and
// nothing else is.
func TestRefused(t *testing.T) {
	var answer string
	var status int
	g := newGate(t, func(w http.ResponseWriter, r *http.Request) { reply(status, answer)(w, r) })
	c := connect(t, settings(g.URL))
	submit := func(httpStatus int, body string) *connectors.Error {
		t.Helper()
		status, answer = httpStatus, body
		_, err := c.Submit(testContext(t), payout())
		return classified(t, err)
	}
	for _, k := range append(race.Sample(allCodes(t), 10), code{Code: "7777"}, code{Code: "03041"}, code{Code: "3041 "}, code{Code: ""}, code{Code: "1234567"}, code{Code: "error"}) {
		inDoubt := classOf(k.Code) == connectors.InDoubt
		refuses := inDoubt && !strings.Contains(existing, " "+k.Code+" ") && !strings.Contains("|03041|3041 ||1234567|error|", "|"+k.Code+"|")
		for _, httpStatus := range []int{400, 404, 422} {
			if e := submit(httpStatus, gateError(k.Code, k.Message)); e.Refused != refuses {
				t.Errorf("%q with %d: got %+v, want refused %v", k.Code, httpStatus, e, refuses)
			}
		}
		// An answer with one of these statuses says nothing about what was done.
		for _, httpStatus := range []int{200, 302, 408, 429, 500, 502, 503, 504} {
			if e := submit(httpStatus, gateError(k.Code, k.Message)); e.Refused || e.Class != connectors.InDoubt {
				t.Errorf("%q with %d: got %+v", k.Code, httpStatus, e)
			}
		}
	}
	other := strings.ReplaceAll(gateError("7777", ""), order, "other")
	for name, body := range map[string]string{
		"no error":                   `{"status":"failed","code":"7777"}`,
		"no code":                    `{"status":"error","message":"x"}`,
		"code twice":                 strings.Replace(gateError("7777", ""), `{`, `{"code":"7777",`, 1),
		"an operation":               strings.Replace(gateError("7777", ""), `{`, `{"operation":{"id":1},`, 1),
		"operations":                 strings.Replace(gateError("7777", ""), `{`, `{"operations":[{"id":1}],`, 1),
		"a transaction":              strings.Replace(gateError("7777", ""), `{`, `{"transaction":{"id":1},`, 1),
		"a payment":                  strings.Replace(gateError("7777", ""), `{`, `{"payment":{"status":"processing"},`, 1),
		"another payment":            other,
		"another project":            strings.Replace(gateError("7777", ""), `:200,`, `:201,`, 1),
		"one of several codes waits": `{"status":"error","code":"7777","errors":[{"code":"9999"}]}`,
		"a page":                     `<html>400</html>`,
		"nothing":                    ``,
	} {
		if e := submit(400, body); e.Refused || e.Class != connectors.InDoubt {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	if e := submit(400, strings.Replace(gateError("7777", ""), `{`, `{"operations":[],"transaction":null,`, 1)); !e.Refused {
		t.Errorf("empty lists show no operation: %+v", e)
	}
	if e := submit(400, `{"status":"error","errors":[{"code":"7777","field":"customer"}]}`); !e.Refused {
		t.Errorf("a code in the list only: %+v", e)
	}
}

// TestCodesOfTheSettings: an account can give each code another meaning.
func TestCodesOfTheSettings(t *testing.T) {
	for _, k := range []struct {
		code  string
		means connectors.Meaning
		class connectors.Class
		why   string
	}{
		{"3299", connectors.MeansRejected, connectors.Rejected, payment.ReasonDeclined},
		{"2004", connectors.MeansInDoubt, connectors.InDoubt, payment.ReasonIndeterminate},
		{"7777", connectors.MeansMisconfigured, connectors.Misconfigured, payment.ReasonAccountMisconfigured},
		{"20000", connectors.MeansThrottled, connectors.Throttled, payment.ReasonThrottled},
		{"504", connectors.MeansLowBalance, connectors.NotSent, payment.ReasonBalance},
		{"3613", connectors.MeansDuplicate, connectors.InDoubt, payment.ReasonIndeterminate},
		{"3041", connectors.MeansInDoubt, connectors.InDoubt, payment.ReasonIndeterminate},
	} {
		s := settings("")
		s.Codes = map[string]connectors.Meaning{k.code: k.means}
		one := newGate(t, reply(400, gateError(k.code, "x")))
		s.GateURL = one.URL
		_, err := connect(t, s).Submit(testContext(t), payout())
		e := classified(t, err)
		if e.Class != k.class || e.Code != k.why || e.Known != (k.means == connectors.MeansDuplicate) {
			t.Errorf("%s as %s: got %+v", k.code, k.means, e)
		}
		if refused := k.code == "2004"; e.Refused != refused {
			t.Errorf("%s as %s: refused %v", k.code, k.means, e.Refused)
		}
		// Settings do not make an answer a refusal whose HTTP status is none.
		broken := newGate(t, reply(503, gateError(k.code, "x")))
		s.GateURL = broken.URL
		_, err = connect(t, s).Submit(testContext(t), payout())
		if e := classified(t, err); e.Class != connectors.InDoubt || e.Refused {
			t.Errorf("%s as %s with 503: got %+v", k.code, k.means, e)
		}
	}
	// Of several codes the most cautious one counts, by the meanings of the account.
	for errors, class := range map[string]connectors.Class{
		`[{"code":"2801"},{"code":"2004"}]`:           connectors.InDoubt,
		`[{"code":"2004"},{"code":"2801"}]`:           connectors.InDoubt,
		`{"1":{"code":"2801"},"3":{"code":"2004"}}`:   connectors.InDoubt, // PHP's list with gaps
		`{"1":{"code":"2801"},"3":{"code":"3002"}}`:   connectors.Rejected,
		`[{"code":"2801"},{"code":"3299"}]`:           connectors.Rejected,
		`[{"code":"2801"},{"code":"3002"},{"x":"1"}]`: connectors.Rejected,
	} {
		s := settings("")
		s.Codes = map[string]connectors.Meaning{"2004": connectors.MeansInDoubt, "3299": connectors.MeansRejected}
		several := newGate(t, reply(400, strings.Replace(gateError("2801", "x"), `"message"`, `"errors":`+errors+`,"message"`, 1)))
		s.GateURL = several.URL
		_, err := connect(t, s).Submit(testContext(t), payout())
		if e := classified(t, err); e.Class != class {
			t.Errorf("%s: got %+v", errors, e)
		}
	}
	// A code that the account calls in doubt is so with HTTP 403, too.
	s := settings("")
	s.Codes = map[string]connectors.Meaning{"7777": connectors.MeansInDoubt}
	one := newGate(t, reply(403, gateError("7777", "x")))
	s.GateURL = one.URL
	_, err := connect(t, s).Submit(testContext(t), payout())
	if e := classified(t, err); e.Class != connectors.InDoubt || !e.Refused {
		t.Errorf("got %+v", e)
	}
}

func TestCodesOfTheSettingsAreChecked(t *testing.T) {
	s := settings("https://api.example.com")
	s.Codes = map[string]connectors.Meaning{"0": "rejected", "abc": "rejected", "2004": "refused", "3041": "rejected", "03041": "in_doubt"}
	_, err := ecommpay.New("ecommpay-kr", s, nil, clock)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{`"0" is not an error code`, `"abc" is not an error code`, `"03041" is not`, "2004 must be one of duplicate, in_doubt", "3041 must be duplicate or in_doubt"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

// TestWhatARefusalLeaves: the promise of the documents can be reversed in the settings.
func TestWhatARefusalLeaves(t *testing.T) {
	yes, no := true, false
	for _, k := range []struct {
		setting *bool
		want    bool
	}{{nil, true}, {&yes, true}, {&no, false}} {
		s := settings("https://api.example.com")
		s.RefusalLeavesNoOrder = k.setting
		if have := connect(t, s).Traits().RefusalLeavesNoOrder; have != k.want {
			t.Errorf("%v: got %v", k.setting, have)
		}
	}
}
