package connectortest

import (
	"io/fs"
	"net/http"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// Harness describes one variant of a connector (an operation with one method) and how its provider
// speaks. Everything in it comes from the provider's documents, never from the connector's own code:
// what is encoded and signed here must be written a second time, or taken from a published vector.
type Harness struct {
	// New returns a fresh connector of the account Command.Provider towards baseURL, which is http or
	// https on a loopback address. client comes from httpcall.NewClient and trusts the provider that the
	// suite plays; now is the only clock.
	New func(t testing.TB, baseURL string, client *http.Client, now func() time.Time) connectors.Connector
	// Now is where the clock begins.
	Now time.Time
	// Command is the command of Submit.Example. The suite changes its order and amount.
	Command payment.Command
	// Traits are what the documents promise, for the whole connector, without the Account.
	Traits  connectors.Traits
	Amounts Amounts
	Submit  Submit
	Lookup  Lookup
	// Webhooks makes the provider's calls.
	Webhooks Webhooks
	// Secrets are texts that must never be seen: keys, tokens, and the forms they take inside.
	Secrets []string
	// Sources holds the connector's own files; nil takes the folder in which the test runs.
	Sources fs.FS
	// Absent says why a part of the harness is left out, by the part's name, e.g. "Submit.Code": the
	// page that says so, or that no page mentions it. See [Run] for the names.
	Absent map[string]string
}

// Amounts are the documented limits of one payment. A zero limit says that the documents give none.
type Amounts struct {
	Min, Max payment.Money
	// Refused are amounts that Check must refuse, e.g. cents where the provider takes whole dollars.
	Refused []payment.Money
}

// Submit is how the provider takes a create request.
type Submit struct {
	// Silent says that Submit makes no request: the payment begins when the customer opens the page of
	// the redirect. The redirect is then judged like a request, and everything below Action is left out.
	Silent  bool
	Example Example
	// OrderField and AmountField are the names of fields of the request, see [Received.Fields].
	OrderField, AmountField string
	// Amount writes an amount as AmountField holds it.
	Amount func(payment.Money) string
	// Unique are fields or headers that no two requests may share, e.g. a nonce.
	Unique []string
	// Verify judges as the provider does whether a request, a query too, is signed, and whether it
	// carries the time now where it carries one.
	Verify func(r Received, now time.Time) error
	// Action is what the customer must do after Accepted; empty when there is nothing.
	Action payment.ActionType
	// Accepted is the answer that takes a payment, with the echoes that the documents show. Kind is what it
	// says: empty is payment.Accepted.
	Accepted func(order string, amount payment.Money) Reply
	Kind     payment.Kind
	// Code is an answer with this code of an error; Codes are all documented ones. At least one code or
	// status is a decline.
	Code         func(order string, amount payment.Money, code string) Reply
	Codes        []Meaning
	UnknownCodes []string
	// Status is the answer of Accepted with this status in it.
	Status          func(order string, amount payment.Money, status string) Reply
	Statuses        []Meaning
	UnknownStatuses []string
	// Duplicate refuses an order number that the provider has.
	Duplicate func(order string, amount payment.Money) Reply
	// Refusal is a documented decline with a free text of the provider.
	Refusal func(order string, amount payment.Money, text string) Reply
	// HTTP holds the HTTP statuses that are documented whatever the body is. All others but 200 are in
	// doubt, whatever the body is, unless Code sends that status itself.
	HTTP map[int]Meaning
}

// Example is a request as the provider's documents show it.
type Example struct {
	Method string
	Target string // path and query
	// Header has the names as they are spelled on the wire. The value "*" stands for any. Host,
	// User-Agent and Content-Length come on top of them, and nothing else.
	Header map[string]string
	Body   string // JSON, or a form
	// Fresh are fields that differ from the example each time: a signature, a time.
	Fresh []string
}

// Lookup is how the provider answers about an order.
type Lookup struct {
	// Queries are all requests that a lookup may make, e.g. "GET /payments/{order}", without the query.
	Queries []string
	// Status is an answer about an order with this status. amount is everything that the answer knows:
	// ordered and paid.
	Status          func(order string, amount payment.Money, status string) Reply
	Statuses        []Meaning
	UnknownStatuses []string
	// Unknown are the documented ways to say that the provider does not know the order.
	Unknown []func(order string) Reply
	// Errors are documented answers that say nothing about the order.
	Errors []Reply
}

// Meaning is what a code or a status means.
type Meaning struct {
	Text string // as the provider writes it
	// Kind of the observation; empty when it is an error of Class.
	Kind  payment.Kind
	Class connectors.Class
	// Reason is one of the payment.Reason… constants; empty is not compared.
	Reason string
	Known  bool
}

// Reply is an HTTP answer of the provider.
type Reply struct {
	Status int // 0 is 200
	Header map[string]string
	Body   string
}

// Webhooks makes calls of the provider.
type Webhooks struct {
	// Make returns a signed call. Each field in it has a value, and it is written without tabs,
	// carriage returns, exponents and \u escapes, which one bit turns into another spelling of the same
	// document.
	Make            func(t testing.TB, e Event) Call
	Statuses        []Meaning
	UnknownStatuses []string
	// SignatureHeader or SignatureField (a name in the body) says where the signature is.
	SignatureHeader, SignatureField string
	// SignedHeaders are further headers that the signature covers.
	SignedHeaders []string
	// SignsValues says that the signature covers the values and not the bytes of the body, so that
	// blanks between them are free.
	SignsValues bool
	// Tolerance is how far a call's time may be from ours; 0 when calls of any age are taken.
	Tolerance time.Duration
	// Answer is what the documents ask for.
	Answer connectors.Answer
}

// Event is what a call is about.
type Event struct {
	Order  string
	Amount payment.Money
	Status string // as the provider writes it
	Key    Key
	At     time.Time
}

// Key says with which of the provider's keys a call is signed.
type Key int

// The keys.
const (
	CurrentKey Key = iota
	RotatedKey     // also configured: the one before, or the one to come
	ForeignKey     // not configured
)

// Call is a webhook as it is received.
type Call struct {
	Header http.Header
	Body   []byte
}
