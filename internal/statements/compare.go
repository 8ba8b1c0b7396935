package statements

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"payonce/internal/csvfile"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// Bounds of a comparison.
const (
	MaxDays     = 31
	MaxFindings = 100_000
	margin      = time.Hour        // payctl's --margin
	grace       = 15 * time.Minute // payctl's --grace
)

// Finding is a difference with what a person can do about it.
type Finding struct {
	reconcile.Finding
	Do   string `json:"do"`
	Note bool   `json:"note,omitempty"`
}

// Comparison is what came of comparing a file, as it is kept.
type Comparison struct {
	ID         string              `json:"id"`
	By         string              `json:"by"`
	At         time.Time           `json:"at"`
	Provider   string              `json:"provider"`
	Operations []payment.Operation `json:"operations"`
	From       time.Time           `json:"from"`
	Until      time.Time           `json:"until"` // not compared any more
	File       string              `json:"file"`
	SHA256     string              `json:"sha256"` // of the file
	Summary    reconcile.Summary   `json:"summary"`
	Findings   []Finding           `json:"findings"`
}

// Request is a file to be compared.
type Request struct {
	By       string // who asks
	Provider string
	// Operations that the file is about, and OneReference as in [reconcile.Rules].
	Operations   []payment.Operation
	OneReference bool
	From, To     time.Time // the first day's midnight, and that of the last day, where Form.Zone is
	AsOf         time.Time // when the file was made
	Form         Form
	File         string // its name
	Text         []byte
	// Remembered is how long the log keeps payments.
	Remembered time.Duration
}

// ErrMany says that there are more than MaxFindings.
var ErrMany = fmt.Errorf("more than %d differences: see whether the account and the file are the right ones", MaxFindings)

// Check returns what is wrong with a request besides its file.
func (r Request) Check(now time.Time) error {
	switch {
	case r.From.IsZero() || r.To.IsZero():
		return errors.New("the first and the last day are required")
	case r.To.Before(r.From):
		return errors.New("the last day is before the first")
	case r.To.After(r.From.AddDate(0, 0, MaxDays-1)):
		return fmt.Errorf("at most %d days can be compared at once", MaxDays)
	case !r.From.Before(now):
		return errors.New("the day is in the future")
	case r.From.Add(-margin).Before(now.Add(-r.Remembered)):
		return fmt.Errorf("the log keeps payments since %s only", now.Add(-r.Remembered).In(r.Form.Zone).Format(time.DateTime))
	}
	return r.Form.Validate()
}

// Compare reads the file and compares it with the log, both ways. Where there are problems with the file nothing was compared.
func Compare(ctx context.Context, log reconcile.Log, r Request, now time.Time) (c Comparison, problems []csvfile.Problem, err error) {
	in := reconcile.Interval{From: r.From, To: r.To.AddDate(0, 0, 1)}
	covered := in
	if r.AsOf.Before(covered.To) {
		covered.To = r.AsOf
	}
	statement := reconcile.NewStatement(r.AsOf, covered)
	if problems = Parse(r.Text, r.Form, statement); len(problems) > 0 {
		return c, problems, nil
	}
	sum := sha256.Sum256(r.Text)
	c = Comparison{
		By: r.By, At: now.UTC(), Provider: r.Provider, Operations: slices.Clone(r.Operations), From: in.From, Until: in.To, File: r.File,
		SHA256: hex.EncodeToString(sum[:]), Findings: []Finding{},
	}
	compare := reconcile.Comparison{
		Log: log, Statement: statement, Operations: r.Operations,
		Rules: reconcile.Rules{Provider: r.Provider, Interval: in, Margin: margin, Grace: grace, OneReference: r.OneReference},
		Found: func(f reconcile.Finding) error {
			if len(c.Findings) == MaxFindings {
				return ErrMany
			}
			c.Findings = append(c.Findings, Finding{f, Advice(r.Provider, f), f.Kind.Note()})
			return nil
		},
	}
	c.Summary, err = compare.Run(ctx)
	return c, nil, err
}
