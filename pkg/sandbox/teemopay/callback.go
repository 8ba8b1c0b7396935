package teemopay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"payonce/pkg/sandbox"
)

// depositCallback is the body that reports one payment (docs.teemopay.com korea/payin/callback).
type depositCallback struct {
	MerchantOrderNo string  `json:"merchantOrderNo"`
	TradeNo         string  `json:"tradeNo"`
	PaymentOrderNo  string  `json:"paymentOrderNo"`
	Status          int     `json:"status"`
	PaymentAmount   string  `json:"paymentAmount"`
	ServiceAmount   string  `json:"serviceAmount"`
	PaymentInfo     string  `json:"paymentInfo"`
	PaymentType     int     `json:"paymentType"`
	CompleteTime    *string `json:"completeTime"`
	ErrorMessage    *string `json:"errorMessage"`
	Sign            string  `json:"sign,omitempty"`
}

// payoutCallback is the body that reports a payout (docs.teemopay.com korea/payout/callback). On
// failure both amounts are null.
type payoutCallback struct {
	MerchantOrderNo string  `json:"merchantOrderNo"`
	TradeNo         string  `json:"tradeNo"`
	Amount          *string `json:"amount"`
	ServiceAmount   *string `json:"serviceAmount"`
	Status          int     `json:"status"`
	ErrorCode       *int    `json:"errorCode"`
	ErrorMessage    *string `json:"errorMessage"`
	CompleteTime    *string `json:"completeTime"`
	Sign            string  `json:"sign,omitempty"`
}

// Callback makes one delivery, with its own nonce, time and signature.
func (p *Protocol) Callback(n sandbox.Notice, at time.Time) (sandbox.Call, error) {
	nonce := randomHex()
	var body []byte
	var err error
	if n.Charge.Operation == sandbox.Deposit {
		content := p.tellDeposit(n)
		if content.Sign, err = p.signBody(content, nonce); err == nil {
			body, err = json.Marshal(content)
		}
	} else {
		content := tellPayout(n)
		if content.Sign, err = p.signBody(content, nonce); err == nil {
			body, err = json.Marshal(content)
		}
	}
	if err != nil {
		return sandbox.Call{}, fmt.Errorf("teemopay: callback of order %s: %w", n.Order, err)
	}
	header := http.Header{
		"Content-Type": {"application/json"}, "Country": {"KR"}, "Nonce": {nonce},
		"Timestamp": {strconv.FormatInt(at.UnixMilli(), 10)},
		// Not app_code, as in requests. Written as documented; HTTP does not care about case.
		"appCode": {p.settings.AppCode},
	}
	return sandbox.Call{Header: header, Body: body, Acknowledged: acknowledged}, nil
}

// acknowledged is HTTP 200 with exactly SUCCESS in upper case.
func acknowledged(status int, body []byte) bool {
	return status == http.StatusOK && string(body) == "SUCCESS"
}

func (p *Protocol) signBody(content any, nonce string) (string, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	f, err := decodeFields(body)
	if err != nil {
		return "", err
	}
	return sign(p.settings.PlatformKey, f, nonce)
}

func (p *Protocol) tellDeposit(n sandbox.Notice) depositCallback {
	content := depositCallback{
		MerchantOrderNo: n.Order, TradeNo: n.Charge.Reference, PaymentOrderNo: n.Movement.Reference, Status: statuses[n.State],
		PaymentAmount: won(n.Movement.Amount), ServiceAmount: "0.00", PaymentInfo: p.paymentInfo(n.Charge),
		PaymentType: number(n.Charge.Method), CompleteTime: local(n.Charge.CompletedAt),
	}
	if n.State == sandbox.Failed {
		message := failures[n.Charge.Failure].message
		content.ErrorMessage = &message
		// No payment, but the field is required: the charge's own serial is no other payment's number.
		content.PaymentOrderNo = p.Reference(sandbox.MovementReference, n.Charge.Serial, n.Charge.At)
	} else {
		content.ServiceAmount = fee(n.Movement.Amount)
	}
	return content
}

func tellPayout(n sandbox.Notice) payoutCallback {
	content := payoutCallback{
		MerchantOrderNo: n.Order, TradeNo: n.Charge.Reference, Status: statuses[n.State], CompleteTime: local(n.Charge.CompletedAt),
	}
	content.ErrorCode, content.ErrorMessage = payoutError(n.State, n.Charge.Failure)
	if n.State != sandbox.Failed {
		amount, service := won(n.Echo), fee(n.Charge.Amount)
		content.Amount, content.ServiceAmount = &amount, &service
	}
	return content
}
