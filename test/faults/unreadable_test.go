package faults

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/pkg/secret"
	"payonce/test/testenv"
)

// signedAgain changes the body of a true callback and signs it with the provider's own key.
func (p *postOffice) signedAgain(call sandbox.Call, edit func(fields map[string]any)) sandbox.Call {
	p.t.Helper()
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(call.Body))
	decoder.UseNumber()
	p.Must(decoder.Decode(&fields))
	name, sign := "signature", func(body []byte) (string, error) { return ecommpay.Sign(secret.New(p.Keys.SharedSecret()), body) }
	switch p.provider {
	case testenv.TeemoPay:
		name, sign = "sign", func(body []byte) (string, error) {
			return teemopay.Sign(p.Keys.PlatformKey(), body, call.Header.Get("nonce"))
		}
	case unpaid:
		name, sign = "sign", func(body []byte) (string, error) {
			return diamondpay.Sign(diamondpay.HMACSHA256, p.Keys.SharedSecret(), body)
		}
	}
	delete(fields, name)
	edit(fields)
	body, err := json.Marshal(fields)
	p.Must(err)
	if fields[name], err = sign(body); err != nil {
		p.t.Fatal(err)
	}
	if call.Body, err = json.Marshal(fields); err != nil {
		p.t.Fatal(err)
	}
	return call
}

// A signed callback whose amount cannot be read, or that says "partially paid", is no outcome, and it leaves a
// trace: an annotation, a look-up at once, and a person who is alerted when the look-up does not end the payment.
func TestUnreadableCallbacksLeaveATrace(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Unhurried()
	s.worker()
	ctx := within(t, 2*timeout)
	amount := func(fields map[string]any) { fields["paymentAmount"] = "10,000.00" }
	status := func(fields map[string]any) { fields["payment"].(map[string]any)["status"] = "partially paid" }
	for name, c := range map[string]struct {
		provider string
		op       payment.Operation
		paid     bool // in the provider's own records
		edit     func(fields map[string]any)
	}{
		"unreadable-amount-unpaid":   {unpaid, payment.Deposit, false, func(fields map[string]any) { fields["real_amount"] = json.Number("999996") }},
		"unreadable-amount-paid":     {testenv.TeemoPay, payment.Deposit, true, amount},
		"partially-paid-unconfirmed": {testenv.ECommPay, payment.Deposit, false, status},
		"partially-paid-paid":        {testenv.ECommPay, payment.Payout, true, status}, // the sandbox pays it by itself
	} {
		t.Run(name, func(t *testing.T) {
			p := s.office(t, c.provider)
			o := p.quiet(name, c.op)
			p.pending(ctx, o)
			if c.paid && c.op == payment.Deposit {
				s.Must(p.Sandbox.Pay(o.ref.Provider, o.ref.Order, 0))
			}
			if c.paid {
				_, err := p.Sandbox.WaitFor(ctx, o.ref.Provider, o.ref.Order, sandbox.Moved(1))
				s.Must(err)
			}
			call, err := p.protocol.Callback(p.notice(o, sandbox.Paid), time.Now())
			s.Must(err)
			s.Must(p.deliver(p.signedAgain(call, c.edit)))
			p.Until(ctx, o.ref, "explained or told of", func(now payment.Payment) bool { return now.Status == settled || !now.OverdueAt.IsZero() })
			now, _, err := s.Log.Last(ctx, o.ref)
			s.Must(err)
			if len(now.Annotations) == 0 || now.Annotations[0].Source != payment.FromWebhook || now.Annotations[0].Reason == nil {
				t.Errorf("annotations: %+v", now.Annotations)
			}
			if c.paid {
				if now.Status != settled {
					t.Errorf("%s: %+v", now.Status, now.Reason)
				}
				return
			}
			if now.Status != pending || now.Reason == nil || now.Reason.Code != payment.ReasonUnexplained {
				t.Errorf("%s: %+v", now.Status, now.Reason)
			}
			p.alarmed(ctx, o, "reason=unexplained_evidence")
		})
	}
}
