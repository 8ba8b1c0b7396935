package ecommpay

import (
	"net/http"
	"strconv"
	"strings"

	"payonce/pkg/sandbox"
)

var (
	paymentTypes   = map[sandbox.Operation]string{sandbox.Deposit: "purchase", sandbox.Payout: "payout"}
	operationTypes = map[sandbox.Operation]string{sandbox.Deposit: "sale", sandbox.Payout: "payout"}
	// refundTypes and refundStatuses: that a payout that comes back is a reversal is an assumption.
	refundTypes    = map[sandbox.Operation]string{sandbox.Deposit: "refund", sandbox.Payout: "reversal"}
	refundStatuses = map[sandbox.Operation]string{sandbox.Deposit: "refunded", sandbox.Payout: "reversed"}
)

// paymentStatus is payment.status (developers.ecommpay.com, payment models and statuses).
func (p *Protocol) paymentStatus(state sandbox.State, c sandbox.Charge) string {
	if state == sandbox.Refunded {
		return refundStatuses[c.Operation]
	}
	return p.operationStatus(state, c)
}

// operationStatus is operation.status. A refund is an operation of its own, which succeeded.
func (p *Protocol) operationStatus(state sandbox.State, c sandbox.Charge) string {
	switch {
	case state == sandbox.Paid, state == sandbox.Refunded:
		return "success"
	case state == sandbox.Failed:
		return "decline"
	case c.Stage == sandbox.AwaitingClarification:
		return "awaiting clarification"
	case c.Stage == sandbox.AwaitingCustomer && c.Method == MethodRedirect:
		return "awaiting redirect result"
	case c.Stage == sandbox.AwaitingCustomer:
		return "awaiting customer"
	default:
		return "processing"
	}
}

// result is the code and message of an operation. The Korean banks page writes success in lower case for purchases
// with redirection, and declines for limits with 603 there, with 20000 elsewhere.
func (p *Protocol) result(state sandbox.State, c sandbox.Charge) (code, message string) {
	deposit := c.Operation == sandbox.Deposit
	switch {
	case state == sandbox.Pending:
		code = codeAwaiting
	case state != sandbox.Failed && deposit && p.settings.Redirect:
		return "0", "success"
	case state != sandbox.Failed:
		return "0", "Success"
	case c.Failure == sandbox.LimitExceeded && deposit && p.settings.Redirect:
		code = codeAutoDecline
	case c.Failure == sandbox.ChannelError:
		code = codeUnavailable
	case c.Failure == sandbox.NotClarified:
		code = codeTimeout
	case c.Failure == sandbox.FailedByHand:
		code = codeByHand
	default:
		code = codeDecline
	}
	return code, messages[code]
}

// status serves /v2/payment/status.
func (p *Protocol) status(q *request) {
	if no := q.require("general.payment_id"); no != nil {
		q.refuse(p, *no)
		return
	}
	p.answerStatus(q, q.orderNumber())
}

// statusOfRequest serves /v2/payment/status/request, which asks by the request_id of a payment's creation.
func (p *Protocol) statusOfRequest(q *request) {
	id := q.at("request_id")
	if id == "" {
		q.refuse(p, *fieldError(codeRequired, "request_id"))
		return
	}
	_, digits, _ := strings.Cut(id, "-")
	serial, err := strconv.ParseInt(digits, 10, 64)
	if err == nil {
		for _, v := range q.account.Statement(sandbox.Statement{After: serial - 1, To: q.account.Now(), Limit: 1}) {
			if v.Charge.Reference == id {
				p.answerStatus(q, v.Order)
				return
			}
		}
	}
	q.account.Refused("", q.action, "not_found", http.StatusOK)
	write(q.w, notFound())
}

func (p *Protocol) answerStatus(q *request, order string) {
	q.account.Query(q.w, order, "", func(v sandbox.View, found bool) sandbox.Reply {
		if !found {
			return notFound()
		}
		return p.state(v)
	})
}

// notFound is the answer for a payment that was never registered, with HTTP 200 and no signature
// (developers.ecommpay.com en_Gate_payment_status_request).
func notFound() sandbox.Reply {
	return inJSON(http.StatusOK, object{
		"payment": object{"status": "error"},
		"errors":  []fieldProblem{{Code: codeNotFound, Message: messages[codeNotFound]}},
	})
}

// paymentState is the answer to a status query; it is signed in general.
type paymentState struct {
	General             generalState        `json:"general"`
	SumRequest          sum                 `json:"sum_request"`
	RequestID           string              `json:"request_id"`
	Transaction         transaction         `json:"transaction"`
	Payment             queriedPayment      `json:"payment"`
	SumReal             sum                 `json:"sum_real"`
	Account             *account            `json:"account,omitempty"`
	ClarificationFields map[string][]string `json:"clarification_fields,omitempty"`
	Description         string              `json:"description"`
	Operations          []queriedOperation  `json:"operations"`
	ReturnURL           *redirectData       `json:"return_url,omitempty"`
}

type generalState struct {
	ProjectID int64  `json:"project_id"`
	PaymentID string `json:"payment_id"`
	Signature string `json:"signature,omitempty"`
}

type transaction struct {
	ID   int64  `json:"id"`
	Date string `json:"date"`
	Type string `json:"type"`
}

type queriedPayment struct {
	Method        string `json:"method"`
	Date          string `json:"date"`
	ResultCode    string `json:"result_code"`
	ResultMessage string `json:"result_message"`
	Status        string `json:"status"`
	NewAttempts   bool   `json:"is_new_attempts_available"`
	Timeout       int    `json:"attempts_timeout"`
	ID            string `json:"id"`
	Cascading     bool   `json:"cascading_with_redirect"`
	Split         bool   `json:"split_with_redirect"`
	ProviderID    int    `json:"provider_id"`
}

type queriedOperation struct {
	ID        int64         `json:"id"`
	Type      string        `json:"type"`
	Status    string        `json:"status"`
	Date      string        `json:"date"`
	RequestID string        `json:"request_id"`
	Sum       sum           `json:"sum"`
	Code      string        `json:"code"`
	Message   string        `json:"message"`
	Provider  bankReference `json:"provider"`
}

// state is the payment as the provider knows it.
func (p *Protocol) state(v sandbox.View) sandbox.Reply {
	c := v.Charge
	end := c.CompletedAt
	if end.IsZero() {
		end = c.At
	}
	code, message := p.result(c.State, c)
	answer := paymentState{
		General:    generalState{ProjectID: p.settings.ProjectID, PaymentID: v.Order},
		SumRequest: won(v.Echo), SumReal: won(v.Received()), RequestID: c.Reference,
		Transaction: transaction{operationID(c.Serial), date(c.At), operationTypes[c.Operation]},
		Payment: queriedPayment{
			Method: methodTitle, Date: date(end), ResultCode: code, ResultMessage: message, Status: p.paymentStatus(c.State, c),
			ID: v.Order, ProviderID: p.bankReference(sandbox.Notice{Charge: c}).ID,
		},
		Description: c.Details[detailDescription], Operations: p.operations(v),
	}
	if c.Operation == sandbox.Payout {
		answer.Account = &account{c.Details[detailAccount]}
	}
	switch {
	case c.Stage == sandbox.AwaitingClarification:
		answer.ClarificationFields = wanted(c)
	case c.Stage == sandbox.AwaitingCustomer && c.Method == MethodRedirect:
		answer.ReturnURL = p.redirect(c, v.Echo)
	}
	signature, err := p.signAnswer(answer)
	if err != nil {
		panic("ecommpay: an answer cannot fail to decode: " + err.Error())
	}
	answer.General.Signature = signature
	return inJSON(http.StatusOK, answer)
}

// operations are one for the charge as long as no money moved, and one for each movement.
func (p *Protocol) operations(v sandbox.View) []queriedOperation {
	list := []queriedOperation{}
	var received int64
	for _, m := range v.Movements {
		if m.Kind == sandbox.Paid {
			received += m.Amount
		}
		n := sandbox.Notice{Order: v.Order, Charge: v.Charge, State: m.Kind, Movement: m, Echo: v.Echo, Received: received}
		list = append(list, queried(p.operation(n, m.At)))
	}
	if len(list) == 0 || v.Charge.State == sandbox.Failed {
		end := v.Charge.CompletedAt
		if end.IsZero() {
			end = v.Charge.At
		}
		list = append(list, queried(p.operation(sandbox.Notice{Order: v.Order, Charge: v.Charge, State: v.Charge.State, Echo: v.Echo}, end)))
	}
	return list
}

func queried(o operation) queriedOperation {
	return queriedOperation{o.ID, o.Type, o.Status, o.Date, o.RequestID, o.SumConverted, o.Code, o.Message, o.Provider}
}
