package events

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting, because each level costs memory. A command in a CloudEvent has three.
const maxDepth = 16

// blanks stand between the tokens of JSON.
const blanks = " \t\r\n"

// checkDocument makes sure that the body is one JSON object in UTF-8, and returns the paths of the names
// that stand twice, with names compared as encoding/json compares them: without regard to case, except
// for the upstream's own in metadata.
func checkDocument(body []byte) (doubled []string, problem string) {
	if !utf8.Valid(body) { // encoding/json would replace what is not, in silence
		return nil, "the body is not UTF-8"
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, blanks), []byte("{")) {
		return nil, "the body is not a JSON object"
	}
	w := walker{rest: body}
	w.value("", 0)
	switch {
	case w.tooDeep:
		return nil, "the body is nested too deeply"
	case json.Valid(body):
		return w.doubled, ""
	case json.NewDecoder(bytes.NewReader(body)).Decode(new(json.RawMessage)) == nil:
		return nil, "there is more than one JSON document"
	}
	return nil, "the body is not well-formed JSON"
}

// walker looks for names that stand twice in one object. It finds them in JSON; of anything else it only
// makes sure to come to an end.
type walker struct {
	rest    []byte
	doubled []string // paths
	tooDeep bool
}

// value walks the next value.
func (w *walker) value(path string, depth int) {
	if depth > maxDepth {
		w.tooDeep, w.rest = true, nil
		return
	}
	switch w.peek() {
	case '{':
		w.skip(1)
		w.object(path, depth+1)
	case '[':
		w.skip(1)
		for next := w.peek(); next != ']' && next != 0; next = w.peek() {
			w.value(path, depth+1)
		}
		w.skip(1)
	case '"':
		w.text()
	default:
		w.skip(max(1, bytes.IndexAny(w.rest, ",:]}"+blanks)))
	}
}

// object walks an object behind its "{".
func (w *walker) object(path string, depth int) {
	seen := map[string]bool{}
	for w.peek() == '"' {
		name := w.text()
		at, key := strings.TrimPrefix(path+"."+name, "."), name
		if fold(path) != "metadata" {
			key = fold(name)
		}
		if seen[key] {
			w.doubled = append(w.doubled, at)
		}
		seen[key] = true
		w.value(at, depth)
	}
	w.skip(1)
}

// text reads a string.
func (w *walker) text() string {
	end := 1
	for end < len(w.rest) && w.rest[end] != '"' {
		if w.rest[end] == '\\' {
			end++
		}
		end++
	}
	quoted := w.rest[:min(end+1, len(w.rest))]
	w.skip(len(quoted))
	var s string
	if bytes.IndexByte(quoted, '\\') < 0 {
		s = string(bytes.Trim(quoted, `"`))
	} else if json.Unmarshal(quoted, &s) != nil {
		return "" // and json.Valid says so
	}
	return s
}

// peek returns the first byte of the next token, 0 at the end.
func (w *walker) peek() byte {
	w.rest = bytes.TrimLeft(w.rest, ",:"+blanks)
	if len(w.rest) == 0 {
		return 0
	}
	return w.rest[0]
}

func (w *walker) skip(n int) { w.rest = w.rest[min(n, len(w.rest)):] }

// fold makes names equal that encoding/json takes for one field. "ſ" is there, because its upper case
// is "S".
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }
