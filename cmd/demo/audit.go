package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// audit compares what the log says with what really happened at the provider.
func (t *teller) audit(ctx context.Context) error {
	fmt.Fprintf(t.out, "\nAll payments from the log, and how often money moved in the provider's records:\n\n")
	table := tabwriter.NewWriter(t.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  PAYMENT\tOUTCOME\tAMOUNT\tMOVED\tTIMELINE AND DURATION")
	var lost, wrong []string
	for _, want := range t.expected {
		records, err := t.stack.Log.History(ctx, want.ref)
		if errors.Is(err, events.ErrNoPayment) {
			lost = append(lost, want.ref.String())
			continue
		}
		if err != nil {
			return err
		}
		truth, err := t.stack.Sandbox.Order(want.ref.Provider, want.ref.Order)
		if err != nil {
			return err
		}
		last := records[len(records)-1].Payment
		moved := movements(truth)
		if last.Status != want.status || (moved == 1) != (want.status == payment.Settled) || moved > 1 {
			wrong = append(wrong, fmt.Sprintf("%s is %s, money moved %d times", want.ref, last.Status, moved))
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%d ×\t%s\n", want.ref, last.Status, amountOf(last), moved, timeline(records))
	}
	_ = table.Flush()
	return errors.Join(t.count(lost, wrong), t.archived(ctx))
}

// archived waits until a search in the archive finds every payment with its outcome.
func (t *teller) archived(ctx context.Context) error {
	for ctx.Err() == nil {
		found, err := t.stack.search(ctx)
		if err != nil {
			return err
		}
		missing := slices.ContainsFunc(t.expected, func(want expectation) bool { return found[want.ref] != want.status })
		if !missing {
			fmt.Fprintf(t.out, "A search in the archive finds all %d payments.\n", len(t.expected))
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(searchAgain):
		}
	}
	return fmt.Errorf("the archive lacks payments: %w", ctx.Err())
}

// searchAgain is the pause between two searches.
const searchAgain = 100 * time.Millisecond

// search finds all payments, as an upstream service does.
func (s *stack) search(ctx context.Context) (map[payment.Ref]payment.Status, error) {
	found := map[payment.Ref]payment.Status{}
	for after := ""; ; {
		a, err := s.request(ctx, http.MethodGet, "/v1/payments?after="+url.QueryEscape(after), "", nil)
		if err != nil {
			return nil, err
		}
		if a.status != http.StatusOK {
			return nil, fmt.Errorf("GET /v1/payments: status %d", a.status)
		}
		for _, one := range a.view.Payments {
			found[one.Payment.Ref] = one.Payment.Status
		}
		if after = a.view.Next; after == "" {
			return found, nil
		}
	}
}

// count prints the two counts that the promise is about.
func (t *teller) count(lost, wrong []string) error {
	summary := t.stack.Sandbox.Truth().Summary()
	payments, eventCount := t.stack.ledger.counts()
	fmt.Fprintf(t.out, "\nThe ledger booked %d payments from %d events.\n", payments, eventCount)
	fmt.Fprintf(t.out, "From the provider's own records:\n  charged more than once: %d\n  lost: %d\n", len(summary.ChargedTwice), len(lost))
	fmt.Fprintf(t.out, "The scenario took %.1f s.\n", time.Since(t.began).Seconds())
	var problems []error
	if len(summary.ChargedTwice) > 0 {
		problems = append(problems, fmt.Errorf("charged more than once: %s", strings.Join(summary.ChargedTwice, ", ")))
	}
	if len(lost) > 0 {
		problems = append(problems, fmt.Errorf("lost: %s", strings.Join(lost, ", ")))
	}
	if len(wrong) > 0 {
		problems = append(problems, fmt.Errorf("not as at the provider: %s", strings.Join(wrong, "; ")))
	}
	if payments != eventCount {
		problems = append(problems, fmt.Errorf("%d outcomes for %d payments", eventCount, payments))
	}
	return errors.Join(problems...)
}

func movements(o sandbox.Order) int {
	return len(slices.DeleteFunc(slices.Clone(o.Movements), func(m sandbox.Movement) bool { return m.Kind != sandbox.Paid }))
}

func amountOf(p payment.Payment) string {
	switch {
	case !p.SettledAmount.IsZero():
		return p.SettledAmount.String()
	case !p.Amount.IsZero():
		return p.Amount.String()
	default:
		return "-"
	}
}

// timelineWidth is what the other columns leave of the table.
const timelineWidth = tableWidth - 68

// timeline shows the statuses and the time from the first to the last. Where they are too many, some in the middle are left out.
func timeline(records []events.Record) string {
	var statuses []string
	for _, r := range records {
		statuses = append(statuses, string(r.Payment.Status))
	}
	if len(statuses) == 1 {
		return statuses[0]
	}
	took := records[len(records)-1].StoredAt.Sub(records[0].StoredAt).Round(time.Millisecond)
	line := fmt.Sprintf("%s +%s", strings.Join(statuses, " → "), took)
	for len(statuses) > 2 && columns(line) > timelineWidth {
		statuses = slices.Delete(statuses, len(statuses)-2, len(statuses)-1)
		line = fmt.Sprintf("%s → … → %s +%s", strings.Join(statuses[:len(statuses)-1], " → "), statuses[len(statuses)-1], took)
	}
	return line
}
