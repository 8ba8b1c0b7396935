package boundedjson

import "iter"

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds.
const (
	Nothing Kind = iota // no value at all
	Null
	True
	False
	Number
	Text
	Object
	List
)

// Value is a value of a document. The zero Value is no value: it has no kind, no text and nothing inside. A Value
// keeps the whole document in memory.
type Value struct {
	doc *document
	at  uint32
}

// document is a text and its values in the order of the text: each is followed by those inside it.
type document struct {
	text    string // as it was sent
	decoded string // names and texts with escapes, decoded, one after the other
	values  []value
}

// value is 32 bytes, so that a list of single digits costs 16 times its length.
type value struct {
	name, nameEnd uint32 // see document.slice
	text, textEnd uint32 // likewise, of a text or the literal of a number
	raw, rawEnd   uint32 // in document.text
	next          uint32 // the first value that is not inside this one
	kind          Kind
}

// slice returns a part of the text or, from the end of the text on, of what was decoded.
func (d *document) slice(from, to uint32) string {
	if length := uint32(len(d.text)); from >= length && to > from {
		return d.decoded[from-length : to-length]
	}
	return d.text[from:to]
}

func (v Value) value() *value {
	if v.doc == nil {
		return &value{}
	}
	return &v.doc.values[v.at]
}

// Kind returns the kind of the value.
func (v Value) Kind() Kind { return v.value().kind }

// Name returns the name of the value in its object; empty in a list.
func (v Value) Name() string {
	if v.doc == nil {
		return ""
	}
	one := v.value()
	return v.doc.slice(one.name, one.nameEnd)
}

// Text returns the text of a text, and the literal of a number as it was written. It is empty for other kinds.
func (v Value) Text() string {
	if v.doc == nil {
		return ""
	}
	one := v.value()
	return v.doc.slice(one.text, one.textEnd)
}

// Raw returns the value as it was written.
func (v Value) Raw() string {
	if v.doc == nil {
		return ""
	}
	one := v.value()
	return v.doc.text[one.raw:one.rawEnd]
}

// Offsets returns where the value is in the text that was parsed.
func (v Value) Offsets() (from, to int) { return int(v.value().raw), int(v.value().rawEnd) }

// Empty reports whether an object or a list has nothing inside.
func (v Value) Empty() bool { return v.doc == nil || v.value().next <= v.at+1 }

// Inner returns the fields of an object or the items of a list, in the order of the text.
func (v Value) Inner() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.doc == nil {
			return
		}
		for at := v.at + 1; at < v.value().next; at = v.doc.values[at].next {
			if !yield(Value{v.doc, at}) {
				return
			}
		}
	}
}

// Count returns how many fields or items there are.
func (v Value) Count() (n int) {
	for range v.Inner() {
		n++
	}
	return n
}

// Get returns the field of an object; no value when there is none. It looks at the fields one by one.
func (v Value) Get(name string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	for field := range v.Inner() {
		if field.Name() == name {
			return field
		}
	}
	return Value{}
}
