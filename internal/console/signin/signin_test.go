package signin_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/argon2id"
	"golang.org/x/crypto/bcrypt"

	"payonce/internal/console/signin"
	"payonce/pkg/secret"
)

const password = "correct horse battery staple"

var hashes = sync.OnceValue(func() [2]secret.Value {
	argon, err := argon2id.CreateHash(password, &argon2id.Params{Memory: 16 << 10, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		panic(err)
	}
	b, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		panic(err)
	}
	return [2]secret.Value{secret.New(argon), secret.New(string(b))}
})

// gate is a Gate on a real server, before a handler that says who calls.
type gate struct {
	*signin.Gate
	server *httptest.Server
	mu     sync.Mutex
	log    strings.Builder
}

func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log.Write(b)
}

func (g *gate) logged() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.log.String()
}

func options(g *gate, base string) signin.Options {
	u, _ := url.Parse(base)
	return signin.Options{
		BaseURL: u, Idle: time.Hour, Lifetime: 8 * time.Hour, Logger: slog.New(slog.NewTextHandler(g, nil)),
		Users: []signin.User{
			{Name: "kim", PasswordHash: hashes()[0], Roles: []signin.Role{signin.Operator}},
			{Name: "lee", PasswordHash: hashes()[1], Roles: []signin.Role{signin.Viewer, signin.Approver}},
		},
		Page: func(w http.ResponseWriter, _ *http.Request, p signin.Page) {
			w.WriteHeader(p.Status)
			fmt.Fprintf(w, "sign in: %s next=%s link=%s", p.Problem, p.Next, p.Link)
		},
	}
}

func open(t *testing.T, change func(*signin.Options)) *gate {
	t.Helper()
	g := &gate{}
	var handler http.Handler
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(g.server.Close)
	o := options(g, g.server.URL)
	if change != nil {
		change(&o)
	}
	var err error
	if g.Gate, err = signin.New(o); err != nil {
		t.Fatal(err)
	}
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := signin.From(r.Context())
		fmt.Fprintf(w, "%s %v", p.Name, p.Roles)
	})
	denied := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	mux := http.NewServeMux()
	mux.Handle("/", g.Require(signin.Viewer, who, denied))
	mux.Handle("POST /act", g.Require(signin.Operator, who, denied))
	handler = g.Handler(mux)
	return g
}

// browser keeps cookies and follows no redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	status   int
	location string
	body     string
	cookies  []*http.Cookie
}

func do(t *testing.T, c *http.Client, r *http.Request) answer {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header.Get("Location"), string(body), res.Cookies()}
}

func get(t *testing.T, c *http.Client, url string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, c, r)
}

func post(t *testing.T, c *http.Client, to string, form url.Values) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, c, r)
}

func login(t *testing.T, g *gate, c *http.Client, name, password, next string) answer {
	t.Helper()
	return post(t, c, g.server.URL+"/sign-in", url.Values{"name": {name}, "password": {password}, "next": {next}})
}

func TestPasswords(t *testing.T) {
	g := open(t, nil)
	for _, name := range []string{"kim", "lee"} {
		b := browser(t)
		if a := get(t, b, g.server.URL+"/payments?status=conflict"); a.status != http.StatusSeeOther || a.location != "/sign-in?next=%2Fpayments%3Fstatus%3Dconflict" {
			t.Fatalf("without signing in %+v", a)
		}
		if a := post(t, b, g.server.URL+"/act", nil); a.status != http.StatusUnauthorized {
			t.Fatalf("an action without signing in: %+v", a)
		}
		if a := login(t, g, b, name, password+"x", "/"); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "wrong_login") || len(a.cookies) > 0 {
			t.Fatalf("a wrong password: %+v", a)
		}
		a := login(t, g, b, name, password, "/payments?status=conflict")
		if a.status != http.StatusSeeOther || a.location != "/payments?status=conflict" || len(a.cookies) != 1 {
			t.Fatalf("signing in: %+v", a)
		}
		if c := a.cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 0 {
			t.Errorf("the cookie is %+v", c)
		}
		if a := get(t, b, g.server.URL+"/"); !strings.HasPrefix(a.body, name+" ") {
			t.Errorf("signed in: %+v", a)
		}
		want := map[string]int{"kim": http.StatusOK, "lee": http.StatusForbidden}[name]
		if a := post(t, b, g.server.URL+"/act", nil); a.status != want {
			t.Errorf("%s acts: %+v", name, a)
		}
		old := b.Jar.Cookies(g.url(t))
		if a := post(t, b, g.server.URL+"/sign-out", nil); a.location != "/sign-in" {
			t.Errorf("signing out: %+v", a)
		}
		b.Jar.SetCookies(g.url(t), old)
		if a := get(t, b, g.server.URL+"/"); a.status != http.StatusSeeOther {
			t.Errorf("the old cookie still works after signing out: %+v", a)
		}
	}
	if text := g.logged(); strings.Contains(text, password) || strings.Contains(text, "$argon2id$") {
		t.Errorf("the log shows a password: %s", text)
	}
}

func (g *gate) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(g.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// A session that was begun before the sign-in must not become a person's.
func TestSessionIsNewAfterSigningIn(t *testing.T) {
	g := open(t, nil)
	b := browser(t)
	login(t, g, b, "kim", password, "/")
	before := b.Jar.Cookies(g.url(t))[0].Value
	login(t, g, b, "lee", password, "/")
	thief := browser(t)
	thief.Jar.SetCookies(g.url(t), []*http.Cookie{{Name: "payonce-session", Value: before}})
	if a := get(t, thief, g.server.URL+"/"); a.status != http.StatusSeeOther {
		t.Errorf("the token from before is %+v", a)
	}
}

func TestCookiesOfHTTPS(t *testing.T) {
	g := open(t, func(o *signin.Options) { o.BaseURL, _ = url.Parse("https://console.example.com") })
	a := login(t, g, browser(t), "kim", password, "/")
	if len(a.cookies) != 1 || !a.cookies[0].Secure || a.cookies[0].Name != "__Host-payonce-session" {
		t.Errorf("cookies: %+v", a.cookies)
	}
}

func TestNextStaysHere(t *testing.T) {
	g := open(t, nil)
	for next, want := range map[string]string{
		"/payments/a/b?x=1": "/payments/a/b?x=1", "": "/", "https://evil.example": "/", "//evil.example": "/", `/\evil.example`: "/",
		"/\t/evil.example": "/", "javascript:alert(1)": "/", "evil": "/", "/sign-out": "/", "%2F%2Fevil.example": "/", "/%zz": "/",
	} {
		if a := login(t, g, browser(t), "kim", password, next); a.location != want && a.status == http.StatusSeeOther {
			t.Errorf("next %q goes to %q, want %q", next, a.location, want)
		}
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	g := open(t, nil)
	tried, b := 0, browser(t)
	for ; tried < 20; tried++ {
		if a := login(t, g, b, "kim", "guess", "/"); a.status == http.StatusTooManyRequests {
			break
		}
	}
	if tried != 5 {
		t.Errorf("%d guesses were compared", tried)
	}
	if a := login(t, g, b, "kim", password, "/"); a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "too_often") {
		t.Errorf("the right password after them: %+v", a)
	}
	if a := login(t, g, b, "lee", password, "/"); a.status != http.StatusSeeOther {
		t.Errorf("another person: %+v", a)
	}
	if a := post(t, b, g.server.URL+"/sign-in", url.Values{"name": {"kim"}, "password": {strings.Repeat("x", 9<<10)}}); a.status != http.StatusUnauthorized {
		t.Errorf("a form that is too long: %+v", a)
	}
}

func TestLink(t *testing.T) {
	g := open(t, func(o *signin.Options) { o.Links, o.Users = true, nil })
	link, err := g.Invite(signin.Person{Name: "demo", Roles: signin.Roles()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // looking at it changes nothing
		if a := get(t, browser(t), link); a.status != http.StatusOK || len(a.cookies) > 0 {
			t.Fatalf("the link shows %+v", a)
		}
	}
	u, _ := url.Parse(link)
	b, form := browser(t), url.Values{"token": {u.Query().Get("token")}}
	if a := post(t, b, g.server.URL+"/sign-in/link", form); a.status != http.StatusSeeOther {
		t.Fatalf("using it: %+v", a)
	}
	if a := get(t, b, g.server.URL+"/"); a.body != "demo [viewer operator approver unmask]" {
		t.Errorf("signed in: %+v", a)
	}
	if a := post(t, browser(t), g.server.URL+"/sign-in/link", form); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "link_used") {
		t.Errorf("using it twice: %+v", a)
	}
	if strings.Contains(g.logged(), u.Query().Get("token")) {
		t.Error("the log shows the token")
	}
}

func TestLinksAreOffUnlessAllowed(t *testing.T) {
	g := open(t, nil)
	if link, err := g.Invite(signin.Person{Name: "demo", Roles: signin.Roles()}); err == nil {
		t.Errorf("a link was made: %s", link)
	}
}

// Sessions and links end by time.
func TestTimeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		o := options(g, "http://console.example")
		o.Links = true
		made, err := signin.New(o)
		if err != nil {
			t.Fatal(err)
		}
		handler := made.Handler(made.Require(signin.Viewer, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil))
		call := func(method, to string, form url.Values, cookie string) *http.Response {
			r := httptest.NewRequest(method, to, strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w.Result()
		}
		enter := func() *http.Response {
			link, err := made.Invite(signin.Person{Name: "demo", Roles: signin.Roles()})
			if err != nil {
				t.Fatal(err)
			}
			u, _ := url.Parse(link)
			time.Sleep(9 * time.Minute)
			return call(http.MethodPost, "/sign-in/link", url.Values{"token": {u.Query().Get("token")}}, "")
		}
		cookie := strings.Split(enter().Header.Get("Set-Cookie"), ";")[0]
		for range 9 { // in use, so only the lifetime ends it
			time.Sleep(50 * time.Minute)
			if res := call(http.MethodGet, "/", nil, cookie); res.StatusCode != http.StatusOK {
				t.Fatalf("in use: %d", res.StatusCode)
			}
		}
		time.Sleep(31 * time.Minute)
		if res := call(http.MethodGet, "/", nil, cookie); res.StatusCode != http.StatusSeeOther {
			t.Errorf("after its lifetime: %d", res.StatusCode)
		}
		cookie = strings.Split(enter().Header.Get("Set-Cookie"), ";")[0]
		time.Sleep(61 * time.Minute)
		if res := call(http.MethodGet, "/", nil, cookie); res.StatusCode != http.StatusSeeOther {
			t.Errorf("idle: %d", res.StatusCode)
		}
		link, _ := made.Invite(signin.Person{Name: "demo", Roles: signin.Roles()})
		u, _ := url.Parse(link)
		time.Sleep(11 * time.Minute)
		if res := call(http.MethodPost, "/sign-in/link", url.Values{"token": {u.Query().Get("token")}}, ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("an old link: %d", res.StatusCode)
		}
	})
}

func TestProxy(t *testing.T) {
	proxy := func(o *signin.Options) {
		o.Users = nil
		o.Proxy = &signin.Proxy{
			NameHeader: "X-Forwarded-User", RolesHeader: "X-Forwarded-Groups", Trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
			Roles: map[string]signin.Role{"payments": signin.Viewer, "payments-ops": signin.Operator},
		}
	}
	with := func(g *gate, headers ...string) answer {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, g.server.URL+"/", nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		return do(t, browser(t), r)
	}
	g := open(t, proxy)
	if a := with(g, "X-Forwarded-User", "kim", "X-Forwarded-Groups", "staff, payments-ops,payments"); a.body != "kim [operator viewer]" {
		t.Errorf("signed in by the proxy: %+v", a)
	}
	if a := with(g, "X-Forwarded-User", "kim", "X-Forwarded-Groups", "staff"); a.status != http.StatusForbidden {
		t.Errorf("without a role: %+v", a)
	}
	if a := with(g, "X-Forwarded-User", "kim", "X-Forwarded-User", "root", "X-Forwarded-Groups", "payments"); a.status != http.StatusSeeOther {
		t.Errorf("two names: %+v", a)
	}
	other := open(t, func(o *signin.Options) {
		proxy(o)
		o.Proxy.Trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	if a := with(other, "X-Forwarded-User", "kim", "X-Forwarded-Groups", "payments-ops"); a.status != http.StatusSeeOther {
		t.Errorf("from an address that is not the proxy's: %+v", a)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	weak, _ := bcrypt.GenerateFromPassword([]byte("x"), 4)
	for name, change := range map[string]func(*signin.Options){
		"a base URL":               func(o *signin.Options) { o.BaseURL = nil },
		"the lifetime not shorter": func(o *signin.Options) { o.Lifetime = time.Minute },
		"no way to sign in":        func(o *signin.Options) { o.Users = nil },
		"two users":                func(o *signin.Options) { o.Users = append(o.Users, o.Users[0]) },
		"needs a role":             func(o *signin.Options) { o.Users[0].Roles = nil },
		"of argon2id or bcrypt":    func(o *signin.Options) { o.Users[0].PasswordHash = secret.New("secret") },
		"cost of 10 to 14":         func(o *signin.Options) { o.Users[0].PasswordHash = secret.New(string(weak)) },
		"16 to 256 MiB": func(o *signin.Options) {
			o.Users[0].PasswordHash = secret.New("$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHQ")
		},
		"1 to 64 printable":    func(o *signin.Options) { o.Users[0].Name = "kim\x1b[2J" },
		"OpenID Connect needs": func(o *signin.Options) { o.OIDC = &signin.OIDC{Issuer: "x"} },
		"a proxy needs":        func(o *signin.Options) { o.Proxy = &signin.Proxy{} },
	} {
		o := options(&gate{}, "http://127.0.0.1")
		change(&o)
		_, err := signin.New(o)
		if name == "a base URL" {
			name = "the base URL must be"
		}
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "$2a$") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
