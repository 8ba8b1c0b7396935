package boundedjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"payonce/pkg/boundedjson"
	"payonce/test/alloctest"
	"payonce/test/race"
)

var limits = boundedjson.Limits{Depth: 8, Values: 10_000, Name: 64, Paths: 1 << 20}

func problem(t *testing.T, text string, l boundedjson.Limits) boundedjson.Problem {
	t.Helper()
	v, err := boundedjson.Parse([]byte(text), l)
	if err == nil {
		return ""
	}
	var e *boundedjson.Error
	if !errors.As(err, &e) || v.Kind() != boundedjson.Nothing || e.Offset > len(text) {
		t.Fatalf("%q: %v, %+v", text, v, err)
	}
	return e.Problem
}

func TestParse(t *testing.T) {
	v, err := boundedjson.Parse([]byte(" {\"a\" : [1.0, -2e5,\"x\\u0041\\n\\ud83d\\ude00\\ud800!\", {}, [ ] ],\"\\u0062\":true,\"c\":{\"d\":null},\"e\":false}\n"), limits)
	if err != nil {
		t.Fatal(err)
	}
	var texts, names []string
	for item := range v.Get("a").Inner() {
		texts = append(texts, item.Text())
	}
	for field := range v.Inner() {
		names = append(names, field.Name())
	}
	if got, want := fmt.Sprintf("%q %q", names, texts), `["a" "b" "c" "e"] ["1.0" "-2e5" "xA\n😀�!" "" ""]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if v.Kind() != boundedjson.Object || v.Count() != 4 || v.Get("a").Kind() != boundedjson.List || v.Get("c").Raw() != `{"d":null}` || v.Get("b").Kind() != boundedjson.True ||
		v.Get("e").Kind() != boundedjson.False || v.Get("c").Get("d").Kind() != boundedjson.Null || v.Get("c").Empty() || !v.Get("c").Get("d").Empty() {
		t.Errorf("read %s", v.Raw())
	}
	var none boundedjson.Value
	if got := v.Get("x").Get("y"); got != none || got.Text() != "" || got.Name() != "" || got.Raw() != "" || got.Count() != 0 || !got.Empty() || got.Kind() != boundedjson.Nothing {
		t.Errorf("nothing is %+v", got)
	}
}

func TestProblems(t *testing.T) {
	for text, want := range map[string]boundedjson.Problem{
		``: boundedjson.Malformed, ` `: boundedjson.Malformed, `{`: boundedjson.Malformed, `{"a"`: boundedjson.Malformed, `{"a":`: boundedjson.Malformed, `{"a":1`: boundedjson.Malformed, `{"a":1,}`: boundedjson.Malformed,
		`{a:1}`: boundedjson.Malformed, `{1:1}`: boundedjson.Malformed, `[1,]`: boundedjson.Malformed, `[,]`: boundedjson.Malformed, `[1 2]`: boundedjson.Malformed, `{"a" 1}`: boundedjson.Malformed, `{"a":1]`: boundedjson.Malformed, `[1}`: boundedjson.Malformed,
		`01`: boundedjson.MoreThan1, `+1`: boundedjson.Malformed, `1.`: boundedjson.Malformed, `.5`: boundedjson.Malformed, `-`: boundedjson.Malformed, `1e`: boundedjson.Malformed, `tru`: boundedjson.Malformed, `nul`: boundedjson.Malformed, `"`: boundedjson.Malformed,
		`"\x"`: boundedjson.Malformed, `"\u12"`: boundedjson.Malformed, `"\u12g4"`: boundedjson.Malformed, "\"\t\"": boundedjson.Malformed, `"\`: boundedjson.Malformed, `}`: boundedjson.Malformed,
		`{}{}`: boundedjson.MoreThan1, `{} x`: boundedjson.MoreThan1, `1 1`: boundedjson.MoreThan1,
		"\"\xff\"": boundedjson.NotUTF8, "\xef\xbb\xbf{}": boundedjson.Malformed,
		`{"a":1,"a":2}`: boundedjson.Doubled, `{"a":1,"\u0061":2}`: boundedjson.Doubled, `{"x":[{"a":1},{"a":1,"b":2,"a":3}]}`: boundedjson.Doubled, `{"a":1,"A":2}`: "", `{"a":{"a":1},"b":{"a":1}}`: "",
		strings.Repeat("[", 8) + strings.Repeat("]", 8): "", strings.Repeat("[", 9) + strings.Repeat("]", 9): boundedjson.TooDeep, strings.Repeat("[", 100_000): boundedjson.TooDeep,
		`{"` + strings.Repeat("n", 64) + `":1}`: "", `{"` + strings.Repeat("n", 65) + `":1}`: boundedjson.LongName,
	} {
		if got := problem(t, text, limits); got != want {
			t.Errorf("%.80q: %q, want %q", text, got, want)
		}
	}
}

// Each limit is the last that is taken, and one more is refused.
func TestLimits(t *testing.T) {
	for _, n := range []int{1, 2, 50} {
		ten := boundedjson.Limits{Depth: 2, Values: n}
		for text, want := range map[string]boundedjson.Problem{
			"[" + strings.TrimSuffix(strings.Repeat("1,", n-1), ",") + "]":   "",
			"[" + strings.TrimSuffix(strings.Repeat("[] ,", n-1), ",") + "]": "",
			"[" + strings.Repeat("1,", n-1) + "1]":                           boundedjson.TooMany,
		} {
			if got := problem(t, text, ten); got != want {
				t.Errorf("%d values: %q, want %q: %s", n, got, want, text)
			}
		}
	}
	paths := boundedjson.Limits{Depth: 9, Paths: 12} // the paths are b:ab:, b:a:0: and b:a:1: without the last colon each
	if got := problem(t, `{"b":{"ab":1}}`, paths); got != "" {
		t.Error(got)
	}
	if got := problem(t, `{"b":{"ab":1,"a":[2,3]}}`, paths); got != boundedjson.LongPaths {
		t.Error(got)
	}
}

func TestFoldedAndDoubledNames(t *testing.T) {
	folded := boundedjson.Limits{Depth: 4, Fold: func(object, name string) string {
		if object == "own" {
			return name
		}
		return strings.ToLower(name)
	}}
	for text, want := range map[string]string{
		`{"a":1,"A":2}`: "A", `{"own":{"a":1,"A":2}}`: "", `{"x":[{"y":{"a":1,"A":2}}]}`: "x.y.A", `{"own":{"a":1,"a":2}}`: "own.a", `{"z":{"b":1},"x":1,"X":1}`: "X",
	} {
		_, err := boundedjson.Parse([]byte(text), folded)
		var e *boundedjson.Error
		if errors.As(err, &e); want == "" && err != nil || want != "" && (e == nil || e.Problem != boundedjson.Doubled || e.Name != want) {
			t.Errorf("%s: %+v, want %q", text, e, want)
		}
	}
	v, err := boundedjson.Parse([]byte(`{"a":1,"a":2}`), boundedjson.Limits{Depth: 1, Doubles: true})
	if err != nil || v.Count() != 2 || v.Get("a").Text() != "1" {
		t.Errorf("%v, %v", v.Raw(), err)
	}
	v, err = boundedjson.Parse([]byte(`{"a":{"x":1,"x":2},"b":[1,[2]]}`), boundedjson.Limits{Depth: 3, Values: 3, Shallow: true})
	if err != nil || v.Count() != 2 || !v.Get("a").Empty() || v.Get("b").Raw() != "[1,[2]]" {
		t.Errorf("%v, %v", v.Raw(), err)
	}
}

// hostile are texts of about so many bytes that cost a naive reader much.
func hostile(size int) map[string]string {
	distinct, cased := &strings.Builder{}, &strings.Builder{}
	for n := 0; distinct.Len() < size; n++ {
		fmt.Fprintf(distinct, `"%x":1,`, n)
		fmt.Fprintf(cased, `"A%x":{},`, n)
	}
	object := func(fields string) string { return "{" + strings.TrimSuffix(fields, ",") + "}" }
	return map[string]string{
		"a list": "[" + strings.Repeat("1,", size/2) + "1]", "lists": "[" + strings.Repeat("[],", size/3) + "1]", "objects": `[` + strings.Repeat(`{"a":1},`, size/8) + "1]",
		"names": object(distinct.String()), "names in capitals": object(cased.String()), "one name": object(strings.Repeat(`"a":1,`, size/6)), "escapes": `["` + strings.Repeat(`\u0041`, size/6) + `"]`,
		"escaped names": object(strings.ReplaceAll(distinct.String(), `":`, `\n":`)), "depth": strings.Repeat("[", size), "literals": strings.Repeat("x", size), "documents": strings.Repeat("{}", size/2), "quotes": strings.Repeat(`"`, size), "backslashes": `"` + strings.Repeat(`\`, size),
		"a long name": `{"` + strings.Repeat("n", size/2) + `":[` + strings.Repeat("1,", size/4) + "1]}",
	}
}

func TestCost(t *testing.T) {
	for _, l := range []boundedjson.Limits{{Depth: 32}, {Depth: 32, Values: 1000, Name: 64, Paths: 1 << 16}, {Depth: 32, Fold: func(_, name string) string { return strings.ToLower(strings.ToUpper(name)) }}, {Depth: 32, Shallow: true}} {
		for what, text := range hostile(race.Share(64<<10, 16)) {
			t.Run(what, func(t *testing.T) {
				alloctest.Linear(t, len(text), func() { _, _ = boundedjson.Parse([]byte(text), l) })
			})
		}
	}
}

// FuzzParse compares with encoding/json, which takes whatever is JSON.
func FuzzParse(f *testing.F) {
	for _, text := range hostile(100) {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"a":[1.0,-2e5,"x\u0041\ud83d\ude00\ud800"],"b":{"c":null,"d":true}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v boundedjson.Value
		var err error
		alloctest.Linear(t, len(data), func() { v, err = boundedjson.Parse(data, boundedjson.Limits{Depth: 100}) })
		var e *boundedjson.Error
		if err == nil && (!json.Valid(data) || !utf8.Valid(data)) {
			t.Fatalf("%q is read", data)
		}
		if errors.As(err, &e); err != nil && e.Problem != boundedjson.Doubled && e.Problem != boundedjson.TooDeep && json.Valid(data) && utf8.Valid(data) {
			t.Fatalf("%q is not read: %v", data, err)
		}
		if err == nil {
			same(t, v, data)
		}
	})
}

// same compares a value with what encoding/json makes of it.
func same(t *testing.T, v boundedjson.Value, data []byte) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var want any
	if err := dec.Decode(&want); err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(plain(v))
	if string(a) != string(b) {
		t.Fatalf("%q is %s, want %s", data, b, a)
	}
}

func plain(v boundedjson.Value) any {
	switch v.Kind() {
	case boundedjson.Object:
		o := map[string]any{}
		for field := range v.Inner() {
			o[field.Name()] = plain(field)
		}
		return o
	case boundedjson.List:
		l := []any{}
		for item := range v.Inner() {
			l = append(l, plain(item))
		}
		return l
	case boundedjson.Text:
		return v.Text()
	case boundedjson.Number:
		return json.Number(v.Text())
	case boundedjson.True, boundedjson.False:
		return v.Kind() == boundedjson.True
	}
	return nil
}

func BenchmarkParse(b *testing.B) {
	for what, text := range hostile(64 << 10) {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_, _ = boundedjson.Parse([]byte(text), boundedjson.Limits{Depth: 32})
			}
		})
	}
}
