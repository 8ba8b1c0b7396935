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

	"payonce/internal/console/signin"
	"payonce/internal/csvfile"
	"payonce/internal/statements"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// Statements compares files with the log and keeps what came of it.
type Statements struct {
	Log  reconcile.Log
	Kept Kept // nil where no folder is configured
	// Remembered is how long the log keeps payments.
	Remembered time.Duration
}

// Kept is where comparisons are kept, see [statements.Folder].
type Kept interface {
	Save(c statements.Comparison) (id string, err error)
	Load(id string) (statements.Comparison, error)
	Latest(max int) ([]statements.Comparison, error)
}

const (
	// compareTimeout bounds a comparison.
	compareTimeout = 10 * time.Minute
	// findingsShown is how many findings a page has; the CSV file has all.
	findingsShown = 500
	problemsShown = 100
)

// statementsPage is the form and what was compared before.
type statementsPage struct {
	None      bool // nothing can be kept
	May       bool // compare
	Providers []string
	Form      url.Values // what was sent, where that is wrong
	Problem   string
	Problems  []csvfile.Problem
	More      int // problems that are not shown
	Latest    []statements.Comparison
	Columns   []string
	Statuses  []payment.Kind
}

func (c *Console) statements(w http.ResponseWriter, r *http.Request) {
	c.renderStatements(w, r, http.StatusOK, statementsPage{Form: url.Values{}})
}

func (c *Console) renderStatements(w http.ResponseWriter, r *http.Request, status int, page statementsPage) {
	page.None, page.May, page.Providers = c.o.Statements.Kept == nil, signin.From(r.Context()).May(signin.Operator), c.providerNames()
	page.Columns, page.Statuses = statements.Columns, statements.Statuses
	if !page.None {
		var err error
		if page.Latest, err = c.o.Statements.Kept.Latest(listSize); err != nil {
			c.failed(w, r, err)
			return
		}
	}
	c.render(w, r, status, "statements", c.say(r)("Statements"), page)
}

// compareStatement takes a file, compares it and keeps what came of it. One is compared at a time: it takes the memory of the file.
func (c *Console) compareStatement(w http.ResponseWriter, r *http.Request) {
	say := c.say(r)
	acceptUpload(w, r, compareTimeout)
	page := statementsPage{Form: url.Values{}}
	if c.o.Statements.Kept == nil {
		c.renderStatements(w, r, http.StatusNotFound, page)
		return
	}
	if !c.comparing.TryLock() {
		page.Problem = say("Another file is being compared. Try again in a minute.")
		c.renderStatements(w, r, http.StatusServiceUnavailable, page)
		return
	}
	defer c.comparing.Unlock()
	err := r.ParseMultipartForm(formMemory)
	if r.MultipartForm != nil {
		page.Form = r.MultipartForm.Value
		defer func() { _ = r.MultipartForm.RemoveAll() }()
	}
	request := statements.Request{}
	if err == nil {
		request, err = c.request(r)
	}
	if err == nil {
		err = request.Check(c.o.Now())
	}
	if err != nil {
		page.Problem = err.Error()
		c.renderStatements(w, r, http.StatusBadRequest, page)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), compareTimeout)
	defer cancel()
	done, problems, err := statements.Compare(ctx, c.o.Statements.Log, request, c.o.Now())
	switch {
	case len(problems) > 0:
		page.Problems, page.More = problems[:min(len(problems), problemsShown)], max(0, len(problems)-problemsShown)
		c.renderStatements(w, r, http.StatusBadRequest, page)
		return
	case errors.Is(err, statements.ErrMany):
		page.Problem = err.Error()
		c.renderStatements(w, r, http.StatusBadRequest, page)
		return
	case err == nil:
		done.ID, err = c.o.Statements.Kept.Save(done)
	}
	if err != nil {
		c.failed(w, r, err)
		return
	}
	c.o.Logger.InfoContext(r.Context(), "compared a statement", "provider", done.Provider, "by", done.By, "findings", done.Summary.Findings, "id", done.ID)
	http.Redirect(w, r, "/statements/"+done.ID, http.StatusSeeOther)
}

// request reads the form.
func (c *Console) request(r *http.Request) (q statements.Request, err error) {
	i := slices.IndexFunc(c.o.Providers, func(p Provider) bool { return p.Name == r.PostFormValue("provider") })
	if i < 0 {
		return q, errors.New("the provider is required")
	}
	p := c.o.Providers[i]
	zone := c.o.Zone
	if p.Zone != nil {
		zone = p.Zone
	}
	q = statements.Request{
		By: signin.From(r.Context()).Name, Provider: p.Name, Operations: p.ProviderConfig.Operations, OneReference: p.OneReference, AsOf: c.o.Now(),
		Remembered: c.o.Statements.Remembered, Form: statements.Form{Currency: r.PostFormValue("currency"), Zone: zone},
	}
	if op := payment.Operation(r.PostFormValue("operation")); op != "" {
		if !slices.Contains(p.ProviderConfig.Operations, op) {
			return q, fmt.Errorf("operation: %s supports %v", p.Name, p.ProviderConfig.Operations)
		}
		q.Operations, q.Form.Operation = []payment.Operation{op}, op
	}
	if q.Form.Columns, err = pairs("columns", r.PostFormValue("columns")); err != nil {
		return q, err
	}
	if q.Form.Statuses, err = pairs("statuses", r.PostFormValue("statuses")); err != nil {
		return q, err
	}
	q.From, _ = time.ParseInLocation(time.DateOnly, r.PostFormValue("from"), zone) // what isn't a day is refused later
	q.To, _ = time.ParseInLocation(time.DateOnly, r.PostFormValue("to"), zone)
	name, text, err := uploaded(r)
	if errors.Is(err, http.ErrMissingFile) {
		err = errors.New("the file is required")
	}
	q.File, q.Text = plain(name), text
	return q, err
}

// pairs reads "a=b, c=d", in lines or not.
func pairs(field, text string) (map[string]string, error) {
	found := map[string]string{}
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if name == "" && value == "" && !ok {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("%s: give pairs like order=Payment ID", field)
		}
		found[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found, nil
}

// comparisonPage is what came of a comparison.
type comparisonPage struct {
	statements.Comparison
	Zone  *time.Location
	Shown []statements.Finding // findings first, then notes
	More  int
	CSV   string
}

// Linked reports whether a finding's order can have a page.
func (p comparisonPage) Linked(order string) bool { return payment.ValidOrder(order) }

// LastDay is the last day that was compared.
func (p comparisonPage) LastDay() time.Time { return p.Until.Add(-1) }

func (c *Console) comparison(w http.ResponseWriter, r *http.Request) {
	id, csvFile := strings.CutSuffix(r.PathValue("id"), ".csv")
	if c.o.Statements.Kept == nil {
		c.notFound(w, r)
		return
	}
	found, err := c.o.Statements.Kept.Load(id)
	switch {
	case errors.Is(err, statements.ErrNone):
		c.notFound(w, r)
	case err != nil:
		c.failed(w, r, err)
	case csvFile:
		writeComparison(w, found)
	default:
		slices.SortStableFunc(found.Findings, func(a, b statements.Finding) int {
			switch {
			case a.Note == b.Note:
				return 0
			case b.Note:
				return -1
			}
			return 1
		})
		page := comparisonPage{Comparison: found, Zone: c.o.Zone, CSV: "/statements/" + found.ID + ".csv"}
		for _, p := range c.o.Providers {
			if p.Name == found.Provider && p.Zone != nil {
				page.Zone = p.Zone
			}
		}
		page.Shown, page.More = found.Findings[:min(len(found.Findings), findingsShown)], max(0, len(found.Findings)-findingsShown)
		c.render(w, r, http.StatusOK, "comparison", c.say(r)("Statement of %s", found.Provider), page)
	}
}

var comparisonColumns = []string{
	"finding", "note", "order", "operation", "our_status", "our_amount", "our_reference", "their_status", "their_amount", "their_reference", "detail", "do",
}

func writeComparison(w http.ResponseWriter, c statements.Comparison) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="findings-%s-%s.csv"`, c.Provider, c.ID))
	out := csv.NewWriter(w)
	_ = out.Write(comparisonColumns) // the browser sees where it breaks off
	for _, f := range c.Findings {
		row := []string{string(f.Kind), fmt.Sprint(f.Note), f.Order, string(f.Operation)}
		var theirs [3][]string
		for _, s := range f.Theirs {
			for i, text := range sideCells(&s) {
				theirs[i] = append(theirs[i], text)
			}
		}
		row = append(row, sideCells(f.Ours)...)
		for _, texts := range theirs {
			row = append(row, strings.Join(texts, " | "))
		}
		row = append(row, f.Detail, f.Do)
		for i := range row {
			row[i] = cell(row[i])
		}
		_ = out.Write(row)
	}
	out.Flush()
}

func sideCells(s *reconcile.Side) []string {
	if s == nil {
		return make([]string, 3)
	}
	amount := s.SettledAmount
	if amount.IsZero() {
		amount = s.Amount
	}
	text := ""
	if !amount.IsZero() {
		text = amount.Value() + " " + amount.Currency
	}
	return []string{s.Status, text, s.Reference}
}
