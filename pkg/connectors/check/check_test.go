package check_test

import (
	"testing"

	"payonce/pkg/connectors/check"
)

func TestProblems(t *testing.T) {
	var p check.Problems
	p.Must(true, "holds")
	if err := p.Err(); err != nil {
		t.Fatalf("without a problem: %v", err)
	}
	p.Must(false, "name must have at most %d characters", 3)
	p.Must(true, "holds")
	p.Must(false, "url %s", "must be an absolute URL")
	const want = "name must have at most 3 characters\nurl must be an absolute URL"
	if err := p.Err(); err == nil || err.Error() != want {
		t.Errorf("have %v, want %q", err, want)
	}
}

func TestURL(t *testing.T) {
	const absolute, secure, bare = "must be an absolute URL", "must begin with https://", "must have no user, query or fragment"
	for _, test := range []struct {
		text         string
		queryAllowed bool
		want         string
	}{
		{"https://pay.example", false, ""},
		{"https://pay.example:8443/v1/", false, ""},
		{"http://127.0.0.1:8080", false, ""},
		{"http://[::1]:8080", false, ""},
		{"http://localhost/x", false, ""},
		{"https://pay.example/?a=1", true, ""},
		{"https://pay.example/?a=1", false, bare},
		{"https://user@pay.example", true, bare},
		{"https://pay.example/#top", true, bare},
		{"http://pay.example", true, secure},
		{"http://localhost.pay.example", true, secure},
		{"http://10.0.0.1", true, secure},
		{"", true, absolute},
		{"pay.example", true, absolute},
		{"/path", true, absolute},
		{"https:///path", true, absolute},
		{"ftp://pay.example", true, absolute},
		{"javascript:alert(1)", true, absolute},
		{"https://pay.example/%zz", true, absolute},
	} {
		if have := check.URL(test.text, test.queryAllowed); have != test.want {
			t.Errorf("%q, query %v: have %q, want %q", test.text, test.queryAllowed, have, test.want)
		}
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.9.10": true, "::1": true, "": false, "0.0.0.0": false, "10.0.0.1": false, "localhost.example": false, "127.0.0.1.example": false,
	} {
		if have := check.Loopback(host); have != want {
			t.Errorf("%q: have %v", host, have)
		}
	}
}

func TestEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"https://Pay.Example": "pay.example", "https://pay.example:443/": "pay.example", "http://localhost:80/x": "localhost/x",
		"https://pay.example:8443/v1/": "pay.example:8443/v1", "https://pay.example./v1": "pay.example/v1", "https://pay.example:80": "pay.example:80",
		"http://[::1]:8080": "[::1]:8080", "https://pay.example/A": "pay.example/A",
	} {
		if have := check.Endpoint(text); have != want {
			t.Errorf("%s: have %q, want %q", text, have, want)
		}
	}
}
