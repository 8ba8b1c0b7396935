package payctl_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestConsoleLink(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/sign-in-link" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("http://127.0.0.1:8091/sign-in/link?token=x\x1b[2J\n"))
	}))
	at := strings.TrimPrefix(server.URL, "http://")
	config := withConsole(t, "links: true, admin_listen: '"+at+"'")
	run(t, "", "console", "link", "--config", config).expect(t, 0, "http://127.0.0.1:8091/sign-in/link?token=x\ufffd[2J\n", "")
	_, port, _ := strings.Cut(at, ":")
	run(t, "", "console", "link", "--config", withConsole(t, "links: true, admin_listen: ':"+port+"'")).expect(t, 0, "token=x", "")
	for _, without := range []string{"links: true", "admin_listen: '" + at + "'", "links: true, admin_listen: 127.0.0.1:0"} {
		run(t, "", "console", "link", "--config", withConsole(t, without)).expect(t, 2, "", "the console makes no links")
	}
	server.Close()
	run(t, "", "console", "link", "--config", config).expect(t, 1, "", "refused\nNext: check that the console runs")
}

// withConsole is the configuration of a test environment with a console.
func withConsole(t *testing.T, section string) string {
	t.Helper()
	path := configuration(t, "nats://127.0.0.1:1", "")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, []byte("\nconsole: {"+section+"}\n")...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
