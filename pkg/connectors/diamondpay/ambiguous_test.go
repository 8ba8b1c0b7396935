package diamondpay_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/connectortest"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
	"payonce/test/race"
)

// ambiguous is the notice of what could say two things about an order that is certain.
func ambiguous(operation payment.Operation, order string) connectors.Notice {
	return connectors.Notice{
		Order: order, Operation: operation, Answer: connectors.Answer{ContentType: "application/json", Body: `{"error_code":"0000"}`},
		Observation: payment.Observation{Kind: payment.Indeterminate, Source: payment.FromWebhook, Known: true,
			Reason: &payment.Reason{Code: payment.ReasonIndeterminate, Message: "the signed text is ambiguous"}},
	}
}

// noted is a notification with a further field of free text.
func noted(t testing.TB, notification, field, text string) string {
	t.Helper()
	value, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return replaced(notification, `{`, `{"`+field+`":`+string(value)+`,`)
}

const orderIn, orderOut = "97a968b4a9db497c8c03198e395a38c6", "manhe_withdraw_30029531"

// A text with "&" and "=" in a signed notification is no reason to refuse it where only one can have its text.
func TestTextsThatHaveOneReading(t *testing.T) {
	for _, signType := range []string{diamondpay.MD5, diamondpay.HMACSHA256} {
		c := receiver(t, signType)
		for _, text := range []string{"Kim & Lee", "Kim&a=b", "Kim&amount=9", "Kim&status=2", "Kim&status=0&platform_id=PF0001", "Kim&z=1", "Kim&payment_cl_id=Other", "Kim&sign=1&sign_type=MD5"} {
			body := noted(t, depositNotification, "payment_cl_name", text)
			n, err := c.Webhook(nil, signedWith(t, signType, key, body), now)
			if o := n.Observation; err != nil || n.Order != orderIn || o.Kind != payment.Paid || o.Amount != payment.KRW(4000) || o.SettledAmount != payment.KRW(4000) {
				t.Errorf("%s: %+v, %v", text, n, err)
			}
		}
		for _, text := range []string{"limit=5&code=3", "closed&b=1", "closed&status=3", "closed&error_msg=x", "x&amount=1&create_time=2"} {
			n, err := c.Webhook(nil, signedWith(t, signType, key, noted(t, replaced(payoutFailed, `"error_msg":"closed",`, ``), "error_msg", text)), now)
			if err != nil || n.Order != orderOut || n.Observation.Kind != payment.Declined {
				t.Errorf("%s: %+v, %v", text, n, err)
			}
		}
	}
}

func TestTextsThatHaveMoreThanOneReading(t *testing.T) {
	c := receiver(t, diamondpay.MD5)
	for _, k := range []struct{ notification, field, text string }{
		{depositNotification, "payment_cl_name", "Kim&payment_cm=1"},
		{depositNotification, "payment_cl_name", "Kim&payment_id=X&platform_id=PF0014&real_amount=9&status=2&t=1"},
		{depositNotification, "zone", "a&zones=1"},
		{depositNotification, "memo", "x&nn=1"},
		{payoutNotification, "error_msg", "x&fa=1"},
	} {
		operation, order := payment.Deposit, orderIn
		if k.notification == payoutNotification {
			operation, order = payment.Payout, orderOut
		}
		n, err := c.Webhook(nil, signedWith(t, diamondpay.MD5, key, noted(t, k.notification, k.field, k.text)), now)
		if err != nil {
			t.Errorf("%s: %v", k.text, err)
			continue
		}
		mustEqual(t, n, ambiguous(operation, order))
	}
	for _, text := range []string{ // not even the order, or whose it is, is certain
		"x&payment_cl_id=Other&payment_cl_ie=1", "x&payment_cl_id=" + orderIn + "&platform_id=PF0015&q=1", "x&payout_cl_id=Other&platform_id=PF0014&q=1",
		"x&payment_cl_id=Other&platform_id=PF0014&real_amount=9&status=2&t=1",
	} {
		_, err := c.Webhook(nil, signedWith(t, diamondpay.MD5, key, noted(t, depositNotification, "memo", text)), now)
		refused(t, err, connectors.BadSignature)
	}
}

// A customer chooses a text that the provider repeats, has the signed notification, and cuts its text as he likes.
// What comes of it never says more of the money than the provider did.
func TestNoTextOfACustomerPays(t *testing.T) {
	c := receiver(t, diamondpay.MD5)
	texts := []string{
		"Kim&status=2", "Kim&real_amount=900000&status=2", "Kim&payment_id=X&platform_id=PF0014&real_amount=900000&status=2&t=1", "Kim&payment_cl_id=Other&payment_cl_ie=1",
		"Kim&amount=900000&payment_cl_id=Other&platform_id=PF0014&real_amount=900000&status=2&t=1", "Kim&payment_cl_id=" + orderIn + "&platform_id=PF0014&status=2&t=1",
		"Kim&payout_cl_id=Other&platform_id=PF0014&status=3&t=1",
	}
	unpaid, taken := replaced(depositNotification, `"status":2`, `"status":1`), 0
	for _, field := range []string{"memo", "payment_cl_name", "aaa"} {
		for _, text := range texts {
			signed := signedWith(t, diamondpay.MD5, key, noted(t, unpaid, field, text))
			line, err := diamondpay.SigningString(signed)
			if err != nil {
				t.Fatal(err)
			}
			for _, cut := range race.Sample(cuts(t, line), 10) {
				n, err := c.Webhook(nil, signedWith(t, diamondpay.MD5, key, string(cut)), now)
				if err != nil {
					continue
				}
				taken++
				if o := n.Observation; n.Order != orderIn || o.Kind == payment.Paid || o.SettledAmount.Minor > 4000 || o.Amount.Minor > 4000 {
					t.Fatalf("%s of %s, cut as %s: %+v", field, signed, cut, n)
				}
			}
		}
	}
	if taken < race.Share(100, 10) {
		t.Errorf("only %d were taken: nothing is proven", taken)
	}
}

// cuts returns the bodies that have this signed text.
func cuts(t testing.TB, text string) (all [][]byte) {
	t.Helper()
	pieces := strings.Split(text, "&")
	var cut func(i int, last string, f map[string]string)
	cut = func(i int, last string, f map[string]string) {
		if i == len(pieces) {
			whole, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, whole)
			return
		}
		name, value, found := strings.Cut(pieces[i], "=")
		if found && name > last {
			f[name] = value
			cut(i+1, name, f)
			delete(f, name)
		}
		if last != "" {
			before := f[last]
			f[last] += "&" + pieces[i]
			cut(i+1, last, f)
			f[last] = before
		}
	}
	cut(0, "", map[string]string{})
	return all
}

// A row that the provider gives us when it is asked is its own: a text in it is no reason to learn nothing.
func TestARowOfTheProvidersOwnCanHaveAnyText(t *testing.T) {
	for _, text := range []string{"Kim&payment_cm=1", "x&payment_cl_id=Other", "a&b=c"} {
		row := `{"amount":400000,"real_amount":400000,"fee":3200,"payment_id":"PM1","payment_cl_id":"` + orderIn + `","payment_cl_name":"` + text +
			`","platform_id":"PF0014","status":2,"memo":"` + text + `","create_time":1567614049,"update_time":1567614111}`
		g := connectortest.NewGateway(t, connectortest.Answer(200, `{"error_code":"0000","data":[`+string(signedWith(t, diamondpay.MD5, key, row))+`],"total":1}`))
		c := connect(t, with(krwV1, func(s *diamondpay.Settings) { s.PlatformID = "PF0014" })(g.URL))
		q := connectors.Query{Ref: payment.Ref{Provider: "diamondpay-kr", Order: orderIn}, Operation: payment.Deposit}
		o, err := c.Lookup(connectortest.Context(t), q)
		if err != nil || o.Kind != payment.Paid || o.SettledAmount != payment.KRW(4000) {
			t.Errorf("%s: %+v, %v", text, o, err)
		}
	}
}

// What could come back in a notification that says two things does not leave.
func TestTextsThatCouldNotBeReadBackDoNotLeave(t *testing.T) {
	won, dollars, newer := connect(t, krwV1("https://gateway.example.com")), connect(t, twd("https://gateway.example.com")), connect(t, krwV2("https://gateway.example.com"))
	deposit := payment.Command{Ref: payment.Ref{Provider: "diamondpay-kr", Order: "D-1"}, Operation: payment.Deposit, Amount: payment.KRW(10000)}
	taiwan := deposit
	taiwan.Amount, taiwan.Account.LastDigits, taiwan.Customer.Name = payment.TWD(10000), []string{"12345"}, "Kim"
	payout := payment.Command{Ref: deposit.Ref, Operation: payment.Payout, Amount: payment.KRW(10000),
		Customer: payment.Customer{Phone: "01012345678"}, Account: payment.Account{Number: "110123456789", Holder: "Kim", BankCode: "KBSTAR_KR"}}
	const text = "Kim&a=b"
	for _, k := range []struct {
		c      *diamondpay.Connector
		cmd    payment.Command
		field  string
		change func(*payment.Command)
	}{
		{won, deposit, "customer.name", func(c *payment.Command) { c.Customer.Name = text }},
		{won, deposit, "account.holder", func(c *payment.Command) { c.Account.Holder = text }},
		{won, deposit, "customer.id", func(c *payment.Command) { c.Customer.ID = text }},
		{won, deposit, "account.number", func(c *payment.Command) { c.Account.Number = text }},
		{won, deposit, "account.bank_code", func(c *payment.Command) { c.Account.BankCode = text }},
		{won, deposit, "account.bank_name", func(c *payment.Command) { c.Account.BankName = text }},
		{won, payout, "account.holder", func(c *payment.Command) { c.Account.Holder = text }},
		{won, payout, "account.number", func(c *payment.Command) { c.Account.Number = text }},
		{won, payout, "account.bank_code", func(c *payment.Command) { c.Account.BankCode = text }},
		{newer, payout, "account.holder", func(c *payment.Command) { c.Account.Holder = text }},
		{dollars, taiwan, "customer.name", func(c *payment.Command) { c.Customer.Name = text }},
		{newer, deposit, "", func(c *payment.Command) { c.Customer.Name = text }},          // not sent
		{won, payout, "", func(c *payment.Command) { c.Account.BankName = text }},          // not sent
		{won, deposit, "", func(c *payment.Command) { c.Customer.Name = "Kim & Lee" }},     // no field in it
		{won, deposit, "", func(c *payment.Command) { c.Customer.Name = "Kim (a=b) & c" }}, // neither
	} {
		cmd := k.cmd
		k.change(&cmd)
		var problem *payment.FieldError
		switch err := connectors.Check(k.c, cmd); {
		case k.field == "" && err != nil, k.field != "" && (!errors.As(err, &problem) || problem.Field != k.field || strings.Contains(err.Error(), text)):
			t.Errorf("want %q: %v", k.field, err)
		}
	}
}
