package ecommpay

import (
	"strings"

	"payonce/pkg/sandbox"
)

// clarification serves /v2/payment/clarification (developers.ecommpay.com en_Gate_Clarification).
func (p *Protocol) clarification(q *request) {
	if no := q.require("general.payment_id"); no != nil {
		q.refuse(p, *no)
		return
	}
	details := map[string]string{}
	customer, _ := dig(q.body, "additional_data", "customer").(object)
	for name, value := range customer {
		if given := strings.TrimSpace(text(value)); given != "" {
			details[name] = given
		}
	}
	if len(details) == 0 {
		q.refuse(p, *fieldError(codeRequired, "additional_data.customer"))
		return
	}
	q.account.Clarify(q.w, q.orderNumber(), details, func(result sandbox.ClarifyResult) sandbox.Reply {
		switch result {
		case sandbox.Clarified:
			return p.accepted(q.orderNumber(), p.Reference(sandbox.DepositReference, 0, q.account.Now()))
		case sandbox.NothingToClear:
			return p.refused(q.orderNumber(), refusal{code: codeNotAllowed})
		default:
			return p.refused(q.orderNumber(), refusal{code: codeNotFound})
		}
	})
}

// wanted are the fields that a clarification asks for. A clarification that was switched on although
// nothing is missing asks for the last name.
func wanted(c sandbox.Charge) map[string][]string {
	if missing := missingNames(c.Details); len(missing) > 0 {
		return map[string][]string{"customer": missing}
	}
	return map[string][]string{"customer": {detailLastName}}
}
