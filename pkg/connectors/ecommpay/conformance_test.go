package ecommpay_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

// The requests of the Korean banks page with our texts for what it leaves open: payment_id in Gate, and the signature.
// Language and method of the page come from its points 4 and 5, the language of Gate from its point 4.
const (
	examplePage = "/payment?project_id=200&payment_id=3936&payment_amount=10000&payment_currency=KRW&customer_id=123&customer_first_name=Kan&customer_last_name=Do" +
		"&customer_email=do@mail.com&language_code=ko&force_payment_method=online-korean-banks&signature=x"
	examplePageDirect = "/payment?project_id=200&payment_id=3936&payment_amount=10000&payment_currency=KRW&customer_id=123&customer_first_name=Kan&customer_last_name=Do" +
		"&language_code=ko&force_payment_method=online-korean-banks&signature=x"
	exampleSaleRedirect = `{"general":{"project_id":200,"payment_id":"` + order + `","signature":"x"},"payment":{"amount":10000,"currency":"KRW"},` +
		`"customer":{"id":"21","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do","email":"do@mail.com","language":"ko"},` +
		`"return_url":{"decline":"http://return.url","success":"http://return.url"}}`
	exampleSale = `{"general":{"project_id":200,"payment_id":"` + order + `","signature":"x"},"payment":{"amount":10000,"currency":"KRW"},` +
		`"customer":{"id":"customer123","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do"}}`
	examplePayout = `{"general":{"project_id":200,"payment_id":"` + order + `","signature":"x"},"payment":{"amount":10000,"currency":"KRW"},` +
		`"customer":{"id":"100","ip_address":"248.1.1.1","first_name":"Kon","last_name":"Do","email":"do@mail.com"},` +
		`"account":{"bank_id":140,"customer_name":"Do","number":"950-001413-01-010"}}`
)

func TestConformance(t *testing.T) {
	page := deposit("")
	page.Order, page.Customer = "3936", payment.Customer{ID: "123", FirstName: "Kan", LastName: "Do", Email: "do@mail.com"}
	direct := page
	direct.Method = "page_direct"
	redirect := deposit("gate_redirect")
	redirect.ReturnURL = "http://return.url"
	sale := deposit("gate")
	sale.Customer = payment.Customer{ID: "customer123", IPAddress: "248.1.1.1", FirstName: "Kon", LastName: "Do"}
	for name, h := range map[string]connectortest.Harness{
		"page":          pageHarness(page, examplePage),
		"page_direct":   pageHarness(direct, examplePageDirect),
		"gate_redirect": gateHarness(t, redirect, "sale", exampleSaleRedirect),
		"gate":          gateHarness(t, sale, "sale", exampleSale),
		"payout":        gateHarness(t, payout(), "payout", examplePayout),
	} {
		t.Run(name, func(t *testing.T) { connectortest.Run(t, h) })
	}
}

// harness is what all variants share.
func harness(cmd payment.Command) connectortest.Harness {
	h := connectortest.Harness{
		New: func(t testing.TB, url string, client *http.Client, now func() time.Time) connectors.Connector {
			c, err := ecommpay.New(cmd.Provider, ecommpay.Settings{ProjectID: 200, Secret: current, SecretsPrevious: []secret.Value{previous}, GateURL: url}, client, now)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		Now: now, Command: cmd,
		Traits: connectors.Traits{
			Kind: "ecommpay", Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 64, RefusesDuplicates: true, RefusalLeavesNoOrder: true, SettlingDelay: time.Minute,
			Methods:   map[payment.Operation][]string{payment.Deposit: {"page", "page_direct", "gate_redirect", "gate"}, payment.Payout: {"gate"}},
			Hours:     calendar.Config{Zone: "+09:00", Days: "mon-fri", Hours: "08:00-23:59"}, // Korean banks page
			BasicTime: 10 * time.Minute, Threshold: 48 * time.Hour,                            // Korean banks page, payouts
			PageGrace:            48*time.Hour + time.Minute,                                                                       // the threshold and the settling delay
			ThresholdInWallClock: true, MarginBeforeClosing: map[payment.Operation]time.Duration{payment.Payout: 10 * time.Minute}, // the basic time
		},
		Submit: connectortest.Submit{Verify: verifyRequest, Amount: func(m payment.Money) string { return strconv.FormatInt(m.Minor, 10) }},
		Lookup: connectortest.Lookup{
			Queries:         []string{"POST /v2/payment/status"},
			UnknownStatuses: []string{"Success", "SUCCESS", "unknown", "paid", "declined", "0", ""},
			Status: func(order string, amount payment.Money, status string) connectortest.Reply {
				return found(current, order, amount, status)
			},
			Unknown: []func(string) connectortest.Reply{ // en_Gate_payment_status_request
				func(string) connectortest.Reply {
					return connectortest.Reply{Body: `{"payment":{"status":"error"},"errors":[{"code":"3061","message":"Transaction not found"}]}`}
				},
				func(order string) connectortest.Reply { return refusal(order, "3061", "Transaction not found") },
			},
			Errors: []connectortest.Reply{
				refusal("D0001", "3261", "Invalid signature"), refusal("D0001", "2004", "x"), refusal("D0002", "3061", "Transaction not found"),
				found(foreign, "D0001", cmd.Amount, "success"), found(foreign, "D0001", cmd.Amount, "decline"),
				{Body: unsignedStatus("D0001", cmd.Amount, "success")}, {Body: unsignedStatus("D0001", cmd.Amount, "decline")},
			},
		},
		Webhooks: connectortest.Webhooks{
			SignatureField: "signature", SignsValues: true, UnknownStatuses: []string{"Success", "paid", "declined", "ok", "unknown"},
			Answer: connectors.Answer{ContentType: "text/plain", Body: "OK"},
			Make:   func(_ testing.TB, e connectortest.Event) connectortest.Call { return signedCallback(cmd.Operation, e) },
		},
		Secrets: []string{current.Reveal(), previous.Reveal()},
	}
	for kind, list := range map[payment.Kind]string{ // en_gate_sms_model, en_gate_payout_model
		payment.Paid: "success", payment.Declined: "decline|canceled|cancelled", payment.Reversal: "refunded|reversed", payment.PartialReversal: "partially refunded|partially reversed",
		payment.Accepted: "processing|external processing|awaiting 3ds result|awaiting clarification|awaiting confirmation|awaiting customer|awaiting customer action|" +
			"awaiting approval|awaiting merchant auth|awaiting payment|awaiting redirect result|awaiting retry|awaiting_redirect_result",
		payment.Indeterminate: "error|internal error|external error|expired|partially paid|partially paid out|partially_paid_out",
	} {
		for status := range strings.SplitSeq(list, "|") {
			h.Lookup.Statuses = append(h.Lookup.Statuses, connectortest.Meaning{Text: status, Kind: kind})
		}
	}
	h.Webhooks.Statuses = h.Lookup.Statuses
	if cmd.Operation == payment.Deposit {
		h.Amounts = connectortest.Amounts{Min: payment.KRW(10_000), Max: payment.KRW(30_000_000)} // Korean banks page, Operations support
	}
	return h
}

// pageHarness is a deposit on the Payment Page: no request, a signed link.
func pageHarness(cmd payment.Command, target string) connectortest.Harness {
	h := harness(cmd)
	h.Submit.Silent, h.Submit.Action = true, payment.ActionRedirect
	// The page's example leaves best_before out; ours closes after the default lifetime.
	target += "&best_before=" + url.QueryEscape(now.Add(24*time.Hour).Format("2006-01-02T15:04:05-07:00"))
	h.Submit.Example = connectortest.Example{Method: "GET", Target: target, Fresh: []string{"signature"}}
	h.Submit.OrderField, h.Submit.AmountField = "payment_id", "payment_amount"
	return h
}

// gateHarness is a request to Gate. What the customer must do comes in a callback.
func gateHarness(t testing.TB, cmd payment.Command, path, example string) connectortest.Harness {
	h := harness(cmd)
	h.Submit.Example = connectortest.Example{
		Method: "POST", Target: "/v2/payment/banks/korea/" + path, Body: example,
		Header: map[string]string{"Content-Type": "application/json"}, Fresh: []string{"general.signature"},
	}
	h.Submit.OrderField, h.Submit.AmountField = "general.payment_id", "payment.amount"
	h.Submit.Status = func(order string, _ payment.Money, status string) connectortest.Reply { // en_gate_interaction_organisation
		return connectortest.Reply{Body: fmt.Sprintf(`{"status":%q,"request_id":"f5e71b1b-00000001","project_id":200,"payment_id":%q}`, status, order)}
	}
	h.Submit.Statuses = []connectortest.Meaning{{Text: "success", Kind: payment.Accepted}}
	h.Submit.UnknownStatuses = []string{"Success", "processing", "decline", "accepted", ""}
	h.Submit.Accepted = func(order string, amount payment.Money) connectortest.Reply {
		return h.Submit.Status(order, amount, "success")
	}
	h.Submit.Code = func(order string, _ payment.Money, code string) connectortest.Reply {
		return refusal(order, code, "some text")
	}
	h.Submit.UnknownCodes = []string{"", "1", "3040", "03041", "3041 ", "success"}
	for _, c := range allCodes(t) { // en_Gate__Unified_Codes
		h.Submit.Codes = append(h.Submit.Codes, connectortest.Meaning{Text: c.Code, Class: classOf(c.Code), Known: c.Code == "3041"})
	}
	h.Submit.Duplicate = func(order string, _ payment.Money) connectortest.Reply {
		return refusal(order, "3041", "Payment exists")
	}
	h.Submit.Refusal = func(order string, _ payment.Money, text string) connectortest.Reply {
		return refusal(order, "3020", text)
	}
	h.Absent = map[string]string{"Submit.AmountEcho": "en_gate_interaction_organisation: the answer of Gate repeats no amount; callbacks and lookups do"}
	return h
}

// refusal is Gate's answer to a request that it did not take (en_gate_interaction_organisation).
func refusal(order, code, message string) connectortest.Reply {
	text, _ := json.Marshal(message)
	return connectortest.Reply{Status: 400, Body: fmt.Sprintf(`{"status":"error","code":%q,"message":%s,"request_id":"r1","project_id":200,"payment_id":%q}`, code, text, order)}
}

// unsignedStatus is an answer to a status query (en_Gate_payment_status_request).
func unsignedStatus(order string, amount payment.Money, status string) string {
	sum := fmt.Sprintf(`{"amount":%d,"currency":"KRW"}`, amount.Minor)
	return fmt.Sprintf(`{"general":{"project_id":200,"payment_id":%q},"request_id":"r","sum_request":%s,"sum_real":%s,`+
		`"payment":{"id":%q,"date":"2019-10-16T09:41:26+0000","method":"Korean banks","status":%q}}`, order, sum, sum, order, status)
}

func found(key secret.Value, order string, amount payment.Money, status string) connectortest.Reply {
	body := unsignedStatus(order, amount, status)
	return connectortest.Reply{Body: strings.Replace(body, `"general":{`, `"general":{"signature":"`+signatureOf(key, body)+`",`, 1)}
}

// signedCallback is a callback in the form of the Korean banks page. Money that is reversed comes with an operation
// of its own (en_gate_payout_model).
func signedCallback(operation payment.Operation, e connectortest.Event) connectortest.Call {
	kind, does, ended, code := "purchase", "sale", e.Status, "0"
	if operation == payment.Payout {
		kind, does = "payout", "payout"
	}
	switch e.Status {
	case "decline", "canceled", "cancelled":
		code = "20000"
	case "refunded", "partially refunded":
		does, ended = "refund", "success"
	case "reversed", "partially reversed":
		does, ended = "reversal", "success"
	}
	sum := fmt.Sprintf(`{"amount":%d,"currency":"KRW"}`, e.Amount.Minor)
	at := e.At.Format("2006-01-02T15:04:05-0700")
	body := fmt.Sprintf(`{"project_id":200,"payment":{"id":%q,"type":%q,"status":%q,"date":%q,"method":"Korean banks","sum":%s,"description":"TEST_1571044062268"},`+
		`"customer":{"id":"21"},"operation":{"id":1737000008461,"type":%q,"status":%q,"date":%q,"created_date":"2019-10-16T09:39:20+0000","request_id":"00001738",`+
		`"sum_initial":%s,"sum_converted":%s,"code":%q,"message":"success","provider":{"id":1481}}`,
		e.Order, kind, e.Status, at, sum, does, ended, at, sum, sum, code)
	key := []secret.Value{connectortest.CurrentKey: current, connectortest.RotatedKey: previous, connectortest.ForeignKey: foreign}[e.Key]
	return connectortest.Call{Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body + `,"signature":"` + signatureOf(key, body+"}") + `"}`)}
}

// verifyRequest judges a link to the page, or a request to Gate.
func verifyRequest(r connectortest.Received, _ time.Time) error {
	parts, sent := map[string]string{}, ""
	if _, query, isPage := strings.Cut(r.Target, "?"); isPage {
		fields, err := connectortest.Received{Target: "?" + query}.Fields()
		if err != nil {
			return err
		}
		sent, parts = fields["signature"], fields
		delete(parts, "signature")
	} else {
		var body map[string]map[string]any
		if err := decodeExactly(r.Body, &body); err != nil {
			return err
		}
		sent, _ = body["general"]["signature"].(string)
		delete(body["general"], "signature")
		for name, group := range body {
			spread(name, group, parts)
		}
	}
	if sent == "" || sent != hmacOf(current, parts) {
		return errors.New("the signature is missing or wrong")
	}
	return nil
}

func decodeExactly(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return dec.Decode(into)
}

// signatureOf signs a document that has no signature, apart from the connector's code
// (en_platform_signature).
func signatureOf(key secret.Value, body string) string {
	var document any
	if err := decodeExactly([]byte(body), &document); err != nil {
		panic(err)
	}
	parts := map[string]string{}
	spread("", document, parts)
	return hmacOf(key, parts)
}

// spread collects the plain values of a document by their path.
func spread(path string, value any, parts map[string]string) {
	inside := func(name string) string { return strings.TrimPrefix(path+":"+name, ":") }
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			spread(inside(name), inner, parts)
		}
	case []any:
		for i, inner := range v {
			spread(inside(strconv.Itoa(i)), inner, parts)
		}
	default:
		parts[path] = fmt.Sprint(v)
	}
}

func hmacOf(key secret.Value, parts map[string]string) string {
	var texts []string
	for _, path := range slices.Sorted(maps.Keys(parts)) {
		texts = append(texts, path+":"+parts[path])
	}
	mac := hmac.New(sha512.New, []byte(key.Reveal()))
	mac.Write([]byte(strings.Join(texts, ";")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
