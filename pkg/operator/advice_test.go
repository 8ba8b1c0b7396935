package operator_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

var update = flag.Bool("update", false, "write the table of docs/operators.md again")

func TestNext(t *testing.T) {
	for _, c := range []struct {
		status  payment.Status
		reason  string
		overdue bool
		want    string
	}{
		{payment.Requested, "", false, "workers run"},
		{payment.Parked, payment.ReasonBalance, false, "top up the account at the provider; it is retried automatically, or now with: payctl parked release acme-kr P-1"},
		{payment.Parked, payment.ReasonClosed, false, "to try it now: payctl parked release acme-kr P-1"},
		{payment.Parked, payment.ReasonBreakerOpen, false, "worker --check"},
		{payment.Parked, payment.ReasonUnreachable, false, "worker --check"},
		{payment.Parked, payment.ReasonThrottled, false, "worker --check"},
		{payment.Parked, payment.ReasonRateLimited, false, "rate limit"},
		{payment.Parked, "", false, "payctl parked release"},
		{payment.Submitting, "", false, "looked up"},
		{payment.InDoubt, payment.ReasonNoAnswer, false, "Then: payctl payment resolve acme-kr P-1 --settled or --failed"},
		{payment.InDoubt, payment.ReasonAmountMismatch, false, "what moved. Then: payctl payment resolve"},
		{payment.InDoubt, payment.ReasonNoInstructions, false, "cannot pay"},
		{payment.Pending, "", false, "nothing: "},
		{payment.Pending, payment.ReasonAmountMismatch, false, "what moved. Then: payctl payment resolve"},
		{payment.Pending, payment.ReasonOverdue, true, "Then: payctl payment resolve acme-kr P-1"},
		{payment.Conflict, payment.ReasonExtraTransfer, false, "Then: payctl payment resolve acme-kr P-1"},
		{payment.Settled, "", false, "nothing"},
		{payment.Settled, payment.ReasonSecondReference, false, "twice"},
		{payment.Settled, payment.ReasonPartlyReversed, false, "how much"},
		{payment.Failed, payment.ReasonDeclined, false, "nothing"},
		{payment.Reversed, payment.ReasonReversed, false, "nothing"},
	} {
		p := payment.Payment{Ref: ref, Status: c.status}
		if c.reason != "" {
			p.Reason = &payment.Reason{Code: c.reason}
		}
		if c.overdue {
			p.OverdueAt = begin
		}
		if got := operator.Next(p); !strings.Contains(got, c.want) || c.want == "nothing" && got != c.want {
			t.Errorf("%s %s: %q, want %q", c.status, c.reason, got, c.want)
		}
	}
}

// TestEveryDeadLetterHasItsAdvice compares the constants in the source, the advice, and the operators' document.
func TestEveryDeadLetterHasItsAdvice(t *testing.T) {
	var table strings.Builder
	reasons := deadReasons(t)
	for _, reason := range reasons {
		text := operator.NextOfDeadLetter(reason)
		if text == operator.NextOfDeadLetter("not yet thought of") {
			t.Errorf("%s has no advice", reason)
		}
		fmt.Fprintf(&table, "| `%s` | %s |\n", reason, text)
	}
	if len(reasons) < 11 {
		t.Fatalf("only %v are found in the source", reasons)
	}
	const path = "../../docs/operators.md"
	const begin, end = "<!-- dead letters -->\n", "<!-- end of dead letters -->"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(doc), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", path)
	}
	want := before + begin + "| reason | do |\n|---|---|\n" + table.String() + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if want != string(doc) {
		t.Errorf("%s says something else; make update writes it again. It should have\n%s", path, table.String())
	}
}

// deadReasons reads the reasons from the source, so that a new one cannot be forgotten here.
func deadReasons(t *testing.T) []events.DeadReason {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../events/message.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []events.DeadReason
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); ok && name.Name == "DeadReason" {
			text := spec.Values[0].(*ast.BasicLit).Value
			reasons = append(reasons, events.DeadReason(strings.Trim(text, `"`)))
		}
		return true
	})
	return reasons
}
