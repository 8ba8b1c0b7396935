package diamondpay

import (
	"strings"
	"unicode/utf8"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// noReference is what the example of the TWD deposit page has as the token when the transfer needs no text
// ("无须附言").
const noReference = "无须附言"

// depositAction says what the customer must do, of the several things that an answer can offer:
//
//  1. A register_link says that this customer must register before paying (KRW deposit page, v1), which only the
//     redirect can say; transfer instructions in the same answer would be too early.
//  2. Transfer instructions hold everything that is needed, so the link beside them is left out.
//  3. Otherwise the link leads to the provider's page: when the instructions are not complete, or their amount is
//     one that no customer can transfer, so that we must say the closest.
//
// There is no action when nothing usable is left; problem then says why, for people and without personal data.
// named is the amount that the answer repeats.
func (c *Connector) depositAction(cmd payment.Command, data, info object, named payment.Money) (action *payment.Action, problem string) {
	f := data.fields()
	redirect := &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: f["link"], RegisterURL: f["register_link"]}}
	linkProblem, registerProblem := c.pageProblem(f["link"]), c.pageProblem(f["register_link"])
	transfer, exact, transferProblem := c.transfer(cmd, data, info, named)
	switch {
	case f["register_link"] != "" && linkProblem != "":
		return nil, "the customer must register, and link " + linkProblem
	case f["register_link"] != "" && registerProblem != "":
		return nil, "the customer must register, and register_link " + registerProblem
	case f["register_link"] != "":
		return redirect, ""
	case linkProblem == "" && (transferProblem != "" || !exact):
		return redirect, ""
	case transferProblem == "":
		return &payment.Action{Type: payment.ActionTransfer, Transfer: transfer}, ""
	}
	return nil, transferProblem + ", and link " + linkProblem
}

// transfer reads the instructions of v2, which are in the data, or of v1, which are in payment_info. exact is
// false when the customer cannot transfer what the provider displays, but only the closest to it.
func (c *Connector) transfer(cmd payment.Command, data, info object, named payment.Money) (t *payment.TransferInstructions, exact bool, problem string) {
	if c.way(cmd).version == v2 {
		f := data.fields()
		t = instructions(f, f)
		t.BankCode, t.QRCode, exact = f["bank_code"], f["qr_code_content"], true
	} else {
		receiver, err := info.object("receiver")
		if err != nil {
			return nil, false, "receiver cannot be read"
		}
		t = instructions(receiver.fields(), info.fields())
		t.BankBranch = receiver.fields()["bank_branch"]
		order := cmd.Amount
		if !named.IsZero() {
			order = named
		}
		var ok bool
		if t.Amount, exact, ok = displayed(info, order); !ok {
			return nil, false, "display_amount is not an amount that can be transferred"
		}
	}
	if t.Amount.IsZero() && named != cmd.Amount {
		t.Amount = named
	}
	return t, exact, incomplete(t)
}

func instructions(receiver, order fields) *payment.TransferInstructions {
	t := &payment.TransferInstructions{
		AccountNumber: receiver["card_number"], AccountHolder: receiver["card_name"], BankName: receiver["bank_name"], Reference: order["token"],
	}
	if t.Reference == noReference {
		t.Reference = ""
	}
	return t
}

// incomplete says why instructions cannot be followed, or nothing.
func incomplete(t *payment.TransferInstructions) (problem string) {
	for _, text := range []string{t.AccountNumber, t.AccountHolder, t.BankCode, t.BankName, t.BankBranch, t.Reference} {
		if utf8.RuneCountInString(text) > payment.MaxText {
			return "the transfer instructions are too long"
		}
	}
	switch {
	case strings.TrimSpace(t.AccountNumber) == "":
		return "there is no account to transfer to"
	case len(t.QRCode) > payment.MaxURL:
		return "the QR code is too long"
	}
	return ""
}

// pageProblem says why the customer cannot be sent to a page, or nothing. It takes https pages, http ones where
// the configuration allows them, and http ones on a loopback host when the gateway is a sandbox there.
func (c *Connector) pageProblem(page string) string {
	plain, isPlain := strings.CutPrefix(page, "http://")
	if isPlain && c.settings.AllowPlainLinks {
		page = "https://" + plain
	}
	sandbox := strings.HasPrefix(c.base, "http://")
	switch problem := check.URL(page, true); {
	case page == "":
		return "is missing"
	case len(page) > payment.MaxURL:
		return "is too long"
	case isPlain && !c.settings.AllowPlainLinks && (problem != "" || !sandbox):
		return "is http, which allow_plain_links does not allow"
	default:
		return problem
	}
}
