package ecommpay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"payonce/internal/alloctest"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// signed ends a body with a signature that could be one.
const signed = `"signature":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}`

// costly are bodies of about so many bytes that cost a naive reader much more than their size: a path is long and
// leads to many values, names are many, sorted against the order, or nearly the same.
func costly(size int) map[string]string {
	name, distinct, reversed := strings.Repeat("a", size/2), &strings.Builder{}, &strings.Builder{}
	for n := 0; distinct.Len() < size; n++ {
		fmt.Fprintf(distinct, `"%x":1,`, n*7919%100003)
		fmt.Fprintf(reversed, `"long_name_of_many:%08d":"",`, size-n)
	}
	return map[string]string{
		"a long name over a list":    `{"` + name + `":[` + strings.Repeat("1,", size/4) + `1],` + signed,
		"a short name over a list":   `{"a":[` + strings.Repeat("1,", size/2) + `1],` + signed,
		"a few items":                `{"a":[` + strings.Repeat("1,", 1000) + `1],` + signed,
		"empty objects":              `{"` + name + `":[` + strings.Repeat("{},", size/6) + `{}],` + signed,
		"empty lists":                `{"a":[` + strings.Repeat("[],", 1000) + `[]],` + signed,
		"lists in lists":             `{"` + name + `":` + strings.Repeat(`[`, 20) + strings.Repeat("[],", size/6) + `1` + strings.Repeat(`]`, 20) + `,` + signed,
		"in general":                 `{"general":{"` + name + `":[` + strings.Repeat("1,", size/4) + `1]},` + signed,
		"the longest names":          strings.Repeat(`{"`+strings.Repeat("n", 128)+`":`, 30) + `[` + strings.Repeat("1,", 950) + `1]` + strings.Repeat("}", 29) + "," + signed,
		"longer names":               strings.Repeat(`{"`+strings.Repeat("n", 60)+`":`, 10) + `[` + strings.Repeat("1,", 250) + `1]` + strings.Repeat("}", 9) + "," + signed,
		"many names":                 `{` + distinct.String() + signed,
		"1000 names":                 `{` + distinct.String()[:strings.LastIndex(distinct.String()[:7_500], ",")+1] + signed,
		"names against the order":    `{` + reversed.String()[:28*900] + signed,
		"one name again and again":   `{` + strings.Repeat(`"a":1,`, size/6) + signed,
		"colons":                     `{"` + strings.Repeat(":", 120) + `":[` + strings.Repeat("1,", 950) + `1],` + signed,
		"semicolons":                 `{"a":"` + strings.Repeat(";", size) + `",` + signed,
		"texts that go on":           `{"a":"` + strings.Repeat(";payment", size/8) + `",` + signed,
		"depth":                      strings.Repeat(`{"a":`, size/5),
		"open brackets":              strings.Repeat("[", size),
		"escapes":                    `{"a":"` + strings.Repeat(`\u0061`, size/6) + `",` + signed,
		"escaped names":              `{` + strings.ReplaceAll(distinct.String(), `":`, `\u0061":`)[:min(size, 12_000)/1] + signed,
		"zeros":                      `{"a":[` + strings.Repeat("0,", 900) + `0],"` + strings.Repeat("0", 100) + `":1,` + signed,
		"operations":                 `{"operations":[` + strings.Repeat(`{"type":"sale","status":"success"},`, 900) + `{}],` + signed,
		"errors":                     `{"status":"error","errors":[` + strings.Repeat(`{"code":"1"},`, 900) + `{}],` + signed,
		"a clarification":            `{"payment":{"status":"awaiting clarification","id":"D-1"},"clarification_fields":{"a":{"b":[` + strings.Repeat("1,", 1000) + `1]}},` + signed,
		"a list of banks":            `[` + strings.Repeat(`{"id":1},`, 2000) + `{"id":1}]`,
		"a list of what is no bank":  `[` + strings.Repeat(`1,`, size/2) + `{"id":1}]`,
		"nothing":                    ``,
		"a number that does not end": strings.Repeat("1", size),
	}
}

// signedToo returns the body and, where it can be signed, the body with a signature.
func signedToo(body string) []string {
	rest, found := strings.CutSuffix(body, signed)
	if !found {
		return []string{body}
	}
	signature, err := ecommpay.Sign(current, []byte(rest+`"zz":""}`))
	if err != nil {
		return []string{body}
	}
	return []string{body, rest + `"zz":"","signature":"` + signature + `"}`}
}

// Anybody can send a callback. What it costs grows with its size, before and after its signature is checked.
func TestABodyCostsNoMoreThanItsSize(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	for what, unsigned := range costly(64 << 10) {
		for _, body := range signedToo(unsigned) {
			t.Run(what, func(t *testing.T) {
				alloctest.Linear(t, len(body), func() { _, _ = c.Webhook(nil, []byte(body), clock()) })
				alloctest.Linear(t, len(body), func() { _, _ = c.Answered(query(payment.Deposit), httpcall.Reply{Status: 200, Body: []byte(body)}) })
				alloctest.Linear(t, len(body), func() { _ = c.Accepted(payout(), httpcall.Reply{Status: 400, Body: []byte(body)}) })
				alloctest.Linear(t, len(body), func() { _, _ = ecommpay.ReadBanks([]byte(body)) })
			})
		}
	}
}

// A body that passes a limit is an unsigned one, and the reason names the limit and nothing of the body.
func TestLimitsOfACallback(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	hidden := strings.Repeat("hongGilDong", 12)
	for limit, body := range map[string]string{
		"a name in it is too long":     `{"` + hidden + `":1,"signature":"x"}`,
		"nested too deeply":            strings.Repeat(`{"hongGilDong":`, 33) + `1` + strings.Repeat("}", 33),
		"too many values":              `{"hongGilDong":[` + strings.Repeat("1,", 1024) + `1],"signature":"x"}`,
		"its signed text is too long":  `{"` + hidden[:128] + `":[` + strings.Repeat("1,", 100) + `1],"signature":"x"}`,
		"it goes wrong after line 1, ": `{"hongGilDong":1,"hongGilDong":2}`,
	} {
		_, err := c.Webhook(nil, []byte(body), clock())
		var refused *connectors.WebhookError
		if !errors.As(err, &refused) || refused.Refusal != connectors.BadSignature || !strings.Contains(refused.Problem, limit) || strings.Contains(refused.Problem, "hong") {
			t.Errorf("%s: %v", limit, err)
		}
	}
}

func BenchmarkWebhook(b *testing.B) {
	c := connect(b, settings("https://api.example.com"))
	for what, body := range costly(64 << 10) {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				_, _ = c.Webhook(nil, []byte(body), clock())
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(max(len(body), 1)), "µs/byte")
		})
	}
}
