package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"payonce/internal/trial"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// variant is one way of paying at one provider.
type variant struct {
	account string
	method  string // empty takes the provider's default
	op      payment.Operation
	amount  payment.Money
}

// variants are all ways of paying that the providers' documents describe.
func variants() []variant {
	krw, twd := payment.KRW(10_000), payment.TWD(48_389)
	return []variant{
		{trial.TeemoPay, "va", payment.Deposit, krw},
		{trial.TeemoPay, "kyc_va", payment.Deposit, krw},
		{trial.TeemoPay, "kakaopay", payment.Deposit, krw},
		{trial.TeemoPay, "tosspay", payment.Deposit, krw},
		{trial.TeemoPay, "bank_transfer", payment.Payout, krw},
		{trial.TeemoPay, "bank_transfer_kyc", payment.Payout, krw},
		{trial.ECommPay, "page_direct", payment.Deposit, krw},
		{trial.ECommPay, "gate", payment.Deposit, krw},
		{trial.ECommPayRedirect, "page", payment.Deposit, krw},
		{trial.ECommPayRedirect, "gate_redirect", payment.Deposit, krw},
		{trial.ECommPay, "", payment.Payout, krw},
		{trial.DiamondPayV1, "atm", payment.Deposit, krw},
		{trial.DiamondPayInfo, "atm", payment.Deposit, krw},
		{trial.DiamondPayV2, "card", payment.Deposit, krw},
		{trial.DiamondPayV2, "direct", payment.Deposit, krw},
		{trial.DiamondPayV2, "qr", payment.Deposit, krw},
		{trial.DiamondPayV2, "", payment.Payout, krw},
		{trial.DiamondPayTWD, "atm", payment.Deposit, twd},
	}
}

func everyVariant(ctx context.Context, t *teller) error {
	for i, v := range variants() {
		if err := t.playVariant(ctx, v, payment.Ref{Provider: v.account, Order: fmt.Sprintf("V-%d", i+1)}); err != nil {
			return fmt.Errorf("%s %s %s: %w", v.account, v.op, v.method, err)
		}
	}
	return nil
}

func (t *teller) playVariant(ctx context.Context, v variant, ref payment.Ref) error {
	t.say("%s, %s %s of %s", v.account, v.op, v.method, v.amount)
	if _, err := t.post(ctx, "/v1/"+string(v.op)+"s", v.command(ref), http.StatusAccepted); err != nil {
		return err
	}
	if v.op == payment.Deposit {
		if err := t.customerPays(ctx, ref); err != nil {
			return err
		}
	}
	return t.expect(ctx, ref, payment.Settled)
}

// customerPays does what the action of the payment says.
func (t *teller) customerPays(ctx context.Context, ref payment.Ref) error {
	p, err := t.stack.get(ctx, ref)
	if err != nil {
		return err
	}
	switch {
	case p.Action == nil:
		return fmt.Errorf("%s is %s and has no action", ref, p.Status)
	case p.Action.Transfer != nil:
		t.say("  transfer to account %s", p.Action.Transfer.AccountNumber)
	default:
		t.say("  open %s", shorten(p.Action.Redirect.URL))
		if err := t.visit(ctx, ref, p.Action.Redirect); err != nil {
			return err
		}
	}
	if _, err := t.stack.sandbox.WaitFor(ctx, ref.Provider, ref.Order, sandbox.ChargedTimes(1)); err != nil {
		return err
	}
	return t.stack.sandbox.Pay(ref.Provider, ref.Order, 0)
}

// visit opens a Payment Page: only with it the provider hears of the payment. Other links lead to pages
// that the sandbox does not have.
func (t *teller) visit(ctx context.Context, ref payment.Ref, to *payment.Redirect) error {
	if ref.Provider != trial.ECommPay && ref.Provider != trial.ECommPayRedirect || to.Method != http.MethodGet {
		return nil
	}
	reply, err := t.stack.sandbox.Visit(ctx, ref.Provider, to.URL)
	if err == nil && reply.Status >= http.StatusBadRequest {
		err = fmt.Errorf("the payment page answers %d", reply.Status)
	}
	return err
}

func shorten(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// command returns the JSON that an upstream service sends.
func (v variant) command(ref payment.Ref) string {
	return fmt.Sprintf(`{
  "provider": %q, "order": %q, "method": %q, "amount": {"value": %q, "currency": %q},
  "customer": {"id": "c-77", "name": "홍길동", "first_name": "길동", "last_name": "홍", "email": "hong@example.com",
    "phone": "01012345678", "ip_address": "198.51.100.7", "id_type": "RRN", "id_number": "900101"},
  "account": {"number": "29900000000000", "holder": "홍길동", "bank_code": %q%s},
  "return_url": "https://shop.example/back", "metadata": {"cart": "77"}
}`, ref.Provider, ref.Order, v.method, v.amount.Value(), v.amount.Currency, v.bankCode(), v.lastDigits())
}

// bankCode is a bank as the provider names it.
func (v variant) bankCode() string {
	switch v.account {
	case trial.ECommPay, trial.ECommPayRedirect:
		return "771" // Kookmin, seed 004
	case trial.DiamondPayV1, trial.DiamondPayInfo, trial.DiamondPayV2:
		return "KBSTAR_KR"
	case trial.DiamondPayTWD:
		return "004"
	}
	return "003" // IBK
}

func (v variant) lastDigits() string {
	if v.account != trial.DiamondPayTWD {
		return ""
	}
	return `, "last_digits": ["12345", "67890"]`
}

// clarified is a deposit for which the provider asks for a field, which the upstream then sends.
func clarified(ctx context.Context, t *teller) error {
	v := variant{trial.ECommPay, "gate", payment.Deposit, payment.KRW(10_000)}
	ref := payment.Ref{Provider: v.account, Order: "D-x-clarification-1005"}
	if _, err := t.post(ctx, "/v1/deposits", v.command(ref), http.StatusAccepted); err != nil {
		return err
	}
	p, err := t.stack.get(ctx, ref)
	if err != nil {
		return err
	}
	if p.Action == nil || p.Action.Clarification == nil {
		return fmt.Errorf("%s is %s and asks for nothing", ref, p.Status)
	}
	answers, err := json.Marshal(map[string]any{"fields": answersTo(p.Action.Clarification.Fields)})
	if err != nil {
		return err
	}
	t.say("the webhook asks for %v", p.Action.Clarification.Fields)
	if _, err := t.post(ctx, "/v1/payments/"+ref.String()+"/clarification", string(answers), http.StatusAccepted); err != nil {
		return err
	}
	t.say("POST …/clarification: 202, the worker tells the provider")
	if err := t.untilTransfer(ctx, ref); err != nil {
		return err
	}
	if err := t.stack.sandbox.Pay(ref.Provider, ref.Order, 0); err != nil {
		return err
	}
	return t.expect(ctx, ref, payment.Settled)
}

// answersTo invents a value for each field that is asked for.
func answersTo(asked map[string][]string) map[string]map[string]string {
	answers := map[string]map[string]string{}
	for group, names := range asked {
		answers[group] = map[string]string{}
		for _, name := range names {
			answers[group][name] = "Hong"
		}
	}
	return answers
}

// untilTransfer waits until the customer has an account to pay to.
func (t *teller) untilTransfer(ctx context.Context, ref payment.Ref) error {
	changed, stop := t.stack.log.Watch(ref)
	defer stop()
	for {
		p, _, err := t.stack.log.Last(ctx, ref)
		if err != nil {
			return err
		}
		if p.Action != nil && p.Action.Transfer != nil {
			t.say("%s: transfer to account %s", p.Status, p.Action.Transfer.AccountNumber)
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s is %s and has no account to pay to: %w", ref, p.Status, ctx.Err())
		}
	}
}
