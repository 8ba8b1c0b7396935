package diamondpay_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// The answers of the three deposit pages, as they are there.
const (
	standardV1 = `{
"error_code": "0000",
"data": {
"link": "https://xxx.xxx.xx/gateway/portal/v1/payments/GqhJK1nePB",
"register_link": "https://xxx.xxx.xx/gateway/register/v1/payments/GqhJK1ne"
}
}`
	detailedV1 = `{
"error_code": "0000",
"data": {
"link": "http://xxx.xxx.xx/gateway/portal/v1/payments/GqhJK1nePB",
"payment_info": {
"amount": 50000,
"display_amount": 49996,
"payment_id": "PM00161864",
"payment_cl_id": "DEVPM00014581",
"receiver": {
"card_name": "test_name",
"card_number": "201408150955",
"bank_name": "test_bank",
"bank_branch": ""
},
"sender": {
"card_name": "test_name",
"card_number": "*************123456",
"bank_name": "test_name"
},
"token": "26022"
}
}
}`
	acceptedV2 = `{
"error_code": "0000",
"data": {
"link": "https://pay.example.com/cashier/DEMOPM0123456",
"payment_id": "DEMOPM0123456",
"payment_cl_id": "order_20260112001",
"amount": 5001000,
"qr_code_content": "00020101021238600010A000000727013000069704480",
"token": "fabdzannfa",
"card_name": "NGUYEN VAN A",
"card_number": "0110100007725008",
"bank_name": "Asia Commercial Bank",
"bank_code": "ACB",
}
}`
	acceptedTWD = `{
"data": {
"link": "http://localhost:8889/payment/index.html?token=eyJhbGciOiJ",
"paymentInfo": {
"amount": 48389,
"displayAmount": 48389,
"paymentClId": "test_tw_card_1766005863_25",
"paymentId": "DEVPM00000018",
"receiver": {
"bankBranch": "",
"bankLogo": "",
"bankName": "臺灣企銀",
"cardName": "test",
"cardNumber": "12345666"
},
"token": "无须附言"
}
},
"errorCode": "0000"
}`
	exampleError   = `{"error_code": "0004","error_msg": "Signature Verification Failed!"}`
	acceptedPayout = `{"error_code":"0000","data":{"payout_id":"POT00000001"}}`
	linkV1         = "http://xxx.xxx.xx/gateway/portal/v1/payments/GqhJK1nePB"
)

// snakeTWD is the answer of the TWD deposit page in the names that its text describes.
var snakeTWD = strings.NewReplacer("paymentInfo", "payment_info", "displayAmount", "display_amount", "paymentClId", "payment_cl_id", "paymentId", "payment_id",
	"bankBranch", "bank_branch", "bankLogo", "bank_logo", "bankName", "bank_name", "cardName", "card_name", "cardNumber", "card_number", "errorCode", "error_code").Replace(acceptedTWD)

// plainLinks lets http:// pages through.
func plainLinks(a account) account {
	return with(a, func(s *diamondpay.Settings) { s.AllowPlainLinks = true })
}

func orderV2() payment.Command {
	cmd := deposit(payment.KRW(50010))
	cmd.Order = "order_20260112001"
	return cmd
}

func redirect(url, register string) *payment.Action {
	return &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: url, RegisterURL: register}}
}

func transfer(t payment.TransferInstructions) *payment.Action {
	return &payment.Action{Type: payment.ActionTransfer, Transfer: &t}
}

func TestAnswersOfTheDepositPages(t *testing.T) {
	accepted := func(reference string, amount payment.Money, action *payment.Action) payment.Observation {
		return payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, Reference: reference, Amount: amount, Action: action}
	}
	inWon := strings.NewReplacer(": 50000,", ": 5000000,", "49996", "4999600").Replace(detailedV1)
	dollars := accepted("DEVPM00000018", payment.TWD(48389), transfer(payment.TransferInstructions{
		AccountNumber: "12345666", AccountHolder: "test", BankName: "臺灣企銀", Amount: payment.TWD(48389)}))
	cases := []struct {
		name    string
		account account
		cmd     payment.Command
		answer  string
		want    payment.Observation
	}{
		{"KRW deposit page, standard", krwV1, deposit(payment.KRW(1300000)), standardV1, accepted("", payment.Money{},
			redirect("https://xxx.xxx.xx/gateway/portal/v1/payments/GqhJK1nePB", "https://xxx.xxx.xx/gateway/register/v1/payments/GqhJK1ne"))},
		{"KRW deposit page, 499.96 won cannot be transferred", plainLinks(krwV1), deposit(payment.KRW(500)), detailedV1,
			accepted("PM00161864", payment.KRW(500), redirect(linkV1, ""))},
		{"the example of the KRW deposit page, with https only the closest to 499.96 won", krwV1, deposit(payment.KRW(500)), detailedV1, accepted("PM00161864", payment.KRW(500), transfer(payment.TransferInstructions{
			AccountNumber: "201408150955", AccountHolder: "test_name", BankName: "test_bank", Amount: payment.KRW(500), Reference: "26022"}))},
		{"KRW deposit page, in whole won", krwV1, deposit(payment.KRW(50000)), inWon, accepted("PM00161864", payment.KRW(50000), transfer(payment.TransferInstructions{
			AccountNumber: "201408150955", AccountHolder: "test_name", BankName: "test_bank", Amount: payment.KRW(49996), Reference: "26022"}))},
		{"KRW deposit page, another amount goes to the domain", krwV1, deposit(payment.KRW(1)), inWon, accepted("PM00161864", payment.KRW(50000), transfer(payment.TransferInstructions{
			AccountNumber: "201408150955", AccountHolder: "test_name", BankName: "test_bank", Amount: payment.KRW(49996), Reference: "26022"}))},
		{"v2 deposit page", krwV2, orderV2(), acceptedV2, accepted("DEMOPM0123456", payment.KRW(50010), transfer(payment.TransferInstructions{
			AccountNumber: "0110100007725008", AccountHolder: "NGUYEN VAN A", BankCode: "ACB", BankName: "Asia Commercial Bank",
			Reference: "fabdzannfa", QRCode: "00020101021238600010A000000727013000069704480"}))},
		{"TWD deposit page, camelCase", twd, depositTWD(), acceptedTWD, dollars},
		{"TWD deposit page, snake_case", twd, depositTWD(), snakeTWD, dollars},
		{"payout", krwV2, payout(), acceptedPayout, accepted("POT00000001", payment.Money{}, nil)},
		{"payout that repeats the order", krwV1, payout(), `{"error_code":"0000","data":{"payout_id":"POT1","payout_cl_id":"` + order + `","amount":1000000}}`,
			accepted("POT1", payment.KRW(10000), nil)},
	}
	for _, c := range cases {
		for name, a := range map[string]account{"MD5": c.account, "HMAC": hmacOf(c.account)} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				o, err := submit(t, a, c.cmd, c.answer)
				if err != nil {
					t.Fatal(err)
				}
				mustEqual(t, o, c.want)
			})
		}
	}
	for _, a := range []account{krwV1, krwV2} {
		e := classified(t, second(submit(t, a, deposit(payment.KRW(500)), exampleError)))
		if e.Class != connectors.Misconfigured || e.ProviderCode != "0004" || e.Message != "Signature Verification Failed!" {
			t.Errorf("the error of the deposit pages: %+v", e)
		}
	}
}

func second(_ payment.Observation, err error) error { return err }

// The whole body of each request, of which the sign is checked against the vectors or by Verify.
func TestRequests(t *testing.T) {
	full := deposit(payment.KRW(1300000))
	full.Account = payment.Account{Number: "345345345", BankCode: "088"}
	named := full
	named.Account.BankCode, named.Account.BankName = "", "신한"
	v2Order := deposit(payment.KRW(500000))
	method := func(m string) payment.Command { cmd := v2Order; cmd.Method = m; return cmd }
	taiwan := depositTWD()
	taiwan.Account.BankCode = "007"
	paid := payout()
	paid.Account.BankCode, paid.Account.Holder, paid.Customer.Name = "004", "", "김"
	banks := with(krwV2, func(s *diamondpay.Settings) {
		s.BankCodes, s.PayoutNotifyURL = map[string]string{"004": "KBSTAR_KR"}, ""
	})
	own := with(krwV2, func(s *diamondpay.Settings) {
		s.Services, s.PayoutService = map[string]string{"direct": "SVC0116", "wallet": "SVC0042"}, "SVC0104"
	})
	longID := deposit(payment.KRW(1300000))
	longID.Customer.ID = "12345678-1234-1234-1234-123456789012"
	blankID := longID
	blankID.Customer.ID = "   "
	directOnly := with(krwV2, func(s *diamondpay.Settings) { s.DepositMethods = []string{"direct", "qr"} })
	wonV1 := func(more string) string {
		return `{"amount":"130000000","name":"테스","user_id":"playerA",` + more + `"notify_url":"https://xxx.xx/notification","payment_cl_id":"DEVPM00014581","platform_id":"PF0002","request_time":"1595504136","service_id":"SVC0026"`
	}
	wonV2 := func(service string) string {
		return `{"amount":"50000000","notify_url":"https://xxx.xx/notification","payment_cl_id":"DEVPM00014581","platform_id":"PF0002","request_time":"1595504136","service_id":"` + service + `"`
	}
	dollars := func(more string) string {
		return `{"amount":48389,"last_numbers":["12345","67890","11111"],` + more + `"name":"王小頭","notify_url":"http://localhost:54725/gateway/test-notification",` +
			`"payment_cl_id":"test_tw_card_1766005863_25","platform_id":"PF0003","request_time":1766005863,"service_id":"SVC0025"`
	}
	const won, atV2, out = "POST /gateway/api/v1/payments", "POST /gateway/api/v2/payments", "POST /gateway/api/v2/payouts"
	cases := []struct {
		name    string
		account account
		cmd     payment.Command
		path    string
		want    string // without the signature
	}{
		{"won v1, as the KRW deposit page", krwV1, deposit(payment.KRW(1300000)), won, wonV1("")},
		{"won v1, all fields", krwV1, full, won, wonV1(`"last_number":"345345345","bank_name":"088",`)},
		{"won v1, a bank by name", krwV1, named, won, wonV1(`"last_number":"345345345","bank_name":"신한",`)},
		{"won v1, a customer's number that is too long", krwV1, longID, won, strings.Replace(wonV1(""), `"user_id":"playerA",`, "", 1)},
		{"won v1, a customer's number of blanks", krwV1, blankID, won, strings.Replace(wonV1(""), `"user_id":"playerA",`, "", 1)},
		{"won v2, a service of the account's own", own, method("direct"), atV2, wonV2("SVC0116")},
		{"won v2, a method of the account's own", own, method("wallet"), atV2, wonV2("SVC0042")},
		{"won v2, a service of the pages beside them", own, method(""), atV2, wonV2("SVC0015")},
		{"payout, a service of the account's own", own, payout(), out, `{"amount":1000000,"bank_name":"KBSTAR_KR","currency":"krw","name":"홍길동","notify_url":"https://xxx.xx/payouts","number":"110222333444",` +
			`"payout_cl_id":"DEVPM00014581","phone_number":"01012345678","platform_id":"PF0002","request_time":1595504136,"service_id":"SVC0104"`},
		{"won v2, as the v2 deposit page", krwV2, v2Order, atV2, wonV2("SVC0015")},
		{"won v2, card", krwV2, method("card"), atV2, wonV2("SVC0015")},
		{"won v2, direct", krwV2, method("direct"), atV2, wonV2("SVC0016")},
		{"won v2, qr", krwV2, method("qr"), atV2, wonV2("SVC0017")},
		{"won v2, another default", directOnly, v2Order, atV2, wonV2("SVC0016")},
		{"dollars, as the TWD deposit page", twd, depositTWD(), won, dollars("")},
		{"dollars, with a bank", twd, taiwan, won, dollars(`"bank_code":"007",`)},
		{"payout", krwV1, payout(), out, `{"amount":1000000,"bank_name":"KBSTAR_KR","currency":"krw","name":"홍길동","notify_url":"https://xxx.xx/payouts","number":"110222333444",` +
			`"payout_cl_id":"DEVPM00014581","phone_number":"01012345678","platform_id":"PF0002","request_time":1595504136,"service_id":"SVC0004"`},
		{"payout, the bank from the table", banks, paid, out, `{"amount":1000000,"bank_name":"KBSTAR_KR","currency":"krw","name":"김","number":"110222333444",` +
			`"payout_cl_id":"DEVPM00014581","phone_number":"01012345678","platform_id":"PF0002","request_time":1595504136,"service_id":"SVC0004"`},
	}
	for _, c := range cases {
		for signType, a := range map[string]account{diamondpay.MD5: c.account, diamondpay.HMACSHA256: hmacOf(c.account)} {
			t.Run(c.name+", "+signType, func(t *testing.T) {
				g := newGateway(t, reply(exampleError))
				at := now
				if c.cmd.Amount.Currency == "TWD" {
					at = time.Unix(1766005863, 0)
				}
				if err := second(connectAt(t, a(g.URL), func() time.Time { return at }).Submit(testContext(t), c.cmd)); classified(t, err).Class != connectors.Misconfigured {
					t.Fatal(err)
				}
				r := g.Only(t)
				sign, err := diamondpay.Sign(signType, key, r.Body)
				if err != nil {
					t.Fatal(err)
				}
				want := c.want + `,"sign":"` + sign + `"}`
				if signType == diamondpay.HMACSHA256 {
					want = c.want + `,"sign_type":"HMAC-SHA256","sign":"` + sign + `"}`
				}
				if r.String() != c.path || string(r.Body) != want {
					t.Errorf("sent %s\n%s\nwant %s\n%s", r.String(), r.Body, c.path, want)
				}
				if err := diamondpay.Verify(signType, []string{key}, r.Body); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Every documented code, the assumed meaning of each, and codes that no page has. An answer by one of the refusing
// codes proves nothing, and says so.
func TestCodes(t *testing.T) {
	meanings := map[string]string{
		"rejected":         "0002 0008 0012 0026 0028 0029",
		"misconfigured":    "0003 0004 0005 0006 0009 0010 0015 0016 0019 0020 0021 0022 0023 0027",
		"low_balance":      "0018",
		"duplicate":        "0014",
		"doubtful refusal": "0011 0013 0017 0030 0049 0051 1001 9999",
		"in_doubt":         "0001 0007 0024 0025 0050 4 00004 success 004a ０００４",
	}
	wanted := map[string]connectors.Error{
		"rejected":         {Class: connectors.Rejected, Code: payment.ReasonDeclined},
		"misconfigured":    {Class: connectors.Misconfigured, Code: payment.ReasonAccountMisconfigured},
		"low_balance":      {Class: connectors.NotSent, Code: payment.ReasonBalance},
		"duplicate":        {Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, Known: true},
		"doubtful refusal": {Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, Refused: true},
		"in_doubt":         {Class: connectors.InDoubt, Code: payment.ReasonIndeterminate},
	}
	seen := 0
	for name, codes := range meanings {
		for _, code := range strings.Fields(codes) {
			seen++
			checkCode(t, code, wanted[name])
		}
	}
	checkCode(t, "0000 ", wanted["in_doubt"])
	if seen != 40 {
		t.Errorf("%d codes", seen)
	}
}

func checkCode(t *testing.T, code string, want connectors.Error) {
	t.Helper()
	answer := func(more string) string { return `{"error_code":"` + code + `","error_msg":"some text"` + more + `}` }
	for _, cmd := range []payment.Command{deposit(payment.KRW(500)), payout()} {
		for _, empty := range []string{``, `,"data":null`, `,"data":{}`, `,"data":[]`, `,"payment_id":"","link":null,"trace":"x"`} {
			e := classified(t, second(submit(t, krwV1, cmd, answer(empty))))
			if e.Class != want.Class || e.Code != want.Code || e.Message != "some text" || e.Known != want.Known || e.Refused != want.Refused || e.Evidence == "" {
				t.Errorf("%s %s%s: got %+v", cmd.Operation, code, empty, e)
			}
			if isASCII := len(code) == len([]rune(code)); isASCII && e.ProviderCode != code {
				t.Errorf("%s: the provider's code is %s", code, e.ProviderCode)
			}
		}
		// A refusal that carries data, or names an order, contradicts itself.
		for _, data := range []string{
			`,"data":{"payment_id":"PM1"}`, `,"data":[{"payment_id":"PM1"}]`, `,"data":"x"`, `,"data":[1]`, `,"payment_id":"PM1"`,
			`,"payoutId":"POT1"`, `,"payment_cl_id":"` + order + `"`, `,"payment_info":{}`, `,"link":"https://pay.example.com/1"`,
		} {
			if e := classified(t, second(submit(t, krwV1, cmd, answer(data)))); e.Class != connectors.InDoubt || e.Known != want.Known || e.Refused {
				t.Errorf("%s %s with %s: got %+v", cmd.Operation, code, data, e)
			}
		}
	}
}

func TestConfiguredCodes(t *testing.T) {
	a := with(krwV1, func(s *diamondpay.Settings) {
		s.Codes = map[string]connectors.Meaning{"0011": "rejected", "0003": "low_balance", "0002": "in_doubt", "0030": "duplicate", "0013": "throttled", "0028": "misconfigured"}
	})
	for code, want := range map[string]connectors.Error{
		"0011": {Class: connectors.Rejected, Code: payment.ReasonDeclined},
		"0003": {Class: connectors.NotSent, Code: payment.ReasonBalance},
		"0002": {Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, Refused: true},
		"0013": {Class: connectors.Throttled, Code: payment.ReasonThrottled},
		"0028": {Class: connectors.Misconfigured, Code: payment.ReasonAccountMisconfigured},
		"0030": {Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, Known: true},
		"0012": {Class: connectors.Rejected, Code: payment.ReasonDeclined},
	} {
		e := classified(t, second(submit(t, a, payout(), `{"error_code":"`+code+`"}`)))
		if e.Class != want.Class || e.Code != want.Code || e.Known != want.Known || e.Refused != want.Refused {
			t.Errorf("%s: got %+v", code, e)
		}
	}
}

// Answers that say that the call succeeded, and cannot be used: always in doubt.
func TestIndeterminateAnswers(t *testing.T) {
	info := func(old, replacement string) string { return strings.Replace(snakeTWD, old, replacement, 1) }
	v2 := func(old, replacement string) string { return strings.Replace(acceptedV2, old, replacement, 1) }
	link := `{"error_code":"0000","data":{"link":"https://pay.example.com/1"`
	cases := []struct {
		name    string
		account account
		cmd     payment.Command
		answer  string
		known   bool
	}{
		{"another order, v2", krwV2, deposit(payment.KRW(50010)), acceptedV2, false},
		{"another order, payment_info", twd, depositTWD(), info("_25", "_26"), false},
		{"no order, v2", krwV2, orderV2(), v2(`"payment_cl_id": "order_20260112001",`, ``), false},
		{"no order, payment_info", twd, depositTWD(), info(`"payment_cl_id": "test_tw_card_1766005863_25",`, ``), false},
		{"two orders", krwV1, deposit(payment.KRW(500)), link + `,"payment_cl_id":"other","payment_info":{"payment_cl_id":"` + order + `"}}}`, false},
		{"another payout", krwV1, payout(), `{"error_code":"0000","data":{"payout_id":"P1","payout_cl_id":"other"}}`, false},
		{"a fraction of a won, v2", krwV2, orderV2(), v2("5001000", "5001001"), true},
		{"a fraction of a won, v1", plainLinks(krwV1), deposit(payment.KRW(500)), strings.Replace(detailedV1, "50000", "50001", 1), true},
		{"a fraction of a won, payout", krwV1, payout(), `{"error_code":"0000","data":{"payout_id":"P1","payout_cl_id":"` + order + `","amount":1000050}}`, true},
		{"a point in the amount", krwV2, orderV2(), v2("5001000", "50010.00"), true},
		{"an amount below zero", krwV2, orderV2(), v2("5001000", "-5001000"), true},
		{"an exponent", krwV2, orderV2(), v2("5001000", "5e6"), true},
		{"an amount that overflows", krwV2, orderV2(), v2("5001000", "99999999999999999900"), true},
		{"an amount of 18 digits", krwV2, orderV2(), v2("5001000", "100000000000000000"), true},
		{"an amount in a list", krwV2, orderV2(), v2("5001000", "[5001000]"), true},
		{"two amounts", plainLinks(krwV1), deposit(payment.KRW(500)), strings.Replace(detailedV1, `"data": {`, `"data": {"amount":60000,`, 1), true},
		{"nowhere to pay, v1", krwV1, deposit(payment.KRW(500)), `{"error_code":"0000","data":{"link":""}}`, false},
		{"nowhere to pay, v2", krwV2, orderV2(), `{"error_code":"0000","data":{"payment_cl_id":"order_20260112001"}}`, true},
		{"a plain page", krwV1, deposit(payment.KRW(500)), `{"error_code":"0000","data":{"link":"` + linkV1 + `"}}`, false},
		{"a script", plainLinks(krwV1), deposit(payment.KRW(500)), `{"error_code":"0000","data":{"link":"javascript://x"}}`, false},
		{"a page with a user", plainLinks(krwV1), deposit(payment.KRW(500)), `{"error_code":"0000","data":{"link":"http://a@b.example/"}}`, false},
		{"a page that is too long", krwV1, deposit(payment.KRW(500)), `{"error_code":"0000","data":{"link":"https://a.example/` + strings.Repeat("x", 2048) + `"}}`, false},
		{"a page to register that is not safe", krwV1, deposit(payment.KRW(500)), link + `,"register_link":"http://a.example/"}}`, false},
		{"a page to register without one to pay", krwV1, deposit(payment.KRW(500)), `{"error_code":"0000","data":{"register_link":"https://a.example/"}}`, false},
		{"payment_info is a list", krwV1, deposit(payment.KRW(500)), link + `,"payment_info":[]}}`, false},
		{"no payout_id", krwV1, payout(), `{"error_code":"0000","data":{"payment_id":"P1"}}`, false},
		{"no payout_id, but our order", krwV1, payout(), `{"error_code":"0000","data":{"payout_cl_id":"` + order + `"}}`, true},
		{"no data", krwV1, payout(), `{"error_code":"0000"}`, false},
		{"data is null", krwV1, payout(), `{"error_code":"0000","data":null}`, false},
		{"data is empty", krwV1, payout(), `{"error_code":"0000","data":{}}`, false},
		{"data is a list", krwV1, payout(), `{"error_code":"0000","data":[{"payout_id":"P1"}]}`, false},
		{"two codes", krwV1, payout(), `{"error_code":"0004","error_code":"0000","data":{"payout_id":"P1"}}`, false},
		{"two codes in two spellings", krwV1, payout(), `{"error_code":"0004","errorCode":"0000","data":{"payout_id":"P1"}}`, false},
		{"two numbers in two spellings", krwV1, payout(), `{"error_code":"0000","data":{"payout_id":"P1","payoutId":"P2"}}`, false},
		{"a code of another case", krwV1, payout(), `{"Error_code":"0004"}`, false},
		{"a code as a number", krwV1, payout(), `{"error_code":0,"data":{"payout_id":"P1"}}`, false},
		{"an empty code", krwV1, payout(), `{"error_code":"","data":{"payout_id":"P1"}}`, false},
		{"no code", krwV1, payout(), `{"data":{"payout_id":"P1"}}`, false},
		{"empty", krwV1, payout(), ``, false},
		{"HTML", krwV1, payout(), `<html>0004</html>`, false},
		{"half", krwV1, payout(), acceptedPayout[:len(acceptedPayout)-1], false},
		{"more", krwV1, payout(), acceptedPayout + `{}`, false},
		{"no UTF-8", krwV1, payout(), strings.Replace(acceptedPayout, "POT", "\xff", 1), false},
		{"two commas", krwV2, orderV2(), v2(`"ACB",`, `"ACB",,`), false},
		{"a comment", krwV2, orderV2(), v2(`"ACB",`, `"ACB" // x`), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.answer == acceptedV2 && c.cmd.Order == orderV2().Order || c.answer == snakeTWD {
				t.Fatal("the case changes nothing")
			}
			o, err := submit(t, c.account, c.cmd, c.answer)
			if err == nil {
				t.Fatalf("got %+v", o)
			}
			e, code := classified(t, err), payment.ReasonIndeterminate
			if c.cmd.Operation == payment.Deposit && e.ProviderCode == "0000" { // the customer does not know how to pay
				code = payment.ReasonNoInstructions
			}
			if e.Class != connectors.InDoubt || e.Known != c.known || len(e.ProviderCode) > 20 || e.Code != code || e.Message == "" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// What the customer must do, where an answer offers less or more than the pages' examples.
func TestActions(t *testing.T) {
	const page = "https://pay.example.com/cashier/DEMOPM0123456"
	v2 := func(old, replacement string) string { return strings.Replace(acceptedV2, old, replacement, 1) }
	dollar := func(old, replacement string) string {
		return strings.NewReplacer("http://localhost:8889/payment/index.html?token=eyJhbGciOiJ", page, old, replacement).Replace(snakeTWD)
	}
	steps := func(change func(*payment.TransferInstructions)) *payment.Action {
		tr := payment.TransferInstructions{AccountNumber: "12345666", AccountHolder: "test", BankName: "臺灣企銀", Amount: payment.TWD(48389)}
		change(&tr)
		return transfer(tr)
	}
	cases := []struct {
		name    string
		account account
		cmd     payment.Command
		answer  string
		want    *payment.Action
	}{
		{"v2 without an account", krwV2, orderV2(), v2(`"0110100007725008"`, `""`), redirect(page, "")},
		{"v2 with a blank account", krwV2, orderV2(), v2(`"0110100007725008"`, `" "`), redirect(page, "")},
		{"v2 with a long account", krwV2, orderV2(), v2(`0110100007725008`, strings.Repeat("1", 257)), redirect(page, "")},
		{"v2 with a long QR code", krwV2, orderV2(), v2(`0002010102`, strings.Repeat("1", 2048)), redirect(page, "")},
		{"v2 with a page to register", krwV2, orderV2(), v2(`"data": {`, `"data": {"register_link":"https://a.example/r",`), redirect(page, "https://a.example/r")},
		{"another amount to transfer", twd, depositTWD(), dollar(`"display_amount": 48389`, `"display_amount": 48390`), steps(func(tr *payment.TransferInstructions) { tr.Amount = payment.TWD(48390) })},
		{"no amount to transfer", twd, depositTWD(), dollar(`"display_amount": 48389,`, ``), steps(func(tr *payment.TransferInstructions) { tr.Amount = payment.Money{} })},
		{"nothing to transfer", twd, depositTWD(), dollar(`"display_amount": 48389`, `"display_amount": 0`), redirect(page, "")},
		{"an unreadable amount to transfer", twd, depositTWD(), dollar(`"display_amount": 48389`, `"display_amount": "483.89"`), redirect(page, "")},
		{"a text that the transfer must carry", twd, depositTWD(), dollar(`无须附言`, `A7`), steps(func(tr *payment.TransferInstructions) { tr.Reference = "A7" })},
		{"a branch", twd, depositTWD(), dollar(`"bank_branch": ""`, `"bank_branch": "中正"`), steps(func(tr *payment.TransferInstructions) { tr.BankBranch = "中正" })},
		{"no receiver", twd, depositTWD(), dollar(`"receiver"`, `"recipient"`), redirect(page, "")},
		{"a broken receiver", twd, depositTWD(), dollar(`"card_name": "test"`, `"card_name": "test","card_name":"x"`), redirect(page, "")},
		{"a plain page beside instructions", twd, depositTWD(), snakeTWD, steps(func(*payment.TransferInstructions) {})},
		{"an http page that is allowed", plainLinks(krwV1), deposit(payment.KRW(500)), `{"error_code":"0000","data":{"link":"` + linkV1 + `"}}`, redirect(linkV1, "")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := submit(t, c.account, c.cmd, c.answer)
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, o.Action, c.want)
		})
	}
}

func TestHTTPStatuses(t *testing.T) {
	for _, status := range []int{201, 204, 301, 302, 400, 401, 403, 404, 429, 500, 502, 503} {
		g := newGateway(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			if status != 204 {
				_, _ = io.WriteString(w, exampleError) // even then: no page gives an error a status
			}
		})
		e := classified(t, second(connect(t, krwV1(g.URL)).Submit(testContext(t), payout())))
		if e.Class != connectors.InDoubt || e.ProviderCode != fmt.Sprintf("http_%d", status) || e.RetryAfter != 30*time.Second || e.Known {
			t.Errorf("%d: got %+v", status, e)
		}
		g.Only(t)
	}
}

// Free texts of the provider can repeat what we sent.
func TestPersonalDataIsCovered(t *testing.T) {
	cmd := payout()
	cmd.Account.Holder = "Hong Gildong"
	text := "phone 010-9999-8888 of HONG GILDONG, account 110222333444, other 110 222 333444, mail a.b@example.com\\u0000\\n" + strings.Repeat("x", 500)
	e := classified(t, second(submit(t, krwV1, cmd, `{"error_code":"0008","error_msg":"`+text+`"}`)))
	for _, private := range []string{"HONG", "9999", "110222", "333444", "example.com", "\x00", "\n"} {
		if strings.Contains(e.Error(), private) || strings.Contains(fmt.Sprintf("%+v", *e), private) {
			t.Errorf("%q shows in %q", private, e.Message)
		}
	}
	if n := len([]rune(e.Message)); n > 201 || !strings.HasPrefix(e.Message, "phone ") {
		t.Errorf("%d characters: %q", n, e.Message)
	}
}

// KRW is sent times 100 and TWD in cents, and both come back as they were.
func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		account account
		amount  payment.Money
		sent    string
	}{
		{krwV1, payment.KRW(1), "100"}, {krwV1, payment.KRW(10000), "1000000"}, {krwV1, payment.KRW(99_999_999), "9999999900"},
		{twd, payment.TWD(1), "1"}, {twd, payment.TWD(48389), "48389"}, {twd, payment.TWD(1000000), "1000000"}, {twd, payment.TWD(9_999_999_999), "9999999999"},
	} {
		cmd := deposit(c.amount)
		cmd.Account.LastDigits = []string{"12345"}
		g := newGateway(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `{"error_code":"0000","data":{"link":"http://127.0.0.1/pay","payment_info":{"payment_cl_id":"%s","amount":%s}}}`, order, c.sent)
		})
		o, err := connect(t, c.account(g.URL)).Submit(testContext(t), cmd)
		if err != nil || o.Amount != c.amount {
			t.Errorf("%s comes back as %+v, %v", c.amount, o.Amount, err)
		}
		var sent struct {
			Amount any `json:"amount"`
		}
		dec := json.NewDecoder(strings.NewReader(string(g.Only(t).Body)))
		dec.UseNumber()
		if err := dec.Decode(&sent); err != nil || fmt.Sprint(sent.Amount) != c.sent {
			t.Errorf("%s is sent as %v, %v", c.amount, sent.Amount, err)
		}
	}
}

// A sandbox on this machine may send the customer to a plain page there; a real gateway may not.
func TestPlainPageOfASandbox(t *testing.T) {
	answer := httpcall.Reply{Status: 200, Body: []byte(`{"error_code":"0000","data":{"link":"http://127.0.0.1:8889/pay"}}`)}
	for gateway, shown := range map[string]bool{"http://127.0.0.1:8080": true, "https://gateway.example.com": false} {
		o, err := connect(t, krwV1(gateway)).Submitted(deposit(payment.KRW(500)), answer)
		if (err == nil) != shown || (o.Action != nil) != shown {
			t.Errorf("%s: got %+v, %v", gateway, o, err)
		}
	}
}
