package ecommpay

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"payonce/pkg/sandbox"
)

// The platform's codes (developers.ecommpay.com, unified codes).
const (
	codeByHand      = "100"
	codeValidation  = "502"
	codeAutoDecline = "603"
	codeJSON        = "2003"
	codeRequired    = "2004"
	codeEmail       = "2426"
	codeProject     = "2442"
	codeAboveLimit  = "2642"
	codeBank        = "2801"
	codePaymentID   = "3024"
	codeBalance     = "3028"
	codeDuplicate   = "3041"
	codeNotAllowed  = "3060"
	codeNotFound    = "3061"
	codeCurrency    = "3121"
	codeNoBank      = "3244"
	codeSignature   = "3261"
	codeNoSignature = "3262"
	codeBelowLimit  = "3358"
	codeAwaiting    = "9999"
	codeDecline     = "20000"
	codeUnavailable = "20202"
	codeTimeout     = "20602"
)

var messages = map[string]string{
	codeByHand: "General decline", codeValidation: "Validation error", codeAutoDecline: "Auto decline",
	codeJSON: "Invalid JSON string", codeRequired: "Required field not provided", codeEmail: "Invalid Email",
	codeProject: "Project ID not found", codeAboveLimit: "Operation amount is greater than limit",
	codeBank: "Bank ID not found", codePaymentID: "Invalid Payment ID",
	codeBalance: "Insufficient funds on merchant balance", codeDuplicate: "Payment ID already exists",
	codeNotAllowed: "Current payment or operation status does not allow this action",
	codeNotFound:   "Transaction not found", codeCurrency: "Invalid currency", codeNoBank: "Bank id must be defined",
	codeSignature: "Invalid signature", codeNoSignature: "Empty signature",
	codeBelowLimit: "Operation amount is less than limit", codeAwaiting: "Awaiting processing",
	codeDecline: "General decline", codeUnavailable: "PSP system is unavailable", codeTimeout: "Time-out",
}

// refusal is an answer that executes nothing.
type refusal struct {
	code   string
	field  string // path of the field, joined by dots
	reason string // for the truth
}

// status is the HTTP status: 401 for signatures is documented; 400 for the rest is an assumption, the
// documents only say "not 200".
func (no refusal) status() int {
	if no.code == codeSignature || no.code == codeNoSignature {
		return http.StatusUnauthorized
	}
	return http.StatusBadRequest
}

// fieldError is a field that is not acceptable.
func fieldError(code, field string) *refusal {
	return &refusal{code: code, field: field, reason: "field:" + field}
}

// refuse answers and writes the reason down.
func (q *request) refuse(p *Protocol, no refusal) {
	q.account.Refused(q.orderNumber(), q.action, no.reason, no.status())
	write(q.w, p.refused(q.orderNumber(), no))
}

// orderNumber is the payment's number, or empty.
func (q *request) orderNumber() string {
	return strings.TrimSpace(text(dig(q.body, "general", "payment_id")))
}

// accepted is the answer to a request that was taken (Korean banks page, "response with request transfer
// confirmation"; developers.ecommpay.com Gate).
type accepted struct {
	Status    string `json:"status"`
	RequestID string `json:"request_id"`
	ProjectID int64  `json:"project_id"`
	PaymentID string `json:"payment_id"`
}

func (p *Protocol) accepted(order, requestID string) sandbox.Reply {
	return inJSON(http.StatusOK, accepted{"success", requestID, p.settings.ProjectID, order})
}

type refused struct {
	Status    string         `json:"status"`
	Code      string         `json:"code"`
	Message   string         `json:"message"`
	Errors    []fieldProblem `json:"errors,omitempty"`
	ProjectID int64          `json:"project_id,omitempty"`
	PaymentID string         `json:"payment_id,omitempty"`
}

type fieldProblem struct {
	Code        string `json:"code"`
	Message     string `json:"message"`
	Field       string `json:"field,omitempty"`
	Description string `json:"description,omitempty"`
}

func (p *Protocol) refused(order string, no refusal) sandbox.Reply {
	answer := refused{
		Status: "error", Code: no.code, Message: messages[no.code], ProjectID: p.settings.ProjectID, PaymentID: order,
	}
	if no.field != "" {
		answer.Errors = []fieldProblem{{no.code, messages[no.code], no.field, messages[no.code] + ": " + no.field}}
	}
	return inJSON(no.status(), answer)
}

func inJSON(status int, value any) sandbox.Reply {
	return sandbox.Reply{Status: status, ContentType: "application/json", Body: encode(value)}
}

func encode(value any) []byte {
	body, err := json.Marshal(value)
	if err != nil {
		panic("ecommpay: an answer cannot fail to encode: " + err.Error())
	}
	return body
}

func write(w http.ResponseWriter, reply sandbox.Reply) {
	w.Header().Set("Content-Type", reply.ContentType)
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // the merchant may be gone
}

// sum is an amount in major units; the won has no others.
type sum struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func won(amount int64) sum { return sum{amount, "KRW"} }

// date prints a time like 2019-10-16T09:41:26+0000.
func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05-0700") }
