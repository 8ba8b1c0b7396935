package config

import (
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"payonce/pkg/secret"
)

// fileSuffix marks a key whose value is the path of a file with the real value.
const fileSuffix = "_file"

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand returns the text of a scalar with ${NAME} replaced, and whether anything was.
func (d decoder) expand(n *yaml.Node, key string) (text string, expanded, ok bool) {
	var out strings.Builder
	ok = true
	for rest := n.Value; ; {
		before, after, found := strings.Cut(rest, "$")
		out.WriteString(before)
		if !found {
			return out.String(), expanded, ok
		}
		name, tail, closed := strings.Cut(strings.TrimPrefix(after, "{"), "}")
		switch {
		case strings.HasPrefix(after, "$"):
			out.WriteByte('$')
			rest = after[1:]
			continue
		case !strings.HasPrefix(after, "{") || !closed || !variable.MatchString(name):
			d.addAt(n.Line, key, "a dollar sign must be written $$, or begin ${NAME}")
			return "", false, false
		}
		value, set := d.origin.source.Env(name)
		if !set {
			d.addAt(n.Line, key, "the environment variable %s is not set", name)
			ok = false
		}
		out.WriteString(value)
		rest, expanded = tail, true
	}
}

// fromFile reports whether a field can be given by "_file": text, a secret, or a list of them.
func fromFile(t reflect.Type) bool {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t == secretType || t.Kind() == reflect.String
}

// file fills a field from the file whose path n holds; a list from one path or a list of paths.
func (d decoder) file(n *yaml.Node, v reflect.Value, key string) {
	if v.Kind() == reflect.Slice {
		paths, at := []*yaml.Node{n}, func(int) string { return key }
		if n.Kind == yaml.SequenceNode {
			paths, at = n.Content, func(i int) string { return index(key, i) }
		}
		v.Set(reflect.MakeSlice(v.Type(), len(paths), len(paths)))
		for i, path := range paths {
			d.file(path, v.Index(i), at(i))
		}
		return
	}
	if n.Kind != yaml.ScalarNode || n.Value == "" || n.ShortTag() == "!!null" {
		d.addAt(n.Line, key, "must be the path of a file")
		return
	}
	path, _, ok := d.expand(n, key)
	if !ok {
		return
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(d.origin.file), path)
	}
	content, err := d.origin.source.ReadFile(path)
	switch {
	case err != nil:
		d.addAt(n.Line, key, "cannot be read: %v", cause(err))
	case len(content) > maxFile:
		d.addAt(n.Line, key, "the file has more than %d bytes", maxFile)
	case v.Type() != secretType && encodingProblem(content) != "":
		d.addAt(n.Line, key, "the file %s", encodingProblem(content))
	case v.Type() != secretType:
		d.refuseSandboxKey(string(content), n.Line, key)
		v.SetString(trimNewline(string(content)))
	case strings.TrimSpace(string(content)) == "":
		d.addAt(n.Line, key, "is an empty secret")
	default:
		d.refuseSandboxKey(string(content), n.Line, key)
		for _, problem := range secretProblems(trimNewline(string(content))) {
			d.addAt(n.Line, key, "the secret in the file %s", problem)
		}
		v.Set(reflect.ValueOf(secret.New(trimNewline(string(content)))))
		d.warnOfReaders(path, n.Line, key)
	}
}

// The marks that the sandbox puts on the keys and secrets that it makes.
const (
	sandboxSecret = "sandbox-"         // begins a secret text
	sandboxPEM    = "Sandbox: payonce" // header of a PEM block
)

// refuseSandboxKey keeps the sandbox's keys out of production: with one of them any person who has the
// sandbox could settle payments.
func (d decoder) refuseSandboxKey(text string, line int, key string) {
	if !d.origin.test && (strings.HasPrefix(text, sandboxSecret) || strings.Contains(text, sandboxPEM)) {
		d.addAt(line, key, "is a key of the sandbox: accepted only with environment: test")
	}
}

// trimNewline removes the one line end that editors and echo put at the end of a file.
func trimNewline(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

// othersRead are the permissions that let the group and all other users read.
const othersRead = 0o044

func (d decoder) warnOfReaders(path string, line int, key string) {
	if d.origin.source.Mode == nil {
		return
	}
	mode, err := d.origin.source.Mode(path)
	if err == nil && mode.Perm()&othersRead != 0 {
		warning := Problem{File: d.origin.file, Line: line, Key: key, Text: "other users can read the file of this secret: chmod 600"}
		d.origin.warnings = append(d.origin.warnings, warning.String())
	}
}
