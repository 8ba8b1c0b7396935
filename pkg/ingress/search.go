package ingress

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// Search finds payments: in the archive, or in the newest events of the log where there is none. It is safe for concurrent
// use.
type Search interface {
	// Find returns a page of the payments that a filter chooses, newest first. The error is [search.ErrCursor] for a cursor
	// that isn't one.
	Find(ctx context.Context, f search.Filter, after string, limit int) (search.Page, error)
}

const defaultPage = 50

// foundPayment is a payment in the answer to a search.
type foundPayment struct {
	Payment  events.PaymentData `json:"payment"`
	Sequence uint64             `json:"sequence"` // of its last event in the log
	OpenedAt time.Time          `json:"opened_at"`
	EndedAt  time.Time          `json:"ended_at,omitzero"`
	// Unreadable is the sequence of a later event, which can't be read.
	Unreadable uint64 `json:"unreadable_sequence,omitempty"`
}

type foundPayments struct {
	Payments []foundPayment `json:"payments"`
	Next     string         `json:"next,omitempty"`
	// Looked says what was looked at where there is no archive.
	Looked *search.Looked `json:"looked,omitempty"`
}

// payments shows the payments that the API key may see and that the parameters choose.
func (s *Server) payments(w http.ResponseWriter, r *http.Request) *problem {
	if s.search == nil {
		return newProblem(kindUnavailable, "There is no search here.")
	}
	key := requestOf(r).key
	f, after, limit, refused := searchOf(r)
	if refused == nil {
		refused = narrow(&f, key)
	}
	if refused != nil {
		return refused
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	page, err := s.search.Find(ctx, f, after, limit)
	if errors.Is(err, search.ErrCursor) {
		return parametersProblem([]search.Problem{{Name: "after", Detail: "must be next of an answer before"}})
	}
	if err != nil {
		return s.failed(r, err, "The payments could not be searched: ask again.")
	}
	answer := foundPayments{Payments: make([]foundPayment, 0, len(page.Entries)), Next: page.Next, Looked: page.Looked}
	for _, e := range page.Entries {
		answer.Payments = append(answer.Payments, foundPayment{events.DataOf(withoutContent(e.Payment)), e.Sequence, e.OpenedAt, e.EndedAt, e.Unreadable})
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// withoutContent leaves out what the customer must do, which only the payment itself shows.
func withoutContent(p payment.Payment) payment.Payment {
	for _, action := range []**payment.Action{&p.Action, &p.WithheldAction} {
		if !(*action).Missing() {
			*action = nil
		}
	}
	return p
}

// searchOf reads the parameters of a search.
func searchOf(r *http.Request) (f search.Filter, after string, limit int, refused *problem) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return f, "", 0, parametersProblem([]search.Problem{{Detail: "the query is not well formed"}})
	}
	var bad []search.Problem
	limit = defaultPage
	if values.Has("limit") {
		if limit, err = strconv.Atoi(values.Get("limit")); err != nil || limit < 1 || limit > search.MaxPage || len(values["limit"]) > 1 {
			bad = append(bad, search.Problem{Name: "limit", Detail: "must be between 1 and " + strconv.Itoa(search.MaxPage)})
		}
	}
	if after = values.Get("after"); len(values["after"]) > 1 {
		bad = append(bad, search.Problem{Name: "after", Detail: "must be given once"})
	}
	f, more := search.Parse(values, "after", "limit")
	if bad = append(bad, more...); len(bad) > 0 {
		return f, "", 0, parametersProblem(bad)
	}
	return f, after, limit, nil
}

func parametersProblem(bad []search.Problem) *problem {
	p := newProblem(kindInvalid, bad[0].Detail)
	p.Field, p.Parameters = bad[0].Name, bad
	return p
}

// narrow leaves of a search what the key may see. Another upstream's payments aren't found, as if they weren't there.
func narrow(f *search.Filter, key *holder) *problem {
	for _, name := range f.Providers {
		if !key.allowsProvider(name) {
			return newProblem(kindForbidden, "This API key is not for this provider.")
		}
	}
	for _, op := range f.Operations {
		if !key.allowsOperation(op) {
			return newProblem(kindForbidden, "This API key is not for this operation.")
		}
	}
	if len(f.Providers) == 0 {
		f.Providers = slices.Clone(key.Providers)
	}
	if len(f.Operations) == 0 {
		f.Operations = slices.Clone(key.Operations)
	}
	f.VisibleTo = key.upstream()
	return nil
}
