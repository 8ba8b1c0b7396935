package masking_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"payonce/pkg/connectors/masking"
)

func TestJSONIsMasked(t *testing.T) {
	plain := func(object, name, value string) bool { return object == "payment" && name == "id" && value != "SECRET" }
	for document, want := range map[string]string{
		`{"payment":{"id":"D-1","name":"SECRET"},"customer":{"id":"SECRET"}}`: `{"payment":{"id":"D-1","name":"…"},"customer":{"id":"…"}}`,
		`{"payment":[{"id":"SECRET"}],"id":17}`:                               `{"payment":[{"id":"…"}],"id":"…"}`,
		`{"payment":{"id":"SECRET","id":12}}`:                                 `{"payment":{"id":"…","id":12}}`,
		`{"01012345678":true,"a b":null,"hong@shop.example":{},"":[]}`:        `{"…":true,"…":null,"…":{},"…":[]}`,
		`{"sum":{"value":"10.5","currency":"KRW"}}`:                           `{"sum":{"value":"10.5","currency":"KRW"}}`,
		`{"sum":{"value":"SECRET","currency":"KRW"}}`:                         `{"sum":{"value":"…","currency":"…"}}`,
		` "SECRET" `: `"…"`, `12`: `"…"`, `["SECRET",1,[]]`: `["…","…",[]]`, `{}`: `{}`,
	} {
		if masked, whole, ok := masking.JSON([]byte(document), 0, plain); masked != want || !whole || !ok {
			t.Errorf("%s: %s, %t, %t, want %s", document, masked, whole, ok, want)
		}
	}
	for _, other := range []string{"", "SECRET", `{"a":"SECRET"`, `{"a":1}{"b":2}`, "\xff", "<a>SECRET</a>", "a=SECRET", strings.Repeat("[", masking.MaxDepth+1) + strings.Repeat("]", masking.MaxDepth+1)} {
		if masked, _, ok := masking.JSON([]byte(other), 0, plain); ok || masked != "" {
			t.Errorf("%.40q: %s", other, masked)
		}
	}
}

// Of a long document the beginning is kept, in whole characters.
func TestMaskedJSONIsBounded(t *testing.T) {
	long := "[" + strings.Repeat(`"SECRET",`, 1000) + `""]`
	for limit := 30; limit < 36; limit++ {
		masked, whole, ok := masking.JSON([]byte(long), limit, func(string, string, string) bool { return false })
		if len(masked) > limit || len(masked) < limit-2 || whole || !ok || !utf8.ValidString(masked) || !strings.HasPrefix(masked, `["…","…"`) {
			t.Errorf("%d: %q, %t, %t", limit, masked, whole, ok)
		}
	}
}
