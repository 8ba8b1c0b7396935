package console

import (
	"context"
	"net/http"
	"slices"

	"payonce/pkg/endpoints"
	"payonce/pkg/events"
)

// ledgersPage is who reads the log, and how far: ledgers, and the endpoints that get webhooks.
type ledgersPage struct {
	Endpoints       []endpointRow
	Durable, Others readers
}

// readers are some of them, with what their table is called.
type readers struct {
	Label string
	List  []events.Reader
}

func (c *Console) ledgers(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	found, err := c.o.Readers.Readers(ctx)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	rows, err := c.endpointRows(ctx)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	say := c.say(r)
	page := ledgersPage{Endpoints: rows, Durable: readers{Label: say("Ledgers")}, Others: readers{Label: say("For as long as their process lives")}}
	for _, one := range found {
		if c.ofEndpoint(one.Name) {
			continue // it stands among the endpoints
		}
		if one.Durable {
			page.Durable.List = append(page.Durable.List, one)
		} else {
			page.Others.List = append(page.Others.List, one)
		}
	}
	c.render(w, r, http.StatusOK, "ledgers", say("Ledgers and webhooks out"), page)
}

// ofEndpoint reports whether a consumer is that of a configured endpoint.
func (c *Console) ofEndpoint(consumer string) bool {
	return slices.ContainsFunc(c.o.SendTo, func(e endpoints.Endpoint) bool { return events.EndpointConsumer(e.Name) == consumer })
}
