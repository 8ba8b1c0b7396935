package payctl

import (
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/reconcile"
)

// Lines are counted whatever stands in them: also those with too few columns, and those that are no CSV.
func TestLinesAreBounded(t *testing.T) {
	var problems []string
	read := 0
	readRows([]byte("a,b\n1,2\nx\n3,4\n5,6\n"), 3, func(line int, _, problem string) {
		problems = append(problems, fmt.Sprintf("%d: %s", line, problem))
	}, func(int, []string) bool { return true }, func(int, []string) { read++ })
	want := "3: has 1 columns, the first line has 2\n5: a file may have at most 3 lines below the first"
	if got := strings.Join(problems, "\n"); got != want || read != 2 {
		t.Errorf("read %d lines and reported\n%s", read, got)
	}
}

// What each kind of file may have.
func TestBoundsOfLines(t *testing.T) {
	const payouts = "general.project_id,general.payment_id,customer.id,customer.first_name,customer.last_name,customer.email,customer.ip_address,account.number,account.customer_name,account.bank_id,payment.amount,payment.currency"
	const books = "order,operation,amount,currency,status,created_at"
	full := func(header string, most int) []byte { return []byte(header + strings.Repeat("\nx", most+1)) }
	for name, last := range map[string]problem{
		"payouts": lastOf(parsePayouts("p.csv", full(payouts, maxPayouts), target{}).problems),
		"books":   lastOf(parseBooks(full(books, reconcile.MaxLines), bookForm{}, &reconcile.Books{})),
	} {
		if !strings.HasPrefix(last.Problem, "a file may have at most ") {
			t.Errorf("%s: %s", name, last)
		}
	}
}

func lastOf(all []problem) problem {
	if len(all) == 0 {
		return problem{}
	}
	return all[len(all)-1]
}
