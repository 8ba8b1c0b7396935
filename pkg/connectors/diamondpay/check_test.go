package diamondpay_test

import (
	"errors"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
)

func change(cmd payment.Command, f func(*payment.Command)) payment.Command {
	f(&cmd)
	return cmd
}

func TestCheckAccepts(t *testing.T) {
	won := payment.KRW(99_999_999)
	for _, c := range []struct {
		account account
		cmd     payment.Command
	}{
		{krwV1, deposit(won)},
		{krwV1, change(deposit(won), func(c *payment.Command) { c.Customer, c.Method = payment.Customer{}, "atm" })},
		{krwV1, change(deposit(won), func(c *payment.Command) {
			c.Customer = payment.Customer{Name: strings.Repeat("가", 16), ID: strings.Repeat("i", 16)}
			c.Account = payment.Account{Number: strings.Repeat("1", 32), BankName: strings.Repeat("가", 32)}
			c.Order = strings.Repeat("x", 32)
		})},
		{krwV1, change(deposit(won), func(c *payment.Command) { c.Customer.ID = strings.Repeat("i", 17) })},
		{krwV2, change(deposit(won), func(c *payment.Command) {
			c.Order, c.Customer.Name = strings.Repeat("x", 64), strings.Repeat("가", 99)
		})},
		{twd, depositTWD()},
		{twd, change(depositTWD(), func(c *payment.Command) { c.Account.LastDigits = []string{"00000"} })},
		{twd, change(depositTWD(), func(c *payment.Command) { c.Account.LastDigits = strings.Split(strings.Repeat("12345 ", 10)[:59], " ") })},
		{twd, change(depositTWD(), func(c *payment.Command) { c.Customer.Name, c.Account.Holder = "", strings.Repeat("王", 32) })},
		{krwV1, payout()},
		{krwV2, change(payout(), func(c *payment.Command) { c.Method, c.Order = "bank", strings.Repeat("x", 64) })},
		{krwV2, change(payout(), func(c *payment.Command) {
			c.Account = payment.Account{Number: strings.Repeat("1", 32), Holder: strings.Repeat("가", 16), BankCode: strings.Repeat("B", 16)}
		})},
	} {
		if err := connectors.Check(connect(t, c.account("http://127.0.0.1:1")), c.cmd); err != nil {
			t.Errorf("%s %s: %v", c.cmd.Operation, c.cmd.Amount, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	long := func(n int) string { return strings.Repeat("1", n) }
	paidOut := with(krwV2, func(s *diamondpay.Settings) { s.Operations = []string{"deposit"} })
	direct := with(krwV2, func(s *diamondpay.Settings) { s.DepositMethods = []string{"direct"} })
	won := deposit(payment.KRW(500))
	refused := []struct {
		field   string
		account account
		cmd     payment.Command
		f       func(*payment.Command)
	}{
		{"order", krwV1, won, func(c *payment.Command) { c.Order = long(33) }},
		{"order", krwV1, payout(), func(c *payment.Command) { c.Order = long(33) }},
		{"order", twd, depositTWD(), func(c *payment.Command) { c.Order = long(33) }},
		{"amount.currency", krwV1, won, func(c *payment.Command) { c.Amount = payment.TWD(1000) }},
		{"amount.currency", twd, depositTWD(), func(c *payment.Command) { c.Amount = payment.KRW(1000) }},
		{"amount.value", krwV1, won, func(c *payment.Command) { c.Amount = payment.KRW(100_000_000) }},
		{"amount.value", krwV2, won, func(c *payment.Command) { c.Amount = payment.KRW(999_999_999_999_999) }},
		{"amount.value", twd, depositTWD(), func(c *payment.Command) { c.Amount = payment.TWD(10_000_000_000) }},
		{"amount.value", krwV1, payout(), func(c *payment.Command) { c.Amount = payment.KRW(100_000_000) }},
		{"operation", twd, payout(), func(c *payment.Command) { c.Amount = payment.TWD(1000) }},
		{"operation", paidOut, payout(), func(*payment.Command) {}},
		{"method", krwV1, won, func(c *payment.Command) { c.Method = "card" }},
		{"method", krwV2, won, func(c *payment.Command) { c.Method = "atm" }},
		{"method", direct, won, func(c *payment.Command) { c.Method = "card" }},
		{"method", krwV1, payout(), func(c *payment.Command) { c.Method = "atm" }},
		{"customer.name", krwV1, won, func(c *payment.Command) { c.Customer.Name = strings.Repeat("가", 17) }},
		{"customer.name", krwV1, won, func(c *payment.Command) { c.Customer.Name = "\u3000 " }},
		{"account.number", krwV1, won, func(c *payment.Command) { c.Account.Number = long(33) }},
		{"account.bank_name", krwV1, won, func(c *payment.Command) { c.Account.BankName = long(33) }},
		{"customer.name", twd, depositTWD(), func(c *payment.Command) { c.Customer.Name = "" }},
		{"customer.name", twd, depositTWD(), func(c *payment.Command) { c.Customer.Name = " " }},
		{"customer.name", twd, depositTWD(), func(c *payment.Command) { c.Customer.Name = long(33) }},
		{"account.last_digits", twd, depositTWD(), func(c *payment.Command) { c.Account.LastDigits = nil }},
		{"account.last_digits", twd, depositTWD(), func(c *payment.Command) { c.Account.LastDigits = make([]string, 11) }},
		{"account.last_digits[0]", twd, depositTWD(), func(c *payment.Command) { c.Account.LastDigits = []string{"1234"} }},
		{"account.last_digits[1]", twd, depositTWD(), func(c *payment.Command) { c.Account.LastDigits = []string{"12345", "123456"} }},
		{"account.last_digits[0]", twd, depositTWD(), func(c *payment.Command) { c.Account.LastDigits = []string{"1234٥"} }},
		{"account.last_digits[0]", twd, depositTWD(), func(c *payment.Command) { c.Account.LastDigits = []string{""} }},
		{"account.bank_code", twd, depositTWD(), func(c *payment.Command) { c.Account.BankCode = "0071" }},
		{"account.holder", krwV2, payout(), func(c *payment.Command) { c.Account.Holder = "" }},
		{"account.holder", krwV2, payout(), func(c *payment.Command) { c.Account.Holder = strings.Repeat("가", 17) }},
		{"account.number", krwV2, payout(), func(c *payment.Command) { c.Account.Number = " " }},
		{"account.number", krwV2, payout(), func(c *payment.Command) { c.Account.Number = "########" }},
		{"account.number", krwV1, won, func(c *payment.Command) { c.Account.Number = "９５０００１４１３" }},
		{"account.holder", krwV2, payout(), func(c *payment.Command) { c.Account.Holder = "NULL" }},
		{"account.bank_code", krwV2, payout(), func(c *payment.Command) { c.Account.BankCode = "7.51E+02" }},
		{"customer.name", krwV1, won, func(c *payment.Command) { c.Customer.Name = "#REF!" }},
		{"customer.name", twd, depositTWD(), func(c *payment.Command) { c.Customer.Name = "???" }},
		{"account.last_digits[0]", twd, depositTWD(), func(c *payment.Command) { c.Account.LastDigits = []string{"12345.0"} }},
		{"account.number", krwV2, payout(), func(c *payment.Command) { c.Account.Number = long(33) }},
		{"account.bank_code", krwV2, payout(), func(c *payment.Command) { c.Account.BankCode = "" }},
		{"account.bank_code", krwV2, payout(), func(c *payment.Command) { c.Account.BankCode = "７５１" }},
		{"account.bank_code", krwV2, payout(), func(c *payment.Command) { c.Account.BankCode = " KBSTAR_KR" }},
		{"account.bank_code", krwV1, won, func(c *payment.Command) { c.Account.BankCode = "-751" }},
		{"account.bank_code", krwV2, payout(), func(c *payment.Command) { c.Account.BankCode = long(17) }},
		{"customer.phone", krwV2, payout(), func(c *payment.Command) { c.Customer.Phone = "" }},
		{"customer.phone", krwV2, payout(), func(c *payment.Command) { c.Customer.Phone = "+8210123456" }},
		{"customer.phone", krwV2, payout(), func(c *payment.Command) { c.Customer.Phone = long(12) }},
	}
	for _, r := range refused {
		cmd := change(r.cmd, r.f)
		c := connect(t, r.account("http://127.0.0.1:1")) // nothing listens there: it must not even be tried
		var field *payment.FieldError
		err := connectors.Check(c, cmd)
		if r.field == "account.last_digits" && len(cmd.Account.LastDigits) > 10 {
			err = c.Check(cmd) // the general rule has the same limit
		}
		if !errors.As(err, &field) || field.Field != r.field {
			t.Errorf("%s: got %v, want %s refused", cmd.Operation, err, r.field)
		}
		_, err = c.Submit(testContext(t), cmd)
		if e := classified(t, err); e.Class != connectors.NotSent || e.Code != payment.ReasonInvalid {
			t.Errorf("%s: submit gives %+v", r.field, e)
		}
	}
}
