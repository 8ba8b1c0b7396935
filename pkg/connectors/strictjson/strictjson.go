// Package strictjson reads a JSON object that a signature or money depends on. encoding/json alone ignores
// the case of names, takes the last of two and replaces what is not UTF-8, so that what is verified and
// what is read could be two things.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// ErrNotAnObject is the only error of [Object]. It holds nothing of the text, which can be personal.
var ErrNotAnObject = errors.New("not one JSON object in UTF-8 with distinct names")

// Object reads exactly one JSON object: the values as they were written, so that 1.0 stays 1.0, by their
// exact names. Doubled names, also when one is written with escapes, and anything after the object are
// [ErrNotAnObject]. Objects inside are not looked into: read them with Object in their turn.
func Object(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, ErrNotAnObject
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, ErrNotAnObject
	}
	o := map[string]json.RawMessage{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, ErrNotAnObject
		}
		var value json.RawMessage
		if _, double := o[name]; double || dec.Decode(&value) != nil {
			return nil, ErrNotAnObject
		}
		o[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, ErrNotAnObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, ErrNotAnObject
	}
	return o, nil
}
