package payctl

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"payonce/internal/csvfile"
	"payonce/internal/payouts"
	"payonce/internal/statements"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
	"payonce/test/alloctest"
	"payonce/test/race"
)

// Lines are counted whatever is in them: also those with too few columns, and those that are no CSV.
func TestLinesAreBounded(t *testing.T) {
	var found csvfile.Problems
	read := 0
	csvfile.ReadRows([]byte("a,b\n1,2\nx\n3,4\n5,6\n"), 3, &found, func(int, []string) bool { return true }, func(int, []string) { read++ })
	want := "[line 3: has 1 columns, the first line has 2 line 5: a file may have at most 3 lines below the first]"
	if got := fmt.Sprint(found); got != want || read != 2 {
		t.Errorf("read %d lines and reported\n%s", read, got)
	}
}

// What each kind of file may have.
func TestBoundsOfLines(t *testing.T) {
	const header = "general.project_id,general.payment_id,customer.id,customer.first_name,customer.last_name,customer.email,customer.ip_address,account.number,account.customer_name,account.bank_id,payment.amount,payment.currency"
	const statement = "order,operation,amount,currency,status,created_at"
	full := func(header string, most int) []byte { return []byte(header + strings.Repeat("\n,", most+1)) }
	for name, last := range map[string]csvfile.Problem{
		"payouts":   lastOf(payouts.Parse("p.csv", full(header, payouts.Most), payouts.Target{}).Problems),
		"statement": lastOf(statements.Parse(full(statement, reconcile.MaxLines), statements.Form{}, &reconcile.Statement{})),
	} {
		if !strings.HasPrefix(last.Problem, "a file may have at most ") {
			t.Errorf("%s: %s", name, last)
		}
	}
}

func lastOf(all []csvfile.Problem) csvfile.Problem {
	if len(all) == 0 {
		return csvfile.Problem{}
	}
	return all[len(all)-1]
}

// costlyFiles are files of about so many bytes that cost a naive reader much more than their size.
func costlyFiles(size int) map[string]string {
	const statement = "order,status,created_at,settled_amount\n"
	return map[string]string{
		"commas": strings.Repeat(",", size), "columns": strings.Repeat("a,", size/2), "lines": strings.Repeat("\n", size), "quotes": strings.Repeat(`"`, size), "quoted lines": strings.Repeat("\"\n", size/2), "bad quotes": "a,b\n" + strings.Repeat("a\"\n", size/3), "semicolons": "a;b\n" + strings.Repeat(";", size),
		"statement of nothing": statement + strings.Repeat(",,,\n", size/4), "statement of one letter": statement + strings.Repeat("a\n", size/2), "bad statement": statement + strings.Repeat("a,b,c,d\n", size/8), "statement of one payment": statement + strings.Repeat("a,ok,2026-11-22 09:00:05,1\n", size/27), "a wide line": statement + strings.Repeat(",", size),
		"statement": statement + numbered(size/30, "a%d,ok,2026-11-22 09:00:05,1\n"), "payouts": "general.payment_id,payment.amount\n" + strings.Repeat("a,1\n", size/4), "not UTF-8": strings.Repeat("\xff\n", size/2),
	}
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// readsLinearly holds the readers of files to what a file may cost.
func readsLinearly(t *testing.T, text []byte, form statements.Form, to payouts.Target) {
	t.Helper()
	day := reconcile.Interval{From: time.Unix(1_790_000_000, 0), To: time.Unix(1_790_086_400, 0)}
	alloctest.Linear(t, len(text), func() { statements.Parse(text, form, reconcile.NewStatement(day.To, day)) })
	alloctest.Linear(t, len(text), func() { payouts.Parse("payouts.csv", text, to) })
}

func TestAFileCostsNoMoreThanItsSize(t *testing.T) {
	form := statements.Form{
		Columns: map[string]string{"order": "order", "settled_amount": "settled_amount", "status": "status", "created_at": "created_at"}, Statuses: map[string]string{"ok": "paid"},
		Operation: payment.Payout, Currency: "KRW", Zone: time.UTC,
	}
	for what, text := range costlyFiles(race.Share(256<<10, 16)) {
		t.Run(what, func(t *testing.T) {
			readsLinearly(t, []byte(text), statements.Form{Zone: time.UTC}, payouts.Target{Provider: "ecommpay-kr", Project: "200"})
			readsLinearly(t, []byte(text), form, payouts.Target{Provider: "ecommpay-kr", Project: "200"})
		})
	}
}

func TestOnlyTheFirstProblemsAreKept(t *testing.T) {
	f := payouts.Parse("payouts.csv", []byte("general.payment_id,payment.amount\n"+strings.Repeat("x\n", 10)), payouts.Target{})
	if len(f.Problems) == 0 || len(f.Problems) > 20 {
		t.Errorf("%d problems", len(f.Problems))
	}
	statement := reconcile.NewStatement(time.Unix(2, 0), reconcile.Interval{From: time.Unix(1, 0), To: time.Unix(2, 0)})
	found := statements.Parse([]byte("order,status,created_at,settled_amount,currency,operation\n"+strings.Repeat("x\n", 1000)), statements.Form{Zone: time.UTC}, statement)
	if len(found) != csvfile.MaxProblems || !strings.Contains(found[csvfile.MaxProblems-1].Problem, "more problems") || found[0].Line != 2 {
		t.Errorf("%d problems, the last is %v", len(found), found[len(found)-1])
	}
}

func BenchmarkFile(b *testing.B) {
	day := reconcile.Interval{From: time.Unix(1_790_000_000, 0), To: time.Unix(1_790_086_400, 0)}
	for what, text := range costlyFiles(256 << 10) {
		b.Run(what, func(b *testing.B) {
			alloctest.Time(b, 2*len(text), func() {
				statements.Parse([]byte(text), statements.Form{Zone: time.UTC}, reconcile.NewStatement(day.To, day))
				payouts.Parse("payouts.csv", []byte(text), payouts.Target{Provider: "ecommpay-kr", Project: "200"})
			})
		})
	}
}
