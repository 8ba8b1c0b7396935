package diamondpay

import (
	"encoding/json"
	"net/http"

	"payonce/pkg/sandbox"
)

// The codes (showdoc.com.cn/fantian, global error codes; 0050 in the newer documents).
const (
	codeOK           = "0000"
	codeParameters   = "0002"
	codeSignature    = "0004"
	codeNoToken      = "0005"
	codeToken        = "0006"
	codeCard         = "0008"
	codeService      = "0009"
	codeNotEnabled   = "0010"
	codeBank         = "0012"
	codeDepositError = "0013"
	codeDuplicate    = "0014"
	codePayoutError  = "0017"
	codeBalance      = "0018"
	codeJSON         = "0021"
	codeContentType  = "0022"
	codeMethod       = "0023"
	codeLastNumber   = "0026"
	codeBelow        = "0028"
	codeAbove        = "0029"
	codeNotFound     = "0050"
)

var messages = map[string]string{
	codeParameters: "Invalid request parameters", codeSignature: "Signature Verification Failed!",
	codeNoToken: "Authorization is missing", codeToken: "Authorization is invalid", codeCard: "The card does not exist", codeService: "Wrong service_id",
	codeNotEnabled: "The service is not enabled for the merchant", codeBank: "The bank does not exist or is not supported",
	codeDepositError: "Creating the deposit record failed", codeDuplicate: "Duplicate order number",
	codePayoutError: "Creating the payout record failed", codeBalance: "Insufficient merchant balance",
	codeJSON: "Invalid JSON", codeContentType: "Unsupported content type", codeMethod: "Unsupported HTTP method",
	codeLastNumber: "last_number is required", codeBelow: "The amount is below the minimum",
	codeAbove: "The amount is above the maximum", codeNotFound: "Order not found",
}

// refusal is an answer that executes nothing.
type refusal struct {
	code   string
	reason string // for the truth
}

// fieldError is a field that is not acceptable.
func fieldError(name string) *refusal { return &refusal{codeParameters, "field:" + name} }

// refuse answers and writes the reason down.
func (p *Protocol) refuse(q *request, no refusal) {
	q.account.Refused(q.order, q.action, no.reason, http.StatusOK)
	write(q.w, refused(q.r.URL.Path, no.code))
}

// refused is an answer with a code, always in snake_case (the three deposit pages). That its HTTP status is 200
// is an assumption: the documents show bodies only.
func refused(path, code string) sandbox.Reply {
	message := messages[code]
	if code == codeSignature && path == "/gateway/api/v2/payments" {
		message = "Signature verification failed!" // the v2 deposit page writes it so
	}
	return inJSON(struct {
		Code    string `json:"error_code"`
		Message string `json:"error_msg"`
	}{code, message})
}

// succeeded is an answer with data.
func succeeded(data any) sandbox.Reply {
	return inJSON(struct {
		Code string `json:"error_code"`
		Data any    `json:"data"`
	}{codeOK, data})
}

func inJSON(value any) sandbox.Reply {
	return sandbox.Reply{Status: http.StatusOK, ContentType: "application/json;charset=utf-8", Body: encode(value)}
}

func encode(value any) []byte {
	body, err := json.Marshal(value)
	if err != nil {
		panic("diamondpay: an answer cannot fail to encode: " + err.Error())
	}
	return body
}

func write(w http.ResponseWriter, reply sandbox.Reply) {
	w.Header().Set("Content-Type", reply.ContentType)
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // the merchant may be gone
}
