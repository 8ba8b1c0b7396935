package payctl

import (
	"strings"
	"testing"
)

// What is in a content of which only its shape may be shown.
func TestWhatIsMasked(t *testing.T) {
	for content, shown := range map[string]string{
		`{"amount":{"value":"10000","currency":"KRW"}}`:                `"10000"`,
		`{"amount":{"value":-1.5,"currency":"won"}}`:                   `-1.5`,
		`{"amount":{"value":"1","currency":"KRW","holder":"SECRET"}}`:  `"holder": "…"`,
		`{"amount":{"value":"SECRET","currency":"KRW"}}`:               `"value": "…"`,
		`{"note":{"value":"12345","currency":"SECRETIVE"}}`:            `"value": "…"`,
		`{"order":"P-1","email":"SECRET","customer":{"id":"SECRET"}}`:  `"order": "P-1"`,
		`{"order":["SECRET"],"method":{"name":"SECRET"}}`:              `"…"`,
		`{"SECRET name":"SECRET"}`:                                     `"…": "…"`,
		"{\"order\":\"P\u009b2J\u202e1\"}":                             "P\ufffd2J\ufffd1",
		`{"order":"P-1"}{"order":"SECRET"}`:                            "bytes, not JSON",
		`{"paid":true,"nothing":null,"number":7,"provider":"acme-kr"}`: `"number": "…"`,
	} {
		got := maskBody([]byte(content))
		if !strings.Contains(got, shown) || strings.Contains(got, "SECRET") && !strings.Contains(content, "SECRETIVE") || strings.Contains(got, "12345") {
			t.Errorf("%s: shown as %s, want %s in it", content, got, shown)
		}
	}
	for name, plain := range map[string]bool{
		"ce-id": true, "CE-Source": true, "Payonce-Dead-Reason": true, "payonce-requested-at": true, "Payonce-Http-X-Signature": false,
		"PAYONCE-HTTP-Cookie": false, "Cookie": false, "x-upstream": false, "": false,
	} {
		if plainHeader(name) != plain {
			t.Errorf("header %q is shown: %v", name, !plain)
		}
	}
}
