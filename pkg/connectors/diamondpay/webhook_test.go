package diamondpay_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
	"payonce/test/race"
)

// The notifications of showdoc, without their signature.
const (
	depositNotification = `{"payment_id":"PM00000102","payment_cl_id":"97a968b4a9db497c8c03198e395a38c6","platform_id":"PF0014","amount":400000,"real_amount":400000,"fee":3200,"status":2,"create_time":1567614049,"update_time":1567614111}`
	payoutNotification  = `{"payout_id":"STARDREAMPOT00065748","payout_cl_id":"manhe_withdraw_30029531","platform_id":"PF0014","amount":100000,"fee":0,"status":3,"create_time":1714974051,"update_time":1714974201}`
	payoutFailed        = `{"payout_id":"POT1","payout_cl_id":"manhe_withdraw_30029531","platform_id":"PF0014","amount":100000,"fee":0,"status":5,"error_msg":"closed","create_time":1714974051,"update_time":1714974201}`
)

func receiver(t testing.TB, signType string) *diamondpay.Connector {
	t.Helper()
	return connect(t, with(krwV1, func(s *diamondpay.Settings) { s.PlatformID, s.SignType = "PF0014", signType })("https://gateway.example.com"))
}

func replaced(body, old, replacement string) string {
	return strings.Replace(body, old, replacement, 1)
}

func TestWebhook(t *testing.T) {
	notice := func(operation payment.Operation, order string, o payment.Observation) connectors.Notice {
		o.Source = payment.FromWebhook
		return connectors.Notice{Order: order, Operation: operation, Observation: o,
			Answer: connectors.Answer{ContentType: "application/json", Body: `{"error_code":"0000"}`}}
	}
	const in, out = "97a968b4a9db497c8c03198e395a38c6", "manhe_withdraw_30029531"
	costs := func(hundredths int64) payment.Report {
		return payment.Report{Fee: payment.Fee{Hundredths: hundredths, Currency: "KRW"}}
	}
	paid := payment.Observation{Kind: payment.Paid, Reference: "PM00000102", Amount: payment.KRW(4000), SettledAmount: payment.KRW(4000), Report: costs(3200)}
	less := paid
	less.SettledAmount = payment.KRW(3990)
	paidOut := payment.Observation{Kind: payment.Paid, Reference: "STARDREAMPOT00065748", Amount: payment.KRW(1000), Report: costs(0)}
	cases := []struct {
		name, body string
		want       connectors.Notice
	}{
		{"deposit paid", depositNotification, notice(payment.Deposit, in, paid)},
		{"less arrived", replaced(depositNotification, `"real_amount":400000`, `"real_amount":399000`), notice(payment.Deposit, in, less)},
		{"numbers as texts", strings.NewReplacer(`:400000`, `:"400000"`, `:2`, `:"2"`).Replace(depositNotification), notice(payment.Deposit, in, paid)},
		{"fields of tomorrow", replaced(depositNotification, `{`, `{"payment_cl_name":"김 & 박","vip":true,"rate":1.50,"tags":[ "a", "b" ],"none":null,`), notice(payment.Deposit, in, paid)},
		{"a fraction of a won", replaced(depositNotification, `"amount":400000`, `"amount":400050`), notice(payment.Deposit, in, payment.Observation{
			Kind: payment.Indeterminate, Known: true, Reference: "PM00000102", Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: "2", Message: "an amount cannot be read"}})},
		{"no status, like our own request", replaced(depositNotification, `"status":2`, `"service_id":"SVC0026"`), notice(payment.Deposit, in, payment.Observation{
			Kind: payment.Indeterminate, Known: true, Reference: "PM00000102", Reason: &payment.Reason{Code: payment.ReasonIndeterminate, Message: "no page documents this status"}})},
		{"payout paid", payoutNotification, notice(payment.Payout, out, paidOut)},
		{"payout paid, older page", replaced(payoutNotification, `"fee"`, `"real_amount":100000,"fee"`), notice(payment.Payout, out, payment.Observation{
			Kind: payment.Paid, Reference: "STARDREAMPOT00065748", Amount: payment.KRW(1000), SettledAmount: payment.KRW(1000), Report: costs(0)})},
		{"payout failed", payoutFailed, notice(payment.Payout, out, payment.Observation{Kind: payment.Declined, Reference: "POT1", Amount: payment.KRW(1000),
			Reason: &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "5", Message: "closed"}})},
		{"a further deposit number without a value", replaced(payoutNotification, `{`, `{"payment_cl_id":"",`), notice(payment.Payout, out, paidOut)},
	}
	for _, k := range cases {
		for _, secret := range []string{key, oldKey} {
			for signType, weaker := range map[string]string{diamondpay.MD5: diamondpay.MD5, diamondpay.HMACSHA256: diamondpay.MD5} {
				t.Run(k.name+", "+signType+", "+secret, func(t *testing.T) {
					body := signedWith(t, signType, secret, k.body)
					if signType == diamondpay.HMACSHA256 { // the account of MD5 takes it by its name
						body = withFields(string(body), `"sign_type":"HMAC-SHA256"`)
					}
					for _, configured := range []string{signType, weaker} {
						got, err := receiver(t, configured).Webhook(nil, body, now)
						if err != nil {
							t.Fatal(err)
						}
						mustEqual(t, got, k.want)
					}
				})
			}
		}
	}
}

func TestWebhookStates(t *testing.T) {
	c := connect(t, krwV1("https://gateway.example.com"))
	for _, operation := range payment.Operations() {
		for _, s := range statesOf(operation) {
			n, err := c.Webhook(nil, []byte(signedRow(t, diamondpay.MD5, operation, s.fields)), now)
			if err != nil {
				t.Errorf("%s %s: %v", operation, s.fields, err)
				continue
			}
			checkState(t, n.Observation, s, payment.FromWebhook, operation)
			if n.Operation != operation || n.Order != order {
				t.Errorf("%s %s: got %+v", operation, s.fields, n)
			}
		}
	}
}

func refused(t testing.TB, err error, want connectors.WebhookRefusal) {
	t.Helper()
	var e *connectors.WebhookError
	if !errors.As(err, &e) || e.Refusal != want || strings.Contains(err.Error(), "97a968b4") {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWebhookSignature(t *testing.T) {
	good := string(signedWith(t, diamondpay.MD5, key, depositNotification))
	sign := good[strings.LastIndex(good, `:"`)+2 : len(good)-2]
	strong := string(withFields(string(signedWith(t, diamondpay.HMACSHA256, key, depositNotification)), `"sign_type":"HMAC-SHA256"`))
	for name, body := range map[string]string{
		"another secret":      string(signedWith(t, diamondpay.MD5, "another-secret-than-ours", depositNotification)),
		"an empty secret":     string(signedWith(t, diamondpay.MD5, "", depositNotification)),
		"no signature":        depositNotification,
		"empty signature":     string(withSign(depositNotification, "")),
		"null signature":      replaced(good, `"`+sign+`"`, `null`),
		"listed signature":    replaced(good, `"`+sign+`"`, `["`+sign+`"]`),
		"signature in caps":   replaced(good, sign, strings.ToUpper(sign)),
		"signature twice":     replaced(good, `{`, `{"sign":"`+sign+`",`),
		"another Sign":        replaced(good, `"sign"`, `"Sign"`),
		"sample of showdoc":   string(withSign(depositNotification, "d2e4534fce8c1d1053bbf59fd8ae4464")),
		"order twice":         replaced(good, `{`, `{"payment_cl_id":"97a968b4a9db497c8c03198e395a38c6",`),
		"status twice":        replaced(good, `"status":2`, `"status":2,"status":2`),
		"an object inside":    replaced(good, `{`, `{"extra":{"a":1},`),
		"two objects":         good + good,
		"a trailing comma":    replaced(good, `"}`, `",}`),
		"both spellings":      replaced(good, `"real_amount"`, `"realAmount":1,"real_amount"`),
		"not JSON":            "sign=" + sign,
		"empty":               "",
		"an amount changed":   replaced(good, `"real_amount":400000`, `"real_amount":900000`),
		"an amount rewritten": replaced(good, `"real_amount":400000`, `"real_amount":400000.0`),
		"zero dropped":        replaced(string(signedWith(t, diamondpay.MD5, key, payoutNotification)), `"fee":0,`, ``),
		"a field more":        replaced(good, `{`, `{"zone":"x",`),
		"a field less":        replaced(good, `"fee":3200,`, ``),
		"a field renamed":     replaced(good, `"payment_cl_id"`, `"payout_cl_id"`),
		"an unknown type":     string(withFields(good, `"sign_type":"NONE"`)),
		"MD5 called HMAC":     string(withFields(good, `"sign_type":"HMAC-SHA256"`)),
		"HMAC called MD5":     replaced(strong, `"sign_type":"HMAC-SHA256"`, `"sign_type":"MD5"`),
		"HMAC without a type": replaced(strong, `,"sign_type":"HMAC-SHA256"`, ``),
	} {
		t.Run(name, func(t *testing.T) {
			if body == good {
				t.Fatal("the case changes nothing")
			}
			_, err := receiver(t, diamondpay.MD5).Webhook(nil, []byte(body), now)
			refused(t, err, connectors.BadSignature)
		})
	}
	// An account with HMAC never believes MD5, however the body calls it.
	c := receiver(t, diamondpay.HMACSHA256)
	for _, body := range []string{good, string(withFields(good, `"sign_type":"MD5"`)), string(withFields(good, `"sign_type":""`)), string(withFields(good, `"sign_type":null`)),
		string(withFields(good, `"sign_type":["MD5"]`)), string(withFields(good, `"sign_type":"HMAC-SHA256","sign_type":"MD5"`))} {
		_, err := c.Webhook(nil, []byte(body), now)
		refused(t, err, connectors.BadSignature)
	}
}

// The signed text does not say where a field ends. An attacker who has a signed notification could put it together
// again, e.g. with another amount, if such bodies were believed.
func TestWebhookWithAnotherReadingOfTheSameText(t *testing.T) {
	good := signedWith(t, diamondpay.MD5, key, depositNotification)
	text, err := diamondpay.SigningString(good)
	if err != nil {
		t.Fatal(err)
	}
	for body, certain := range map[string]bool{
		`{"amount":"400000&create_time=1567614049","fee":3200,"payment_cl_id":"97a968b4a9db497c8c03198e395a38c6","payment_id":"PM00000102","platform_id":"PF0014","real_amount":400000,"status":2,"update_time":1567614111}`:                   true,
		`{"amount":400000,"create_time":1567614049,"fee":3200,"payment_cl_id":"97a968b4a9db497c8c03198e395a38c6&payment_id=PM00000102","platform_id":"PF0014","real_amount":400000,"status":2,"update_time":1567614111}`:                       false,
		`{"amount":400000,"create_time":1567614049,"fee":3200,"payment_cl_id":"97a968b4a9db497c8c03198e395a38c6","payment_id":"PM00000102&platform_id=PF0014&real_amount=400000","status":2,"update_time":1567614111,"sign_type":"MD5"}`:       false,
		`{"amount":400000,"create_time":1567614049,"fee":3200,"payment_cl_id":"97a968b4a9db497c8c03198e395a38c6","payment_id":"PM00000102","platform_id":"PF0014","real_amount":"400000&status=2","update_time":1567614111,"sign_type":"MD5"}`: true,
		`{"amount=400000&create_time":1567614049,"fee":3200,"payment_cl_id":"97a968b4a9db497c8c03198e395a38c6","payment_id":"PM00000102","platform_id":"PF0014","real_amount":400000,"status":2,"update_time":1567614111}`:                     false,
	} {
		if same, err := diamondpay.SigningString([]byte(body)); err != nil || same != text {
			t.Fatalf("the case does not have the signed text: %q, %v", same, err)
		}
		n, err := receiver(t, diamondpay.MD5).Webhook(nil, signedWith(t, diamondpay.MD5, key, body), now)
		if certain {
			mustEqual(t, n, ambiguous(payment.Deposit, "97a968b4a9db497c8c03198e395a38c6"))
			continue
		}
		var e *connectors.WebhookError
		if !errors.As(err, &e) || e.Refusal != connectors.BadSignature && e.Refusal != connectors.WrongProvider {
			t.Errorf("got %+v, %v", n, err)
		}
	}
}

// Every bit of a notification whose fields all have values is covered: by the signature, or by JSON.
func TestWebhookWithOneBitFlipped(t *testing.T) {
	for _, signType := range []string{diamondpay.MD5, diamondpay.HMACSHA256} {
		c := receiver(t, signType)
		for _, body := range []string{depositNotification, payoutNotification, payoutFailed} {
			good := signedWith(t, signType, key, body)
			if _, err := c.Webhook(nil, good, now); err != nil {
				t.Fatal(err)
			}
			for i := range good {
				for bit := range race.Share(8, 8) {
					bad := slices.Clone(good)
					bad[i] ^= 1 << bit
					if n, err := c.Webhook(nil, bad, now); err == nil {
						t.Errorf("byte %d bit %d: taken as %+v from %s", i, bit, n, bad)
					}
				}
			}
		}
	}
}

func TestWebhookOfAnotherAccount(t *testing.T) {
	for _, platform := range []string{`"PF0015"`, `""`, `null`, `["PF0014"]`, `"pf0014"`} {
		body := signedWith(t, diamondpay.MD5, key, replaced(depositNotification, `"PF0014"`, platform))
		_, err := receiver(t, diamondpay.MD5).Webhook(nil, body, now)
		refused(t, err, connectors.WrongProvider)
	}
}

func TestWebhookThatCannotBeRead(t *testing.T) {
	const name = `"97a968b4a9db497c8c03198e395a38c6"`
	for _, order := range []string{`null`, `""`, `"a b"`, `"a.b"`, `["a"]`, `"` + strings.Repeat("x", 65) + `"`, `"a","payout_cl_id":"a"`, `"a","payout_cl_id":"b"`} {
		body := signedWith(t, diamondpay.MD5, key, replaced(depositNotification, name, order))
		_, err := receiver(t, diamondpay.MD5).Webhook(nil, body, now)
		refused(t, err, connectors.BadWebhook)
	}
}
