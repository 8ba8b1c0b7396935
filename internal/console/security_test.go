package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"payonce/internal/console"
	"payonce/pkg/payment"
)

// A link that is spent says how to get another one: by a command, or where there is none by a restart.
func TestSpentLink(t *testing.T) {
	const restart, command = "Start the console again", "payctl console link --config /etc/payonce.yaml"
	for name, given := range map[string]string{"without": "", "with": command} {
		t.Run(name, func(t *testing.T) {
			s := start(t, func(o *console.Options) { o.SignIn.Links, o.LinkCommand = true, given })
			status, _, page := s.get(http.DefaultClient, "/sign-in/link?token=x")
			if status != http.StatusUnauthorized || strings.Contains(page, restart) != (given == "") || strings.Contains(page, ">"+command+"</pre>") != (given != "") {
				t.Errorf("%d %s", status, page)
			}
		})
	}
}

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

// actionPaths are all paths at which something is done, with a form that is complete.
func actionPaths() map[string]url.Values {
	one := url.Values{"payment": {"acme/P-1"}, "reason": {"x"}}
	decided := url.Values{"sequence": {"1"}, "outcome": {"failed"}, "reason": {"x"}}
	return map[string]url.Values{
		"/actions/release": one, "/actions/cancel": one, "/actions/replay": {"letter": {"1"}, "reason": {"x"}}, "/actions/drop": {"letter": {"1"}, "reason": {"x"}},
		"/payments/acme/D-1/resolve": decided, "/payments/acme/D-1/retry": decided, "/payments/acme/D-1/skip": decided, "/payments/acme/A-1/unmask": decided,
		"/approvals/1/approve": {"reason": {"x"}}, "/approvals/1/refuse": {"reason": {"x"}}, "/approvals/1/import": {"reason": {"x"}},
		"/ledgers/endpoints/shop/test": {"reason": {"x"}}, "/ledgers/endpoints/shop/disable": {"reason": {"x"}}, "/ledgers/endpoints/shop/enable": {"reason": {"x"}},
		"/ledgers/endpoints/shop/replay": {"provider": {"acme"}, "order": {"D-1"}, "number": {"1"}, "reason": {"x"}},
	}
}

// toActOn has something for each action, and returns what AUDIT has then: one request.
func (s system) toActOn() string {
	s.park("P-1")
	s.deadLetter("X-1")
	s.append(newPayment("D-1"), 0, in(payment.Submitting), in(payment.InDoubt))
	s.append(newPayment("A-1"), 0, in(payment.Submitting), func(p *payment.Payment) {
		p.Status, p.Action = payment.Pending, &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/secret"}}
	})
	s.conflict("C-1", 9_000_000)
	lee := s.clientOf("lee")
	form := s.form(lee, "/payments/acme/C-1/resolve")
	form.Set("outcome", "settled")
	form.Set("reason", "seen")
	if status, page := s.post(lee, "/payments/acme/C-1/resolve", form); status != http.StatusOK || !strings.Contains(page, "needs a second person") {
		s.t.Fatalf("%d %s", status, page)
	}
	return s.audits()
}

// Each action is refused to who has not its role, and nothing of it is done.
func TestActionsAreRefusedWithoutTheRole(t *testing.T) {
	s := start(t)
	before := s.toActOn()
	clients := map[string]*http.Client{"kim": s.clientOf("kim"), "ann": s.clientOf("ann"), "lee": s.clientOf("lee")}
	refused := func(name, path string, form url.Values) {
		t.Helper()
		client := clients[name]
		if status, page := s.post(client, path, form); status != http.StatusForbidden || strings.Contains(page, "pay.example") {
			t.Errorf("%s at %s: %d", name, path, status)
		}
		if strings.HasPrefix(path, "/approvals/") {
			return
		}
		if status, _, _ := s.get(client, path+"?"+form.Encode()); status != http.StatusForbidden {
			t.Errorf("%s sees %s: %d", name, path, status)
		}
	}
	for path, form := range actionPaths() {
		refused("kim", path, form)
	}
	for _, path := range []string{"/payments/acme/A-1/unmask", "/approvals/1/approve", "/approvals/1/refuse"} {
		refused("ann", path, actionPaths()[path])
	}
	if status, page := s.post(clients["lee"], "/approvals/1/approve", url.Values{"reason": {"mine"}}); status != http.StatusOK || !strings.Contains(page, "You made this request") {
		t.Errorf("the own request: %d", status)
	}
	for _, path := range []string{"/payments", "/parked", "/payments/acme/P-1", "/payments/acme/D-1", "/dead-letters"} {
		if _, _, page := s.get(clients["kim"], path); strings.Contains(page, "/actions/") || strings.Contains(page, "/resolve") {
			t.Errorf("a viewer's %s leads to actions", path)
		}
	}
	if after := s.audits(); after != before {
		t.Errorf("AUDIT has\n%s", after)
	}
}

// A form on another site does nothing in the session of who could do it.
func TestForgedActionsAreRefused(t *testing.T) {
	s := start(t)
	before := s.toActOn()
	lee := s.clientOf("lee")
	for path, form := range actionPaths() {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set(name, value)
			reply, err := lee.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = reply.Body.Close()
			if reply.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %s: %s", path, name, reply.Status)
			}
		}
	}
	if after := s.audits(); after != before {
		t.Errorf("AUDIT has\n%s", after)
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
