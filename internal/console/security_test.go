package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Every answer bounds what a browser does with it, and no page is kept by it.
func TestSecurityHeaders(t *testing.T) {
	s := start(t)
	client := s.client()
	for _, path := range []string{"/", "/sign-in", "/payments", "/nowhere", "/payments.csv", "/assets/console.js"} {
		_, header, body := s.get(client, path)
		policy := header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if caches := header.Get("Cache-Control"); caches != "no-store" && !strings.HasPrefix(path, "/assets/") {
			t.Errorf("%s: Cache-Control is %q", path, caches)
		}
		if strings.HasPrefix(header.Get("Content-Type"), "text/html") && (strings.Contains(body, " style=") || strings.Contains(body, " onclick=") || strings.Contains(body, "<script>")) {
			t.Errorf("%s has something inline", path)
		}
	}
	for _, c := range client.Jar.Cookies(nil) {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("%+v", c)
		}
	}
}

// A form on another site does nothing, in no session.
func TestForgedPostIsRefused(t *testing.T) {
	s := start(t)
	client := s.client()
	for _, path := range []string{"/sign-out", "/sign-in", "/language"} {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(url.Values{"to": {"ko"}}.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set(name, value)
			reply, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = reply.Body.Close()
			if reply.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %s: %s", path, name, reply.Status)
			}
		}
	}
	if status, _, _ := s.get(client, "/payments"); status != http.StatusOK {
		t.Error("the person was signed out")
	}
}

// Who has not signed in sees no page and follows nothing.
func TestOnlyPeopleWithARoleSee(t *testing.T) {
	s := start(t)
	anonymous := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"/", "/attention", "/payments", "/payments.csv", "/payments/acme/D-1", "/parked", "/dead-letters", "/audit", "/providers", "/providers/acme", "/live", "/nowhere"} {
		status, header, body := s.get(anonymous, path)
		if status != http.StatusSeeOther || !strings.HasPrefix(header.Get("Location"), "/sign-in?next=") || strings.Contains(body, "<html") {
			t.Errorf("%s: %d to %q", path, status, header.Get("Location"))
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/event-stream")
	reply, err := anonymous.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusUnauthorized {
		t.Errorf("/live: %s", reply.Status)
	}
}
