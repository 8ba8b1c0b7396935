package teemopay

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

func TestDepositFields(t *testing.T) {
	type change = map[string]any
	wallet := change{"paymentType": 803, "ipAddress": "203.0.113.7"}
	for _, c := range []struct {
		name   string
		change change
		code   int
		reason string
	}{
		{"longest order", change{"merchantOrderNo": strings.Repeat("x", 32)}, 200, ""},
		{"long order", change{"merchantOrderNo": strings.Repeat("x", 33)}, 414, "field:merchantOrderNo"},
		{"no name", change{"realName": nil}, 414, "field:realName"},
		{"blank name", change{"realName": "  "}, 414, "field:realName"},
		{"Korean name", change{"realName": "홍길동"}, 200, ""},
		{"long name", change{"realName": strings.Repeat("홍", 21)}, 414, "field:realName"},
		{"no merchant", change{"merchantName": nil}, 414, "field:merchantName"},
		{"no amount", change{"amount": nil}, 414, "field:amount"},
		{"number as amount", change{"amount": 1000}, 414, "field:amount"},
		{"fraction", change{"amount": "1000.00"}, 414, "field:amount"},
		{"zero", change{"amount": "0"}, 414, "field:amount"},
		{"negative", change{"amount": "-1"}, 414, "field:amount"},
		{"huge", change{"amount": "1000000000000000"}, 414, "field:amount"},
		{"no type", change{"paymentType": nil}, 414, "field:paymentType"},
		{"text as type", change{"paymentType": "801"}, 414, "field:paymentType"},
		{"half a type", change{"paymentType": 801.5}, 414, "field:paymentType"},
		{"unknown type", change{"paymentType": 805}, 423, "field:paymentType"},
		{"no phone", change{"phone": nil}, 200, ""},
		{"foreign phone", change{"phone": "821012345678"}, 414, "field:phone"},
		{"no e-mail", change{"email": ""}, 200, ""},
		{"bad e-mail", change{"email": "nobody"}, 414, "field:email"},
		{"bad address", change{"callbackUrl": "ftp://x"}, 414, "field:callbackUrl"},
		{"long address", change{"callbackUrl": "http://x/" + strings.Repeat("x", 200)}, 414, "field:callbackUrl"},
		{"bad IP", change{"ipAddress": "localhost"}, 414, "field:ipAddress"},
		{"in an hour", change{"expirationTime": at.Add(time.Hour).UnixMilli()}, 200, ""},
		{"in three hours", change{"expirationTime": at.Add(3 * time.Hour).UnixMilli()}, 414, "field:expirationTime"},
		{"expired", change{"expirationTime": at.UnixMilli()}, 414, "field:expirationTime"},
		{"wallet", wallet, 200, ""},
		{"wallet without IP", change{"paymentType": 804}, 414, "field:ipAddress"},
		{"wallet without phone", with(change{"phone": ""}, wallet), 414, "field:phone"},
		{"wallet without e-mail", with(change{"email": ""}, wallet), 414, "field:email"},
		{"something more", change{"unknownField": "x"}, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, nil)
			content := seed(c.change)
			if answer := s.post(depositPath, content); code(answer) != c.code {
				t.Error(answer)
			}
			if c.reason != "" {
				s.refusedAs(content["merchantOrderNo"].(string), c.reason)
			}
		})
	}
}

func TestPayoutFields(t *testing.T) {
	type change = map[string]any
	for _, c := range []struct {
		name   string
		change change
		code   int
		reason string
	}{
		{"company", change{"idType": "CO"}, 200, ""},
		{"other id", change{"idType": "PASSPORT"}, 475, "field:idType"},
		{"no id", change{"idType": nil}, 414, "field:idType"},
		{"account type", change{"accountType": 803}, 455, "field:accountType"},
		{"text as type", change{"accountType": "801"}, 414, "field:accountType"},
		{"unknown bank", change{"bankCode": "999"}, 431, "field:bankCode"},
		{"foreign bank", change{"bankCode": "054"}, 200, ""},
		{"foreign bank with KYC", change{"bankCode": "054", "accountType": 802}, 431, "field:bankCode"},
		{"bank with KYC", change{"accountType": 802}, 200, ""},
		{"no bank name", change{"bankName": ""}, 414, "field:bankName"},
		{"no account", change{"bankAccount": nil}, 414, "field:bankAccount"},
		{"letters as account", change{"bankAccount": "abc"}, 430, "field:bankAccount"},
		{"short name", change{"realName": "x"}, 414, "field:realName"},
		{"fraction", change{"amount": "10.5"}, 414, "field:amount"},
		{"order", change{"merchantOrderNo": strings.Repeat("x", 33)}, 414, "field:merchantOrderNo"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, nil)
			content := payout(c.change)
			if answer := s.post(payoutPath, content); code(answer) != c.code {
				t.Error(answer)
			}
			if c.reason != "" {
				s.refusedAs(content["merchantOrderNo"].(string), c.reason)
			}
		})
	}
}

func TestCallbackAddressMustBeSomewhere(t *testing.T) {
	s := newStand(t, func(_ *Settings, a *sandbox.AccountConfig) { a.CallbackURL = "" })
	for _, answer := range []string{s.post(depositPath, seed(nil)), s.post(payoutPath, payout(nil))} {
		if code(answer) != 427 {
			t.Error(answer)
		}
	}
	s.refusedAs("D1", "field:callbackUrl")
	if answer := s.post(depositPath, seed(map[string]any{"callbackUrl": "http://127.0.0.1:1/x"})); code(answer) != 200 {
		t.Error(answer)
	}
}

func TestHolderNumberWhereItIsRequired(t *testing.T) {
	s := newStand(t, func(settings *Settings, _ *sandbox.AccountConfig) { settings.RequireHolderNumber = true })
	if answer := s.post(depositPath, seed(nil)); code(answer) != 414 {
		t.Error(answer)
	}
	if answer := s.post(depositPath, seed(map[string]any{"accountHolderNumber": "900101"})); code(answer) != 200 {
		t.Error(answer)
	}
}

// trace hides what differs each time.
var trace = regexp.MustCompile(`"traceId":"[0-9a-f]{32}\.\d+\.\d{17}"`)

func same(t *testing.T, name, got, want string) {
	t.Helper()
	if got := trace.ReplaceAllString(got, `"traceId":"T"`); got != want {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

// TestAnswersByteForByte pins the shapes of the pay-in page and of the documents' examples.
func TestAnswersByteForByte(t *testing.T) {
	s := newStand(t, nil)
	id := func(order string) map[string]any { return map[string]any{"merchantOrderNo": order} }
	const queryDeposit, queryPayout = "/api/pay/payment/query/v1", "/api/pay/payout/query/v1"
	pay := func(order string, amount int64) {
		t.Helper()
		if err := s.box.Pay(provider, order, amount); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "deposit", s.post(depositPath, seed(nil)), `{"msg":"success","traceId":"T","code":200,"data":{"amount":"1000.00","tradeNo":"TS2501010001KR0000000000000001","additionalInfo":{"bankCode":"IBK","bankName":"기업은행","expiredTime":1735668000000},"merchantOrderNo":"D1","paymentInfo":"29910000000001","paymentType":801,"status":1}}`)
	same(t, "duplicate", s.post(depositPath, seed(nil)), `{"msg":"merchant order duplicate","traceId":"T","code":426,"data":null}`)
	same(t, "open", s.post(queryDeposit, id("D1")), `{"msg":"success","traceId":"T","code":200,"data":{"merchantOrderNo":"D1","amount":"0.00","transactionAmount":"1000.00","tradeNo":"TS2501010001KR0000000000000001","paymentType":801,"paymentInfo":"29910000000001","status":1,"serviceAmount":"0.00","statementList":[]}}`)
	pay("D1", 0)
	same(t, "paid", s.post(queryDeposit, id("D1")), `{"msg":"success","traceId":"T","code":200,"data":{"merchantOrderNo":"D1","amount":"1000.00","transactionAmount":"1000.00","tradeNo":"TS2501010001KR0000000000000001","paymentType":801,"paymentInfo":"29910000000001","status":2,"serviceAmount":"15.00","statementList":[{"paymentSingleOrderNo":"TSO2501010001KR000000000000002","paymentStatementAmount":"1000.00","paymentStatementStatus":2,"paymentStatementStatusName":"代收成功","completeTime":"2025-01-01 01:00:00","serviceAmount":"15.00","serviceRate":"0.0100","immService":"5.00","paymentType":801}]}}`)
	same(t, "unknown deposit", s.post(queryDeposit, id("none")), `{"msg":"Merchant order not exist","traceId":"T","code":434,"data":null}`)
	same(t, "unknown payout", s.post(queryPayout, id("none")), `{"code":400,"msg":"Order not found","traceId":"T"}`)
	same(t, "a payout as deposit", s.post(queryPayout, id("D1")), `{"code":400,"msg":"Order not found","traceId":"T"}`)
	same(t, "channel", s.post(depositPath, seed(map[string]any{"merchantOrderNo": "D2-x-channel"})), `{"msg":"success","traceId":"T","code":200,"data":{"amount":null,"tradeNo":"TS2501010001KR0000000000000003","additionalInfo":null,"merchantOrderNo":"D2-x-channel","paymentInfo":null,"paymentType":801,"status":3,"errorMsg":"Unstable network, kindly retry later."}}`)
	same(t, "KYC", s.post(depositPath, seed(map[string]any{"merchantOrderNo": "D3", "paymentType": 802})), `{"msg":"success","traceId":"T","code":200,"data":{"amount":"1000.00","tradeNo":"TS2501010001KR0000000000000004","additionalInfo":{"expiredTime":1735668000000,"paymentLink":"https://cashier.sandbox.invalid/pay/TS2501010001KR0000000000000004"},"merchantOrderNo":"D3","paymentInfo":"https://cashier.sandbox.invalid/pay/TS2501010001KR0000000000000004","paymentType":802,"status":0}}`)
	same(t, "payout", s.post(payoutPath, payout(nil)), `{"msg":"success","traceId":"T","code":200,"data":{"amount":"1000.00","merchantOrderNo":"P1","status":1,"tradeNo":"TF2501010001KR0000000000000005"}}`)
	same(t, "open payout", s.post(queryPayout, id("P1")), `{"msg":"success","traceId":"T","code":200,"data":{"merchantOrderNo":"P1","tradeNo":"TF2501010001KR0000000000000005","amount":"1000.00","status":1,"serviceAmount":"15.00","immService":"5.00","serviceRate":"0.0100","errorCode":null,"errorMessage":null,"completeTime":null}}`)
	same(t, "balance", s.post("/api/pay/merchant/balance", map[string]any{}), `{"msg":"success","traceId":"T","code":200,"data":{"totalAmount":"1000000001000.00","frozenAmount":"1000.00","availAmount":"1000000000000.00"}}`)
	if err := s.box.Fail(provider, "P1"); err != nil {
		t.Fatal(err)
	}
	same(t, "failed payout", s.post(queryPayout, id("P1")), `{"msg":"success","traceId":"T","code":200,"data":{"merchantOrderNo":"P1","tradeNo":"TF2501010001KR0000000000000005","amount":"1000.00","status":3,"serviceAmount":"15.00","immService":"5.00","serviceRate":"0.0100","errorCode":9999,"errorMessage":"Others","completeTime":"2025-01-01 01:00:00"}}`)
	same(t, "query without order", s.post(queryPayout, map[string]any{}), `{"msg":"parameter error: merchantOrderNo is required","traceId":"T","code":414,"data":null}`)
}

// signature hides the sign of a callback.
var signature = regexp.MustCompile(`"sign":"[A-Za-z0-9+/]{171}="`)

// next is the next callback, verified, with its signature hidden.
func (s *stand) next() string {
	s.t.Helper()
	select {
	case c := <-s.calls:
		h := c.header
		if !VerifyCallback(&testKeys().Platform.PublicKey, h, []byte(c.body)) || VerifyCallback(&testKeys().Merchant.PublicKey, h, []byte(c.body)) {
			s.t.Error("the callback is not signed by the platform")
		}
		if h.Get("appCode") != appCode || h.Get("app_code") != "" || h.Get("country") != "KR" || len(h.Get("nonce")) != 32 ||
			h.Get("timestamp") != "1735660800000" || h.Get("Content-Type") != "application/json" {
			s.t.Errorf("header %v", h)
		}
		return signature.ReplaceAllString(c.body, `"sign":"S"`)
	case <-time.After(30 * time.Second):
		s.t.Fatal("no callback")
		return ""
	}
}

func TestCallbacksByteForByte(t *testing.T) {
	s := newStand(t, nil)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.post(depositPath, seed(nil))
	do(s.box.Pay(provider, "D1", 400))
	same(t, "part", s.next(), `{"merchantOrderNo":"D1","tradeNo":"TS2501010001KR0000000000000001","paymentOrderNo":"TSO2501010001KR000000000000002","status":2,"paymentAmount":"400.00","serviceAmount":"9.00","paymentInfo":"29910000000001","paymentType":801,"completeTime":"2025-01-01 01:00:00","errorMessage":null,"sign":"S"}`)
	do(s.box.Fail(provider, "D1"))
	same(t, "failed deposit", s.next(), `{"merchantOrderNo":"D1","tradeNo":"TS2501010001KR0000000000000001","paymentOrderNo":"TSO2501010001KR000000000000001","status":3,"paymentAmount":"0.00","serviceAmount":"0.00","paymentInfo":"29910000000001","paymentType":801,"completeTime":"2025-01-01 01:00:00","errorMessage":"Others","sign":"S"}`)
	s.post(payoutPath, payout(nil))
	do(s.box.Pay(provider, "P1", 0))
	same(t, "payout", s.next(), `{"merchantOrderNo":"P1","tradeNo":"TF2501010001KR0000000000000003","amount":"1000.00","serviceAmount":"15.00","status":2,"errorCode":null,"errorMessage":null,"completeTime":"2025-01-01 01:00:00","sign":"S"}`)
	do(s.box.Refund(provider, "P1"))
	same(t, "refund", s.next(), `{"merchantOrderNo":"P1","tradeNo":"TF2501010001KR0000000000000003","amount":"1000.00","serviceAmount":"15.00","status":4,"errorCode":1016,"errorMessage":"Refund by the recipient or the recipient's bank, kindly contact user to verify account","completeTime":"2025-01-01 01:00:00","sign":"S"}`)
	s.post(payoutPath, payout(map[string]any{"merchantOrderNo": "P2"}))
	do(s.box.Fail(provider, "P2"))
	same(t, "failed payout", s.next(), `{"merchantOrderNo":"P2","tradeNo":"TF2501010001KR0000000000000006","amount":null,"serviceAmount":null,"status":3,"errorCode":9999,"errorMessage":"Others","completeTime":"2025-01-01 01:00:00","sign":"S"}`)
}
