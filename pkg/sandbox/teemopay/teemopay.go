// Package teemopay simulates TeemoPay's API for Korea: deposits (payin), payouts, balance and bills.
//
// Sources: the pay-in page (create payin), and docs.teemopay.com korea/{payin,payout,inquire} and guides. What
// the documents leave open is decided here and marked "assumption".
package teemopay

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"payonce/pkg/sandbox"
)

// Settings of one account.
type Settings struct {
	AppCode string
	// MerchantKey verifies requests; PlatformKey signs callbacks.
	MerchantKey *rsa.PublicKey
	PlatformKey *rsa.PrivateKey
	// RefusalCode answers a bad signature, timestamp or nonce. The provider does not publish it; the
	// default 414 is an assumption.
	RefusalCode int
	// CashierURL is the beginning of payment links (paymentType 802 to 804). The default leads nowhere.
	CashierURL string
	// RequireHolderNumber makes accountHolderNumber required for deposits, as the newer documents say;
	// the pay-in page does not know the field.
	RequireHolderNumber bool
}

// Protocol is TeemoPay's wire format for one account. It is safe for concurrent use.
type Protocol struct {
	settings Settings
	nonces   *nonces
}

var _ sandbox.Protocol = (*Protocol)(nil)

// New makes the protocol of one account.
func New(s Settings) (*Protocol, error) {
	if s.AppCode == "" || len(s.AppCode) > 32 {
		return nil, errors.New("teemopay: the app code must have 1 to 32 characters")
	}
	if s.MerchantKey == nil || s.PlatformKey == nil {
		return nil, errors.New("teemopay: both keys are required")
	}
	if s.RefusalCode == 0 {
		s.RefusalCode = codeParameter
	}
	if s.CashierURL == "" {
		s.CashierURL = "https://cashier.sandbox.invalid/pay/"
	}
	return &Protocol{settings: s, nonces: newNonces(maxNonces)}, nil
}

// request is a request whose headers and signature are right.
type request struct {
	account *sandbox.Account
	w       http.ResponseWriter
	r       *http.Request
	fields  fields
	action  string
}

// endpoint answers one path.
type endpoint struct {
	action string
	serve  func(p *Protocol, q *request)
}

var endpoints = map[string]endpoint{
	"/api/pay/payment/create/v1":     {sandbox.ActionCreate, (*Protocol).createDeposit},
	"/api/pay/payment/query/v1":      {sandbox.ActionQuery, (*Protocol).queryDeposit},
	"/api/pay/payout/create/v1":      {sandbox.ActionCreate, (*Protocol).createPayout},
	"/api/pay/payout/query/v1":       {sandbox.ActionQuery, (*Protocol).queryPayout},
	"/api/pay/merchant/balance":      {"balance", (*Protocol).balance},
	"/api/pay/transaction/queryList": {"statement", (*Protocol).statement},
}

// Serve answers one request.
func (p *Protocol) Serve(account *sandbox.Account, w http.ResponseWriter, r *http.Request) {
	end, known := endpoints[r.URL.Path]
	if !known {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "all requests are POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		account.Refused("", end.action, ReasonBody, http.StatusRequestEntityTooLarge)
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	q := &request{account: account, w: w, r: r, action: end.action}
	q.fields, err = decodeFields(body)
	if err != nil {
		q.refuse(refusal{codeParameter, "parameter error: body", ReasonBody})
		return
	}
	if no := p.authenticate(r.Header, q.fields, account.Now()); no != nil {
		q.refuse(*no)
		return
	}
	end.serve(p, q)
}

// The reasons that the truth gives for refused requests, besides those of package sandbox and
// "field:<name>".
const (
	ReasonBody        = "bad_body"
	ReasonContentType = "bad_content_type"
	ReasonApp         = "unknown_app"
	ReasonCountry     = "wrong_country"
	ReasonNonce       = "bad_nonce"
	ReasonNonceReused = "nonce_reused"
	ReasonTimestamp   = "bad_timestamp"
	ReasonStale       = "stale_timestamp"
	ReasonSignature   = "bad_signature"
)

// maxSkew is how far the timestamp may be off (docs.teemopay.com guides).
const maxSkew = 30 * time.Second

// authenticate checks the headers and the signature. A nonce counts as used only when the signature is
// right, so that no other client can use a merchant's nonces up (assumption).
func (p *Protocol) authenticate(h http.Header, f fields, now time.Time) *refusal {
	refuse := func(what, reason string) *refusal { return &refusal{p.settings.RefusalCode, what, reason} }
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || media != "application/json" {
		return refuse("Content-Type must be application/json", ReasonContentType)
	}
	if h.Get("app_code") != p.settings.AppCode {
		return &refusal{codeApplication, "Application not found", ReasonApp}
	}
	if h.Get("country") != "KR" {
		return refuse("country error", ReasonCountry)
	}
	nonce := h.Get("nonce")
	if len(nonce) != 32 {
		return refuse("nonce must have 32 characters", ReasonNonce)
	}
	millis, err := strconv.ParseInt(h.Get("timestamp"), 10, 64)
	if err != nil || len(h.Get("timestamp")) != 13 {
		return refuse("timestamp must be milliseconds", ReasonTimestamp)
	}
	if now.Sub(time.UnixMilli(millis)).Abs() > maxSkew {
		return refuse("timestamp expired", ReasonStale)
	}
	if !verify(p.settings.MerchantKey, f, nonce) {
		return refuse("sign verification failed", ReasonSignature)
	}
	if !p.nonces.use(nonce, now) {
		return refuse("nonce repeated", ReasonNonceReused)
	}
	return nil
}

// Korea has one time zone and no summer time (docs.teemopay.com guides/timezone).
var korea = time.FixedZone("KST", 9*60*60)

// Reference makes numbers like the documents' TS2405220001KR0000430564883184: deposits TS, payouts TF,
// single payments TSO.
func (p *Protocol) Reference(kind sandbox.ReferenceKind, serial int64, at time.Time) string {
	day := at.In(korea).Format("060102")
	switch kind {
	case sandbox.DepositReference:
		return fmt.Sprintf("TS%s0001KR%016d", day, serial)
	case sandbox.PayoutReference:
		return fmt.Sprintf("TF%s0001KR%016d", day, serial)
	default:
		return fmt.Sprintf("TSO%s0001KR%015d", day, serial)
	}
}
