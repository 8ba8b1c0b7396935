package teemopay_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
)

const (
	rejectedIs = connectors.Rejected
	doubt      = connectors.InDoubt
	notSent    = connectors.NotSent
	ours       = connectors.Misconfigured
)

var reasonOf = map[connectors.Class]string{
	rejectedIs: payment.ReasonDeclined, doubt: payment.ReasonIndeterminate, notSent: payment.ReasonBalance, ours: payment.ReasonAccountMisconfigured,
	connectors.Throttled: payment.ReasonThrottled,
}

// Every documented code of both create pages, and some that are not documented there.
func TestCodes(t *testing.T) {
	documented := map[payment.Operation]map[int]connectors.Class{
		payment.Deposit: {412: doubt, 414: doubt, 423: ours, 426: doubt, 427: ours, 466: ours, 473: ours, 500: doubt,
			416: ours, 417: ours, 418: ours, 424: ours, 460: ours, 465: ours, 421: doubt, 425: doubt, 400: doubt, 401: doubt, 434: doubt, 440: doubt, 0: doubt, 201: doubt, -1: doubt},
		payment.Payout: {412: doubt, 414: doubt, 417: ours, 421: ours, 425: notSent, 426: doubt, 427: ours, 430: rejectedIs, 431: rejectedIs, 432: rejectedIs,
			455: rejectedIs, 462: rejectedIs, 473: ours, 475: rejectedIs, 500: doubt, 416: ours, 418: ours, 424: ours, 460: ours, 465: ours,
			423: doubt, 466: doubt, 429: doubt, 440: doubt, 999: doubt},
	}
	for operation, codes := range documented {
		cmd := deposit("")
		if operation == payment.Payout {
			cmd = payout("")
		}
		for code, class := range codes {
			for _, empty := range []string{`,"data":null`, ``, `,"data":{}`} {
				_, err := submit(t, cmd, fmt.Sprintf(`{"code":%d%s,"msg":"some text","traceId":"x"}`, code, empty))
				e := classified(t, err)
				refused := class == doubt && code != 426
				if e.Class != class || e.ProviderCode != fmt.Sprint(code) || e.Known != (code == 426) || e.Refused != refused || e.Message != "some text" || e.Code != reasonOf[class] {
					t.Errorf("%s %d: got %+v", operation, code, e)
				}
			}
			// A refusal with data contradicts itself.
			_, err := submit(t, cmd, strings.Replace(data(`"status":1`), `"code":200`, fmt.Sprintf(`"code":%d`, code), 1))
			if e := classified(t, err); e.Class != doubt || e.Refused {
				t.Errorf("%s %d with data: %+v", operation, code, e)
			}
		}
	}
	if _, err := submit(t, deposit(""), duplicate); classified(t, err).Class != doubt || !classified(t, err).Known || classified(t, err).Refused {
		t.Errorf("the duplicate of the page: %v", err)
	}
}

// Code 414 says that a parameter is to be changed, and its text which. One of our account is no fault of the
// payment; a payment fails only where the text names its field.
func TestParameterTexts(t *testing.T) {
	for class, texts := range map[connectors.Class][]string{
		ours: {
			"sign verification failed", "Signature error", "sign error", "SIGN is required", "invalid signature", "app_code is invalid", "appCode error", "app code not exist",
			"Application not found", "nonce must have 32 characters", "nonce repeated", "timestamp expired", "timestamp must be milliseconds", "Time stamp error", "country error",
			"parameter error: country", "Content-Type must be application/json", "public key not configured", "publicKey is empty", "merchantName is required", "merchant_name too long",
			"Merchant not exist", "merchant account frozen", "callbackUrl must be a URL", "parameter error: callbackUrl is too long", "IP not in white list", "IP address 203.0.113.9 is not allowed",
			"whitelist error", "channel not open", "签名错误", "商户不存在", "回调地址不能为空", "时间戳错误", "IP不在白名单", "parameter error: sign, nonce",
		},
		rejectedIs: {
			"parameter error: amount must be an integer", "amount error", "Amount is less than the minimum", "bankCode is required", "bank_code error", "bank code not supported", "bankAccount error",
			"bankName is too long", "realName is required", "real name error", "REALNAME", "merchantOrderNo is too long", "merchant_order_no error", "merchant order no must be unique", "phone format error",
			"email", "ipAddress must be an IP address", "accountHolderNumber is required", "expirationTime must be within two hours", "idType error", "accountType", "paymentType",
			"金额错误", "商户订单号不能为空", "手机号格式错误", "银行编码不支持", "amount and bankCode",
		},
		doubt: {
			"", "*", "Parameter error", "some text", "参数错误", "parameter validation error", "assign", "keyboard", "mandate", "value too long", "name is required",
			"merchantName or realName is required", "sign error, merchantOrderNo D-1", "amount exceeds the merchant limit", "字段错误",
		},
	} {
		for _, text := range texts {
			for _, cmd := range []payment.Command{deposit(""), payout("")} {
				_, err := submit(t, cmd, fmt.Sprintf(`{"code":414,"msg":%q,"data":null}`, text))
				if e := classified(t, err); e.Class != class || e.Code != reasonOf[class] || e.Refused != (class == doubt) || e.ProviderCode != "414" {
					t.Errorf("%s %q: got %+v", cmd.Operation, text, e)
				}
			}
		}
	}
	for _, sent := range []string{"sign", "APP-12345678", "key_1"} {
		cmd := payout("")
		cmd.Order, cmd.Account.BankName = sent, "Merchant Bank"
		for _, text := range []string{"value too long: " + sent, sent, "Merchant Bank is unknown"} {
			_, err := submit(t, cmd, fmt.Sprintf(`{"code":414,"msg":%q}`, text))
			if e := classified(t, err); e.Class != doubt {
				t.Errorf("%q: got %+v", text, e)
			}
		}
	}
	// What the text repeats of a customer says nothing about whose fault it is.
	for _, name := range []string{"sign", "Merchant", "secret key", "IP white list"} {
		for text, class := range map[string]connectors.Class{"parameter error: ": doubt, "realName must not be ": rejectedIs} {
			cmd := deposit("")
			cmd.Customer.Name = name
			_, err := submit(t, cmd, fmt.Sprintf(`{"code":414,"msg":%q}`, text+name))
			if e := classified(t, err); e.Class != class {
				t.Errorf("%q of %q: got %+v", text, name, e)
			}
		}
	}
}

// A customer's name that the text repeats, whole or cut, or that has a word in common with it, never makes it speak
// of our account: that would stop the payments of all others.
func TestNoNameSpeaksOfOurAccount(t *testing.T) {
	for _, c := range []struct {
		name, text string
		class      connectors.Class
	}{
		{"Sign Error", "parameter error: sign  error", doubt}, // other blanks
		{"Sign Error", "parameter error: Sign", doubt},        // the first name alone
		{"Sign-Error", "parameter error: sign error", doubt},
		{"Kim Sign", "payer KIM SIGN SIGN is invalid", doubt},
		{"Time Lee", "bad request Time Lee", doubt},                       // "request time" is ours
		{"Order", "merchantOrderNo is too long", rejectedIs},              // and not "merchant"
		{"orderno", "merchantOrderNo is too long", rejectedIs},            //
		{"Order No", "merchant_order_no is too long", rejectedIs},         //
		{"Code", "bankCode error", rejectedIs},                            //
		{"No Bank", "bank account is wrong, merchantOrderNo", rejectedIs}, //
		{"Kim Bank", "Kim Bank is invalid", doubt},
		{"签名", "参数错误: 签名", doubt},
		{"李签名", "参数错误: 签名", doubt},
		{"Kim", "sign error", ours},
		{"An Kim", "merchant not exist", ours}, // letters of a name in a word are no name
	} {
		for _, cmd := range []payment.Command{deposit(""), payout("")} {
			cmd.Customer.Name, cmd.Account.Holder = c.name, c.name
			if cmd.Operation == payment.Payout && strings.Contains(c.name, "-") {
				continue // refused before a request
			}
			_, err := submit(t, cmd, fmt.Sprintf(`{"code":414,"msg":%q}`, c.text))
			if e := classified(t, err); e.Class != c.class {
				t.Errorf("%s: %q about %q: got %+v", cmd.Operation, c.text, c.name, e)
			}
		}
	}
}

// An account can give a code another meaning; it goes before what the pages and the text say.
func TestCodesOfTheSettings(t *testing.T) {
	s := settings(t, "")
	s.Codes = map[string]connectors.Meaning{
		"423": connectors.MeansRejected, "414": connectors.MeansThrottled, "440": connectors.MeansRejected, "500": connectors.MeansMisconfigured,
		"425": connectors.MeansInDoubt, "462": connectors.MeansDuplicate, "999999": connectors.MeansLowBalance,
	}
	for code, want := range map[int]connectors.Error{
		423: {Class: rejectedIs}, 414: {Class: connectors.Throttled}, 440: {Class: rejectedIs}, 500: {Class: ours}, 425: {Class: doubt, Refused: true},
		462: {Class: doubt, Known: true}, 999999: {Class: notSent}, 427: {Class: ours}, 441: {Class: doubt, Refused: true},
	} {
		for _, cmd := range []payment.Command{deposit(""), payout("")} {
			g := newGateway(t, reply(fmt.Sprintf(`{"code":%d,"msg":"amount","data":null}`, code)))
			s.BaseURL = g.URL
			_, err := connect(t, s, rand.Reader).Submit(testContext(t), cmd)
			if e := classified(t, err); e.Class != want.Class || e.Known != want.Known || e.Refused != want.Refused || e.Code != reasonOf[want.Class] {
				t.Errorf("%s %d: got %+v", cmd.Operation, code, e)
			}
		}
		g := newGateway(t, reply(strings.Replace(data(`"status":1`), `"code":200`, fmt.Sprintf(`"code":%d`, code), 1)))
		s.BaseURL = g.URL
		_, err := connect(t, s, rand.Reader).Submit(testContext(t), payout(""))
		if e := classified(t, err); e.Class != doubt || e.Refused {
			t.Errorf("%d with data: got %+v", code, e)
		}
	}
	s = settings(t, "ftp://x")
	s.Codes = map[string]connectors.Meaning{"200": connectors.MeansRejected, "E1": connectors.MeansRejected, "414": "failed", "0": connectors.MeansInDoubt}
	_, err := teemopay.New("teemopay-kr", s, httpcall.NewClient(httpcall.Options{}), clock, rand.Reader)
	for _, problem := range []string{"base_url", `"200"`, `"E1"`, `"0"`, "414 must be one of"} {
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s is not among all problems: %v", problem, err)
		}
	}
}

func TestRefusalLeavesNoOrder(t *testing.T) {
	for _, on := range []bool{false, true} {
		s := settings(t, "http://localhost:1")
		s.RefusalLeavesNoOrder = on
		if got := connect(t, s, rand.Reader).Traits().RefusalLeavesNoOrder; got != on {
			t.Errorf("%v: got %v", on, got)
		}
	}
	if s := settings(t, ""); s.RefusalLeavesNoOrder {
		t.Error("it is on where nobody asked for it")
	}
}

// An order that failed keeps the provider's number, and has a code of its own for each documented text of a
// channel. A text decides nothing else.
func TestAFailedOrder(t *testing.T) {
	for text, code := range map[string]string{
		"Transaction amount exceeds limit, kindly retry within allowed range.": "3/amount_limit",
		"Channel request error, technicians will fix ASAP.":                    "3/channel_error",
		"Unstable network, kindly retry later.":                                "3/unstable_network",
		"Parameter validation error, kindly verify and retry.":                 "3/invalid_parameter",
		" UNSTABLE NETWORK":                "3/unstable_network",
		"Transaction amount exceeds limit": "3/amount_limit",
		"":                                 "3", "some text": "3", "The network is unstable": "3", "paid": "3",
	} {
		for _, cmd := range []payment.Command{deposit(""), payout("")} {
			_, err := submit(t, cmd, data(fmt.Sprintf(`"status":3,"errorMsg":%q`, text)))
			if e := classified(t, err); e.Class != rejectedIs || e.Code != payment.ReasonDeclined || e.ProviderCode != code || e.Reference != "T1" || e.Message != strings.TrimSpace(text) {
				t.Errorf("%s %q: got %+v", cmd.Operation, text, e)
			}
			o, err := lookup(t, cmd.Operation, data(fmt.Sprintf(`"status":3,"errorMessage":%q`, text)))
			if err != nil || o.Kind != payment.Declined || o.Reference != "T1" || o.Reason.ProviderCode != code {
				t.Errorf("%s %q: looked up %+v, %v", cmd.Operation, text, o, err)
			}
		}
	}
	// What names our order has its number also where its meaning is in doubt.
	_, err := submit(t, payout(""), data(`"status":77`))
	if e := classified(t, err); e.Class != doubt || !e.Known || e.Reference != "T1" {
		t.Errorf("got %+v", e)
	}
}
