package endpoints

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"payonce/pkg/events"
)

const (
	dialTimeout     = 5 * time.Second
	idleTimeout     = 90 * time.Second
	maxReplyHeaders = 16 << 10
	// maxReplyBody is how much of an answer is read, to use its connection again. What it says is not looked at.
	maxReplyBody = 16 << 10
	// maxRetryAfter bounds what an endpoint can ask for.
	maxRetryAfter = time.Hour
	userAgent     = "payonce"
)

// sender sends requests to one endpoint. Answers decide by their status alone.
type sender struct {
	url     string
	signers []*standardwebhooks.Webhook
	client  *http.Client
	now     func() time.Time
}

func newSender(e Endpoint, timeout time.Duration, now func() time.Time) (*sender, error) {
	s := &sender{url: e.URL, now: now}
	for _, text := range e.Secrets {
		signer, err := standardwebhooks.NewWebhook(text.Reveal())
		if err != nil {
			return nil, fmt.Errorf("endpoint %s: a secret is not base64", e.Name) // the cause could show it
		}
		s.signers = append(s.signers, signer)
	}
	dialer := &net.Dialer{Timeout: min(dialTimeout, timeout), Control: guard(e.Networks, strings.HasPrefix(e.URL, "http:"))}
	s.client = &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// No proxy: it would dial in our place, and where to it would not say.
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: min(dialTimeout, timeout),
			MaxIdleConnsPerHost: e.Concurrency, IdleConnTimeout: idleTimeout,
			MaxResponseHeaderBytes: maxReplyHeaders, DisableCompression: true, ForceAttemptHTTP2: true,
		},
	}
	return s, nil
}

// result is what came of one request.
type result struct {
	status     int           // of HTTP; 0 where there was no answer
	problem    string        // why the event was not delivered; empty where it was
	retryAfter time.Duration // what the endpoint asks for
	took       time.Duration
}

func (r result) delivered() bool { return r.problem == "" }

// send makes one request. id is the webhook-id, by which the receiver recognises an event that it has already; attributes are
// those headers of the event that begin with "ce-".
func (s *sender) send(ctx context.Context, id string, attributes events.Header, body []byte) result {
	began := s.now()
	r := s.try(ctx, id, attributes, body)
	r.took = s.now().Sub(began)
	return r
}

func (s *sender) try(ctx context.Context, id string, attributes events.Header, body []byte) result {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return result{problem: "the request cannot be made"}
	}
	for name, values := range attributes {
		if strings.HasPrefix(strings.ToLower(name), "ce-") && len(values) == 1 {
			request.Header.Set(name, values[0])
		}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent)
	if err := s.sign(request.Header, id, body); err != nil {
		return result{problem: "the request cannot be signed"}
	}
	reply, err := s.client.Do(request)
	if err != nil {
		return result{problem: cause(err)}
	}
	defer func() { _ = reply.Body.Close() }()
	r := result{status: reply.StatusCode}
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		r.problem, r.retryAfter = "HTTP "+strconv.Itoa(reply.StatusCode), retryAfter(reply.Header, s.now())
	}
	_, _ = io.CopyN(io.Discard, reply.Body, maxReplyBody) // whether it ends there or not, the status has come
	return r
}

// sign adds the headers of Standard Webhooks, with one signature for each secret.
func (s *sender) sign(header http.Header, id string, body []byte) error {
	at := s.now()
	var signatures []string
	for _, signer := range s.signers {
		signature, err := signer.Sign(id, at, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	header.Set(standardwebhooks.HeaderWebhookID, id)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}

// cause says in words of ours why there was no answer. The error itself can hold the URL, whose query can be a secret of the
// receiver's, and what the receiver sent in place of an answer.
func cause(err error) string {
	var of *url.Error
	if errors.As(err, &of) {
		if of.Timeout() {
			return "no answer in time"
		}
		err = of.Err
	}
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var noTLS tls.RecordHeaderError
	var dial *net.OpError
	var number syscall.Errno
	switch {
	case errors.Is(err, ErrAddress), errors.Is(err, errPlain):
		return err.Error()
	case errors.As(err, &name):
		return "the host name cannot be resolved"
	case errors.As(err, &certificate):
		return "its certificate is not accepted: " + certificateProblem(certificate.Err)
	case errors.As(err, &alert), errors.As(err, &noTLS):
		return "no TLS connection"
	case errors.As(err, &dial) && dial.Op == "dial" && errors.As(err, &number):
		return "no connection: " + number.Error()
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended before an answer"
	}
	return "the answer cannot be read"
}

// certificateProblem leaves out what stands in the certificate.
func certificateProblem(err error) string {
	var host x509.HostnameError
	var issuer x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return "it is for another host"
	case errors.As(err, &issuer):
		return "its issuer is not known"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or is not valid yet"
	}
	return "it is not valid"
}

// retryAfter reads the header of that name: seconds or a date.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
