// Package strictjson reads a JSON object that a signature or money depends on. encoding/json alone ignores
// the case of names, takes the last of two and replaces what is not UTF-8, so that what is verified and
// what is read could be two things.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"payonce/pkg/boundedjson"
)

// The limits of what is read. The providers' own objects have some 30 fields, and their longest lists are pages of a
// statement with at most 1,000 records.
const (
	MaxDepth  = 32
	MaxFields = 128
	MaxName   = 128 // bytes
	MaxItems  = 2000
)

// ErrNotAnObject is the error of [Object]. It holds nothing of the text, which can be personal. Where a limit was
// passed, an error that wraps it names the limit.
var ErrNotAnObject = errors.New("not one JSON object in UTF-8 with distinct names")

// ErrNotAList is the error of [List], likewise.
var ErrNotAList = errors.New("not one JSON list in UTF-8")

// Object reads exactly one JSON object: the values as they were written, so that 1.0 stays 1.0, by their
// exact names. Doubled names, also when one is written with escapes, and anything after the object are
// [ErrNotAnObject]. Objects inside are not looked into: read them with Object in their turn. The values are parts of
// data, which must not be changed as long as they are used.
func Object(data []byte) (map[string]json.RawMessage, error) {
	v, err := boundedjson.Parse(data, boundedjson.Limits{Depth: MaxDepth, Values: MaxFields + 1, Name: MaxName, Shallow: true})
	if err != nil || v.Kind() != boundedjson.Object {
		return nil, named(ErrNotAnObject, err)
	}
	o := make(map[string]json.RawMessage, v.Count())
	for field := range v.Inner() {
		o[field.Name()] = raw(data, field)
	}
	return o, nil
}

// List reads exactly one JSON list and returns its items as they were written, which are parts of data. They are not
// looked into.
func List(data []byte) (items iter.Seq[json.RawMessage], length int, err error) {
	v, err := boundedjson.Parse(data, boundedjson.Limits{Depth: MaxDepth, Values: MaxItems + 1, Shallow: true})
	if err != nil || v.Kind() != boundedjson.List {
		return nil, 0, named(ErrNotAList, err)
	}
	return func(yield func(json.RawMessage) bool) {
		for item := range v.Inner() {
			if !yield(raw(data, item)) {
				return
			}
		}
	}, v.Count(), nil
}

// Text returns the text of a value that is one, as [Object] and [List] give them; false for every other value.
func Text(value json.RawMessage) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	v, err := boundedjson.Parse(value, boundedjson.Limits{Depth: 1})
	return v.Text(), err == nil
}

// Filled reports whether a value of an [Object] is an object or a list with something in it. PHP writes an array without anything in it
// as either, so that an empty one says nothing.
func Filled(value json.RawMessage) bool {
	return len(value) > 2 && (value[0] == '{' || value[0] == '[') && len(bytes.TrimSpace(value[1:len(value)-1])) > 0
}

func raw(data []byte, v boundedjson.Value) json.RawMessage {
	from, to := v.Offsets()
	return data[from:to:to]
}

// named adds the limit that was passed, if one was.
func named(what, err error) error {
	if bad := new(boundedjson.Error); errors.As(err, &bad) && bad.Problem.Limit() {
		return fmt.Errorf("%w: %s", what, bad.Problem)
	}
	return what
}
