package deploytest

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// upstreamOf is who asks for an order in these tests: the test environment's API key, or the NATS account shop.
func upstreamOf(order string) string {
	switch {
	case order == "C-both", order == "U-1": // stored by a test itself, in no upstream's name
		return ""
	case strings.HasPrefix(order, "H-"), strings.HasPrefix(order, "C-"):
		return "testenv"
	}
	return "shop"
}

// othersCannotSee wants the API key to see its own payment, and of the NATS upstream's as much as of one that does not exist.
func (s *system) othersCannotSee(t *testing.T, foreign, own string) {
	t.Helper()
	get := func(order, tail string) (int, string) {
		return s.get(t, payment.Ref{Provider: testenv.TeemoPay, Order: order}, tail)
	}
	if status := s.deposit(t, payment.Ref{Provider: testenv.TeemoPay, Order: "G-1"}); status != http.StatusUnprocessableEntity {
		t.Errorf("a number that is reserved for another: %d", status)
	}
	for _, tail := range []string{"", "/events"} {
		status, body := get(foreign, tail)
		unknown, want := get("never-used", tail)
		if status != http.StatusNotFound || status != unknown || body != want {
			t.Errorf("another upstream's payment%s: %d %s, one that does not exist: %d %s", tail, status, body, unknown, want)
		}
		if status, body := get(own, tail); status != http.StatusOK || !strings.Contains(body, `"upstream":"testenv"`) {
			t.Errorf("its own payment%s: %d %s", tail, status, body)
		}
	}
}

// deposit asks the ingress for a deposit and returns the status of its answer.
func (s *system) deposit(t *testing.T, ref payment.Ref) (status int) {
	t.Helper()
	body := `{"provider":"` + ref.Provider + `","order":"` + ref.Order + `","amount":{"value":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`
	status, _ = s.Post(bounded(t), "/v1/deposits", body)
	return status
}

// get asks the ingress for a payment, or its timeline, with the test environment's API key and a header that claims to be shop's.
func (s *system) get(t *testing.T, ref payment.Ref, tail string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(bounded(t), http.MethodGet, "http://"+s.At.Listen+"/v1/payments/"+ref.String()+tail, nil)
	testenv.Must(t, err)
	request.Header.Set("Authorization", "Bearer "+s.APIKey)
	request.Header.Set(events.HeaderUpstream, "shop")
	response, err := http.DefaultClient.Do(request)
	testenv.Must(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	testenv.Must(t, err)
	return response.StatusCode, strings.ReplaceAll(string(text), response.Header.Get("X-Request-Id"), "ID")
}
