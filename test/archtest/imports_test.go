package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "payonce"

// root is the folder of the module; tests run in their package's folder.
const root = "../.."

// graph holds the imports of each package, tests left out. Packages of this module are named without its
// name.
type graph map[string][]string

// listed is what go list says about a package.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// list runs go list. Packages that do not build are listed all the same: the compiler reports them.
func list(t *testing.T, args ...string) []listed {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports"}, args...)...)
	command.Dir = root
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func short(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func imports(t *testing.T) graph {
	g := graph{}
	for _, p := range list(t, "-deps", "./...") {
		path := short(p.ImportPath)
		if !strings.HasPrefix(p.ImportPath, module+"/") && inside(path) {
			continue // a package of the standard library, like internal/abi
		}
		g[path] = nil
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module+"/") || !inside(imported) {
				g[path] = append(g[path], short(imported))
			}
		}
	}
	return g
}

// violations returns one line for each import that the rule forbids, with the way to it.
func (g graph) violations(r rule) []string {
	var found []string
	for _, pkg := range slices.Sorted(maps.Keys(g)) {
		if !inside(pkg) || !matches(pkg, "", r.of) || matches(pkg, "", r.except) {
			continue
		}
		for target, way := range g.reach(pkg, r.direct) {
			if matches(target, pkg, r.ban) && !matches(target, pkg, r.allow) {
				found = append(found, strings.Join(way, " → ")+": "+r.reason)
			}
		}
	}
	slices.Sort(found)
	return found
}

// reach returns everything that a package imports, each with the shortest way to it. It does not look
// behind the standard library and other modules' packages from themselves: the way that matters is ours.
func (g graph) reach(pkg string, direct bool) map[string][]string {
	ways := map[string][]string{}
	for queue := [][]string{{pkg}}; len(queue) > 0; queue = queue[1:] {
		way := queue[0]
		for _, next := range g[way[len(way)-1]] {
			if _, seen := ways[next]; seen || next == pkg {
				continue
			}
			ways[next] = append(slices.Clone(way), next)
			if !direct {
				queue = append(queue, ways[next])
			}
		}
	}
	return ways
}

func TestImports(t *testing.T) {
	g := imports(t)
	if len(g["pkg/connectors"]) == 0 {
		t.Fatal("go list does not know pkg/connectors: nothing would be checked")
	}
	for _, r := range rules {
		for _, violation := range g.violations(r) {
			t.Error(violation)
		}
	}
}

// TestRulesBite plays each rule against imports that it must refuse, and one that it must let pass.
func TestRulesBite(t *testing.T) {
	for _, test := range []struct {
		g    graph
		want string // the way that is refused; empty if it is allowed
	}{
		{graph{"pkg/worker": {"github.com/nats-io/nats.go"}}, "pkg/worker → github.com/nats-io/nats.go"},
		{graph{"internal/app": {"github.com/nats-io/nats.go"}}, ""},
		{graph{"pkg/limits/redis": {"github.com/redis/go-redis/v9"}}, ""},
		{graph{"pkg/worker": {"pkg/limits/redis"}}, "pkg/worker → pkg/limits/redis"},
		{graph{"pkg/events": {"pkg/x"}, "pkg/x": {"go.yaml.in/yaml/v4"}}, "pkg/events → pkg/x → go.yaml.in/yaml/v4"},
		{graph{"pkg/connectors": {"pkg/connectors/acme"}}, "pkg/connectors → pkg/connectors/acme"},
		{graph{"pkg/reconcile": {"pkg/connectors"}, "pkg/connectors": {"pkg/payment"}}, ""},
		{graph{"pkg/payment": {"pkg/secret"}}, "pkg/payment → pkg/secret"},
		{graph{"pkg/payment": {"encoding/json", "internal"}}, ""},
		{graph{"pkg/ingress": {"pkg/events/jetstream"}}, "pkg/ingress → pkg/events/jetstream"},
		{graph{"pkg/connectors/a": {"pkg/connectors/b"}}, "pkg/connectors/a → pkg/connectors/b"},
		{graph{"pkg/connectors/a": {"pkg/connectors/httpcall", "pkg/connectors", "pkg/connectors/a/sign"}}, ""},
		{graph{"pkg/connectors/masking": {"pkg/connectors"}}, "pkg/connectors/masking → pkg/connectors"},
		{graph{"pkg/connectors/a": {"log/slog"}}, "pkg/connectors/a → log/slog"},
		{graph{"pkg/connectors/a": {"pkg/secret"}, "pkg/secret": {"log/slog"}}, ""},
		{graph{"pkg/sandbox/a": {"pkg/x"}, "pkg/x": {"pkg/connectors"}}, "pkg/sandbox/a → pkg/x → pkg/connectors"},
		{graph{"pkg/x": {"internal/app"}}, "pkg/x → internal/app"},
		{graph{"cmd/ingress": {"internal/app"}, "internal/app": {"pkg/sandbox"}}, "cmd/ingress → internal/app → pkg/sandbox"},
	} {
		var found []string
		for _, r := range rules {
			found = append(found, test.g.violations(r)...)
		}
		switch {
		case test.want == "" && len(found) > 0:
			t.Errorf("%v must be allowed: %q", test.g, found)
		case test.want != "" && !slices.ContainsFunc(found, func(line string) bool { return strings.HasPrefix(line, test.want+": ") }):
			t.Errorf("%v must be refused as %q, have %q", test.g, test.want, found)
		}
	}
}

// TestDependenciesAreExplained makes sure that every module that our code imports, tests and tools
// included, has a line with its reason.
func TestDependenciesAreExplained(t *testing.T) {
	page := filepath.Join(root, "docs/decisions/dependencies.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	modules, tools := required(t)
	used := map[string]bool{}
	note := func(path string) {
		if at := moduleOf(path, modules); at != "" {
			used[at] = true
		}
	}
	for _, tool := range tools {
		note(tool)
	}
	for _, p := range list(t, "./...") {
		for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			note(path)
		}
	}
	if len(used) == 0 {
		t.Fatal("no module is used: nothing would be checked")
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s is imported, and dependencies.md does not say why", name)
		}
	}
}

// required returns the modules and the tools of go.mod.
func required(t *testing.T) (modules, tools []string) {
	t.Helper()
	command := exec.Command("go", "mod", "edit", "-json")
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Require []struct{ Path string }
		Tool    []struct{ Path string }
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Require {
		modules = append(modules, r.Path)
	}
	for _, r := range file.Tool {
		tools = append(tools, r.Path)
	}
	return modules, tools
}

// moduleOf returns the module that holds a package: the longest whose path the package begins with.
func moduleOf(path string, modules []string) string {
	best := ""
	for _, name := range modules {
		if (path == name || strings.HasPrefix(path, name+"/")) && len(name) > len(best) {
			best = name
		}
	}
	return best
}
