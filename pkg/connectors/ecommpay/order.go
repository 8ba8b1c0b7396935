package ecommpay

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"
	"sync"
)

// sort sorts the parts, with equals in the order of the document, and reports whether that changed anything. Its work
// grows with the length of what is sorted and with nothing else, so that the sender of a callback cannot choose names
// that make it expensive.
func (p *parts) sort(sorting Sorting) (changed bool) {
	s := sorters.Get().(*sorter)
	defer sorters.Put(s)
	s.read(p, sorting)
	if changed = !slices.IsSortedFunc(s.items, s.compare); changed {
		s.sort(s.items, s.keys, 0)
		for i, one := range s.items {
			p.all[i] = one.part
		}
	}
	p.work.compared += s.compared
	return changed
}

// sorter is a radix sort: it looks at a few bytes of every text, sorts by them, and then goes on with those that are the
// same so far. What many texts begin with is not looked at again for each pair of them.
type sorter struct {
	text     []byte
	items    []item
	keys     []uint64
	compared int
}

// item is a part, and where the text is by which it is sorted.
type item struct {
	from, to uint32
	part
}

// sorters are used again, as what they need is large beside a document.
var sorters = sync.Pool{New: func() any { return new(sorter) }}

// read takes the parts in their order.
func (s *sorter) read(p *parts, sorting Sorting) {
	*s = sorter{text: s.text[:0], items: s.items[:0], keys: slices.Grow(s.keys[:0], len(p.all))[:len(p.all)]}
	if sorting != NaturalByPath {
		s.text = append(s.text, p.text...)
	}
	for _, one := range p.all {
		from, to := one.start, one.end
		switch sorting {
		case ByPath:
			to = one.colon
		case NaturalByPath:
			from = uint32(len(s.text))
			s.text = appendNatural(s.text, p.text[one.start:one.colon])
			to = uint32(len(s.text))
		}
		s.items = append(s.items, item{from, to, one})
	}
}

func (s *sorter) compare(a, b item) int { return s.compareBehind(a, b, 0) }

// compareBehind compares what is behind a depth, and if that is the same, where it is in the document.
func (s *sorter) compareBehind(a, b item, depth uint32) int {
	s.compared++
	if order := bytes.Compare(s.behind(a, depth), s.behind(b, depth)); order != 0 {
		return order
	}
	return inDocument(a, b)
}

func (s *sorter) behind(one item, depth uint32) []byte { return s.text[one.from+depth : one.to] }

func inDocument(a, b item) int { return cmp.Compare(a.start, b.start) }

// few items are sorted by comparing them; maxItems are those that a key can number.
const (
	few      = 12
	maxItems = 1 << 16
)

// sort sorts items that are the same before a depth. There is a key for each.
func (s *sorter) sort(all []item, keys []uint64, depth uint32) {
	if len(all) <= few || len(all) > maxItems {
		slices.SortFunc(all, func(a, b item) int { return s.compareBehind(a, b, depth) })
		return
	}
	depth = s.shared(all, depth)
	for i, one := range all {
		keys[i] = s.key(one, depth)<<16 | uint64(i)
	}
	s.compared += len(all) * bits.Len(uint(len(all)))
	slices.Sort(keys)
	arrange(all, keys)
	for from, to := 0, 0; from < len(all); from = to {
		for to = from + 1; to < len(all) && keys[to]>>16 == keys[from]>>16; to++ {
		}
		switch same := all[from:to]; {
		case len(same) == 1:
		case keys[from]>>16&0xff == keyBytes: // their texts may go on
			s.sort(same, keys[from:to], depth+keyBytes)
		default:
			slices.SortFunc(same, inDocument)
		}
	}
}

// keyBytes are the bytes of a text in a key.
const keyBytes = 5

// key returns the bytes at a depth, and behind them how many there are: a text comes before those that go on from it.
func (s *sorter) key(one item, depth uint32) (key uint64) {
	text := s.behind(one, depth)
	n := min(len(text), keyBytes)
	for i := range n {
		key |= uint64(text[i]) << (8 * (keyBytes - i))
	}
	return key | uint64(n)
}

// arrange brings items into the order of their keys, which end with where each item is.
func arrange(all []item, keys []uint64) {
	const place = maxItems - 1
	for i := range all {
		first := all[i]
		for to := i; ; {
			from := int(keys[to] & place)
			keys[to] = keys[to]&^place | uint64(to)
			if from == i {
				all[to] = first
				break
			}
			all[to] = all[from]
			to = from
		}
	}
}

// shared returns the depth before which items are the same, which are so before another.
func (s *sorter) shared(all []item, depth uint32) uint32 {
	s.compared += len(all)
	first := s.behind(all[0], depth)
	for _, one := range all[1:] {
		first = first[:samePrefix(first, s.behind(one, depth))]
	}
	return depth + uint32(len(first))
}

// samePrefix returns how many bytes two texts begin with that are the same.
func samePrefix(a, b []byte) int {
	n, most := 0, min(len(a), len(b))
	for most-n >= 32 && bytes.Equal(a[n:n+32], b[n:n+32]) {
		n += 32
	}
	for n < most && a[n] == b[n] {
		n++
	}
	return n
}
