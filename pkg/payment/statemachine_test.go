package payment_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"payonce/pkg/payment"
)

var update = flag.Bool("update", false, "write generated files again")

const stateMachineDoc = "../../docs/state-machine.md"

// TestStateMachine compares docs/state-machine.md with the table. Write it again with
// go test ./pkg/payment -run StateMachine -update
func TestStateMachine(t *testing.T) {
	want := stateMachine(t)
	if *update {
		if err := os.WriteFile(stateMachineDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(stateMachineDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/state-machine.md is not what the table says; run: go test ./pkg/payment -run StateMachine -update")
	}
}

func stateMachine(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# The state machine of a payment\n\n")
	b.WriteString("<!-- Generated from pkg/payment by: go test ./pkg/payment -run StateMachine -update -->\n\n")
	b.WriteString("Every payment moves only along these edges. What moves it is *evidence*: something that was learned\n" +
		"about it or decided about it. Time alone moves nothing. The definitions stand below.\n\n")
	_, _, cells := readGrid(t)
	reached := func(s payment.Status, e payment.Evidence) bool { return cells[[2]string{string(s), string(e)}].reached }
	writeDiagram(&b, reached)
	b.WriteString("\n## The whole table\n\nA status is where the evidence leads to. `·` goes nowhere: nothing new was learned and nothing is\n" +
		"written. `✗` is forbidden: the caller must do something else first, such as looking up instead of\n" +
		"sending. `–` cannot happen.\n\n")
	writeTable(&b, reached)
	b.WriteString("\n## The statuses\n\n")
	writeDefinitions(&b, definitions(t, "Status"), texts(payment.Statuses()))
	b.WriteString("\n## The evidence\n\n")
	writeDefinitions(&b, append(definitions(t, "Kind"), definitions(t, "Evidence")...), texts(payment.Evidences()))
	return b.String()
}

func writeDiagram(b *strings.Builder, reached func(payment.Status, payment.Evidence) bool) {
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> requested\n")
	for _, from := range payment.Statuses() {
		for _, to := range payment.Statuses() {
			var labels []string
			for _, e := range payment.Evidences() {
				if reached(from, e) && payment.Next(from, e) == payment.Move(to) {
					labels = append(labels, string(e))
				}
			}
			if len(labels) > 0 {
				fmt.Fprintf(b, "    %s --> %s: %s\n", from, to, strings.Join(labels, ", "))
			}
		}
	}
	b.WriteString("```\n")
}

func writeTable(b *strings.Builder, reached func(payment.Status, payment.Evidence) bool) {
	b.WriteString("| evidence |")
	for _, s := range payment.Statuses() {
		fmt.Fprintf(b, " `%s` |", s)
	}
	b.WriteString("\n|" + strings.Repeat("---|", len(payment.Statuses())+1) + "\n")
	for _, e := range payment.Evidences() {
		fmt.Fprintf(b, "| `%s` |", e)
		for _, s := range payment.Statuses() {
			fmt.Fprintf(b, " %s |", cellText(payment.Next(s, e), reached(s, e)))
		}
		b.WriteString("\n")
	}
}

func cellText(m payment.Move, reached bool) string {
	switch text := moveText(m); {
	case !reached:
		return "–"
	case text == "-":
		return "✗"
	case text == ".":
		return "·"
	default:
		return text
	}
}

func writeDefinitions(b *strings.Builder, all []definition, order []string) {
	for _, value := range order {
		at := slices.IndexFunc(all, func(d definition) bool { return d.value == value })
		fmt.Fprintf(b, "- `%s`: %s\n", value, strings.TrimSuffix(all[at].text, ".")+".")
	}
}

// definition is a constant of the package with its comment.
type definition struct{ value, text string }

// definitions reads the constants of a type from the source, so that the comments there are the only
// text.
func definitions(t *testing.T, typeName string) []definition {
	t.Helper()
	var found []definition
	for _, file := range []string{"status.go", "observation.go", "decide.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			name, _ := spec.Type.(*ast.Ident)
			value, literal := spec.Values[0].(*ast.BasicLit)
			if name == nil || name.Name != typeName || !literal {
				return true
			}
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			comment := strings.Join(strings.Fields(spec.Doc.Text()+spec.Comment.Text()), " ")
			comment = strings.TrimPrefix(comment, spec.Names[0].Name+": ")
			if comment == "" {
				t.Errorf("%s has no comment to define it", spec.Names[0].Name)
			}
			found = append(found, definition{text, comment})
			return true
		})
	}
	return found
}

func constants(t *testing.T, typeName string) []string {
	t.Helper()
	var values []string
	for _, d := range definitions(t, typeName) {
		values = append(values, d.value)
	}
	return values
}
