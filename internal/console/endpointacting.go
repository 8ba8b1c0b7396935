package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// EndpointActions is what people do with endpoints.
type EndpointActions interface {
	operator.EndpointTester
	operator.EndpointSwitch
	operator.EndpointSender
	operator.EventLog
}

const (
	// resendTimeout bounds sending events again.
	resendTimeout = 10 * time.Minute
	// resendMost is how many events can be sent again at once, and resendShown how many of them the page lists.
	resendMost  = 10_000
	resendShown = 50
)

// endpointTitles are the actions on an endpoint.
var endpointTitles = map[events.Action]string{
	events.ActionTest: "Send a test event", events.ActionReplay: "Send events again", events.ActionDisable: "Disable", events.ActionEnable: "Enable",
}

// endpointAct asks before something is done about an endpoint.
type endpointAct struct {
	asked
	endpointRow
	Action events.Action
	Title  string
	// The rest is of sending events again: the filter as the form has it, and what it chooses.
	Providers []string
	Filter    operator.EventFilter
	From, To  string // in the console's zone
	Chosen    bool   // the filter is complete
	Found     []events.Message
	Shown     []resent
	Last      uint64 // the sequence of the last one
}

// resent is an event that would be sent again.
type resent struct {
	payment.Ref
	Status payment.Status
	At     time.Time
}

// toActOn reads the endpoint and what is asked for.
func (c *Console) toActOn(ctx context.Context, r *http.Request) (page endpointAct, err error) {
	page.Action = events.Action(r.PathValue("action"))
	title, has := endpointTitles[page.Action]
	if !has {
		return page, errNoEndpoint
	}
	page.Title = c.say(r)(title)
	if page.endpointRow, err = c.endpointOf(ctx, r.PathValue("endpoint")); err != nil {
		return page, err
	}
	page.asked = askedBy(r, endpointPath(page.Name))
	if !page.Created() || !slices.Contains(possibleOn(page.endpointRow), page.Action) {
		return page, operator.ErrNotNow
	}
	if page.Action == events.ActionReplay {
		err = c.choose(ctx, r, &page)
	}
	return page, err
}

// choose reads the events that a filter chooses.
func (c *Console) choose(ctx context.Context, r *http.Request, page *endpointAct) error {
	page.Providers = c.providerNames()
	f := operator.EventFilter{Provider: r.Form.Get("provider"), Order: r.Form.Get("order"), Last: number(r.Form.Get("last"))}
	for name, at := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		text := inFull(r.Form.Get(name), c.o.Zone)
		if text == "" {
			continue
		}
		var err error
		if *at, err = time.Parse(time.RFC3339, text); err != nil {
			page.Problem = c.say(r)("A time cannot be read.")
			return nil
		}
	}
	page.Filter = f
	page.From, page.To = c.local(f.From), c.local(f.To)
	if f.Order == "" && f.From.IsZero() && f.To.IsZero() && r.Method == http.MethodGet {
		return nil // the form was just opened
	}
	if !f.Valid() {
		page.Problem = c.say(r)("Give an order with its provider, or a first time.")
		return nil
	}
	found, err := f.Read(ctx, c.o.Acting.Endpoints, page.Wants, resendMost)
	var tooMany *operator.TooManyError
	if errors.As(err, &tooMany) {
		page.Problem = c.say(r)("More than %d events: choose a shorter time.", tooMany.Most)
		return nil
	}
	if err != nil {
		return err
	}
	page.Chosen, page.Found = true, found
	for _, m := range found {
		page.Last = m.Sequence
		if len(page.Shown) < resendShown {
			ref, _ := events.SubjectRef(m.Subject)
			status, _ := events.SubjectStatus(m.Subject)
			page.Shown = append(page.Shown, resent{ref, status, m.StoredAt})
		}
	}
	return nil
}

// Full is a time to its end, for what a person does not write.
func (endpointAct) Full(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// rest leads to the events that were left of those that were to be sent again.
func (p endpointAct) rest(left *operator.UnfinishedError) string {
	query := url.Values{"provider": {p.Filter.Provider}, "order": {p.Filter.Order}, "from": {p.Full(left.From)}, "to": {p.Full(p.Filter.To)}, "last": {letterValue(p.Last)}}
	return fmt.Sprintf("%s/%s?%s", endpointPath(p.Name), p.Action, query.Encode())
}

// local is a time as a form has it.
func (c *Console) local(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(c.o.Zone).Format("2006-01-02T15:04:05")
}

func (c *Console) endpointAct(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	page, err := c.toActOn(ctx, r)
	c.showEndpointAct(w, r, http.StatusOK, page, err)
}

func (c *Console) showEndpointAct(w http.ResponseWriter, r *http.Request, status int, page endpointAct, err error) {
	switch {
	case errors.Is(err, errNoEndpoint):
		c.notFound(w, r)
	case errors.Is(err, operator.ErrNotNow):
		c.tellAndGo(w, r, page.Back, notice{Bad: true, Text: c.say(r)("This is not possible as the endpoint stands.")})
	case err != nil:
		c.failed(w, r, err)
	default:
		c.render(w, r, status, "endpointact", page.Title+" "+page.Name, page)
	}
}

// doEndpointAct does what was asked for. Once begun, sending events again goes on when the page is closed.
func (c *Console) doEndpointAct(w http.ResponseWriter, r *http.Request) {
	reading, timeout := r.Context(), readTimeout
	if events.Action(r.PathValue("action")) == events.ActionReplay {
		reading, timeout = context.WithoutCancel(reading), resendTimeout
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(resendTimeout + liveWrite)) // where it cannot be set the server's own holds
	}
	ctx, cancel := context.WithTimeout(reading, timeout)
	defer cancel()
	page, err := c.toActOn(ctx, r)
	if err != nil {
		c.showEndpointAct(w, r, http.StatusOK, page, err)
		return
	}
	who, again := actor(r), page.Action == events.ActionReplay
	switch {
	case again && !page.Chosen:
		c.showEndpointAct(w, r, http.StatusBadRequest, page, nil)
		return
	case again && strconv.Itoa(len(page.Found)) != r.PostForm.Get("number"):
		page.Problem = c.say(r)("The log has other events of this choice now. Nothing was sent.")
		c.showEndpointAct(w, r, http.StatusConflict, page, nil)
		return
	case who.Validate() != nil:
		page.Problem = c.say(r)(reasonMissing)
		c.showEndpointAct(w, r, http.StatusBadRequest, page, nil)
		return
	}
	told, err := c.carryOutOn(ctx, r, page, who)
	c.endpoints.forget()
	c.log(ctx, page.Action, who, events.NoProvider, max(1, len(page.Found)), err)
	c.tellAndGo(w, r, page.Back, told)
}

// carryOutOn acts on an endpoint, and says what came of it.
func (c *Console) carryOutOn(ctx context.Context, r *http.Request, page endpointAct, who operator.Person) (notice, error) {
	say, a, to := c.say(r), c.o.Acting.Actions, c.o.Acting.Endpoints
	switch page.Action {
	case events.ActionTest:
		came, err := a.TestEndpoint(ctx, to, page.Name, who)
		switch {
		case errors.Is(err, events.ErrNoNotifier):
			return notice{Bad: true, Text: say("No notifier answers: nothing was sent. Start one, or look at its log.")}, err
		case err == nil && !came.Delivered:
			return notice{Bad: true, Text: say("The endpoint did not take the test event."), Lines: []string{plain(came.Problem)}}, nil
		}
		took := time.Duration(came.Seconds * float64(time.Second)).Round(time.Millisecond)
		return c.said(r, err, say("The endpoint took the test event: HTTP %d after %s.", came.Status, took)), err
	case events.ActionReplay:
		results, err := a.SendAgain(ctx, to, operator.ResendOf(page.Name, page.Filter, page.Found), who)
		told := c.said(r, err, say("Done, as far as it was possible:"))
		var unfinished *operator.UnfinishedError
		if errors.As(err, &unfinished) {
			told.Link, told.LinkText = page.rest(unfinished), say("Send the rest")
		}
		for _, result := range slices.Sorted(maps.Keys(results)) {
			told.Lines = append(told.Lines, fmt.Sprintf("%d: %s", results[result], c.result(r, result)))
		}
		return told, err
	}
	enable := page.Action == events.ActionEnable
	err := a.SwitchEndpoint(ctx, to, page.Name, enable, who)
	if enable {
		return c.said(r, err, say("The endpoint is enabled: what waited is sent within seconds.")), err
	}
	return c.said(r, err, say("The endpoint is disabled: its events wait until it is enabled.")), err
}
