package console

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/search"
)

const (
	pageSize = 50
	// readTimeout bounds what one page asks of NATS or the archive.
	readTimeout = 20 * time.Second
	// csvMost bounds how many payments one file has.
	csvMost = 100_000
)

// paymentsPage is the list of payments with its filters.
type paymentsPage struct {
	Query     url.Values // the filters, as the URL has them
	Problems  []search.Problem
	Entries   []search.Entry
	Looked    *search.Looked
	Next, CSV string // paths; empty where there is none
	First     string // path of the first page; empty on it
	Statuses  []payment.Status
	Providers []string
	More      bool // whether filters are set that are not always seen
}

// Has reports whether a filter has a value.
func (p paymentsPage) Has(name, value string) bool { return slices.Contains(p.Query[name], value) }

// Local is a time of the filters as the form has it, in the zone of the console.
func (p paymentsPage) Local(name string, zone *time.Location) string {
	at, err := time.Parse(time.RFC3339Nano, p.Query.Get(name))
	if err != nil {
		return p.Query.Get(name)
	}
	return at.In(zone).Format("2006-01-02T15:04")
}

func (c *Console) payments(w http.ResponseWriter, r *http.Request) {
	values, after, tidy := c.filters(r)
	if !tidy { // as a form sends it
		http.Redirect(w, r, "/payments"+question(values), http.StatusSeeOther)
		return
	}
	page := paymentsPage{Query: values, Statuses: payment.Statuses()[1:], CSV: "/payments.csv" + question(values)}
	for _, name := range []string{"operation", "provider_reference", "code", "amount_from", "amount_to", "from", "to", "metadata", "overdue"} {
		page.More = page.More || values.Has(name)
	}
	for _, p := range c.o.Providers {
		page.Providers = append(page.Providers, p.Name)
	}
	for _, name := range values["provider"] {
		if !slices.Contains(page.Providers, name) {
			page.Providers = append(page.Providers, name)
		}
	}
	if after != "" {
		page.First = "/payments" + question(values)
	}
	filter, problems := search.Parse(values)
	page.Problems = problems
	status := http.StatusOK
	if len(problems) > 0 {
		status = http.StatusBadRequest
		page.CSV = ""
	} else {
		ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
		defer cancel()
		found, err := c.o.Search.Find(ctx, filter, after, pageSize)
		switch {
		case errors.Is(err, search.ErrCursor):
			http.Redirect(w, r, page.First, http.StatusSeeOther)
			return
		case err != nil:
			c.failed(w, r, err)
			return
		}
		page.Entries, page.Looked = found.Entries, found.Looked
		if found.Next != "" {
			next := clone(values)
			next.Set("after", found.Next)
			page.Next = "/payments" + question(next)
		}
	}
	c.render(w, r, status, "payments", c.say(r)("Payments"), page)
}

// filters returns the filters of a request without those that are empty, with times in full, and whether the URL has them so.
func (c *Console) filters(r *http.Request) (values url.Values, after string, tidy bool) {
	values, tidy = url.Values{}, true
	for name, texts := range r.URL.Query() {
		if name == "notice" {
			continue
		}
		for _, text := range texts {
			text = strings.TrimSpace(text)
			if name == "from" || name == "to" {
				text = inFull(text, c.o.Zone)
			}
			if text != "" {
				values.Add(name, text)
			}
		}
		tidy = tidy && slices.Equal(values[name], texts)
	}
	after = values.Get("after")
	values.Del("after")
	if values.Has("currency") && !values.Has("amount_from") && !values.Has("amount_to") {
		values.Del("currency")
		tidy = false
	}
	return values, after, tidy
}

// inFull writes a time of the form with the zone that it is meant in.
func inFull(text string, zone *time.Location) string {
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(form, text, zone); err == nil {
			return at.UTC().Format(time.RFC3339)
		}
	}
	return text
}

func question(values url.Values) string {
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func clone(values url.Values) url.Values {
	all := url.Values{}
	for name, texts := range values {
		all[name] = slices.Clone(texts)
	}
	return all
}

var csvColumns = []string{"opened", "provider", "order", "operation", "status", "reason", "amount", "currency", "provider_reference", "changed"}

// paymentsCSV sends all payments that the filters choose. A file that could not be made to its end breaks off, so that it is not
// taken for a whole one.
func (c *Console) paymentsCSV(w http.ResponseWriter, r *http.Request) {
	values, _, _ := c.filters(r)
	filter, problems := search.Parse(values)
	if len(problems) > 0 {
		http.Redirect(w, r, "/payments"+question(values), http.StatusSeeOther)
		return
	}
	found, err := c.o.Search.Find(r.Context(), filter, "", search.MaxPage)
	if err != nil {
		c.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="payments-%s.csv"`, c.o.Now().UTC().Format("20060102-150405")))
	out := csv.NewWriter(w)
	_ = out.Write(csvColumns) // Flush says whether anything failed
	for n := 0; ; {
		for _, e := range found.Entries {
			_ = out.Write(cells(e))
		}
		out.Flush()
		if n += len(found.Entries); found.Next == "" && out.Error() == nil {
			return
		}
		err := out.Error()
		if err == nil && n >= csvMost {
			err = fmt.Errorf("more than %d payments", csvMost)
		}
		if err == nil {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(readTimeout + liveWrite))
			found, err = c.o.Search.Find(r.Context(), filter, found.Next, search.MaxPage)
		}
		if err != nil {
			c.o.Logger.ErrorContext(r.Context(), "a CSV file breaks off", "payments", n, "error", err)
			panic(http.ErrAbortHandler)
		}
	}
}

// cells is a payment's line of the file. The amount is empty where a refused command had none that could be read: 0 would be an amount.
func cells(e search.Entry) []string {
	p, code, value := e.Payment, "", ""
	if !p.Amount.IsZero() {
		value = p.Amount.Value()
	}
	if p.Reason != nil {
		code = p.Reason.Code
	}
	status := string(p.Status)
	if e.Unreadable > 0 {
		status += " (a later event cannot be read)"
	}
	all := []string{
		e.OpenedAt.UTC().Format(time.RFC3339), p.Provider, p.Order, string(p.Operation), status, code, value, p.Amount.Currency,
		p.ProviderReference, p.UpdatedAt.UTC().Format(time.RFC3339),
	}
	for i := range all {
		all[i] = cell(all[i])
	}
	return all
}
