package ingress

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/tracing"
)

// Opening says when a provider takes payments of an operation, and what becomes of those that come while it is closed: "park",
// "reject" or "send".
type Opening struct {
	Hours      calendar.Hours
	WhenClosed string
}

// provider is what an upstream may know about a configured provider.
type provider struct {
	Name           string                         `json:"name"`
	Kind           string                         `json:"kind"`
	Operations     []payment.Operation            `json:"operations"`
	Currencies     []string                       `json:"currencies"`
	Methods        map[payment.Operation][]string `json:"methods"`
	MaxOrderLength int                            `json:"max_order_length"`
	Hours          map[payment.Operation]hours    `json:"hours,omitempty"`
	// Ways and Banks are in the answer about one provider only.
	Ways  []way                        `json:"ways,omitempty"`
	Banks map[payment.Operation][]bank `json:"banks,omitempty"`
}

// hours are when a provider takes payments: now, and the open times of the next days.
type hours struct {
	OpenNow    bool      `json:"open_now"`
	Until      time.Time `json:"until,omitzero"` // when that changes; absent for one that is always open
	Zone       string    `json:"zone"`
	WhenClosed string    `json:"when_closed"`
	Open       []span    `json:"open"` // empty for one that is always open
}

type span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// way is one way of paying, and what a command needs that takes it.
type way struct {
	Operation payment.Operation `json:"operation"`
	Method    string            `json:"method,omitempty"`
	Currency  string            `json:"currency"`
	Default   bool              `json:"default"`
	Schema    map[string]any    `json:"schema"`
}

// hoursAhead is how far opening times are told, and maxSpans how many of them at most.
const (
	hoursAhead = 7 * 24 * time.Hour
	maxSpans   = 64
)

// commandSchema is the schema of all commands, as JSON is read.
var commandSchema = func() (s map[string]any) {
	if err := json.Unmarshal(events.CommandSchema, &s); err != nil {
		panic("ingress: the schema of commands is not JSON: " + err.Error())
	}
	return s
}()

// providers shows the providers that the API key is for.
func (s *Server) providers(w http.ResponseWriter, r *http.Request) *problem {
	list := []provider{}
	for _, name := range s.registry.Names() {
		if c, _ := s.registry.Get(name); requestOf(r).key.allowsProvider(name) {
			list = append(list, s.summary(name, c))
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"providers": list})
	return nil
}

func (s *Server) summary(name string, c connectors.Connector) provider {
	t := c.Traits()
	shown := provider{
		Name: name, Kind: t.Kind, Operations: t.Operations, Currencies: t.Currencies, Methods: t.Methods, MaxOrderLength: t.MaxOrderLength,
	}
	if s.opening == nil {
		return shown
	}
	shown.Hours = map[payment.Operation]hours{}
	for _, op := range t.Operations {
		shown.Hours[op] = hoursOf(s.opening(name, op), s.now())
	}
	return shown
}

func hoursOf(o Opening, now time.Time) hours {
	shown := hours{OpenNow: o.Hours.Open(now), Zone: o.Hours.Zone().String(), WhenClosed: o.WhenClosed, Open: []span{}}
	change, ever := o.Hours.NextOpening(now)
	if shown.OpenNow {
		change, ever = o.Hours.NextClosing(now)
	}
	if ever {
		shown.Until = change
	}
	for at, end := now, now.Add(hoursAhead); len(shown.Open) < maxSpans; {
		from, opens := o.Hours.NextOpening(at)
		to, closes := o.Hours.NextClosing(from)
		if !opens || !closes || from.After(end) {
			break
		}
		shown.Open = append(shown.Open, span{from.In(o.Hours.Zone()), to.In(o.Hours.Zone())})
		at = to
	}
	return shown
}

// oneProvider shows a provider with what commands need and the banks that it serves. Banks that cannot be asked for now are
// left out: there is an endpoint for them, which says why.
func (s *Server) oneProvider(w http.ResponseWriter, r *http.Request) *problem {
	name, c, refused := s.provider(r)
	if refused != nil {
		return refused
	}
	key := requestOf(r).key
	shown := s.summary(name, c)
	for _, one := range connectors.Ways(c) {
		if key.allowsOperation(one.Operation) {
			shown.Ways = append(shown.Ways, way{one.Operation, one.Method, one.Currency, one.Default, s.schemaFor(key.upstream(), name, c, one)})
		}
	}
	shown.Banks = s.allBanks(r, name, c, key)
	writeJSON(w, http.StatusOK, shown)
	return nil
}

// schemaFor is the schema of a way, with the order numbers that are reserved for an upstream.
func (s *Server) schemaFor(upstream, name string, c connectors.Connector, one connectors.Way) map[string]any {
	schema := connectors.Schema(commandSchema, name, c, one)
	if prefix, reserved := s.prefixes[upstream]; reserved {
		order := maps.Clone(schema["properties"].(map[string]any)["order"].(map[string]any))
		order["pattern"] = fmt.Sprintf("^%s[A-Za-z0-9_-]{0,%d}$", prefix, max(0, c.Traits().MaxOrderLength-len(prefix)))
		schema["properties"].(map[string]any)["order"] = order
	}
	return schema
}

func (s *Server) allBanks(r *http.Request, name string, c connectors.Connector, key *holder) map[payment.Operation][]bank {
	lister, able := c.(connectors.BankLister)
	if !able {
		return nil
	}
	all := map[payment.Operation][]bank{}
	for _, op := range c.Traits().Operations {
		if !key.allowsOperation(op) {
			continue
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
		ctx, call := tracing.StartCall(ctx, "banks", payment.Ref{Provider: name}, 0)
		list, err := lister.Banks(ctx, op)
		call.End(err)
		cancel()
		if err != nil {
			_ = s.notTold(r, name, err) // for the log
			continue
		}
		for _, b := range list {
			all[op] = append(all[op], bank(b))
		}
	}
	return all
}
