package events

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"payonce/pkg/boundedjson"
)

// What a document may have, beside its bytes. A command in a CloudEvent has three levels, and a command some 50 names
// and what its metadata may have; a clarification may have payment.MaxClarifiedGroups of payment.MaxClarifiedFields.
const (
	maxDepth         = 16
	maxName          = 256 // bytes
	maxCommand       = 256 // values
	maxClarification = 1200
	maxAttributes    = 64
)

// maxHeader bounds the headers of a message that is decoded, in bytes. A webhook keeps maxWebhookHeader of HTTP.
const maxHeader = 64 << 10

// maxMediaType bounds a content type, in bytes.
const maxMediaType = 256

// blanks separate the tokens of JSON.
const blanks = " \t\r\n"

// document says what a body may have, and which of its names are one.
type document struct {
	values  int
	shallow bool // nothing that is inside of its fields is looked at
	exact   string
}

var (
	commandDocument       = document{values: maxCommand, exact: "metadata"} // whose names are the upstream's own
	clarificationDocument = document{values: maxClarification}
	eventDocument         = document{values: maxAttributes, shallow: true}
)

// check makes sure that the body is one JSON object in UTF-8 and within the limits. It returns the path of the first
// name that occurs twice, with names compared as encoding/json compares them: without regard to case, except in the
// object whose names are exact. Reading stops at the first thing that is wrong.
func (d document) check(body []byte) (root boundedjson.Value, doubled, problem string) {
	root, err := boundedjson.Parse(body, boundedjson.Limits{Depth: maxDepth, Values: d.values, Name: maxName, Shallow: d.shallow, Fold: d.fold})
	wrong := &boundedjson.Error{}
	text := bytes.TrimLeft(body, blanks)
	object := bytes.HasPrefix(text, []byte("{"))
	switch errors.As(err, &wrong); {
	case len(text) == 0:
		return root, "", "the body is empty"
	case wrong.Problem == boundedjson.NotUTF8: // encoding/json would replace what is not, in silence
		return root, "", "the body is not UTF-8"
	case !object:
		return root, "", "the body is not a JSON object"
	case wrong.Problem == boundedjson.Doubled:
		return root, wrong.Name, ""
	}
	problem = problems[wrong.Problem]
	if wrong.Problem == boundedjson.Malformed || wrong.Problem == boundedjson.MoreThan1 {
		problem += position(body, wrong.Offset)
	}
	return root, "", problem
}

// position says where in a body something is wrong, and what if that is a usual mistake: ", at line 2, column 7: …".
func position(body []byte, offset int) string {
	before := body[:min(offset, len(body))]
	line, column := 1+bytes.Count(before, []byte("\n")), 1+utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	what, end := "", offset >= len(body)
	comma := bytes.HasSuffix(bytes.TrimRight(before, blanks), []byte(","))
	switch {
	case end:
		what = ": it ends too early"
	case comma && (body[offset] == '}' || body[offset] == ']'):
		what = ": a comma before the end"
	case body[offset] == '\'':
		what = ": texts stand in double quotes"
	}
	return fmt.Sprintf(", at line %d, column %d%s", line, column, what)
}

// problems are what is said about a body.
var problems = map[boundedjson.Problem]string{
	boundedjson.Malformed: "the body is not well-formed JSON",
	boundedjson.MoreThan1: "there is more than one JSON document",
	boundedjson.TooDeep:   "the body is nested too deeply",
	boundedjson.TooMany:   "the body has too many values",
	boundedjson.LongName:  "a name in the body is too long",
}

func (d document) fold(object, name string) string {
	if d.exact != "" && object != "" && fold(object) == d.exact {
		return name
	}
	return fold(name)
}

// fold makes names equal that encoding/json takes for one field. "ſ" is there, because its upper case
// is "S".
func fold(name string) string { return strings.ToLower(strings.ToUpper(name)) }

// standsTwice reports whether one of the names occurs twice in a body that was checked.
func standsTwice(body []byte, names ...string) bool {
	root, err := boundedjson.Parse(body, boundedjson.Limits{Depth: maxDepth, Shallow: true, Doubles: true})
	seen := map[string]int{}
	for field := range root.Inner() {
		for _, name := range names {
			if fold(field.Name()) == name {
				seen[name]++
			}
		}
	}
	for _, name := range names {
		if seen[name] > 1 {
			return true
		}
	}
	return err != nil
}

// tooLarge reports whether a message has more headers than can be one of ours.
func (h Header) tooLarge() bool {
	size := 0
	for key, values := range h {
		size += len(key)
		for _, value := range values {
			size += len(value) + 1
		}
	}
	return size > maxHeader
}
