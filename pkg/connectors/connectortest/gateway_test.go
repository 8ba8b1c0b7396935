package connectortest

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/connectors"
)

// complains reports whether a check fails, which may end it.
func complains(check func(t testing.TB)) bool {
	rec, done := &recorder{}, make(chan struct{})
	go func() {
		defer close(done)
		check(rec)
	}()
	<-done
	return rec.Failed()
}

// Exactly one request is one: what these checks let pass, no connector's own tests see.
func TestTheChecksOfConnectorsAreStrict(t *testing.T) {
	g := NewGateway(t, ThenDrop(Answer(http.StatusTeapot, "first")))
	post := func(body string) (*http.Response, error) {
		return g.Client().Post(g.URL+"/pay", "text/plain", strings.NewReader(body))
	}
	reply, err := post("one")
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if only := g.Only(t); reply.StatusCode != http.StatusTeapot || string(only.Body) != "one" || only.Target != "/pay" {
		t.Errorf("%d, %+v", reply.StatusCode, only)
	}
	if second, err := post("two"); err == nil {
		_ = second.Body.Close()
		t.Error("the second request was answered")
	}
	if n := len(g.Requests()); n != 2 {
		t.Errorf("%d requests are kept", n)
	}
	for name, check := range map[string]func(t testing.TB){
		"two requests":     func(t testing.TB) { g.Only(t) },
		"a plain error":    func(t testing.TB) { Classified(t, errors.New("plain")) },
		"no evidence":      func(t testing.TB) { Classified(t, &connectors.Error{Class: connectors.InDoubt}) },
		"another document": func(t testing.TB) { SameJSON(t, 1, 2) },
	} {
		if !complains(check) {
			t.Errorf("%s passes", name)
		}
	}
	if complains(func(t testing.TB) { SameJSON(t, []int{1}, []int{1}) }) {
		t.Error("the same document does not pass")
	}
}

// A request is read to its end, however many pieces it comes in.
func TestSwallowReadsAll(t *testing.T) {
	url, sent := Swallow(t, "end")
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	whole := strings.Repeat("x", 100_000) + "end"
	if _, err := conn.Write([]byte(whole)); err != nil {
		t.Error(err)
	}
	if got := sent(); string(got) != whole {
		t.Errorf("%d bytes, want %d", len(got), len(whole))
	}
}
