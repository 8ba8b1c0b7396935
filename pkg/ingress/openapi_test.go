package ingress_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/ingress"
)

func inSource(t *testing.T, file, pattern string) (found []string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return found
}

// What else the document says is held against every answer of the tests of this package, see TestMain.
func TestOpenAPIHasEveryRouteAndProblem(t *testing.T) {
	routes := document.Routes()
	if want := inSource(t, "server.go", `handle\("([A-Z]+ /[^"]*)"`); !slices.Equal(routes, want) || len(want) < 11 {
		t.Errorf("the document has\n%q\nthe code\n%q", routes, want)
	}
	kinds := document.Problems()
	for i, kind := range kinds {
		kinds[i] = strings.TrimPrefix(kind, ingress.ProblemPrefix)
	}
	if want := inSource(t, "problem.go", `(?m)^\tkind\w+ += "([a-z_]+)"`); !slices.Equal(kinds, want) || len(want) < 20 {
		t.Errorf("the document has the problems\n%q\nthe code\n%q", kinds, want)
	}
}
