package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"payonce/internal/console/signin"
	"payonce/pkg/endpoints"
	"payonce/pkg/events"
	"payonce/pkg/status"
)

// EndpointStates says how endpoints stand at the broker, by name. One that has no consumers yet is left out.
type EndpointStates interface {
	EndpointStates(ctx context.Context) (map[string]events.EndpointState, error)
}

// endpointStates keeps the last answer for a moment: it counts dead letters one by one.
type endpointStates struct {
	from EndpointStates
	now  func() time.Time

	mu   sync.Mutex
	last map[string]events.EndpointState
	at   time.Time
}

// statesLife is how long an answer is shown before it is asked for again.
const statesLife = 5 * time.Second

func (s *endpointStates) get(ctx context.Context) (map[string]events.EndpointState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := s.now().Sub(s.at); s.last != nil && age >= 0 && age < statesLife {
		return s.last, nil
	}
	found, err := s.from.EndpointStates(ctx)
	if err != nil {
		return nil, err
	}
	s.last, s.at = found, s.now()
	return found, nil
}

// forget has the next answer asked for: a person changed something.
func (s *endpointStates) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = nil
}

// endpointRow is an endpoint as it stands.
type endpointRow struct {
	endpoints.Endpoint
	events.EndpointState
	Host  string // the path can hold a secret
	Now   status.Endpoint
	State endpointState
}

// endpointState is what an endpoint's state is called, and which status it looks like.
type endpointState struct{ Word, Looks string }

// The states of endpoints. The first that holds is shown.
var (
	stateMissing  = endpointState{"not created", "conflict"}
	stateDisabled = endpointState{"disabled", "parked"}
	stateSilent   = endpointState{"no notifier runs", "conflict"}
	stateOpen     = endpointState{"breaker open", "conflict"}
	stateHalfOpen = endpointState{"breaker half open", "in_doubt"}
	stateEnabled  = endpointState{"enabled", "settled"}
)

// endpointRows are all endpoints of the configuration as they stand.
func (c *Console) endpointRows(ctx context.Context) (rows []endpointRow, err error) {
	if len(c.o.SendTo) == 0 {
		return nil, nil
	}
	states, err := c.endpoints.get(ctx)
	if err != nil {
		return nil, err
	}
	report := c.reports.get(ctx)
	for _, of := range c.o.SendTo {
		row := endpointRow{Endpoint: of, Now: report.EndpointOf(of.Name)}
		if at, err := url.Parse(of.URL); err == nil {
			row.Host = at.Host
		}
		if !row.Now.TriesAt.After(c.o.Now()) {
			row.Now.TriesAt = time.Time{}
		}
		state, created := states[of.Name]
		row.EndpointState = state
		switch {
		case !created:
			row.State = stateMissing
		case state.Disabled:
			row.State = stateDisabled
		case row.Now.Breaker == status.BreakerOpen:
			row.State = stateOpen
		case row.Now.Breaker == status.BreakerHalfOpen:
			row.State = stateHalfOpen
		case row.Now.Breaker == "":
			row.State = stateSilent
		default:
			row.State = stateEnabled
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Failure is the last request that the endpoint did not take; nil where it took one since.
func (r endpointRow) Failure() *status.EndpointFailure {
	if len(r.Now.Failures) == 0 || r.Now.DeliveredAt.After(r.Now.Failures[0].At) {
		return nil
	}
	return &r.Now.Failures[0]
}

// Created reports whether the endpoint has its consumers.
func (r endpointRow) Created() bool { return r.State != stateMissing }

// endpointPath is the page of an endpoint.
func endpointPath(name string) string { return "/ledgers/endpoints/" + url.PathEscape(name) }

// endpointPage is one endpoint, with what can be done about it.
type endpointPage struct {
	endpointRow
	Can []actionLink
}

var errNoEndpoint = errors.New("no such endpoint")

func (c *Console) endpointOf(ctx context.Context, name string) (endpointRow, error) {
	rows, err := c.endpointRows(ctx)
	if err != nil {
		return endpointRow{}, err
	}
	for _, row := range rows {
		if row.Name == name {
			return row, nil
		}
	}
	return endpointRow{}, errNoEndpoint
}

func (c *Console) endpoint(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	row, err := c.endpointOf(ctx, r.PathValue("endpoint"))
	switch {
	case errors.Is(err, errNoEndpoint):
		c.notFound(w, r)
		return
	case err != nil:
		c.failed(w, r, err)
		return
	}
	page := endpointPage{endpointRow: row}
	if c.may(r, signin.Operator) && row.Created() {
		for _, action := range possibleOn(row) {
			page.Can = append(page.Can, actionLink{c.say(r)(endpointTitles[action]) + "…", endpointPath(row.Name) + "/" + string(action), action == events.ActionDisable})
		}
	}
	c.render(w, r, http.StatusOK, "endpoint", row.Name, page)
}

// possibleOn are the actions on an endpoint as it stands.
func possibleOn(row endpointRow) []events.Action {
	if row.Disabled {
		return []events.Action{events.ActionTest, events.ActionReplay, events.ActionEnable}
	}
	return []events.Action{events.ActionTest, events.ActionReplay, events.ActionDisable}
}
