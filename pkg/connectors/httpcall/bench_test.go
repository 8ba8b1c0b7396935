package httpcall_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"payonce/pkg/connectors/httpcall"
)

// BenchmarkSendKept measures a request over a connection that was open already, server included.
func BenchmarkSendKept(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	client := httpcall.NewClient(httpcall.Options{})
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if _, err := httpcall.Send(ctx, client, httpcall.Request{Method: http.MethodPost, URL: server.URL, Body: make([]byte, 700)}); err != nil {
			b.Fatal(err)
		}
		cancel()
	}
}
