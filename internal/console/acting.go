package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"payonce/internal/console/signin"
	"payonce/internal/csvfile"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// Acting is what people can do besides looking, as far as their roles allow.
type Acting struct {
	Actions     operator.Actions
	Reader      operator.Reader
	DeadLetters operator.DeadLetters
	Endpoints   EndpointActions
	// PayoutFile checks a file of payouts for a provider. Without problems it returns what is to be queued, and a note where
	// something could not be checked. The error is for people.
	PayoutFile func(ctx context.Context, provider, name string, text []byte) (f operator.PayoutFile, problems []csvfile.Problem, note string, err error)
}

const (
	// formMost bounds the body of a form.
	formMost = 1 << 20
	// bulkMost is how many payments or dead letters one action is about.
	bulkMost = 1000
)

// actionRoutes are the pages of what people do. Each asks for a reason before anything is done.
func (c *Console) actionRoutes(mux *http.ServeMux) {
	if c.o.Acting == nil {
		return
	}
	for role, routes := range map[signin.Role]map[string]http.HandlerFunc{
		signin.Operator: {
			"GET /actions/{action}": c.bulk, "POST /actions/{action}": c.doBulk, "GET " + jobPath + "{job}": c.showJob,
			"GET /ledgers/endpoints/{endpoint}/{action}": c.endpointAct, "POST /ledgers/endpoints/{endpoint}/{action}": c.doEndpointAct,
			"GET /payments/{provider}/{order}/resolve": c.decide(resolving), "POST /payments/{provider}/{order}/resolve": c.doDecide(resolving),
			"GET /payments/{provider}/{order}/retry": c.decide(retrying), "POST /payments/{provider}/{order}/retry": c.doDecide(retrying),
			"GET /payments/{provider}/{order}/skip": c.decide(skipping), "POST /payments/{provider}/{order}/skip": c.doDecide(skipping),
		},
		signin.Unmask: {
			"GET /payments/{provider}/{order}/unmask": c.decide(unmasking), "POST /payments/{provider}/{order}/unmask": c.unmask,
		},
		signin.Approver: {"POST /approvals/{request}/approve": c.approve},
		signin.Viewer:   {"POST /approvals/{request}/refuse": c.refuse}, // an approver, or who asked
	} {
		for pattern, handler := range routes {
			mux.Handle(pattern, c.gate.Require(role, bounded(handler), http.HandlerFunc(c.denied)))
		}
	}
	mux.Handle("POST /approvals/{request}/import", c.by(signin.Approver, c.approveImport)) // which bounds its body itself
}

func bounded(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, formMost)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form cannot be read", http.StatusBadRequest)
			return
		}
		next(w, r)
	})
}

// may reports whether who makes a request can act here, with a role.
func (c *Console) may(r *http.Request, role signin.Role) bool {
	return c.o.Acting != nil && signin.From(r.Context()).May(role)
}

// actor is who makes a request, and why. The name is that of the login: a form cannot give another.
func actor(r *http.Request) operator.Person {
	return operator.Person{Name: signin.From(r.Context()).Name, Why: strings.TrimSpace(r.PostForm.Get("reason"))}
}

// asked is the part of each page that asks for a reason.
type asked struct {
	Reason  string
	Problem string // what was wrong with the form
	Back    string // where the person came from
}

func askedBy(r *http.Request, back string) asked {
	if to := r.Form.Get("back"); to != "" {
		back = signin.Local(to)
	}
	return asked{Reason: r.PostForm.Get("reason"), Back: back}
}

const reasonMissing = "Say why, in 1 to 500 characters. Others read it in the audit log."

// possible are the pages of what can be done about a payment by who looks at it.
func (c *Console) possible(r *http.Request, p paymentPage) (links []actionLink) {
	add := func(is bool, name, path string, danger bool) {
		if is {
			links = append(links, actionLink{c.say(r)(name), path, danger})
		}
	}
	if p.Archived {
		return nil
	}
	one := url.Values{"payment": {p.Provider + "/" + p.Order}, "back": {paymentPath(p.Provider, p.Order)}}.Encode()
	if c.may(r, signin.Operator) {
		stuck := len(p.Unreadable) > 0
		add(!stuck && p.Command == held && releasable(p.Status), "Release…", "/actions/release?"+one, false)
		add(!stuck && resolvable(p.Status), "Resolve…", paymentPath(p.Provider, p.Order)+"/resolve", false)
		add(!stuck && p.Command != nowhere && retryable(p.Payment, c.o.Now()), "Send again…", paymentPath(p.Provider, p.Order)+"/retry", false)
		add(stuck, "Step over…", paymentPath(p.Provider, p.Order)+"/skip", true)
		add(!stuck && p.Command != nowhere && cancellable(p.Status), "Cancel…", "/actions/cancel?"+one, true)
	}
	add(c.may(r, signin.Unmask) && (p.Action != nil || p.WithheldAction != nil), "Unmask…", paymentPath(p.Provider, p.Order)+"/unmask", false)
	return links
}

// actionLink leads to the page of an action.
type actionLink struct {
	Name, Path string
	Danger     bool
}

func releasable(s payment.Status) bool {
	return slices.Contains([]payment.Status{payment.Requested, payment.Parked, payment.InDoubt, payment.Submitting}, s)
}

func cancellable(s payment.Status) bool { return s == payment.Requested || s == payment.Parked }

func resolvable(s payment.Status) bool {
	return s == payment.InDoubt || s == payment.Pending || s == payment.Conflict
}

func retryable(p payment.Payment, now time.Time) bool {
	_, _, err := payment.Decide(p, payment.Observation{
		Kind: payment.ApproveRetry, Source: payment.FromPerson, Reason: &payment.Reason{Code: payment.ReasonRetryApproved, By: "-", Message: "-"},
	}, now)
	return err == nil
}

// said is what a person is told after an action.
func (c *Console) said(r *http.Request, err error, done string) notice {
	say := c.say(r)
	var requested *operator.RequestedError
	switch {
	case err == nil:
		return notice{Text: done}
	case errors.As(err, &requested):
		return notice{
			Text: say("Nothing was done yet: it needs a second person. Request %s waits until %s.", letterValue(requested.Request), requested.ExpiresAt.In(c.o.Zone).Format("2006-01-02 15:04")),
			Link: fmt.Sprintf("/approvals/%d", requested.Request), LinkText: say("Show the request"),
		}
	case errors.Is(err, events.ErrStale):
		return notice{Bad: true, Text: say("The payment has changed meanwhile. Nothing was written: look at it again.")}
	case errors.Is(err, operator.ErrOwnRequest):
		return notice{Bad: true, Text: say("You made this request: another person must approve it.")}
	case errors.Is(err, operator.ErrOtherFile):
		return notice{Bad: true, Text: say("This is not the file of the request: nothing was queued.")}
	case errors.Is(err, operator.ErrNoRequest):
		return notice{Bad: true, Text: say("There is no such request.")}
	}
	return notice{Bad: true, Text: say("It was not done, or not to its end."), Lines: []string{plain(err.Error())}}
}

// tellAndGo sends a person back, to be told there what came of it.
func (c *Console) tellAndGo(w http.ResponseWriter, r *http.Request, back string, n notice) {
	n.reader = signin.From(r.Context()).Name
	to, err := url.Parse(signin.Local(back))
	if err != nil {
		to = &url.URL{Path: "/"}
	}
	values := to.Query()
	values.Set("notice", c.notices.put(n, c.o.Now()))
	to.RawQuery = values.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// log writes what was done. AUDIT has more of it.
func (c *Console) log(ctx context.Context, action events.Action, who operator.Person, provider string, number int, err error) {
	if err != nil {
		c.o.Logger.WarnContext(ctx, "an action of a person was not done, or not to its end", "action", action, "by", who.Name, "provider", provider, "number", number, "error", err)
		return
	}
	c.o.Logger.InfoContext(ctx, "action of a person", "action", action, "by", who.Name, "provider", provider, "number", number)
}
