package teemopay

import (
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"payonce/pkg/sandbox"
)

// The ways of paying a deposit.
const (
	methodVA    = "801" // virtual account
	methodKYC   = "802" // virtual account after a check of the person
	methodKakao = "803"
	methodToss  = "804"
)

// maxExpiration is how long a deposit may stay open, and how long it does when nothing is said.
const maxExpiration = 2 * time.Hour

// createDeposit serves /api/pay/payment/create/v1.
func (p *Protocol) createDeposit(q *request) {
	create, no := p.readDeposit(q)
	if no != nil {
		q.refuse(*no)
		return
	}
	q.account.Create(q.w, q.r, create, func(result sandbox.Result) sandbox.Reply {
		switch result.Verdict {
		case sandbox.Charged:
			return succeeded(p.deposit(create.Order, result))
		case sandbox.ChannelFailed:
			return succeeded(depositData{
				MerchantOrderNo: create.Order, TradeNo: result.Charge.Reference, PaymentType: number(create.Method),
				Status: statuses[sandbox.Failed], ErrorMsg: failures[sandbox.ChannelError].message,
			})
		case sandbox.Duplicate:
			return refused(codeDuplicate, "merchant order duplicate")
		default:
			return refused(codeParameter, fieldError("amount", "is declined").msg)
		}
	})
}

// readDeposit checks the fields as the documents say.
func (p *Protocol) readDeposit(q *request) (sandbox.Create, *refusal) {
	f := q.fields
	if no := checkFields(f, payinFields); no != nil {
		return sandbox.Create{}, no
	}
	amount, no := amountOf(f)
	if no != nil {
		return sandbox.Create{}, no
	}
	if no := p.checkPerson(f); no != nil {
		return sandbox.Create{}, no
	}
	expires, no := expiration(f, q.account.Now())
	if no != nil {
		return sandbox.Create{}, no
	}
	if f.text("callbackUrl") == "" && q.account.CallbackURL() == "" {
		const msg = "The callback notification address for collection must not be empty."
		return sandbox.Create{}, &refusal{codeCallback, msg, "field:callbackUrl"}
	}
	return sandbox.Create{
		Order: f.text("merchantOrderNo"), Operation: sandbox.Deposit, Amount: amount, Method: f.text("paymentType"),
		CallbackURL: f.text("callbackUrl"), ExpiresAt: expires,
	}, nil
}

// checkPerson checks the payer, and the method, on which the payer's fields depend.
func (p *Protocol) checkPerson(f fields) *refusal {
	method := f.text("paymentType")
	switch method {
	case methodVA, methodKYC, methodKakao, methodToss:
	default:
		return &refusal{codeMethod, "This payment method is not supported", "field:paymentType"}
	}
	if utf8.RuneCountInString(f.text("realName")) > 20 {
		return fieldError("realName", "must have at most 20 characters")
	}
	wallet := method == methodKakao || method == methodToss // docs: e-mail, phone and IP are required
	if text := f.text("email"); (text != "" || wallet) && !email.MatchString(text) {
		return fieldError("email", "must be an e-mail address")
	}
	if text := f.text("phone"); (text != "" || wallet) && !phone.MatchString(text) {
		return fieldError("phone", "must have 11 digits and begin with 010")
	}
	if text := f.text("ipAddress"); text != "" || wallet {
		if _, err := netip.ParseAddr(text); err != nil {
			return fieldError("ipAddress", "must be an IP address")
		}
	}
	if p.settings.RequireHolderNumber && f.text("accountHolderNumber") == "" {
		return fieldError("accountHolderNumber", "is required")
	}
	return nil
}

// expiration reads when the deposit ends: at most two hours from now, which is also the default.
func expiration(f fields, now time.Time) (time.Time, *refusal) {
	if f.text("expirationTime") == "" {
		return now.Add(maxExpiration), nil
	}
	millis, err := strconv.ParseInt(f.text("expirationTime"), 10, 64)
	at := time.UnixMilli(millis)
	// The slack is for the way here: the merchant counted its two hours from its own clock.
	if err != nil || !at.After(now) || at.After(now.Add(maxExpiration+maxSkew)) {
		return time.Time{}, fieldError("expirationTime", "must be within two hours")
	}
	return at, nil
}

// depositData is the data of a create's answer, in the order of the pay-in page.
type depositData struct {
	Amount          *string         `json:"amount"`
	TradeNo         string          `json:"tradeNo"`
	AdditionalInfo  *additionalInfo `json:"additionalInfo"`
	MerchantOrderNo string          `json:"merchantOrderNo"`
	PaymentInfo     *string         `json:"paymentInfo"`
	PaymentType     int             `json:"paymentType"`
	Status          int             `json:"status"`
	ErrorMsg        string          `json:"errorMsg,omitempty"`
}

type additionalInfo struct {
	BankCode    string `json:"bankCode,omitempty"`
	BankName    string `json:"bankName,omitempty"`
	ExpiredTime int64  `json:"expiredTime"` // milliseconds
	PaymentLink string `json:"paymentLink,omitempty"`
}

func (p *Protocol) deposit(order string, result sandbox.Result) depositData {
	c := result.Charge
	amount, info := won(result.Echo), p.paymentInfo(c)
	data := depositData{
		Amount: &amount, TradeNo: c.Reference, MerchantOrderNo: order, PaymentInfo: &info,
		PaymentType: number(c.Method), Status: statuses[sandbox.Pending],
		AdditionalInfo: &additionalInfo{ExpiredTime: c.ExpiresAt.UnixMilli()},
	}
	if c.Method == methodVA {
		data.AdditionalInfo.BankCode, data.AdditionalInfo.BankName = "IBK", "기업은행"
	} else {
		data.AdditionalInfo.PaymentLink = info
	}
	if c.Method == methodKYC {
		data.Status = 0 // accepted: the person has not been checked yet (docs, zh)
	}
	return data
}

// paymentInfo is what the customer needs: the number of a virtual account, or the cashier's address.
func (p *Protocol) paymentInfo(c sandbox.Charge) string {
	if c.Method == methodVA {
		return "299" + strconv.FormatInt(10_000_000_000+c.Serial, 10)
	}
	return p.settings.CashierURL + c.Reference
}

// number reads a number that was checked before.
func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// queryDeposit serves /api/pay/payment/query/v1.
func (p *Protocol) queryDeposit(q *request) {
	if no := checkFields(q.fields, queryFields); no != nil {
		q.refuse(*no)
		return
	}
	q.account.Query(q.w, q.fields.text("merchantOrderNo"), sandbox.Deposit, func(v sandbox.View, found bool) sandbox.Reply {
		if !found {
			return refused(codeDepositNotFound, "Merchant order not exist")
		}
		return succeeded(p.depositState(v))
	})
}

// depositState is the data of a query's answer, in the order of the documents' example.
type depositState struct {
	MerchantOrderNo   string         `json:"merchantOrderNo"`
	Amount            string         `json:"amount"` // received
	TransactionAmount string         `json:"transactionAmount"`
	TradeNo           string         `json:"tradeNo"`
	PaymentType       int            `json:"paymentType"`
	PaymentInfo       string         `json:"paymentInfo"`
	Status            int            `json:"status"`
	ServiceAmount     string         `json:"serviceAmount"`
	ErrorMessage      *string        `json:"errorMessage,omitempty"`
	StatementList     []paymentState `json:"statementList"`
}

type paymentState struct {
	PaymentSingleOrderNo       string  `json:"paymentSingleOrderNo"`
	PaymentStatementAmount     string  `json:"paymentStatementAmount"`
	PaymentStatementStatus     int     `json:"paymentStatementStatus"`
	PaymentStatementStatusName string  `json:"paymentStatementStatusName"`
	CompleteTime               *string `json:"completeTime"`
	ServiceAmount              string  `json:"serviceAmount"`
	ServiceRate                string  `json:"serviceRate"`
	ImmService                 string  `json:"immService"`
	PaymentType                int     `json:"paymentType"`
}

func (p *Protocol) depositState(v sandbox.View) depositState {
	state := depositState{
		MerchantOrderNo: v.Order, Amount: won(v.Received()), TransactionAmount: won(v.Echo), TradeNo: v.Charge.Reference,
		PaymentType: number(v.Charge.Method), PaymentInfo: p.paymentInfo(v.Charge), Status: statuses[v.Charge.State],
		ServiceAmount: "0.00", StatementList: []paymentState{},
	}
	if v.Charge.State == sandbox.Failed {
		message := failures[v.Charge.Failure].message
		state.ErrorMessage = &message
	}
	if len(v.Movements) > 0 {
		state.ServiceAmount = fees(v.Movements)
	}
	for _, m := range v.Movements {
		state.StatementList = append(state.StatementList, paymentState{
			PaymentSingleOrderNo: m.Reference, PaymentStatementAmount: won(m.Amount), PaymentStatementStatus: statuses[sandbox.Paid],
			PaymentStatementStatusName: "代收成功", CompleteTime: local(m.At), ServiceAmount: fee(m.Amount),
			ServiceRate: feeRate, ImmService: feeFixed, PaymentType: number(v.Charge.Method),
		})
	}
	return state
}
