package simulation

import (
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// accountPause is how long a process sends nothing after our account was refused for two orders in a row, as in
// pkg/limits.
const accountPause = time.Minute

// outage is a time in which the provider refuses our account. The zero outage never is.
type outage struct {
	from, until time.Duration
	way         string // of paying; empty for all
	lookups     bool   // look-ups are refused, too
}

// drawOutage draws one in a fifth of the runs.
func (w *world) drawOutage() outage {
	if !w.oneOf(5, accountRefused) {
		return outage{}
	}
	from := w.between(0, w.calm)
	return outage{from, from + w.between(time.Minute, 45*time.Minute), [...]string{"", "deposit", "payout"}[w.rng.IntN(3)], w.rng.IntN(2) == 0}
}

func wayOf(cmd payment.Command) string {
	if cmd.Method == "" {
		return string(cmd.Operation)
	}
	return string(cmd.Operation) + "/" + cmd.Method
}

// refusesAccount reports whether the provider refuses our account for a request that arrives now.
func (w *world) refusesAccount(cmd payment.Command) bool {
	out := w.outage
	return w.now >= out.from && w.now < out.until && (out.way == "" || out.way == wayOf(cmd))
}

// misconfigured is the provider's answer then.
func misconfigured() error {
	return &connectors.Error{Class: connectors.Misconfigured, Code: payment.ReasonAccountMisconfigured, ProviderCode: "401"}
}

// judgeOutage checks that a process, when it hears that our account is refused, has not sent much since it heard so for a
// second order: at most one request of each order that was under way, and one a minute. One order alone may go on.
func (g *gate) judgeOutage(cmd payment.Command) {
	w, way := g.p.w, wayOf(cmd)
	c := g.account(way)
	c.truly++
	switch c.heard++; {
	case c.known:
	case c.first == "":
		c.first = cmd.Order
		return
	default:
		c.known, c.heard, c.since = c.first != cmd.Order, 0, w.now
		return
	}
	orders := 0
	for _, o := range w.orders {
		if wayOf(o.cmd) == way {
			orders++
		}
	}
	if most := orders + int((w.now-c.since)/accountPause); c.heard > most {
		w.problem("%s sent %d requests in %s while our account is refused", g.p.name, c.heard, w.now-c.since)
	}
}
