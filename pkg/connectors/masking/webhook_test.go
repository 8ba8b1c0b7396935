package masking_test

import (
	"strings"
	"testing"

	"payonce/pkg/connectors/masking"
)

// What says which payment a webhook is about and what became of it is shown, in JSON and in a form; all else is covered, names of fields
// that a customer could have chosen, too.
func TestWebhookShowsThePaymentAlone(t *testing.T) {
	for _, c := range []struct {
		body, shown string
		form        bool
		hidden      []string
	}{
		{`{"payment":{"id":"P-1001","status":"success"},"sum":{"amount":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`,
			`"id":"P-1001"`, false, []string{"홍길동"}},
		{`{"payment":{"id":"P-1001","status":"success"},"sum":{"amount":"10000","currency":"KRW"}}`, `"currency":"KRW"`, false, nil},
		{`{"amount":"call 010-1234-5678","currency":"hong@example.com","status":"홍 길동"}`, `"amount":`, false, []string{"5678", "hong", "길동"}},
		{"payment_cl_id=D-1&amount=10000&currency=TWD&status=5&name=%ED%99%8D&hong%40example.com=1&alone", "payment_cl_id=D-1&amount=10000&currency=TWD&status=5&name=", true, []string{"%ED%99%8D", "hong", "alone"}},
		{"payment_cl_id=%zz&amount=1e9&currency=koreanwon", "payment_cl_id=", true, []string{"%zz", "1e9", "koreanwon"}},
	} {
		got, whole, ok := masking.Webhook([]byte(c.body), c.form, 0)
		if !ok || !whole || !strings.Contains(got, c.shown) {
			t.Errorf("%s: %q, whole %t, ok %t; want %q in it", c.body, got, whole, ok, c.shown)
		}
		for _, text := range c.hidden {
			if strings.Contains(got, text) {
				t.Errorf("%q shows %q", got, text)
			}
		}
	}
	if got, _, ok := masking.Webhook([]byte("payment_cl_id=D-1"), false, 0); ok || strings.Contains(got, "D-1") {
		t.Errorf("what is neither JSON nor a form: %q", got)
	}
	long := strings.Repeat("status=5&", 1000)
	if got, whole, ok := masking.Webhook([]byte(long), true, 100); !ok || whole || len(got) > 110 {
		t.Errorf("a long form: %d bytes, whole %t, ok %t", len(got), whole, ok)
	}
}
