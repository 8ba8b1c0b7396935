package diamondpay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"payonce/pkg/sandbox"
)

// depositNotice reports that a deposit was paid (showdoc.com.cn/fantian, notification). Credit real_amount.
type depositNotice struct {
	PaymentID  string   `json:"payment_id"`
	Order      string   `json:"payment_cl_id"`
	PlatformID string   `json:"platform_id"`
	Name       string   `json:"payment_cl_name,omitempty"`
	Amount     int64    `json:"amount"`
	RealAmount int64    `json:"real_amount"`
	Fee        int64    `json:"fee"`
	Status     int      `json:"status"`
	CreateTime int64    `json:"create_time"`
	UpdateTime int64    `json:"update_time"`
	SignType   SignType `json:"sign_type,omitempty"`
	Sign       string   `json:"sign,omitempty"`
}

// payoutNotice reports how a payout ended.
type payoutNotice struct {
	PayoutID   string   `json:"payout_id"`
	Order      string   `json:"payout_cl_id"`
	PlatformID string   `json:"platform_id"`
	Amount     int64    `json:"amount"`
	RealAmount int64    `json:"real_amount"`
	Fee        int64    `json:"fee"`
	Status     int      `json:"status"`
	ErrorMsg   string   `json:"error_msg,omitempty"`
	CreateTime int64    `json:"create_time"`
	UpdateTime int64    `json:"update_time"`
	SignType   SignType `json:"sign_type,omitempty"`
	Sign       string   `json:"sign,omitempty"`
}

// Callback makes one delivery. It is the same each time.
func (p *Protocol) Callback(n sandbox.Notice, _ time.Time) (sandbox.Call, error) {
	var body []byte
	var err error
	if n.Charge.Operation == sandbox.Deposit {
		notice := p.tellDeposit(n)
		notice.Sign, err = p.signAnswer(notice)
		body = encode(notice)
	} else {
		notice := p.tellPayout(n)
		notice.Sign, err = p.signAnswer(notice)
		body = encode(notice)
	}
	if err != nil {
		return sandbox.Call{}, fmt.Errorf("diamondpay: notification of order %s: %w", n.Order, err)
	}
	header := http.Header{"Content-Type": {"application/json;charset=utf-8"}}
	return sandbox.Call{Header: header, Body: body, Acknowledged: acknowledged}, nil
}

// acknowledged is HTTP 200 with JSON whose error_code is "0000".
func acknowledged(status int, body []byte) bool {
	var answer struct {
		Code string `json:"error_code"`
	}
	return status == http.StatusOK && json.Unmarshal(body, &answer) == nil && answer.Code == codeOK
}

func (p *Protocol) signAnswer(value any) (string, error) {
	f, err := decode(encode(value))
	if err != nil {
		return "", err
	}
	return sign(p.settings.SignType, p.settings.Secret, f), nil
}

// namedSignType is what is in sign_type: nothing for MD5.
func (p *Protocol) namedSignType() SignType {
	if p.settings.SignType == MD5 {
		return ""
	}
	return p.settings.SignType
}

func (p *Protocol) tellDeposit(n sandbox.Notice) depositNotice {
	return depositNotice{
		PaymentID: n.Charge.Reference, Order: n.Order, PlatformID: p.settings.PlatformID, Name: n.Charge.Details[detailName],
		Amount: p.units(n.Echo), RealAmount: p.units(n.Received), Fee: fee(p.units(n.Received)), Status: depositStatuses[n.State],
		CreateTime: n.Charge.At.Unix(), UpdateTime: n.Charge.CompletedAt.Unix(), SignType: p.namedSignType(),
	}
}

func (p *Protocol) tellPayout(n sandbox.Notice) payoutNotice {
	return payoutNotice{
		PayoutID: n.Charge.Reference, Order: n.Order, PlatformID: p.settings.PlatformID,
		Amount: p.units(n.Echo), RealAmount: p.units(n.Movement.Amount), Status: payoutStatuses[n.State],
		ErrorMsg:   payoutError(n.State, n.Charge.Failure),
		CreateTime: n.Charge.At.Unix(), UpdateTime: n.Charge.CompletedAt.Unix(), SignType: p.namedSignType(),
	}
}

// fee is 0.8 %, as in the documents' example: 3200 of 400000. Payouts cost nothing there.
func fee(units int64) int64 { return units * 8 / 1000 }

// The states by number (showdoc.com.cn/fantian, order states). That a payout that comes back becomes
// failed is an assumption: the documents know no state for it.
var (
	depositStatuses = map[sandbox.State]int{sandbox.Pending: 1, sandbox.Paid: 2, sandbox.Failed: 4}
	payoutStatuses  = map[sandbox.State]int{sandbox.Pending: 2, sandbox.Paid: 3, sandbox.Failed: 5, sandbox.Refunded: 5}
)

// payoutError is the reason of a payout that did not stay paid; the words are an assumption.
func payoutError(state sandbox.State, failure sandbox.Failure) string {
	switch {
	case state == sandbox.Refunded:
		return "Returned by the recipient's bank"
	case state != sandbox.Failed:
		return ""
	case failure == sandbox.ChannelError:
		return "The channel failed"
	default:
		return "The account does not exist or is restricted"
	}
}
