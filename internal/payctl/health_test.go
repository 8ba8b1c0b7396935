package payctl_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHealth(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	run(t, "", "health", server.URL+"/readyz").expect(t, 0, "ready\n", "")
	run(t, "", "health", server.URL+"/other").expect(t, 1, "", "answers 503 Service Unavailable; see its log")
	server.Close()
	run(t, "", "health", server.URL+"/readyz").expect(t, 1, "", "refused\nNext: check that the service runs")
	for _, wrong := range []string{"127.0.0.1:9091", "readyz", "http://"} {
		run(t, "", "health", wrong).expect(t, 2, "", "URL like http://127.0.0.1:9091/readyz")
	}
	run(t, "", "health").expect(t, 2, "", "takes URL")
}
