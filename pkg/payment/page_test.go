package payment_test

import (
	"errors"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

const grace = 48 * time.Hour

var (
	closes = begin.Add(time.Hour)
	over   = closes.Add(grace) // from now on "unknown" is believed
	link   = payment.Observation{
		Kind: payment.Accepted, Source: payment.FromSubmit, Attempt: 1, PageClosesAt: closes,
		Action: &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/1"}},
	}
	notThere = payment.Observation{
		Kind: payment.Unknown, Source: payment.FromLookup, Settling: settling, PageGrace: grace,
		Reason: &payment.Reason{Code: payment.ReasonNotFound, ProviderCode: "3061"},
	}
)

// told is an observation with its time.
type told struct {
	o  payment.Observation
	at time.Time
}

func with(o payment.Observation, change func(*payment.Observation)) payment.Observation {
	change(&o)
	return o
}

// page is a payment whose customer has a link, written and read back.
func page(t *testing.T) payment.Payment {
	t.Helper()
	p := must(t)(payment.Decide(payment.New(deposit()), intend, begin))
	return checkWritten(t, must(t)(payment.Decide(p, link, begin)))
}

func TestALinkIsNotTheProvidersWord(t *testing.T) {
	p := page(t)
	if p.Status != payment.Pending || p.Known || !p.PageClosesAt.Equal(closes) || !p.AwaitsPage() || p.Action == nil {
		t.Errorf("%+v", p)
	}
	p = must(t)(payment.Decide(p, payment.Observation{Kind: payment.Accepted, Source: payment.FromWebhook}, begin))
	if !p.Known || p.AwaitsPage() || p.Action == nil || !p.PageClosesAt.Equal(closes) {
		t.Errorf("the customer is there: %+v", p)
	}
	open := must(t)(payment.Decide(decideAll(t, payment.New(deposit()), intend), with(link, func(o *payment.Observation) { o.PageClosesAt = time.Time{} }), begin))
	if !open.Known || open.AwaitsPage() {
		t.Errorf("a page that does not close is as before: %+v", open)
	}
}

// The one way to the end, and everything that is a little less.
func TestAPageEndsByTwoAnswersAfterItsCloseOnly(t *testing.T) {
	first, second := told{notThere, over}, told{notThere, over.Add(settling)}
	webhook := payment.Observation{Kind: payment.Accepted, Source: payment.FromWebhook}
	for name, c := range map[string]struct {
		heard []told
		want  payment.Status
		times int // not found
	}{
		"two answers":                  {[]told{first, second}, payment.Failed, 2},
		"two answers, much later":      {[]told{{notThere, over.Add(1000 * time.Hour)}, {notThere, over.Add(2000 * time.Hour)}}, payment.Failed, 2},
		"one answer":                   {[]told{first}, payment.Pending, 1},
		"the same answer twice":        {[]told{first, first}, payment.Pending, 1},
		"the second too soon":          {[]told{first, {notThere, second.at.Add(-1)}}, payment.Pending, 1},
		"the first before the end":     {[]told{{notThere, over.Add(-1)}, second}, payment.Pending, 1},
		"both before the end":          {[]told{{notThere, closes}, {notThere, over.Add(-1)}}, payment.Pending, 0},
		"before the close":             {[]told{{notThere, closes.Add(-2 * settling)}, {notThere, closes.Add(-1)}}, payment.Pending, 0},
		"nobody knows the grace":       {[]told{{with(notThere, func(o *payment.Observation) { o.PageGrace = 0 }), over}, {with(notThere, func(o *payment.Observation) { o.PageGrace = 0 }), second.at}}, payment.Pending, 0},
		"a grace less than settling":   {[]told{{with(notThere, func(o *payment.Observation) { o.PageGrace, o.Settling = 1, grace }), over.Add(-1)}}, payment.Pending, 0},
		"the grace grew in between":    {[]told{{with(notThere, func(o *payment.Observation) { o.PageGrace = time.Hour }), closes.Add(time.Hour)}, first}, payment.Pending, 1},
		"nobody was asked":             {[]told{{with(notThere, func(o *payment.Observation) { o.Source = payment.FromStatement }), over}, {with(notThere, func(o *payment.Observation) { o.Source = payment.FromWebhook }), second.at}}, payment.Pending, 0},
		"the second is no answer":      {[]told{first, {payment.Observation{Kind: payment.Indeterminate, Source: payment.FromLookup}, second.at}}, payment.Pending, 1},
		"it was heard of before":       {[]told{{webhook, begin}, first, second}, payment.Pending, 0},
		"it was heard of in between":   {[]told{first, {webhook, over.Add(1)}, second}, payment.Pending, 1},
		"nobody understood a webhook":  {[]told{{payment.Observation{Kind: payment.Indeterminate, Source: payment.FromWebhook}, begin}, first, second}, payment.Pending, 0},
		"nobody understood an answer":  {[]told{{payment.Observation{Kind: payment.Indeterminate, Source: payment.FromLookup, Known: true}, begin}, first, second}, payment.Pending, 0},
		"nothing executed, but known":  {[]told{{payment.Observation{Kind: payment.NotExecuted, Source: payment.FromLookup, Known: true}, begin}, first, second}, payment.Pending, 0},
		"a second link closes later":   {[]told{{with(link, func(o *payment.Observation) { o.PageClosesAt = closes.Add(time.Hour) }), begin}, first, second}, payment.Pending, 0},
		"a second link closes earlier": {[]told{{with(link, func(o *payment.Observation) { o.PageClosesAt = begin }), begin}, {notThere, over.Add(-1)}, {notThere, over.Add(-1).Add(settling)}}, payment.Pending, 1},
		"a second link in between":     {[]told{first, {link, over.Add(1)}, second}, payment.Pending, 1},
		"a second link that is open":   {[]told{{with(link, func(o *payment.Observation) { o.PageClosesAt = time.Time{} }), begin}, first, second}, payment.Pending, 0},
		"a person was told":            {[]told{{overdue, over}, first, second}, payment.Failed, 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := page(t)
			for _, heard := range c.heard {
				next, _, err := payment.Decide(p, heard.o, heard.at)
				if err != nil {
					t.Fatal(err)
				}
				p = checkWritten(t, next)
			}
			if p.Status != c.want || p.NotFound != c.times {
				t.Errorf("%s, not found %d times, want %s and %d", p.Status, p.NotFound, c.want, c.times)
			}
		})
	}
}

func TestAbandonedIsAnEndWithAReason(t *testing.T) {
	p := page(t)
	p = must(t)(payment.Decide(p, notThere, over))
	if p.Status != payment.Pending || p.Reason.Code != payment.ReasonNotFound || p.Action == nil || !p.NotFoundAt.Equal(over) {
		t.Errorf("after one answer %+v", p)
	}
	p = must(t)(payment.Decide(p, notThere, over.Add(settling)))
	want := payment.Reason{Code: payment.ReasonAbandoned, ProviderCode: "3061", Message: "the page closed 2026-11-22T10:00:00Z"}
	if p.Status != payment.Failed || *p.Reason != want || p.Action != nil || !p.OverdueAt.IsZero() {
		t.Errorf("%+v %+v", p, p.Reason)
	}
	if _, changed, err := payment.Decide(p, payment.Observation{Kind: payment.Declined, Source: payment.FromWebhook}, over); changed || err != nil {
		t.Errorf("declined after all: changed %v, %v", changed, err)
	}
	// Whatever was believed, money that moved is seen.
	p = must(t)(payment.Decide(p, payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook}, over.Add(time.Hour)))
	if p.Status != payment.Conflict || p.Reason.Code != payment.ReasonContradiction || len(p.Evidence) != 1 || p.Evidence[0] != payment.Paid {
		t.Errorf("paid after all: %+v", p)
	}
}

// Before there was page_closes_at, a link was taken for the provider's word.
func TestPagesOfOlderEventsDoNotEnd(t *testing.T) {
	for _, old := range []string{`"known":true,`, ``} {
		p, err := events.DecodePayment([]byte(`{"provider":"ecommpay-kr","order":"D-1","operation":"deposit","status":"pending","revision":2,` +
			`"amount":{"value":"10000","currency":"KRW"},"attempts":1,"action":{"type":"redirect","redirect":{"method":"GET","url":"https://pay.example/1"}},` +
			`"submitted_at":"2026-11-22T09:00:00Z",` + old + `"requested_at":"2026-11-22T09:00:00Z","updated_at":"2026-11-22T09:00:00Z"}`))
		if err != nil || p.AwaitsPage() {
			t.Fatalf("%+v, %v", p, err)
		}
		for n := range 3 {
			next, changed, err := payment.Decide(p, notThere, over.Add(time.Duration(n)*time.Hour))
			if changed || err != nil {
				t.Errorf("%s: %+v, %v", old, next, err)
			}
		}
		if next := must(t)(payment.Decide(p, overdue, over)); next.Reason.Code != payment.ReasonOverdue {
			t.Errorf("%+v", next)
		}
	}
}

// What the provider did not know before its order was sent again says nothing about the page of then.
func TestDoubtsBeforeThePageDoNotCount(t *testing.T) {
	p := must(t)(payment.Decide(payment.New(deposit()), intend, begin))
	p = must(t)(payment.Decide(p, notThere, begin.Add(settling))) // in doubt: a worker was frozen
	p = must(t)(payment.Decide(p, link, begin.Add(settling)))     // and goes on
	if p.Status != payment.Pending || p.NotFound != 0 || !p.NotFoundAt.IsZero() {
		t.Errorf("%+v", p)
	}
	p = must(t)(payment.Decide(p, notThere, over))
	if p.Status != payment.Pending || p.NotFound != 1 {
		t.Errorf("ended by one answer: %+v", p)
	}
}

// A link is nothing that a doubt of two payments could end with.
func TestALinkEndsNoDoubtForAPerson(t *testing.T) {
	p := decideAll(t, payment.New(deposit()), intend,
		payment.Observation{Kind: payment.Accepted, Reference: "P1"}, payment.Observation{Kind: payment.Accepted, Reference: "P2", OneReference: true})
	if next := must(t)(payment.Decide(p, link, begin)); next.Status != payment.InDoubt || next.Reason.Code != payment.ReasonSecondReference {
		t.Errorf("%+v", next)
	}
}

// A page can be sent again only as anything else: never while it is pending.
func TestAPageIsNotSentAgain(t *testing.T) {
	for _, heard := range [][]told{nil, {{notThere, over}}, {{notThere, over}, {notThere, over.Add(settling)}}} {
		p := page(t)
		for _, one := range heard {
			p = must(t)(payment.Decide(p, one.o, one.at))
		}
		if _, _, err := payment.Decide(p, intend, over.Add(time.Hour)); !errors.Is(err, payment.ErrForbidden) {
			t.Errorf("%s: %v", p.Status, err)
		}
	}
	// And a new attempt has a page of its own.
	p := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: 1})
	p.PageClosesAt = closes
	for _, at := range []time.Time{begin.Add(time.Hour), begin.Add(2 * time.Hour)} {
		p = must(t)(payment.Decide(p, payment.Observation{Kind: payment.Unknown}, at))
	}
	if p = must(t)(payment.Decide(p, intend, begin.Add(3*time.Hour))); !p.PageClosesAt.IsZero() {
		t.Errorf("%+v", p)
	}
}
