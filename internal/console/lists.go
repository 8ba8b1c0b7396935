package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// listSize is how long the pages of what is read one by one are, and scanMost how many dead letters are looked through for one.
const (
	listSize = 50
	scanMost = 2000
)

// auditPage is what people did, newest first.
type auditPage struct {
	Entries     []events.AuditEntry
	Next, First string
}

func (c *Console) audit(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	before := number(r.FormValue("before"))
	entries, err := c.o.Records.LatestAudits(ctx, before, listSize)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	page := auditPage{Entries: entries}
	if len(entries) == listSize {
		page.Next = "/audit?before=" + strconv.FormatUint(entries[listSize-1].Sequence, 10)
	}
	if before > 0 {
		page.First = "/audit"
	}
	c.render(w, r, http.StatusOK, "audit", c.say(r)("Audit"), page)
}

// number reads a sequence; 0 for what isn't one.
func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// deadLettersPage is what was given up, oldest first.
type deadLettersPage struct {
	Provider    string
	Providers   []string
	Letters     []deadLetter
	Next, First string
}

type deadLetter struct {
	events.DeadLetter
	payment.Ref // empty Order where it names none
}

func (c *Console) deadLetters(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	page := deadLettersPage{Provider: r.FormValue("provider"), Providers: append(c.providerNames(), events.NoProvider)}
	after := number(r.FormValue("after"))
	if after > 0 {
		page.First = "/dead-letters" + page.query(0)
	}
	for scanned := 0; len(page.Letters) < listSize; {
		letters, err := c.o.Records.DeadLetters(ctx, after, listSize)
		if err != nil {
			c.failed(w, r, err)
			return
		}
		for _, l := range letters {
			after = l.Sequence
			if ref := refOf(l); page.Provider == "" || ref.Provider == page.Provider {
				page.Letters = append(page.Letters, deadLetter{l, ref})
			}
			if len(page.Letters) == listSize {
				break
			}
		}
		if scanned += len(letters); len(letters) < listSize && len(page.Letters) < listSize {
			break
		}
		if len(page.Letters) == listSize || scanned >= scanMost {
			page.Next = "/dead-letters" + page.query(after)
			break
		}
	}
	c.render(w, r, http.StatusOK, "deadletters", c.say(r)("Dead letters"), page)
}

func (p deadLettersPage) query(after uint64) string {
	values := url.Values{}
	if p.Provider != "" {
		values.Set("provider", p.Provider)
	}
	if after > 0 {
		values.Set("after", strconv.FormatUint(after, 10))
	}
	return question(values)
}

func refOf(l events.DeadLetter) payment.Ref {
	if ref, ok := events.SubjectRef(l.Message.Subject); ok {
		return ref
	}
	return payment.Ref{Provider: events.NoProvider}
}

// parkedPage is the payments whose commands the broker holds.
type parkedPage struct {
	Provider    string
	Providers   []string
	Total       int
	Payments    []parkedPayment
	Next, First string
}

type parkedPayment struct {
	payment.Payment
	Unread bool // it could not be read
}

func (c *Console) parked(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	page := parkedPage{Provider: r.FormValue("provider"), Providers: c.providerNames()}
	if page.Provider != "" && !payment.ValidProvider(page.Provider) {
		c.notFound(w, r)
		return
	}
	refs, err := c.o.Queue.ParkedOrders(ctx, page.Provider)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	page.Total = len(refs)
	from := min(int(min(number(r.FormValue("from")), 1<<30)), len(refs))
	query := func(from int) string {
		values := url.Values{}
		if page.Provider != "" {
			values.Set("provider", page.Provider)
		}
		if from > 0 {
			values.Set("from", strconv.Itoa(from))
		}
		return "/parked" + question(values)
	}
	if from > 0 {
		page.First = query(0)
	}
	if from+listSize < len(refs) {
		page.Next = query(from + listSize)
	}
	for _, ref := range refs[from:min(from+listSize, len(refs))] {
		p, _, err := c.o.Last.Last(ctx, ref)
		if ctx.Err() != nil {
			c.failed(w, r, err)
			return
		}
		p.Ref = ref
		page.Payments = append(page.Payments, parkedPayment{p, err != nil})
	}
	c.render(w, r, http.StatusOK, "parked", c.say(r)("Parked"), page)
}

func (c *Console) providerNames() (names []string) {
	for _, p := range c.o.Providers {
		names = append(names, p.Name)
	}
	return names
}

// providerPage is what the configuration says of a provider.
type providerPage struct {
	Provider
	Operations []operationHours
}

type operationHours struct {
	Operation payment.Operation
	Open      bool
	Changes   []change
}

// change is when a provider opens or closes.
type change struct {
	At   time.Time
	Open bool
}

// changesShown is how many of the next openings and closings are shown.
const changesShown = 8

func (c *Console) pageOf(p Provider) providerPage {
	page := providerPage{Provider: p}
	for _, op := range p.ProviderConfig.Operations {
		hours, at := p.Hours(op), c.o.Now()
		of := operationHours{Operation: op, Open: hours.Open(at)}
		for open := of.Open; len(of.Changes) < changesShown; {
			next, ever := hours.NextOpening(at)
			if open {
				next, ever = hours.NextClosing(at)
			}
			if !ever {
				break
			}
			open = !open
			of.Changes = append(of.Changes, change{next, open})
			at = next
		}
		page.Operations = append(page.Operations, of)
	}
	return page
}

func (c *Console) providers(w http.ResponseWriter, r *http.Request) {
	var all []providerPage
	for _, p := range c.o.Providers {
		all = append(all, c.pageOf(p))
	}
	c.render(w, r, http.StatusOK, "providers", c.say(r)("Providers"), all)
}

func (c *Console) provider(w http.ResponseWriter, r *http.Request) {
	for _, p := range c.o.Providers {
		if p.Name == r.PathValue("provider") {
			c.render(w, r, http.StatusOK, "provider", p.Name, c.pageOf(p))
			return
		}
	}
	c.notFound(w, r)
}
