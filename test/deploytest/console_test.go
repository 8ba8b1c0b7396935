package deploytest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// consoleActs lets people act in the console, with its own key: what one asks for there, another approves with payctl, and the
// other way round.
func consoleActs(t *testing.T, s *system) {
	t.Helper()
	listen := testenv.FreeAddress(t)
	path := s.config(t, s.Config, "console", 1)
	text, err := os.ReadFile(path)
	testenv.Must(t, err)
	section := "\napprovals: {above: [1000000 KRW]}\nconsole: {listen: " + listen + ", base_url: http://" + listen + ", links: true, actions: true}\n"
	testenv.Must(t, os.WriteFile(path, append(text, section...), 0o600))
	stop := s.run(t, app.Console(), path)
	defer stop()
	c := s.enterConsole(t, listen)

	s.inDoubt(t, payment.Ref{Provider: "retired-kr", Order: "CO-1"}, payment.KRW(5_000_000))
	page := c.post(t, "/payments/retired-kr/CO-1/resolve", url.Values{"outcome": {"settled"}})
	asked := regexp.MustCompile(`/approvals/(\d+)"`).FindStringSubmatch(page)
	if asked == nil {
		t.Fatalf("nothing was requested: %s\n%s", page, s.logs)
	}
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "approved and carried out", "approvals", "approve", asked[1], "--reason", "seen", "--yes")
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "resolved_manually by test: seen in the console", "payment", "show", "retired-kr", "CO-1")

	s.inDoubt(t, payment.Ref{Provider: "retired-kr", Order: "CO-2"}, payment.KRW(5_000_000))
	_, out := s.payctl(t, "operator-kim", "payment", "resolve", "retired-kr", "CO-2", "--failed", "--reason", "ticket 4711", "--yes")
	asked = regexp.MustCompile(`another person must approve request (\d+) `).FindStringSubmatch(out)
	if asked == nil {
		t.Fatal(out)
	}
	if page := c.post(t, "/approvals/"+asked[1], nil); !strings.Contains(page, "Approved, and done") {
		t.Errorf("%s\n%s", page, s.logs)
	}
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "resolved_manually by kim: ticket 4711", "payment", "show", "retired-kr", "CO-2")
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, " test ", "audit", "list", "--action", "fail")
	s.wantPayctl(t, "operator-lee", payctl.ExitOK, "0 found.", "approvals", "verify")
}

// signedIn is a person in the console.
type signedIn struct {
	*http.Client
	url string
}

// linkOfConsole matches the link of the console at an address.
func linkOfConsole(listen string) *regexp.Regexp {
	return regexp.MustCompile(`link="?http://` + regexp.QuoteMeta(listen) + `\S*token=([^"\s]+)`)
}

// enterConsole signs in with the link that the console wrote into its log.
func (s *system) enterConsole(t *testing.T, listen string) signedIn {
	t.Helper()
	m := linkOfConsole(listen).FindStringSubmatch(s.logs.String())
	if m == nil {
		t.Fatalf("no link in %s", s.logs)
	}
	token, err := url.QueryUnescape(m[1])
	testenv.Must(t, err)
	jar, err := cookiejar.New(nil)
	testenv.Must(t, err)
	c := signedIn{&http.Client{Jar: jar, Timeout: timeout}, "http://" + listen}
	reply, err := c.PostForm(c.url+"/sign-in/link", url.Values{"token": {token}})
	testenv.Must(t, err)
	testenv.Must(t, reply.Body.Close())
	if reply.Request.URL.Path != "/" {
		t.Fatalf("%s at %s", reply.Status, reply.Request.URL)
	}
	return c
}

var sequenceSeen = regexp.MustCompile(`name="sequence" value="(\d+)"`)

// post opens the page of an action, says why, and sends its form. The page of a request is sent to be approved.
func (c signedIn) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	reply, err := c.Get(c.url + path)
	testenv.Must(t, err)
	page, err := io.ReadAll(reply.Body)
	testenv.Must(t, err)
	testenv.Must(t, reply.Body.Close())
	if form == nil {
		form, path = url.Values{}, path+"/approve"
	}
	if m := sequenceSeen.FindSubmatch(page); m != nil {
		form.Set("sequence", string(m[1]))
	}
	form.Set("reason", "seen in the console")
	reply, err = c.PostForm(c.url+path, form)
	testenv.Must(t, err)
	page, err = io.ReadAll(reply.Body)
	testenv.Must(t, err)
	testenv.Must(t, reply.Body.Close())
	return string(page)
}
