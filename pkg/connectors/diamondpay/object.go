package diamondpay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// object is a JSON object with exact names and without doubles: encoding/json alone ignores the case of
// names and takes the last of two.
type object map[string]json.RawMessage

var errNotAnObject = errors.New("not one JSON object in UTF-8 with distinct names")

func parseObject(data []byte) (object, error) {
	if !utf8.Valid(data) {
		return nil, errNotAnObject
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errNotAnObject
	}
	o := object{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errNotAnObject
		}
		var value json.RawMessage
		if _, double := o[name]; double || dec.Decode(&value) != nil {
			return nil, errNotAnObject
		}
		o[name] = value
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return nil, errNotAnObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errNotAnObject
	}
	return o, nil
}

// missing reports whether there is no such value, or null.
func (o object) missing(name string) bool {
	return len(o[name]) == 0 || string(o[name]) == "null"
}

// fields are the plain values of an object that the provider calls not empty: neither null nor "". Numbers
// and booleans stand as they were written, so that 0 is a value, and 2 and "2" are the same.
type fields map[string]string

// fields returns the plain values of o, without objects and lists.
func (o object) fields() fields {
	f := make(fields, len(o))
	for name, raw := range o {
		if raw[0] == '{' || raw[0] == '[' {
			continue
		}
		if text := plain(raw); text != "" {
			f[name] = text
		}
	}
	return f
}

// plain returns the text of a value that is no object and no list; null is empty.
func plain(raw json.RawMessage) string {
	var text *string
	switch {
	case raw[0] != '"' && raw[0] != 'n':
		return string(raw)
	case json.Unmarshal(raw, &text) != nil || text == nil:
		return ""
	}
	return *text
}
