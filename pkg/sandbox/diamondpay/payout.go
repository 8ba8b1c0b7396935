package diamondpay

import (
	"regexp"

	"payonce/pkg/sandbox"
)

// bankCode is the form of Korean banks (showdoc.com.cn/fantian, KRW bank list, of which only the beginning
// is known: any code of this form is taken).
var bankCode = regexp.MustCompile(`^[A-Z0-9]+_KR$`)

// createPayout serves POST v2/payouts (docs.apayasia.com create-withdraw).
func (p *Protocol) createPayout(q *request) {
	table := payoutKRW
	if p.settings.OldPayouts {
		table = payoutKRWOld
	}
	no := p.checkService(q)
	if no == nil {
		no = q.checkFields(table)
	}
	if no == nil {
		no = p.checkRecipient(q)
	}
	var amount int64
	if no == nil {
		amount, no = p.amount(q.fields)
	}
	if no != nil {
		p.refuse(q, *no)
		return
	}
	q.account.Create(q.w, q.r, q.create(sandbox.Payout, amount), func(result sandbox.Result) sandbox.Reply {
		switch result.Verdict {
		case sandbox.Charged:
			return succeeded(struct {
				PayoutID string `json:"payout_id"`
			}{result.Charge.Reference})
		case sandbox.ChannelFailed:
			return refused(q.r.URL.Path, codePayoutError)
		case sandbox.Duplicate:
			return refused(q.r.URL.Path, codeDuplicate)
		default:
			return refused(q.r.URL.Path, codeBalance)
		}
	})
}

func (p *Protocol) checkRecipient(q *request) *refusal {
	if currency := q.fields.text("currency"); currency != "krw" && (currency != "" || !p.settings.OldPayouts) {
		return fieldError("currency")
	}
	if !onlyDigits.MatchString(q.fields.text("number")) {
		return fieldError("number")
	}
	if !bankCode.MatchString(q.fields.text("bank_name")) {
		return &refusal{codeBank, "field:bank_name"}
	}
	return nil
}
