package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"payonce/pkg/secret"
)

// OIDC is an issuer of OpenID Connect.
type OIDC struct {
	Issuer       string // its URL
	ClientID     string
	ClientSecret secret.Value
	NameClaim    string          // the claim with the name that stands in the audit log, e.g. "preferred_username" or "email"
	RolesClaim   string          // the claim with a person's groups, e.g. "groups"
	Roles        map[string]Role // by group
}

func (o OIDC) validate() error {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || o.ClientID == "" || o.NameClaim == "" || o.RolesClaim == "" || len(o.Roles) == 0 {
		return errors.New("OpenID Connect needs the URL of the issuer, a client ID, the claims with name and groups, and roles")
	}
	return nil
}

const (
	issuerTimeout = 10 * time.Second
	// startLifetime is how long a person may take at the issuer.
	startLifetime = 10 * time.Minute
)

// issuer keeps what the issuer says of itself, once it has said it.
type issuer struct {
	mu       sync.Mutex
	provider *oidc.Provider
}

// client returns the issuer and our client of it, asking the issuer at first.
func (g *Gate) client(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	g.issuer.mu.Lock()
	defer g.issuer.mu.Unlock()
	if g.issuer.provider == nil {
		ctx = oidc.ClientContext(context.WithoutCancel(ctx), &http.Client{Timeout: issuerTimeout}) // it is kept for the issuer's keys
		provider, err := oidc.NewProvider(ctx, g.o.OIDC.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("issuer: %w", err)
		}
		g.issuer.provider = provider
	}
	return g.issuer.provider, &oauth2.Config{
		ClientID: g.o.OIDC.ClientID, ClientSecret: g.o.OIDC.ClientSecret.Reveal(), Endpoint: g.issuer.provider.Endpoint(),
		RedirectURL: g.o.BaseURL.JoinPath("/sign-in/callback").String(), Scopes: []string{oidc.ScopeOpenID, "profile", "email", "groups"},
	}, nil
}

// start is what the browser keeps while the person is at the issuer: the server keeps nothing of people it does not know.
type start struct {
	State, Nonce, Verifier, Next string
}

// toIssuer sends a person to the issuer.
func (g *Gate) toIssuer(w http.ResponseWriter, r *http.Request) {
	if g.o.OIDC == nil {
		http.NotFound(w, r)
		return
	}
	_, client, err := g.client(r.Context())
	if err != nil {
		g.o.Logger.ErrorContext(r.Context(), "the issuer of OpenID Connect does not answer", "error", err)
		g.page(w, r, Page{Status: http.StatusBadGateway, Problem: IssuerAway, Next: r.URL.Query().Get("next")})
		return
	}
	s := start{rand.Text(), rand.Text(), oauth2.GenerateVerifier(), Local(r.URL.Query().Get("next"))}
	if err := g.setStart(w, s); err != nil {
		g.page(w, r, Page{Status: http.StatusBadRequest, Problem: IssuerWrong})
		return
	}
	http.Redirect(w, r, client.AuthCodeURL(s.State, oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier)), http.StatusFound)
}

func (g *Gate) setStart(w http.ResponseWriter, s start) error {
	text, err := json.Marshal(s)
	if err != nil || len(text) > 2048 {
		return errors.New("too long")
	}
	http.SetCookie(w, &http.Cookie{
		Name: g.cookieName("start"), Value: url.QueryEscape(string(text)), Path: "/", MaxAge: int(startLifetime / time.Second),
		HttpOnly: true, Secure: g.secure(), SameSite: http.SameSiteLaxMode,
	})
	return nil
}

// takeStart reads and removes what [Gate.toIssuer] left with the browser.
func (g *Gate) takeStart(w http.ResponseWriter, r *http.Request) (s start, err error) {
	cookie, err := r.Cookie(g.cookieName("start"))
	if err != nil {
		return s, errors.New("this browser did not begin to sign in here")
	}
	http.SetCookie(w, &http.Cookie{Name: cookie.Name, Path: "/", MaxAge: -1, HttpOnly: true, Secure: g.secure(), SameSite: http.SameSiteLaxMode})
	text, err := url.QueryUnescape(cookie.Value)
	if err == nil {
		err = json.Unmarshal([]byte(text), &s)
	}
	if err != nil || s.State == "" || s.Nonce == "" || s.Verifier == "" {
		return s, errors.New("the cookie of the beginning cannot be read")
	}
	return s, nil
}

// fromIssuer takes a person back whom the issuer knows.
func (g *Gate) fromIssuer(w http.ResponseWriter, r *http.Request) {
	if g.o.OIDC == nil {
		http.NotFound(w, r)
		return
	}
	s, err := g.takeStart(w, r)
	if err == nil && subtle.ConstantTimeCompare([]byte(s.State), []byte(r.URL.Query().Get("state"))) != 1 {
		err = errors.New("the answer belongs to another beginning")
	}
	var p Person
	if err == nil {
		p, err = g.exchange(r, s)
	}
	if err != nil {
		g.o.Logger.WarnContext(r.Context(), "sign-in refused: OpenID Connect", "error", err, "from", r.RemoteAddr)
		g.page(w, r, Page{Status: http.StatusUnauthorized, Problem: IssuerWrong})
		return
	}
	g.enter(w, r, p, "oidc", s.Next)
}

// exchange asks the issuer who came, and verifies its answer.
func (g *Gate) exchange(r *http.Request, s start) (Person, error) {
	ctx, cancel := context.WithTimeout(r.Context(), issuerTimeout)
	defer cancel()
	provider, client, err := g.client(ctx)
	if err != nil {
		return Person{}, err
	}
	code := r.URL.Query().Get("code")
	if code == "" {
		return Person{}, errors.New("the issuer refused") // its words come through the browser, and are not logged
	}
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(s.Verifier))
	if err != nil {
		return Person{}, errors.New("the issuer does not accept the code") // the cause could show what it answered
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: g.o.OIDC.ClientID}).Verify(ctx, raw)
	if err != nil {
		return Person{}, fmt.Errorf("the ID token is not valid: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(s.Nonce)) != 1 {
		return Person{}, errors.New("the ID token belongs to another beginning")
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return Person{}, fmt.Errorf("the claims cannot be read: %w", err)
	}
	return g.o.OIDC.person(claims)
}

// person reads name and roles of the claims.
func (o OIDC) person(claims map[string]any) (Person, error) {
	name, _ := claims[o.NameClaim].(string)
	if !validName(name) {
		return Person{}, fmt.Errorf("the claim %s has no name for the audit log", o.NameClaim)
	}
	if verified, told := claims["email_verified"].(bool); o.NameClaim == "email" && (!told || !verified) {
		return Person{}, errors.New("the issuer has not verified the e-mail address")
	}
	var groups []string
	switch value := claims[o.RolesClaim].(type) {
	case string:
		groups = strings.Fields(value)
	case []any:
		for _, v := range value {
			if group, ok := v.(string); ok {
				groups = append(groups, group)
			}
		}
	}
	return Person{name, rolesOf(groups, o.Roles)}, nil
}
