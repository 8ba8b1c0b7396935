// Package testmerchant plays an upstream service and its customers against a running testenv: it sends commands to
// the ingress by HTTP, does what each payment's action asks of the customer at the providers' sandbox, and
// waits for the outcome. It knows nothing of queues and stores: what it sees is what every client sees.
package testmerchant

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// Shop is one upstream service. Its methods may be called at the same time.
type Shop struct {
	Ingress  string // base URL
	Sandbox  string // base URL
	Endpoint string // base URL of its [Receiver]
	Key      string // of the ingress

	client http.Client
}

// Trust takes certificates of the CA in a file, and no others.
func (s *Shop) Trust(caFile string) error {
	text, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s has no certificate", caFile)
	}
	s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	return nil
}

// Outcome is how a payment ended.
type Outcome struct {
	Variant testenv.Variant
	Ref     payment.Ref
	Status  payment.Status
	Settled payment.Money
	// Charges is how often the provider took the order, from the sandbox's records.
	Charges int
	Took    time.Duration
	Err     error
}

// Good reports whether the payment was settled with its amount, and charged once.
func (o Outcome) Good() bool {
	return o.Err == nil && o.Status == payment.Settled && o.Settled == o.Variant.Amount && o.Charges == 1
}

// Pay sends the command of a variant and sees the payment through.
func (s *Shop) Pay(ctx context.Context, v testenv.Variant, order string) Outcome {
	began := time.Now()
	o := Outcome{Variant: v, Ref: payment.Ref{Provider: v.Account, Order: order}}
	o.Err = s.pay(ctx, &o)
	o.Took = time.Since(began)
	return o
}

func (s *Shop) pay(ctx context.Context, o *Outcome) error {
	// The same command again is no second payment, so that an answer that got lost costs nothing.
	err := s.call(ctx, http.MethodPost, s.Ingress+"/v1/"+string(o.Variant.Operation)+"s", o.Variant.Command(o.Ref), http.StatusAccepted, nil)
	if err != nil {
		return err
	}
	if o.Variant.Operation == payment.Deposit {
		if err := s.customerPays(ctx, o.Ref); err != nil {
			return err
		}
	}
	p, err := s.until(ctx, o.Ref, func(p payment.Payment) bool { return p.Status.Ended() })
	if err != nil {
		return err
	}
	var truth sandbox.Order
	err = s.call(ctx, http.MethodGet, s.order(o.Ref), "", http.StatusOK, &truth)
	o.Status, o.Settled, o.Charges = p.Status, p.SettledAmount, len(truth.Charges)
	return err
}

// customerPays does what the action of the payment says.
func (s *Shop) customerPays(ctx context.Context, ref payment.Ref) error {
	p, err := s.until(ctx, ref, func(p payment.Payment) bool { return p.Action != nil || p.Status.Ended() })
	if err != nil {
		return err
	}
	if p.Action == nil {
		return fmt.Errorf("%s is %s and has no action", ref, p.Status)
	}
	if to := p.Action.Redirect; to != nil && to.Method == http.MethodGet && isECommPay(ref) {
		// Only with the first visit of its page the provider hears of the payment.
		link, err := json.Marshal(map[string]string{"link": to.URL})
		if err != nil {
			return err
		}
		if err := s.call(ctx, http.MethodPost, s.Sandbox+"/admin/"+ref.Provider+"/visit", string(link), http.StatusOK, nil); err != nil {
			return err
		}
	}
	if err := s.Charged(ctx, ref); err != nil {
		return err
	}
	return s.call(ctx, http.MethodPost, s.order(ref)+"/pay", "{}", http.StatusOK, nil)
}

func isECommPay(ref payment.Ref) bool {
	return ref.Provider == testenv.ECommPay || ref.Provider == testenv.ECommPayRedirect
}

// Hold sends the command of a variant for an order of which the provider holds the answer back, after it has taken it,
// and of which it never sends a webhook: only who asks the provider hears of it.
func (s *Shop) Hold(ctx context.Context, v testenv.Variant, ref payment.Ref) error {
	faults := fmt.Sprintf(`[{"fault":%q,"times":1},{"fault":%q}]`, sandbox.Hang, sandbox.LostCallback)
	if err := s.call(ctx, http.MethodPost, s.order(ref)+"/faults", faults, http.StatusOK, nil); err != nil {
		return err
	}
	return s.call(ctx, http.MethodPost, s.Ingress+"/v1/"+string(v.Operation)+"s", v.Command(ref), http.StatusAccepted, nil)
}

// Charged waits until the provider has taken an order.
func (s *Shop) Charged(ctx context.Context, ref payment.Ref) error {
	return s.call(ctx, http.MethodGet, s.order(ref)+"/wait?for=charged&timeout=20s", "", http.StatusOK, nil)
}

// Payment returns the state of a payment.
func (s *Shop) Payment(ctx context.Context, ref payment.Ref) (payment.Payment, error) {
	return s.until(ctx, ref, func(payment.Payment) bool { return true })
}

// Statement returns what the sandbox's records say of all payments.
func (s *Shop) Statement(ctx context.Context) (sandbox.Summary, error) {
	var statement sandbox.Summary
	err := s.call(ctx, http.MethodGet, s.Sandbox+"/admin/summary", "", http.StatusOK, &statement)
	return statement, err
}

// Found counts the payments that a search in the archive finds. It is an error when there is no archive.
func (s *Shop) Found(ctx context.Context) (n int, err error) {
	for after := ""; ; {
		var page struct {
			Payments []struct{} `json:"payments"`
			Next     string     `json:"next"`
			Looked   any        `json:"looked"`
		}
		if err := s.call(ctx, http.MethodGet, s.Ingress+"/v1/payments?after="+url.QueryEscape(after), "", http.StatusOK, &page); err != nil {
			return 0, err
		}
		if page.Looked != nil {
			return 0, errors.New("the log was searched and no archive")
		}
		n += len(page.Payments)
		if after = page.Next; after == "" {
			return n, nil
		}
	}
}

func (s *Shop) order(ref payment.Ref) string {
	return s.Sandbox + "/admin/" + ref.Provider + "/orders/" + ref.Order
}

// until reads a payment until it is as wanted.
func (s *Shop) until(ctx context.Context, ref payment.Ref, wanted func(payment.Payment) bool) (payment.Payment, error) {
	for {
		var p payment.Payment
		err := s.call(ctx, http.MethodGet, s.Ingress+"/v1/payments/"+ref.String(), "", http.StatusOK, &p)
		if err != nil || wanted(p) {
			return p, err
		}
		if err := pause(ctx); err != nil {
			return p, fmt.Errorf("%s is %s: %w", ref, p.Status, err)
		}
	}
}

// again is the pause before a request is repeated.
const again = 300 * time.Millisecond

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(again):
		return nil
	}
}

// requestTimeout is more than the ingress lets a request wait.
const requestTimeout = 30 * time.Second

// call repeats a request until it is answered as it must be: services are restarted under it, and an
// order is not known for a moment. The answer to a bad request never changes.
func (s *Shop) call(ctx context.Context, method, url, body string, status int, into any) error {
	for {
		err := s.once(ctx, method, url, body, status, into)
		var refused refusal
		if err == nil || errors.As(err, &refused) && refused.status/100 == 4 && refused.status != http.StatusNotFound &&
			refused.status != http.StatusTooManyRequests && refused.status != http.StatusConflict {
			return err
		}
		if pause(ctx) != nil {
			return err
		}
	}
}

// refusal is an answer other than the wanted one.
type refusal struct {
	what   string
	status int
}

func (r refusal) Error() string { return fmt.Sprintf("%s: status %d", r.what, r.status) }

func (s *Shop) once(ctx context.Context, method, url, body string, status int, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header = http.Header{"Authorization": {"Bearer " + s.Key}, "Content-Type": {"application/json"}}
	reply, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<20))
	if err != nil {
		return err
	}
	if reply.StatusCode != status {
		return refusal{method + " " + url, reply.StatusCode}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
