package ecommpay_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/payment"
	"payonce/test/race"
)

// echoed is a declined callback in which the provider repeats texts of a customer. text must be fit for JSON.
func echoed(place, text string) string {
	body := callback("purchase", "decline", "sale", "decline", "20000")
	switch place {
	case "description":
		return strings.Replace(body, `"TEST_1571044062268"`, `"`+text+`"`, 1)
	case "message":
		return strings.Replace(body, `"Some text"`, `"`+text+`"`, 1)
	case "account":
		return strings.Replace(body, `"customer":`, `"account":{"number":"`+text+`"},"customer":`, 1)
	default:
		return strings.Replace(body, `"customer":{"id":"21"}`, `"customer":{"id":"21","`+place+`":"`+text+`"}`, 1)
	}
}

var echoedPlaces = []string{"description", "account", "first_name", "last_name"}

// hostile are texts that try to be fields. zzz is at the end, where it could take in all that follows.
var hostile = []string{
	"x;payment:status:success", "a;payment:status:success;payment:zzz:", "x;payment:id:OTHER", "x;payment:id:OTHER;payment:zzz:", "x;payment:id:OTHER;zzz:",
	"x;operation:code:0;operation:status:success;payment:id:OTHER;payment:status:success;payment:sum:amount:10000;payment:sum:currency:KRW;payment:type:purchase;project_id:200;zzz:",
	"x;operation:status:success;operation:sum_converted:amount:1;operation:type:sale;payment:id:" + order + ";payment:status:success;payment:sum:amount:10000;payment:sum:currency:KRW;zzz:",
	"x;payment:id:" + order + ";payment:status:success;payment:sum:amount:10000;payment:sum:currency:KRW;payment:type:purchase;zzz:",
	"x;payment:id:" + order + ";payment:status:success;payment:sum:amount:99;payment:sum:currency:KRW;payment:type:purchase;zzz",
	"x;payment:sum:amount:1", "x;payment:is_new_attempts_available:1", "x;general:payment_id:OTHER", "x;general:payment_id:OTHER;general:zzz:", "x;general:project_id:201",
	"x;payment_id:OTHER", "x;project_id:201", "x;sum_real:amount:1;sum_real:currency:KRW", "x;payment::id:OTHER", "x;payment:", ";payment:status:success;",
	"x;provider_extra_fields:merchant_bank_account:1", "x;payment:description:y", "x;operation:date:2019-10-16T09:41:26+0000",
}

// readings makes documents out of a signed text: each of its pieces a field of its own, and then, for each two
// pieces, those between them as the value of the first.
func readings(signed string) []string {
	pieces := strings.Split(signed, ";")
	var all []string
	for from := range pieces {
		for to := from; to < len(pieces); to++ {
			if to == from && from > 0 {
				continue // nothing processed: once is enough
			}
			merged := slices.Clone(pieces[:from])
			merged = append(append(merged, strings.Join(pieces[from:to+1], ";")), pieces[to+1:]...)
			if document, ok := documentOf(merged); ok {
				all = append(all, document)
			}
		}
	}
	return all
}

// leaves are the paths of what is read, so that a value keeps its colons.
var leaves = []string{"operation:date", "operation:created_date", "payment:date", "payment:description", "operation:message", "account:number", "customer:first_name", "customer:last_name", "customer:email"}

// documentOf builds a document from pieces "path:value".
func documentOf(pieces []string) (string, bool) {
	root := map[string]any{}
	for _, piece := range pieces {
		head, _, _ := strings.Cut(piece, ";")
		at := strings.LastIndex(head, ":")
		for _, leaf := range leaves {
			if strings.HasPrefix(head, leaf+":") {
				at = len(leaf)
			}
		}
		if at < 0 {
			return "", false
		}
		names, into := strings.Split(piece[:at], ":"), root
		for _, name := range names[:len(names)-1] {
			inner, is := into[name].(map[string]any)
			if into[name] == nil {
				inner = map[string]any{}
				into[name] = inner
			} else if !is {
				return "", false
			}
			into = inner
		}
		last := names[len(names)-1]
		if _, taken := into[last]; taken {
			return "", false
		}
		into[last] = piece[at+1:]
	}
	document, err := json.Marshal(root)
	return string(document), err == nil
}

// TestCustomersTextsDecideNothing: whatever a customer's text looks like, the callback that repeats it is no more
// than declined, and no reader can take it as paid, as another payment or with another amount.
func TestCustomersTextsDecideNothing(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	accepted, read := 0, 0
	for _, place := range echoedPlaces {
		for _, text := range hostile {
			body := echoed(place, text)
			signature, err := ecommpay.Sign(current, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			signed, err := ecommpay.SigningString([]byte(body), ecommpay.NaturalByPath)
			if err != nil {
				t.Fatal(err)
			}
			for _, document := range append(race.Sample(readings(signed), 10), body) {
				read++
				n, err := c.Webhook(nil, []byte(`{"signature":"`+signature+`",`+document[1:]), now)
				if err != nil {
					continue
				}
				accepted++
				o := n.Observation
				if o.Kind != payment.Declined && o.Kind != payment.Indeterminate || n.Order != order && o.Kind != payment.Indeterminate ||
					!o.Amount.IsZero() && o.Amount != payment.KRW(10000) || o.Action != nil {
					t.Errorf("%s %q read as\n%s\nis %+v", place, text, document, n)
				}
			}
		}
	}
	t.Logf("%d readings, %d taken", read, accepted)
	if read < race.Share(10_000, 10) || accepted < race.Share(100, 10) {
		t.Errorf("%d readings, %d taken: nothing was tried", read, accepted)
	}
}

// TestTwoReadings: a callback with more than one reading decides nothing, and is looked up if it is certain which
// payment it is about.
func TestTwoReadings(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	indeterminate := connectors.Notice{Order: order, Answer: connectors.Answer{ContentType: "text/plain", Body: "OK"}, Observation: payment.Observation{
		Kind: payment.Indeterminate, Source: payment.FromWebhook, Known: true, Reason: &payment.Reason{Code: payment.ReasonIndeterminate, Message: "the signed text is ambiguous"}}}
	paid := callback("purchase", "success", "sale", "success", "0")
	for _, text := range []string{"a;payment:status:success", "x;payment:description:y", "x;operation:code:0", "x;sum_real:amount:1", "x;redirect_data:url:https://evil.example.com", "x;payment:sum:amount:1"} {
		for _, body := range []string{echoed("description", text), echoed("message", text), strings.Replace(paid, `"Some text"`, `"`+text+`"`, 1)} {
			n, err := c.Webhook(nil, []byte(signedBy(t, current, body)), now)
			if err != nil {
				t.Errorf("%q: %v", text, err)
				continue
			}
			mustEqual(t, n, indeterminate)
		}
	}
	// Two payments, or no certain one.
	for _, text := range []string{"x;payment:id:OTHER", "x;general:payment_id:OTHER", "x;payment_id:OTHER"} {
		_, err := c.Webhook(nil, []byte(signedBy(t, current, strings.Replace(paid, `"Some text"`, `"`+text+`"`, 1))), now)
		refused(t, err, connectors.BadWebhook)
	}
	n, err := c.Webhook(nil, []byte(signedBy(t, current, strings.Replace(paid, `{`, `{"general":{"payment_id":"OTHER"},`, 1))), now)
	if err != nil || n.Order != "OTHER" || n.Operation != "" || n.Observation.Kind != payment.Indeterminate {
		t.Errorf("got %+v, %v", n, err)
	}
	if n, err := c.Webhook(nil, []byte(signedBy(t, current, strings.Replace(paid, `{`, `{"general":{"payment_id":"`+order+`"},`, 1))), now); err != nil || n.Observation.Kind != payment.Paid {
		t.Errorf("got %+v, %v", n, err)
	}
	// An answer to our own question is what the provider wrote.
	for _, text := range []string{"a;payment:status:decline", "x;payment:id:OTHER", "x;sum_real:amount:1"} {
		body := strings.Replace(statusAnswer(`"status":"success"`), `"description":""`, `"description":"`+text+`"`, 1)
		o, err := lookUp(t, payment.Deposit, 200, signedBy(t, current, body))
		if err != nil || o.Kind != payment.Paid || o.SettledAmount != payment.KRW(10000) {
			t.Errorf("%q: got %+v, %v", text, o, err)
		}
	}
}

// harmless are texts with the separators of the signed text that cannot be read as fields that are read.
var harmless = []string{
	"Order: 5; 2 items", "a=b&c=d;e=f", "https://shop.example.com/?a=1&b=2;c=3#x:y", ";", ";;", ":", "a;b;c", "x;y:z", "ref: 5; code: 0; status: paid", "payment:status:success", "payment: 5", "; payments: 7",
	"10% off: #1; paid", "x;payment", "x;payment status:success", "홍;길동:1",
}

// TestHarmlessTexts: they leave, and the callback that repeats them ends the payment by itself.
func TestHarmlessTexts(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	for _, text := range harmless {
		for _, place := range echoedPlaces {
			n, err := c.Webhook(nil, []byte(signedBy(t, current, echoed(place, text))), now)
			if err != nil || n.Observation.Kind != payment.Declined || n.Order != order {
				t.Errorf("%s %q: got %+v, %v", place, text, n, err)
			}
			paid := strings.NewReplacer(`"decline"`, `"success"`, `"20000"`, `"0"`).Replace(echoed(place, text))
			if n, err := c.Webhook(nil, []byte(signedBy(t, current, paid)), now); err != nil || n.Observation.Kind != payment.Paid || n.Observation.Amount != payment.KRW(10000) {
				t.Errorf("%s %q: got %+v, %v", place, text, n, err)
			}
		}
		cmd := payout()
		cmd.Description, cmd.Customer.LastName, cmd.Account.Holder = text, "Kim "+text, "Kim "+text // a name has a letter
		if err := connectors.Check(c, cmd); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	redirect := `"redirect_data":{"body":{"back":"https://shop.example.com/?a=1&b=2;c:3","desc":"Order: 5; 2 items"},"method":"POST","url":"https://bank.example.com/pay;v=1?x=1&y=2"}`
	n, err := c.Webhook(nil, []byte(signedBy(t, current, callback("purchase", "awaiting redirect result", "sale", "awaiting redirect result", "9999", redirect))), now)
	if err != nil || n.Observation.Action == nil || n.Observation.Action.Redirect.URL != "https://bank.example.com/pay;v=1?x=1&y=2" || n.Observation.Action.Redirect.Fields["desc"] != "Order: 5; 2 items" {
		t.Errorf("got %+v, %v", n, err)
	}
}

// TestNothingLeavesThatCannotBeRead: a command is refused, by the name of its field, if the callback that repeats it
// had more than one reading.
func TestNothingLeavesThatCannotBeRead(t *testing.T) {
	c := connect(t, settings("http://127.0.0.1:1")) // nothing listens there
	fields := map[string]func(*payment.Command) *string{
		"description":         func(cmd *payment.Command) *string { return &cmd.Description },
		"customer.id":         func(cmd *payment.Command) *string { return &cmd.Customer.ID },
		"customer.first_name": func(cmd *payment.Command) *string { return &cmd.Customer.FirstName },
		"customer.last_name":  func(cmd *payment.Command) *string { return &cmd.Customer.LastName },
		"account.number":      func(cmd *payment.Command) *string { return &cmd.Account.Number },
		"account.holder":      func(cmd *payment.Command) *string { return &cmd.Account.Holder },
	}
	texts := append(slices.Clone(hostile), "a; payment:status:success", "a;\tPayment : x", "a;PROJECT_ID:1", "x;display_data:0:data:y")
	for _, cmd := range []payment.Command{deposit(""), deposit("page_direct"), deposit("gate"), deposit("gate_redirect"), payout()} {
		for field, of := range fields {
			if strings.HasPrefix(field, "account") && cmd.Operation != payment.Payout {
				continue
			}
			for _, text := range texts {
				changed := cmd
				*of(&changed) = text
				var wrong *payment.FieldError
				if err := connectors.Check(c, changed); !errors.As(err, &wrong) || wrong.Field != field {
					t.Errorf("%s %s with %s %q: got %v", cmd.Operation, cmd.Method, field, text, err)
				}
				if _, err := c.Submit(testContext(t), changed); classified(t, err).Code != payment.ReasonInvalid {
					t.Errorf("%s %s with %s %q: submit gives %v", cmd.Operation, cmd.Method, field, text, err)
				}
			}
		}
	}
	nameOnly := payout()
	nameOnly.Account.Holder, nameOnly.Customer.Name = "", "x;payment:status:success"
	var wrong *payment.FieldError
	if err := connectors.Check(c, nameOnly); !errors.As(err, &wrong) || wrong.Field != "customer.name" {
		t.Errorf("got %v", err)
	}
}
