package httpcall_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors/httpcall"
)

func TestClockIsTheDateOfAnyAnswer(t *testing.T) {
	asked := make(chan *http.Request, 1)
	server := serve(t, func(conn net.Conn, r *http.Request, _ int64) bool {
		asked <- r
		return write(conn, "HTTP/1.1 404 Not Found\r\nDate: Sun, 22 Nov 2026 06:30:05 GMT\r\nContent-Length: 2\r\n\r\nno")
	})
	// What is in the address besides its host never leaves.
	got, err := httpcall.Clock(testContext(t), newClient(t, httpcall.Options{}), "http://user:"+headerMark+"@"+strings.TrimPrefix(server.url(), "http://")+"/v2?key="+queryMark)
	if want := time.Date(2026, 11, 22, 6, 30, 5, 0, time.UTC); err != nil || !got.Equal(want) {
		t.Fatalf("%v, %v; want %v", got, err, want)
	}
	r := <-asked
	if r.Method != http.MethodGet || r.RequestURI != "/" || r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		t.Errorf("asked with %s %s, length %d", r.Method, r.RequestURI, r.ContentLength)
	}
	for name := range r.Header {
		if name != "User-Agent" && name != "Connection" {
			t.Errorf("the question has the header %s", name)
		}
	}
	if n := server.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestClockIsNotGuessed(t *testing.T) {
	for name, reply := range map[string]string{
		"no date":  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"nonsense": "HTTP/1.1 200 OK\r\nDate: yesterday\r\nContent-Length: 2\r\n\r\n{}",
	} {
		server := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool { return write(conn, reply) })
		if got, err := httpcall.Clock(testContext(t), newClient(t, httpcall.Options{}), server.url()); err == nil || !got.IsZero() {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := httpcall.Clock(testContext(t), newClient(t, httpcall.Options{}), "/nowhere"); err == nil {
		t.Error("an address without a host was asked")
	}
}
