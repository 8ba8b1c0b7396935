package ingress_test

import (
	"encoding/json"
	"strings"
	"testing"

	"payonce/pkg/payment"
)

// mustList holds the errors of a problem against lines "pointer detail".
func (a answer) mustList(t *testing.T, want ...string) {
	t.Helper()
	var p struct {
		Errors []struct{ Pointer, Detail string }
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range p.Errors {
		got = append(got, one.Pointer+" "+one.Detail)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// One answer has all that is wrong: what cannot be read, what no provider takes, and what this one does not.
func TestAllProblemsInOneAnswer(t *testing.T) {
	b := newBorder(t)
	a := b.do("POST", "/v1/deposits", `{"provider":"fake-kr","order":"D 1","amount":{"value":10000},"customer":{"fullname":"HongGilDong","phone":5},`+
		`"metadata":{"cart":7,"01098765432":7},"expires_at":"2026-11-21T00:00:00Z","method":"cash"}`)
	a.mustRefuse(t, 422, "invalid_field", "amount.value")
	a.mustList(t,
		`/amount/value must be a string like "10000", not a number`,
		"/customer/fullname is not a field of a command; did you mean customer.name?",
		"/customer/phone must be a string, not a number",
		"/metadata/cart must be a string, not a number",
		"/metadata must be a string, not a number",
		"/expires_at has passed",
		`/order must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`,
		"/method this provider accepts va and card",
	)
	a = b.do("POST", "/v1/deposits", `{}`)
	a.mustRefuse(t, 422, "invalid_field", "provider")
	a.mustList(t, "/provider is required", "/order is required", "/amount is required")
	b.do("POST", "/v1/deposits", `{"provider":"teemo-kr","order":"D-1","amount":{"value":"1","currency":"KRW"}}`).
		mustList(t, "/provider unknown provider, see /v1/providers")
	if view := b.do("POST", "/v1/deposits", "{\n \"order\": \"D-1\",\n}"); !strings.Contains(view.body, "at line 3, column 1: a comma before the end") {
		t.Errorf("it says %s", view.body)
	}
	if n := b.queue.publishes(); n != 0 {
		t.Errorf("%d commands were published", n)
	}
}

// A missing provider is required also of a key that is not for all providers.
func TestAMissingProviderIsRequired(t *testing.T) {
	b := newBorder(t)
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, `"provider":"fake-kr",`, "", 1), "Authorization", "Bearer "+narrowKey).
		mustRefuse(t, 422, "invalid_field", "provider")
}

// What differs from the first command is named, and Location leads to its payment.
func TestWhereAReusedOrderDiffers(t *testing.T) {
	for place, put := range map[string]func(b *border){
		"in the log":   func(b *border) { b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Pending)) },
		"in the queue": func(b *border) { b.queue.put(queuedMessage(t, payment.Deposit, depositBody, "x")) },
	} {
		t.Run(place, func(t *testing.T) {
			b := newBorder(t)
			put(b)
			const problem = " differs from the first command of this order"
			for body, want := range map[string][]string{
				different: {"/amount/value" + problem},
				strings.Replace(depositBody, `"shop":"7"`, `"shop":"8"`, 1): {"/metadata" + problem},
				strings.Replace(depositBody, "hong@", "kim@", 1):            nil,
			} {
				a := b.do("POST", "/v1/deposits", body)
				a.mustRefuse(t, 409, "order_reused", "order")
				a.mustList(t, want...)
				if a.header.Get("Location") != "/v1/payments/fake-kr/D-1" {
					t.Errorf("Location %q", a.header.Get("Location"))
				}
				if want == nil && !strings.Contains(a.body, "They differ in what is not kept") {
					t.Errorf("it says %s", a.body)
				}
			}
		})
	}
}

// That an order is one of the other operation is said before what is wrong with the command, readable or not.
func TestAnotherOperationComesBeforeFields(t *testing.T) {
	b := newBorder(t, withGame)
	b.log.append(by("shop", paymentOf(t, payment.Deposit, depositBody, payment.Pending)))
	unfit := strings.Replace(depositBody, `"name":"HongGilDong",`, "", 1)
	unread := strings.Replace(depositBody, `"name"`, `"nmae":"x","name"`, 1)
	for _, body := range []string{unfit, unread} {
		a := b.do("POST", "/v1/payouts", body)
		a.mustRefuse(t, 409, "order_reused", "order")
		a.mustList(t, "/operation differs from the first command of this order, a deposit")
		b.do("POST", "/v1/deposits", body).mustRefuse(t, 422, "invalid_field", map[bool]string{true: "customer.name", false: "customer.nmae"}[body == unfit])
		// Of another upstream's order nothing is said.
		b.do("POST", "/v1/payouts", body, asGame...).mustRefuse(t, 422, "invalid_field", map[bool]string{true: "customer.name", false: "customer.nmae"}[body == unfit])
	}
}

// What could be read of a command is never taken for the command: not as a duplicate, and not to restore a parked payment.
func TestACommandThatWasReadInPartIsNoDuplicate(t *testing.T) {
	for _, status := range []payment.Status{payment.Pending, payment.Parked} {
		b := newBorder(t)
		b.log.append(paymentOf(t, payment.Deposit, depositBody, status))
		b.do("POST", "/v1/deposits", strings.Replace(depositBody, `"name"`, `"nmae":"x","name"`, 1)).mustRefuse(t, 422, "invalid_field", "customer.nmae")
		if n := b.queue.publishes(); n != 0 {
			t.Errorf("%s: %d commands were published", status, n)
		}
	}
}
