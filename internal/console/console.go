package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"payonce/internal/console/signin"
	"payonce/pkg/endpoints"
	"payonce/pkg/operator"
)

// Options are what a console is made of.
type Options struct {
	// SignIn says how people sign in; its Page is the console's own.
	SignIn signin.Options
	// LinkCommand is what a person runs for another link that signs in. It is shown for a link that is spent; empty where there is none.
	LinkCommand string
	Environment string         // shown where it is not production
	Zone        *time.Location // in which times are shown
	Logger      *slog.Logger
	Now         func() time.Time
	Status      Status
	Search      Search
	Log         History
	Archive     History // what the log has forgotten; nil where there is no archive
	Trends      Trends  // nil where there is no archive
	About       About
	Readers     Readers
	SendTo      []endpoints.Endpoint // that get webhooks
	Endpoints   EndpointStates       // how they stand; nil where there are none
	Statements  Statements
	TraceURL    string // a trace's page, with {trace_id} in it; empty where there is none
	Last        Last
	Queue       Queue
	Records     Records
	Changes     Changes
	Providers   []Provider
	Approvals   operator.Approvals
	Acting      *Acting // nil where people only look
}

func (o Options) complete() bool {
	return o.Zone != nil && o.Logger != nil && o.Now != nil && o.Status != nil && o.Search != nil && o.Log != nil && o.Last != nil && o.Queue != nil &&
		o.Records != nil && o.Changes != nil && o.About != nil && o.Readers != nil && o.Approvals.Requests != nil &&
		(o.Endpoints != nil || len(o.SendTo) == 0)
}

// Console answers the requests of browsers. It is safe for concurrent use.
type Console struct {
	o         Options
	reports   reports
	changes   *changes
	trends    *trends // nil without an archive
	stop      context.CancelFunc
	comparing sync.Mutex // a statement is being compared
	importing sync.Mutex // a file of payouts is being imported
	balances  balances
	endpoints endpointStates
	gate      *signin.Gate
	pages     pages
	notices   notices
	jobs      jobs
	printers  map[language.Tag]*message.Printer
	handler   http.Handler
	close     sync.Once
}

// New makes a console, to be closed.
func New(o Options) (*Console, error) {
	if !o.complete() {
		return nil, errors.New("a console needs everything but an archive and providers")
	}
	c := &Console{o: o, printers: printers(), reports: reports{from: o.Status, now: o.Now}, balances: balances{last: map[string]balance{}},
		endpoints: endpointStates{from: o.Endpoints, now: o.Now}}
	var err error
	if c.pages, err = parse(o.Zone, o.Now); err != nil {
		return nil, err
	}
	o.SignIn.Page = c.signIn
	if c.gate, err = signin.New(o.SignIn); err != nil {
		return nil, err
	}
	c.changes = follow(o.Changes)
	var alive context.Context
	alive, c.stop = context.WithCancel(context.Background())
	if o.Trends != nil {
		c.trends = newTrends(alive, o.Trends, o.Now)
	}
	c.handler = secured(c.routes())
	return c, nil
}

// Close ends the live updates and what else the console does besides answering. To close twice does nothing.
func (c *Console) Close() {
	c.close.Do(func() {
		c.changes.close()
		c.stop()
		c.jobs.close()
		if c.trends != nil {
			c.trends.work.Wait()
		}
	})
}

// Invite makes a link that signs a person in once.
func (c *Console) Invite(p signin.Person) (string, error) { return c.gate.Invite(p) }

// ServeHTTP answers a request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

func (c *Console) routes() http.Handler {
	open := http.NewServeMux()
	open.Handle("GET /assets/", assets())
	open.HandleFunc("POST /language", setLanguage)
	inside := http.NewServeMux()
	inside.HandleFunc("GET /{$}", c.now)
	inside.HandleFunc("GET /attention", c.attention)
	inside.HandleFunc("GET /payments", c.payments)
	inside.HandleFunc("GET /payments.csv", c.paymentsCSV)
	inside.HandleFunc("GET /payments/{provider}/{order}", c.payment)
	inside.HandleFunc("GET /parked", c.parked)
	inside.HandleFunc("GET /dead-letters", c.deadLetters)
	inside.HandleFunc("GET /audit", c.audit)
	inside.HandleFunc("GET /ledgers", c.ledgers)
	inside.HandleFunc("GET /ledgers/endpoints/{endpoint}", c.endpoint)
	inside.HandleFunc("GET /statements", c.statements)
	inside.Handle("POST /statements", c.by(signin.Operator, c.compareStatement))
	inside.HandleFunc("GET /statements/{id}", c.comparison)
	inside.HandleFunc("GET /providers", c.providers)
	inside.HandleFunc("GET /providers/{provider}", c.provider)
	inside.Handle("POST /providers/{provider}/balance", c.by(signin.Viewer, c.balance))
	inside.HandleFunc("GET /approvals", c.approvals)
	inside.HandleFunc("GET /approvals/{request}", c.approval)
	inside.HandleFunc("GET /live", c.live)
	c.actionRoutes(inside)
	inside.HandleFunc("/", c.notFound)
	open.Handle("/", c.gate.Handler(c.gate.Require(signin.Viewer, inside, http.HandlerFunc(c.denied))))
	return open
}

// by lets only people with a role do something.
func (c *Console) by(role signin.Role, do http.HandlerFunc) http.Handler {
	return c.gate.Require(role, do, http.HandlerFunc(c.denied))
}

// assets are the files that pages load. They change with the program, so a browser asks again.
func assets() http.Handler {
	files := http.FileServerFS(assetFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}

// setLanguage keeps the language that a person chose.
func setLanguage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	tag := language.Make(r.PostFormValue("to"))
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: tag.String(), Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, signin.Local(r.PostFormValue("back")), http.StatusSeeOther)
}

// problems are what the page of signing in says.
var problems = map[signin.Problem]string{
	signin.WrongLogin:  "Name or password is wrong.",
	signin.TooOften:    "Too many attempts. Wait a minute, then try again.",
	signin.NoRole:      "You are known, but have no role here. Ask the administrator of payonce for one.",
	signin.LinkUsed:    "This link was used already, or is older than ten minutes.",
	signin.IssuerAway:  "The company's sign-in does not answer. Try again in a moment.",
	signin.IssuerWrong: "The company's sign-in did not confirm who you are. Try again.",
}

type signInPage struct {
	signin.Page
	Problem string
	Command string // for another link
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request, p signin.Page) {
	say := c.say(r)
	shown := signInPage{Page: p}
	if p.Problem != signin.NoProblem {
		shown.Problem = say(problems[p.Problem])
	}
	switch {
	case p.Problem == signin.LinkUsed && c.o.LinkCommand != "":
		shown.Command = c.o.LinkCommand
	case p.Problem == signin.LinkUsed:
		shown.Problem += " " + say("Start the console again to get a new one.")
	}
	c.render(w, r, p.Status, "signin", say("Sign in"), shown)
}

// denied answers who is signed in, and has not the role for this.
func (c *Console) denied(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusForbidden, "denied", c.say(r)("Not allowed"), nil)
}

func (c *Console) notFound(w http.ResponseWriter, r *http.Request) {
	c.render(w, r, http.StatusNotFound, "notfound", c.say(r)("Not found"), nil)
}

// say translates for a request.
func (c *Console) say(r *http.Request) words {
	printer := c.printers[languageOf(r)]
	return func(english string, args ...any) string { return printer.Sprintf(english, args...) }
}

// failed answers where NATS or the archive does not.
func (c *Console) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		c.o.Logger.ErrorContext(r.Context(), "cannot read what a page shows", "path", r.URL.Path, "error", err)
	}
	c.render(w, r, http.StatusServiceUnavailable, "failed", c.say(r)("Not available"), nil)
}

// withoutNotice is the path and query of a page, without what told what came of an action.
func withoutNotice(at *url.URL) string {
	values := at.Query()
	if !values.Has("notice") {
		return at.RequestURI()
	}
	values.Del("notice")
	return at.EscapedPath() + question(values)
}

// menu lists the pages, with how much needs a person, as far as the last report says.
func (c *Console) menu(r *http.Request, say words) []menuItem {
	var items []menuItem
	for _, page := range []struct{ path, name string }{
		{"/", "Now"}, {"/attention", "Needs a person"}, {"/payments", "Payments"}, {"/parked", "Parked"}, {"/dead-letters", "Dead letters"},
		{"/statements", "Statements"}, {"/ledgers", "Ledgers"}, {"/approvals", "Approvals"}, {"/audit", "Audit"}, {"/providers", "Providers"},
	} {
		if page.path == "/approvals" && len(c.o.Approvals.Above) == 0 {
			continue // nothing needs a second person
		}
		current := r.URL.Path == page.path || page.path != "/" && strings.HasPrefix(r.URL.Path, page.path+"/")
		item := menuItem{Path: page.path, Name: say(page.name), Current: current}
		switch page.path {
		case "/attention":
			item.Count = c.reports.attention()
		case "/approvals":
			item.Count = c.reports.waiting()
		}
		items = append(items, item)
	}
	return items
}

func (c *Console) frame(r *http.Request, tag language.Tag, title string, data any) frame {
	other := languages[0]
	if tag == other {
		other = languages[1]
	}
	f := frame{
		Lang: tag.String(), OtherLang: other.String(), Title: title, URL: withoutNotice(r.URL), Environment: c.o.Environment,
		Me: signin.From(r.Context()), Data: data,
	}
	if f.Me.Name != "" {
		f.Menu, f.Live = c.menu(r, c.say(r)), "/live"
		f.Acts = c.may(r, signin.Operator)
		f.Notice = c.notices.get(r.URL.Query().Get("notice"), f.Me.Name, c.o.Now())
	}
	return f
}
