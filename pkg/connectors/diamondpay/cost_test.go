package diamondpay_test

import (
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
	"payonce/test/race"
)

// costly are bodies of about so many bytes that cost a naive reader much more than their size.
func costly(size int) map[string]string {
	distinct, camel := &strings.Builder{}, &strings.Builder{}
	for n := 0; distinct.Len() < size; n++ {
		fmt.Fprintf(distinct, `"%x":1,`, n)
		fmt.Fprintf(camel, `"aA%s":"",`, strings.Repeat("aB", n%60))
	}
	most := strings.Join(strings.SplitAfter(distinct.String(), ",")[:120], "")
	const signed = `"sign":"x"}`
	notice := strings.TrimSuffix(depositNotification, "}")
	return map[string]string{
		"names": "{" + distinct.String() + signed, "120 names": "{" + most + signed, "camelCase": "{" + strings.Join(strings.SplitAfter(camel.String(), ",")[:60], "") + signed,
		"a list": `{"a":[` + strings.Repeat("1,", size/2) + "1]," + signed, "lists": `{"a":[` + strings.Repeat("[],", size/3) + "1]," + signed, "120 lists": strings.ReplaceAll("{"+most, ":1", ":[]") + signed,
		"a long name": `{"` + strings.Repeat("n", size) + `":1,` + signed, "one name again and again": "{" + strings.Repeat(`"a":1,`, size/6) + signed, "depth": strings.Repeat(`{"a":`, size/5), "brackets": strings.Repeat("[", size),
		"a long text": `{"a":"` + strings.Repeat("x", size) + `",` + signed, "escapes": `{"a":"` + strings.Repeat(`\u0061`, size/6) + `",` + signed, "commas": `{"a":[` + strings.Repeat(",", size) + `],` + signed, "trailing commas": `{"a":[` + strings.Repeat("[1,],", size/5) + `],` + signed,
		"a text of fields": notice + `,"memo":"x` + strings.Repeat("&a=1", size/4) + `",` + signed, "90 fields in a text": notice + `,"memo":"x` + strings.Repeat("&n=1", 85) + `",` + signed,
		"rows": `{"error_code":"0000","data":[` + strings.Repeat(`{"a":1},`, size/8) + `{}]}`, "numbers for rows": `{"error_code":"0000","data":[` + strings.Repeat(`1,`, size/2) + `1]}`,
		"channels": `{"error_code":"0000","data":{"platform_channels":[` + strings.Repeat(`{"sign":"x"},`, size/13) + `{}],"total_balance":1}}`, "nothing": "",
	}
}

// Any client can send a notification. What it costs grows with its size, before and after its signature is checked.
func TestABodyCostsNoMoreThanItsSize(t *testing.T) {
	for what, body := range costly(race.Share(64<<10, 16)) {
		bodies := [][]byte{[]byte(body)}
		if sign, err := diamondpay.Sign(diamondpay.HMACSHA256, key, []byte(body)); err == nil {
			bodies = append(bodies, []byte(strings.Replace(body, `"sign":"x"`, `"sign":"`+sign+`"`, 1)))
		}
		for _, body := range bodies {
			t.Run(what, func(t *testing.T) {
				c := receiver(t, diamondpay.HMACSHA256)
				alloctest.Linear(t, len(body), func() { _, _ = c.Webhook(nil, body, now) })
				for _, a := range []account{krwV1, krwV2} {
					c := connect(t, a("https://gateway.example.com"))
					reply := httpcall.Reply{Status: 200, Body: body}
					alloctest.Linear(t, len(body), func() { _, _ = c.Answered(query(payment.Deposit), reply) })
					alloctest.Linear(t, len(body), func() { _, _ = c.Submitted(deposit(payment.KRW(10000)), reply) })
					alloctest.Linear(t, len(body), func() { _, _ = c.ReadBalance(reply) })
				}
			})
		}
	}
}

func BenchmarkWebhook(b *testing.B) {
	c := receiver(b, diamondpay.HMACSHA256)
	for what, body := range costly(64 << 10) {
		if sign, err := diamondpay.Sign(diamondpay.HMACSHA256, key, []byte(body)); err == nil {
			body = strings.Replace(body, `"sign":"x"`, `"sign":"`+sign+`"`, 1)
		}
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, len(body), func() {
				_, _ = c.Webhook(nil, []byte(body), now)
			})
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	c := connect(b, krwV1("https://gateway.example.com"))
	for what, body := range costly(64 << 10) {
		reply := httpcall.Reply{Status: 200, Body: []byte(body)}
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, 2*len(body), func() {
				_, _ = c.Answered(query(payment.Deposit), reply)
				_, _ = c.ReadBalance(reply)
			})
		})
	}
}
