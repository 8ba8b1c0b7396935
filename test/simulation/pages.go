package simulation

import (
	"strconv"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// pageURL begins the links to pages; the number of the link follows.
const pageURL = "https://pay.example/page/"

// methodPage is a deposit for which the provider is asked nothing: its customer gets the link to a page.
const methodPage = "page"

// pageLife is how long a page is open when the command does not expire, and pageGrace what the provider's documents
// promise after its close: longer than a webhook can be late.
const pageLife, pageGrace = 15 * time.Minute, 45 * time.Minute

// pageLives are two: the command can expire later than a page of the first would close.
func pageLives() []time.Duration { return []time.Duration{pageLife + time.Minute, 70 * time.Minute} }

// link is one link to a page of the provider's. Whether a customer has it depends on the log.
type link struct {
	o      *order
	cmd    payment.Command // that it was made for: another can ask for the same order
	closes time.Duration
	given  bool
}

// makeLink is what the connector does without the provider.
func (w *world) makeLink(o *order, cmd payment.Command, clock time.Time) payment.Observation {
	closes := clock.Add(pageLife)
	if !cmd.ExpiresAt.IsZero() {
		closes = cmd.ExpiresAt
	}
	w.links = append(w.links, &link{o: o, cmd: cmd, closes: closes.Sub(epoch)})
	return payment.Observation{
		Kind: payment.Accepted, PageClosesAt: closes,
		Action: &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: pageURL + strconv.Itoa(len(w.links)-1)}},
	}
}

// handOver gives the customer the link that an event of the log has, and draws what the customer does with it.
func (w *world) handOver(p payment.Payment) {
	if p.Status != payment.Pending || p.Action == nil || p.Action.Redirect == nil {
		return
	}
	number, _ := strings.CutPrefix(p.Action.Redirect.URL, pageURL)
	n, err := strconv.Atoi(number)
	if err != nil || w.links[n].given {
		return
	}
	l := w.links[n]
	l.given, l.o.page = true, max(l.o.page, l.closes)
	left := l.closes - w.now
	if left <= 0 || w.oneOf(2, pageUnused) {
		return
	}
	wait := w.between(0, left-1)
	if w.chance(pageLastMoment) {
		wait = left - 1
	}
	w.after(wait, func() { w.confirm(l) })
}

// confirm is the customer on the page, in time. The provider takes an order once.
func (w *world) confirm(l *link) {
	o := l.o
	if o.deal != nil {
		return
	}
	w.note("the customer of %s confirms", o.ref.Order)
	w.speakUnreadably(o)
	d := w.accept(o, l.cmd, w.now)
	if w.chance(lookupLags) {
		d.visible = w.now + w.between(0, pageGrace)
	}
	if w.chance(lookupForgets) { // look-ups know nothing of it any more, but webhooks report all of it
		d.forgotten, d.told, d.unreadableUntil = true, true, 0
		w.tell(o, d.report())
	}
}

// sees reports whether a look-up knows an order. For a moment shorter than the settling delay, less what clocks differ, it may
// not know one that was confirmed on a page, and not again for long.
func (w *world) sees(o *order) bool {
	d := o.deal
	if d == nil || w.now < d.visible || d.forgotten {
		return false
	}
	if o.page > 0 && w.now >= d.blindUntil+time.Hour && w.rates[lookupBlinks] > 0 && w.oneOf(2, lookupBlinks) {
		d.blindUntil = w.now + w.between(time.Second, settling()-2*maxSkew-time.Second)
	}
	return w.now >= d.blindUntil
}

// oneOf draws what is no fault, but a custom of customers, in one of n cases.
func (w *world) oneOf(n int, f fault) bool {
	happens := w.rng.IntN(n) == 0
	if happens {
		w.happened[f]++
	}
	return happens
}

// judgePage checks the end of a payment whose customer did not come: nothing moved, and nothing can any more.
func (w *world) judgePage(p payment.Payment) {
	if p.Status != payment.Failed || p.Reason == nil || p.Reason.Code != payment.ReasonAbandoned {
		return
	}
	switch o := w.orderOf(p.Ref); {
	case o.deal != nil:
		w.problem("%s: abandoned, and the provider has it", p.Order)
	case w.now < o.page:
		w.problem("%s: abandoned %s before its page closes", p.Order, o.page-w.now)
	case o.page == 0:
		w.problem("%s: abandoned, and nobody had a page", p.Order)
	}
}
