package signedtext_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors/signedtext"
)

type fields = map[string]string

// format has two kinds of documents: b and d are plain, a, c, e and all other fields are free.
var format = signedtext.Format{
	Documents: []signedtext.Document{
		{Always: []string{"b", "d"}, Never: []string{"e"}},
		{Always: []string{"b", "e"}, Never: []string{"d"}},
	},
	Plain: []string{"b", "d"}, Unsigned: []string{"sign"},
	Blank: func(value string) bool { return strings.TrimSpace(value) == "" },
}

func TestJoin(t *testing.T) {
	for want, f := range map[string]fields{
		"": {}, "a=1": {"a": "1"}, "B=3&a=1&a_b=&b=x&&y": {"a": "1", "B": "3", "b": "x&&y", "a_b": ""},
	} {
		if got := signedtext.Join(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestHoldsField(t *testing.T) {
	for value, want := range map[string]bool{
		"": false, "Kim": false, "Kim & Lee": false, "a=b": false, "a=b&c": false, "&": false, "Kim&": false, "Kim&a=b": true, "Kim&=": true, "Kim & a = b": true,
		"https://x.example/?a=1": false, "https://x.example/?a=1&b=2": true, "김&이=박": true,
	} {
		if signedtext.HoldsField(value) != want {
			t.Errorf("%q: want %v", value, want)
		}
	}
}

func TestRead(t *testing.T) {
	cases := []struct {
		name            string
		f               fields
		unique, certain bool // certain: field b
	}{
		{"plain", fields{"a": "1", "b": "2", "d": "3"}, true, true},
		{"plain, of no kind", fields{"x": "1"}, true, true},
		{"an & that begins nothing", fields{"a": "1 & 2", "b": "2&3", "d": "3"}, true, true},
		{"a parameter that sorts before its field", fields{"b": "2", "c": "https://x/?t=1&a=2", "d": "3"}, true, true},
		{"a parameter that would swallow what is always there", fields{"b": "2", "c": "https://x/?t=1&x=2", "d": "3"}, true, true},
		{"a parameter like a plain field behind it", fields{"b": "2", "c": "https://x/?t=1&d=2", "d": "3"}, true, true},
		{"a parameter like the unsigned field", fields{"b": "2", "d": "3", "f": "https://x/?t=1&sign=2"}, true, true},
		{"an & after the last plain field", fields{"b": "2", "d": "3", "f": "x&g=1"}, false, true},
		{"a blank in it", fields{"b": "2", "d": "3", "f": "x&g= "}, true, true},
		{"a blank before it", fields{"b": "2", "d": "3", "f": " &g=1"}, true, true},
		{"a parameter that can be a field", fields{"b": "2", "c": "https://x/?t=1&cc=2", "d": "3"}, false, true},
		{"a swallowed field", fields{"a": "1&b=2", "d": "3"}, false, false},
		{"a plain field with another in it", fields{"b": "2&c=3", "d": "3"}, false, false},
		{"all fields again", fields{"a": "1&b=9&bb=x", "b": "2", "d": "3"}, false, false},
		{"all fields again, b the same", fields{"a": "1&b=2&bb=x", "b": "2", "d": "3"}, false, true},
		{"a name with =", fields{"a=1&b": "2", "d": "3"}, false, false},
		{"no name", fields{"": "1"}, false, false},
		{"a long name", fields{strings.Repeat("a", 65): "1"}, false, false},
		{"of no kind", fields{"c": "1&z=1"}, false, false},
		{"nothing that is always there", fields{"d": "1", "f": "x&a=1"}, false, false},
	}
	for _, c := range cases {
		r := format.Read(c.f)
		if r.Unique() != c.unique || r.Certain("b") != c.certain {
			t.Errorf("%s: unique %v, certain %v", c.name, r.Unique(), r.Certain("b"))
		}
		if !c.unique && (r.Certain("c") || r.Certain("e") || r.Certain("none")) {
			t.Errorf("%s: a free field is certain", c.name)
		}
	}
}

// A customer has at most one text of a document, and a provider's server sends at most some kilobytes: what is
// longer costs no more.
func TestManyPieces(t *testing.T) {
	for pieces, want := range map[int]bool{90: true, 200: false, 200_000: false} {
		r := format.Read(fields{"b": "2", "c": "https://x/?t=1" + strings.Repeat("&a=1", pieces), "d": "3"})
		if r.Unique() != want || r.Certain("b") != want {
			t.Errorf("%d: unique %v, certain %v", pieces, r.Unique(), r.Certain("b"))
		}
	}
}

// all returns every document that has this text, found by trying, by where it is cut.
func all(text string) map[int]fields {
	documents := map[int]fields{}
	pieces := strings.Split(text, "&")
	for mask := range 1 << (len(pieces) - 1) {
		f, last, good := fields{}, "", true
		value := pieces[0]
		put := func() {
			name, rest, found := strings.Cut(value, "=")
			good = good && found && name > last && name != "sign" && !format.Blank(rest)
			good = good && (!slices.Contains(format.Plain, name) || !strings.Contains(rest, "&"))
			f[name], last = rest, name
		}
		for i, p := range pieces[1:] {
			if mask&(1<<i) == 0 {
				value += "&" + p
				continue
			}
			put()
			value = p
		}
		if put(); good {
			documents[mask] = f
		}
	}
	return documents
}

func isOf(d signedtext.Document, f fields) bool {
	has := func(name string) bool { _, ok := f[name]; return ok }
	return !slices.ContainsFunc(d.Always, func(name string) bool { return !has(name) }) && !slices.ContainsFunc(d.Never, has)
}

// Whatever a provider signs, and however an attacker cuts its text, what is taken as unique or certain has the plain
// fields that were signed. A customer's text is in the free fields.
func TestWhatIsUniqueIsWhatWasSigned(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	texts := []string{"1", "2", "x&a=1", "x&b=9", "x&c=1", "x&d=9", "x&e=1", "x&b=9&c=1", "x&d=9&dd=1", "x&b=2&c=1&d=9&dd=1", "x&sign=1", "x&", "&b=9", "x&d= "}
	taken, refused := 0, 0
	for range 3000 {
		signed := fields{"b": "2", "d": "3"}
		if random.IntN(2) == 0 {
			signed = fields{"b": "2", "e": texts[random.IntN(len(texts))]}
		}
		for _, name := range []string{"a", "c", "f"} {
			if random.IntN(2) == 0 {
				signed[name] = texts[random.IntN(len(texts))]
			}
		}
		for _, presented := range all(signedtext.Join(signed)) {
			r := format.Read(presented)
			taken, refused = taken+btoi(r.Unique()), refused+btoi(!r.Unique())
			for _, name := range format.Plain {
				value, was := signed[name]
				now, is := presented[name]
				if was && (r.Unique() || is && r.Certain(name)) && now != value {
					t.Fatalf("signed %v, taken %v: %s (unique %v)", signed, presented, name, r.Unique())
				}
			}
		}
	}
	if taken < 1000 || refused < 1000 {
		t.Errorf("%d taken, %d refused: the documents prove nothing", taken, refused)
	}
}

// The readings are those that trying finds.
func TestReadingsAreComplete(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		var pieces []string
		for range 2 + random.IntN(6) {
			pieces = append(pieces, string(rune('a'+random.IntN(6)))+"="+[]string{"1", " "}[random.IntN(5)/4])
		}
		text := strings.Join(pieces, "&")
		documents, want := all(text), map[int]bool{}
		for _, d := range format.Documents {
			for mask, f := range documents {
				larger := false
				for other, g := range documents {
					larger = larger || other != mask && other&mask == mask && isOf(d, g)
				}
				if isOf(d, f) && !larger {
					want[mask] = true
				}
			}
		}
		for mask, f := range documents {
			hidden := slices.ContainsFunc(slices.Collect(maps.Values(f)), signedtext.HoldsField)
			if unique := want[mask] && len(want) == 1; hidden && format.Read(f).Unique() != unique {
				t.Fatalf("%q as %v: unique %v, want %v of %v", text, f, !unique, unique, want)
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
