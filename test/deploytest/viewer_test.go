package deploytest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"payonce/test/testenv"
)

// consoleShows signs in to the console, whose key can only read, and opens every page. One of them lists what the system has.
func consoleShows(t *testing.T, s *system) {
	t.Helper()
	link := ""
	eventually(t, "the console's link", func() bool {
		m := regexp.MustCompile(`link="?(http://` + regexp.QuoteMeta(s.consoleAt) + `\S+?)"?(?:\s|$)`).FindStringSubmatch(s.logs.String())
		if m != nil {
			link = m[1]
		}
		return m != nil
	})
	at, err := url.Parse(link)
	testenv.Must(t, err)
	jar, err := cookiejar.New(nil)
	testenv.Must(t, err)
	client := &http.Client{Jar: jar, Timeout: timeout}
	reply, err := client.PostForm("http://"+at.Host+"/sign-in/link", url.Values{"token": {at.Query().Get("token")}})
	testenv.Must(t, err)
	_ = reply.Body.Close()
	for path, has := range map[string]string{
		"/": "teemopay-kr", "/attention": "", "/payments": "N-1", "/payments.csv": "N-1", "/payments/teemopay-kr/N-1": "settled",
		"/parked": "", "/dead-letters": "", "/audit": "", "/ledgers": "ledger-", "/statements": "", "/providers": "teemopay-kr", "/providers/teemopay-kr": "teemopay-kr",
	} {
		reply, err := client.Get("http://" + s.consoleAt + path)
		testenv.Must(t, err)
		body, err := io.ReadAll(reply.Body)
		testenv.Must(t, err)
		_ = reply.Body.Close()
		if reply.StatusCode != http.StatusOK || !strings.Contains(strings.ToLower(string(body)), strings.ToLower(has)) {
			t.Errorf("%s: %s, without %q\n%s", path, reply.Status, has, body)
		}
	}
}
