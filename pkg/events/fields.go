package events

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"payonce/pkg/boundedjson"
	"payonce/pkg/payment"
)

// maxProblems bounds how many problems of one command are told.
const maxProblems = 32

// shape says what JSON a field of a command takes. The shapes are made from [payment.Command] itself.
type shape struct {
	name   string
	kind   boundedjson.Kind // Text, Object or List
	fields []shape          // of an object whose names are ours
	any    bool             // an object whose names are the upstream's own
}

var commandShape = shapeOf("", reflect.TypeFor[payment.Command]())

var amountShape = shape{name: "amount", kind: boundedjson.Object, fields: []shape{
	{name: "value", kind: boundedjson.Text}, {name: "currency", kind: boundedjson.Text},
}}

func shapeOf(name string, t reflect.Type) shape {
	switch {
	case t == reflect.TypeFor[payment.Money]():
		return amountShape
	case t == reflect.TypeFor[time.Time](), t.Kind() == reflect.String:
		return shape{name: name, kind: boundedjson.Text}
	case t.Kind() == reflect.Slice:
		return shape{name: name, kind: boundedjson.List}
	case t.Kind() == reflect.Map:
		return shape{name: name, kind: boundedjson.Object, any: true}
	}
	s := shape{name: name, kind: boundedjson.Object}
	for f := range t.Fields() {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch inner := shapeOf(tag, f.Type); {
		case f.Anonymous:
			s.fields = append(s.fields, inner.fields...)
		case tag != "-":
			s.fields = append(s.fields, inner)
		}
	}
	return s
}

// field returns the field of a name, compared as encoding/json compares names.
func (s shape) field(name string) (shape, bool) {
	for _, one := range s.fields {
		if one.name == name {
			return one, true
		}
	}
	folded := fold(name)
	for _, one := range s.fields {
		if one.name == folded { // ours are in small letters
			return one, true
		}
	}
	return shape{}, false
}

// kinds are what people call the kinds of JSON values.
var kinds = map[boundedjson.Kind]string{
	boundedjson.True: "a boolean", boundedjson.False: "a boolean", boundedjson.Number: "a number", boundedjson.Text: "a string",
	boundedjson.Object: "an object", boundedjson.List: "an array", boundedjson.Null: "null",
}

// misfits returns the fields of a document that a command does not have, and those whose values are not of their kind. A null
// is as no value.
func misfits(document boundedjson.Value) (found payment.FieldErrors) {
	misfitsOf(&found, document, "", commandShape)
	return found
}

func misfitsOf(found *payment.FieldErrors, object boundedjson.Value, path string, s shape) {
	for v := range object.Inner() {
		if len(*found) >= maxProblems {
			return
		}
		at := joined(path, v.Name())
		field, known := s.field(v.Name())
		if s.any {
			field, known = shape{kind: boundedjson.Text}, true
		}
		switch {
		case !known:
			problem := "is not a field of a command"
			if len(*found) < maxSuggestions {
				problem += meant(path, v.Name())
			}
			found.Say(shortened(at), problem)
		case v.Kind() == boundedjson.Null:
		case v.Kind() != field.kind:
			found.Say(shortened(at), fmt.Sprintf("must be %s%s, not %s", kinds[field.kind], example(field.name), kinds[v.Kind()]))
		case field.kind == boundedjson.Object:
			misfitsOf(found, v, at, field)
		case field.kind == boundedjson.List:
			misfitItems(found, v, at)
		}
	}
}

func misfitItems(found *payment.FieldErrors, list boundedjson.Value, path string) {
	i := 0
	for v := range list.Inner() {
		if v.Kind() != boundedjson.Text && v.Kind() != boundedjson.Null {
			found.Say(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("must be a string, not %s", kinds[v.Kind()]))
			return
		}
		i++
	}
}

// example shows how a field is written that is often written in another way.
func example(name string) string {
	switch name {
	case "amount":
		return ` like {"value":"10000","currency":"KRW"}`
	case "value":
		return ` like "10000"`
	}
	return ""
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Suggestions are made for maxSuggestions names of at most maxMisspelt bytes, so that the work for a hostile body stays small.
const (
	maxSuggestions = 8
	maxMisspelt    = 32
)

// leaf is a field that holds a value: "customer.name".
type leaf struct {
	object, name string
	joint, bare  string // "customername" and "name": without what separates words
}

func (l leaf) path() string { return joined(l.object, l.name) }

var leaves = leavesOf("", commandShape)

func leavesOf(object string, s shape) (all []leaf) {
	bare := strings.NewReplacer("_", "", ".", "")
	for _, one := range s.fields {
		if len(one.fields) > 0 {
			all = append(all, leavesOf(joined(object, one.name), one)...)
			continue
		}
		all = append(all, leaf{object, one.name, bare.Replace(object + one.name), bare.Replace(one.name)})
	}
	return all
}

// meant says which field was meant by a misspelt name in an object: one that reads like it, or the most similar one, in that
// object before the others.
func meant(object, name string) string {
	if name = fold(name); len(name) > maxMisspelt {
		return ""
	}
	bare := strings.ReplaceAll(name, "_", "")
	for _, here := range []bool{true, false} {
		best, most := leaf{}, 0
		for _, one := range leaves {
			if here == (one.object == object) {
				if points := likeness(one, name, bare); points > most {
					best, most = one, points
				}
			}
		}
		if most > 0 {
			return "; did you mean " + best.path() + "?"
		}
	}
	return ""
}

// likeness is how much a name is like that of a field; 0 for not at all. A name that has the field's in it, as "fullname" has
// "name", is less like it than a misspelt one.
func likeness(l leaf, name, bare string) int {
	if bare == l.joint || bare == l.bare {
		return 1000
	}
	if wrong := distance(name, l.name); wrong <= max(1, len(name)/3) {
		return 500 - wrong
	}
	if len(l.bare) > 3 && (strings.HasPrefix(bare, l.bare) || strings.HasSuffix(bare, l.bare)) {
		return len(l.bare)
	}
	return 0
}

// distance is how many bytes must be put in, taken out, replaced or swapped with the next to make b of a (optimal string
// alignment). Neither has more than maxMisspelt.
func distance(a, b string) int {
	var rows [3][maxMisspelt + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// ShownField returns the part of a field's path that may be shown to others than its sender: a name that the sender chose,
// like a key of metadata, can be personal data. It is empty where nothing may.
func ShownField(field string) string {
	if len(field) <= maxShownField && shownField.MatchString(field) {
		return field
	}
	parent := field
	for {
		i := strings.LastIndexByte(parent, '.')
		if i < 0 {
			return ""
		}
		if parent = parent[:i]; shownField.MatchString(parent) {
			return parent
		}
	}
}
