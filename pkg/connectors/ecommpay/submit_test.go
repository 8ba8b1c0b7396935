package ecommpay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
	"payonce/test/race"
)

// The link of the PHP SDK's own test, and the parameters of the Go SDK's.
func TestPublishedLinks(t *testing.T) {
	const want = "https://paymentpage.ecommpay.com/payment?project_id=100&interface_type=%7B%22id%22%3A23%7D&payment_id=test+payment+id&payment_description=B%26W&signature=97JFQpAyJ4HPfGVedJh0M1MqQDOFt%2FMCbdh8VrsT7DdRyTBDAF2mvUOsDANx1ZPfbvZg0%2BVUbF43xJnq0jEeLA%3D%3D"
	got := ecommpay.Link(ecommpay.DefaultPaymentPageURL, secret.New("secret"), "project_id", "100", "interface_type", `{"id":23}`, "payment_id", "test payment id", "payment_description", "B&W")
	if got != want {
		t.Errorf("got\n%s", got)
	}
	link, err := url.Parse(ecommpay.Link("https://x.example.com/p", secret.New("qwerty"), "project_id", "11", "payment_id", "test_payment_id", "payment_currency", "EUR",
		"payment_amount", "1000", "some_future_bool_param", "1", "interface_type", `{"id": 20}`, "left_out", ""))
	if err != nil || link.Query().Get("signature") != "+NGChjO/3L6vSJkEUSXBDPJBSUuEu4rXw4wtAoXiTDATSMerNixVYKdh9Cg2jTXSu1Ez9R+LxX/ioWr70Tlxew==" || link.Query().Has("left_out") {
		t.Errorf("got %v, %v", link, err)
	}
}

// pageQuery submits a command of a page method, which makes no request, and returns the link's query.
func pageQuery(t *testing.T, s ecommpay.Settings, cmd payment.Command) url.Values {
	t.Helper()
	o, err := connect(t, s).Submit(testContext(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if o.Kind != payment.Accepted || o.Source != payment.FromSubmit || o.Reference != "" || o.Action == nil || o.Action.Type != payment.ActionRedirect || o.Action.Redirect.Method != "GET" || o.Action.Redirect.Fields != nil {
		t.Fatalf("got %+v", o)
	}
	link, err := url.Parse(o.Action.Redirect.URL)
	if err != nil || link.Scheme+"://"+link.Host+link.Path != "https://paymentpage.ecommpay.com/payment" {
		t.Fatalf("got %s, %v", o.Action.Redirect.URL, err)
	}
	if strings.ContainsAny(link.RawQuery, "+/; ") && strings.Contains(link.RawQuery[strings.Index(link.RawQuery, "signature="):], "+") {
		t.Errorf("the signature is not encoded: %s", link.RawQuery)
	}
	signed := map[string]string{}
	for name, values := range link.Query() {
		signed[name] = values[0]
	}
	body, err := json.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	if err := ecommpay.Verify([]secret.Value{current}, body, ""); err != nil {
		t.Errorf("the link's signature: %v", err)
	}
	return link.Query()
}

func TestPaymentPage(t *testing.T) {
	s := settings("http://127.0.0.1:1") // nothing listens there: a page needs no request
	common := map[string]string{
		"project_id": "200", "payment_id": order, "payment_amount": "10000", "payment_currency": "KRW", "customer_id": "21", "customer_first_name": "Kon",
		"customer_last_name": "Do", "language_code": "ko", "force_payment_method": "online-korean-banks",
		"merchant_callback_url": "https://pay.example.com/webhooks/ecommpay-kr?a=b&c=d", "merchant_success_url": "http://return.url", "merchant_fail_url": "http://return.url",
		"best_before": clock().Add(24 * time.Hour).Format("2006-01-02T15:04:05+00:00"),
	}
	for method, email := range map[string]string{"": "do@mail.com", "page": "do@mail.com", "page_direct": ""} {
		q := pageQuery(t, s, deposit(method))
		got := map[string]string{}
		for name := range q {
			got[name] = q.Get(name)
		}
		delete(got, "signature")
		want := map[string]string{}
		for name, value := range common {
			want[name] = value
		}
		if email != "" {
			want["customer_email"] = email
		}
		mustEqual(t, got, want)
	}
	// Everything optional, and texts that need encoding.
	cmd := deposit("")
	cmd.Customer = payment.Customer{ID: "a b", FirstName: "길동", LastName: "홍&=+"}
	cmd.Language, cmd.Description, cmd.ReturnURL = "en", "10% off: #1", "https://shop.example.com/r?x=1&y=2"
	cmd.ExpiresAt = time.Date(2026, 11, 23, 20, 0, 0, 0, time.FixedZone("KST", 9*3600))
	q := pageQuery(t, s, cmd)
	for name, value := range map[string]string{"customer_id": "a b", "customer_first_name": "길동", "customer_last_name": "홍&=+", "language_code": "en", "payment_description": "10% off: #1",
		"merchant_success_url": "https://shop.example.com/r?x=1&y=2", "best_before": "2026-11-23T11:00:00+00:00"} {
		if q.Get(name) != value {
			t.Errorf("%s is %q, want %q", name, q.Get(name), value)
		}
	}
	s.MerchantCallbackURL, s.ReturnURL = "", ""
	if q := pageQuery(t, s, deposit("")); q.Has("merchant_callback_url") || q.Has("merchant_success_url") || q.Has("payment_description") {
		t.Errorf("got %v", q)
	}
	// The same command at the same time gives the same link.
	first, _ := connect(t, s).Submit(testContext(t), deposit(""))
	second, err := connect(t, s).Submit(testContext(t), deposit(""))
	if err != nil || first.Action.Redirect.URL != second.Action.Redirect.URL {
		t.Errorf("got %v, %v, %v", first, second, err)
	}
}

// A page closes when the command expires or after the lifetime of the settings, and never later than the provider
// keeps to. What the link says and what the payment knows is the same instant.
func TestPagesClose(t *testing.T) {
	at := clock()
	for name, c := range map[string]struct {
		lifetime time.Duration
		expires  time.Time
		want     time.Time
	}{
		"by default":                 {0, time.Time{}, at.Add(24 * time.Hour)},
		"by the settings":            {time.Hour, time.Time{}, at.Add(time.Hour)},
		"the longest":                {719 * time.Hour, time.Time{}, at.Add(719 * time.Hour)},
		"by the command":             {time.Hour, at.Add(100 * time.Hour), at.Add(100 * time.Hour)},
		"by the command, earlier":    {0, at.Add(time.Minute), at.Add(time.Minute)},
		"within a second":            {0, at.Add(time.Minute + 999*time.Millisecond), at.Add(time.Minute)},
		"in another zone":            {0, at.Add(time.Hour).In(time.FixedZone("KST", 9*3600)), at.Add(time.Hour)},
		"later than is kept to":      {time.Hour, at.Add(31 * 24 * time.Hour), at.Add(719 * time.Hour)},
		"much later than is kept to": {0, at.Add(1000 * 24 * time.Hour), at.Add(719 * time.Hour)},
	} {
		for _, method := range []string{"", "page_direct"} {
			t.Run(name+" "+method, func(t *testing.T) {
				s, cmd := settings("http://127.0.0.1:1"), deposit(method)
				s.PageLifetime, cmd.ExpiresAt = c.lifetime, c.expires
				o, err := connect(t, s).Submit(testContext(t), cmd)
				if err != nil || !o.PageClosesAt.Equal(c.want) {
					t.Fatalf("closes %s, want %s, %v", o.PageClosesAt, c.want, err)
				}
				if got := pageQuery(t, s, cmd).Get("best_before"); got != c.want.Format("2006-01-02T15:04:05+00:00") {
					t.Errorf("best_before is %s, want %s", got, c.want)
				}
			})
		}
	}
	// What Gate was asked for is more than a page.
	for _, method := range []string{"gate", "gate_redirect"} {
		cmd := deposit(method)
		if _, o, err := submitTo(t, cmd, 200, `{"status":"success","request_id":"r","project_id":200,"payment_id":"`+order+`"}`); err != nil || !o.PageClosesAt.IsZero() {
			t.Errorf("%s: closes %s, %v", method, o.PageClosesAt, err)
		}
	}
}

// submitTo sends cmd to a gate that answers so, and asserts that exactly one request arrived.
func submitTo(t *testing.T, cmd payment.Command, status int, body string) (connectortest.Received, payment.Observation, error) {
	t.Helper()
	g := newGate(t, reply(status, body))
	o, err := connect(t, settings(g.URL)).Submit(testContext(t), cmd)
	return g.Only(t), o, err
}

func TestGateRequests(t *testing.T) {
	const callback = `"merchant_callback_url":"https://pay.example.com/webhooks/ecommpay-kr?a=b&c=d",`
	direct := deposit("gate")
	direct.Customer.FirstName, direct.Customer.LastName, direct.Description = "", "", "Order <1>"
	redirect := deposit("gate_redirect")
	redirect.Language = "en"
	redirect.ReturnURL = "https://shop.example.com/r?x=1"
	byName := payout()
	byName.Account.Holder, byName.Customer.Name = "", "홍길동"
	cases := []struct {
		cmd  payment.Command
		path string
		rest string // what follows general
	}{
		{deposit("gate_redirect"), "sale", `"payment":{"amount":10000,"currency":"KRW"},"customer":{"id":"21","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do","email":"do@mail.com","language":"ko"},"return_url":{"decline":"http://return.url","success":"http://return.url"}}`},
		{redirect, "sale", `"payment":{"amount":10000,"currency":"KRW"},"customer":{"id":"21","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do","email":"do@mail.com","language":"en"},"return_url":{"decline":"https://shop.example.com/r?x=1","success":"https://shop.example.com/r?x=1"}}`},
		{deposit("gate"), "sale", `"payment":{"amount":10000,"currency":"KRW"},"customer":{"id":"21","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do"}}`},
		{direct, "sale", `"payment":{"amount":10000,"currency":"KRW","description":"Order <1>"},"customer":{"id":"21","ip_address":"248.1.1.1"}}`},
		{payout(), "payout", `"payment":{"amount":10000,"currency":"KRW"},"customer":{"id":"100","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do","email":"do@mail.com"},"account":{"bank_id":140,"customer_name":"Do","number":"950-001413-01-010"}}`},
		{byName, "payout", `"payment":{"amount":10000,"currency":"KRW"},"customer":{"id":"100","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do","email":"do@mail.com"},"account":{"bank_id":140,"customer_name":"홍길동","number":"950-001413-01-010"}}`},
	}
	for _, c := range cases {
		r, o, err := submitTo(t, c.cmd, 200, taken)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, o, payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit}) // the request's number is none of the payment
		if r.String() != "POST /v2/payment/banks/korea/"+c.path || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v", r.String(), r.Header)
		}
		signature, err := ecommpay.Sign(current, r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"general":{"project_id":200,"payment_id":"` + order + `",` + callback + `"signature":"` + signature + `"},` + c.rest; string(r.Body) != want {
			t.Errorf("got\n%s\nwant\n%s", r.Body, want)
		}
	}
}

// refusals are the classes of all documented codes as answers to a create request. A code that is in no
// group here is in doubt.
var refusals = map[connectors.Class]string{
	connectors.Rejected: ` 309 319 702 2003 2004 2014 2061 2123 2124 2154 2261 2426 2467 2468 2541 2606 2609 2610 2611 2641 2642 2801 2945 2949
		3001 3002 3003 3004 3020 3021 3022 3024 3027 3101 3104 3105 3117 3118 3119 3120 3121 3125 3141 3161 3162 3181 3182 3186 3190 3192 3194
		3195 3221 3241 3242 3243 3244 3283 3284 3286 3287 3289 3301 3358 3360 3400 3402 3403 3404 3406 3409 3410 3411 3412 3413 3414 3415 3416
		3417 3418 3419 3431 3432 3433 3434 3435 3436 3437 3438 3439 3480 3490 3491 3609 3612 3618 3619 3620 3621 3622 3623 3624 3625 3900 3901 `,
	connectors.NotSent:       ` 3028 `,
	connectors.Misconfigured: ` 303 310 318 2442 3023 3123 3124 3261 3262 3291 3293 3299 `,
	connectors.Throttled:     ` 3297 3298 `,
}

type code struct{ Code, Message, Action string }

func allCodes(t testing.TB) []code {
	t.Helper()
	var codes []code
	read(t, "codes.json", &codes)
	if len(codes) != 378 {
		t.Fatalf("%d codes", len(codes))
	}
	return codes
}

func classOf(code string) connectors.Class {
	for class, list := range refusals {
		for _, c := range strings.Fields(list) {
			if c == code {
				return class
			}
		}
	}
	return connectors.InDoubt
}

func gateError(code, message string) string {
	return fmt.Sprintf(`{"status":"error","code":%q,"message":%q,"request_id":"r1","project_id":200,"payment_id":%q}`, code, message, order)
}

func TestEveryCode(t *testing.T) {
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
	codes := allCodes(t)
	if n, _ := ecommpay.DocumentedCodes(""); n != len(codes) {
		t.Errorf("%d codes are classified, %d documented", n, len(codes))
	}
	for _, k := range race.Sample(codes, 10) {
		if _, known := ecommpay.DocumentedCodes(k.Code); !known {
			t.Errorf("%s is not classified", k.Code)
		}
		want := classOf(k.Code)
		e := submit(400, gateError(k.Code, k.Message))
		if e.Class != want || e.ProviderCode != k.Code || e.Known != (k.Code == "3041") || e.Message == "" {
			t.Errorf("%s: got %+v, want %v", k.Code, e, want)
		}
		reason := map[connectors.Class]string{connectors.Rejected: payment.ReasonDeclined, connectors.Throttled: payment.ReasonThrottled,
			connectors.InDoubt: payment.ReasonIndeterminate, connectors.NotSent: payment.ReasonBalance, connectors.Misconfigured: payment.ReasonAccountMisconfigured}[want]
		if e.Code != reason {
			t.Errorf("%s: reason %s, want %s", k.Code, e.Code, reason)
		}
		// What the provider asks to send again says nothing about what was done.
		if e := submit(503, gateError(k.Code, k.Message)); e.Class != connectors.InDoubt || e.Known != (k.Code == "3041") {
			t.Errorf("%s with 503: got %+v", k.Code, e)
		}
		// A rejection asks for a correction, and a number as code is the same as a text.
		if want == connectors.Rejected && !strings.Contains(k.Action, "orrect the request") && !strings.HasPrefix(k.Action, "Create a new request") {
			t.Errorf("%s is rejected, and its page says %q", k.Code, k.Action)
		}
		if e := submit(422, strings.Replace(gateError(k.Code, ""), `"code":"`+k.Code+`"`, `"code":`+k.Code, 1)); e.Class != want {
			t.Errorf("%s as a number: got %+v", k.Code, e)
		}
	}
	for _, code := range []string{"", "1", "3040", "03041", "3041 ", "success", "99999999999999999999999"} {
		if e := submit(400, gateError(code, "x")); e.Class != connectors.InDoubt || e.Known || len(e.ProviderCode) > 20 {
			t.Errorf("%q: got %+v", code, e)
		}
	}
}

func TestGateAnswers(t *testing.T) {
	rejected, doubt, account := connectors.Rejected, connectors.InDoubt, connectors.Misconfigured
	other := func(text string) string { return strings.ReplaceAll(text, order, "other") }
	cases := []struct {
		name, body string
		status     int
		class      connectors.Class
		known      bool
	}{
		{"bad signature", gateError("3261", "Invalid signature"), 401, account, false},
		{"no access, and no code that says so", `{"status":"error","message":"Unauthorized"}`, 401, doubt, false},
		{"no access, by another code", gateError("7777", "Unauthorized"), 401, doubt, false},
		{"address not on the list, as documented", `{"status":"error","code":"7777","message":"IP is not allowed"}`, 403, account, false},
		{"address not on the list, by its code", gateError("303", "Access denied"), 403, account, false},
		{"a field that is wrong, with 403", gateError("2004", ""), 403, rejected, false},
		{"a declined operation, with 403", gateError("20000", ""), 403, doubt, false},
		{"not on the list, no error", `{"status":"failed","code":"7777"}`, 403, doubt, false},
		{"not on the list, a code of no form", `{"status":"error","code":"denied"}`, 403, doubt, false},
		{"not on the list, code is a list", `{"status":"error","code":["7777"]}`, 403, doubt, false},
		{"not on the list, another payment", other(gateError("7777", "")), 403, doubt, false},
		{"not on the list, another project", strings.Replace(gateError("7777", ""), `:200,`, `:201,`, 1), 403, doubt, false},
		{"not on the list, with an operation", strings.Replace(gateError("7777", ""), `{`, `{"operation":{"id":1},`, 1), 403, doubt, true},
		{"address not on the list", `{"status":"error","message":"Access denied"}`, 403, doubt, false},
		{"address not on the list, no JSON", `<html>403</html>`, 403, doubt, false},
		{"duplicate", gateError("3041", "Payment ID already exists"), 400, doubt, true},
		{"duplicate with 200", gateError("3041", "Payment ID already exists"), 200, doubt, true},
		{"duplicate among others", `{"status":"error","code":"2004","errors":[{"code":"2004"},{"code":"3041"}]}`, 400, doubt, true},
		{"code in the list only", `{"status":"error","errors":[{"code":"2004","field":"customer"}]}`, 400, rejected, false},
		{"one of several errors is no refusal", `{"status":"error","code":"2004","errors":[{"code":"7777"}]}`, 400, doubt, false},
		{"one of several errors waits", `{"status":"error","code":"2004","errors":[{"code":"2004"},{"code":"9999"}]}`, 400, doubt, false},
		{"one of several errors is our account's", `{"status":"error","code":"2004","errors":[{"code":"3291"}]}`, 400, account, false},
		{"refused, with an operation of the payment", strings.Replace(gateError("2004", ""), `{`, `{"operation":{"id":1,"status":"success"},`, 1), 400, doubt, true},
		{"refused, with operations of nobody's payment", `{"status":"error","code":"2004","operations":[{"id":1}]}`, 400, doubt, false},
		{"several errors", `{"status":"error","code":"2004","errors":[{"code":"2426"}]}`, 400, rejected, false},
		{"refused with 200", gateError("2004", ""), 200, doubt, false},
		{"refused with 201", gateError("2004", ""), 201, doubt, false},
		{"refused with 302", gateError("2004", ""), 302, doubt, false},
		{"refused with 404", gateError("2004", ""), 404, rejected, false},
		{"timeout", gateError("2004", ""), 408, doubt, false},
		{"too many", gateError("2004", ""), 429, doubt, false},
		{"bad gateway", `<html>502</html>`, 502, doubt, false},
		{"refused, another payment", other(gateError("2004", "")), 400, doubt, false},
		{"duplicate, another payment", other(gateError("3041", "")), 400, doubt, false},
		{"refused, another project", strings.Replace(gateError("2004", ""), `:200,`, `:201,`, 1), 400, doubt, false},
		{"taken, another payment", other(taken), 200, doubt, false},
		{"taken, another project", strings.Replace(taken, `200`, `201`, 1), 200, doubt, false},
		{"taken, another project in general", strings.Replace(taken, `{`, `{"general":{"project_id":7},`, 1), 200, doubt, false},
		{"taken, another payment in general", strings.Replace(taken, `{`, `{"general":{"payment_id":"x"},`, 1), 200, doubt, false},
		{"taken, no payment", `{"status":"success","request_id":"r"}`, 200, doubt, false},
		{"taken with 202", taken, 202, doubt, false},
		{"taken with 400", taken, 400, doubt, false},
		{"taken with 500", taken, 500, doubt, false},
		{"unknown status", strings.Replace(taken, `success`, `SUCCESS`, 1), 200, doubt, false},
		{"no status", `{"payment_id":"` + order + `"}`, 200, doubt, false},
		{"status true", strings.Replace(taken, `"success"`, `true`, 1), 200, doubt, false},
		{"status twice", strings.Replace(taken, `{`, `{"status":"error","code":"2004",`, 1), 400, doubt, false},
		{"code twice", strings.Replace(gateError("2004", ""), `{`, `{"code":"3041",`, 1), 400, doubt, false},
		{"a list", `[` + taken + `]`, 200, doubt, false},
		{"empty", ``, 200, doubt, false},
		{"half", taken[:len(taken)-2], 200, doubt, false},
		{"more", taken + taken, 200, doubt, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, cmd := range []payment.Command{payout(), deposit("gate"), deposit("gate_redirect")} {
				_, o, err := submitTo(t, cmd, c.status, c.body)
				if err == nil {
					t.Fatalf("got %+v", o)
				}
				if e := classified(t, err); e.Class != c.class || e.Known != c.known {
					t.Errorf("got %+v", e)
				}
			}
		})
	}
	// A project number as text, and further fields, are the same.
	if _, _, err := submitTo(t, payout(), 200, strings.Replace(taken, `200`, `"200","new":[1,{}]`, 1)); err != nil {
		t.Error(err)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, status := range []int{400, 429, 503} {
		g := newGate(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "30")
			reply(status, gateError("3297", ""))(w, r)
		})
		_, err := connect(t, settings(g.URL)).Submit(testContext(t), payout())
		e := classified(t, err)
		if e.RetryAfter != 30*time.Second || (e.Class == connectors.Throttled) != (status == 400) {
			t.Errorf("%d: got %+v", status, e)
		}
	}
}

// Free texts of the provider can repeat what we sent.
func TestPersonalDataIsCovered(t *testing.T) {
	cmd := payout()
	cmd.Account.Holder = "Hong Gildong"
	text := "bad 950-001413-01-010 of HONG GILDONG, phone 010-9999-8888, mail a.b@example.com\x00\n" + strings.Repeat("x", 5000)
	_, _, err := submitTo(t, cmd, 400, gateError("2004", ""))
	if err == nil {
		t.Fatal("no error")
	}
	body, err := json.Marshal(map[string]string{"status": "error", "code": "2004", "message": text})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = submitTo(t, cmd, 400, string(body))
	e := classified(t, err)
	for _, private := range []string{"HONG", "GIL", "9999", "950-", "001413", "example.com", "\x00", "\n"} {
		if strings.Contains(e.Error(), private) || strings.Contains(fmt.Sprintf("%+v", *e), private) {
			t.Errorf("%q shows in %q", private, e.Message)
		}
	}
	if n := len([]rune(e.Message)); n > 201 || !strings.HasPrefix(e.Message, "bad ") {
		t.Errorf("%d characters: %q", n, e.Message)
	}
}

func TestCheck(t *testing.T) {
	c := connect(t, settings("http://127.0.0.1:1"))
	change := func(cmd payment.Command, f func(*payment.Command)) payment.Command { f(&cmd); return cmd }
	for _, cmd := range []payment.Command{
		deposit(""), deposit("page"), deposit("page_direct"), deposit("gate_redirect"), deposit("gate"), payout(),
		change(deposit(""), func(c *payment.Command) { c.Customer = payment.Customer{ID: "21"} }),
		change(deposit("gate"), func(c *payment.Command) { c.Customer = payment.Customer{ID: "21", IPAddress: "::1"} }),
		change(deposit(""), func(c *payment.Command) { c.Amount = payment.KRW(30_000_000) }),
		change(deposit("gate"), func(c *payment.Command) { c.Description = "a;b" }),
		change(payout(), func(c *payment.Command) { c.Amount = payment.KRW(1) }),
		change(payout(), func(c *payment.Command) { c.Amount = payment.KRW(999_999_999) }),
		change(payout(), func(c *payment.Command) { c.Account.Holder, c.Customer.Name = "", "Do" }),
	} {
		if err := connectors.Check(c, cmd); err != nil {
			t.Errorf("%s %s: %v", cmd.Operation, cmd.Method, err)
		}
	}
	refused := []struct {
		field string
		cmd   payment.Command
		f     func(*payment.Command)
	}{
		{"amount.value", deposit(""), func(c *payment.Command) { c.Amount = payment.KRW(9_999) }},
		{"amount.value", deposit("gate"), func(c *payment.Command) { c.Amount = payment.KRW(30_000_001) }},
		{"amount.currency", deposit(""), func(c *payment.Command) { c.Amount = payment.TWD(1000000) }},
		{"method", deposit("va"), func(*payment.Command) {}},
		{"method", payout(), func(c *payment.Command) { c.Method = "page" }},
		{"customer.id", deposit(""), func(c *payment.Command) { c.Customer.ID = "" }},
		{"customer.id", payout(), func(c *payment.Command) { c.Customer.ID = " " }},
		{"customer.id", deposit("page_direct"), func(c *payment.Command) { c.Customer.ID = "2;1" }},
		{"customer.first_name", deposit(""), func(c *payment.Command) { c.Customer.FirstName = "a;b" }},
		{"customer.last_name", deposit(""), func(c *payment.Command) { c.Customer.LastName = ";" }},
		{"customer.email", deposit(""), func(c *payment.Command) { c.Customer.Email = "a;b@c" }},
		{"description", deposit(""), func(c *payment.Command) { c.Description = "x; y" }},
		{"return_url", deposit(""), func(c *payment.Command) { c.ReturnURL = "https://x.example.com/;a" }},
		{"return_url", deposit("gate_redirect"), func(c *payment.Command) { c.ReturnURL = "/relative" }},
		{"return_url", deposit("gate_redirect"), func(c *payment.Command) { c.ReturnURL = "ftp://x.example.com" }},
		{"language", deposit(""), func(c *payment.Command) { c.Language = "ko-KR" }},
		{"customer", deposit(""), func(c *payment.Command) { c.Customer.FirstName = strings.Repeat("가", 250) }},
		{"customer.email", deposit(""), func(c *payment.Command) { c.Customer.Email = "nobody" }},
		{"customer.email", deposit("gate_redirect"), func(c *payment.Command) { c.Customer.Email = "" }},
		{"customer.ip_address", deposit("gate_redirect"), func(c *payment.Command) { c.Customer.IPAddress = "" }},
		{"customer.ip_address", deposit("gate"), func(c *payment.Command) { c.Customer.IPAddress = "" }},
		{"customer.first_name", deposit("gate_redirect"), func(c *payment.Command) { c.Customer.FirstName = "" }},
		{"customer.last_name", deposit("gate_redirect"), func(c *payment.Command) { c.Customer.LastName = " " }},
		{"customer.first_name", payout(), func(c *payment.Command) { c.Customer.FirstName = "" }},
		{"customer.last_name", payout(), func(c *payment.Command) { c.Customer.LastName = "" }},
		{"customer.email", payout(), func(c *payment.Command) { c.Customer.Email = "" }},
		{"customer.ip_address", payout(), func(c *payment.Command) { c.Customer.IPAddress = "" }},
		{"account.number", payout(), func(c *payment.Command) { c.Account.Number = " " }},
		{"account.number", payout(), func(c *payment.Command) { c.Account.Number = "1.10123E+11" }},
		{"account.number", payout(), func(c *payment.Command) { c.Account.Number = "950–001413–01" }},
		{"account.number", payout(), func(c *payment.Command) { c.Account.Number = strings.Repeat("1", 21) }},
		{"account.holder", payout(), func(c *payment.Command) { c.Account.Holder = "#N/A" }},
		{"customer.id", payout(), func(c *payment.Command) { c.Customer.ID = "undefined" }},
		{"customer.first_name", deposit(""), func(c *payment.Command) { c.Customer.FirstName = "???" }},
		{"customer.last_name", payout(), func(c *payment.Command) { c.Customer.LastName = "####" }},
		{"account.holder", payout(), func(c *payment.Command) { c.Account.Holder = "" }},
		{"account.bank_code", payout(), func(c *payment.Command) { c.Account.BankCode = "" }},
		{"account.bank_code", payout(), func(c *payment.Command) { c.Account.BankCode = "088" }},
		{"account.bank_code", payout(), func(c *payment.Command) { c.Account.BankCode = "IBK" }},
		{"account.bank_code", payout(), func(c *payment.Command) { c.Account.BankCode = "9999999999" }},
	}
	for _, r := range refused {
		cmd := change(r.cmd, r.f)
		var field *payment.FieldError
		if err := connectors.Check(c, cmd); !errors.As(err, &field) || field.Field != r.field {
			t.Errorf("%s %s: got %v, want %s refused", cmd.Operation, cmd.Method, err, r.field)
		}
		_, err := c.Submit(testContext(t), cmd) // nothing listens there: it must not even be tried
		if e := classified(t, err); e.Class != connectors.NotSent || e.Code != payment.ReasonInvalid {
			t.Errorf("%s: submit gives %+v", r.field, e)
		}
	}
	s := settings("http://127.0.0.1:1")
	s.ReturnURL = ""
	var field *payment.FieldError
	if err := connectors.Check(connect(t, s), deposit("gate_redirect")); !errors.As(err, &field) || field.Field != "return_url" {
		t.Errorf("got %v", err)
	}
}
