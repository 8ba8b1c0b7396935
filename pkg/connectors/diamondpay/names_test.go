package diamondpay_test

import (
	"regexp"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
)

const dollarOrder = "test_tw_card_1766005863_25"

// dollarNotification is a notification about the order of the TWD deposit page.
const dollarNotification = `{"payment_id":"DEVPM00000018","payment_cl_id":"` + dollarOrder + `","platform_id":"PF0003","amount":48389,"real_amount":48389,"fee":387,"status":2,"create_time":1766005863,"update_time":1766005900}`

var underlined = regexp.MustCompile(`_([a-z])([a-z_]*":)`)

// inCamelCase renames the fields of a flat object.
func inCamelCase(body string) string {
	for underlined.MatchString(body) {
		body = underlined.ReplaceAllStringFunc(body, func(part string) string { return strings.ToUpper(part[1:2]) + part[2:] })
	}
	return body
}

// spellings are the ways in which a TWD notification can come: what is written, and what is signed.
func spellings(t testing.TB, signType, body string) map[string]string {
	t.Helper()
	snake := string(signedWith(t, signType, key, body))
	camel := string(signedWith(t, signType, key, inCamelCase(body)))
	if signType == diamondpay.HMACSHA256 { // the sign_type is signed under no name
		snake, camel = strings.Replace(snake, `{`, `{"sign_type":"HMAC-SHA256",`, 1), strings.Replace(camel, `{`, `{"signType":"HMAC-SHA256",`, 1)
	}
	return map[string]string{"snake_case": snake, "camelCase, signed as snake_case": inCamelCase(snake), "camelCase, signed as written": camel}
}

func TestNamesOfDollars(t *testing.T) {
	for signType, a := range map[string]account{diamondpay.MD5: twd, diamondpay.HMACSHA256: hmacOf(twd)} {
		for spelling, body := range spellings(t, signType, dollarNotification) {
			if strings.HasPrefix(spelling, "camel") == strings.Contains(body, "_id") {
				t.Fatalf("%s is written as %s", spelling, body)
			}
			n, err := connect(t, a("https://gateway.example.com")).Webhook(nil, []byte(body), now)
			o := n.Observation
			if err != nil || n.Order != dollarOrder || n.Operation != payment.Deposit || o.Kind != payment.Paid || o.Reference != "DEVPM00000018" || o.SettledAmount != payment.TWD(48389) {
				t.Errorf("%s, %s: %+v, %v", signType, spelling, n, err)
			}
			g := newGateway(t, reply(list(body)))
			q := connectors.Query{Ref: payment.Ref{Provider: "diamondpay", Order: dollarOrder}, Operation: payment.Deposit, Amount: payment.TWD(48389)}
			o, err = connect(t, a(g.URL)).Lookup(testContext(t), q)
			if err != nil || o.Kind != payment.Paid || o.SettledAmount != payment.TWD(48389) {
				t.Errorf("%s, %s: looked up as %+v, %v", signType, spelling, o, err)
			}
		}
	}
}

// No page of the deposits in won has camelCase; a notification that has it is read all the same, for both operations.
func TestNamesOfWon(t *testing.T) {
	for signType, a := range map[string]account{diamondpay.MD5: krwV1, diamondpay.HMACSHA256: hmacOf(krwV1)} {
		for notification, order := range map[string]string{depositNotification: orderIn, payoutNotification: orderOut} {
			for spelling, body := range spellings(t, signType, notification) {
				c := a("https://gateway.example.com")
				c.PlatformID = "PF0014"
				n, err := connect(t, c).Webhook(nil, []byte(body), now)
				if err != nil || n.Order != order || n.Observation.Kind != payment.Paid {
					t.Errorf("%s, %s: %+v, %v", signType, spelling, n, err)
				}
			}
		}
	}
}

// The texts of notifications in camelCase are read by the same rules, over the names that are signed.
func TestReadingsOfBothSpellings(t *testing.T) {
	c := connect(t, twd("https://gateway.example.com"))
	for text, unique := range map[string]bool{"Kim&status=3": true, "Kim&a=b": true, "Kim&payment_cm=1&paymentCm=1": false} {
		for spelling, body := range spellings(t, diamondpay.MD5, noted(t, dollarNotification, "payment_cl_name", text)) {
			n, err := c.Webhook(nil, []byte(body), now)
			switch {
			case err != nil || n.Order != dollarOrder:
				t.Errorf("%q, %s: %+v, %v", text, spelling, n, err)
			case unique != (n.Observation.Kind == payment.Paid), !unique && n.Observation.Kind != payment.Indeterminate:
				t.Errorf("%q, %s: %+v", text, spelling, n.Observation)
			}
		}
	}
}

// What could be read in two ways is refused, however it is signed.
func TestBothSpellingsOfOneName(t *testing.T) {
	c := connect(t, twd("https://gateway.example.com"))
	camel := inCamelCase(dollarNotification)
	for more, base := range map[string]string{
		`"paymentClId":"other"`: dollarNotification, `"realAmount":1`: dollarNotification, `"platformId":"PF0003"`: dollarNotification, `"realAmount":null`: dollarNotification,
		`"payment_cl_id":"other"`: camel, `"real_amount":1`: camel, `"payment_id":"DEVPM00000018"`: camel, `"payment_id":""`: camel,
	} {
		both := strings.Replace(base, "{", "{"+more+",", 1)
		for _, signed := range []string{both, base, strings.Replace(dollarNotification, "{", "{"+strings.Split(more, ":")[0]+":1,", 1)} {
			if base == camel && signed != both && signed != base {
				continue // a doubled name cannot be signed
			}
			sign := string(signedWith(t, diamondpay.MD5, key, signed))
			_, err := c.Webhook(nil, withSign(both, sign[strings.LastIndex(sign, `:"`)+2:len(sign)-2]), now)
			refused(t, err, connectors.BadSignature)
		}
	}
}

// Every spelling is covered by its signature, and no spelling lowers what the account demands.
func TestEverySpellingIsVerified(t *testing.T) {
	for spelling, body := range spellings(t, diamondpay.MD5, dollarNotification) {
		for name, bad := range map[string]string{
			"an amount":    strings.ReplaceAll(body, `48389`, `58389`),
			"a name":       strings.Replace(body, `"fee"`, `"fees"`, 1),
			"a field more": strings.Replace(body, `{`, `{"moreFields":1,`, 1),
			"no signature": body[:strings.LastIndex(body, `,"sign"`)] + "}",
			"a type":       strings.Replace(body, `{`, `{"signType":"HMAC-SHA256",`, 1),
		} {
			if bad == body {
				t.Fatalf("%s, %s: the case changes nothing", spelling, name)
			}
			_, err := connect(t, twd("https://gateway.example.com")).Webhook(nil, []byte(bad), now)
			refused(t, err, connectors.BadSignature)
		}
		for _, signType := range []string{"", `"signType":"MD5",`, `"sign_type":"MD5",`} {
			_, err := connect(t, hmacOf(twd)("https://gateway.example.com")).Webhook(nil, []byte(strings.Replace(body, `{`, `{`+signType, 1)), now)
			refused(t, err, connectors.BadSignature)
		}
	}
}
