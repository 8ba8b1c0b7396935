package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// matches returns the first group of every match, sorted.
func matches(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return found
}

// The page for ledgers names the subjects and the flags of the example.
func TestLedgerPageIsTheExample(t *testing.T) {
	text, code := page(t, filepath.Join(docs, "ledger.md")), page(t, "../../examples/ledger/main.go")
	named := matches(part(t, text, "subjects"), "`payment\\.([a-z_]+)\\.>`")
	_, list, _ := strings.Cut(code, "var outcomes = ")
	list, _, _ = strings.Cut(list, "\n")
	if want := matches(list, `"([a-z_]+)"`); !slices.Equal(named, want) || len(want) != 4 {
		t.Errorf("the page reads %v, the example %v", named, want)
	}
	flags := matches(code, `set\.\w+\("([a-z-]+)"`)
	for _, text := range []string{part(t, text, "commands"), page(t, "../../examples/ledger/README.md")} {
		used := matches(text, `--([a-z-]+)`)
		if len(used) < 7 {
			t.Errorf("%d flags are found", len(used))
		}
		for _, flag := range used {
			if !slices.Contains(flags, flag) {
				t.Errorf("the example has no flag --%s", flag)
			}
		}
	}
	if schema := "urn:payonce:schema:payment:v1"; !strings.Contains(text, schema) || !strings.Contains(code, schema) {
		t.Errorf("%s is not in both", schema)
	}
}

// README shows lines of the example, in its order.
func TestReadmeShowsTheLedger(t *testing.T) {
	fenced, _ := blocks(text(t, "README.md"))
	code, shown := text(t, "examples/ledger/main.go"), 0
	for _, b := range fenced {
		if b.language != "go" {
			continue
		}
		rest := code
		for line := range strings.Lines(b.text) {
			if strings.TrimSpace(line) == "// …" {
				continue
			}
			_, after, found := strings.Cut(rest, line)
			if !found {
				t.Fatalf("examples/ledger/main.go has no line %q there", line)
			}
			rest = after
			shown++
		}
	}
	if shown < 10 {
		t.Errorf("README shows %d lines", shown)
	}
}

// The page for upstream services sends what README sends, and names every problem of the ingress.
func TestUpstreamPageIsTheIngress(t *testing.T) {
	text := page(t, filepath.Join(docs, "upstream.md"))
	_, curl, found := strings.Cut(text, "\n```sh\ncurl ")
	curl, _, _ = strings.Cut(curl, "```")
	if !found || !strings.Contains(page(t, "../../README.md"), curl) {
		t.Error("the curl lines are not those of README, which is tested")
	}
	want := matches(page(t, "../../pkg/ingress/problem.go"), `(?m)^\tkind\w+ += "([a-z_]+)"`)
	if named := matches(part(t, text, "problems"), "`([a-z_]+)`"); !slices.Equal(named, want) || len(want) < 20 {
		t.Errorf("the page names\n%v\nthe ingress has\n%v", named, want)
	}
}
