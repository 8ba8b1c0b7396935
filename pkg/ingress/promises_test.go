package ingress_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"payonce/pkg/connectors"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// everyRequest is one good request for each operation under /v1.
var everyRequest = []struct{ method, path, body string }{
	{"POST", "/v1/deposits", depositBody},
	{"POST", "/v1/payouts", depositBody},
	{"GET", "/v1/payments/fake-kr/D-1", ""},
	{"GET", "/v1/payments/fake-kr/D-1/events", ""},
	{"POST", "/v1/payments/fake-kr/D-1/clarification", `{"fields":{"a":{"b":"c"}}}`},
	{"GET", "/v1/status", ""},
	{"GET", "/v1/providers", ""},
	{"GET", "/v1/providers/fake-kr", ""},
	{"GET", "/v1/providers/fake-kr/banks?operation=payout", ""},
	{"GET", "/v1/providers/fake-kr/balance", ""},
}

// A client that is not let in gets the same answer everywhere.
func TestEveryOperationIsGuarded(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*ingress.Options)
		headers []string
		status  int
		kind    string
	}{
		"no key":         {func(*ingress.Options) {}, []string{"Authorization", ""}, 401, "unauthorized"},
		"no certificate": {func(o *ingress.Options) { o.ClientCertificates = true }, nil, 403, "certificate_required"},
		"too fast":       {func(o *ingress.Options) { o.Limits.Burst, o.Limits.RequestsPerSecond = 1, 1 }, nil, 429, "rate_limited"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBorder(t, c.change)
			if c.kind == "rate_limited" {
				b.do("GET", "/v1/providers", "").mustBe(t, 200)
			}
			for _, r := range everyRequest {
				b.do(r.method, r.path, r.body, c.headers...).mustRefuse(t, c.status, c.kind, "")
			}
			if b.queue.publishes() != 0 {
				t.Error("a refused command was published")
			}
		})
	}
}

// While there is no place, nothing under /v1 is begun.
func TestEveryOperationIsRefusedWithoutAPlace(t *testing.T) {
	b, goOn, first := occupied(t)
	for _, r := range everyRequest {
		b.do(r.method, r.path, r.body).mustRefuse(t, 503, "overloaded", "")
	}
	close(goOn)
	(<-first).mustBe(t, 202)
}

// panicky is a connector that panics once the test says so.
type panicky struct {
	fakeConnector
	on *atomic.Bool
}

func (p panicky) Traits() connectors.Traits {
	p.panics()
	return p.fakeConnector.Traits()
}

func (p panicky) Banks(context.Context, payment.Operation) ([]connectors.Bank, error) {
	p.panics()
	return nil, nil
}

func (p panicky) Balance(context.Context) ([]connectors.Balance, error) {
	p.panics()
	return nil, nil
}

func (p panicky) panics() {
	if p.on.Load() {
		panic("told to")
	}
}

// A mistake of ours is answered as one, whatever was asked for.
func TestPanicsOfEveryOperationAreOurFault(t *testing.T) {
	on := &atomic.Bool{}
	b := newBorder(t, func(o *ingress.Options) {
		o.Registry = connectors.NewRegistry(map[string]connectors.Connector{"fake-kr": panicky{on: on}})
		o.Keys = o.Keys[1:]
		o.Ready = func(context.Context) error { panic("told to") }
	})
	conflicts(t, b) // without one the status reads no payment
	b.log.last = func(int) error { panic("told to") }
	on.Store(true)
	for _, r := range everyRequest {
		b.do(r.method, r.path, r.body).mustRefuse(t, 500, "internal", "")
	}
	b.do("GET", "/readyz", "").mustRefuse(t, 500, "internal", "")
}

// The two kinds of commands are refused alike.
func TestPayoutsAreRefusedLikeDeposits(t *testing.T) {
	b := newBorder(t)
	b.do("POST", "/v1/payouts", "{").mustRefuse(t, 400, "malformed", "")
	b.do("POST", "/v1/payouts", strings.Repeat(" ", 65<<10)+depositBody).mustRefuse(t, 413, "too_large", "")
	b.do("POST", "/v1/payouts", depositBody, "Content-Type", "text/plain").mustRefuse(t, 415, "unsupported_media_type", "")
	b.do("POST", "/v1/payouts", strings.Replace(depositBody, "10000", "1e4", 1)).mustRefuse(t, 422, "invalid_field", "amount.value")
	b.queue.publish = func() error { return errors.New("no answer") }
	b.do("POST", "/v1/payouts", depositBody).mustRefuse(t, 503, "unavailable", "")
}

// A body that never comes is waited for only so long.
func TestEveryBodyIsWaitedForOnlySoLong(t *testing.T) {
	for _, path := range []string{"/v1/deposits", "/v1/payouts", "/v1/payments/fake-kr/D-1/clarification", "/webhooks/fake-kr"} {
		synctest.Test(t, func(t *testing.T) {
			b, lines := newPiped(t)
			body, writer := io.Pipe()
			defer func() { _ = writer.Close() }()
			req, err := http.NewRequest("POST", b.url+path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = 100
			req.Header.Set("Authorization", "Bearer "+apiKey)
			req.Header.Set("Content-Type", "application/json")
			b.send(stubborn{lines}, req).mustRefuse(t, 408, "request_timeout", "")
		})
	}
}

// brokenBody sends a body that ends in the middle.
type brokenBody struct{}

func (brokenBody) RoundTrip(req *http.Request) (*http.Response, error) {
	conn, err := net.Dial("tcp", req.URL.Host)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nno length\r\n", req.URL.Path); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), req)
}

func TestWebhookMustArriveWhole(t *testing.T) {
	b := newBorder(t)
	req, err := http.NewRequest("POST", b.url+"/webhooks/fake-kr", nil)
	if err != nil {
		t.Fatal(err)
	}
	b.send(brokenBody{}, req).mustRefuse(t, 400, "malformed", "")
	if len(b.sink.webhooks) != 0 {
		t.Error("it was stored")
	}
}
