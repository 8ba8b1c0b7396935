package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// checkDocument makes sure that the body is one JSON object in UTF-8, and returns the paths of the names
// that stand twice, with names compared as encoding/json compares them: without regard to case, except
// for the upstream's own in metadata.
func checkDocument(body []byte) (doubled []string, problem string) {
	if !utf8.Valid(body) { // encoding/json would replace what is not, in silence
		return nil, "the body is not UTF-8"
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return nil, "the body is not a JSON object"
	}
	w := walker{dec: dec}
	if err := w.object("", 1); errors.Is(err, errTooDeep) {
		return nil, err.Error()
	} else if err != nil {
		return nil, "the body is not well-formed JSON"
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, "there is more than one JSON document"
	}
	return w.doubled, ""
}

// maxDepth bounds the nesting, because each level costs memory. A command in a CloudEvent has three.
const maxDepth = 16

var errTooDeep = errors.New("the body is nested too deeply")

// walker looks for names that stand twice in one object.
type walker struct {
	dec     *json.Decoder
	doubled []string // paths
}

// object walks an object whose "{" was read.
func (w *walker) object(path string, depth int) error {
	seen := map[string]bool{}
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		at, key := strings.TrimPrefix(path+"."+name, "."), name
		if fold(path) != "metadata" {
			key = fold(name)
		}
		if seen[key] {
			w.doubled = append(w.doubled, at)
		}
		seen[key] = true
		if err := w.value(at, depth); err != nil {
			return err
		}
	}
	_, err := w.dec.Token()
	return err
}

func (w *walker) value(path string, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	token, err := w.dec.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		return w.object(path, depth+1)
	case json.Delim('['):
		for w.dec.More() {
			if err := w.value(path, depth+1); err != nil {
				return err
			}
		}
		_, err = w.dec.Token()
	}
	return err
}

// fold makes names equal that encoding/json takes for one field. "ſ" is there, because its upper case
// is "S".
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }
