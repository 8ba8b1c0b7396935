package teemopay_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// The answers of the pay-in page.
const (
	acceptedVA = `{ "msg": "success", "traceId": "747bbf80261844ed85b809212aab0d81.85.17422898158610299", "code": 200, "data": { "amount": "1000.00", "tradeNo": "TS2405220001KR0000430564883184", "additionalInfo": {"bankCode":"IBK","bankName":"기업은행","expiredTime":1761022567000}, "merchantOrderNo": "2C2741241kCApltr2IATMy0c992278", "paymentInfo": "29900000000000", "paymentType": 801, "status": 1 }}`
	duplicate  = `{ "code": 426, "data": null, "msg": "merchant order duplicate", "traceId": "f2b58c9c394d4b1595dd4e448ac741bc.2256.17645844263770017"}`
	declined   = `{ "code": 200, "data": { "merchantOrderNo": "2C2741241kCApltr2IATMy0c992278", "amount": null, "tradeNo": "TS2405220001KR0000430564883184", "paymentType": 801, "paymentInfo": null, "additionalInfo": null, "status": 3, "errorMsg": "Transaction amount exceeds limit, kindly retry within allowed range." }, "msg": "success", "traceId": "f2b58c9c394d4b1595dd4e448ac741bc.1248.17645838103706945"}`
	page       = "https://test-kr-payin.teemopay.com/TS2509080002KR0000465606537906"
)

// data returns an answer with code 200 that names our order.
func data(fields string) string {
	return `{"code":200,"msg":"success","data":{"merchantOrderNo":"` + order + `","tradeNo":"T1",` + fields + `},"traceId":"x"}`
}

func TestDepositMethods(t *testing.T) {
	cases := []struct {
		method string
		sent   string // what the method adds to the common fields
		reply  string
		action payment.ActionType
	}{
		{"va", "paymentType=801 accountHolderNumber=950101", data(`"status":1,"paymentInfo":"29900000000000"`), payment.ActionTransfer},
		{"kyc_va", "paymentType=802 accountHolderNumber=950101 bankCode=088 bankAccount=345345345", data(`"status":0,"paymentInfo":"` + page + `"`), payment.ActionRedirect},
		{"kyc_va", "paymentType=802 accountHolderNumber=950101 bankCode=088 bankAccount=345345345", data(`"status":"1","paymentInfo":"` + page + `"`), payment.ActionRedirect},
		{"kakaopay", "paymentType=803 accountHolderNumber=950101 ipAddress=203.0.113.7", data(`"status":1,"paymentInfo":"` + page + `"`), payment.ActionRedirect},
		{"tosspay", "paymentType=804 accountHolderNumber=950101 ipAddress=203.0.113.7", data(`"status":1,"paymentInfo":"123","additionalInfo":{"paymentLink":"` + page + `"}`), payment.ActionRedirect},
	}
	for _, c := range cases {
		t.Run(c.method, func(t *testing.T) {
			g := newGateway(t, reply(c.reply))
			o, err := connect(t, settings(t, g.URL), rand.Reader).Submit(testContext(t), fullDeposit(c.method))
			if err != nil || o.Kind != payment.Accepted || o.Action == nil || o.Action.Type != c.action || o.Reference != "T1" {
				t.Fatalf("got %+v, %v", o, err)
			}
			if o.Action.Redirect != nil && (o.Action.Redirect.URL != page || o.Action.Redirect.Method != "GET") {
				t.Errorf("redirect %+v", o.Action.Redirect)
			}
			f := fieldsOf(t, g.Only(t).Body)
			want := map[string]string{"realName": "TeemoPay", "merchantName": "MerchantNameExample", "amount": "1000", "phone": "01012345678",
				"callbackUrl": "https://www.callbackexample.com", "merchantOrderNo": order, "email": "TeemoPay@example.com"}
			for _, pair := range strings.Fields(c.sent) {
				name, value, _ := strings.Cut(pair, "=")
				want[name] = value
			}
			delete(f, "sign")
			if len(f) != len(want) {
				t.Errorf("sent %v, want %v", f, want)
			}
			for name, value := range want {
				if fmt.Sprint(f[name]) != value {
					t.Errorf("%s is %v, want %s", name, f[name], value)
				}
			}
		})
	}
}

func TestExpirationTime(t *testing.T) {
	for left, want := range map[time.Duration]any{
		time.Minute: 1795428060000.0, 2*time.Hour - time.Millisecond: 1795435199999.0, 2 * time.Hour: nil, 48 * time.Hour: nil,
	} {
		g := newGateway(t, reply(acceptedVA))
		cmd := deposit("")
		cmd.ExpiresAt = now.Add(left)
		if _, err := connect(t, settings(t, g.URL), rand.Reader).Submit(testContext(t), cmd); err != nil {
			t.Fatal(err)
		}
		if got := fieldsOf(t, g.Only(t).Body)["expirationTime"]; got != want {
			t.Errorf("%v left: sent %v, want %v", left, got, want)
		}
	}
	g := newGateway(t, reply(acceptedVA))
	cmd := deposit("")
	cmd.ExpiresAt = now
	_, err := connect(t, settings(t, g.URL), rand.Reader).Submit(testContext(t), cmd)
	if e := classified(t, err); e.Class != connectors.NotSent || e.Code != payment.ReasonExpired || len(g.Requests()) != 0 {
		t.Errorf("got %+v and %d requests", e, len(g.Requests()))
	}
}

// An account whose time cannot be written is given to the customer without it: an event with that time could not be
// written, and the payment would count as being sent for ever.
func TestATimeThatNoEventCanHoldIsLeftOut(t *testing.T) {
	for ms, expires := range map[string]time.Time{
		"253402300799999":     time.UnixMilli(253402300799999).UTC(), // the end of the year 9999
		"253402300800000":     {},
		"1761022567000000":    {}, // microseconds
		"9223372036854775807": {},
	} {
		o, err := submit(t, deposit("va"), strings.Replace(acceptedVA, "1761022567000", ms, 1))
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Action.Transfer.ExpiresAt; !got.Equal(expires) || o.Action.Transfer.AccountNumber == "" {
			t.Errorf("%s: expires at %s, want %s", ms, got, expires)
		}
		if _, err := json.Marshal(o.Action); err != nil {
			t.Errorf("%s: %v", ms, err)
		}
	}
}

// Texts that no event can hold are left out, too.
func TestTextsThatNoEventCanHoldAreLeftOut(t *testing.T) {
	long := strings.Repeat("행", payment.MaxText)
	fields := map[string]func(payment.Observation) string{
		"TS2405220001KR0000430564883184": func(o payment.Observation) string { return o.Reference },
		"IBK":                            func(o payment.Observation) string { return o.Action.Transfer.BankCode },
		"기업은행":                           func(o payment.Observation) string { return o.Action.Transfer.BankName },
	}
	for field, of := range fields {
		for text, want := range map[string]string{long: long, long + "x": ""} {
			o, err := submit(t, deposit("va"), strings.Replace(acceptedVA, field, text, 1))
			if err != nil {
				t.Fatal(err)
			}
			if got := of(o); got != want || o.Action.Transfer.AccountNumber == "" {
				t.Errorf("%s, %d bytes: %d bytes", field, len(text), len(got))
			}
		}
	}
}

func TestPayout(t *testing.T) {
	for method, kind := range map[string]float64{"": 801, "bank_transfer": 801, "bank_transfer_kyc": 802} {
		g := newGateway(t, reply(data(`"amount":"1000.00","status":1`)))
		o, err := connect(t, settings(t, g.URL), rand.Reader).Submit(testContext(t), payout(method))
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, o, payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, Reference: "T1", Amount: payment.KRW(1000)})
		r := g.Only(t)
		f := fieldsOf(t, r.Body)
		delete(f, "sign")
		mustEqual(t, f, map[string]any{"merchantOrderNo": order, "amount": "1000", "bankCode": "088", "bankName": "Shinhan Bank", "accountType": kind,
			"bankAccount": "12345678998765", "realName": "TeemoPay", "idType": "RRN", "callbackUrl": "https://www.callbackexample.com"})
		if r.String() != "POST /api/pay/payout/create/v1" {
			t.Errorf("sent to %s", r.String())
		}
	}
	// The page's own example has no amount; a bank's name from the command goes out as it is.
	cmd := payout("")
	cmd.Account.BankName, cmd.Account.Holder, cmd.Customer.Name = "My Bank", "", "Hong"
	g := newGateway(t, reply(data(`"status":1,"sign":"YOUR_SIGN"`)))
	if o, err := connect(t, settings(t, g.URL), rand.Reader).Submit(testContext(t), cmd); err != nil || !o.Amount.IsZero() {
		t.Errorf("got %+v, %v", o, err)
	}
	if f := fieldsOf(t, g.Only(t).Body); f["bankName"] != "My Bank" || f["realName"] != "Hong" {
		t.Errorf("sent %v", f)
	}
}

func TestStatuses(t *testing.T) {
	cases := []struct {
		name  string
		cmd   payment.Command
		reply string
		class connectors.Class
		known bool
	}{
		{"declined, as on the pay-in page", deposit(""), declined, connectors.Rejected, false},
		{"declined payout", payout(""), data(`"status":3,"amount":"1000.00"`), connectors.Rejected, false},
		{"declined, another amount", payout(""), data(`"status":3,"amount":"2000.00"`), connectors.InDoubt, true},
		{"paid at once", deposit(""), data(`"status":2,"paymentInfo":"1"`), connectors.InDoubt, true},
		{"status 0 without KYC", fullDeposit("va"), data(`"status":0,"paymentInfo":"1"`), connectors.InDoubt, true},
		{"status 0 of a wallet", fullDeposit("kakaopay"), data(`"status":0,"paymentInfo":"` + page + `"`), connectors.InDoubt, true},
		{"status 0 of a payout", payout("bank_transfer_kyc"), data(`"status":0`), connectors.InDoubt, true},
		{"status 4 of a payout", payout(""), data(`"status":4`), connectors.InDoubt, true},
		{"unknown status", payout(""), data(`"status":77`), connectors.InDoubt, true},
		{"no status", payout(""), data(`"status":null`), connectors.InDoubt, true},
		{"status in words", payout(""), data(`"status":"` + strings.Repeat("success", 9) + `"`), connectors.InDoubt, true},
		{"status of another case", payout(""), data(`"Status":1`), connectors.InDoubt, true},
		{"status true", payout(""), data(`"status":true`), connectors.InDoubt, true},
		{"status 1.0", payout(""), data(`"status":1.0`), connectors.InDoubt, true},
		{"another order", payout(""), strings.Replace(data(`"status":1`), order, "other", 1), connectors.InDoubt, false},
		{"declined, another order", payout(""), strings.Replace(data(`"status":3`), order, "other", 1), connectors.InDoubt, false},
		{"no order", payout(""), `{"code":200,"data":{"status":1}}`, connectors.InDoubt, false},
		{"a fraction of a won", payout(""), data(`"status":1,"amount":"1000.50"`), connectors.InDoubt, true},
		{"amount in words", payout(""), data(`"status":1,"amount":"1,000"`), connectors.InDoubt, true},
		{"amount with nothing behind the point", payout(""), data(`"status":1,"amount":"1000."`), connectors.InDoubt, true},
		{"nowhere to pay", deposit(""), data(`"status":1,"paymentInfo":null`), connectors.InDoubt, true},
		{"a page for a virtual account", deposit(""), data(`"status":1,"paymentInfo":"` + page + `"`), connectors.InDoubt, true},
		{"a script for a page", fullDeposit("kyc_va"), data(`"status":0,"paymentInfo":"javascript://x"`), connectors.InDoubt, true},
		{"a plain page", fullDeposit("kyc_va"), data(`"status":0,"paymentInfo":"http://pay.example.com/"`), connectors.InDoubt, true},
		{"broken additional info", deposit(""), data(`"status":1,"paymentInfo":"1","additionalInfo":[1]`), connectors.InDoubt, true},
		{"no data", deposit(""), `{"code":200,"data":null}`, connectors.InDoubt, false},
		{"data is a list", deposit(""), `{"code":200,"data":[]}`, connectors.InDoubt, false},
		{"code twice", deposit(""), `{"code":414,"code":200}`, connectors.InDoubt, false},
		{"code of another case", deposit(""), `{"Code":414}`, connectors.InDoubt, false},
		{"no code", deposit(""), `{"msg":"x"}`, connectors.InDoubt, false},
		{"code in words", deposit(""), `{"code":"E414"}`, connectors.InDoubt, false},
		{"empty", deposit(""), ``, connectors.InDoubt, false},
		{"HTML", deposit(""), `<html>414</html>`, connectors.InDoubt, false},
		{"half", deposit(""), acceptedVA[:len(acceptedVA)-2], connectors.InDoubt, false},
		{"more", deposit(""), acceptedVA + "{}", connectors.InDoubt, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := submit(t, c.cmd, c.reply)
			if err == nil {
				t.Fatalf("got %+v", o)
			}
			if e := classified(t, err); e.Class != c.class || e.Known != c.known || len(e.ProviderCode) > 20 {
				t.Errorf("got %+v", e)
			}
		})
	}
	if o, err := submit(t, payout(""), data(`"status":"1","amount":1000`)); err != nil || o.Amount != payment.KRW(1000) {
		t.Errorf("a number and a text in each other's place: %+v, %v", o, err)
	}
	// The echo of another amount is for the domain to judge.
	if o, err := submit(t, payout(""), data(`"status":1,"amount":"100000.00"`)); err != nil || o.Amount != payment.KRW(100000) {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestHTTPStatuses(t *testing.T) {
	for _, status := range []int{201, 204, 301, 302, 400, 401, 403, 404, 429, 500, 502, 503} {
		g := newGateway(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			if status != 204 {
				_, _ = io.WriteString(w, `{"code":414,"msg":"x","data":null}`) // even then: only 200 is documented
			}
		})
		_, err := connect(t, settings(t, g.URL), rand.Reader).Submit(testContext(t), deposit(""))
		e := classified(t, err)
		if e.Class != connectors.InDoubt || e.ProviderCode != fmt.Sprintf("http_%d", status) || e.RetryAfter != 30*time.Second || e.Known || e.Refused {
			t.Errorf("%d: got %+v", status, e)
		}
		g.Only(t)
	}
}

// Free texts of the provider can repeat what we sent.
func TestPersonalDataIsCovered(t *testing.T) {
	cmd := payout("")
	cmd.Account.Holder = "Hong Gildong"
	text := "phone 010-9999-8888 of HONG GILDONG, account 12345678998765, other 110 222 333444, mail a.b@example.com\\u0000\\n" + strings.Repeat("x", 500)
	for _, body := range []string{`{"code":414,"msg":"` + text + `"}`, data(`"status":3,"errorMsg":"` + text + `"`)} {
		_, err := submit(t, cmd, body)
		e := classified(t, err)
		for _, private := range []string{"HONG", "9999", "12345678", "333444", "example.com", "\x00", "\n"} {
			if strings.Contains(e.Error(), private) || strings.Contains(fmt.Sprintf("%+v", *e), private) {
				t.Errorf("%q shows in %q", private, e.Message)
			}
		}
		if n := len([]rune(e.Message)); n > 201 || !strings.HasPrefix(e.Message, "phone ") {
			t.Errorf("%d characters: %q", n, e.Message)
		}
	}
}

func TestCheck(t *testing.T) {
	c := connect(t, settings(t, "http://127.0.0.1:1"), rand.Reader)
	change := func(cmd payment.Command, f func(*payment.Command)) payment.Command { f(&cmd); return cmd }
	for _, cmd := range []payment.Command{
		deposit(""), fullDeposit("va"), fullDeposit("kyc_va"), fullDeposit("kakaopay"), fullDeposit("tosspay"), payout(""), payout("bank_transfer_kyc"),
		change(deposit(""), func(c *payment.Command) { c.Customer = payment.Customer{}; c.Account.Holder = "홍길동" }),
		change(fullDeposit("kyc_va"), func(c *payment.Command) { c.Account = payment.Account{}; c.Customer.IDNumber = "1234567890" }),
		change(fullDeposit("va"), func(c *payment.Command) { c.Account.BankCode = "999" }), // not sent with this method
		change(payout(""), func(c *payment.Command) { c.Account.BankCode = "060"; c.Customer.IDType = "CO" }),
	} {
		if err := connectors.Check(c, cmd); err != nil {
			t.Errorf("%s %s: %v", cmd.Operation, cmd.Method, err)
		}
	}
	refused := []struct {
		field string
		cmd   payment.Command
		f     func(*payment.Command)
	}{
		{"order", deposit(""), func(c *payment.Command) { c.Order = strings.Repeat("x", 33) }},
		{"amount.currency", deposit(""), func(c *payment.Command) { c.Amount = payment.TWD(1000) }},
		{"method", deposit(""), func(c *payment.Command) { c.Method = "bank_transfer" }},
		{"customer.name", deposit(""), func(c *payment.Command) { c.Customer.Name = "" }},
		{"customer.name", deposit(""), func(c *payment.Command) { c.Customer.Name = "\u3000 " }},
		{"customer.name", deposit(""), func(c *payment.Command) { c.Customer.Name = strings.Repeat("가", 21) }},
		{"customer.phone", deposit(""), func(c *payment.Command) { c.Customer.Phone = "0212345678" }},
		{"customer.phone", deposit(""), func(c *payment.Command) { c.Customer.Phone = "821012345678" }},
		{"customer.phone", fullDeposit("kakaopay"), func(c *payment.Command) { c.Customer.Phone = "" }},
		{"customer.email", deposit(""), func(c *payment.Command) { c.Customer.Email = "nobody" }},
		{"customer.email", deposit(""), func(c *payment.Command) { c.Customer.Email = strings.Repeat("x", 50) + "@example.com" }},
		{"customer.email", fullDeposit("tosspay"), func(c *payment.Command) { c.Customer.Email = "" }},
		{"customer.ip_address", fullDeposit("tosspay"), func(c *payment.Command) { c.Customer.IPAddress = "" }},
		{"customer.ip_address", fullDeposit("kakaopay"), func(c *payment.Command) { c.Customer.IPAddress = "fe80::1%" + strings.Repeat("z", 64) }},
		{"customer.id_number", fullDeposit("kyc_va"), func(c *payment.Command) { c.Customer.IDNumber = "" }},
		{"customer.id_number", deposit(""), func(c *payment.Command) { c.Customer.IDNumber = "9501011234567" }},
		{"account.bank_code", fullDeposit("kyc_va"), func(c *payment.Command) { c.Account.BankCode = "060" }},
		{"account.number", fullDeposit("kyc_va"), func(c *payment.Command) { c.Account.Number = strings.Repeat("1", 21) }},
		{"account.number", fullDeposit("kyc_va"), func(c *payment.Command) { c.Account.Number = " " }},
		{"method", payout(""), func(c *payment.Command) { c.Method = "va" }},
		{"account.holder", payout(""), func(c *payment.Command) { c.Account.Holder = "" }},
		{"account.holder", payout(""), func(c *payment.Command) { c.Account.Holder = "X" }},
		{"account.holder", payout(""), func(c *payment.Command) { c.Account.Holder = strings.Repeat("x", 41) }},
		{"account.number", payout(""), func(c *payment.Command) { c.Account.Number = " " }},
		{"account.number", payout(""), func(c *payment.Command) { c.Account.Number = "11012345678901.0" }},
		{"account.number", fullDeposit("kyc_va"), func(c *payment.Command) { c.Account.Number = "#N/A" }},
		{"account.holder", payout(""), func(c *payment.Command) { c.Account.Holder = "(주)길동" }},
		{"account.number", payout(""), func(c *payment.Command) { c.Account.Number = strings.Repeat("1", 51) }},
		{"account.bank_code", payout(""), func(c *payment.Command) { c.Account.BankCode = "" }},
		{"account.bank_code", payout(""), func(c *payment.Command) { c.Account.BankCode = "IBK" }},
		{"account.bank_name", payout(""), func(c *payment.Command) { c.Account.BankName = strings.Repeat("x", 51) }},
		{"account.bank_name", payout(""), func(c *payment.Command) { c.Account.BankName = "  " }},
		{"customer.id_type", payout(""), func(c *payment.Command) { c.Customer.IDType = "" }},
		{"customer.id_type", payout(""), func(c *payment.Command) { c.Customer.IDType = "PASSPORT" }},
	}
	for _, r := range refused {
		cmd := change(r.cmd, r.f)
		var field *payment.FieldError
		if err := connectors.Check(c, cmd); !errors.As(err, &field) || field.Field != r.field {
			t.Errorf("%s %s: got %v, want %s refused", cmd.Operation, cmd.Method, err, r.field)
		}
		_, err := c.Submit(testContext(t), cmd) // nothing listens there: it must not even be tried
		if e := classified(t, err); e.Class != connectors.NotSent || e.Code != payment.ReasonInvalid {
			t.Errorf("%s: submit gives %+v", r.field, e)
		}
	}
}
