package ecommpay

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash"
	"strconv"
	"strings"

	"payonce/pkg/boundedjson"
)

// parts are what is signed of a document: each plain value as path:value. All of them are in one text, so that a
// long name around many values costs its length for each of them once.
type parts struct {
	text      string
	all       []part
	uncovered bool // an ignored name is where the signature does not cover it, in another place than the root
	work      work
}

// work counts what sorting and signing did, for tests of what they cost.
type work struct{ compared, hashed int } // texts that were looked at, each time, and bytes

// part is one "path:value" of a text.
type part struct{ start, colon, end uint32 }

// textLimit bounds a signed text by its document: the names around a value are in it for each value, and the whole of
// it is hashed for each sorting and secret. The provider's own texts are about as long as their documents. A callback
// can come from any client, an answer only from the server that was asked.
type textLimit struct{ ratio, more int }

var (
	webhookText = textLimit{2, 1 << 10}
	answerText  = textLimit{3, 2 << 10}
)

var errText = errors.New("its signed text is too long")

// signedText returns the parts of a document in the order of its writing.
func signedText(root node, most textLimit) (*parts, error) {
	measured := flattener{left: most.ratio*len(root.Raw()) + most.more}
	if measured.document(root); measured.left < 0 {
		return nil, errText
	}
	p := &parts{all: make([]part, 0, measured.parts), uncovered: measured.uncovered}
	written := flattener{left: measured.size, into: p}
	written.text.Grow(measured.size)
	written.document(root)
	p.text = written.text.String()
	return p, nil
}

// flattener walks through a document: once to measure what is signed of it, and once to write that.
type flattener struct {
	left      int // bytes that may still be made; it ends when this is negative
	size      int
	parts     int
	uncovered bool
	path      []byte
	into      *parts // nil to measure
	text      strings.Builder
}

func (f *flattener) document(root node) {
	for field := range root.Inner() {
		switch name := field.Name(); {
		case name == signatureName || name == ignoredName:
		case name == generalName && field.Kind() == boundedjson.Object:
			for inner := range field.Inner() {
				if inner.Name() != signatureName {
					f.named(f.push(0, name), inner)
				}
			}
		default:
			f.named(0, field)
		}
	}
}

// push makes a name the next of the path after its first bytes, and returns how long that is.
func (f *flattener) push(after int, name string) int {
	f.path = f.path[:after]
	if after > 0 {
		f.path = append(f.path, ':')
	}
	for { // a ":" in a name is doubled
		before, rest, more := strings.Cut(name, ":")
		if f.path = append(f.path, before...); !more {
			return len(f.path)
		}
		f.path = append(f.path, "::"...)
		name = rest
	}
}

// named adds a field, unless its name is ignored. In the root that is no mistake, see [flattener.document].
func (f *flattener) named(after int, field boundedjson.Value) {
	if field.Name() == ignoredName {
		f.uncovered = true
		return
	}
	f.value(f.push(after, field.Name()), field)
}

// value adds a value whose path are the first bytes of f.path.
func (f *flattener) value(path int, v boundedjson.Value) {
	if f.left < 0 {
		return
	}
	switch v.Kind() {
	case boundedjson.Object:
		for field := range v.Inner() {
			f.named(path, field)
		}
	case boundedjson.List:
		n := 0
		for item := range v.Inner() {
			f.path = strconv.AppendInt(append(f.path[:path], ':'), int64(n), 10)
			f.value(len(f.path), item)
			n++
		}
	case boundedjson.True:
		f.plain(path, "1")
	case boundedjson.False:
		f.plain(path, "0")
	default: // null has no text
		f.plain(path, v.Text())
	}
}

func (f *flattener) plain(path int, text string) {
	length := path + 1 + len(text)
	f.size, f.parts, f.left = f.size+length, f.parts+1, f.left-length
	if f.into == nil {
		return
	}
	start := uint32(f.text.Len())
	f.text.Write(f.path[:path])
	f.text.WriteByte(':')
	f.text.WriteString(text)
	f.into.all = append(f.into.all, part{start, start + uint32(path), uint32(f.text.Len())})
}

// partsOf returns parts of plain names and values.
func partsOf(namesAndValues ...string) *parts {
	p, text := &parts{}, strings.Builder{}
	for i := 0; i < len(namesAndValues); i += 2 {
		start := uint32(text.Len())
		text.WriteString(namesAndValues[i] + ":" + namesAndValues[i+1])
		p.all = append(p.all, part{start, start + uint32(len(namesAndValues[i])), uint32(text.Len())})
	}
	p.text = text.String()
	return p
}

// joined returns the text that is signed.
func (p *parts) joined() string {
	var b strings.Builder
	b.Grow(len(p.text) + len(p.all))
	for i, one := range p.all {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(p.text[one.start:one.end])
	}
	return b.String()
}

// mac returns the signature of the text that is signed.
func (p *parts) mac(h hash.Hash) string {
	h.Reset()
	p.work.hashed += len(p.text) + len(p.all)
	var buffer [1 << 10]byte
	out := buffer[:0]
	for i, one := range p.all {
		if i > 0 {
			out = append(out, ';')
		}
		for text := p.text[one.start:one.end]; ; {
			n := copy(out[len(out):cap(out)], text)
			out, text = out[:len(out)+n], text[n:]
			if text == "" && len(out) < cap(out) {
				break
			}
			h.Write(out)
			out = out[:0]
		}
	}
	h.Write(out)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// digest is the same for documents with the same parts, however they are written. The parts are distinguished by their
// lengths, so that a text which goes on like a field is not that field.
func (p *parts) digest() (sum [sha256.Size]byte) {
	p.sort(ByPathAndValue)
	h := sha256.New()
	var lengths [8]byte
	for _, one := range p.all {
		binary.BigEndian.PutUint32(lengths[:4], one.colon-one.start)
		binary.BigEndian.PutUint32(lengths[4:], one.end-one.start)
		h.Write(lengths[:])
		h.Write([]byte(p.text[one.start:one.end]))
	}
	h.Sum(sum[:0])
	return sum
}
