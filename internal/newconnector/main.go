// Command newconnector lays out the folder of a new connector from templates. It compiles, and its
// conformance test fails with a list of what is to be written; see docs/connectors.md.
//
//	go run ./internal/newconnector -name acme
package main

import (
	"bytes"
	"embed"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "newconnector:", err)
		os.Exit(1)
	}
}

// run is the program: it writes the folder and prints what comes next.
func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("newconnector", flag.ContinueOnError)
	name := flags.String("name", "", "the connector's kind and package, e.g. acme")
	in := flags.String("in", "pkg/connectors", "the folder of all connectors")
	flags.SetOutput(io.Discard) // the error says it all
	if err := flags.Parse(args); err != nil {
		return err
	}
	files, err := render(*name)
	if err != nil {
		return err
	}
	folder := filepath.Join(*in, *name)
	if err := os.Mkdir(folder, 0o755); errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists already", folder)
	} else if err != nil {
		return err
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o644); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%s is made. Next: go test ./%s says what to write, docs/connectors.md says how.\n", folder, filepath.ToSlash(folder))
	return err
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9]{1,31}$`)

// taken are names of packages that a connector uses.
var taken = map[string]bool{
	"connectors": true, "connectortest": true, "httpcall": true, "masking": true, "signedtext": true, "strictjson": true, "check": true, "payment": true, "secret": true,
	"context": true, "errors": true, "http": true, "time": true, "fmt": true,
}

// render returns the files of a connector by name.
func render(name string) (map[string][]byte, error) {
	if !validName.MatchString(name) || token.IsKeyword(name) || taken[name] || strings.HasSuffix(name, "test") {
		return nil, fmt.Errorf("%q is no name for a connector: use 2 to 32 of a-z and 0-9, e.g. NAME=acme", name)
	}
	all, err := template.ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, t := range all.Templates() {
		var text bytes.Buffer
		if err := t.Execute(&text, struct{ Name string }{name}); err != nil {
			return nil, err
		}
		source, err := format.Source(text.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name(), err)
		}
		files[strings.TrimSuffix(t.Name(), ".tmpl")] = source
	}
	return files, nil
}
