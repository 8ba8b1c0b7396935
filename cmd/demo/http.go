package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/nats-io/nats.go"

	"payonce/pkg/payment"
	"payonce/test/natstest"
)

// answer is a reply of the ingress.
type answer struct {
	status int
	view   struct {
		payment.Payment
		Duplicate bool `json:"duplicate"`
		Payments  []struct {
			Payment payment.Payment `json:"payment"`
		} `json:"payments"` // of a search
		Next   string `json:"next"`   // of a search
		Field  string `json:"field"`  // of a problem
		Detail string `json:"detail"` // of a problem
	}
}

// request talks to the ingress as an upstream service does.
func (s *stack) request(ctx context.Context, method, path, body string, header http.Header) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.ingress+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header = http.Header{"Authorization": {"Bearer " + s.APIKey}, "Content-Type": {"application/json"}}
	for name, values := range header {
		req.Header[name] = values
	}
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = reply.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		return answer{}, err
	}
	a := answer{status: reply.StatusCode}
	if !json.Valid(data) {
		return a, nil
	}
	// A problem's "status" is a number, a payment's is a text.
	if bytes.Contains([]byte(reply.Header.Get("Content-Type")), []byte("problem")) {
		var problem struct{ Field, Detail string }
		err = json.Unmarshal(data, &problem)
		a.view.Field, a.view.Detail = problem.Field, problem.Detail
		return a, err
	}
	return a, json.Unmarshal(data, &a.view)
}

// get reads a payment, waiting until the customer has something to do or the payment has ended.
func (s *stack) get(ctx context.Context, ref payment.Ref) (payment.Payment, error) {
	for {
		a, err := s.request(ctx, http.MethodGet, "/v1/payments/"+ref.String(), "", http.Header{"Prefer": {"wait=20"}})
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("GET of %s: status %d", ref, a.status)
		}
		if p := a.view.Payment; err != nil || p.Action != nil || p.Status.Ended() {
			return p, err
		}
	}
}

// publish puts a command on a NATS subject, as `nats pub --jetstream` does.
func (s *stack) publish(ctx context.Context, subject, body string) error {
	_, err := natstest.JetStream(s.T, s.At.NATS[0], nats.Name("upstream")).Publish(ctx, subject, []byte(body))
	return err
}

func deposit(order, amount string) string {
	return fmt.Sprintf(`{"provider":%q,"order":%q,"amount":{"value":%q,"currency":"KRW"},"customer":{"name":"홍길동","phone":"01012345678"},"metadata":{"cart":"77"}}`, provider, order, amount)
}

func payout(order, amount string) string {
	return fmt.Sprintf(`{"provider":%q,"order":%q,"amount":{"value":%q,"currency":"KRW"},"customer":{"name":"홍길동","id_type":"RRN"},"account":{"number":"29900000000000","bank_code":"003"}}`, provider, order, amount)
}
