package console

import (
	"context"
	"net/http"

	"payonce/pkg/events"
)

// ledgersPage is who reads the log, and how far.
type ledgersPage struct{ Durable, Others readers }

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
	say := c.say(r)
	page := ledgersPage{Durable: readers{Label: say("Ledgers")}, Others: readers{Label: say("For as long as their process lives")}}
	for _, one := range found {
		if one.Durable {
			page.Durable.List = append(page.Durable.List, one)
		} else {
			page.Others.List = append(page.Others.List, one)
		}
	}
	c.render(w, r, http.StatusOK, "ledgers", say("Ledgers"), page)
}
