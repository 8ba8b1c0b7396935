package console

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/status"
)

// reports keeps the last report for a moment, so that many browsers cost no more than one.
type reports struct {
	from Status
	now  func() time.Time
	mu   sync.Mutex
	last status.Report
}

// reportLife is how long a report is shown before it is read again.
const reportLife = time.Second

func (c *reports) get(ctx context.Context) status.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := c.now().Sub(c.last.At); c.last.At.IsZero() || age < 0 || age > reportLife {
		c.last = c.from.Report(ctx)
	}
	return c.last
}

// attention is how much needed a person by the last report; 0 before there is one.
func (c *reports) attention() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.AttentionTotal == nil {
		return 0
	}
	return *c.last.AttentionTotal
}

// waiting is how many requests waited for a second person by the last report.
func (c *reports) waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range c.last.Attention {
		if i.Request > 0 {
			n++
		}
	}
	return n
}

// nowPage is how everything stands.
type nowPage struct {
	Report    status.Report
	Figures   []figure
	Providers []providerRow
	Charts    charts
}

// figure is a number that leads to the list behind it.
type figure struct {
	Name   string
	Status payment.Status // empty where it is no status
	Number int
	Known  bool
	Since  time.Time // the oldest
	Path   string
}

type providerRow struct {
	status.Provider
	Hours    []status.Opening // without an operation where both are the same
	Ready    int
	Numbers  []figure
	LastHour string
}

// openStatuses are those that Now counts, in the order of their columns.
var openStatuses = []payment.Status{payment.Submitting, payment.Pending, payment.InDoubt, payment.Conflict, payment.Parked}

func (c *Console) now(w http.ResponseWriter, r *http.Request) {
	say, report := c.say(r), c.reports.get(r.Context())
	page := nowPage{Report: report, Figures: figures(report, say), Charts: c.charts(r, say)}
	for _, p := range report.Providers {
		page.Providers = append(page.Providers, row(p, say))
	}
	c.render(w, r, http.StatusOK, "now", say("Now"), page)
}

// figures are the numbers of all providers together.
func figures(r status.Report, say words) []figure {
	attention := figure{Name: say("Needs a person"), Path: "/attention"}
	if r.AttentionTotal != nil {
		attention.Number, attention.Known = *r.AttentionTotal, true
		if len(r.Attention) > 0 {
			attention.Since = r.Attention[0].Since
		}
	}
	all := []figure{attention}
	for _, s := range openStatuses {
		f := figure{Status: s, Known: len(r.Providers) > 0, Path: "/payments?status=" + string(s)}
		for _, p := range r.Providers {
			if p.Payments == nil {
				f.Known = false
				continue
			}
			n := p.Payments.Open[s]
			if f.Number += n.Number; n.Number > 0 && (f.Since.IsZero() || n.Since.Before(f.Since)) {
				f.Since = n.Since
			}
		}
		all = append(all, f)
	}
	return all
}

func row(p status.Provider, say words) providerRow {
	r := providerRow{Provider: p, Hours: p.Hours}
	if len(p.Hours) == 2 && p.Hours[0].Open == p.Hours[1].Open && p.Hours[0].Until.Equal(p.Hours[1].Until) && p.Hours[0].OpensAt.Equal(p.Hours[1].OpensAt) {
		both := p.Hours[0]
		both.Operation = ""
		r.Hours = []status.Opening{both}
	}
	if p.Queue != nil {
		r.Ready = int(p.Queue.Ready)
	}
	of := url.Values{"provider": {p.Name}}
	for _, s := range openStatuses {
		f := figure{Name: say("status " + string(s)), Known: p.Payments != nil, Path: "/payments?" + of.Encode() + "&status=" + string(s)}
		if f.Known {
			f.Number = p.Payments.Open[s].Number
		}
		r.Numbers = append(r.Numbers, f)
	}
	overdue := figure{Name: say("Overdue"), Known: p.Payments != nil, Path: "/payments?" + of.Encode() + "&overdue=true"}
	dead := figure{Name: say("Dead letters"), Known: p.Queue != nil, Path: "/dead-letters?" + of.Encode()}
	if overdue.Known {
		overdue.Number = p.Payments.Overdue
		r.LastHour = lastHour(p.Payments.LastHour, say)
	}
	if dead.Known {
		dead.Number = int(p.Queue.DeadLetters)
	}
	r.Numbers = append(r.Numbers, overdue, dead)
	return r
}

func lastHour(h status.Hour, say words) string {
	all := h.Settled + h.Failed
	if all == 0 {
		return say("no outcome")
	}
	return say("%.1f %% of %d settled; half within %s", 100*float64(h.Settled)/float64(all), all, span(say, time.Duration(h.Half*float64(time.Second))))
}

type attentionPage struct {
	Report status.Report
	More   int
}

func (c *Console) attention(w http.ResponseWriter, r *http.Request) {
	page := attentionPage{Report: c.reports.get(r.Context())}
	if total := page.Report.AttentionTotal; total != nil {
		page.More = *total - len(page.Report.Attention)
	}
	c.render(w, r, http.StatusOK, "attention", c.say(r)("Needs a person"), page)
}

// paymentPath is the page of a payment.
func paymentPath(provider, order string) string {
	return (&url.URL{Path: "/payments/" + provider + "/"}).String() + url.PathEscape(order)
}
