package teemopay_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
)

func TestConformance(t *testing.T) {
	const common = `{"realName":"TeemoPay","merchantName":"MerchantNameExample","amount":"1000","phone":"01012345678",` +
		`"callbackUrl":"https://www.callbackexample.com","merchantOrderNo":"` + order + `","email":"TeemoPay@example.com",`
	const bank = `{"merchantOrderNo":"` + order + `","amount":"1000","bankCode":"088","bankName":"Shinhan Bank","bankAccount":"12345678998765",` +
		`"realName":"TeemoPay","idType":"RRN","callbackUrl":"https://www.callbackexample.com",`
	for name, h := range map[string]connectortest.Harness{ // pay-in page, korea/payin/create, korea/payout/create
		"deposit to a virtual account": depositHarness(deposit(""), common+`"paymentType":801}`),
		"deposit va":                   depositHarness(fullDeposit("va"), common+`"paymentType":801,"accountHolderNumber":"950101"}`),
		"deposit kyc_va":               depositHarness(fullDeposit("kyc_va"), common+`"paymentType":802,"accountHolderNumber":"950101","bankCode":"088","bankAccount":"345345345"}`),
		"deposit kakaopay":             depositHarness(fullDeposit("kakaopay"), common+`"paymentType":803,"accountHolderNumber":"950101","ipAddress":"203.0.113.7"}`),
		"deposit tosspay":              depositHarness(fullDeposit("tosspay"), common+`"paymentType":804,"accountHolderNumber":"950101","ipAddress":"203.0.113.7"}`),
		"payout bank_transfer":         payoutHarness(payout(""), bank+`"accountType":801}`),
		"payout bank_transfer_kyc":     payoutHarness(payout("bank_transfer_kyc"), bank+`"accountType":802}`),
	} {
		t.Run(name, func(t *testing.T) {
			h.Secrets = []string{base64Text(pkcs8(t, merchantKey())), merchantKey().D.String(), merchantKey().Primes[0].String(), fmt.Sprintf("%x", merchantKey().D)}
			connectortest.Run(t, h)
		})
	}
}

// harness is what deposits and payouts share. path is "payment" or "payout".
func harness(cmd payment.Command, path, example string) connectortest.Harness {
	reply := func(code, data string) connectortest.Reply {
		return connectortest.Reply{Body: `{"code":` + code + `,"msg":"some text","data":` + data + `,"traceId":"x"}`}
	}
	h := connectortest.Harness{
		New: func(t testing.TB, url string, client *http.Client, now func() time.Time) connectors.Connector {
			c, err := teemopay.New(cmd.Provider, settings(t, url), client, now, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Now: now, Command: cmd,
		Traits: connectors.Traits{
			Kind: "teemopay", Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 32, RefusesDuplicates: true, OneReference: true, SettlingDelay: time.Minute,
			Methods: map[payment.Operation][]string{payment.Deposit: {"va", "kyc_va", "kakaopay", "tosspay"}, payment.Payout: {"bank_transfer", "bank_transfer_kyc"}},
		},
		Submit: connectortest.Submit{
			Example: connectortest.Example{
				Method: "POST", Target: "/api/pay/" + path + "/create/v1", Body: example, Fresh: []string{"sign"},
				Header: map[string]string{"app_code": "app-code-1", "country": "KR", "nonce": "*", "timestamp": "*", "Content-Type": "application/json"},
			},
			OrderField: "merchantOrderNo", AmountField: "amount",
			Amount: func(m payment.Money) string { return strconv.Quote(strconv.FormatInt(m.Minor, 10)) },
			Unique: []string{"nonce"}, Verify: verifyRequest,
			Code:         func(_ string, _ payment.Money, code string) connectortest.Reply { return reply(code, "null") },
			UnknownCodes: []string{"0", "-1", "201", "400", "401", "434", "440", "999"},
			Duplicate:    func(string, payment.Money) connectortest.Reply { return reply("426", "null") },
			Refusal: func(_ string, _ payment.Money, text string) connectortest.Reply {
				return connectortest.Reply{Body: `{"code":414,"data":null,"msg":` + strconv.Quote("amount, "+text) + `}`}
			},
			UnknownStatuses: []string{"2", "4", "77", "null", `"success"`, "true"},
		},
		Lookup: connectortest.Lookup{
			Queries: []string{"POST /api/pay/" + path + "/query/v1"},
			Unknown: []func(string) connectortest.Reply{func(string) connectortest.Reply { return reply("434", "null") }},
			Errors:  []connectortest.Reply{reply("412", "null"), reply("414", "null"), reply("416", "null"), reply("500", "null"), reply("404", "null")},
		},
		Webhooks: connectortest.Webhooks{
			SignatureField: "sign", SignedHeaders: []string{"Nonce"}, SignsValues: true,
			Answer: connectors.Answer{ContentType: "text/plain", Body: "SUCCESS"},
		},
	}
	for code, class := range map[string]connectors.Class{ // 414 with a text that names nothing, see TestParameterTexts
		"412": connectors.InDoubt, "414": connectors.InDoubt, "416": connectors.Misconfigured, "417": connectors.Misconfigured, "426": connectors.InDoubt,
		"427": connectors.Misconfigured, "473": connectors.Misconfigured, "500": connectors.InDoubt,
	} {
		h.Submit.Codes = append(h.Submit.Codes, connectortest.Meaning{Text: code, Class: class, Known: code == "426"})
	}
	return h
}

func rejected(codes ...string) (all []connectortest.Meaning) {
	for _, code := range codes {
		all = append(all, connectortest.Meaning{Text: code, Class: connectors.Rejected, Reason: payment.ReasonDeclined})
	}
	return all
}

func depositHarness(cmd payment.Command, example string) connectortest.Harness {
	h := harness(cmd, "payment", example)
	for _, code := range []string{"423", "466"} {
		h.Submit.Codes = append(h.Submit.Codes, connectortest.Meaning{Text: code, Class: connectors.Misconfigured, Reason: payment.ReasonAccountMisconfigured})
	}
	open, info := "1", "29900000000000"
	h.Submit.Action = payment.ActionTransfer
	if cmd.Method != "" && cmd.Method != "va" {
		h.Submit.Action, info = payment.ActionRedirect, page
	}
	h.Submit.Status = func(order string, amount payment.Money, status string) connectortest.Reply {
		return connectortest.Reply{Body: fmt.Sprintf(`{"code":200,"data":{"merchantOrderNo":"%s","tradeNo":"T1","amount":"%d.00","paymentInfo":"%s","status":%s}}`, order, amount.Minor, info, status)}
	}
	h.Submit.Statuses = append(rejected("3"), connectortest.Meaning{Text: "1", Kind: payment.Accepted})
	h.Lookup.Statuses = []connectortest.Meaning{{Text: "1", Kind: payment.Accepted}, {Text: "2", Kind: payment.Paid}, {Text: "3", Kind: payment.Declined}}
	h.Lookup.UnknownStatuses = []string{"4", "77", "null"}
	if cmd.Method == "kyc_va" {
		open = "0"
		zero := connectortest.Meaning{Text: "0", Kind: payment.Accepted}
		h.Submit.Statuses, h.Lookup.Statuses = append(h.Submit.Statuses, zero), append(h.Lookup.Statuses, zero)
	} else {
		h.Submit.UnknownStatuses = append(h.Submit.UnknownStatuses, "0")
	}
	h.Submit.Accepted = func(order string, amount payment.Money) connectortest.Reply {
		return h.Submit.Status(order, amount, open)
	}
	h.Lookup.Status = func(order string, amount payment.Money, status string) connectortest.Reply {
		received := "null"
		if status == "2" {
			received = fmt.Sprintf(`"%d.00","statementList":[%s]`, amount.Minor, statement("A", fmt.Sprint(amount.Minor), 2))
		}
		return connectortest.Reply{Body: fmt.Sprintf(`{"code":200,"data":{"merchantOrderNo":"%s","tradeNo":"T1","paymentType":%d,"transactionAmount":"%d.00","amount":%s,"status":%s}}`,
			order, map[string]int{"kyc_va": 802}[cmd.Method], amount.Minor, received, status)}
	}
	h.Webhooks.Statuses = []connectortest.Meaning{{Text: "2", Kind: payment.Paid}}
	h.Webhooks.UnknownStatuses = []string{"1", "3", "77"}
	h.Webhooks.Make = func(t testing.TB, e connectortest.Event) connectortest.Call {
		return signedCall(t, e, fmt.Sprintf(`"paymentOrderNo":"P1","paymentAmount":"%d.00","paymentInfo":"684180093000000000","paymentType":801,"errorMessage":"none"`, e.Amount.Minor))
	}
	return h
}

func payoutHarness(cmd payment.Command, example string) connectortest.Harness {
	h := harness(cmd, "payout", example)
	h.Submit.Codes = append(h.Submit.Codes, rejected("430", "431", "432", "455", "462", "475")...)
	h.Submit.Codes = append(h.Submit.Codes, connectortest.Meaning{Text: "425", Class: connectors.NotSent, Reason: payment.ReasonBalance})
	h.Submit.UnknownStatuses = append(h.Submit.UnknownStatuses, "0")
	h.Submit.Statuses = append(rejected("3"), connectortest.Meaning{Text: "1", Kind: payment.Accepted})
	status := func(order string, amount payment.Money, status string) connectortest.Reply {
		return connectortest.Reply{Body: fmt.Sprintf(`{"code":200,"data":{"merchantOrderNo":"%s","tradeNo":"T1","amount":"%d.00","status":%s}}`, order, amount.Minor, status)}
	}
	h.Submit.Status, h.Lookup.Status = status, status
	h.Submit.Accepted = func(order string, amount payment.Money) connectortest.Reply { return status(order, amount, "1") }
	ended := []connectortest.Meaning{{Text: "2", Kind: payment.Paid}, {Text: "3", Kind: payment.Declined}, {Text: "4", Kind: payment.Reversal}}
	h.Lookup.Statuses = append([]connectortest.Meaning{{Text: "1", Kind: payment.Accepted}}, ended...)
	h.Lookup.UnknownStatuses = []string{"0", "5", "null"}
	h.Lookup.Unknown = append(h.Lookup.Unknown, func(string) connectortest.Reply {
		return connectortest.Reply{Body: `{"code":400,"msg":"Order not found"}`}
	})
	h.Webhooks.Statuses, h.Webhooks.UnknownStatuses = ended, []string{"1", "9"}
	h.Webhooks.Make = func(t testing.TB, e connectortest.Event) connectortest.Call {
		failure := `,"errorCode":1000,"errorMessage":"Others"`
		if e.Status == "2" {
			failure = ""
		}
		return signedCall(t, e, fmt.Sprintf(`"amount":"%d.00","serviceAmount":"10.50"%s`, e.Amount.Minor, failure))
	}
	return h
}

// signText is the text of guides/authentication, written apart from the connector's.
func signText(body []byte, nonce string) (text, sign string, err error) {
	var all map[string]any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&all); err != nil {
		return "", "", err
	}
	sign, _ = all["sign"].(string)
	delete(all, "sign")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text += fmt.Sprintf("%s=%v&", name, all[name])
	}
	return text + "nonce=" + nonce, sign, nil
}

func verifyRequest(r connectortest.Received, now time.Time) error {
	nonce, _ := r.Line("nonce")
	text, sign, err := signText(r.Body, nonce)
	if err != nil || len(nonce) != 32 {
		return fmt.Errorf("nonce %q: %v", nonce, err)
	}
	if sent, _ := r.Line("timestamp"); sent != strconv.FormatInt(now.UnixMilli(), 10) {
		return errors.New("the time is not now")
	}
	raw, err := base64.StdEncoding.DecodeString(sign)
	if err != nil {
		return err
	}
	digest := sha1.Sum([]byte(text))
	return rsa.VerifyPKCS1v15(&merchantKey().PublicKey, crypto.SHA1, digest[:], raw)
}

func signedCall(t testing.TB, e connectortest.Event, fields string) connectortest.Call {
	t.Helper()
	body := fmt.Sprintf(`{"merchantOrderNo":"%s","tradeNo":"T1","status":%s,%s,"completeTime":"2025-01-01 00:00:00"}`, e.Order, e.Status, fields)
	text, _, err := signText([]byte(body), nonce)
	if err != nil {
		t.Fatal(err)
	}
	key := []*rsa.PrivateKey{connectortest.CurrentKey: platformKey(), connectortest.RotatedKey: retiredKey(), connectortest.ForeignKey: merchantKey()}[e.Key]
	digest := sha1.Sum([]byte(text))
	sign, err := rsa.SignPKCS1v15(nil, key, crypto.SHA1, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	header := callbackHeader()
	header.Set("timestamp", strconv.FormatInt(e.At.UnixMilli(), 10))
	return connectortest.Call{Header: header, Body: []byte(strings.TrimSuffix(body, "}") + `,"sign":"` + base64Text(sign) + `"}`)}
}
