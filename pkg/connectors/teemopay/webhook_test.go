package teemopay_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
	"payonce/test/race"
)

// The callbacks of the docs' pages, without their signature.
const (
	payinCallback  = `{"merchantOrderNo":"OrderNoExample","tradeNo":"TS2501010001MX0000000000000000","paymentOrderNo":"TSOPaymentOrderNoExample","status":2,"paymentAmount":"1000.00","serviceAmount":"15.00","paymentInfo":"684180093000000000","paymentType":1,"completeTime":"2025-01-01 00:00:00","errorMessage":null}`
	payoutCallback = `{"merchantOrderNo":"OrderNoExample","tradeNo":"TF2501010001KR0000000000000000","amount":"1000.00","serviceAmount":"10.50","status":2,"errorCode":null,"errorMessage":null,"completeTime":"2025-05-01 00:00:00"}`
	payoutFailed   = `{"merchantOrderNo":"OrderNoExample","tradeNo":"TF2501010001KR0000000000000000","amount":null,"serviceAmount":null,"status":3,"errorCode":9999,"errorMessage":"Others","completeTime":"2025-05-01 00:00:00"}`
	payoutRefunded = `{"merchantOrderNo":"OrderNoExample","tradeNo":"TF2501010001KR0000000000000000","amount":"1000.00","serviceAmount":"10.50","status":4,"errorCode":1000,"errorMessage":"The account does not exist or is restricted","completeTime":"2025-05-01 00:00:00"}`
)

func callbackHeader() http.Header {
	return http.Header{"Timestamp": {strconv.FormatInt(now.UnixMilli(), 10)}, "Nonce": {nonce}, "Country": {"KR"}, "Appcode": {"app-code-1"}}
}

// signedBy signs a callback as the platform does.
func signedBy(t testing.TB, key *rsa.PrivateKey, body string) []byte {
	t.Helper()
	sign, err := teemopay.Sign(key, []byte(body), nonce)
	if err != nil {
		t.Fatal(err)
	}
	return withSign(t, []byte(body), sign)
}

func newReceiver(t testing.TB) *teemopay.Connector {
	t.Helper()
	return connect(t, settings(t, "https://gateway.example.com"), rand.Reader)
}

func TestWebhook(t *testing.T) {
	c := newReceiver(t)
	answer := connectors.Answer{ContentType: "text/plain", Body: "SUCCESS"}
	notice := func(operation payment.Operation, o payment.Observation) connectors.Notice {
		o.Source = payment.FromWebhook
		return connectors.Notice{Order: "OrderNoExample", Operation: operation, Observation: o, Answer: answer}
	}
	const deposit, payout = "TS2501010001MX0000000000000000", "TF2501010001KR0000000000000000"
	seoul := time.FixedZone("KST", 9*60*60)
	paid := notice(payment.Deposit, payment.Observation{Kind: payment.Paid, Reference: deposit, Report: payment.Report{CompletedAt: time.Date(2025, 1, 1, 0, 0, 0, 0, seoul)},
		Transfers: []payment.Transfer{{Reference: "TSOPaymentOrderNoExample", Amount: payment.KRW(1000), Fee: payment.Fee{Hundredths: 1500, Currency: "KRW"}}}})
	ended := payment.Report{CompletedAt: time.Date(2025, 5, 1, 0, 0, 0, 0, seoul)}
	costly := ended
	costly.Fee = payment.Fee{Hundredths: 1050, Currency: "KRW"}
	indeterminate := func(operation payment.Operation, reference, status, why string) connectors.Notice {
		return notice(operation, payment.Observation{Kind: payment.Indeterminate, Reference: reference, Known: true,
			Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: status, Message: why}})
	}
	const badDeposit, badPayout = "no page documents this status of a deposit's callback", "no page documents this status, or the amount is missing"
	const badTransfer = "paymentAmount or the number of the payment is missing or unreadable"
	cases := []struct {
		name, body string
		want       connectors.Notice
	}{
		{"deposit paid", payinCallback, paid},
		{"deposit paid, status as text", strings.Replace(payinCallback, `"status":2`, `"status":"2"`, 1), paid},
		{"deposit failed", strings.Replace(payinCallback, `"status":2`, `"status":3`, 1), indeterminate(payment.Deposit, deposit, "3", badDeposit)},
		{"deposit without a status", strings.Replace(payinCallback, `"status":2`, `"status":null`, 1), indeterminate(payment.Deposit, deposit, "", badDeposit)},
		{"deposit without a payment's number", strings.Replace(payinCallback, `"TSOPaymentOrderNoExample"`, `null`, 1), indeterminate(payment.Deposit, deposit, "2", badTransfer)},
		{"deposit of a fraction", strings.Replace(payinCallback, `"1000.00"`, `"1000.10"`, 1), indeterminate(payment.Deposit, deposit, "2", badTransfer)},
		{"deposit of nothing", strings.Replace(payinCallback, `"1000.00"`, `"0.00"`, 1), indeterminate(payment.Deposit, deposit, "2", badTransfer)},
		{"payout paid", payoutCallback, notice(payment.Payout, payment.Observation{Kind: payment.Paid, Reference: payout, Amount: payment.KRW(1000), Report: costly})},
		{"payout failed", payoutFailed, notice(payment.Payout, payment.Observation{Kind: payment.Declined, Reference: payout, Report: ended,
			Reason: &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "9999", Message: "Others"}})},
		{"payout given back", payoutRefunded, notice(payment.Payout, payment.Observation{Kind: payment.Reversal, Reference: payout, Amount: payment.KRW(1000),
			Reason: &payment.Reason{Code: payment.ReasonReversed, ProviderCode: "1000", Message: "The account does not exist or is restricted"}})},
		{"payout in payment", strings.Replace(payoutCallback, `"status":2`, `"status":1`, 1), indeterminate(payment.Payout, payout, "1", badPayout)},
		{"payout unknown", strings.Replace(payoutCallback, `"status":2`, `"status":9`, 1), indeterminate(payment.Payout, payout, "9", badPayout)},
		{"payout paid, with the code of a failure", strings.Replace(payoutCallback, `"errorCode":null`, `"errorCode":1015`, 1), indeterminate(payment.Payout, payout, "2", "paid, but with the code of a failure")},
		{"payout paid without an amount", strings.Replace(payoutCallback, `"1000.00"`, `null`, 1), indeterminate(payment.Payout, payout, "2", badPayout)},
		{"payout of a fraction", strings.Replace(payoutCallback, `"1000.00"`, `"1000.10"`, 1), indeterminate(payment.Payout, payout, "2", "the amount cannot be read")},
		{"a further field", strings.Replace(payoutCallback, `{`, `{"channel":"a&b","vip":true,"rate":1.50,`, 1), notice(payment.Payout, payment.Observation{Kind: payment.Paid, Reference: payout, Amount: payment.KRW(1000), Report: costly})},
	}
	for _, k := range cases {
		for name, key := range map[string]*rsa.PrivateKey{"current key": platformKey(), "retired key": retiredKey()} {
			t.Run(k.name+", "+name, func(t *testing.T) {
				got, err := c.Webhook(callbackHeader(), signedBy(t, key, k.body), now)
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, got, k.want)
			})
		}
	}
}

func refused(t testing.TB, err error, want connectors.WebhookRefusal) {
	t.Helper()
	var e *connectors.WebhookError
	if !errors.As(err, &e) || e.Refusal != want || strings.Contains(err.Error(), "OrderNoExample") {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWebhookSignature(t *testing.T) {
	c := newReceiver(t)
	good := string(signedBy(t, platformKey(), payinCallback))
	sign := fieldsOf(t, []byte(good))["sign"].(string)
	bodies := map[string]string{
		"wrong key":           string(signedBy(t, merchantKey(), payinCallback)),
		"no signature":        payinCallback,
		"empty signature":     string(withSign(t, []byte(payinCallback), "")),
		"null signature":      strings.Replace(good, `"sign":"`+sign+`"`, `"sign":null`, 1),
		"no base64":           string(withSign(t, []byte(payinCallback), "TEEMO_SIGN")),
		"a line break inside": string(withSign(t, []byte(payinCallback), sign[:60]+"\n"+sign[60:])),
		"without padding":     string(withSign(t, []byte(payinCallback), strings.TrimRight(sign, "="))),
		"signature twice":     strings.Replace(good, `{`, `{"sign":"`+sign+`",`, 1),
		"another Sign":        strings.Replace(good, `"sign"`, `"Sign"`, 1),
		"order twice":         strings.Replace(good, `{`, `{"merchantOrderNo":"OrderNoExample",`, 1),
		"an object inside":    strings.Replace(good, `{`, `{"extra":{"a":1},`, 1),
		"a list inside":       strings.Replace(good, `{`, `{"extra":[],`, 1),
		"two objects":         good + good,
		"not JSON":            "sign=" + sign,
		"empty":               "",
		"an amount changed":   strings.Replace(good, "1000.00", "9000.00", 1),
		"a field more":        strings.Replace(good, `{`, `{"zone":"x",`, 1),
		"a field less":        strings.Replace(good, `"paymentType":1,`, ``, 1),
		"a field renamed":     strings.Replace(good, `"paymentOrderNo"`, `"paymentorderNo"`, 1),
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			if body == good {
				t.Fatal("the case changes nothing")
			}
			_, err := c.Webhook(callbackHeader(), []byte(body), now)
			refused(t, err, connectors.BadSignature)
		})
	}
	for name, change := range map[string]func(http.Header){
		"no nonce":             func(h http.Header) { h.Del("nonce") },
		"empty nonce":          func(h http.Header) { h["Nonce"] = []string{""} },
		"two nonces":           func(h http.Header) { h["Nonce"] = []string{nonce, nonce} },
		"two spellings":        func(h http.Header) { h["nonce"] = []string{nonce} },
		"another nonce":        func(h http.Header) { h["Nonce"] = []string{strings.ToUpper(nonce)} },
		"a nonce like a field": func(h http.Header) { h["Nonce"] = []string{nonce + "&a=1"} },
		"a long nonce":         func(h http.Header) { h["Nonce"] = []string{strings.Repeat("0", 65)} },
	} {
		t.Run(name, func(t *testing.T) {
			header := callbackHeader()
			change(header)
			_, err := c.Webhook(header, []byte(good), now)
			refused(t, err, connectors.BadSignature)
		})
	}
	if _, err := c.Webhook(http.Header{"timestamp": {"1"}, "nonce": {nonce}, "country": {"KR"}, "appCode": {"app-code-1"}}, []byte(good), now); err != nil {
		t.Errorf("header names in the provider's own spelling: %v", err)
	}
}

// The signed text does not say where a field ends. An attacker who has a signed callback could put it together
// again, e.g. make a deposit's callback a payout's, if such bodies were let in.
func TestWebhookWithAnotherReadingOfTheSameText(t *testing.T) {
	c := newReceiver(t)
	good := signedBy(t, platformKey(), payinCallback)
	sign := fieldsOf(t, good)["sign"].(string)
	text, err := teemopay.SigningString(good, nonce)
	if err != nil {
		t.Fatal(err)
	}
	bodies := []string{
		`{"merchantOrderNo":"OrderNoExample&paymentAmount=1000.00&paymentInfo=684180093000000000&paymentOrderNo=TSOPaymentOrderNoExample&paymentType=1","completeTime":"2025-01-01 00:00:00","serviceAmount":"15.00","status":2,"tradeNo":"TS2501010001MX0000000000000000"}`,
		`{"completeTime=2025-01-01 00:00:00&merchantOrderNo":"OrderNoExample","paymentAmount":"1000.00","paymentInfo":"684180093000000000","paymentOrderNo":"TSOPaymentOrderNoExample","paymentType":1,"serviceAmount":"15.00","status":2,"tradeNo":"TS2501010001MX0000000000000000"}`,
	}
	for _, body := range bodies {
		if same, err := teemopay.SigningString([]byte(body), nonce); err != nil || same != text {
			t.Fatalf("the case does not have the signed text: %q, %v", same, err)
		}
		_, err := c.Webhook(callbackHeader(), withSign(t, []byte(body), sign), now)
		refused(t, err, connectors.BadSignature)
	}
}

// Every bit of a callback whose fields all have values is covered: by the signature, or by JSON.
func TestWebhookWithOneBitFlipped(t *testing.T) {
	c := newReceiver(t)
	for _, body := range []string{strings.Replace(payinCallback, "null", `"x"`, 1), payoutRefunded} {
		good := signedBy(t, platformKey(), body)
		if _, err := c.Webhook(callbackHeader(), good, now); err != nil {
			t.Fatal(err)
		}
		for i := range good {
			for bit := range race.Share(8, 8) {
				bad := append([]byte(nil), good...)
				bad[i] ^= 1 << bit
				if n, err := c.Webhook(callbackHeader(), bad, now); err == nil {
					t.Errorf("byte %d bit %d: taken as %+v from %s", i, bit, n, bad)
				}
			}
		}
	}
	// Names of fields without a value are not signed: changing them must change nothing that is read.
	good := signedBy(t, platformKey(), payoutFailed)
	want, err := c.Webhook(callbackHeader(), good, now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range race.Share(8, 8) {
			bad := append([]byte(nil), good...)
			bad[i] ^= 1 << bit
			if n, err := c.Webhook(callbackHeader(), bad, now); err == nil {
				mustEqual(t, n, want)
			}
		}
	}
}

func TestWebhookOfAnotherAccount(t *testing.T) {
	c := newReceiver(t)
	good := signedBy(t, platformKey(), payinCallback)
	for name, change := range map[string]func(http.Header){
		"another app":     func(h http.Header) { h["Appcode"] = []string{"app-code-2"} },
		"no app":          func(h http.Header) { h.Del("appCode") },
		"two apps":        func(h http.Header) { h["appCode"] = []string{"app-code-1"} },
		"our own header":  func(h http.Header) { h.Del("appCode"); h.Set("app_code", "app-code-1") },
		"another country": func(h http.Header) { h.Set("country", "MX") }, // its amounts are not won
		"no country":      func(h http.Header) { h.Del("country") },
	} {
		t.Run(name, func(t *testing.T) {
			header := callbackHeader()
			change(header)
			_, err := c.Webhook(header, good, now)
			refused(t, err, connectors.WrongProvider)
		})
	}
}

func TestWebhookWhoseBodyNamesAnotherAccount(t *testing.T) {
	c := newReceiver(t)
	for field, isRefused := range map[string]bool{
		`"currency":"TWD",`: true, `"country":"MX",`: true, `"appCode":"app-code-2",`: true, `"currency":"KRW","country":"KR",`: false, `"currency":"",`: false,
	} {
		_, err := c.Webhook(callbackHeader(), signedBy(t, platformKey(), strings.Replace(payinCallback, "{", "{"+field, 1)), now)
		if isRefused {
			refused(t, err, connectors.WrongProvider)
		} else if err != nil {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestWebhookThatCannotBeRead(t *testing.T) {
	c := newReceiver(t)
	for _, order := range []string{`null`, `""`, `"a b"`, `"a.b"`, `"` + strings.Repeat("x", 65) + `"`} {
		body := strings.Replace(payinCallback, `"OrderNoExample"`, order, 1)
		_, err := c.Webhook(callbackHeader(), signedBy(t, platformKey(), body), now)
		refused(t, err, connectors.BadWebhook)
	}
}

func TestWebhookTime(t *testing.T) {
	s := settings(t, "https://gateway.example.com")
	good := signedBy(t, platformKey(), payinCallback)
	for _, tolerance := range []time.Duration{0, 5 * time.Minute} {
		s.WebhookTolerance = tolerance
		c := connect(t, s, rand.Reader)
		for text, timely := range map[string]bool{
			fmt.Sprint(now.UnixMilli()): true, fmt.Sprint(now.Add(5 * time.Minute).UnixMilli()): true, fmt.Sprint(now.Add(-5 * time.Minute).UnixMilli()): true,
			fmt.Sprint(now.Add(5*time.Minute + time.Millisecond).UnixMilli()): false, fmt.Sprint(now.Add(-5*time.Minute - time.Millisecond).UnixMilli()): false,
			"": false, "soon": false, fmt.Sprint(now.Unix()): false, "9223372036854775807": false,
		} {
			header := callbackHeader()
			header.Set("timestamp", text)
			_, err := c.Webhook(header, good, now)
			if timely || tolerance == 0 {
				if err != nil {
					t.Errorf("%v, %q: %v", tolerance, text, err)
				}
				continue
			}
			refused(t, err, connectors.StaleWebhook)
		}
	}
}

func FuzzWebhook(f *testing.F) {
	c := newReceiver(f)
	for _, body := range []string{payinCallback, payoutCallback, payoutFailed, payoutRefunded} {
		f.Add([]byte(body), nonce)
		f.Add(signedBy(f, platformKey(), body), nonce)
	}
	f.Fuzz(func(t *testing.T, body []byte, n string) {
		header := callbackHeader()
		header["Nonce"] = []string{n}
		alloctest.Linear(t, len(body)+len(n), func() { _, _ = c.Webhook(header, body, now) })
		if notice, err := c.Webhook(header, body, now); err == nil && !payment.ValidOrder(notice.Order) {
			t.Errorf("taken: %+v", notice)
		}
		// What the platform itself signs is read or refused, and what is read is sound.
		sign, err := teemopay.Sign(platformKey(), body, nonce)
		if err != nil {
			return
		}
		var all map[string]json.RawMessage
		if json.Unmarshal(body, &all) != nil {
			t.Fatalf("signed what is not JSON: %q", body)
		}
		delete(all, "sign")
		all["sign"], _ = json.Marshal(sign)
		whole, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		alloctest.Linear(t, len(whole), func() { _, _ = c.Webhook(callbackHeader(), whole, now) })
		notice, err := c.Webhook(callbackHeader(), whole, now)
		if err != nil {
			return
		}
		o := notice.Observation
		if !payment.ValidOrder(notice.Order) || o.Kind == payment.Paid && o.Amount.Minor <= 0 && len(o.Transfers) == 0 {
			t.Errorf("taken: %+v", notice)
		}
	})
}
