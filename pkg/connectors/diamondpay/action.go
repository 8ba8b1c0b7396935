package diamondpay

import (
	"strings"
	"unicode/utf8"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// noReference is what seed 002 has as the token when the transfer needs no text ("无须附言").
const noReference = "无须附言"

// depositAction says what the customer must do, of the several things that an answer can offer:
//
//  1. A register_link says that this customer must register before paying (seed 000), which only the
//     redirect can say; transfer instructions in the same answer would be too early.
//  2. Transfer instructions hold everything that is needed, so the link beside them is left out.
//  3. Otherwise the link leads to the provider's page.
//
// Transfer instructions are left out when they are not complete: without an account, or with a
// display_amount that is no amount of the currency. That is the case in seed 000's own example, where
// 49996 would be 499.96 won. Nobody rounds it; the provider's page knows what is meant.
// There is no action when nothing usable is left.
func (c *Connector) depositAction(data, info object) *payment.Action {
	f := data.fields()
	redirect := &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: f["link"], RegisterURL: f["register_link"]}}
	linked := c.safePage(f["link"])
	transfer := c.transfer(data, info)
	switch {
	case f["register_link"] != "" && (!linked || !c.safePage(f["register_link"])):
		return nil // the customer must register, and we cannot say where
	case f["register_link"] != "":
		return redirect
	case transfer != nil:
		return &payment.Action{Type: payment.ActionTransfer, Transfer: transfer}
	case linked:
		return redirect
	}
	return nil
}

// transfer reads the instructions of v2, which stand in the data (seed 001), or of v1, which stand in
// payment_info (seeds 000 and 002).
func (c *Connector) transfer(data, info object) *payment.Transfer {
	if c.settings.Version == v2 {
		f := data.fields()
		t := instructions(f, f)
		t.BankCode, t.QRCode = f["bank_code"], f["qr_code_content"]
		return complete(t)
	}
	receiver, err := info.object("receiver")
	if err != nil {
		return nil
	}
	f := info.fields()
	t := instructions(receiver.fields(), f)
	t.BankBranch = receiver.fields()["bank_branch"]
	if t.Amount, err = f.amount("display_amount", c.settings.Currency); err != nil || f["display_amount"] != "" && t.Amount.Minor == 0 {
		return nil
	}
	return complete(t)
}

func instructions(receiver, order fields) *payment.Transfer {
	t := &payment.Transfer{
		AccountNumber: receiver["card_number"], AccountHolder: receiver["card_name"], BankName: receiver["bank_name"], Reference: order["token"],
	}
	if t.Reference == noReference {
		t.Reference = ""
	}
	return t
}

// complete returns instructions that can be followed, and nil for others.
func complete(t *payment.Transfer) *payment.Transfer {
	for _, text := range []string{t.AccountNumber, t.AccountHolder, t.BankCode, t.BankName, t.BankBranch, t.Reference} {
		if utf8.RuneCountInString(text) > payment.MaxText {
			return nil
		}
	}
	if strings.TrimSpace(t.AccountNumber) == "" || len(t.QRCode) > payment.MaxURL {
		return nil
	}
	return t
}

// safePage takes https pages, http ones where the configuration allows them, and http ones on a loopback
// host when the gateway is a sandbox there.
func (c *Connector) safePage(page string) bool {
	if len(page) > payment.MaxURL {
		return false
	}
	plain, isPlain := strings.CutPrefix(page, "http://")
	if isPlain && c.settings.AllowPlainLinks {
		return check.URL("https://"+plain, true) == ""
	}
	sandbox := strings.HasPrefix(c.base, "http://")
	return check.URL(page, true) == "" && (sandbox || strings.HasPrefix(page, "https://"))
}
