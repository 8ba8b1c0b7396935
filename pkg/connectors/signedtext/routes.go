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
}

// routes finds the readings as documents of the kind d.
func (f Format) routes(d Document, pieces []piece) *routes {
	n := len(pieces)
	r := &routes{format: f, document: d, pieces: pieces, ways: make([]int, n+1), reached: make([]bool, n+1)}
	r.ways[n], r.reached[0] = 1, true
	next := make([][]int, n)
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j <= n; j++ {
			if r.ways[j] > 0 && r.follows(i, j) {
				next[i], r.ways[i] = append(next[i], j), min(r.ways[i]+r.ways[j], 2)
			}
		}
	}
	for i := range n {
		for _, j := range next[i] {
			r.reached[j] = r.reached[j] || r.reached[i]
		}
	}
	return r
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
func (r *routes) follows(i, j int) bool {
	if !r.fit(i, j) {
		return false
	}
	for _, name := range r.document.Always {
		if name > r.pieces[i].name && (j == len(r.pieces) || name < r.pieces[j].name) {
			return false
		}
	}
	for k := i + 1; k < j; k++ { // where several can be added, the last of them can be added alone
		if r.fit(i, k) && r.fit(k, j) {
			return false
		}
	}
	return true
}

// fit reports whether pieces i to j, without j, can be one field, before one at piece j.
func (r *routes) fit(i, j int) bool {
	field := r.pieces[i]
	switch {
	case !r.candidate(field), j < len(r.pieces) && (!r.candidate(r.pieces[j]) || r.pieces[j].name <= field.name):
		return false
	case j == i+1:
		return !r.format.Blank(field.value)
	}
	return !slices.Contains(r.format.Plain, field.name)
}

func (r *routes) candidate(p piece) bool {
	return p.name != "" && !slices.Contains(r.format.Unsigned, p.name) && !slices.Contains(r.document.Never, p.name)
}
