package ecommpay_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors/ecommpay"
	"payonce/test/race"
)

// signingString is the plain way to the text that is signed: a path is put together for each value, and the whole
// paths are compared.
func signingString(body []byte, sorting ecommpay.Sorting) string {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var all [][2]string
	flatten(dec, "", inRoot, &all)
	slices.SortStableFunc(all, func(a, b [2]string) int {
		switch sorting {
		case ecommpay.ByPath:
			return cmp.Compare(a[0], b[0])
		case ecommpay.ByPathAndValue:
			return cmp.Compare(a[0]+":"+a[1], b[0]+":"+b[1])
		}
		return compareNatural(a[0], b[0])
	})
	var texts []string
	for _, one := range all {
		texts = append(texts, one[0]+":"+one[1])
	}
	return strings.Join(texts, ";")
}

// flatten reads the next value, which is known to be JSON, and leaves out fields of the first objects.
func flatten(dec *json.Decoder, path string, depth int, all *[][2]string) {
	token, _ := dec.Token()
	switch v := token.(type) {
	case json.Delim:
		for n := 0; dec.More(); n++ {
			if v == '[' {
				flatten(dec, fmt.Sprintf("%s:%d", path, n), inner, all)
				continue
			}
			field, _ := dec.Token()
			name := field.(string)
			into, below, next := all, strings.ReplaceAll(name, ":", "::"), inner
			if name == "frame_mode" || name == "signature" && depth < inner {
				into = new([][2]string)
			}
			if path != "" {
				below = path + ":" + below
			}
			if name == "general" && depth == inRoot {
				next = inGeneral
			}
			flatten(dec, below, next, into)
		}
		_, _ = dec.Token()
	case nil:
		*all = append(*all, [2]string{path, ""})
	case bool:
		*all = append(*all, [2]string{path, map[bool]string{true: "1", false: "0"}[v]})
	default:
		*all = append(*all, [2]string{path, fmt.Sprint(v)})
	}
}

const (
	inRoot = iota
	inGeneral
	inner
)

// FuzzOrder compares the text that is signed with that of the plain way.
func FuzzOrder(f *testing.F) {
	for _, v := range vectors(f).Vectors {
		f.Add([]byte(v.Data))
	}
	for _, body := range costly(300) {
		f.Add([]byte(body))
	}
	for _, names := range orderedNames {
		f.Add([]byte(`{"` + strings.Join(names, `":1,"`) + `":{"` + strings.Join(names, `":[1],"`) + `":{}}}`))
	}
	f.Fuzz(func(t *testing.T, body []byte) { sameOrder(t, body) })
}

func sameOrder(t *testing.T, body []byte) {
	t.Helper()
	for _, sorting := range ecommpay.Sortings() {
		got, err := ecommpay.SigningString(body, sorting)
		if err != nil {
			return // it is none of a signed document
		}
		if want := signingString(body, sorting); got != want {
			t.Fatalf("order %d of %q:\n%q, want\n%q", sorting, body, got, want)
		}
	}
}

// orderedNames are names of which the natural order has much to say.
var orderedNames = [][]string{
	{"2", "10", "01", "001", "1", "0", "00", "010", "1a", "1:", "10:2", ":", "", " ", "1 ", "1  ", " 1", "a", "a ", "a  b", "a b"},
	{"x1.01", "x1.1", "x1.010", "x1.02", "x1.0", "9999999", "10000000", "999999", "1000000", "x\u0000", "x\u0008", "x\t", "x/", "x0", "x 0", "x1 2", "x1\t2", "x12"},
}

// Names of few letters, so that they have much in common, in documents large enough for every way of sorting.
func TestOrderOfManyNames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range race.Share(600, 20) {
		letters := []string{"01", "0129 ", "a:0", "ab:", "a 1", "0a\x00\x01\t/", "é\u00ff9", "05a. :"}[r.IntN(8)]
		sameOrder(t, []byte(object(r, []rune(letters), 0)))
	}
}

func object(r *rand.Rand, letters []rune, depth int) string {
	fields := map[string]string{}
	for range r.IntN(40) {
		name := make([]rune, r.IntN(5))
		if r.IntN(20) == 0 {
			name = make([]rune, r.IntN(20))
		}
		for i := range name {
			name[i] = letters[r.IntN(len(letters))]
		}
		value := "1"
		switch kind := r.IntN(12); {
		case kind < 2 && depth < 2:
			value = object(r, letters, depth+1)
		case kind == 2:
			value = "[" + strings.Repeat(`1,{"b":2},`, r.IntN(12)) + "[]]"
		}
		fields[string(name)] = value
	}
	var all []string
	for name, value := range fields {
		quoted, _ := json.Marshal(name)
		all = append(all, string(quoted)+":"+value)
	}
	slices.Sort(all)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return "{" + strings.Join(all, ",") + "}"
}

// compareNatural orders texts like PHP's SORT_NATURAL (strnatcmp): runs of digits by their number, so
// that 2 comes before 10; leading zeros and white space do not count. The platform is written in PHP
// and sorts the paths so.
func compareNatural(a, b string) int {
	return compareRuns(withoutLeadingZeros(a), withoutLeadingZeros(b))
}

// compareRuns compares from where leading zeros count.
func compareRuns(a, b string) int {
	for a != "" && b != "" {
		a, b = strings.TrimLeft(a, phpSpace), strings.TrimLeft(b, phpSpace)
		if startsDigit(a) && startsDigit(b) {
			var order int
			if order, a, b = compareNumbers(a, b); order != 0 {
				return order
			}
			if a == "" || b == "" {
				break
			}
		}
		if a == "" || b == "" {
			break
		}
		if a[0] != b[0] {
			return signum(int(a[0]) - int(b[0]))
		}
		a, b = a[1:], b[1:]
	}
	return signum(len(a) - len(b)) // one of them is empty
}

const phpSpace = " \t\n\v\f\r"

func withoutLeadingZeros(s string) string {
	for len(s) > 1 && s[0] == '0' && startsDigit(s[1:]) {
		s = s[1:]
	}
	return s
}

// compareNumbers compares the runs of digits that a and b begin with and returns what follows them. A
// run that begins with 0 is read as a fraction, digit by digit; of others the longer one is the greater.
func compareNumbers(a, b string) (order int, restA, restB string) {
	fraction := a[0] == '0' || b[0] == '0'
	for ; startsDigit(a) && startsDigit(b); a, b = a[1:], b[1:] {
		if order == 0 {
			order = signum(int(a[0]) - int(b[0]))
		}
		if fraction && order != 0 {
			return order, a, b
		}
	}
	switch {
	case startsDigit(a):
		order = 1
	case startsDigit(b):
		order = -1
	}
	return order, a, b
}

func startsDigit(s string) bool { return s != "" && '0' <= s[0] && s[0] <= '9' }

func signum(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
