package strictjson_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"payonce/pkg/connectors/strictjson"
)

func TestObject(t *testing.T) {
	for text, want := range map[string]map[string]string{
		`{}`:                               {},
		" {\n} \n":                         {},
		`{"a":1.0,"A":1e2}`:                {"a": "1.0", "A": "1e2"}, // numbers as written, names exact
		`{"a":12345678901234567890}`:       {"a": "12345678901234567890"},
		`{"a":null,"b":true,"c":"\u0041"}`: {"a": "null", "b": "true", "c": `"\u0041"`},
		`{"a":{"x":1,"x":2},"b":[1, 2]}`:   {"a": `{"x":1,"x":2}`, "b": "[1, 2]"}, // not looked into
		`{"\u0061":1}`:                     {"a": "1"},
	} {
		o, err := strictjson.Object([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		have := map[string]string{}
		for name, raw := range o {
			have[name] = string(raw)
		}
		if !maps.Equal(have, want) {
			t.Errorf("%s: have %q, want %q", text, have, want)
		}
	}
}

func TestNotAnObject(t *testing.T) {
	for _, text := range []string{
		"", "null", "[]", `"a"`, "1", "{", "}", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`, `{1:1}`, `{"a":1]`, `{"a":01}`, `{"a":x}`,
		`{"a":1,"a":1}`, `{"a":1,"\u0061":2}`, // doubled
		`{}{}`, `{} x`, `{}]`, // something after it
		"{\"a\":\"\xff\"}", "{\"\xff\":1}", "\xef\xbb\xbf{}", // not UTF-8; a byte order mark
	} {
		if o, err := strictjson.Object([]byte(text)); !errors.Is(err, strictjson.ErrNotAnObject) || o != nil {
			t.Errorf("%q: have %v, %v", text, o, err)
		}
	}
}

func TestList(t *testing.T) {
	items, length, err := strictjson.List([]byte(` [1.0, {"a":1,"a":2} ,"x",[ ]] `))
	if err != nil || length != 4 {
		t.Fatal(length, err)
	}
	var have []string
	for item := range items {
		have = append(have, string(item))
	}
	if got := strings.Join(have, "|"); got != `1.0|{"a":1,"a":2}|"x"|[ ]` {
		t.Errorf("have %s", got)
	}
	for _, text := range []string{"", "{}", "null", "[1", "[1,]", "[1] x", "[" + strings.Repeat("1,", strictjson.MaxItems) + "1]"} {
		if _, length, err := strictjson.List([]byte(text)); !errors.Is(err, strictjson.ErrNotAList) || length != 0 {
			t.Errorf("%.20q: %d, %v", text, length, err)
		}
	}
}

func TestText(t *testing.T) {
	for raw, want := range map[string]string{`""`: "", `"a"`: "a", `"\u0041\n\""`: "A\n\"", `"\ud800"`: "\ufffd"} {
		if got, ok := strictjson.Text([]byte(raw)); got != want || !ok {
			t.Errorf("%s: %q, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{"", "1", "null", "{}", "[]", "true"} {
		if got, ok := strictjson.Text([]byte(raw)); got != "" || ok {
			t.Errorf("%s is the text %q", raw, got)
		}
	}
}

// A limit is named, and nothing of the text.
func TestLimits(t *testing.T) {
	fields := &strings.Builder{}
	for n := range strictjson.MaxFields + 1 {
		fmt.Fprintf(fields, `"secret%d":1,`, n)
	}
	for limit, text := range map[string]string{
		"too many values": "{" + strings.TrimSuffix(fields.String(), ",") + "}", "too long": `{"` + strings.Repeat("secret", 30) + `":1}`, "too deeply": `{"secret":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}",
	} {
		_, err := strictjson.Object([]byte(text))
		if !errors.Is(err, strictjson.ErrNotAnObject) || !strings.Contains(err.Error(), limit) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", limit, err)
		}
	}
	if o, err := strictjson.Object([]byte("{" + strings.Join(strings.SplitAfter(fields.String(), ",")[:strictjson.MaxFields-1], "") + `"z":[1,2,3]}`)); err != nil || len(o) != strictjson.MaxFields {
		t.Errorf("%d fields, %v", len(o), err)
	}
}

func TestFilled(t *testing.T) {
	for text, want := range map[string]bool{`[1]`: true, `[[]]`: true, `{"a":null}`: true, `[]`: false, `{}`: false, "[ \n]": false, `{ }`: false, `""`: false, `"[1]"`: false, `null`: false, `1`: false} {
		o, err := strictjson.Object([]byte(`{"a":` + text + `}`))
		if err != nil || strictjson.Filled(o["a"]) != want || strictjson.Filled(o["b"]) {
			t.Errorf("%s: %t, %v", text, strictjson.Filled(o["a"]), err)
		}
	}
}
