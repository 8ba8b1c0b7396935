package boundedjson

import (
	"hash/maphash"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits bound a document. Zero fields are no limit, but for Depth, which is always needed.
type Limits struct {
	Depth  int // levels of objects and lists
	Values int // values of all kinds, the document itself among them
	Name   int // bytes of one name, as it is written
	Paths  int // bytes of the paths to all values together, where a path is the names and the numbers of items to a value

	// Shallow keeps the fields of the document, or its items, and nothing that is inside of them. What is inside is
	// well-formed, within Depth, and otherwise not looked at.
	Shallow bool
	// Fold says which names are one name, by what it returns for them and for the name of the object that they stand
	// in. Without it only names that are the same are one.
	Fold func(object, name string) string
	// Doubles lets names occur twice.
	Doubles bool
}

// Parse reads one JSON document. The error is an [*Error].
func Parse(data []byte, l Limits) (Value, error) {
	if !utf8.Valid(data) {
		return Value{}, &Error{Problem: NotUTF8}
	}
	values, names, problem := count(data, l)
	if problem != "" {
		return Value{}, &Error{Problem: problem}
	}
	d := &document{text: string(data), values: make([]value, 0, values)}
	p := &parser{document: d, limits: l}
	if !l.Doubles && names > 1 {
		p.seen = make([]entry, 1<<bits.Len(uint(names+names/2)))
	}
	p.blanks()
	p.parse(0, 0, inList, 0)
	if p.blanks(); p.failed == "" && p.at < len(d.text) {
		p.failed = MoreThan1
	}
	if p.failed != "" {
		return Value{}, &Error{Problem: p.failed, Name: p.doubled, Offset: min(p.at, len(d.text))}
	}
	d.decoded = string(p.decoded)
	return Value{doc: d}, nil
}

// count returns how many values and names of a text are kept, and the limit that it passes. It looks at nothing but
// the bytes between values, so that it is right for JSON, and some number for anything else.
func count(data []byte, l Limits) (values, names int, passed Problem) {
	depth, begins := 0, true // begins: a value begins here, unless the list or object ends
	for i := 0; i < len(data); i++ {
		c := data[i]
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			continue
		}
		kept := !l.Shallow || depth <= 1
		if begins && c != '}' && c != ']' && kept {
			values++
		}
		if begins = c == '{' || c == '[' || c == ','; begins && c != ',' {
			depth++
		}
		switch c {
		case '"':
			i = behindText(data, i) - 1
		case '}', ']':
			depth--
		case ':':
			if kept {
				names++
			}
		}
		if depth > l.Depth {
			return 0, 0, TooDeep
		}
		if l.Values > 0 && values > l.Values {
			return 0, 0, TooMany
		}
	}
	return values, names, ""
}

// behindText returns where the text ends that begins at a quotation mark.
func behindText(data []byte, i int) int {
	for i++; i < len(data) && data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(data))
}

// inList marks a value without a name.
const inList = ^uint32(0)

// entry is a name that was seen, in a table with open addressing.
type entry struct{ value, object uint32 } // plus one; 0 is free

type parser struct {
	*document
	limits  Limits
	at      int // the next byte
	paths   int
	decoded []byte
	seen    []entry
	failed  Problem
	doubled string
}

var seed = maphash.MakeSeed()

func (p *parser) fail(why Problem) {
	if p.failed == "" {
		p.failed = why
	}
}

func (p *parser) blanks() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// parse reads a value. path is the length of the path to it.
func (p *parser) parse(depth, path int, name, nameEnd uint32) {
	keep := !p.limits.Shallow || depth <= 1
	at := len(p.values)
	if keep {
		if name == inList {
			name, nameEnd = 0, 0
		}
		if p.limits.Values > 0 && at >= p.limits.Values {
			p.fail(TooMany)
			return
		}
		p.values = append(p.values, value{name: name, nameEnd: nameEnd, raw: uint32(p.at)})
	}
	kind, text, textEnd := p.content(depth, path, at)
	if p.failed != "" || !keep {
		return
	}
	v := &p.values[at]
	v.kind, v.text, v.textEnd, v.rawEnd, v.next = kind, text, textEnd, uint32(p.at), uint32(len(p.values))
}

// content reads what a value is.
func (p *parser) content(depth, path, at int) (kind Kind, text, textEnd uint32) {
	switch c := p.peek(); {
	case c == '{':
		p.object(depth, path, at)
		return Object, 0, 0
	case c == '[':
		p.list(depth, path)
		return List, 0, 0
	case c == '"':
		text, textEnd = p.quoted(!p.limits.Shallow || depth <= 1)
		kind = Text
	case c == '-' || '0' <= c && c <= '9':
		text = uint32(p.at)
		p.number()
		kind, textEnd = Number, uint32(p.at)
	case p.literal("true"):
		kind = True
	case p.literal("false"):
		kind = False
	case p.literal("null"):
		kind = Null
	default:
		p.fail(Malformed)
	}
	if p.failed != "" {
		return 0, 0, 0
	}
	if p.paths += path; p.limits.Paths > 0 && p.paths > p.limits.Paths {
		p.fail(LongPaths)
	}
	return kind, text, textEnd
}

func (p *parser) object(depth, path, at int) {
	if depth == p.limits.Depth {
		p.fail(TooDeep)
		return
	}
	p.at++
	for first := true; p.failed == ""; first = false {
		p.blanks()
		switch c := p.peek(); {
		case c == '}' && first:
			p.at++
			return
		case c != '"':
			p.fail(Malformed)
			return
		}
		keep := !p.limits.Shallow || depth == 0
		start := p.at
		name, nameEnd := p.quoted(keep)
		if length := p.at - start - 2; p.failed == "" && p.limits.Name > 0 && length > p.limits.Name && keep {
			p.fail(LongName)
		}
		if p.failed != "" || keep && !p.limits.Doubles && p.twice(at, name, nameEnd) {
			return
		}
		if p.blanks(); p.peek() != ':' {
			p.fail(Malformed)
			return
		}
		p.at++
		p.blanks()
		p.parse(depth+1, path+int(nameEnd-name)+1, name, nameEnd)
		if p.blanks(); !p.goesOn('}') {
			return
		}
	}
}

func (p *parser) list(depth, path int) {
	if depth == p.limits.Depth {
		p.fail(TooDeep)
		return
	}
	p.at++
	p.blanks()
	if p.peek() == ']' {
		p.at++
		return
	}
	for n := 0; p.failed == ""; n++ {
		p.blanks()
		p.parse(depth+1, path+digits(n)+1, inList, 0)
		if p.blanks(); !p.goesOn(']') {
			return
		}
	}
}

// goesOn takes the comma or the end behind a field or an item, and reports whether there is a further one.
func (p *parser) goesOn(end byte) bool {
	switch p.peek() {
	case ',':
		p.at++
		return p.failed == ""
	case end:
		if p.failed == "" {
			p.at++
		}
	default:
		p.fail(Malformed)
	}
	return false
}

func digits(n int) int {
	length := 1
	for ; n > 9; n /= 10 {
		length++
	}
	return length
}

// twice notes a name of the object at a place, and reports whether it was there before.
func (p *parser) twice(object int, name, nameEnd uint32) bool {
	if len(p.seen) == 0 {
		return false
	}
	text := p.fold(object, p.nameOf(name, nameEnd))
	mask := uint64(len(p.seen) - 1)
	for i := (maphash.String(seed, text) ^ uint64(object)*0x9E3779B97F4A7C15) & mask; ; i = (i + 1) & mask {
		e := &p.seen[i]
		if e.value == 0 {
			*e = entry{uint32(len(p.values)) + 1, uint32(object) + 1}
			return false
		}
		if e.object != uint32(object)+1 {
			continue
		}
		if other := &p.values[e.value-1]; p.fold(object, p.nameOf(other.name, other.nameEnd)) == text {
			p.doubled = strings.TrimPrefix(p.pathOf(object)+"."+p.nameOf(name, nameEnd), ".")
			p.fail(Doubled)
			return true
		}
	}
}

func (p *parser) fold(object int, name string) string {
	if p.limits.Fold == nil {
		return name
	}
	return p.limits.Fold(p.nameOf(p.values[object].name, p.values[object].nameEnd), name)
}

// nameOf is [document.slice] while texts are still decoded.
func (p *parser) nameOf(from, to uint32) string {
	if length := uint32(len(p.text)); from >= length && to > from {
		return string(p.decoded[from-length : to-length])
	}
	return p.text[from:to]
}

// pathOf returns the names that lead to a value that is not ended yet, without the numbers of items.
func (p *parser) pathOf(at int) (path string) {
	for i := range p.values[:at+1] {
		if v := p.values[i]; v.next == 0 && v.nameEnd > v.name {
			path += "." + p.nameOf(v.name, v.nameEnd)
		}
	}
	return strings.TrimPrefix(path, ".")
}

func (p *parser) literal(word string) bool {
	if !strings.HasPrefix(p.text[p.at:], word) {
		return false
	}
	p.at += len(word)
	return true
}

// number takes a number of JSON: no "+", no leading zeros, digits on both sides of the point.
func (p *parser) number() {
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else {
		p.digits()
	}
	if p.failed == "" && p.peek() == '.' {
		p.at++
		p.digits()
	}
	if c := p.peek(); p.failed == "" && (c == 'e' || c == 'E') {
		p.at++
		if c = p.peek(); c == '+' || c == '-' {
			p.at++
		}
		p.digits()
	}
}

func (p *parser) digits() {
	from := p.at
	for c := p.peek(); '0' <= c && c <= '9'; c = p.peek() {
		p.at++
	}
	if p.at == from {
		p.fail(Malformed)
	}
}

// quoted takes a text and returns where its content is, decoded if it is to be kept.
func (p *parser) quoted(keep bool) (from, to uint32) {
	start := p.at + 1
	escaped := false
	for p.at = start; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			if escaped && keep {
				return p.decode(p.text[start : p.at-1])
			}
			return uint32(start), uint32(p.at - 1)
		case c < ' ':
			p.fail(Malformed)
			return 0, 0
		case c == '\\':
			escaped = true
			if p.at++; !p.escape() {
				p.fail(Malformed)
				return 0, 0
			}
		}
	}
	p.at = len(p.text)
	p.fail(Malformed)
	return 0, 0
}

// escape reports whether what follows a backslash is an escape, and goes to its last byte.
func (p *parser) escape() bool {
	switch p.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		if p.at+5 > len(p.text) {
			return false
		}
		_, err := strconv.ParseUint(p.text[p.at+1:p.at+5], 16, 16)
		p.at += 4
		return err == nil
	}
	return false
}
