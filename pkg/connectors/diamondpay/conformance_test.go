package diamondpay_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
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
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
)

// The requests of the three deposit pages. The TWD deposit page's example has camelCase names where its table has snake_case,
// and lacks the name that its table requires; the provider's Java demo sends what is here.
const (
	exampleKRW = `{"amount":"130000000","name":"테스","user_id":"playerA","notify_url":"https://xxx.xx/notification","payment_cl_id":"DEVPM00014581",` +
		`"platform_id":"PF0002","request_time":"1595504136","service_id":"SVC0026","sign":"x"}`
	exampleV2 = `{"amount":"50000000","notify_url":"https://xxx.xx/notification","payment_cl_id":"DEVPM00014581",` +
		`"platform_id":"PF0002","request_time":"1595504136","service_id":"SVC0015","sign":"x"}`
	exampleTWD = `{"amount":48389,"last_numbers":["12345","67890","11111"],"name":"王小頭","notify_url":"http://localhost:54725/gateway/test-notification",` +
		`"payment_cl_id":"test_tw_card_1766005863_25","platform_id":"PF0003","request_time":1766005863,"service_id":"SVC0025","sign":"x"}`
	withdraw = `{"amount":1000000,"bank_name":"KBSTAR_KR","currency":"krw","name":"홍길동","notify_url":"https://xxx.xx/payouts","number":"110222333444",` +
		`"payout_cl_id":"DEVPM00014581","phone_number":"01012345678","platform_id":"PF0002","request_time":1595504136,"service_id":"SVC0004","sign":"x"}` // apayasia create-withdraw
	foreignKey = "a-secret-of-another-platform"
)

// answers makes the answer that takes an order.
type answers func(order string, amount payment.Money) string

// variant is one way of paying with one version of the API.
type variant struct {
	account account
	cmd     payment.Command
	request string
	taken   answers
	queries string // version of the lookups
	action  payment.ActionType
	absent  map[string]string
}

func TestConformance(t *testing.T) {
	linksOnly := map[string]string{
		"Submit.AmountEcho": "KRW deposit page, 標準Return: the answer holds links only",
		"Submit.OrderEcho":  "KRW deposit page, 標準Return: the answer holds links only",
	}
	numberOnly := map[string]string{
		"Submit.AmountEcho": "apayasia create-withdraw: the answer holds the payout_id only",
		"Submit.OrderEcho":  "apayasia create-withdraw: the answer holds the payout_id only",
	}
	old := with(krwV2, func(s *diamondpay.Settings) { s.PayoutQueryVersion = "v1" })
	depositV2 := func(method, service string) variant {
		cmd := deposit(payment.KRW(500000))
		cmd.Method = method
		return variant{krwV2, cmd, strings.Replace(exampleV2, "SVC0015", service, 1), answerV2, "v2", payment.ActionTransfer, nil}
	}
	for name, v := range map[string]variant{
		"v1 KRW":                    {krwV1, deposit(payment.KRW(1300000)), exampleKRW, answerLinks, "v1", payment.ActionRedirect, linksOnly},
		"v1 KRW with payment_info":  {krwV1, deposit(payment.KRW(1300000)), exampleKRW, answerInfo, "v1", payment.ActionTransfer, nil},
		"v1 TWD":                    {twd, depositTWD(), exampleTWD, answerSnake, "v1", payment.ActionTransfer, nil},
		"v1 TWD camelCase answers":  {twd, depositTWD(), exampleTWD, answerTWD, "v1", payment.ActionTransfer, nil},
		"v2 KRW by default":         depositV2("", "SVC0015"),
		"v2 KRW card":               depositV2("card", "SVC0015"),
		"v2 KRW direct":             depositV2("direct", "SVC0016"),
		"v2 KRW qr":                 depositV2("qr", "SVC0017"),
		"payout":                    {krwV2, payout(), withdraw, answerPayout, "v2", "", numberOnly},
		"payout with lookups in v1": {old, payout(), withdraw, answerPayout, "v1", "", numberOnly},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("MD5", func(t *testing.T) { connectortest.Run(t, harness(v, diamondpay.MD5)) })
			t.Run("HMAC-SHA256", func(t *testing.T) { connectortest.Run(t, harness(v, diamondpay.HMACSHA256)) })
		})
	}
}

func harness(v variant, signType string) connectortest.Harness {
	p := paper{v.account("http://127.0.0.1:1").PlatformID, signType, v.cmd.Operation, v.queries}
	path := "/gateway/api/" + v.account("http://127.0.0.1:1").Version + "/payments"
	if v.cmd.Operation == payment.Payout {
		path = "/gateway/api/v2/payouts"
	}
	h := connectortest.Harness{
		New: func(t testing.TB, url string, client *http.Client, now func() time.Time) connectors.Connector {
			c, err := diamondpay.New(v.cmd.Provider, with(v.account, func(s *diamondpay.Settings) { s.SignType = signType })(url), client, now)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Now: now, Command: v.cmd, Absent: map[string]string{}, Traits: traits(v), Amounts: connectortest.Amounts{Max: payment.KRW(99_999_999)},
		Submit: connectortest.Submit{
			Example:    connectortest.Example{Method: "POST", Target: path, Body: p.withSignType(v.request), Header: map[string]string{"Content-Type": "application/json;charset=utf-8"}, Fresh: []string{"sign"}},
			OrderField: p.kind() + "_cl_id", AmountField: "amount", Amount: unitsOf(v), Verify: p.verify, Action: v.action,
			Accepted: func(order string, amount payment.Money) connectortest.Reply {
				return connectortest.Reply{Body: v.taken(order, amount)}
			},
			Code:         func(_ string, _ payment.Money, code string) connectortest.Reply { return failure(code, "some text") },
			Codes:        documentedCodes(),
			UnknownCodes: []string{"", "0", "1", "0014 ", "00014", "0030", "9999", "success"},
			Duplicate:    func(string, payment.Money) connectortest.Reply { return failure("0014", "duplicate") },
			Refusal:      func(_ string, _ payment.Money, text string) connectortest.Reply { return failure("0002", text) },
		},
		Lookup: p.lookup(v.cmd.Amount),
		Webhooks: connectortest.Webhooks{
			SignatureField: "sign", SignsValues: true, Make: func(_ testing.TB, e connectortest.Event) connectortest.Call { return p.notify(e) },
			Answer: connectors.Answer{ContentType: "application/json", Body: `{"error_code":"0000"}`},
		},
		Secrets: []string{key, oldKey, token},
	}
	h.Webhooks.Statuses, h.Webhooks.UnknownStatuses = h.Lookup.Statuses, h.Lookup.UnknownStatuses
	maps.Copy(h.Absent, v.absent)
	h.Absent["Submit.Status"] = "the three deposit pages and apayasia: the answer to a create request has no status"
	if v.cmd.Amount.Currency == "TWD" {
		h.Now, h.Amounts.Max = time.Unix(1766005863, 0), payment.TWD(9_999_999_999) // TWD deposit page: ten digits of hundredths
	}
	return h
}

func traits(v variant) connectors.Traits {
	s := v.account("http://127.0.0.1:1")
	t := connectors.Traits{
		Kind: "diamondpay", Operations: payment.Operations(), Currencies: []string{s.Currency}, MaxOrderLength: 32, RefusesDuplicates: true, OneReference: true, SettlingDelay: time.Minute,
		Methods: map[payment.Operation][]string{payment.Deposit: {"atm"}, payment.Payout: {"bank"}},
	}
	switch {
	case s.Currency == "TWD":
		t.Operations = []payment.Operation{payment.Deposit}
		delete(t.Methods, payment.Payout)
	case s.Version == "v2":
		t.MaxOrderLength, t.Methods[payment.Deposit] = 64, []string{"card", "direct", "qr"}
	}
	return t
}

// unitsOf writes an amount in hundredths, which won has none of; deposits in won write it as a text.
func unitsOf(v variant) func(payment.Money) string {
	return func(m payment.Money) string {
		switch {
		case m.Currency == "TWD":
			return strconv.FormatInt(m.Minor, 10)
		case v.cmd.Operation == payment.Payout:
			return fmt.Sprintf("%d00", m.Minor)
		}
		return fmt.Sprintf(`"%d00"`, m.Minor)
	}
}

// hundredths is an amount in the provider's unit.
func hundredths(m payment.Money) int64 {
	if m.Currency == "KRW" {
		return 100 * m.Minor
	}
	return m.Minor
}

// The answers of the three deposit pages, about any order and amount. The display_amount of the KRW deposit page is made to be one
// of whole won, see TestAnswersOfTheDepositPages for the one that is there.
func answerLinks(string, payment.Money) string { return standardV1 }

func answerInfo(order string, m payment.Money) string {
	n := fmt.Sprintf(": %d,", hundredths(m))
	return strings.NewReplacer(": 50000,", n, ": 49996,", n, "DEVPM00014581", order).Replace(detailedV1)
}

func answerV2(order string, m payment.Money) string { // with the surplus comma that is there
	return strings.NewReplacer("5001000", fmt.Sprint(hundredths(m)), "order_20260112001", order).Replace(acceptedV2)
}

func answerTWD(order string, m payment.Money) string {
	return strings.NewReplacer("48389", fmt.Sprint(hundredths(m)), "test_tw_card_1766005863_25", order).Replace(acceptedTWD)
}

// answerSnake is the same in the names that the text of the TWD deposit page describes.
func answerSnake(order string, m payment.Money) string {
	return strings.NewReplacer("48389", fmt.Sprint(hundredths(m)), "test_tw_card_1766005863_25", order).Replace(snakeTWD)
}

func answerPayout(string, payment.Money) string { return acceptedPayout }

// failure is an error in the form of the deposit pages.
func failure(code, message string) connectortest.Reply {
	text, _ := json.Marshal(message)
	return connectortest.Reply{Body: fmt.Sprintf(`{"error_code":%q,"error_msg":%s}`, code, text)}
}

// documentedCodes are showdoc's global error codes, and 0050 of apayasia.
func documentedCodes() (all []connectortest.Meaning) {
	for class, list := range map[connectors.Class]string{
		connectors.Rejected:      "0002 0008 0012 0026 0028 0029",
		connectors.Misconfigured: "0003 0004 0005 0006 0009 0010 0015 0016 0019 0020 0021 0022 0023 0027",
		connectors.InDoubt:       "0001 0007 0011 0013 0014 0017 0024 0025 0050",
		connectors.NotSent:       "0018",
	} {
		for _, code := range strings.Fields(list) {
			all = append(all, connectortest.Meaning{Text: code, Class: class, Known: code == "0014"})
		}
	}
	return all
}

// paper is what an account signs, and how.
type paper struct {
	platform, signType string
	operation          payment.Operation
	queries            string
}

func (p paper) kind() string {
	return map[payment.Operation]string{payment.Deposit: "payment", payment.Payout: "payout"}[p.operation]
}

// withSignType names the sign type in a request: a request without it is signed with MD5 (apayasia).
func (p paper) withSignType(request string) string {
	if p.signType == "MD5" {
		return request
	}
	return strings.Replace(request, `{`, `{"sign_type":"HMAC-SHA256",`, 1)
}

// sign is showdoc's signature, written apart from the connector's.
func (p paper) sign(secret string, body []byte) string {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		panic(err)
	}
	delete(all, "sign")
	delete(all, "sign_type")
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var text string
		if json.Unmarshal(all[name], &text) != nil { // a number or a list, as it is written
			text = string(all[name])
		}
		if text != "" {
			parts = append(parts, name+"="+text)
		}
	}
	text := strings.Join(parts, "&")
	if p.signType == "MD5" {
		sum := md5.Sum([]byte(text + "&" + secret))
		return hex.EncodeToString(sum[:])
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// signed adds the signature to a document.
func (p paper) signed(secret, body string) string {
	return strings.TrimSuffix(p.withSignType(body), "}") + `,"sign":"` + p.sign(secret, []byte(body)) + `"}`
}

// verify judges a create request by its signature and time, and a query by its token.
func (p paper) verify(r connectortest.Received, now time.Time) error {
	if r.Method == http.MethodGet {
		if sent, _ := r.Line("Authorization"); sent != token || len(r.Body) > 0 {
			return errors.New("the token is missing, or a query has a body")
		}
		return nil
	}
	fields, err := r.Fields()
	if err != nil {
		return err
	}
	if sent := strings.Trim(fields["request_time"], `"`); sent != strconv.FormatInt(now.Unix(), 10) {
		return errors.New("the time is not now")
	}
	if want := map[string]string{"MD5": "", "HMAC-SHA256": `"HMAC-SHA256"`}[p.signType]; fields["sign_type"] != want {
		return fmt.Errorf("the sign_type is %s", fields["sign_type"])
	}
	if fields["sign"] != strconv.Quote(p.sign(key, r.Body)) {
		return errors.New("the signature is missing or wrong")
	}
	return nil
}

// document is an order in a lookup (showdoc, apayasia) or a notification, unsigned.
func (p paper) document(order string, amount payment.Money, status string, at time.Time) string {
	paid, real := map[payment.Operation]string{payment.Deposit: "2", payment.Payout: "3"}[p.operation], int64(0)
	if status == paid || p.operation == payment.Deposit && !slices.Contains([]string{"0", "1", "3", "4"}, status) {
		real = hundredths(amount)
	}
	return fmt.Sprintf(`{"%s_id":"PM00000102","%[1]s_cl_id":%q,"platform_id":%q,"amount":%d,"real_amount":%d,"fee":3200,"status":%s,"create_time":%d,"update_time":1567614111}`,
		p.kind(), order, p.platform, hundredths(amount), real, status, at.Unix())
}

func (p paper) notify(e connectortest.Event) connectortest.Call {
	secret := []string{connectortest.CurrentKey: key, connectortest.RotatedKey: oldKey, connectortest.ForeignKey: foreignKey}[e.Key]
	body := p.signed(secret, p.document(e.Order, e.Amount, e.Status, e.At))
	return connectortest.Call{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}

// found is the answer to a lookup: a list of signed orders in v1, one order without a signature in v2.
func (p paper) found(secret, document string) connectortest.Reply {
	if p.queries == "v1" {
		return connectortest.Reply{Body: `{"error_code":"0000","data":[` + p.signed(secret, document) + `],"total":1}`}
	}
	return connectortest.Reply{Body: `{"error_code":"0000","data":` + document + `}`}
}

func (p paper) lookup(amount payment.Money) connectortest.Lookup {
	at := time.Unix(1567614049, 0)
	other := p
	other.platform = "PF0099"
	l := connectortest.Lookup{
		Status: func(order string, amount payment.Money, status string) connectortest.Reply {
			return p.found(key, p.document(order, amount, status, at))
		},
		Unknown: []func(string) connectortest.Reply{func(string) connectortest.Reply { return failure("0050", "order not found") }},
		Errors: []connectortest.Reply{
			failure("0001", "x"), failure("0003", "x"), failure("0004", "x"), failure("0005", "x"), failure("0013", "x"), failure("0014", "x"), failure("9999", "x"),
			p.found(key, other.document("D0001", amount, "3", at)), {Body: `{"error_code":"0000"}`}, {Body: `{"error_code":"0000","data":null}`},
			{Body: `{"error_code":"0050","data":` + p.document("D0001", amount, "2", at) + `}`},
		},
	}
	means := func(kind payment.Kind, statuses ...string) {
		for _, status := range statuses {
			l.Statuses = append(l.Statuses, connectortest.Meaning{Text: status, Kind: kind})
		}
	}
	if p.operation == payment.Payout { // apayasia, payout states
		means(payment.Accepted, "0", "1", "2", "6")
		means(payment.Paid, "3")
		means(payment.Declined, "4", "5")
		l.UnknownStatuses = []string{"7", "-1", "3.0", `"03"`, `"success"`, "true"}
		l.Errors = append(l.Errors, failure("0007", "x"))
	} else { // showdoc, order states
		means(payment.Accepted, "0", "1")
		means(payment.Paid, "2")
		means(payment.Declined, "3", "4")
		l.UnknownStatuses = []string{"5", "-1", "2.0", `"02"`, `"success"`, "true"}
		l.Unknown = append(l.Unknown, func(string) connectortest.Reply { return failure("0007", "x") })
	}
	path := "/gateway/api/" + p.queries + "/" + p.kind() + "s"
	if p.queries == "v2" {
		l.Queries = []string{"GET " + path + "/{order}"}
		return l
	}
	l.Queries = []string{"GET " + path}
	l.Unknown = append(l.Unknown, func(string) connectortest.Reply {
		return connectortest.Reply{Body: `{"error_code":"0000","data":[],"total":0}`}
	})
	l.Errors = append(l.Errors, p.found(foreignKey, p.document("D0001", amount, "2", at)), p.found(foreignKey, p.document("D0001", amount, "3", at)),
		connectortest.Reply{Body: `{"error_code":"0000","data":[` + p.document("D0001", amount, "2", at) + `],"total":1}`},
		connectortest.Reply{Body: `{"error_code":"0000","data":[],"total":1}`})
	return l
}
