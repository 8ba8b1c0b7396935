package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"payonce/internal/console/signin"
	"payonce/pkg/secret"
)

// testIssuer is an issuer of OpenID Connect on a real server.
type testIssuer struct {
	*httptest.Server
	signer jose.Signer
	claims map[string]any // beside those of the protocol
	change func(map[string]any)

	mu    sync.Mutex
	asked url.Values // of the last authorisation
	down  bool
}

var issuerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newIssuer(t *testing.T) *testIssuer {
	t.Helper()
	i := &testIssuer{claims: map[string]any{"preferred_username": "kim", "groups": []string{"staff", "ops"}}}
	var err error
	i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: issuerKey()}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	reply := func(w http.ResponseWriter, body any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if i.isDown() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		reply(w, map[string]any{"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: issuerKey().Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.asked = r.URL.Query()
		i.mu.Unlock()
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?code=the-code&state="+url.QueryEscape(r.URL.Query().Get("state")), http.StatusFound)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		_, secret, _ := r.BasicAuth()
		if r.PostFormValue("code") != "the-code" || secret != "the-secret" ||
			oauth2.S256ChallengeFromVerifier(r.PostFormValue("code_verifier")) != i.asked.Get("code_challenge") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		reply(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": i.token(t)})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *testIssuer) isDown() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.down
}

func (i *testIssuer) token(t *testing.T) string {
	claims := map[string]any{"iss": i.URL, "aud": "console", "sub": "1", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "nonce": i.asked.Get("nonce")}
	for name, value := range i.claims {
		claims[name] = value
	}
	if i.change != nil {
		i.change(claims)
	}
	token, err := jwt.Signed(i.signer).Claims(claims).Serialize()
	if err != nil {
		t.Error(err)
	}
	return token
}

func withIssuer(t *testing.T, i *testIssuer, nameClaim string) *gate {
	return open(t, func(o *signin.Options) {
		o.Users = nil
		o.OIDC = &signin.OIDC{
			Issuer: i.URL, ClientID: "console", ClientSecret: secret.New("the-secret"), NameClaim: nameClaim, RolesClaim: "groups",
			Roles: map[string]signin.Role{"ops": signin.Operator},
		}
	})
}

// walk goes the whole way of a browser and returns the last answer before the console's own pages.
func walk(t *testing.T, g *gate, b *http.Client) answer {
	t.Helper()
	a := get(t, b, g.server.URL+"/sign-in/oidc?next=/audit")
	for a.status == http.StatusFound {
		a = get(t, b, a.location)
	}
	return a
}

func TestOpenIDConnect(t *testing.T) {
	i := newIssuer(t)
	g, b := withIssuer(t, i, "preferred_username"), browser(t)
	if a := walk(t, g, b); a.status != http.StatusSeeOther || a.location != "/audit" {
		t.Fatalf("signing in: %+v; %s", a, g.logged())
	}
	if a := get(t, b, g.server.URL+"/"); a.body != "kim [operator]" {
		t.Errorf("signed in: %+v", a)
	}
	if text := g.logged(); strings.Contains(text, "the-code") || strings.Contains(text, "the-secret") {
		t.Errorf("the log shows secrets: %s", text)
	}
}

// Each of these is one thing that an ID token must not be.
func TestIDTokensThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"another nonce":     func(c map[string]any) { c["nonce"] = "another" },
		"another audience":  func(c map[string]any) { c["aud"] = "another" },
		"another issuer":    func(c map[string]any) { c["iss"] = "https://another.example" },
		"too old":           func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		"no name":           func(c map[string]any) { delete(c, "preferred_username") },
		"a name of control": func(c map[string]any) { c["preferred_username"] = "kim\x1b[2J" },
	} {
		i := newIssuer(t)
		i.change = change
		g, b := withIssuer(t, i, "preferred_username"), browser(t)
		if a := walk(t, g, b); a.status != http.StatusUnauthorized || !strings.Contains(a.body, "issuer_wrong") {
			t.Errorf("%s: %+v", name, a)
		}
		if a := get(t, b, g.server.URL+"/"); a.status != http.StatusSeeOther {
			t.Errorf("%s: signed in: %+v", name, a)
		}
	}
}

func TestPeopleOfTheIssuerWithoutARole(t *testing.T) {
	i := newIssuer(t)
	i.claims["groups"] = []string{"staff"}
	if a := walk(t, withIssuer(t, i, "preferred_username"), browser(t)); a.status != http.StatusForbidden || !strings.Contains(a.body, "no_role") {
		t.Errorf("without a role: %+v", a)
	}
}

func TestAddressesMustBeVerified(t *testing.T) {
	for _, verified := range []any{nil, false, "true", true} {
		i := newIssuer(t)
		i.claims["email"], i.claims["email_verified"] = "kim@example.com", verified
		want := http.StatusUnauthorized
		if verified == true {
			want = http.StatusSeeOther
		}
		if a := walk(t, withIssuer(t, i, "email"), browser(t)); a.status != want {
			t.Errorf("email_verified %v: %+v", verified, a)
		}
	}
}

// An answer of the issuer is worth something only in the browser that asked, and once.
func TestAnswersOfOtherBeginnings(t *testing.T) {
	i := newIssuer(t)
	g, b := withIssuer(t, i, "preferred_username"), browser(t)
	a := get(t, b, g.server.URL+"/sign-in/oidc")
	a = get(t, b, a.location)
	back := a.location
	if a := get(t, browser(t), back); a.status != http.StatusUnauthorized {
		t.Errorf("in another browser: %+v", a)
	}
	other := browser(t)
	get(t, other, g.server.URL+"/sign-in/oidc")
	if a := get(t, other, back); a.status != http.StatusUnauthorized {
		t.Errorf("in a browser that began itself: %+v", a)
	}
	if a := get(t, b, back); a.status != http.StatusSeeOther {
		t.Errorf("in its own: %+v; %s", a, g.logged())
	}
	if a := get(t, b, back); a.status != http.StatusUnauthorized {
		t.Errorf("twice: %+v", a)
	}
}

func TestIssuerAway(t *testing.T) {
	i := newIssuer(t)
	g, b := withIssuer(t, i, "preferred_username"), browser(t)
	i.mu.Lock()
	i.down = true
	i.mu.Unlock()
	if a := walk(t, g, b); a.status != http.StatusBadGateway || !strings.Contains(a.body, "issuer_away") {
		t.Errorf("away: %+v", a)
	}
	i.mu.Lock()
	i.down = false
	i.mu.Unlock()
	if a := walk(t, g, b); a.status != http.StatusSeeOther {
		t.Errorf("back again: %+v", a)
	}
}
