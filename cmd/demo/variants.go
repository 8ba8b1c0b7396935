package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

func everyVariant(ctx context.Context, t *teller) error {
	for i, v := range testenv.Variants() {
		if err := t.playVariant(ctx, v, payment.Ref{Provider: v.Account, Order: fmt.Sprintf("V-%d", i+1)}); err != nil {
			return fmt.Errorf("%s %s %s: %w", v.Account, v.Operation, v.Method, err)
		}
	}
	return nil
}

func (t *teller) playVariant(ctx context.Context, v testenv.Variant, ref payment.Ref) error {
	way := string(v.Operation)
	if v.Method != "" {
		way += " " + v.Method
	}
	t.say("%s, %s of %s", v.Account, way, v.Amount)
	if _, err := t.post(ctx, "/v1/"+string(v.Operation)+"s", v.Command(ref), http.StatusAccepted); err != nil {
		return err
	}
	if v.Operation == payment.Deposit {
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
		t.say("  open %s", shorten(p.Action.Redirect.URL, 60))
		if err := t.visit(ctx, ref, p.Action.Redirect); err != nil {
			return err
		}
	}
	if _, err := t.stack.Sandbox.WaitFor(ctx, ref.Provider, ref.Order, sandbox.ChargedTimes(1)); err != nil {
		return err
	}
	return t.stack.Sandbox.Pay(ref.Provider, ref.Order, 0)
}

// visit opens a Payment Page: only with it the provider learns of the payment. Other links lead to pages
// that the sandbox does not have.
func (t *teller) visit(ctx context.Context, ref payment.Ref, to *payment.Redirect) error {
	if ref.Provider != testenv.ECommPay && ref.Provider != testenv.ECommPayRedirect || to.Method != http.MethodGet {
		return nil
	}
	reply, err := t.stack.Sandbox.Visit(ctx, ref.Provider, to.URL)
	if err == nil && reply.Status >= http.StatusBadRequest {
		err = fmt.Errorf("the payment page answers %d", reply.Status)
	}
	return err
}

// clarified is a deposit for which the provider asks for a field, which the upstream then sends.
func clarified(ctx context.Context, t *teller) error {
	v := testenv.Variant{Account: testenv.ECommPay, Method: "gate", Operation: payment.Deposit, Amount: payment.KRW(10_000)}
	ref := payment.Ref{Provider: v.Account, Order: "D-x-clarification-1005"}
	if _, err := t.post(ctx, "/v1/deposits", v.Command(ref), http.StatusAccepted); err != nil {
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
	t.say("the webhook asks for %s", listed(p.Action.Clarification.Fields))
	if _, err := t.post(ctx, "/v1/payments/"+ref.String()+"/clarification", string(answers), http.StatusAccepted); err != nil {
		return err
	}
	t.say("POST …/clarification: 202, the worker tells the provider")
	if err := t.untilTransfer(ctx, ref); err != nil {
		return err
	}
	if err := t.stack.Sandbox.Pay(ref.Provider, ref.Order, 0); err != nil {
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
	changed, stop := t.stack.Log.Watch(ref)
	defer stop()
	shown := jetstream.WithActions{Conn: t.stack.Log.Conn}
	for {
		p, _, err := shown.Last(ctx, ref)
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
