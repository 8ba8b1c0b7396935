package teemopay_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	simulated "payonce/pkg/sandbox/teemopay"
	"payonce/test/race"
)

// callbackWith is a signed callback with further or other fields.
func callbackWith(t testing.TB, callback string, fields map[string]any) []byte {
	t.Helper()
	all := fieldsOf(t, []byte(callback))
	for name, value := range fields {
		all[name] = value
	}
	body, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return signedBy(t, platformKey(), string(body))
}

type extra = map[string]any

// A text with "&" and "=" in a signed callback is no reason to refuse it where only one callback can have its text.
func TestTextsThatHaveOneReading(t *testing.T) {
	c := newReceiver(t)
	for _, link := range []string{
		"https://kr-payin.example/c?token=a", "https://kr-payin.example/c?token=a&lang=ko", "https://kr-payin.example/c?a=1&b=2&c=3",
		"https://kr-payin.example/c?token=a&ref=1", "https://kr-payin.example/c?token=a&sid=1&ts=2&url=3", "https://kr-payin.example/c?token=a&status=3",
		"https://kr-payin.example/c?a=1&status=2&merchantOrderNo=X", "https://kr-payin.example/c?a=1&paymentOrderNo=X", "https://kr-payin.example/c?a=1&sign=x&nonce=" + nonce,
		"https://kr-payin.example/c?a=1&paymentKey=", "https://kr-payin.example/c?a&b&c=1&=2", "https://kr-payin.example/c?" + strings.Repeat("a=1&", 80),
	} {
		for _, message := range []any{nil, "none", "code=5&reason=none"} {
			got, err := c.Webhook(callbackHeader(), callbackWith(t, payinCallback, extra{"paymentInfo": link, "paymentType": 802, "errorMessage": message}), now)
			if err != nil || got.Order != "OrderNoExample" || got.Observation.Kind != payment.Paid || got.Observation.Transfers[0].Amount != payment.KRW(1000) {
				t.Errorf("%s, %v: %+v, %v", link, message, got, err)
			}
		}
	}
	for _, message := range []string{"code=5&reason=none", "a=1&b=2", "x&status=2", "x&amount=1000.00&status=2&tradeNo=T"} {
		got, err := c.Webhook(callbackHeader(), callbackWith(t, payoutFailed, extra{"errorMessage": message}), now)
		if err != nil || got.Order != "OrderNoExample" || got.Observation.Kind != payment.Declined {
			t.Errorf("%s: %+v, %v", message, got, err)
		}
	}
}

// What could say two things about an order that is certain is evidence that something happened, and no more.
func TestTextsThatHaveMoreThanOneReading(t *testing.T) {
	c := newReceiver(t)
	want := connectors.Notice{Order: "OrderNoExample", Answer: connectors.Answer{ContentType: "text/plain", Body: "SUCCESS"}, Observation: payment.Observation{
		Kind: payment.Indeterminate, Source: payment.FromWebhook, Known: true,
		Reason: &payment.Reason{Code: payment.ReasonIndeterminate, Message: "the signed text is ambiguous"},
	}}
	for name, body := range map[string][]byte{
		"a parameter that could be a field":  callbackWith(t, payinCallback, extra{"paymentInfo": "https://kr-payin.example/c?token=a&paymentKey=1"}),
		"a reason that could be two fields":  callbackWith(t, payoutFailed, extra{"errorMessage": "x&kind=1"}),
		"a further field with a field in it": callbackWith(t, payoutCallback, extra{"vip": "a&vzz=1"}),
		"all that follows once more":         callbackWith(t, payinCallback, extra{"realName": "Kim&serviceAmount=1&status=2&tradeNo=X&z=1", "status": 1}),
	} {
		got, err := c.Webhook(callbackHeader(), body, now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		mustEqual(t, got, want)
	}
	header := callbackHeader()
	header.Set("appCode", "app-code-2")
	_, err := c.Webhook(header, callbackWith(t, payoutFailed, extra{"errorMessage": "x&kind=1"}), now)
	refused(t, err, connectors.WrongProvider)
	// Not even the order is certain.
	for _, text := range []string{
		"x&merchantOrderNo=Other&n=1", "x&merchantOrderNo=Other&paymentAmount=9.00&paymentOrderNo=P&q=1", "x&merchantOrderNo=OrderNoExample2&mm=1&nn=1",
	} {
		_, err := c.Webhook(callbackHeader(), callbackWith(t, payinCallback, extra{"description": text}), now)
		refused(t, err, connectors.BadSignature)
	}
}

// A customer chooses a text that the provider repeats, has the signed callback, and cuts its text as he likes. What
// comes of it never says more of the money than the provider did.
func TestNoTextOfACustomerPays(t *testing.T) {
	c := newReceiver(t)
	texts := []string{
		"Kim&status=2", "Kim&status=2&tradeNo=X", "Kim&status=2&z=1", "Kim&paymentAmount=9.00&paymentOrderNo=P&status=2&z=1", "Kim&paymentAmount=9.00",
		"Kim&merchantOrderNo=Other", "Kim&merchantOrderNo=Other&paymentAmount=9.00&paymentOrderNo=P&status=2&z=1", "Kim&merchantOrderNo=Other&n=1",
		"Kim&amount=9.00&merchantOrderNo=Other&status=2&z=1", "Kim&merchantOrderNo=OrderNoExample&paymentAmount=9.00&paymentOrderNo=P&status=2&z=1",
	}
	unpaid := strings.Replace(payinCallback, `"status":2`, `"status":1`, 1)
	taken := 0
	for callback, fields := range map[string][]string{ // besides the documented texts, one that sorts early and one that sorts late
		unpaid: {"description", "errorMessage", "paymentInfo", "realName"}, payoutFailed: {"description", "errorMessage", "realName"},
	} {
		for _, field := range fields {
			for _, text := range texts {
				body := callbackWith(t, callback, extra{field: text})
				sign, signed := fieldsOf(t, body)["sign"].(string), fieldsOf(t, body)
				for _, cut := range race.Sample(cuts(t, body), 10) {
					n, err := c.Webhook(callbackHeader(), withSign(t, cut, sign), now)
					if err != nil {
						continue
					}
					taken++
					if o := n.Observation; n.Order != "OrderNoExample" || o.Kind == payment.Paid || o.Kind == payment.Reversal || len(o.Transfers) > 0 || o.SettledAmount.Minor > 0 || o.Amount.Minor > 1000 {
						t.Fatalf("%s of %v, cut as %s: %+v", field, signed, cut, n)
					}
				}
			}
		}
	}
	if taken < race.Share(100, 10) {
		t.Errorf("only %d were taken: nothing is proven", taken)
	}
}

// cuts returns the bodies that have the signed text of body, all with names that could be a provider's.
func cuts(t testing.TB, body []byte) (all [][]byte) {
	t.Helper()
	text, err := teemopay.SigningString(body, nonce)
	if err != nil {
		t.Fatal(err)
	}
	pieces := strings.Split(strings.TrimSuffix(text, "&nonce="+nonce), "&")
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

// What could come back in a callback that says two things does not leave.
func TestTextsThatCouldNotBeReadBackDoNotLeave(t *testing.T) {
	c := connect(t, settings(t, "http://127.0.0.1:1"), rand.Reader)
	for _, text := range []string{"Kim&a=b", "Kim &a= b", "&a=", "a=b&c=d", "김&status=2"} {
		mail := strings.ReplaceAll(text, " ", "") + "@example.com"
		for field, cmd := range map[string]payment.Command{
			"customer.name":     changed(deposit(""), func(c *payment.Command) { c.Customer.Name = text }),
			"customer.email":    changed(deposit(""), func(c *payment.Command) { c.Customer.Email = mail }),
			"account.number":    changed(fullDeposit("kyc_va"), func(c *payment.Command) { c.Account.Number = text }),
			"account.holder":    changed(payout(""), func(c *payment.Command) { c.Account.Holder = text }),
			"account.bank_name": changed(payout(""), func(c *payment.Command) { c.Account.BankName = text }),
		} {
			var problem *payment.FieldError
			if err := connectors.Check(c, cmd); !errors.As(err, &problem) || problem.Field != field || strings.Contains(err.Error(), text) {
				t.Errorf("%s %q: %v", field, text, err)
			}
		}
		number := changed(payout(""), func(c *payment.Command) { c.Account.Number = text })
		var problem *payment.FieldError
		if err := connectors.Check(c, number); !errors.As(err, &problem) || problem.Field != "account.number" {
			t.Errorf("account.number %q: %v", text, err)
		}
		s := settings(t, "http://127.0.0.1:1")
		s.MerchantName = text
		if _, err := teemopay.New("teemopay-kr", s, nil, clock, rand.Reader); err == nil || !strings.Contains(err.Error(), "merchant_name") {
			t.Errorf("merchant_name %q: %v", text, err)
		}
	}
	// What is not sent is not looked at, and a company may have an "&".
	for _, cmd := range []payment.Command{
		changed(deposit(""), func(c *payment.Command) { c.Account.Number = "1&a=b" }),
		changed(deposit(""), func(c *payment.Command) { c.Customer.Name = "Kim & Lee" }),
	} {
		if err := connectors.Check(c, cmd); err != nil {
			t.Errorf("%+v: %v", cmd, err)
		}
	}
	s := settings(t, "http://127.0.0.1:1")
	s.CallbackURL = "https://shop.example/hook?a=1&b=2"
	if _, err := teemopay.New("teemopay-kr", s, httpcall.NewClient(httpcall.Options{}), clock, rand.Reader); err != nil {
		t.Errorf("a callback_url with a query: %v", err)
	}
}

func changed(cmd payment.Command, change func(*payment.Command)) payment.Command {
	change(&cmd)
	return cmd
}

// From the order to its callback, with the provider's simulator: a deposit with a cashier's link that has several
// parameters settles by its callback, also where our own address has some.
func TestSimulatedCashierLink(t *testing.T) {
	for _, cashier := range []string{"https://cashier.example/c?lang=ko&a=1&token=", "https://cashier.example/c?a=1&b=2&status=3&order="} {
		notices := make(chan connectors.Notice, 1)
		var c *teemopay.Connector
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			n, err := c.Webhook(r.Header, body, now)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write([]byte(n.Answer.Body))
			notices <- n
		}))
		t.Cleanup(receiver.Close)
		box, url := simulateWith(t, clock, simulated.Settings{CashierURL: cashier})
		s := settings(t, url)
		s.CallbackURL = receiver.URL + "/hook?a=1&b=2"
		c = connect(t, s, rand.Reader)
		cmd := fullDeposit("kyc_va")
		o, err := c.Submit(testContext(t), cmd)
		if err != nil || !strings.HasPrefix(o.Action.Redirect.URL, cashier) {
			t.Fatalf("%+v, %v", o, err)
		}
		if err := box.Pay("teemopay-kr", cmd.Order, 1000); err != nil {
			t.Fatal(err)
		}
		select {
		case n := <-notices:
			if n.Order != cmd.Order || n.Observation.Kind != payment.Paid || n.Observation.Reference != o.Reference {
				t.Errorf("%+v", n)
			}
		case <-testContext(t).Done():
			t.Fatal("no callback")
		}
		within(t, box, cmd.Order, sandbox.InState(sandbox.Paid))
	}
}
