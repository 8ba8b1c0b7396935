package ingress_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	b := newBorder(t)
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v2/deposits", "/v1/deposits/", "/v1/deposits/D-1", "//v1/deposits", "/v1/../v1/deposits", "/v1/./deposits",
		"/v1/payments/fake-kr", "/v1/payments//D-1", "/webhooks", "/webhooks/", "/webhooks/a/b", "/HEALTHZ", "/healthz/", "/hong@example.com",
	} {
		for _, method := range []string{"GET", "POST"} {
			b.do(method, path, "").mustRefuse(t, 404, "not_found", "")
		}
	}
	for path, allow := range map[string]string{
		"/v1/deposits": "POST", "/v1/payouts": "POST", "/webhooks/fake-kr": "POST",
		"/v1/payments": "GET, HEAD", "/v1/payments/fake-kr/D-1": "GET, HEAD", "/v1/payments/fake-kr/D-1/events": "GET, HEAD", "/v1/providers": "GET, HEAD",
		"/v1/payments/fake-kr/D-1/clarification": "POST", "/v1/providers/fake-kr/banks": "GET, HEAD", "/v1/providers/fake-kr/balance": "GET, HEAD",
		"/healthz": "GET, HEAD", "/readyz": "GET, HEAD",
	} {
		for _, method := range []string{"OPTIONS", "DELETE", "PUT", "PATCH", "TRACE", "BREW", "GET", "POST"} {
			if strings.Contains(allow, method) {
				continue
			}
			a := b.do(method, path, "")
			a.mustRefuse(t, 405, "method_not_allowed", "")
			if got := a.header.Get("Allow"); got != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, got, allow)
			}
		}
	}
	if strings.Contains(b.logged.String(), "BREW") || !strings.Contains(b.logged.String(), `"method":"other"`) {
		t.Error("a method that the client invented is logged")
	}
}

func TestHeadHasTheHeadersWithoutTheBody(t *testing.T) {
	b := newBorder(t)
	b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Settled))
	for path, status := range map[string]int{
		"/v1/payments/fake-kr/D-1": 200, "/v1/payments/fake-kr/D-2": 404, "/healthz": 200, "/v1/deposits": 405, "/nothing": 404,
	} {
		if a := b.do("HEAD", path, ""); a.status != status || a.body != "" || a.header.Get("Content-Length") == "" {
			t.Errorf("HEAD %s: %d %q %v, want %d", path, a.status, a.body, a.header, status)
		}
	}
}

func TestHealthAndReadiness(t *testing.T) {
	b := newBorder(t)
	b.do("GET", "/healthz", "", "Authorization", "").mustBe(t, 200)
	b.do("GET", "/readyz", "", "Authorization", "").mustBe(t, 200)
	b.ready = errors.New("the queue is not connected")
	b.do("GET", "/healthz", "", "Authorization", "").mustBe(t, 200)
	a := b.do("GET", "/readyz", "", "Authorization", "")
	a.mustRefuse(t, 503, "not_ready", "")
	if !strings.Contains(a.body, `"detail":"the queue is not connected"`) {
		t.Errorf("it does not say what is missing: %s", a.body)
	}
}

func TestHeadersThatAreTooLarge(t *testing.T) {
	b := newBorder(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	go func() {
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 431 {
		t.Errorf("status %d, want 431", resp.StatusCode)
	}
}

func TestAccessLogHasOneLineForEachRequest(t *testing.T) {
	b := newBorder(t)
	b.do("POST", "/v1/deposits", depositBody).mustBe(t, 202)
	b.do("GET", "/v1/payments/fake-kr/hong-01098765432?name=HongGilDong", "").mustRefuse(t, 404, "not_found", "")
	b.do("GET", "/HongGilDong?email=hong@example.com", "", "User-Agent", "HongGilDong").mustRefuse(t, 404, "not_found", "")
	b.do("GET", "/healthz", "").mustBe(t, 200)
	want := []map[string]any{
		{"level": "INFO", "method": "POST", "route": "POST /v1/deposits", "status": 202.0, "request_id": "id-1", "key": "shop"},
		{"level": "INFO", "method": "GET", "route": "GET /v1/payments/{provider}/{order}", "status": 404.0, "key": "shop"},
		{"level": "INFO", "method": "GET", "route": "none", "status": 404.0, "key": ""},
		{"level": "DEBUG", "method": "GET", "route": "GET /healthz", "status": 200.0, "key": ""},
	}
	lines := strings.Split(strings.TrimSpace(b.logged.String()), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %s", len(lines), len(want), lines)
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		for name, value := range want[i] {
			if got[name] != value {
				t.Errorf("line %d: %s is %v, want %v", i, name, got[name], value)
			}
		}
		if _, there := got["duration"]; !there || len(got) != 9 {
			t.Errorf("line %d has other attributes: %s", i, line)
		}
	}
}

func TestHTTPServerTakesAnyHandler(t *testing.T) {
	d := testLimits()
	server := ingress.NewHTTPServer(http.NotFoundHandler(), d)
	if server.MaxHeaderBytes != d.HeaderBytes || server.ReadHeaderTimeout != d.ReadHeaderTimeout || server.WriteTimeout != d.WriteTimeout ||
		server.ReadTimeout != d.ReadTimeout || server.IdleTimeout != d.IdleTimeout {
		t.Errorf("%+v", server)
	}
}
