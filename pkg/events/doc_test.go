package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"payonce/pkg/payment"
)

const eventsDoc = "../../docs/events.md"

// TestEventsDoc compares the examples in docs/events.md, which are between marks, with the golden
// files. Write them again with go test ./pkg/events -run EventsDoc -update
func TestEventsDoc(t *testing.T) {
	doc, err := os.ReadFile(eventsDoc)
	if err != nil {
		t.Fatal(err)
	}
	want, shown := withExamples(t, string(doc))
	want = withList(t, want, "reasons", constants(t, "../payment/payment.go", "Reason"))
	want = withList(t, want, "dead letters", constants(t, "message.go", "Dead"))
	want = withList(t, want, "actions", constants(t, "audit.go", "Action"))
	if *update {
		if err := os.WriteFile(eventsDoc, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(doc) != want {
		t.Error("the examples in docs/events.md are not the golden files; run: go test ./pkg/events -run EventsDoc -update")
	}
	if all := slices.Sorted(maps.Keys(goldenMessages(t))); !slices.Equal(shown, all) {
		t.Errorf("docs/events.md shows %v, the golden files are %v", shown, all)
	}
	for _, s := range payment.Statuses() {
		if s != payment.Requested && !strings.Contains(want, "| `payment."+string(s)+"` |") {
			t.Errorf("docs/events.md does not explain %s", s)
		}
	}
}

// withExamples puts the golden files between the marks of a document.
func withExamples(t *testing.T, doc string) (filled string, names []string) {
	t.Helper()
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(doc, "<!-- example: ")
		b.WriteString(before)
		if !found {
			slices.Sort(names)
			return b.String(), names
		}
		name, rest, _ := strings.Cut(rest, " -->")
		_, after, ended := strings.Cut(rest, "<!-- end -->")
		if !ended {
			t.Fatalf("the example %s has no end", name)
		}
		names = append(names, name)
		fmt.Fprintf(&b, "<!-- example: %s -->\n```text\n%s```\n<!-- end -->", name, readable(t, name))
		doc = after
	}
}

// readable returns a golden file with its JSON indented.
func readable(t *testing.T, name string) string {
	t.Helper()
	golden, err := os.ReadFile(goldenPath(name))
	if err != nil {
		t.Fatal(err)
	}
	head, data, _ := bytes.Cut(golden, []byte("\n\n"))
	var indented bytes.Buffer
	if name == "webhook" { // its bytes are the provider's
		indented.Write(data)
	} else if err := json.Indent(&indented, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n\n%s\n", head, bytes.TrimRight(indented.Bytes(), "\n"))
}

// withList puts constants and their comments between two marks.
func withList(t *testing.T, doc, name string, list []string) string {
	t.Helper()
	open, end := "<!-- "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, found := strings.Cut(doc, open)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended || len(list) < 5 {
		t.Fatalf("no place for the %d %s", len(list), name)
	}
	return before + open + strings.Join(list, "") + end + after
}

// constants reads the text constants whose names begin with prefix, so that the comments in the code are
// the only text.
func constants(t *testing.T, file, prefix string) (list []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, prefix) || len(spec.Values) != 1 {
			return true
		}
		value, literal := spec.Values[0].(*ast.BasicLit)
		comment := strings.TrimSpace(spec.Comment.Text())
		if !literal || comment == "" {
			t.Fatalf("%s has no text or no comment", spec.Names[0].Name)
		}
		code, err := strconv.Unquote(value.Value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("- `%s`: %s\n", code, comment))
		return true
	})
	return list
}
