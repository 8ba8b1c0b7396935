package ecommpay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// callback is a callback of the Korean banks page, unsigned.
func callback(kind, status, operationType, operationStatus, code string, more ...string) string {
	return `{"project_id":200,"payment":{"id":"` + order + `","type":"` + kind + `","status":"` + status + `","date":"2019-10-16T09:41:26+0000","method":"Korean banks",` +
		`"sum":{"amount":10000,"currency":"KRW"},"description":"TEST_1571044062268"},"customer":{"id":"21"},` + strings.Join(append(more, ""), ",") +
		`"operation":{"id":1737000008461,"type":"` + operationType + `","status":"` + operationStatus + `","date":"2019-10-16T09:41:26+0000","created_date":"2019-10-16T09:39:20+0000",` +
		`"request_id":"00001738","sum_initial":{"amount":10000,"currency":"KRW"},"sum_converted":{"amount":10000,"currency":"KRW"},"code":"` + code + `","message":"Some text",` +
		`"provider":{"id":1481,"payment_id":"","auth_code":""}}}`
}

// The fragments of the Korean banks page.
const (
	redirectData = `"redirect_data":{"body":{"sid":2553,"tid":1737000008461,"amount":"10000","currency":"KRW","payby":"p2p","item_quantity[]":"1","item_amount_unit[]":"1000000","firstname":"Sung","lastname":"Do","email":"clearskies07@gmail.com"},"method":"POST","url":"https://secure.awepay.com/"}`
	extraFields  = `"provider_extra_fields":{"timeout":60,"merchant_bank":"Kyungnam Bank 039","merchant_bank_account":"1111-1111-1111","merchant_bank_account_name":"TEST"}`
)

var koreanInstructions = "입력하신 입금계좌로 실시간 계좌이체를 계속하십시오. 결제 완료될 때까지 창을 닫지 마시기 바랍니다. 4분 내에 시스템에서 입금확인이 가능합니다. 그후 자동으로 판매자의 홈페이지로 이동됩니다."

func notice(operation payment.Operation, o payment.Observation) connectors.Notice {
	o.Source = payment.FromWebhook
	return connectors.Notice{Order: order, Operation: operation, Observation: o, Answer: connectors.Answer{ContentType: "text/plain", Body: "OK"}}
}

func TestWebhook(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	const number = "1737000008461"
	won := payment.KRW(10000)
	ended := payment.Report{CompletedAt: time.Date(2019, 10, 16, 9, 41, 26, 0, time.UTC)}
	paid := payment.Observation{Kind: payment.Paid, Reference: number, Amount: won, Report: ended}
	declined := func(code string) payment.Observation {
		return payment.Observation{Kind: payment.Declined, Reference: number, Amount: won, Report: ended, Reason: &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: code, Message: "Some text"}}
	}
	accepted := payment.Observation{Kind: payment.Accepted, Reference: number, Amount: won}
	partialReversal := payment.Observation{Kind: payment.PartialReversal, Reason: &payment.Reason{Code: payment.ReasonPartlyReversed, ProviderCode: "0", Message: "Some text"}}
	reversal := payment.Observation{Kind: payment.Reversal, Reason: &payment.Reason{Code: payment.ReasonReversed, ProviderCode: "0", Message: "Some text"}}
	indeterminate := func(reference, status, why string) payment.Observation {
		return payment.Observation{Kind: payment.Indeterminate, Known: true, Reference: reference, Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: status, Message: why}}
	}
	nameless := func(o payment.Observation) payment.Observation { o.Reference = ""; return o }
	const elsewhere, notItself = "the provider is not sure, or part of the money is elsewhere", "this operation is not the payment itself"
	mismatch := func(why string) payment.Observation {
		o := indeterminate(number, "success", why)
		o.Reason.Code = payment.ReasonAmountMismatch
		return o
	}
	const differ, notWon = "the amounts differ: ", "not all amounts are whole won: "
	success := callback("purchase", "success", "sale", "success", "0")
	sums := func(sum, initial, converted string) string {
		body := strings.Replace(success, `"sum":{"amount":10000,"currency":"KRW"}`, `"sum":`+sum, 1)
		body = strings.Replace(body, `"sum_initial":{"amount":10000,"currency":"KRW"}`, `"sum_initial":`+initial, 1)
		return strings.Replace(body, `"sum_converted":{"amount":10000,"currency":"KRW"}`, `"sum_converted":`+converted, 1)
	}
	const plain = `{"amount":10000,"currency":"KRW"}`
	without := func(body, part string) string { return strings.Replace(body, part, "", 1) }
	in, out := payment.Deposit, payment.Payout
	cases := []struct {
		name, body string
		want       connectors.Notice
	}{
		{"purchase paid", callback("purchase", "success", "sale", "success", "0"), notice(in, paid)},
		{"payout paid", callback("payout", "success", "payout", "success", "0"), notice(out, paid)},
		{"purchase declined", callback("purchase", "decline", "sale", "decline", "603"), notice(in, declined("603"))},
		{"payout declined", callback("payout", "decline", "payout", "decline", "20000"), notice(out, declined("20000"))},
		{"another attempt is open", strings.Replace(callback("purchase", "decline", "sale", "decline", "20105"), `"method"`, `"is_new_attempts_available":1,"method"`, 1), notice(in, accepted)},
		{"processing", callback("payout", "processing", "payout", "external_processing", "9999"), notice(out, accepted)},
		{"refunded", callback("purchase", "refunded", "refund", "success", "0"), notice(in, reversal)},
		{"reversed", callback("purchase", "reversed", "reversal", "success", "0"), notice(in, reversal)},
		{"payout reversed", callback("payout", "reversed", "payout reversal", "success", "0"), notice(out, reversal)},
		{"refund under way", callback("purchase", "refunded", "refund", "processing", "9999"), notice(in, indeterminate("", "refunded", "reversed, but its operation does not say so"))},
		{"refunded by a sale", callback("purchase", "refunded", "sale", "success", "0"), notice(in, indeterminate(number, "refunded", "reversed, but its operation does not say so"))},
		{"partially refunded", callback("purchase", "partially refunded", "refund", "success", "0"), notice(in, partialReversal)},
		{"refund declined", callback("purchase", "success", "refund", "decline", "903"), notice(in, indeterminate("", "success", notItself))},
		{"refund of a payment called success", callback("purchase", "success", "refund", "success", "0"), notice(in, indeterminate("", "success", notItself))},
		{"refund called decline", callback("purchase", "decline", "refund", "decline", "903"), notice(in, indeterminate("", "decline", notItself))},
		{"success of something else", callback("purchase", "success", "customer action", "success", "0"), notice(in, indeterminate("", "success", notItself))},
		{"success of something unknown", callback("purchase", "success", "jackpot", "success", "0"), notice(in, indeterminate("", "success", notItself))},
		{"paid, its operation failed", callback("purchase", "success", "sale", "decline", "0"), notice(in, indeterminate(number, "success", "paid, but its operation did not succeed"))},
		{"declined, its operation succeeded", callback("purchase", "decline", "sale", "success", "20000"), notice(in, indeterminate(number, "decline", "declined, but its operation succeeded"))},
		{"a payout inside a purchase", callback("purchase", "success", "payout", "success", "0"), notice(in, indeterminate(number, "success", "the payment and its operation have different directions"))},
		{"two amounts", sums(plain, `{"amount":20000,"currency":"KRW"}`, plain), notice(in, mismatch(differ+"payment.sum 10000 KRW, operation.sum_initial 20000 KRW, operation.sum_converted 10000 KRW"))},
		{"two amounts of a decline", strings.Replace(callback("purchase", "decline", "sale", "decline", "603"), `"sum_initial":{"amount":10000`, `"sum_initial":{"amount":20000`, 1), notice(in, indeterminate(number, "decline", differ+"payment.sum 10000 KRW, operation.sum_initial 20000 KRW"))},
		{"converted to another amount", sums(plain, plain, `{"amount":9000,"currency":"KRW"}`), notice(in, mismatch(differ+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 9000 KRW"))},
		{"converted to another amount, as texts", sums(plain, plain, `{"amount":"1000000","currency":"KRW"}`), notice(in, mismatch(differ+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 1000000 KRW"))},
		{"converted to less, and the payment says so", sums(`{"amount":9000,"currency":"KRW"}`, plain, `{"amount":9000,"currency":"KRW"}`), notice(in, mismatch(differ+"payment.sum 9000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 9000 KRW"))},
		{"converted to nothing", sums(plain, plain, `{"amount":0,"currency":"KRW"}`), notice(in, mismatch(differ+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 0 KRW"))},
		{"converted to dollars", sums(plain, plain, `{"amount":7.35,"currency":"USD"}`), notice(in, mismatch(notWon+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 7.35 USD"))},
		{"the same number of dollars", sums(plain, plain, `{"amount":10000,"currency":"USD"}`), notice(in, mismatch(notWon+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 10000 USD"))},
		{"the same number of small won", sums(plain, plain, `{"amount":10000,"currency":"krw"}`), notice(in, mismatch(notWon+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted unreadable"))},
		{"converted to no currency", sums(plain, plain, `{"amount":10000}`), notice(in, mismatch(notWon+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted unreadable"))},
		{"converted to a list", sums(plain, plain, `[10000]`), notice(in, mismatch(notWon+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted unreadable"))},
		{"converted to less than nothing", sums(plain, plain, `{"amount":-10000,"currency":"KRW"}`), notice(in, mismatch(notWon+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted -10000 KRW"))},
		{"converted to the same, as a text", sums(plain, plain, `{"amount":"10000.0","currency":"KRW"}`), notice(in, paid)},
		{"not converted", sums(plain, plain, `null`), notice(in, paid)},
		{"converted from what was paid alone", sums(`null`, `null`, `{"amount":9000,"currency":"KRW"}`), notice(in, indeterminate(number, "success", "paid, but nothing says how much"))},
		{"converted by an operation without a type", strings.Replace(sums(plain, plain, `{"amount":9000,"currency":"KRW"}`), `"type":"sale",`, ``, 1), notice(in, nameless(mismatch(differ+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 9000 KRW")))},
		{"what was processed, in the root", strings.Replace(success, `{`, `{"sum_real":{"amount":9000,"currency":"KRW"},`, 1), notice(in, mismatch(differ+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 10000 KRW, sum_real 9000 KRW"))},
		{"declined, and converted to nothing", strings.Replace(callback("purchase", "decline", "sale", "decline", "603"), `"sum_converted":{"amount":10000`, `"sum_converted":{"amount":0`, 1), notice(in, declined("603"))},
		{"processing, and not converted yet", strings.Replace(callback("payout", "processing", "payout", "processing", "9999"), `"sum_converted":{"amount":10000,"currency":"KRW"}`, `"sum_converted":{"amount":0,"currency":"USD"}`, 1), notice(out, accepted)},
		{"payout converted to another amount", strings.Replace(callback("payout", "success", "payout", "success", "0"), `"sum_converted":{"amount":10000`, `"sum_converted":{"amount":9000`, 1), notice(out, mismatch(differ+"payment.sum 10000 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 9000 KRW"))},
		{"a fraction", sums(`{"amount":10000.10,"currency":"KRW"}`, plain, plain), notice(in, mismatch(notWon+"payment.sum 10000.10 KRW, operation.sum_initial 10000 KRW, operation.sum_converted 10000 KRW"))},
		{"a fraction in the operation", sums(plain, `{"amount":10000.10,"currency":"KRW"}`, plain), notice(in, mismatch(notWon+"payment.sum 10000 KRW, operation.sum_initial 10000.10 KRW, operation.sum_converted 10000 KRW"))},
		{"dollars", strings.ReplaceAll(success, "KRW", "USD"), notice(in, mismatch(notWon+"payment.sum 10000 USD, operation.sum_initial 10000 USD, operation.sum_converted 10000 USD"))},
		{"a sum that is a text", sums(`"10000"`, plain, plain), notice(in, mismatch(notWon+"payment.sum unreadable, operation.sum_initial 10000 KRW, operation.sum_converted 10000 KRW"))},
		{"the operation's sum only", without(callback("purchase", "success", "sale", "success", "0"), `"sum":{"amount":10000,"currency":"KRW"},`), notice(in, paid)},
		{"no sum at all", without(without(callback("purchase", "success", "sale", "success", "0"), `"sum":{"amount":10000,"currency":"KRW"},`), `"sum_initial":{"amount":10000,"currency":"KRW"},`), notice(in, indeterminate(number, "success", "paid, but nothing says how much"))},
		{"nothing paid", strings.ReplaceAll(callback("purchase", "success", "sale", "success", "0"), `10000`, `0`), notice(in, indeterminate(number, "success", "paid, but nothing says how much"))},
		{"amounts as texts", strings.ReplaceAll(callback("purchase", "success", "sale", "success", "0"), `10000`, `"10000.00"`), notice(in, paid)},
		{"no direction", strings.ReplaceAll(callback("x", "success", "sale", "success", "0"), `"type":"sale",`, ``), notice("", payment.Observation{Kind: payment.Paid, Amount: won})},
		{"the operation's direction", callback("", "success", "payout", "success", "0"), notice(out, paid)},
		{"no operation", `{"project_id":"200","payment":{"id":"` + order + `","type":"purchase","status":"success","sum":{"amount":10000,"currency":"KRW"}}}`, notice(in, payment.Observation{Kind: payment.Paid, Amount: won})},
		{"no project", `{"payment":{"id":"` + order + `","status":"decline"}}`, notice("", payment.Observation{Kind: payment.Declined, Reason: &payment.Reason{Code: payment.ReasonDeclined}})},
		{"no status", `{"payment":{"id":"` + order + `"}}`, notice("", indeterminate("", "", "no page documents this status"))},
		{"unknown status", callback("payout", "paid", "payout", "success", "0"), notice(out, indeterminate(number, "paid", "no page documents this status"))},
		{"internal error", callback("payout", "internal error", "payout", "internal error", "501"), notice(out, indeterminate(number, "internal error", elsewhere))},
	}
	for _, k := range cases {
		for name, key := range map[string]secret.Value{"current": current, "previous": previous} {
			t.Run(k.name+", "+name, func(t *testing.T) {
				got, err := c.Webhook(nil, []byte(signedBy(t, key, k.body)), now)
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, got, k.want)
				nested := `{"general":{},` + k.body[1:]
				if got, err = c.Webhook(nil, []byte(signedBy(t, key, nested)), now); err != nil {
					t.Fatal(err)
				}
				mustEqual(t, got, k.want)
			})
		}
	}
}

// Only the documented statuses of an operation leave a success a success.
func TestOperationStatuses(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	for _, status := range strings.Split("processing|awaiting approval|awaiting 3ds result|awaiting redirect result|awaiting customer|awaiting customer action|awaiting clarification|awaiting merchant auth|awaiting payment|"+
		"awaiting confirmation|awaiting finalization|external processing|external error|internal error|decline|success|unknown|expired|invoice sent|invoice cancelled|SUCCESS", "|") {
		n, err := c.Webhook(nil, []byte(signedBy(t, current, callback("purchase", "success", "sale", status, "0"))), now)
		if err != nil || (n.Observation.Kind == payment.Paid) != (status == "success") || n.Observation.Kind == payment.Declined {
			t.Errorf("%s: got %+v, %v", status, n.Observation, err)
		}
	}
	for _, kind := range strings.Split("auth|capture|cancel|refund|refund reverse|reversal|recurring|recurring update|recurring cancel|account verification|manual change|create_cash_voucher|commission|incremental|"+
		"invoice|customer action|payment confirmation|capture settlement|contract registration|sale|payout", "|") {
		for _, status := range []string{"success", "decline"} {
			n, err := c.Webhook(nil, []byte(signedBy(t, current, callback("purchase", status, kind, status, map[string]string{"success": "0", "decline": "603"}[status]))), now)
			if err != nil || (n.Observation.Kind != payment.Indeterminate) != (kind == "sale") || (n.Observation.Reference != "") != (kind == "sale" || kind == "payout") {
				t.Errorf("%s %s: got %+v, %v", kind, status, n.Observation, err)
			}
		}
	}
}

func TestActions(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	sandbox := connect(t, settings("http://127.0.0.1:1"))
	at := time.Date(2019, 10, 16, 9, 41, 26, 0, time.UTC)
	transfer := func(change func(*payment.TransferInstructions)) *payment.Action {
		tr := &payment.TransferInstructions{AccountNumber: "1111-1111-1111", AccountHolder: "TEST", BankName: "Kyungnam Bank 039", ExpiresAt: at.Add(time.Minute), Messages: map[string]string{
			"ko": koreanInstructions, "ko-x-timeout": strings.TrimPrefix(koreanInstructions, "입력하신 입금계좌로 실시간 계좌이체를 계속하십시오. "),
			"en":           "Proceed with online banking transfer to designated account. Do not close this page till your transaction is successfully processed, it might take up to 4 minutes for us to confirm your payment. You will be automatically redirected to merchant WEB site afterwards.",
			"en-x-timeout": "Do not close this page till your transaction is successfully processed, it might take up to 4 minutes for us to process your payment. You will be automatically redirected to merchant WEB site afterwards.",
		}}
		change(tr)
		return &payment.Action{Type: payment.ActionTransfer, Transfer: tr}
	}
	redirect := func(method, url string, fields map[string]string) *payment.Action {
		return &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: method, URL: url, Fields: fields}}
	}
	form := map[string]string{"sid": "2553", "tid": "1737000008461", "amount": "10000", "currency": "KRW", "payby": "p2p", "item_quantity[]": "1", "item_amount_unit[]": "1000000",
		"firstname": "Sung", "lastname": "Do", "email": "clearskies07@gmail.com"}
	clarification := func(fields map[string][]string, schema string, messages map[string]string) *payment.Action {
		return &payment.Action{Type: payment.ActionClarification, Clarification: &payment.Clarification{Fields: fields, Schema: schema, Messages: messages}}
	}
	names := map[string]string{"ko": "은행 계좌의 소유주 명과 일치하는 성함을 정확히 넣어주셔야 합니다.", "en": "You must enter your first and last name exactly the same as those registered in your bank."}
	const nameSchema = `{"customer":{"type":"object","required":["last_name"],"properties":{"last_name":{"type":"string"}}}}`
	const schema = `{"avs_data":{"type":"object","properties":{"avs_post_code":{"type":"string","maxLength":10,"x":[true,false,null,"é"]}}}}`
	bank := func(url string) string {
		return `"redirect_data":{"method":"GET","body":[],"encrypted":[],"url":"` + url + `"}`
	}
	cases := []struct {
		name, status, more string
		conn               *ecommpay.Connector
		want               *payment.Action
	}{
		{"redirect of the page", "awaiting redirect result", redirectData, c, redirect("POST", "https://secure.awepay.com/", form)},
		{"redirect, lower case", "awaiting customer", strings.Replace(redirectData, `"POST"`, `"post"`, 1), c, redirect("POST", "https://secure.awepay.com/", form)},
		{"GET", "awaiting redirect result", bank("https://bank.example.com/a?b=c"), c, redirect("GET", "https://bank.example.com/a?b=c", nil)},
		{"GET with a form", "awaiting redirect result", `"redirect_data":{"method":"GET","body":{"x y":"1&2","n":null},"url":"https://bank.example.com/a?b=c"}`, c, redirect("GET", "https://bank.example.com/a?b=c&n=&x+y=1%262", nil)},
		{"redirectData", "awaiting redirect result", strings.Replace(redirectData, `redirect_data`, `redirectData`, 1), c, redirect("POST", "https://secure.awepay.com/", form)},
		{"no method", "awaiting redirect result", strings.Replace(redirectData, `"method"`, `"m"`, 1), c, nil},
		{"PUT", "awaiting redirect result", strings.Replace(redirectData, `"POST"`, `"PUT"`, 1), c, nil},
		{"plain page", "awaiting redirect result", bank("http://bank.example.com/"), c, nil},
		{"plain page at the sandbox", "awaiting redirect result", bank("http://bank.example.com/"), sandbox, nil},
		{"loopback at the sandbox", "awaiting redirect result", bank("http://localhost:1/"), sandbox, redirect("GET", "http://localhost:1/", nil)},
		{"loopback", "awaiting redirect result", bank("http://localhost:1/"), c, nil},
		{"script", "awaiting redirect result", bank("javascript:alert(1)"), c, nil},
		{"a user in the URL", "awaiting redirect result", bank("https://bank.example.com@evil.example.com/"), c, nil},
		{"broken URL", "awaiting redirect result", bank("https://%zz/"), c, nil},
		{"too long", "awaiting redirect result", bank("https://bank.example.com/" + strings.Repeat("a", 2048)), c, nil},
		{"encrypted", "awaiting redirect result", strings.Replace(bank("https://bank.example.com/"), `"encrypted":[]`, `"encrypted":["x"]`, 1), c, nil},
		{"a form in a form", "awaiting redirect result", strings.Replace(redirectData, `"sid":2553`, `"sid":{"a":1}`, 1), c, nil},
		{"a form that is a text", "awaiting redirect result", `"redirect_data":{"method":"POST","body":"a=b","url":"https://bank.example.com/"}`, c, nil},
		{"transfer of the page", "awaiting customer", extraFields, c, transfer(func(*payment.TransferInstructions) {})},
		{"transfer without a time", "awaiting customer", strings.Replace(extraFields, `60`, `"soon"`, 1), c, transfer(func(t *payment.TransferInstructions) { t.ExpiresAt = time.Time{} })},
		{"transfer with no time left", "awaiting customer", strings.Replace(extraFields, `60`, `-60`, 1), c, transfer(func(t *payment.TransferInstructions) { t.ExpiresAt = time.Time{} })},
		{"transfer in more than a year", "awaiting customer", strings.Replace(extraFields, `60`, `99999999999`, 1), c, transfer(func(t *payment.TransferInstructions) { t.ExpiresAt = time.Time{} })},
		{"time as a text", "awaiting customer", strings.Replace(extraFields, `60`, `"60"`, 1), c, transfer(func(*payment.TransferInstructions) {})},
		{"transfer without an account", "awaiting customer", strings.Replace(extraFields, `"1111-1111-1111"`, `""`, 1), c, nil},
		{"an account that is too long", "awaiting customer", strings.Replace(extraFields, `1111-1111-1111`, strings.Repeat("1", 257), 1), c, nil},
		{"other extra fields", "awaiting customer", `"provider_extra_fields":{"extended":{}}`, c, nil},
		{"extra fields are a text", "awaiting customer", `"provider_extra_fields":"x"`, c, nil},
		{"transfer with a QR code", "awaiting customer", extraFields + `,"display_data":[{"type":"qr_img","data":"x"},{"type":"qr_data","title":"t","data":"code"}]`, c, transfer(func(t *payment.TransferInstructions) { t.QRCode = "code" })},
		{"a QR code alone", "awaiting customer", `"display_data":[{"type":"qr_data","data":"code"}]`, c, transfer(func(t *payment.TransferInstructions) {
			*t = payment.TransferInstructions{QRCode: "code", Messages: t.Messages}
		})},
		{"a QR code that is too long", "awaiting customer", `"display_data":[{"type":"qr_data","data":"` + strings.Repeat("x", 5000) + `"}]`, c, nil},
		{"display data of another form", "awaiting customer", `"display_data":{"payment_page":"x"}`, c, nil},
		{"redirect before transfer", "awaiting redirect result", extraFields + "," + bank("https://bank.example.com/"), c, redirect("GET", "https://bank.example.com/", nil)},
		{"clarification", "awaiting clarification", `"clarification_fields":{"customer":["last_name","first_name"],"avs_data":["avs_post_code"]}`, c, clarification(map[string][]string{"customer": {"last_name", "first_name"}, "avs_data": {"avs_post_code"}}, "", names)},
		{"clarification of the first name", "awaiting clarification", `"clarification_fields":{"customer":["first_name"]}`, c, clarification(map[string][]string{"customer": {"first_name"}}, "", names)},
		{"clarification of something else", "awaiting clarification", `"clarification_fields":{"customer":["email"],"avs_data":["avs_post_code"]}`, c, clarification(map[string][]string{"customer": {"email"}, "avs_data": {"avs_post_code"}}, "", nil)},
		{"clarification of a name by schema", "awaiting clarification", `"clarification_fields":` + nameSchema, c, clarification(nil, nameSchema, names)},
		{"clarification by schema", "awaiting clarify data", `"clarification_fields":` + schema, c, clarification(nil, schema, nil)},
		{"a schema that is too long", "awaiting clarification", `"clarification_fields":{"a":{"b":"` + strings.Repeat("x", 20000) + `"}}`, c, nil},
		{"clarification of texts", "awaiting clarification", `"clarification_fields":{"product_id":"12345"}`, c, nil},
		{"clarification of a text", "awaiting clarification", `"clarification_fields":"x"`, c, nil},
		{"clarification of nothing", "awaiting clarification", `"clarification_fields":[]`, c, nil},
		{"clarification of numbers", "awaiting clarification", `"clarification_fields":{"customer":[1]}`, c, nil},
		{"no clarification", "awaiting clarification", extraFields, c, nil},
		{"clarification in another status", "processing", `"clarification_fields":{"customer":["last_name"]}`, c, nil},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			got, err := k.conn.Webhook(nil, []byte(signedBy(t, current, callback("purchase", k.status, "sale", k.status, "9999", k.more))), now)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, got, notice(payment.Deposit, payment.Observation{Kind: payment.Accepted, Reference: "1737000008461", Amount: payment.KRW(10000), Action: k.want}))
		})
	}
	// Nothing is to be done any more when there is an outcome.
	for _, status := range []string{"success", "decline"} {
		got, err := c.Webhook(nil, []byte(signedBy(t, current, callback("purchase", status, "sale", status, "", redirectData, extraFields))), now)
		if err != nil || got.Observation.Action != nil {
			t.Errorf("%s: got %+v, %v", status, got, err)
		}
	}
	// The operation's time counts before the payment's.
	body := strings.Replace(callback("purchase", "awaiting customer", "sale", "awaiting customer", "", extraFields), "2019-10-16T09:41:26+0000", "2019-10-16T09:00:00+0000", 1)
	if got, err := c.Webhook(nil, []byte(signedBy(t, current, body)), now); err != nil || !got.Observation.Action.Transfer.ExpiresAt.Equal(at.Add(time.Minute)) {
		t.Errorf("got %+v, %v", got, err)
	}
	// A newer way of writing a time, and the time of transfer where there is none.
	for written, want := range map[string]time.Time{"2019-10-16T09:41:26+0000": at, "2019-10-16T18:41:26+09:00": at, "yesterday": now} {
		body := strings.ReplaceAll(callback("purchase", "awaiting customer", "sale", "awaiting customer", "", extraFields), "2019-10-16T09:41:26+0000", written)
		got, err := c.Webhook(nil, []byte(signedBy(t, current, body)), now)
		if err != nil || !got.Observation.Action.Transfer.ExpiresAt.Equal(want.Add(time.Minute)) {
			t.Errorf("%s: got %+v, %v", written, got, err)
		}
	}
}

// The format that only brings a redirect (the SDKs' test data).
func TestRedirectOnly(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	body := `{"general":{"project_id":200},"redirectData":{"method":"GET","body":[],"encrypted":[],"url":"https://bank.example.com/"},"payment":{"id":"` + order + `"}}`
	got, err := c.Webhook(nil, []byte(signedBy(t, current, body)), now)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, got, notice("", payment.Observation{Kind: payment.Accepted, Action: &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://bank.example.com/"}}}))
	finished := strings.Replace(body, `"payment":`, `"operation":{"type":"sale","status":"success","id":1},"payment":`, 1)
	if got, err = c.Webhook(nil, []byte(signedBy(t, current, finished)), now); err != nil || got.Observation.Kind != payment.Indeterminate {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err = c.Webhook(nil, []byte(signedBy(t, current, strings.Replace(body, "https", "gopher", 1))), now); err != nil || got.Observation.Kind != payment.Indeterminate {
		t.Errorf("got %+v, %v", got, err)
	}
}

func refused(t testing.TB, err error, want connectors.WebhookRefusal) {
	t.Helper()
	var e *connectors.WebhookError
	if !errors.As(err, &e) || e.Refusal != want || strings.Contains(err.Error(), order) || strings.Contains(err.Error(), "zq7w") {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWebhookRefuses(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	good := callback("purchase", "success", "sale", "success", "0")
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "{", "not signed": good, "another secret": signedBy(t, foreign, good),
		"changed": strings.Replace(signedBy(t, current, good), "10000", "1", 1),
		"doubled": strings.Replace(signedBy(t, current, good), `"status":"success"`, `"status":"success","status":"success"`, 1),
	} {
		_, err := c.Webhook(nil, []byte(body), now)
		if refused(t, err, connectors.BadSignature); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, body := range []string{
		strings.Replace(good, `"project_id":200`, `"project_id":201`, 1),
		strings.Replace(good, `"project_id":200`, `"project_id":200.0`, 1),
		strings.Replace(good, `"project_id":200`, `"project_id":{}`, 1),
		strings.Replace(good, `{`, `{"general":{"project_id":201},`, 1),
	} {
		_, err := c.Webhook(nil, []byte(signedBy(t, current, body)), now)
		refused(t, err, connectors.WrongProvider)
	}
	for _, body := range []string{
		strings.Replace(good, order, "", 1), strings.Replace(good, order, "a b", 1), strings.Replace(good, `"`+order+`"`, "11111111111111.1", 1), strings.Replace(good, `"`+order+`"`, "null", 1),
		strings.Replace(good, order, strings.Repeat("x", 65), 1), `{"project_id":200}`, `{"project_id":200,"payment":[]}`,
	} {
		_, err := c.Webhook(nil, []byte(signedBy(t, current, body)), now)
		refused(t, err, connectors.BadWebhook)
	}
	n, err := c.Webhook(nil, []byte(signedBy(t, current, strings.Replace(good, `"`+order+`"`, "12345", 1))), now)
	if err != nil || n.Order != "12345" {
		t.Errorf("got %+v, %v", n, err)
	}
	n, err = c.Webhook(nil, []byte(signedBy(t, current, `{"general":{"payment_id":"mine"},"payment":{"id":"theirs","status":"processing"}}`)), now)
	if err != nil || n.Order != "mine" {
		t.Errorf("got %+v, %v", n, err)
	}
}

// Every published callback, signed for our project: none settles or fails anything, as none is one of
// Korean banks, and none that names a payment is refused.
func TestPublishedCallbacks(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	names := map[string]bool{"php-callback": true, "php-callbackformat-4-redirectData": true, "php-pe868-format-1": true, "php-pe868-format-7": true, "go-callback-general-sign": true, "python-multilevel": true}
	for _, v := range vectors(t).Vectors {
		if v.Kind != "callback" {
			continue
		}
		_, err := c.Webhook(nil, v.Data, now)
		refused(t, err, connectors.BadSignature) // of another project
		var doc map[string]any
		if err := json.Unmarshal(v.Data, &doc); err != nil {
			t.Fatal(err)
		}
		delete(doc, "signature")
		if general, ok := doc["general"].(map[string]any); ok {
			delete(general, "signature")
			delete(general, "project_id")
		}
		if doc["project_id"] != nil {
			doc["project_id"] = 200
		}
		body, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		n, err := c.Webhook(nil, []byte(signedBy(t, current, string(body))), now)
		if (err == nil) != names[v.ID] || err == nil && n.Observation.Kind != payment.Indeterminate {
			t.Errorf("%s: got %+v, %v", v.ID, n, err)
		}
		if err != nil {
			refused(t, err, connectors.BadWebhook)
		}
	}
}

func TestWebhookMessagesAreCovered(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	body := strings.Replace(callback("payout", "decline", "payout", "decline", "20000"), "Some text", `account 950-001413-01-010 of a.b@example.com\u0000`, 1)
	n, err := c.Webhook(nil, []byte(signedBy(t, current, body)), now)
	if err != nil || n.Observation.Kind != payment.Declined || strings.ContainsAny(n.Observation.Reason.Message, "0123456789@\x00") {
		t.Errorf("got %+v, %v", n, err)
	}
	if shown := fmt.Sprintf("%+v", n.Observation.Reason); strings.Contains(shown, "950") {
		t.Error(shown)
	}
}
