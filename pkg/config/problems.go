package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in the file.
type Problem struct {
	File string // path of the file as it was given to Load
	Line int    // 0 where no line is to blame
	Key  string // path of the key, e.g. "worker.lease"; empty for the document itself
	Text string // what is wrong; never a value
}

func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text = fmt.Sprintf("%s:%d", text, p.Line)
	}
	for _, part := range []string{p.Key, p.Text} {
		switch {
		case text == "":
			text = part
		case part != "":
			text += ": " + part
		}
	}
	return text
}

// Error is everything that is wrong in a configuration, in the order of the lines.
type Error struct{ Problems []Problem }

// Error returns one line for each problem: "payonce.yaml:12: worker.lease: must be …".
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// origin remembers where a configuration came from, so that a problem that is noticed late still has
// its line.
type origin struct {
	file     string
	source   Source
	lines    map[string]int // by path of the key
	warnings []string
	problems []Problem // what Load found
	test     bool      // the environment is Test: keys of the sandbox are taken
	sends    bool      // events are sent to endpoints, whose secrets no other program reads
}

// line returns where key is; for a key that is left out, where the mapping is that lacks it.
func (o *origin) line(key string) int {
	for key != "" {
		for _, name := range []string{key, key + fileSuffix} {
			if line, found := o.lines[name]; found {
				return line
			}
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return 0
}

// problems collects.
type problems struct {
	origin *origin
	list   []Problem
}

func (p *problems) add(key, format string, args ...any) {
	p.addAt(p.origin.line(key), key, format, args...)
}

func (p *problems) addAt(line int, key, format string, args ...any) {
	p.list = append(p.list, Problem{File: p.origin.file, Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
}

// warn notes what works and should be looked at, once: settings are read more than once.
func (p *problems) warn(key, format string, args ...any) {
	warning := Problem{File: p.origin.file, Line: p.origin.line(key), Key: key, Text: fmt.Sprintf(format, args...)}
	if text := warning.String(); !slices.Contains(p.origin.warnings, text) {
		p.origin.warnings = append(p.origin.warnings, text)
	}
}

// has reports whether one of the keys, or a part of it, is wrong already, so that what follows from it
// is not reported too.
func (p *problems) has(keys ...string) bool {
	return slices.ContainsFunc(p.list, func(known Problem) bool {
		return slices.ContainsFunc(keys, func(key string) bool {
			at := strings.TrimSuffix(strings.Replace(known.Key, fileSuffix+"[", "[", 1), fileSuffix)
			return at == key || strings.HasPrefix(at, key+"[")
		})
	})
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	p.sort()
	return &Error{Problems: p.list}
}

func (p *problems) sort() {
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), strings.Compare(a.Key, b.Key))
	})
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// join appends a name to the path of a key. What is no usual name is cut and quoted.
func join(path, name string) string {
	if !plainKey.MatchString(name) {
		name = fmt.Sprintf("%.32q", name)
	}
	return strings.TrimPrefix(path+"."+name, ".")
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
