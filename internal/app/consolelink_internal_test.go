package app

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A link is made for programs on the console's own machine only.
func TestLinksForThisMachineOnly(t *testing.T) {
	answer := answerLink(func() (string, error) { return "http://console.example/sign-in/link?token=x", nil })
	for from, want := range map[string]int{"127.0.0.1:1": http.StatusOK, "[::1]:1": http.StatusOK, "[::ffff:127.0.0.1]:1": http.StatusOK, "10.0.0.7:1": http.StatusForbidden, "": http.StatusForbidden} {
		r, w := httptest.NewRequest(http.MethodPost, LinkPath, nil), httptest.NewRecorder()
		r.RemoteAddr = from
		if answer(w, r); w.Code != want {
			t.Errorf("from %q: %d, want %d", from, w.Code, want)
		}
	}
}
