package teemopay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"payonce/pkg/sandbox"
)

// The codes of the documents (pay-in page; docs.teemopay.com korea/payout and its pages for other countries).
const (
	codeSuccess         = 200
	codePayoutNotFound  = 400
	codeParameter       = 414
	codeApplication     = 416
	codeMethod          = 423
	codeBalance         = 425
	codeDuplicate       = 426
	codeCallback        = 427
	codeCardLength      = 430
	codeBank            = 431
	codeDepositNotFound = 434
	codeAccountType     = 455
	codeIDType          = 475
)

// refusal is an answer that executes nothing.
type refusal struct {
	code   int
	msg    string
	reason string // for the truth
}

// refuse answers and writes the reason down.
func (q *request) refuse(no refusal) {
	reply := refused(no.code, no.msg)
	q.account.Refused(strings.TrimSpace(q.fields.text("merchantOrderNo")), q.action, no.reason, reply.Status)
	write(q.w, reply)
}

// fieldError is a field that is not acceptable.
func fieldError(name, problem string) *refusal {
	return &refusal{codeParameter, fmt.Sprintf("parameter error: %s %s", name, problem), "field:" + name}
}

// envelope is the frame of every answer, in the order of the pay-in page.
type envelope struct {
	Msg     string `json:"msg"`
	TraceID string `json:"traceId"`
	Code    int    `json:"code"`
	Data    any    `json:"data"`
}

func succeeded(data any) sandbox.Reply {
	return inJSON(envelope{Msg: "success", TraceID: traceID(), Code: codeSuccess, Data: data})
}

// refused is an answer with a code. That its HTTP status is 200 is an assumption: the documents show
// bodies only.
func refused(code int, msg string) sandbox.Reply {
	return inJSON(envelope{Msg: msg, TraceID: traceID(), Code: code})
}

// payoutNotFound is the one answer without data (docs.teemopay.com korea/payout/query).
func payoutNotFound() sandbox.Reply {
	return inJSON(struct {
		Code    int    `json:"code"`
		Msg     string `json:"msg"`
		TraceID string `json:"traceId"`
	}{codePayoutNotFound, "Order not found", traceID()})
}

func inJSON(value any) sandbox.Reply {
	body, err := json.Marshal(value)
	if err != nil {
		panic("teemopay: an answer cannot fail to encode: " + err.Error())
	}
	return sandbox.Reply{Status: http.StatusOK, ContentType: "application/json", Body: body}
}

func write(w http.ResponseWriter, reply sandbox.Reply) {
	w.Header().Set("Content-Type", reply.ContentType)
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // the merchant may be gone
}

// traceID looks like 747bbf80261844ed85b809212aab0d81.85.17422898158610299.
func traceID() string { return randomHex() + ".85.17422898158610299" }

// won prints an amount as the provider does: "1000.00".
func won(amount int64) string { return fmt.Sprintf("%d.00", amount) }

// The fee of the documents' example: 5 won and 1 %, so 15.00 of 1000.
const (
	feeFixed       = "5.00"
	feeRate        = "0.0100"
	feeFixedInJeon = 500
)

// fee prints the fee of an amount: one percent of a won is a jeon, its hundredth.
func fee(amount int64) string { return inWon(feeFixedInJeon + amount) }

// fees prints the sum of the fees of movements.
func fees(all []sandbox.Movement) string {
	jeon := int64(0)
	for _, m := range all {
		jeon += feeFixedInJeon + m.Amount
	}
	return inWon(jeon)
}

// inWon prints jeon as won: "18.02".
func inWon(jeon int64) string { return fmt.Sprintf("%d.%02d", jeon/100, jeon%100) }

// local prints a time in the country's zone; nil for none.
func local(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.In(korea).Format(time.DateTime)
	return &text
}

// statuses are the numbers of states in queries, callbacks and bills.
var statuses = map[sandbox.State]int{sandbox.Pending: 1, sandbox.Paid: 2, sandbox.Failed: 3, sandbox.Refunded: 4}

// failures are the provider's words for failures: errorCode for payouts, errorMessage for both.
var failures = map[sandbox.Failure]struct {
	code    int
	message string
}{
	sandbox.ChannelError:   {1010, "Unstable network, kindly retry later."},
	sandbox.DeclinedByBank: {1000, "The account does not exist or is restricted"},
	sandbox.FailedByHand:   {9999, "Others"},
}
