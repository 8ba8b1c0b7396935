// Package diamondpay simulates the gateway of Diamond Pay: deposits in won (v1 and v2) and in New Taiwan
// dollars, payouts, queries, balance and notifications.
//
// Sources: the three deposit pages, docs.ppayasia.com, docs.apayasia.com,
// payment-docs-aay.pages.dev and showdoc.com.cn/fantian for the rest. What the documents leave open is
// decided here and marked "assumption".
package diamondpay

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"payonce/pkg/sandbox"
)

// Settings of one merchant account.
type Settings struct {
	// PlatformID is the merchant's id, at most 7 characters.
	PlatformID string
	// Secret signs both ways, as SignType says; the default is MD5.
	Secret   string
	SignType SignType
	// Token is what queries carry in the header Authorization.
	Token string
	// Currency is KRW or TWD; the default is KRW.
	Currency string
	// LinksOnly answers KRW v1 deposits with links alone, the first answer of their page. Without it they get the
	// second one: payment_info, an amount to transfer that is a few won below the ordered one, and an http link.
	LinksOnly bool
	// ExactAmounts names no other amount than the ordered one. Without it payment_info displays a few won less, and
	// v2 answers with a few won more, as the examples of their pages do.
	ExactAmounts bool
	// CamelCase writes the names in answers of TWD deposits in camelCase, as the example of their page does.
	CamelCase bool
	// Limits of deposits and payouts in minor units; 0 is none.
	MinAmount, MaxAmount int64
	// OldPayouts takes payouts without phone_number and currency, as the older documents do.
	OldPayouts bool
	// PortalURL is the beginning of payment links. The default leads nowhere.
	PortalURL string
}

// Where links lead by default; those of payment_info are not https in the example of its page.
const (
	defaultPortal = "https://portal.sandbox.invalid"
	plainPortal   = "http://portal.sandbox.invalid"
)

// Protocol is the wire format of one account. It is safe for concurrent use.
type Protocol struct {
	settings Settings
}

var (
	_ sandbox.Protocol   = (*Protocol)(nil)
	_ sandbox.Currencied = (*Protocol)(nil)
	_ sandbox.Selective  = (*Protocol)(nil)
)

// New makes the protocol of one account.
func New(s Settings) (*Protocol, error) {
	if s.SignType == "" {
		s.SignType = MD5
	}
	if s.Currency == "" {
		s.Currency = "KRW"
	}
	if s.PortalURL == "" {
		s.PortalURL = defaultPortal
	}
	switch {
	case s.PlatformID == "" || len(s.PlatformID) > 7:
		return nil, errors.New("diamondpay: the platform id must have 1 to 7 characters")
	case s.Secret == "" || s.Token == "":
		return nil, errors.New("diamondpay: the secret and the token are required")
	case s.SignType != MD5 && s.SignType != HMACSHA256:
		return nil, fmt.Errorf("diamondpay: the sign type must be %s or %s", MD5, HMACSHA256)
	case s.Currency != "KRW" && s.Currency != "TWD":
		return nil, errors.New("diamondpay: the currency must be KRW or TWD")
	case s.MinAmount < 0 || s.MaxAmount != 0 && s.MaxAmount < s.MinAmount:
		return nil, errors.New("diamondpay: a limit is negative, or the maximum below the minimum")
	}
	return &Protocol{settings: s}, nil
}

// Currency is the account's.
func (p *Protocol) Currency() string { return p.settings.Currency }

// hundredths is how many of the provider's units are one minor unit: the provider counts in hundredths of
// won and of dollars, ISO 4217 has no hundredths of won.
func (p *Protocol) hundredths() int64 {
	if p.settings.Currency == "KRW" {
		return 100
	}
	return 1
}

// Tells says that the merchant is not notified of a deposit that failed (showdoc.com.cn/fantian: "sent when the
// order succeeds"); payouts are notified on success, cancellation and failure.
func (p *Protocol) Tells(n sandbox.Notice) bool {
	return n.Charge.Operation == sandbox.Payout || n.State == sandbox.Paid
}

// Retry is the documented repetition of notifications, "up to 10 times within one hour"; that the waits
// are equal is an assumption. speed divides the waits.
func Retry(speed float64) sandbox.Retry {
	return sandbox.Retry{First: time.Duration(float64(6*time.Minute) / speed), Factor: 1, Attempts: 11, Max: time.Hour}
}

// request is one request of the merchant.
type request struct {
	account *sandbox.Account
	w       http.ResponseWriter
	r       *http.Request
	fields  fields // of a POST
	action  string
	order   string // for the truth
}

// Serve answers one request.
func (p *Protocol) Serve(account *sandbox.Account, w http.ResponseWriter, r *http.Request) {
	q := &request{account: account, w: w, r: r}
	path, found := strings.CutPrefix(r.URL.Path, "/gateway/api/")
	if !found {
		http.NotFound(w, r)
		return
	}
	create := map[string]func(*request){
		"v1/payments": p.depositV1, "v2/payments": p.depositV2, "v2/payouts": p.createPayout,
	}[path]
	switch r.Method {
	case http.MethodPost:
		if create == nil {
			http.NotFound(w, r)
			return
		}
		q.action = sandbox.ActionCreate
		p.serveCreate(q, create)
	case http.MethodGet:
		p.serveQuery(q, path)
	default:
		q.action = r.Method
		p.refuse(q, refusal{codeMethod, ReasonMethod})
	}
}

// The reasons that the truth gives for refused requests, besides those of package sandbox and
// "field:<name>".
const (
	ReasonMethod        = "bad_method"
	ReasonContentType   = "bad_content_type"
	ReasonBody          = "bad_body"
	ReasonPlatform      = "unknown_platform"
	ReasonSignature     = "bad_signature"
	ReasonNoToken       = "no_token"
	ReasonToken         = "bad_token"
	ReasonService       = "bad_service"
	ReasonLimit         = "limit"
	ReasonUnknownOrders = "not_found"
)

// serveCreate checks what all creates share.
func (p *Protocol) serveCreate(q *request, create func(*request)) {
	if media, _, err := mime.ParseMediaType(q.r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		p.refuse(q, refusal{codeContentType, ReasonContentType})
		return
	}
	body, err := io.ReadAll(q.r.Body)
	if err == nil {
		q.fields, err = decode(body)
	}
	if err != nil {
		p.refuse(q, refusal{codeJSON, ReasonBody})
		return
	}
	q.order = q.fields.text("payment_cl_id") + q.fields.text("payout_cl_id") // a request has one of them
	switch {
	case q.fields.text("platform_id") != p.settings.PlatformID:
		p.refuse(q, refusal{codeParameters, ReasonPlatform})
	case !verify(p.settings.SignType, p.settings.Secret, q.fields):
		p.refuse(q, refusal{codeSignature, ReasonSignature})
	default:
		create(q)
	}
}

// Reference makes numbers like the documents' PM00000102 and POT00000001.
func (p *Protocol) Reference(kind sandbox.ReferenceKind, serial int64, _ time.Time) string {
	switch kind {
	case sandbox.DepositReference:
		return fmt.Sprintf("PM%08d", serial)
	case sandbox.PayoutReference:
		return fmt.Sprintf("POT%08d", serial)
	default:
		return fmt.Sprintf("MOVE%08d", serial) // the provider has no number for it
	}
}
