// Package signin tells who uses the console, and what they may do there: by a local password, by OpenID Connect, by the
// header of a trusted proxy, or by a link that works once. Each way ends in a [Person] with [Role]s.
package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"

	"payonce/pkg/secret"
)

// Role is what a person may do. Operator and Approver include Viewer.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // sees everything but personal data
	Operator Role = "operator" // acts on payments
	Approver Role = "approver" // agrees to what another person asked for
	Unmask   Role = "unmask"   // sees personal data, which is recorded
)

// Roles lists all roles.
func Roles() []Role { return []Role{Viewer, Operator, Approver, Unmask} }

// Person is someone who signed in. The zero Person has not, and may do nothing.
type Person struct {
	Name  string
	Roles []Role
}

// May reports whether the person has a role.
func (p Person) May(role Role) bool {
	if role == Viewer && len(p.Roles) > 0 {
		return true
	}
	return slices.Contains(p.Roles, role)
}

// User is a person with a password.
type User struct {
	Name string
	// PasswordHash is what argon2id or bcrypt made of the password, in their usual text form ("$argon2id$…", "$2b$…").
	PasswordHash secret.Value
	Roles        []Role
}

// Proxy is a proxy before the console that signs people in.
type Proxy struct {
	NameHeader  string         // holds the person's name
	RolesHeader string         // holds the person's groups, separated by commas
	Trusted     []netip.Prefix // the addresses of the proxy; a request from elsewhere has no name
	Roles       map[string]Role
}

// Options say how people sign in. At least one way must be given.
type Options struct {
	BaseURL  *url.URL      // as browsers see the console, e.g. https://console.example.com; http is for this machine only
	Idle     time.Duration // a session without requests ends after it
	Lifetime time.Duration // each session ends after it
	Users    []User
	OIDC     *OIDC
	Proxy    *Proxy
	Links    bool // whether [Gate.Invite] may make links
	Logger   *slog.Logger
	// Page shows the page of signing in; it is given what it shows.
	Page func(w http.ResponseWriter, r *http.Request, p Page)
}

// Page is what the page of signing in shows.
type Page struct {
	Status    int // of HTTP
	Passwords bool
	OIDC      bool
	Link      string // the token of a link, to be sent back by a form; empty where there is none
	Next      string // where the person wanted to go
	Problem   Problem
}

// Problem is why a sign-in failed. It is one of a few, so that it can be translated.
type Problem string

// The problems.
const (
	NoProblem   Problem = ""
	WrongLogin  Problem = "wrong_login"  // name or password
	TooOften    Problem = "too_often"    // too many attempts
	NoRole      Problem = "no_role"      // known, but without a role here
	LinkUsed    Problem = "link_used"    // the link was used, or is too old
	IssuerAway  Problem = "issuer_away"  // the issuer of OpenID Connect does not answer
	IssuerWrong Problem = "issuer_wrong" // the issuer's answer is not to our question
)

// Validate reports everything that is wrong, joined.
func (o Options) Validate() error {
	var problems []error
	wrong := func(bad bool, text string) {
		if bad {
			problems = append(problems, errors.New(text))
		}
	}
	wrong(o.BaseURL == nil || o.BaseURL.Host == "" || o.BaseURL.Scheme != "https" && o.BaseURL.Scheme != "http", "the base URL must be https://HOST, or http://HOST on one machine")
	wrong(o.Idle <= 0 || o.Lifetime < o.Idle, "the idle time must be positive, and the lifetime not shorter")
	wrong(len(o.Users) == 0 && o.OIDC == nil && o.Proxy == nil && !o.Links, "no way to sign in is configured")
	wrong(o.Logger == nil || o.Page == nil, "a logger and a page are required")
	seen := map[string]bool{}
	for _, u := range o.Users {
		wrong(!validName(u.Name), "the name of a user must have 1 to 64 printable characters")
		wrong(seen[u.Name], "two users have the same name")
		wrong(len(u.Roles) == 0, "a user needs a role")
		problems = append(problems, checkHash(u.PasswordHash))
		seen[u.Name] = true
	}
	if o.OIDC != nil {
		problems = append(problems, o.OIDC.validate())
	}
	if o.Proxy != nil {
		wrong(o.Proxy.NameHeader == "" || len(o.Proxy.Trusted) == 0 || len(o.Proxy.Roles) == 0, "a proxy needs the header of the name, its addresses, and roles")
	}
	return errors.Join(problems...)
}

// Gate lets people in. It is safe for concurrent use.
type Gate struct {
	o        Options
	sessions *scs.SessionManager
	attempts *attempts
	links    links
	issuer   issuer
}

// New makes a Gate. It asks no server: an issuer that is away keeps out only those who sign in by it. Sessions
// are in memory: after a restart people sign in again.
func New(o Options) (*Gate, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	g := &Gate{o: o, attempts: newAttempts()}
	// Not by scs.New, whose store has a goroutine that ends with the process.
	g.sessions = &scs.SessionManager{Store: newSessions(time.Now), Codec: scs.GobCodec{}}
	g.sessions.HashTokenInStore = true
	g.sessions.IdleTimeout, g.sessions.Lifetime = o.Idle, o.Lifetime
	g.sessions.Cookie.Name = g.cookieName("session")
	g.sessions.Cookie.HttpOnly, g.sessions.Cookie.Secure = true, g.secure()
	// Lax, because the issuer sends people back from another site; actions are POSTs, which it does not carry.
	g.sessions.Cookie.SameSite = http.SameSiteLaxMode
	g.sessions.Cookie.Path, g.sessions.Cookie.Persist = "/", false
	g.sessions.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		g.o.Logger.ErrorContext(r.Context(), "a session cannot be read", "error", err)
		http.Error(w, "session", http.StatusInternalServerError)
	}
	return g, nil
}

func (g *Gate) secure() bool { return g.o.BaseURL.Scheme == "https" }

// cookieName has the prefix that keeps other hosts of the same domain from setting the cookie.
func (g *Gate) cookieName(name string) string {
	if g.secure() {
		return "__Host-payonce-" + name
	}
	return "payonce-" + name
}

type personKey struct{}

// From returns who makes the request; the zero Person without a session.
func From(ctx context.Context) Person {
	p, _ := ctx.Value(personKey{}).(Person)
	return p
}

// Handler answers the paths of signing in, and lets next answer all others, with the person in the context.
func (g *Gate) Handler(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sign-in", g.show)
	mux.HandleFunc("POST /sign-in", g.password)
	mux.HandleFunc("GET /sign-in/link", g.showLink)
	mux.HandleFunc("POST /sign-in/link", g.useLink)
	mux.HandleFunc("GET /sign-in/oidc", g.toIssuer)
	mux.HandleFunc("GET /sign-in/callback", g.fromIssuer)
	mux.HandleFunc("POST /sign-out", g.signOut)
	mux.Handle("/", next)
	return g.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), personKey{}, g.person(r))))
	}))
}

// Require lets only people with a role pass. Who is not signed in is sent to sign in, and who has not the role is given to denied.
func (g *Gate) Require(role Role, next, denied http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := From(r.Context()); {
		case p.May(role):
			next.ServeHTTP(w, r)
		case p.Name != "":
			denied.ServeHTTP(w, r)
		case r.Method == http.MethodGet && r.Header.Get("Accept") != "text/event-stream":
			http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			g.page(w, r, Page{Status: http.StatusUnauthorized})
		}
	})
}

// Keys of a session.
const (
	keyName  = "name"
	keyRoles = "roles"
)

// person reads who makes a request: of the proxy, else of the session.
func (g *Gate) person(r *http.Request) Person {
	if p, ok := g.o.Proxy.person(r); ok {
		return p
	}
	name := g.sessions.GetString(r.Context(), keyName)
	if name == "" {
		return Person{}
	}
	var roles []Role
	for role := range strings.SplitSeq(g.sessions.GetString(r.Context(), keyRoles), ",") {
		roles = append(roles, Role(role))
	}
	return Person{name, roles}
}

// enter begins the session of a person, with a new token: one that another person knew before is worth nothing.
func (g *Gate) enter(w http.ResponseWriter, r *http.Request, p Person, way, next string) {
	if len(p.Roles) == 0 {
		g.o.Logger.WarnContext(r.Context(), "sign-in refused: no role", "by", p.Name, "way", way, "from", r.RemoteAddr)
		g.page(w, r, Page{Status: http.StatusForbidden, Problem: NoRole})
		return
	}
	if err := g.sessions.RenewToken(r.Context()); err != nil {
		g.sessions.ErrorFunc(w, r, err)
		return
	}
	roles := make([]string, len(p.Roles))
	for i, role := range p.Roles {
		roles[i] = string(role)
	}
	g.sessions.Put(r.Context(), keyName, p.Name)
	g.sessions.Put(r.Context(), keyRoles, strings.Join(roles, ","))
	g.o.Logger.InfoContext(r.Context(), "signed in", "by", p.Name, "way", way, "roles", roles, "from", r.RemoteAddr)
	http.Redirect(w, r, Local(next), http.StatusSeeOther)
}

func (g *Gate) signOut(w http.ResponseWriter, r *http.Request) {
	if err := g.sessions.Destroy(r.Context()); err != nil {
		g.sessions.ErrorFunc(w, r, err)
		return
	}
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

func (g *Gate) show(w http.ResponseWriter, r *http.Request) {
	g.page(w, r, Page{Status: http.StatusOK, Next: r.URL.Query().Get("next")})
}

// page shows the page of signing in.
func (g *Gate) page(w http.ResponseWriter, r *http.Request, p Page) {
	p.Passwords, p.OIDC, p.Next = len(g.o.Users) > 0, g.o.OIDC != nil, Local(p.Next)
	w.Header().Set("Cache-Control", "no-store")
	g.o.Page(w, r, p)
}

// Local returns a path of the console itself; "/" for anything else, so that no link leads away after signing in.
func Local(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") ||
		strings.ContainsFunc(path, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) || strings.HasPrefix(path, "/sign-") {
		return "/"
	}
	return path
}

// validName reports whether a name can stand in the audit log.
func validName(name string) bool {
	n := utf8.RuneCountInString(name)
	return n >= 1 && n <= 64 && utf8.ValidString(name) && strings.TrimSpace(name) == name && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r)
	})
}

// person reads the name that the proxy wrote.
func (p *Proxy) person(r *http.Request) (Person, bool) {
	if p == nil {
		return Person{}, false
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !slices.ContainsFunc(p.Trusted, func(n netip.Prefix) bool { return n.Contains(from.Addr().Unmap()) }) {
		return Person{}, false
	}
	names := r.Header.Values(p.NameHeader)
	if len(names) != 1 || !validName(names[0]) {
		return Person{}, false
	}
	var groups []string
	for _, value := range r.Header.Values(p.RolesHeader) {
		for group := range strings.SplitSeq(value, ",") {
			groups = append(groups, strings.TrimSpace(group))
		}
	}
	return Person{names[0], rolesOf(groups, p.Roles)}, true
}

// rolesOf returns the roles of a person's groups, each once.
func rolesOf(groups []string, known map[string]Role) []Role {
	var roles []Role
	for _, group := range groups {
		if role, ok := known[group]; ok && !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles
}
