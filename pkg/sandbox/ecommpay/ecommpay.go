// Package ecommpay simulates ECommPay's method Banks of Korea: purchases through Gate with and without
// redirection and through Payment Page, payouts, clarification, status queries and bank lists.
//
// Sources: the Korean banks page (the method), and developers.ecommpay.com for what all methods share: signatures,
// Gate, callbacks, status queries, codes. What the documents leave open is decided here and marked
// "assumption".
package ecommpay

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"payonce/pkg/sandbox"
)

// Settings of one project.
type Settings struct {
	ProjectID int64
	// Secret signs both ways.
	Secret string
	// Redirect: purchases redirect the customer to the bank. Otherwise the merchant shows instructions.
	Redirect bool
	// SignGeneral puts the signature of callbacks into general.signature, instead of the root.
	SignGeneral bool
	// Limits in won. Purchases: the defaults are 10,000 and 30,000,000 (Korean banks page). Payouts: 0 is none,
	// because the Korean banks page says to ask the account manager.
	MinDeposit, MaxDeposit int64
	MinPayout, MaxPayout   int64
	// RefuseLimits refuses amounts outside the limits at once, with 3358 or 2642. Otherwise they are
	// accepted and declined by callback, as on the Korean banks page.
	RefuseLimits bool
	// Banks adds to the banks of the Korean banks page.
	Banks []Bank
	// Timeout is how many seconds the customer has to follow the instructions; the default is 60.
	Timeout int
	// BankURL is where customers are redirected to. The default leads nowhere.
	BankURL string
}

const (
	defaultMinDeposit = 10_000
	defaultMaxDeposit = 30_000_000
	defaultTimeout    = 60
	defaultBankURL    = "https://bank.sandbox.invalid/"
)

// Protocol is the wire format of one project. It is safe for concurrent use.
type Protocol struct {
	settings Settings
	banks    []Bank
}

var (
	_ sandbox.Protocol        = (*Protocol)(nil)
	_ sandbox.DepositRefunder = (*Protocol)(nil)
)

// New makes the protocol of one project.
func New(s Settings) (*Protocol, error) {
	if s.MinDeposit == 0 {
		s.MinDeposit = defaultMinDeposit
	}
	if s.MaxDeposit == 0 {
		s.MaxDeposit = defaultMaxDeposit
	}
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.BankURL == "" {
		s.BankURL = defaultBankURL
	}
	switch {
	case s.ProjectID <= 0:
		return nil, errors.New("ecommpay: the project id must be positive")
	case s.Secret == "":
		return nil, errors.New("ecommpay: the secret is required")
	case s.MinDeposit < 0 || s.MinPayout < 0 || s.MaxDeposit < s.MinDeposit || s.MaxPayout != 0 && s.MaxPayout < s.MinPayout:
		return nil, errors.New("ecommpay: a limit is negative, or a maximum below its minimum")
	case s.Timeout < 0:
		return nil, errors.New("ecommpay: the timeout must be positive")
	}
	return &Protocol{settings: s, banks: append(append([]Bank(nil), documentedBanks...), s.Banks...)}, nil
}

// Hours are the provider's working hours: Monday to Friday, 08:00 to 23:59, GMT+9 (Korean banks page). That 23:59
// itself is closed is an assumption.
func Hours() sandbox.Hours {
	return sandbox.Hours{
		Zone: korea, From: 8 * time.Hour, To: 23*time.Hour + 59*time.Minute,
		Days: []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday},
	}
}

// Korea has one time zone and no summer time.
var korea = time.FixedZone("GMT+9", 9*60*60)

// RefundsDeposits says that purchases can be refunded. The Korean banks page does not mark refunds as supported; the
// platform knows them, and chargebacks come the same way (assumption).
func (p *Protocol) RefundsDeposits() bool { return true }

// request is a request whose signature is right.
type request struct {
	account *sandbox.Account
	w       http.ResponseWriter
	r       *http.Request
	body    object
	action  string
}

// endpoint answers one path.
type endpoint struct {
	action string
	serve  func(p *Protocol, q *request)
}

var endpoints = map[string]endpoint{
	"/v2/payment/banks/korea/sale":     {sandbox.ActionCreate, (*Protocol).sale},
	"/v2/payment/banks/korea/payout":   {sandbox.ActionCreate, (*Protocol).payout},
	"/v2/payment/clarification":        {sandbox.ActionClarify, (*Protocol).clarification},
	"/v2/payment/status":               {sandbox.ActionQuery, (*Protocol).status},
	"/v2/payment/status/request":       {sandbox.ActionQuery, (*Protocol).statusOfRequest},
	"/v2/info/banks/korea/sale/list":   {"banks", (*Protocol).bankList},
	"/v2/info/banks/korea/payout/list": {"banks", (*Protocol).bankList},
}

// Serve answers one request of the merchant, or a visit of the customer to Payment Page.
func (p *Protocol) Serve(account *sandbox.Account, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/payment" && r.Method == http.MethodGet {
		p.paymentPage(account, w, r)
		return
	}
	end, known := endpoints[r.URL.Path]
	if !known {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Gate requests are POST", http.StatusMethodNotAllowed)
		return
	}
	q := &request{account: account, w: w, r: r, action: end.action}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		q.body, err = decode(body)
	}
	if err != nil {
		q.refuse(p, refusal{code: codeJSON, reason: ReasonBody})
		return
	}
	if no := p.authenticate(q.body); no != nil {
		q.refuse(p, *no)
		return
	}
	end.serve(p, q)
}

// The reasons that the truth gives for refused requests, besides those of package sandbox and
// "field:<path>".
const (
	ReasonBody        = "bad_body"
	ReasonProject     = "unknown_project"
	ReasonNoSignature = "no_signature"
	ReasonSignature   = "bad_signature"
)

// authenticate checks the project and the signature. The project comes first, because the secret belongs
// to it (assumption).
func (p *Protocol) authenticate(body object) *refusal {
	project := text(dig(body, "general", "project_id"))
	if project == "" {
		project = text(body["project_id"]) // status/request has it in the root
	}
	switch {
	case project != strconv.FormatInt(p.settings.ProjectID, 10):
		return &refusal{code: codeProject, reason: ReasonProject}
	case signatureOf(body) == "":
		return &refusal{code: codeNoSignature, reason: ReasonNoSignature}
	case !verify(p.settings.Secret, body):
		return &refusal{code: codeSignature, reason: ReasonSignature}
	}
	return nil
}

// Reference makes numbers like the documents'. A charge is named by its request_id
// (f5e71b1b5b243722c576bc45634787d85ad416ef87c1e-00000001), a movement by the bank's number
// (1571306102456624).
func (p *Protocol) Reference(kind sandbox.ReferenceKind, serial int64, at time.Time) string {
	if kind == sandbox.MovementReference {
		return fmt.Sprintf("%d%06d", at.Unix(), serial%1_000_000)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d/%d", p.settings.ProjectID, serial, at.UnixNano()))
	return fmt.Sprintf("%s-%08d", hex.EncodeToString(sum[:])[:45], serial)
}

// operationID is the number of an operation, like 1737000008461.
func operationID(serial int64) int64 { return 1_737_000_000_000 + serial }
