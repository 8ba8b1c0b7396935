package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// What is sent and received is what the events of payonce are made of, so that a field that is added is here at once.
type (
	Command  = payment.Command
	Ref      = payment.Ref
	Money    = payment.Money
	Customer = payment.Customer
	Account  = payment.Account
	// Fee is what a provider keeps, in hundredths of the currency's smallest unit. The zero Fee was not told, which is not a fee of nothing.
	Fee = payment.Fee
	// Payment is a payment as it stands. Its Status can be one that this version does not know: then it has neither settled
	// nor failed as far as the caller knows.
	Payment = events.PaymentData
)

// KRW returns an amount of won.
func KRW(won int64) Money { return payment.KRW(won) }

// TWD returns an amount in hundredths of a Taiwan dollar.
func TWD(cents int64) Money { return payment.TWD(cents) }

// Accepted is the answer to a command: the payment as it stands, which is "requested" while a worker has not begun it.
type Accepted struct {
	Payment
	// Duplicate says that the same command was accepted before.
	Duplicate bool `json:"duplicate"`
	// Retry is "new_order" where the payment of this order has failed: it is never tried again under this number.
	Retry string `json:"retry"`
}

const (
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 4 << 20
	// longestWait is what an ingress is asked to wait at once, 60 s, and oneRequest bounds a request with its answer.
	longestWait = "wait=60"
	oneRequest  = 90 * time.Second
)

// Client speaks with one ingress under one API key. It is safe for concurrent use.
type Client struct {
	base *url.URL
	key  string
	http *http.Client
	// pauses returns the pauses between the tries of one request; each is at most 30 s.
	pauses func() backoff.BackOff
}

// New returns a client of the ingress at an address like "https://payments.example.com", with an API key of it.
func New(address, key string) (*Client, error) {
	return NewWith(&http.Client{}, address, key)
}

// NewWith is [New] with the caller's transport, for TLS with a certificate of the client's or for tracing. Redirects are not followed,
// whatever h says: the key is for this ingress alone.
func NewWith(h *http.Client, address, key string) (*Client, error) {
	base, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("client: address: %w", errors.Unwrap(err)) // without the address, which may hold a password
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("client: the address must be like https://payments.example.com")
	case key == "":
		return nil, errors.New("client: the API key is empty")
	}
	own := *h
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base, key: key, http: &own, pauses: func() backoff.BackOff {
		return backoff.NewExponentialBackOff(backoff.WithInitialInterval(200*time.Millisecond), backoff.WithMaxInterval(30*time.Second), backoff.WithMaxElapsedTime(0))
	}}, nil
}

// Deposit asks for a deposit and returns when the ingress has accepted or refused it; see [Client.Payout].
func (c *Client) Deposit(ctx context.Context, cmd Command) (Accepted, error) {
	return c.command(ctx, payment.Deposit, "v1/deposits", cmd)
}

// Payout asks for a payout and returns when the ingress has accepted or refused it. While there is no answer, or one that says
// nothing about the command (408, 429, 5xx), it sends the same command again, until ctx ends. A refusal is a [*Problem].
//
// Where ctx ended first the command may have been accepted: send it again, or ask for the payment.
func (c *Client) Payout(ctx context.Context, cmd Command) (Accepted, error) {
	return c.command(ctx, payment.Payout, "v1/payouts", cmd)
}

func (c *Client) command(ctx context.Context, op payment.Operation, path string, cmd Command) (Accepted, error) {
	cmd.Operation = op
	body, err := json.Marshal(cmd)
	if err != nil {
		return Accepted{}, fmt.Errorf("client: %s %s: %w", op, cmd.Ref, err)
	}
	var answer Accepted
	if _, err := c.ask(ctx, request{method: http.MethodPost, to: c.base.JoinPath(path), body: body}, &answer); err != nil {
		return Accepted{}, fmt.Errorf("client: %s %s: %w", op, cmd.Ref, err)
	}
	return answer, nil
}

// Payment returns a payment as it stands. An order that this API key has not asked for is a [*Problem] with the code not_found.
func (c *Client) Payment(ctx context.Context, ref Ref) (Payment, error) {
	p, _, err := c.payment(ctx, ref, "")
	return p, err
}

func (c *Client) payment(ctx context.Context, ref Ref, prefer string) (p Payment, waited bool, err error) {
	if err := ref.Validate(); err != nil { // it becomes a path
		return Payment{}, false, fmt.Errorf("client: %w", err)
	}
	header, err := c.ask(ctx, request{method: http.MethodGet, to: c.base.JoinPath("v1/payments", ref.Provider, ref.Order), prefer: prefer}, &p)
	if err != nil {
		return Payment{}, false, fmt.Errorf("client: payment %s: %w", ref, err)
	}
	return p, header.Get("Preference-Applied") != "", nil
}

// Ended reports whether a payment has an outcome: settled, failed, or, after one of these, conflict or reversed.
func Ended(p Payment) bool { return p.Status.Ended() }

// Actionable reports whether there is something that the customer must do, or the payment has ended.
func Actionable(p Payment) bool { return p.Action != nil || Ended(p) }

// Wait returns the payment as soon as until holds of it, e.g. [Ended] or [Actionable]. It asks the ingress to answer when
// something has changed. It ends with ctx, with the payment as it was last seen and the error of ctx.
func (c *Client) Wait(ctx context.Context, ref Ref, until func(Payment) bool) (Payment, error) {
	var last Payment
	for pauses := c.pauses(); ; {
		p, waited, err := c.payment(ctx, ref, longestWait)
		if err != nil {
			return last, err
		}
		if until(p) {
			return p, nil
		}
		last = p
		if waited && !Actionable(p) { // an ingress waits for nothing more than that the customer can act, and then answers at once
			pauses.Reset()
		}
		if err := pause(ctx, pauses.NextBackOff()); err != nil {
			return last, fmt.Errorf("client: payment %s is %s: %w", ref, p.Status, err)
		}
	}
}

// request is what is sent, again and again.
type request struct {
	method string
	to     *url.URL
	body   []byte
	prefer string
}

// ask sends a request until it has an answer, and returns the header of that.
func (c *Client) ask(ctx context.Context, r request, answer any) (http.Header, error) {
	for pauses := c.pauses(); ; {
		header, again, err := c.once(ctx, r, answer)
		if err == nil || again < 0 {
			return header, err
		}
		if ended := pause(ctx, max(again, pauses.NextBackOff())); ended != nil {
			return nil, fmt.Errorf("%w; before that: %w", ended, err)
		}
	}
}

// once sends a request once. Again is the least pause before it may be sent again, less than 0 where another try has no sense.
func (c *Client) once(ctx context.Context, r request, answer any) (header http.Header, again time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, oneRequest)
	defer cancel()
	outgoing, err := http.NewRequestWithContext(ctx, r.method, r.to.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, -1, err
	}
	outgoing.Header.Set("Authorization", "Bearer "+c.key)
	if r.body != nil {
		outgoing.Header.Set("Content-Type", "application/json")
	}
	if r.prefer != "" {
		outgoing.Header.Set("Prefer", r.prefer)
	}
	response, err := c.http.Do(outgoing)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, 0, err
	}
	if response.StatusCode/100 != 2 {
		return nil, retryAfter(response), problemOf(response.StatusCode, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return nil, 0, fmt.Errorf("answer %d is not JSON of payonce: %w", response.StatusCode, err)
	}
	return response.Header, 0, nil
}

// retryAfter returns how long to wait after a refusal that is not about the request, and less than 0 after any other.
func retryAfter(r *http.Response) time.Duration {
	switch {
	case r.StatusCode == http.StatusRequestTimeout, r.StatusCode == http.StatusTooManyRequests, r.StatusCode >= 500:
		seconds, _ := strconv.Atoi(r.Header.Get("Retry-After"))
		return time.Duration(min(max(seconds, 0), 3600)) * time.Second
	}
	return -1
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
