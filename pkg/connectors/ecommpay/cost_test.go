package ecommpay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
	"payonce/test/race"
)

// signed ends a body with a signature that could be one.
const signed = `"signature":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}`

// costly are bodies of at most about so many bytes that cost a naive reader much more than their size: a path is long
// and leads to many values, names are many, sorted against the order, or nearly the same. Those that would pass a limit
// of what is read are also there in the largest form that does not.
func costly(size int) map[string]string {
	name, distinct, reversed, short, numbers, zeros := strings.Repeat("a", size/2), &strings.Builder{}, &strings.Builder{}, &strings.Builder{}, &strings.Builder{}, &strings.Builder{}
	for n := 0; distinct.Len() < size; n++ {
		fmt.Fprintf(distinct, `"%x":1,`, n*7919%100003)
		fmt.Fprintf(reversed, `"long_name_of_many:%08d":"",`, size-n)
		fmt.Fprintf(short, `"%c%c":1,`, '0'+n*31%75, 'a'+n/75)
		fmt.Fprintf(numbers, `"%d":1,`, n*7919%9973+100000)
		fmt.Fprintf(zeros, `"%s%d":1,`, strings.Repeat("0", 60), n*7919%9973)
	}
	fields := func(n int, b *strings.Builder) string { // the first fields that fit
		text := b.String()[:min(size, b.Len())]
		return strings.Join(strings.SplitAfter(text[:strings.LastIndexByte(text, ',')+1], ",")[:min(n, strings.Count(text, ","))], "")
	}
	items := func(n int, item string) string { return strings.Repeat(item, min(n, size/len(item))) }
	return map[string]string{
		"a long name over a list":    `{"` + name + `":[` + strings.Repeat("1,", size/4) + `1],` + signed,
		"a short name over a list":   `{"a":[` + strings.Repeat("1,", size/2) + `1],` + signed,
		"a few items":                `{"a":[` + items(1000, "1,") + `1],` + signed,
		"as many items as fit":       `{"b":"` + strings.Repeat("x", size*3/4) + `","a":[` + strings.Repeat("1,", min(900, size/8)) + `1],` + signed,
		"as much text as fits":       `{"b":"` + strings.Repeat("x", size*3/4) + `","` + strings.Repeat("a", 12) + `":[` + strings.Repeat("1,", min(900, size/14)) + `1],` + signed,
		"empty objects":              `{"` + name + `":[` + strings.Repeat("{},", size/6) + `{}],` + signed,
		"empty lists":                `{"a":[` + items(1000, "[],") + `[]],` + signed,
		"lists in lists":             `{"` + name + `":` + strings.Repeat(`[`, 20) + strings.Repeat("[],", size/6) + `1` + strings.Repeat(`]`, 20) + `,` + signed,
		"deep lists":                 `{"a":` + strings.Repeat(`[`, 30) + items(900, "1,") + `1` + strings.Repeat(`]`, 30) + `,` + signed,
		"in general":                 `{"general":{"` + name + `":[` + strings.Repeat("1,", size/4) + `1]},` + signed,
		"the longest names":          strings.Repeat(`{"`+strings.Repeat("n", 128)+`":`, 30) + `[` + items(950, "1,") + `1]` + strings.Repeat("}", 29) + "," + signed,
		"longer names":               strings.Repeat(`{"`+strings.Repeat("n", 60)+`":`, 10) + `[` + items(250, "1,") + `1]` + strings.Repeat("}", 9) + "," + signed,
		"many names":                 `{` + distinct.String() + signed,
		"1000 names":                 `{` + fields(1000, distinct) + signed,
		"1000 short names":           `{` + fields(1000, short) + signed,
		"1000 numbers for names":     `{` + fields(1000, numbers) + signed,
		"1000 names in a name":       `{"payment":{` + fields(1000, distinct) + `"z":1},` + signed,
		"names of zeros":             `{` + fields(1000, zeros) + signed,
		"names in a name of zeros":   `{"` + strings.Repeat("0", 128) + `":{` + fields(150, zeros) + `"z":1},` + signed,
		"names against the order":    `{` + fields(900, reversed) + signed,
		"one name again and again":   `{` + strings.Repeat(`"a":1,`, size/6) + signed,
		"colons":                     `{"` + strings.Repeat(":", 120) + `":[` + items(950, "1,") + `1],` + signed,
		"names of colons":            `{` + strings.ReplaceAll(fields(900, distinct), `":`, strings.Repeat(":", 16)+`":`) + signed,
		"semicolons":                 `{"a":"` + strings.Repeat(";", size) + `",` + signed,
		"texts that go on":           `{"a":"` + strings.Repeat(";payment", size/8) + `",` + signed,
		"depth":                      strings.Repeat(`{"a":`, size/5),
		"open brackets":              strings.Repeat("[", size),
		"a long text":                `{"a":"` + strings.Repeat("x", size) + `",` + signed,
		"escapes":                    `{"a":"` + strings.Repeat(`\u0061`, size/6) + `",` + signed,
		"nothing but NUL":            `{"a":"` + strings.Repeat(`\u0000`, size/6) + `",` + signed,
		"surrogates":                 `{"a":"` + strings.Repeat(`\ud83d\ude00`, size/12) + `",` + signed,
		"half surrogates":            `{"a":"` + strings.Repeat(`\ud83d`, size/6) + `",` + signed,
		"escaped names":              `{` + strings.ReplaceAll(fields(900, distinct), `":`, `\u0061":`) + signed,
		"no UTF-8 at the end":        `{"a":"` + strings.Repeat("\u00e9", size/2) + "\xff" + `",` + signed,
		"byte order marks":           strings.Repeat("\ufeff", size/3),
		"blanks":                     `{"a":1` + strings.Repeat(" ", size) + `,` + signed,
		"blank names":                `{` + strings.ReplaceAll(fields(900, distinct), `":`, strings.Repeat(" ", 30)+`":`) + signed,
		"an exponent":                `{"payment":{"sum":{"amount":1e` + strings.Repeat("9", size) + `,"currency":"KRW"}},` + signed,
		"a long number":              `{"payment":{"sum":{"amount":` + strings.Repeat("9", size) + `,"currency":"KRW"}},` + signed,
		"zeros":                      `{"a":[` + items(900, "0,") + `0],"` + strings.Repeat("0", 100) + `":1,` + signed,
		"operations":                 `{"operations":[` + items(900, `{"type":"sale","status":"success"},`) + `{}],` + signed,
		"errors":                     `{"status":"error","errors":[` + items(900, `{"code":"1"},`) + `{}],` + signed,
		"a clarification":            `{"payment":{"status":"awaiting clarification","id":"D-1"},"clarification_fields":{"a":{"b":[` + items(1000, "1,") + `1]}},` + signed,
		"a list of banks":            `[` + items(2000, `{"id":1},`) + `{"id":1}]`,
		"a list of what is no bank":  `[` + strings.Repeat(`1,`, size/2) + `{"id":1}]`,
		"nothing":                    ``,
		"a number that does not end": strings.Repeat("1", size),
		"a callback":                 strings.TrimSuffix(callback("purchase", "success", "sale", "success", "0"), "}") + `,` + signed,
	}
}

// bodies are [costly] ones of many sizes: a small one can be the more expensive for its size, as it passes no limit.
func bodies() map[string]string {
	all := map[string]string{}
	for _, size := range race.Sample([]int{1 << 10, 2 << 10, 8 << 10, 64 << 10}, 2) {
		for what, body := range costly(size) {
			all[fmt.Sprintf("%s of %d", what, size)] = body
		}
	}
	return all
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

// Any client can send a callback. What it costs grows with its size, before and after its signature is checked.
func TestABodyCostsNoMoreThanItsSize(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	for what, unsigned := range bodies() {
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

// What is sorted and hashed before the signature fits grows with the size of a body, too, at whatever speed. A forged
// signature is tried in all three sortings.
func TestWorkOfASignature(t *testing.T) {
	const (
		perByte, fixed    = 6, 2 << 10
		sortings, secrets = 3, 2
		ratio, more       = 2, 1 << 10
	)
	c := connect(t, settings("https://api.example.com"))
	sorted := 0
	for what, body := range bodies() {
		compared, hashed := c.Work([]byte(body))
		if compared > perByte*len(body)+fixed || hashed > sortings*secrets*(ratio*len(body)+more) {
			t.Errorf("%s, %d bytes: %d compared, %d hashed", what, len(body), compared, hashed)
		}
		if hashed > 0 {
			sorted++
		}
	}
	if sorted < race.Share(50, 2) {
		t.Errorf("only %d bodies were hashed", sorted)
	}
}

// A body that passes a limit is an unsigned one, and the reason names the limit and nothing of the body.
func TestLimitsOfACallback(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	hidden := strings.Repeat("hongGilDong", 12)
	for limit, body := range map[string]string{
		"a name in it is too long":    `{"` + hidden + `":1,"signature":"x"}`,
		"nested too deeply":           strings.Repeat(`{"hongGilDong":`, 33) + `1` + strings.Repeat("}", 33),
		"too many values":             `{"hongGilDong":[` + strings.Repeat("1,", 1024) + `1],"signature":"x"}`,
		"its signed text is too long": `{"` + hidden[:128] + `":[` + strings.Repeat("1,", 100) + `1],"signature":"x"}`,
		"syntax error after line 1, ": `{"hongGilDong":1,"hongGilDong":2}`,
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
	for what, body := range bodies() {
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, len(body), func() {
				_, _ = c.Webhook(nil, []byte(body), clock())
			})
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	c := connect(b, settings("https://api.example.com"))
	for what, body := range bodies() {
		reply := httpcall.Reply{Status: 200, Body: []byte(body)}
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, len(body), func() { _, _ = c.Answered(query(payment.Deposit), reply) })
		})
	}
}
