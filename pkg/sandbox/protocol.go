package sandbox

import (
	"net/http"
	"time"
)

// Protocol is the wire format of one provider for one account. Methods are safe for concurrent use.
type Protocol interface {
	// Serve answers one request of the merchant. The path of r begins after the account's name, and its
	// body is limited. Whatever it reads or changes goes through the account.
	Serve(account *Account, w http.ResponseWriter, r *http.Request)
	// Reference makes the provider's number of a charge or a movement. serial is unique in the account.
	// It runs inside the ledger and must not call the account.
	Reference(kind ReferenceKind, serial int64, at time.Time) string
	// Callback makes the signed call that reports to the merchant what happened. It is called again for each
	// delivery, so that a repetition carries its own time and nonce.
	Callback(n Notice, at time.Time) (Call, error)
}

// Currencied is a protocol of another currency than the won.
type Currencied interface {
	// Currency is the ISO 4217 code of all amounts of the account.
	Currency() string
}

// Selective is a protocol of a provider that does not report everything.
type Selective interface {
	// Tells reports whether there is a callback for this. It runs inside the ledger and must not call
	// the account.
	Tells(n Notice) bool
}

// DepositRefunder is a protocol of a provider that takes paid deposits back.
type DepositRefunder interface {
	RefundsDeposits() bool
}

// ReferenceKind says what a reference names.
type ReferenceKind int

// The kinds of references.
const (
	DepositReference  ReferenceKind = iota // one accepted deposit
	PayoutReference                        // one accepted payout
	MovementReference                      // one movement of money
)

// Notice is what a callback reports.
type Notice struct {
	Order  string
	Charge Charge // as it was when the notice was made
	State  State  // what is reported: paid, failed or refunded; pending, when Charge.Stage says what to do
	// Movement is the money that moved; its zero value when none did.
	Movement Movement
	// Echo is the ordered amount as the provider repeats it: wrong under the fault wrong-amount.
	Echo int64
	// Received is all money that was paid for the charge until then, refunds not taken off.
	Received int64
}

// Call is one callback on the wire, sent as a POST.
type Call struct {
	Header http.Header
	Body   []byte
	// Acknowledged reports whether the merchant's answer ends the repetitions. It gets at most the first
	// 4 KiB of the answer.
	Acknowledged func(status int, body []byte) bool
}

// Reply is a complete answer to the merchant.
type Reply struct {
	Status      int
	ContentType string
	Body        []byte
}

func (p Reply) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", p.ContentType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(p.Body) // the merchant may be gone; the truth is written already
}

func textReply(status int, text string) Reply {
	return Reply{Status: status, ContentType: "text/plain; charset=utf-8", Body: []byte(text)}
}
