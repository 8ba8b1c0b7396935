// Package signedtext is about providers that sign name=value&name=value, sorted by name. Nothing in such a text
// says where a value ends, so documents that differ can have the same text and the same signature:
// {"memo":"x&status=2"} and {"memo":"x","status":"2"}. The package joins fields to their text, and tells whether
// the text of some fields can be read in one way only.
package signedtext

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strings"
)

// Ambiguous says, for people, why nothing is read from a document whose [Reading] is not unique.
const Ambiguous = "the signed text is ambiguous"

// Limits of what is read in more than one way. Longer names and longer texts are not certain.
const (
	maxName   = 64
	maxPieces = 100
)

// Format is what a provider's pages say about the documents that it signs.
type Format struct {
	// Documents are the kinds of documents; each that is received must be of one of them.
	Documents []Document
	// Plain are the fields whose values have no "&": numbers, times, order numbers. All others can have any text.
	Plain []string
	// Unsigned are the fields that are never part of the text.
	Unsigned []string
	// Blank reports whether the provider leaves a value out of the text.
	Blank func(value string) bool
}

// Document is one kind of document.
type Document struct {
	Always []string // fields that it always has, with a value. Name only what the provider never leaves out
	Never  []string // fields of other kinds, which it never has
}

// Join returns the text that is signed for fields, which the caller has freed from what is not signed.
func Join(fields map[string]string) string {
	names, size := sorted(fields)
	var b strings.Builder
	b.Grow(size + 2*len(names))
	for i, name := range names {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name)
		b.WriteByte('=')
		b.WriteString(fields[name])
	}
	return b.String()
}

// Digest is the same for the same fields, and for no others: unlike their text, it says where a value ends.
func Digest(fields map[string]string) (sum [sha256.Size]byte) {
	names, _ := sorted(fields)
	h := sha256.New()
	var length [4]byte
	for _, name := range names {
		for _, text := range []string{name, fields[name]} {
			binary.BigEndian.PutUint32(length[:], uint32(len(text)))
			h.Write(length[:])
			h.Write([]byte(text))
		}
	}
	h.Sum(sum[:0])
	return sum
}

// sorted returns the names in order, and how long names and values are together.
func sorted(fields map[string]string) (names []string, size int) {
	names = make([]string, 0, len(fields))
	for name, value := range fields {
		names = append(names, name)
		size += len(name) + len(value)
	}
	slices.Sort(names)
	return names, size
}

// HoldsField reports whether a value goes on like a further field ("Kim&status=2"), so that a document with
// it can be read in more than one way.
func HoldsField(value string) bool {
	_, further, _ := strings.Cut(value, "&")
	return strings.Contains(further, "=")
}

// Reading says how the text of a document can be read.
type Reading struct {
	unique bool
	fields map[string]string
	routes []*routes // nil where every field is certain
}

// Unique reports whether the fields are the only ones that the provider can have signed.
func (r Reading) Unique() bool { return r.unique }

// Certain reports whether a [Format].Plain field has the same value in every reading.
func (r Reading) Certain(name string) bool {
	if r.unique {
		return true
	}
	readings := 0
	for _, one := range r.routes {
		readings += one.count()
		if one.count() > 0 && !one.agree(name, r.fields[name]) {
			return false
		}
	}
	return readings > 0
}

// Read finds the readings of the text of fields: the documents of this format that have the same text. Names
// are sorted in each, none is there twice, none has a "&" or "=", and no value is blank. Where a text could be a
// field or a part of the value before it, it is a field: only readings to which no field can be added count.
//
// So whatever the provider signed, each plain field of it is unchanged in one of these readings: adding a
// field cuts the value before it, and a plain one cannot be cut. If there is one reading, its plain fields are
// those that the provider signed, whatever text a customer put into the others.
//
// Call it after the signature was verified. The cost is linear for texts without a hidden field, and bounded
// for those with one.
func (f Format) Read(fields map[string]string) Reading {
	hidden := false
	for name, value := range fields {
		if !fieldName(name) {
			return Reading{}
		}
		hidden = hidden || HoldsField(value)
	}
	if !hidden {
		return Reading{unique: true}
	}
	pieces := split(fields)
	if pieces == nil {
		return Reading{}
	}
	r, steps := Reading{fields: fields}, newSteps(len(pieces))
	readings, same := 0, false
	for _, d := range f.Documents {
		one := f.routes(d, pieces, steps)
		r.routes = append(r.routes, one)
		readings += one.count()
		same = same || one.count() == 1 && one.isGiven()
	}
	r.unique = readings == 1 && same
	return r
}

func fieldName(name string) bool {
	return name != "" && len(name) <= maxName && !strings.ContainsAny(name, "&=")
}

// piece is what is between two "&" of a text.
type piece struct {
	name, value string // around the first "="; no name where it cannot begin a field
	given       bool   // begins one of the fields that were given
}

// split returns the pieces of a text, nil when there are too many.
func split(fields map[string]string) []piece {
	var all []piece
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if len(all)+strings.Count(fields[name], "&") >= maxPieces {
			return nil
		}
		for i, text := range strings.Split(name+"="+fields[name], "&") {
			p := piece{given: i == 0}
			if before, after, found := strings.Cut(text, "="); found && fieldName(before) {
				p.name, p.value = before, after
			}
			all = append(all, p)
		}
	}
	return all
}
