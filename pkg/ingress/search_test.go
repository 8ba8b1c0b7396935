package ingress_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/ingress"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// finder answers every search and remembers the last.
type finder struct {
	page  search.Page
	err   error
	f     search.Filter
	after string
	limit int
}

func (s *finder) Find(_ context.Context, f search.Filter, after string, limit int) (search.Page, error) {
	s.f, s.after, s.limit = f, after, limit
	return s.page, s.err
}

func withSearch(t *testing.T) (*border, *finder) {
	s := &finder{}
	return newBorder(t, func(o *ingress.Options) { o.Search = s }), s
}

func TestSearchShowsPayments(t *testing.T) {
	b, s := withSearch(t)
	p := paymentOf(t, payment.Deposit, depositBody, payment.Pending)
	p.Revision, p.Action = 1, &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{URL: "https://pay.example/secret"}}
	s.page = search.Page{Entries: []search.Entry{{Payment: p, Sequence: 7, OpenedAt: start}}, Next: "more", Looked: &search.Looked{Events: 5, Since: start}}
	a := b.do("GET", "/v1/payments?status=pending&status=parked&metadata=shop%3D1&limit=7&after=x", "")
	answer := a.mustBe(t, 200)
	if list, _ := answer["payments"].([]any); len(list) != 1 || answer["next"] != "more" || answer["looked"] == nil || strings.Contains(a.body, "secret") {
		t.Errorf("%s", a.body)
	}
	if s.limit != 7 || s.after != "x" || !slices.Equal(s.f.Statuses, []payment.Status{payment.Pending, payment.Parked}) || s.f.MetadataValue != "1" {
		t.Errorf("%+v", s)
	}
}

// A key finds what is its upstream's, at its providers and of its operations.
func TestSearchIsNarrowedToTheKey(t *testing.T) {
	b, s := withSearch(t)
	b.do("GET", "/v1/payments", "").mustBe(t, 200)
	if s.f.VisibleTo != "shop" || s.f.Providers != nil || s.f.Operations != nil || s.limit != 50 {
		t.Errorf("%+v", s)
	}
	narrow := []string{"Authorization", "Bearer " + narrowKey}
	b.do("GET", "/v1/payments", "", narrow...).mustBe(t, 200)
	if s.f.VisibleTo != "narrow" || !slices.Equal(s.f.Providers, []string{"other-kr"}) || !slices.Equal(s.f.Operations, []payment.Operation{payment.Deposit}) {
		t.Errorf("%+v", s)
	}
	b.do("GET", "/v1/payments?provider=other-kr&provider=fake-kr", "", narrow...).mustRefuse(t, 403, "forbidden", "")
	b.do("GET", "/v1/payments?operation=payout", "", narrow...).mustRefuse(t, 403, "forbidden", "")
	b.do("GET", "/v1/payments", "", "Authorization", "").mustRefuse(t, 401, "unauthorized", "")
}

func TestSearchNamesEveryBadParameter(t *testing.T) {
	b, s := withSearch(t)
	a := b.do("GET", "/v1/payments?status=hunter2&limit=0&amount_from=5&hunter2!=1&to=hunter2", "")
	a.mustRefuse(t, 422, "invalid_field", "limit")
	for _, name := range []string{`"status"`, `"limit"`, `"amount_from"`, `"to"`, `"name":""`} {
		if !strings.Contains(a.body, name) {
			t.Errorf("%s is not named: %s", name, a.body)
		}
	}
	if strings.Contains(a.body, "hunter2") {
		t.Errorf("a value is shown: %s", a.body)
	}
	for _, name := range []string{"state", "a"} {
		a = b.do("GET", "/v1/payments?limit=5&"+name+"=hunter2", "")
		a.mustRefuse(t, 422, "invalid_field", name)
		if !strings.Contains(a.body, "after, amount_from") || !strings.Contains(a.body, "limit, metadata") || strings.Contains(a.body, "hunter2") {
			t.Errorf("not all parameters are named, or a value is: %s", a.body)
		}
	}
	b.do("GET", "/v1/payments?a=%zz", "").mustRefuse(t, 422, "invalid_field", "")
	s.err = search.ErrCursor
	b.do("GET", "/v1/payments?after=hunter2", "").mustRefuse(t, 422, "invalid_field", "after")
	s.err = errors.New("the database is away")
	b.do("GET", "/v1/payments", "").mustRefuse(t, 503, "unavailable", "")
	newBorder(t).do("GET", "/v1/payments", "").mustRefuse(t, 503, "unavailable", "")
}

// held is a search that waits, or panics.
type held struct{ began, end chan struct{} }

func (s held) Find(context.Context, search.Filter, string, int) (search.Page, error) {
	if s.end == nil {
		panic("hunter2")
	}
	s.began <- struct{}{}
	<-s.end
	return search.Page{}, nil
}

// A search is bounded like every other request, and counts as ten.
func TestSearchIsBounded(t *testing.T) {
	get := func(b *border) answer { return b.do("GET", "/v1/payments", "") }
	get(newBorder(t, func(o *ingress.Options) { o.ClientCertificates = true })).mustRefuse(t, 403, "certificate_required", "")
	get(newBorder(t, func(o *ingress.Options) { o.Search = held{} })).mustRefuse(t, 500, "internal", "")
	b := newBorder(t, func(o *ingress.Options) {
		o.Search = &finder{}
		o.Limits.RequestsPerSecond, o.Limits.Burst = 1, 15
	})
	get(b).mustBe(t, 200)
	get(b).mustRefuse(t, 429, "rate_limited", "")
	s := held{make(chan struct{}), make(chan struct{})}
	b = newBorder(t, func(o *ingress.Options) {
		o.Search = s
		o.Limits.MaxRequests = 1
	})
	first := make(chan answer)
	go func() { first <- get(b) }()
	<-s.began
	get(b).mustRefuse(t, 503, "overloaded", "")
	close(s.end)
	(<-first).mustBe(t, 200)
}
