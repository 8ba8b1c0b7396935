package connectortest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// forbidden are imports that no connector needs, each with its reason.
var forbidden = map[string]string{
	"os": "a connector reads no environment and no file", "os/exec": "a connector reads no environment and no file",
	"io/ioutil": "a connector reads no environment and no file", "syscall": "a connector reads no environment and no file",
	"embed": "a connector reads no file", "log": "a connector writes no log", "log/slog": "a connector writes no log",
	"math/rand": "a nonce that can be guessed is none", "math/rand/v2": "a nonce that can be guessed is none",
	"unsafe": "it hides what is done",
}

// names are functions of the standard library that no connector may use.
var names = map[string]string{
	"http.ProxyFromEnvironment": "reads the environment", "http.DefaultClient": "follows redirects, repeats requests and reads the environment",
	"http.DefaultTransport": "repeats requests and reads the environment", "http.Get": "uses http.DefaultClient", "http.Post": "uses http.DefaultClient",
	"http.PostForm": "uses http.DefaultClient", "time.Now": "the clock is given by New", "time.Since": "the clock is given by New",
	"time.Until": "the clock is given by New", "time.Sleep": "a connector does not wait", "time.After": "a connector does not wait", "time.Local": "depends on the machine",
}

// sourceProblems returns what the connector's own files must not hold.
func (h Harness) sourceProblems() []string {
	folder := h.Sources
	if folder == nil {
		folder = os.DirFS(".")
	}
	files, err := fs.Glob(folder, "*.go")
	if err != nil {
		return []string{err.Error()}
	}
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	if len(files) == 0 {
		return []string{"Sources holds no file of the connector"}
	}
	var problems []string
	for _, name := range files {
		positions := token.NewFileSet()
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return append(problems, err.Error())
		}
		file, err := parser.ParseFile(positions, name, text, parser.SkipObjectResolution)
		if err != nil {
			return append(problems, err.Error())
		}
		problems = append(problems, fileProblems(positions, file)...)
	}
	return problems
}

func fileProblems(positions *token.FileSet, file *ast.File) []string {
	var problems []string
	note := func(n ast.Node, what string) {
		problems = append(problems, fmt.Sprintf("%s: %s", positions.Position(n.Pos()), what))
	}
	for _, imported := range file.Imports {
		path, _ := strconv.Unquote(imported.Path.Value)
		if reason, bad := forbidden[path]; bad {
			note(imported, fmt.Sprintf("imports %q: %s", path, reason))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			note(n, "starts a goroutine")
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				note(n, "has an init function: a connector does nothing until it is made")
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				if reason, bad := names[x.Name+"."+n.Sel.Name]; bad {
					note(n, fmt.Sprintf("uses %s.%s: %s", x.Name, n.Sel.Name, reason))
				}
			}
		}
		return true
	})
	return problems
}
