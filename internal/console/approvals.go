package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"payonce/internal/console/signin"
	"payonce/internal/csvfile"
	"payonce/pkg/events"
	"payonce/pkg/operator"
)

// approvalsShown is how far back requests that ended are shown.
const approvalsShown = 7 * 24 * time.Hour

type approvalsPage struct {
	Waiting, Ended []operator.Request
	Above          bool // whether anything needs a second person
}

// approvals lists what waits for a second person, oldest first, and what ended lately.
func (c *Console) approvals(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	now := c.o.Now()
	found, err := c.o.Approvals.Recent(ctx, now.Add(-max(c.o.Approvals.Expires, approvalsShown)), now)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	page := approvalsPage{Above: len(c.o.Approvals.Above) > 0}
	for _, one := range found {
		if one.State == events.Requested {
			page.Waiting = append(page.Waiting, one)
		} else {
			page.Ended = append(page.Ended, one)
		}
	}
	slices.Reverse(page.Ended)
	c.render(w, r, http.StatusOK, "approvals", c.say(r)("Approvals"), page)
}

// approvalPage is one request, with what the person can do about it.
type approvalPage struct {
	asked
	operator.Request
	Waits, MayApprove, MayRefuse, Own bool
	File                              bool // it is an import, which is approved with its file
	Problems                          []csvfile.Problem
	More                              int // problems that are not shown
}

func (c *Console) approval(w http.ResponseWriter, r *http.Request) {
	c.showApproval(w, r, http.StatusOK, "", nil)
}

func (c *Console) showApproval(w http.ResponseWriter, r *http.Request, status int, problem string, inFile []csvfile.Problem) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	found, err := c.o.Approvals.Request(ctx, number(r.PathValue("request")), c.o.Now())
	if errors.Is(err, operator.ErrNoRequest) {
		c.notFound(w, r)
		return
	}
	if err != nil {
		c.failed(w, r, err)
		return
	}
	page := approvalPage{asked: asked{Reason: r.PostForm.Get("reason"), Problem: problem, Back: "/approvals"}, Request: found}
	page.Waits, page.File = found.State == events.Requested, found.Record.Action == events.ActionImport
	page.Own = strings.EqualFold(found.By, signin.From(r.Context()).Name)
	page.Problems, page.More = inFile[:min(len(inFile), problemsShown)], max(0, len(inFile)-problemsShown)
	page.MayApprove = page.Waits && !page.Own && c.may(r, signin.Approver)
	page.MayRefuse = page.Waits && c.mayRefuse(r, found)
	c.render(w, r, status, "approval", fmt.Sprintf("%s %d", c.say(r)("Request"), found.Sequence), page)
}

// mayRefuse reports whether who makes a request may end it: an approver, or who asked for it.
func (c *Console) mayRefuse(r *http.Request, request operator.Request) bool {
	return c.may(r, signin.Approver) || c.may(r, signin.Operator) && strings.EqualFold(request.By, signin.From(r.Context()).Name)
}

func (c *Console) approve(w http.ResponseWriter, r *http.Request) {
	c.end(w, r, "approve", func(ctx context.Context, sequence uint64, who operator.Person) error {
		return c.o.Acting.Actions.Approve(ctx, sequence, who, nil)
	}, c.say(r)("Approved, and done as it was asked for."))
}

func (c *Console) refuse(w http.ResponseWriter, r *http.Request) {
	found, err := c.o.Approvals.Request(r.Context(), number(r.PathValue("request")), c.o.Now())
	if err == nil && !c.mayRefuse(r, found) {
		c.denied(w, r)
		return
	}
	c.end(w, r, "refuse", c.o.Acting.Actions.Refuse, c.say(r)("Refused. It cannot be approved any more."))
}

func (c *Console) end(w http.ResponseWriter, r *http.Request, what events.Action, do func(context.Context, uint64, operator.Person) error, done string) {
	who := actor(r)
	if who.Validate() != nil {
		c.showApproval(w, r, http.StatusBadRequest, c.say(r)(reasonMissing), nil)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	err := do(ctx, number(r.PathValue("request")), who)
	c.log(ctx, what, who, "", 1, err)
	told := c.said(r, err, done)
	if errors.Is(err, events.ErrStale) {
		told.Text = c.say(r)("The payment has changed since it was asked for: the request is overtaken, and nothing was done.")
	}
	c.tellAndGo(w, r, "/approvals", told)
}
