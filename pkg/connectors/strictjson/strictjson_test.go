package strictjson_test

import (
	"errors"
	"maps"
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
