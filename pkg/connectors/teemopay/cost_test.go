package teemopay_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
	"payonce/test/race"
)

// costly are bodies of about so many bytes that cost a naive reader much more than their size.
func costly(size int) map[string]string {
	distinct := &strings.Builder{}
	for n := 0; distinct.Len() < size; n++ {
		fmt.Fprintf(distinct, `"%x":1,`, n)
	}
	most := strings.Join(strings.SplitAfter(distinct.String(), ",")[:120], "")
	const signed = `"sign":"x"}`
	call := strings.TrimSuffix(strings.TrimSpace(payinCallback), "}")
	list := func(name, items string) string { return `{"code":200,"data":{"` + name + `":[` + items + `{}]}}` }
	const record = `{"type":"PAYIN","merchantOrderNo":"D"},`
	return map[string]string{
		"names": "{" + distinct.String() + signed, "120 names": "{" + most + signed, "120 texts": strings.ReplaceAll("{"+most, ":1", `:"x"`) + signed,
		"a list": `{"a":[` + strings.Repeat("1,", size/2) + "1]," + signed, "lists": `{"a":[` + strings.Repeat("[],", size/3) + "1]," + signed, "a long name": `{"` + strings.Repeat("n", size) + `":1,` + signed,
		"one name again and again": "{" + strings.Repeat(`"a":1,`, size/6) + signed, "depth": strings.Repeat(`{"a":`, size/5), "brackets": strings.Repeat("[", size), "nothing": "",
		"a long text": `{"a":"` + strings.Repeat("x", size) + `",` + signed, "escapes": `{"a":"` + strings.Repeat(`\u0061`, size/6) + `",` + signed, "blanks": `{"a":"` + strings.Repeat(" ", size) + `",` + signed, "a long signature": `{"sign":"` + strings.Repeat("A", size) + `"}`,
		"a text of fields": call + `,"extra":"x` + strings.Repeat("&a=1", size/4) + `",` + signed, "90 fields in a text": call + `,"extra":"x` + strings.Repeat("&g=1", 85) + `",` + signed,
		"payments": list("statementList", strings.Repeat(`{"paymentStatementStatus":3},`, 1900)), "many payments": list("statementList", strings.Repeat(`{"paymentStatementStatus":3},`, size/29)), "numbers for payments": list("statementList", strings.Repeat("1,", size/2)),
		"records": list("records", strings.Repeat(record, 400)), "records of nothing": list("records", strings.Repeat("{},", 1900)), "payments of a record": list("records", strings.Replace(record, `"D"`, `"D","paymentList":[`+strings.Repeat("{},", 1500)+`{}]`, 1)),
		"a refusal": `{"code":414,"msg":"` + strings.Repeat("bank code app code ", size/19) + `"}`, "a short refusal": `{"code":414,"msg":"` + strings.Repeat("bank code app code order no ", 30) + `"}`, "a code": `{"code":` + strings.Repeat("1", size) + `}`,
	}
}

// Any client can send a callback. What it costs grows with its size, before and after its signature is checked.
func TestABodyCostsNoMoreThanItsSize(t *testing.T) {
	c := newReceiver(t)
	asking := connect(t, settings(t, "https://gateway.example.com"), rand.Reader)
	for what, body := range costly(race.Share(64<<10, 16)) {
		bodies := [][]byte{[]byte(body)}
		if sign, err := teemopay.Sign(platformKey(), []byte(body), nonce); err == nil {
			bodies = append(bodies, []byte(strings.Replace(body, `"sign":"x"`, `"sign":"`+sign+`"`, 1)))
		}
		for _, body := range bodies {
			t.Run(what, func(t *testing.T) {
				alloctest.Linear(t, len(body), func() { _, _ = c.Webhook(callbackHeader(), body, now) })
				reply := httpcall.Reply{Status: 200, Body: body}
				for _, op := range payment.Operations() {
					alloctest.Linear(t, len(body), func() { _, _ = asking.Answered(query(op), reply) })
					alloctest.Linear(t, len(body), func() { _, _, _ = teemopay.ReadStatement(body, op) })
				}
				alloctest.Linear(t, len(body), func() { _, _ = asking.Submitted(deposit(""), reply) })
				alloctest.Linear(t, len(body), func() { _, _ = teemopay.ReadBalance(body) })
			})
		}
	}
}

func BenchmarkWebhook(b *testing.B) {
	c := newReceiver(b)
	for what, body := range costly(64 << 10) {
		if sign, err := teemopay.Sign(platformKey(), []byte(body), nonce); err == nil {
			body = strings.Replace(body, `"sign":"x"`, `"sign":"`+sign+`"`, 1)
		}
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, len(body), func() {
				_, _ = c.Webhook(callbackHeader(), []byte(body), now)
			})
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	c := connect(b, settings(b, "https://gateway.example.com"), rand.Reader)
	for what, body := range costly(64 << 10) {
		reply := httpcall.Reply{Status: 200, Body: []byte(body)}
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, 2*len(body), func() {
				_, _ = c.Answered(query(payment.Deposit), reply)
				_, _, _ = teemopay.ReadStatement([]byte(body), payment.Deposit)
			})
		})
	}
}
