package testmerchant

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/test/testenv"
)

// customers is how many payments are under way at the same time.
const customers = 6

// Round sends every way of paying so many times, and returns the outcomes in the order of the variants.
// Order numbers begin with prefix. after, if set, is called after each payment with how many are done; the others
// go on meanwhile.
func (s *Shop) Round(ctx context.Context, prefix string, times int, after func(done int)) []Outcome {
	variants := slices.Repeat(testenv.Variants(), times)
	outcomes := make([]Outcome, len(variants))
	done := make(chan struct{}, len(variants))
	var group errgroup.Group
	group.SetLimit(customers)
	go func() {
		for i, v := range variants {
			group.Go(func() error {
				outcomes[i] = s.Pay(ctx, v, fmt.Sprintf("%s-%d", prefix, i+1))
				done <- struct{}{}
				return nil
			})
		}
	}()
	for i := range variants {
		<-done
		if after != nil {
			after(i + 1)
		}
	}
	return outcomes
}

// Print writes a table of outcomes and returns how many are not good.
func Print(w io.Writer, outcomes []Outcome) (bad int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "PROVIDER\tOPERATION\tMETHOD\tORDER\tASKED\tSTATUS\tSETTLED\tCHARGED\tTIME\t")
	for _, o := range outcomes {
		note := ""
		if !o.Good() {
			bad, note = bad+1, "NOT AS IT MUST BE"
			if o.Err != nil {
				note += ": " + o.Err.Error()
			}
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d×\t%s\t%s\n", o.Variant.Account, o.Variant.Operation, o.Variant.Method, o.Ref.Order,
			o.Variant.Amount, o.Status, o.Settled, o.Charges, o.Took.Round(100*time.Millisecond), note)
	}
	_ = table.Flush()
	_, _ = fmt.Fprintf(w, "%d payments, %d settled and charged once, %d not\n", len(outcomes), len(outcomes)-bad, bad)
	return bad
}
