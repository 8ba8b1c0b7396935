package signedtext

import "slices"

// routes are the readings of a text as one kind of document. A reading is a way through the pieces that stops
// where a field begins.
type routes struct {
	format   Format
	document Document
	pieces   []piece
	ways     []int  // readings from a piece to the end, counted up to 2
	reached  []bool // pieces at which a field of a reading from the first piece on can begin
	// How many fields that are always there come before a piece or the end, and until a piece with its own name.
	before, until [maxPieces + 1]uint8
}

// places is a set of places between pieces: at most [maxPieces] and the end.
type places [maxPieces/64 + 1]uint64

func (p *places) add(i int)      { p[i/64] |= 1 << (i % 64) }
func (p *places) has(i int) bool { return p[i/64]&(1<<(i%64)) != 0 }

// meets reports whether two sets have a place in common.
func (p *places) meets(other *places) bool {
	for i := range p {
		if p[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

// steps are the fields that can occur between two places: from a place, to a place, and of those from it the ones
// that a reading can have. They serve for one kind of document after the other.
type steps struct{ from, to, next []places }

func newSteps(n int) *steps {
	all := make([]places, 3*(n+1))
	return &steps{all[:n+1], all[n+1 : 2*(n+1)], all[2*(n+1):]}
}

// routes finds the readings as documents of the kind d.
func (f Format) routes(d Document, pieces []piece, s *steps) *routes {
	n := len(pieces)
	r := &routes{format: f, document: d, pieces: pieces, ways: make([]int, n+1), reached: make([]bool, n+1)}
	r.ways[n], r.reached[0] = 1, true
	r.countAlways()
	r.fields(s)
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j <= n; j++ {
			if r.ways[j] > 0 && s.from[i].has(j) && r.follows(i, j, s) {
				s.next[i].add(j)
				r.ways[i] = min(r.ways[i]+r.ways[j], 2)
			}
		}
	}
	for i := range n {
		for j := i + 1; j <= n; j++ {
			r.reached[j] = r.reached[j] || r.reached[i] && s.next[i].has(j)
		}
	}
	return r
}

// countAlways compares names once for each piece, and not for each two of them.
func (r *routes) countAlways() {
	n := len(r.pieces)
	r.before[n] = uint8(len(r.document.Always))
	for i, p := range r.pieces {
		for _, name := range r.document.Always {
			if name < p.name {
				r.before[i]++
			}
			if name <= p.name {
				r.until[i]++
			}
		}
	}
}

// fields fills in where one field can occur, before one at the place behind it.
func (r *routes) fields(s *steps) {
	for _, sets := range [][]places{s.from, s.to, s.next} {
		clear(sets)
	}
	n := len(r.pieces)
	candidates := make([]bool, n)
	for i, p := range r.pieces {
		candidates[i] = r.candidate(p)
	}
	for i, field := range r.pieces {
		if !candidates[i] {
			continue
		}
		whole, plain := !r.format.Blank(field.value), slices.Contains(r.format.Plain, field.name)
		for j := i + 1; j <= n; j++ {
			switch {
			case j < n && (!candidates[j] || r.pieces[j].name <= field.name):
			case j == i+1 && whole, j > i+1 && !plain:
				s.from[i].add(j)
				s.to[j].add(i)
			}
		}
	}
}

// count returns the number of readings, 2 for more than one.
func (r *routes) count() int {
	if slices.ContainsFunc(r.document.Always, func(name string) bool { return name < r.pieces[0].name }) {
		return 0 // the first field comes after one that is always there
	}
	return r.ways[0]
}

// begins reports whether a field of some reading begins at a piece.
func (r *routes) begins(i int) bool { return r.reached[i] && r.ways[i] > 0 }

// isGiven reports whether the fields of the only reading are those that were given.
func (r *routes) isGiven() bool {
	for i, p := range r.pieces {
		if p.given != r.begins(i) {
			return false
		}
	}
	return true
}

// agree reports whether a plain field has this value in all readings.
func (r *routes) agree(name, value string) bool {
	if !slices.Contains(r.document.Always, name) || !slices.Contains(r.format.Plain, name) {
		return false
	}
	for i, p := range r.pieces {
		if p.name == name && p.value != value && r.begins(i) {
			return false
		}
	}
	return true
}

// follows reports whether a field at piece i can be followed by one at piece j, the end for len(pieces), so
// that no field can be added in between and none is left out that is always there.
func (r *routes) follows(i, j int, s *steps) bool {
	if r.before[j] > r.until[i] {
		return false
	}
	return !s.from[i].meets(&s.to[j]) // where several can be added, the last of them can be added alone
}

func (r *routes) candidate(p piece) bool {
	return p.name != "" && !slices.Contains(r.format.Unsigned, p.name) && !slices.Contains(r.document.Never, p.name)
}
