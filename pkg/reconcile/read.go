package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// How a statement is read. Reading changes nothing, so a failed page is read again.
const (
	readWindow  = 24 * time.Hour // of one query
	readTries   = 6              // of one page
	readPause   = 500 * time.Millisecond
	readMost    = 30 * time.Second // of a pause, whatever a provider asks for
	readPages   = 10_000           // of one window: no provider has more, and a list must end
	readTimeout = 30 * time.Second
)

// Reading reads a provider's records page by page.
type Reading struct {
	Reader     connectors.StatementReader
	Operations []payment.Operation
	// Covered is the time to read.
	Covered Interval
	// Admit waits until the provider may be called once.
	Admit func(ctx context.Context) error
	Now   func() time.Time
	// Step is called after each window of a day and an operation; nil does nothing.
	Step func()
}

// windows returns the times that are asked for one by one, at most a day each. Each begins where the one before
// ends: a payment at that instant is in both, and counts once.
func (r Reading) windows() []Interval {
	var all []Interval
	for from := r.Covered.From; from.Before(r.Covered.To) && from.Before(r.Now()); from = from.Add(readWindow) {
		to := from.Add(readWindow)
		if to.After(r.Covered.To) {
			to = r.Covered.To
		}
		all = append(all, Interval{from, to})
	}
	return all
}

// Steps returns how often Step will be called.
func (r Reading) Steps() int { return len(r.windows()) * len(r.Operations) }

// Read reads the whole statement. It returns an error with the page that could not be read after several tries.
func (r Reading) Read(ctx context.Context) (*Statement, error) {
	statement := NewStatement(r.Now(), r.Covered)
	for _, op := range r.Operations {
		for _, w := range r.windows() {
			if err := r.window(ctx, statement, op, w); err != nil {
				return nil, fmt.Errorf("%ss of %s: %w", op, w.From.UTC().Format(time.RFC3339), err)
			}
			if r.Step != nil {
				r.Step()
			}
		}
	}
	return statement, nil
}

// window reads the pages of one window.
func (r Reading) window(ctx context.Context, statement *Statement, op payment.Operation, w Interval) error {
	seen := map[string]bool{}
	for cursor := ""; ; {
		lines, next, err := r.page(ctx, op, w, cursor)
		if err != nil {
			return fmt.Errorf("page %d: %w", len(seen)+1, err)
		}
		for _, l := range lines {
			if err := statement.Add(l); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		if seen[cursor] = true; seen[next] || len(seen) == readPages {
			return fmt.Errorf("page %d: the list does not end", len(seen)+1)
		}
		cursor = next
	}
}

// page reads one page, again when that fails.
func (r Reading) page(ctx context.Context, op payment.Operation, w Interval, cursor string) (lines []connectors.StatementLine, next string, err error) {
	pause := backoff.NewExponentialBackOff(backoff.WithInitialInterval(readPause), backoff.WithMaxInterval(readMost))
	for try := 1; ; try++ {
		if err := r.Admit(ctx); err != nil {
			return nil, "", err
		}
		lines, next, err = r.once(ctx, op, w, cursor)
		if err == nil || try == readTries || hopeless(err) || ctx.Err() != nil {
			return lines, next, err
		}
		wait := min(max(pause.NextBackOff(), connectors.Classify(err).RetryAfter), readMost)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, "", errors.Join(err, ctx.Err())
		}
	}
}

func (r Reading) once(ctx context.Context, op payment.Operation, w Interval, cursor string) ([]connectors.StatementLine, string, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	lines, next, err := r.Reader.Statement(ctx, w.From, w.To, op, cursor)
	if err == nil && slices.ContainsFunc(lines, func(l connectors.StatementLine) bool { return l.Operation != op || l.Order == "" }) {
		err = errors.New("a line has no order, or another operation")
	}
	return lines, next, err
}

// hopeless reports whether the same question would be refused again: nothing was asked, because it is not valid.
func hopeless(err error) bool {
	e := connectors.Classify(err)
	return e.Class == connectors.NotSent && e.Code == payment.ReasonInvalid
}
