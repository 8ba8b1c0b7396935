package teemopay

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/sandbox"
)

// balance serves /api/pay/merchant/balance.
func (p *Protocol) balance(q *request) {
	total, frozen := q.account.Balance()
	write(q.w, succeeded(struct {
		TotalAmount  string `json:"totalAmount"`
		FrozenAmount string `json:"frozenAmount"`
		AvailAmount  string `json:"availAmount"`
	}{won(total), won(frozen), won(total - frozen)}))
}

// Limits and codes of bills (docs.teemopay.com korea/inquire/bill).
const (
	pageDefault = 500
	pageMost    = 1000
	billMost    = 31 * 24 * time.Hour
	billOldest  = 90 * 24 * time.Hour
	billTime    = "2006-01-02 15:04:05.000"
)

// statement serves /api/pay/transaction/queryList.
func (p *Protocol) statement(q *request) {
	ask, no := readStatement(q.fields, q.account.Now())
	if no != nil {
		q.refuse(*no)
		return
	}
	data := billPage{Records: []bill{}, PageIndex: q.fields.text("pageIndex")}
	for _, v := range q.account.Statement(ask) {
		data.Records = append(data.Records, newBill(v))
		data.PageIndex = cursor(v.Charge.Serial)
	}
	write(q.w, succeeded(data))
}

var billOperations = map[string]sandbox.Operation{"PAYIN": sandbox.Deposit, "PAYOUT": sandbox.Payout}

// readStatement checks the fields. The status may be a string, as in the documents' example, or a number.
func readStatement(f fields, now time.Time) (sandbox.Statement, *refusal) {
	ask := sandbox.Statement{Operation: billOperations[f.text("type")], Limit: pageDefault}
	if ask.Operation == "" {
		return ask, &refusal{600, "type field invalid parameter value", "field:type"}
	}
	var errFrom, errTo error
	ask.From, errFrom = time.ParseInLocation(billTime, f.text("beginTime"), korea)
	ask.To, errTo = time.ParseInLocation(billTime, f.text("endTime"), korea)
	switch {
	case errFrom != nil:
		return ask, fieldError("beginTime", "must be yyyy-MM-dd HH:mm:ss.SSS")
	case errTo != nil:
		return ask, fieldError("endTime", "must be yyyy-MM-dd HH:mm:ss.SSS")
	case ask.From.Before(now.Add(-billOldest)):
		return ask, &refusal{601, "Data older than 90 days cannot be queried via API.", "field:beginTime"}
	case ask.From.After(now):
		return ask, &refusal{603, "The time cannot be later than the current time.", "field:beginTime"}
	case ask.From.After(ask.To):
		return ask, &refusal{604, "The start time of the application period cannot be later than the end time.", "field:endTime"}
	case ask.To.Sub(ask.From) > billMost:
		return ask, &refusal{602, "Query range exceeds 31 days. Please query data month by month.", "field:endTime"}
	}
	// The whole last millisecond belongs to the range, as in 23:59:59.999.
	ask.To = ask.To.Add(time.Millisecond - time.Nanosecond)
	return ask, readPage(f, &ask)
}

func readPage(f fields, ask *sandbox.Statement) *refusal {
	if text := f.text("status"); text != "" {
		for state, status := range statuses {
			if strconv.Itoa(status) == text {
				ask.State = state
			}
		}
		if ask.State == "" && text != "5" { // 5 is a refund in part, which never happens here
			return &refusal{605, "status field invalid parameter value", "field:status"}
		}
		if text == "5" {
			ask.Limit = 0
			return nil
		}
	}
	if text := f.text("pageSize"); text != "" {
		size, err := strconv.Atoi(text)
		if err != nil || size < 1 || size > pageMost {
			return fieldError("pageSize", "must be 1 to 1000")
		}
		ask.Limit = size
	}
	if text := f.text("pageIndex"); text != "" {
		serial, ok := parseCursor(text)
		if !ok {
			return &refusal{606, "PageIndex parsing failed", "field:pageIndex"}
		}
		ask.After = serial
	}
	return nil
}

// cursor names the last record of a page; to the merchant it is opaque.
func cursor(serial int64) string {
	return base64.StdEncoding.EncodeToString([]byte("after:" + strconv.FormatInt(serial, 10)))
}

func parseCursor(text string) (int64, bool) {
	plain, err := base64.StdEncoding.DecodeString(text)
	digits, ok := strings.CutPrefix(string(plain), "after:")
	serial, errNumber := strconv.ParseInt(digits, 10, 64)
	return serial, err == nil && ok && errNumber == nil && serial > 0
}

type billPage struct {
	Records   []bill `json:"records"`
	PageIndex string `json:"pageIndex"`
}

// bill is one record, in the order of the documents' example. Nothing is ever settled to the merchant.
type bill struct {
	Type              string        `json:"type"`
	MerchantOrderNo   string        `json:"merchantOrderNo"`
	TradeNo           string        `json:"tradeNo"`
	Amount            string        `json:"amount"`
	TransactionAmount string        `json:"transactionAmount"`
	ServiceAmount     string        `json:"serviceAmount"`
	Status            int           `json:"status"`
	SettleStatus      int           `json:"settleStatus"`
	FailReason        *string       `json:"failReason"`
	CreateTime        *string       `json:"createTime"`
	CompleteTime      *string       `json:"completeTime"`
	SettleTime        *string       `json:"settleTime"`
	PaymentList       []billPayment `json:"paymentList"`
}

type billPayment struct {
	PaymentSingleOrderNo   string  `json:"paymentSingleOrderNo"`
	PaymentStatementAmount string  `json:"paymentStatementAmount"`
	SettleStatus           int     `json:"settleStatus"`
	SettleTime             *string `json:"settleTime"`
	CompleteTime           *string `json:"completeTime"`
}

func newBill(v sandbox.View) bill {
	b := bill{
		Type: "PAYIN", MerchantOrderNo: v.Order, TradeNo: v.Charge.Reference, Amount: won(v.Charge.Amount),
		TransactionAmount: won(v.Received()), ServiceAmount: "0.00", Status: statuses[v.Charge.State],
		CreateTime: local(v.Charge.At), CompleteTime: local(v.Charge.CompletedAt), PaymentList: []billPayment{},
	}
	if len(v.Movements) > 0 {
		b.ServiceAmount = fees(v.Movements)
	}
	if v.Charge.State == sandbox.Failed {
		reason := failures[v.Charge.Failure].message
		b.FailReason = &reason
	}
	if v.Charge.Operation == sandbox.Payout {
		b.Type = "PAYOUT"
		return b
	}
	for _, m := range v.Movements {
		b.PaymentList = append(b.PaymentList, billPayment{
			PaymentSingleOrderNo: m.Reference, PaymentStatementAmount: won(m.Amount), CompleteTime: local(m.At),
		})
	}
	return b
}
