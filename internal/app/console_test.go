package app_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/archive"
	"payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// consoleSection is a console of a test environment, with a link to sign in.
func consoleSection(s *testenv.System) (listen, section string) {
	listen = testenv.FreeAddress(s.T)
	return listen, "\nconsole:\n  listen: " + listen + "\n  base_url: http://" + listen + "\n  links: true\nworker:\n"
}

var linkPattern = regexp.MustCompile(`link="?(http://\S+?)"?(?:\s|$)`)

// enter signs in with the link that the console printed.
func enter(t *testing.T, logs string) *http.Client {
	t.Helper()
	m := linkPattern.FindStringSubmatch(logs)
	if m == nil {
		t.Fatalf("no link in %s", logs)
	}
	link, err := url.Parse(m[1])
	if err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Timeout: timeout}
	reply, err := client.PostForm("http://"+link.Host+"/sign-in/link", url.Values{"token": {link.Query().Get("token")}})
	if err != nil {
		t.Fatal(err)
	}
	_ = reply.Body.Close()
	if reply.StatusCode != http.StatusOK || reply.Request.URL.Path != "/" {
		t.Fatalf("%s at %s", reply.Status, reply.Request.URL)
	}
	return client
}

var consolePages = []string{"/", "/attention", "/payments", "/payments.csv", "/payments/teemopay-kr/D-1", "/parked", "/dead-letters", "/audit", "/ledgers", "/statements", "/providers", "/providers/teemopay-kr"}

// The program shows every page to who has the link of its start, and ends in good order while a page is live.
func TestConsoleProgram(t *testing.T) {
	nats := natstest.Start(t)
	conn := makeStreams(t, nats.URL())
	_, err := conn.Append(t.Context(), submittingPayment(), 0)
	if err != nil {
		t.Fatal(err)
	}
	showsAllPages(t, nats.URL())
}

func submittingPayment() payment.Payment {
	return payment.Payment{
		Ref: payment.Ref{Provider: "teemopay-kr", Order: "D-1"}, Operation: payment.Deposit, Status: payment.Submitting, Revision: 1, Amount: payment.KRW(10_000), UpdatedAt: time.Now().UTC(),
	}
}

func showsAllPages(t *testing.T, nats string) {
	t.Helper()
	s := configured(t, nats)
	listen, section := consoleSection(s)
	s.Edit("\nworker:\n", section)
	b := beginConfigured(t, app.Console(), s)
	defer b.stop()
	b.sees("its address", func() bool { return strings.Contains(b.logs.String(), "listening on") || isClosed(b.works) })
	b.sees("readiness", func() bool { status, _ := get(t, b.admin+"/readyz"); return status == http.StatusOK })
	store, err := archive.Open(t.Context(), archive.Location{File: b.archive}) // as the archive program makes it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	client := enter(t, b.logs.String())
	linksOnRequest(t, b, s.Config)
	for _, path := range consolePages {
		reply, err := client.Get("http://" + listen + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
		if reply.StatusCode != http.StatusOK {
			t.Errorf("%s: %s\n%s", path, reply.Status, b.logs)
		}
	}
	live, err := client.Get("http://" + listen + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = live.Body.Close() }()
	b.stop()
	if err := <-b.ended; err != nil {
		t.Error(err)
	}
	if strings.Contains(b.logs.String(), "restarting the log reader") {
		t.Errorf("the log cannot be followed: %s", b.logs)
	}
}

// linksOnRequest asks for another link as payctl does, and as a browser and another machine would.
func linksOnRequest(t *testing.T, b *beginning, config string) {
	t.Helper()
	if !strings.Contains(b.logs.String(), "for another link: payctl console link --config "+config) {
		t.Errorf("no command for another link in %s", b.logs)
	}
	for header, want := range map[string]int{"": http.StatusOK, "Origin": http.StatusForbidden, "Sec-Fetch-Site": http.StatusForbidden} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, b.admin+app.LinkPath, nil)
		if header != "" {
			req.Header.Set(header, "http://evil.example")
		}
		reply, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(reply.Body)
		_ = reply.Body.Close()
		if reply.StatusCode != want || strings.Contains(string(text), "token=") != (want == http.StatusOK) {
			t.Errorf("%q: %s %s", header, reply.Status, text)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
