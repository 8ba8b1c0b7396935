package ingress

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// ProblemPrefix begins the type of every problem.
const ProblemPrefix = "urn:payonce:problem:"

// requestPrefix begins the instance of every problem; the request id follows.
const requestPrefix = "urn:payonce:request:"

// retryAfter is how long a client is asked to wait before it sends a request again, where nothing else is
// known.
const retryAfter = 5 * time.Second

// problem is a refusal as RFC 9457 writes it. It never holds a value of the request.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Field    string `json:"field,omitempty"`
	Instance string `json:"instance,omitempty"`
	// Errors are all that is wrong with a command, or where it differs from the first one of its order number.
	Errors []pointed `json:"errors,omitempty"`
	// Parameters are all that are wrong, of a search.
	Parameters []search.Problem `json:"parameters,omitempty"`

	after  time.Duration // when to try again, for Retry-After; 0 for the usual pause
	reason string        // for the log only: a caller that is not proven to be the provider does not learn it
}

// The kinds of problems: the last part of their type. They are on the wire and only ever added to.
const (
	kindUnauthorized   = "unauthorized"
	kindForbidden      = "forbidden"
	kindNotFound       = "not_found"
	kindMethod         = "method_not_allowed"
	kindMediaType      = "unsupported_media_type"
	kindTooLarge       = "too_large"
	kindHeaders        = "headers_too_large"
	kindTimeout        = "request_timeout"
	kindMalformed      = "malformed"
	kindInvalid        = "invalid_field"
	kindReused         = "order_reused"
	kindNotAsked       = "clarification_not_asked"
	kindClarified      = "clarification_queued"
	kindProvider       = "provider_failed"
	kindWebhookRefused = "webhook_refused"
	kindWebhookInvalid = "webhook_invalid"
	kindGone           = "client_gone"
	kindInternal       = "internal"
	kindUnavailable    = "unavailable"
	kindRate           = "rate_limited"
	kindOverloaded     = "overloaded"
	kindCertificate    = "certificate_required"
	kindNotReady       = "not_ready"
)

// statusGone marks in the access log a client that did not wait for its answer.
const statusGone = 499

var problems = map[string]struct {
	status int
	title  string
}{
	kindUnauthorized:   {http.StatusUnauthorized, "API key missing or unknown"},
	kindForbidden:      {http.StatusForbidden, "Not allowed"},
	kindNotFound:       {http.StatusNotFound, "Not found"},
	kindMethod:         {http.StatusMethodNotAllowed, "Method not allowed"},
	kindMediaType:      {http.StatusUnsupportedMediaType, "Media type not supported"},
	kindTooLarge:       {http.StatusRequestEntityTooLarge, "Body too large"},
	kindHeaders:        {http.StatusRequestHeaderFieldsTooLarge, "Headers too large"},
	kindTimeout:        {http.StatusRequestTimeout, "Request took too long"},
	kindMalformed:      {http.StatusBadRequest, "Body unreadable"},
	kindInvalid:        {http.StatusUnprocessableEntity, "Invalid field"},
	kindReused:         {http.StatusConflict, "Order number already used"},
	kindNotAsked:       {http.StatusConflict, "Provider is not waiting for an answer"},
	kindClarified:      {http.StatusConflict, "Another answer is in progress"},
	kindProvider:       {http.StatusBadGateway, "Unusable answer from the provider"},
	kindWebhookRefused: {http.StatusUnauthorized, "Webhook refused"},
	kindWebhookInvalid: {http.StatusBadRequest, "Unreadable webhook"},
	kindGone:           {statusGone, "Client gone"},
	kindInternal:       {http.StatusInternalServerError, "Internal error"},
	kindUnavailable:    {http.StatusServiceUnavailable, "Temporarily unavailable"},
	kindRate:           {http.StatusTooManyRequests, "Too many requests"},
	kindOverloaded:     {http.StatusServiceUnavailable, "At capacity"},
	kindCertificate:    {http.StatusForbidden, "Client certificate missing"},
	kindNotReady:       {http.StatusServiceUnavailable, "Not ready"},
}

func newProblem(kind, detail string) *problem {
	known := problems[kind]
	return &problem{Type: ProblemPrefix + kind, Title: known.title, Status: known.status, Detail: detail}
}

func fieldProblem(field, detail string) *problem {
	return invalidFields(payment.FieldErrors{{Field: field, Problem: detail}})
}

// pointed is one thing that is wrong: where, as a JSON pointer (RFC 6901), and what.
type pointed struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// invalidFields is the problem of a document with fields that are not acceptable; there is at least one.
func invalidFields(wrong payment.FieldErrors) *problem {
	p := newProblem(kindInvalid, wrong[0].Problem)
	p.Field = events.ShownField(wrong[0].Field)
	p.Errors = pointedAt(wrong)
	return p
}

func pointedAt(wrong payment.FieldErrors) (all []pointed) {
	for _, one := range wrong {
		all = append(all, pointed{pointer(events.ShownField(one.Field)), one.Problem})
	}
	return all
}

// pointer turns the path of a field that may be shown into a JSON pointer: "account.last_digits[0]" is "/account/last_digits/0".
// Nothing in such a path needs an escape. That of the whole document is "".
func pointer(field string) string {
	if field == "" {
		return ""
	}
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(field)
}

// kind returns the last part of the type.
func (p *problem) kind() string { return strings.TrimPrefix(p.Type, ProblemPrefix) }

func writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	p.Instance = requestPrefix + requestOf(r).id
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		after := cmp.Or(p.after, retryAfter)
		w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second))) // whole seconds, rounded up
	}
	write(w, p.Status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	write(w, status, "application/json", body)
}

// write sends a body that always encodes: our own types, with times that were read from JSON. A client
// that does not take its answer has no one to tell.
func write(w http.ResponseWriter, status int, contentType string, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		panic("ingress: an answer cannot fail to encode: " + err.Error())
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
