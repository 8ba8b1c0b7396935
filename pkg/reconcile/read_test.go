package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// bookkeeper answers queries in pages of two lines, and fails where a test wants.
type bookkeeper struct {
	lines []connectors.StatementLine
	asked []string // "operation from to cursor after"
	began time.Time
	fail  func(n int) error // nth query
	next  func(cursor string) string
}

func (b *bookkeeper) Statement(_ context.Context, from, to time.Time, op payment.Operation, cursor string) ([]connectors.StatementLine, string, error) {
	b.asked = append(b.asked, fmt.Sprintf("%s %s %s %q %s", op, from.In(seoul).Format("02T15"), to.In(seoul).Format("02T15"), cursor, time.Since(b.began)))
	if b.fail != nil {
		if err := b.fail(len(b.asked)); err != nil {
			return nil, "", err
		}
	}
	if b.next != nil {
		return nil, b.next(cursor), nil
	}
	var page []connectors.StatementLine
	for _, l := range b.lines {
		if l.Operation == op && !l.CreatedAt.Before(from) && !l.CreatedAt.After(to) && l.Order > cursor {
			if len(page) == 2 {
				return page, page[1].Order, nil
			}
			page = append(page, l)
		}
	}
	return page, "", nil
}

// reading reads in fake time, after the statement' time is over.
func reading(t *testing.T, b *bookkeeper, in reconcile.Interval, test func(statement *reconcile.Statement, err error, admitted, steps int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(readAt))
		b.began = time.Now()
		admitted, steps := 0, 0
		r := reconcile.Reading{
			Reader: b, Operations: payment.Operations(), Covered: in, Now: time.Now,
			Admit: func(ctx context.Context) error { admitted++; return ctx.Err() }, Step: func() { steps++ },
		}
		statement, err := r.Read(t.Context())
		if err == nil && steps != r.Steps() {
			t.Errorf("%d steps, %d were promised", steps, r.Steps())
		}
		test(statement, err, admitted, steps)
	})
}

// All pages of all days and operations are read; a payment at the border of two windows counts once, and each call is
// admitted.
func TestReadAllPages(t *testing.T) {
	b := &bookkeeper{}
	for i := range 5 {
		b.lines = append(b.lines, entry(fmt.Sprintf("o-%d", i), noon, payment.Paid))
	}
	b.lines = append(b.lines, entry("p-border", day.From.Add(23*time.Hour), payment.Paid), with(entry("q", noon, payment.Paid), func(l *connectors.StatementLine) { l.Operation = payment.Payout }))
	reading(t, b, day.Widened(time.Hour), func(statement *reconcile.Statement, err error, admitted, steps int) {
		if err != nil || statement.Len() != 7 || steps != 4 || admitted != len(b.asked) || !statement.AsOf.Equal(readAt) || statement.Covered != day.Widened(time.Hour) {
			t.Fatalf("%+v, %v, %d, %d", statement, err, admitted, steps)
		}
		want := `deposit 19T23 20T23 "" 0s, deposit 19T23 20T23 "o-1" 0s, deposit 19T23 20T23 "o-3" 0s, deposit 20T23 21T01 "" 0s, payout 19T23 20T23 "" 0s, payout 20T23 21T01 "" 0s`
		if got := strings.Join(b.asked, ", "); got != want {
			t.Errorf("asked\n%s\nwant\n%s", got, want)
		}
	})
	b = &bookkeeper{}
	reading(t, b, reconcile.Interval{From: readAt.Add(-time.Hour), To: readAt.AddDate(0, 0, 3)}, func(_ *reconcile.Statement, err error, _, _ int) {
		if err != nil || len(b.asked) != 2 {
			t.Errorf("days that have not begun are asked for: %q, %v", b.asked, err)
		}
	})
}

// A page that fails is read again, after what the provider asks for; only so often. Nothing is given that is not
// whole.
func TestReadFailedPagesAgain(t *testing.T) {
	lines := []connectors.StatementLine{entry("a", noon, payment.Paid), entry("b", noon, payment.Paid), entry("c", noon, payment.Paid)}
	throttled := &connectors.Error{Class: connectors.Throttled, RetryAfter: 17 * time.Second}
	broken := errors.New("half a page")
	refused := &connectors.Error{Class: connectors.Rejected, Code: payment.ReasonInvalid} // it was asked
	b := &bookkeeper{lines: lines, fail: func(n int) error {
		return map[int]error{1: throttled, 3: broken, 4: refused}[n]
	}}
	reading(t, b, day, func(statement *reconcile.Statement, err error, admitted, _ int) {
		if err != nil || statement.Len() != 3 || admitted != len(b.asked) || len(b.asked) != 6 {
			t.Fatalf("%v, %q", err, b.asked)
		}
		if !statement.AsOf.Equal(b.began) {
			t.Errorf("the statement is of %s, their first page of %s", statement.AsOf, b.began)
		}
		if !strings.HasSuffix(b.asked[1], `"" 17s`) || !strings.Contains(b.asked[4], `"b"`) {
			t.Errorf("%q", b.asked)
		}
	})
	b = &bookkeeper{lines: lines, fail: func(n int) error {
		if n > 1 {
			return broken
		}
		return nil
	}}
	reading(t, b, day, func(statement *reconcile.Statement, err error, _, _ int) {
		if !errors.Is(err, broken) || statement != nil || len(b.asked) != 7 || !strings.Contains(err.Error(), "page 2") || !strings.Contains(err.Error(), "deposits of 2026-11-19T15:00:00Z") {
			t.Errorf("%v, %q", err, b.asked)
		}
	})
	invalid := &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonInvalid}
	b = &bookkeeper{fail: func(int) error { return invalid }}
	reading(t, b, day, func(_ *reconcile.Statement, err error, _, _ int) {
		if !errors.Is(err, invalid) || len(b.asked) != 1 {
			t.Errorf("%v, %q", err, b.asked)
		}
	})
	long := &connectors.Error{Class: connectors.Throttled, RetryAfter: time.Hour}
	b = &bookkeeper{fail: func(n int) error { return map[int]error{1: long}[n] }}
	reading(t, b, day, func(_ *reconcile.Statement, err error, _, _ int) {
		if err != nil || !strings.HasSuffix(b.asked[1], " 30s") {
			t.Errorf("%v, %q", err, b.asked)
		}
	})
}

// Lists that cannot be read are refused: without an end, of another operation, without an order.
func TestReadRefusesOddLists(t *testing.T) {
	for name, next := range map[string]func(string) string{
		"round":     func(cursor string) string { return map[string]string{"": "a", "a": "b", "b": "a"}[cursor] },
		"for ever":  func(cursor string) string { return cursor + "x" },
		"the first": func(string) string { return "same" },
	} {
		b := &bookkeeper{next: next}
		if name == "for ever" {
			n := 0
			b.next = func(string) string { n++; return fmt.Sprint(n) }
		}
		reading(t, b, day, func(_ *reconcile.Statement, err error, _, _ int) {
			if err == nil || !strings.Contains(err.Error(), "does not end") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	for name, change := range map[string]func(*connectors.StatementLine){
		"no order": func(l *connectors.StatementLine) { l.Order = "" },
	} {
		b := &bookkeeper{lines: []connectors.StatementLine{with(entry("o", noon, payment.Paid), change)}}
		b.lines[0].Order = ""
		odd := oddReader{line: b.lines[0]}
		r := reconcile.Reading{Reader: odd, Operations: payment.Operations(), Covered: day, Now: func() time.Time { return readAt }, Admit: func(context.Context) error { return nil }}
		synctest.Test(t, func(t *testing.T) {
			if _, err := r.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "has no order") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	r := reconcile.Reading{Reader: oddReader{line: entry("o", noon, payment.Paid)}, Operations: []payment.Operation{payment.Payout}, Covered: day, Now: func() time.Time { return readAt }, Admit: func(context.Context) error { return nil }}
	synctest.Test(t, func(t *testing.T) {
		if _, err := r.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "another operation") {
			t.Errorf("another operation: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if _, err := r.Read(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: %v", err)
		}
	})
}

// oddReader gives one line, whatever it is asked for.
type oddReader struct{ line connectors.StatementLine }

func (o oddReader) Statement(context.Context, time.Time, time.Time, payment.Operation, string) ([]connectors.StatementLine, string, error) {
	return []connectors.StatementLine{o.line}, "", nil
}

// Statement have a limit, so that memory has one.
func TestStatementHaveALimit(t *testing.T) {
	statement := reconcile.NewStatement(readAt, day)
	for i := range reconcile.MaxLines {
		if err := statement.Add(connectors.StatementLine{Order: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := statement.Add(connectors.StatementLine{Order: "0", Observation: payment.Observation{Reference: "second"}}); !errors.Is(err, reconcile.ErrTooManyLines) {
		t.Error(err)
	}
	if err := statement.Add(connectors.StatementLine{Order: "more"}); !errors.Is(err, reconcile.ErrTooManyLines) {
		t.Error(err)
	}
}

// Lines of one payment follow each other, and each is compared with those before it: there can only be some.
func TestLinesOfOnePaymentHaveALimit(t *testing.T) {
	statement := reconcile.NewStatement(time.Unix(2, 0), reconcile.Interval{})
	for n := range reconcile.MaxLinesOfOne {
		if err := statement.Add(connectors.StatementLine{Order: "D-1", Operation: payment.Deposit}); err != nil {
			t.Fatal(n, err)
		}
	}
	if err := statement.Add(connectors.StatementLine{Order: "D-1", Operation: payment.Deposit}); !errors.Is(err, reconcile.ErrTooManyOfOne) || statement.Len() != reconcile.MaxLinesOfOne {
		t.Errorf("%d lines, %v", statement.Len(), err)
	}
	if err := statement.Add(connectors.StatementLine{Order: "D-1", Operation: payment.Payout}); err != nil {
		t.Errorf("another payment: %v", err)
	}
}
