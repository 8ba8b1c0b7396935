package teemopay

import (
	"slices"
	"unicode/utf8"

	"payonce/pkg/sandbox"
)

// createPayout serves /api/pay/payout/create/v1.
func (p *Protocol) createPayout(q *request) {
	create, no := readPayout(q)
	if no != nil {
		q.refuse(*no)
		return
	}
	q.account.Create(q.w, q.r, create, func(result sandbox.Result) sandbox.Reply {
		data := payoutData{MerchantOrderNo: create.Order, TradeNo: result.Charge.Reference, Amount: won(result.Echo)}
		switch result.Verdict {
		case sandbox.Charged:
			data.Status = statuses[sandbox.Pending]
			return succeeded(data)
		case sandbox.ChannelFailed:
			data.Status, data.ErrorMsg = statuses[sandbox.Failed], failures[sandbox.ChannelError].message
			return succeeded(data)
		case sandbox.Duplicate:
			return refused(codeDuplicate, "merchant order duplicate")
		default:
			return refused(codeBalance, "Insufficient merchant balance")
		}
	})
}

// payoutData is the data of a create's answer. The documents name no errorMsg for payouts; that it is
// there when the channel failed is an assumption.
type payoutData struct {
	Amount          string `json:"amount"`
	MerchantOrderNo string `json:"merchantOrderNo"`
	Status          int    `json:"status"`
	TradeNo         string `json:"tradeNo"`
	ErrorMsg        string `json:"errorMsg,omitempty"`
}

// readPayout checks the fields as the documents say.
func readPayout(q *request) (sandbox.Create, *refusal) {
	f := q.fields
	if no := checkFields(f, payoutFields); no != nil {
		return sandbox.Create{}, no
	}
	amount, no := amountOf(f)
	if no != nil {
		return sandbox.Create{}, no
	}
	if no := checkRecipient(f); no != nil {
		return sandbox.Create{}, no
	}
	if f.text("callbackUrl") == "" && q.account.CallbackURL() == "" {
		return sandbox.Create{}, &refusal{codeCallback, "The callback notification address must not be empty.", "field:callbackUrl"}
	}
	return sandbox.Create{
		Order: f.text("merchantOrderNo"), Operation: sandbox.Payout, Amount: amount,
		Method: f.text("accountType"), CallbackURL: f.text("callbackUrl"),
	}, nil
}

func checkRecipient(f fields) *refusal {
	kyc := f.text("accountType") == methodKYC
	if !kyc && f.text("accountType") != methodVA {
		return &refusal{codeAccountType, "account type error", "field:accountType"}
	}
	if bank := f.text("bankCode"); !slices.Contains(banks, bank) || kyc && noKYC(bank) {
		return &refusal{codeBank, "bank code not supported", "field:bankCode"}
	}
	if !account.MatchString(f.text("bankAccount")) {
		return &refusal{codeCardLength, "card number error", "field:bankAccount"}
	}
	if utf8.RuneCountInString(f.text("realName")) < 2 {
		return fieldError("realName", "must have at least 2 characters")
	}
	// The documents disagree about a company: CO in the newer, COMPANY in the older.
	if !slices.Contains([]string{"RRN", "CO", "COMPANY"}, f.text("idType")) {
		return &refusal{codeIDType, "id card type error", "field:idType"}
	}
	return nil
}

// queryPayout serves /api/pay/payout/query/v1.
func (p *Protocol) queryPayout(q *request) {
	if no := checkFields(q.fields, queryFields); no != nil {
		q.refuse(*no)
		return
	}
	q.account.Query(q.w, q.fields.text("merchantOrderNo"), sandbox.Payout, func(v sandbox.View, found bool) sandbox.Reply {
		if !found {
			return payoutNotFound()
		}
		return succeeded(newPayoutState(v))
	})
}

// payoutState is the data of a query's answer, in the order of the documents' example. That a refund is
// status 4 here as in the callback is an assumption.
type payoutState struct {
	MerchantOrderNo string  `json:"merchantOrderNo"`
	TradeNo         string  `json:"tradeNo"`
	Amount          string  `json:"amount"`
	Status          int     `json:"status"`
	ServiceAmount   string  `json:"serviceAmount"`
	ImmService      string  `json:"immService"`
	ServiceRate     string  `json:"serviceRate"`
	ErrorCode       *int    `json:"errorCode"`
	ErrorMessage    *string `json:"errorMessage"`
	CompleteTime    *string `json:"completeTime"`
}

func newPayoutState(v sandbox.View) payoutState {
	code, message := payoutError(v.Charge.State, v.Charge.Failure)
	return payoutState{
		MerchantOrderNo: v.Order, TradeNo: v.Charge.Reference, Amount: won(v.Echo), Status: statuses[v.Charge.State],
		ServiceAmount: fee(v.Charge.Amount), ImmService: feeFixed, ServiceRate: feeRate,
		ErrorCode: code, ErrorMessage: message, CompleteTime: local(v.Charge.CompletedAt),
	}
}

// payoutError is what the provider says about a payout that did not stay paid; nil for others.
func payoutError(state sandbox.State, failure sandbox.Failure) (*int, *string) {
	switch state {
	case sandbox.Failed:
		f := failures[failure]
		return &f.code, &f.message
	case sandbox.Refunded:
		code, message := 1016, "Refund by the recipient or the recipient's bank, kindly contact user to verify account"
		return &code, &message
	default:
		return nil, nil
	}
}
