package payctl

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// What a provider or an upstream wrote must not move the cursor of who reads JSON in a terminal, and stays the same value.
func TestJSONEscapesWhatATerminalObeys(t *testing.T) {
	texts := []string{
		"\x1b[2J", "\u009b2J", "\u0085", "\x7f", "a\u202eb\u202c", "\u2066x\u2069", "\u200f\u200e\u061c", "\u200b\ufeff\u00ad", "\u2028\u2029",
		"\U000e0001\U000e0041", "\u0000\t\r\n", "홍길동 <a&b> é 😀", "\\u202e \\\\", "\u00a0\u3000",
	}
	for _, text := range texts {
		var out strings.Builder
		if err := writeJSON(&out, map[string]any{text: text, "raw": json.RawMessage(`["` + strings.NewReplacer(`\`, `\\`, "\x00", "", "\t", "", "\r", "", "\n", "", "\x1b", "").Replace(text) + `"]`)}); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%q is shown as %q", text, out.String())
			}
		}
		var back map[string]any
		if err := json.Unmarshal([]byte(out.String()), &back); err != nil || back[text] != text {
			t.Errorf("%q came back as %q: %v", text, back, err)
		}
	}
	var out strings.Builder
	if err := writeJSON(&out, "홍길동 <a&b> 😀"); err != nil || out.String() != "\"홍길동 <a&b> 😀\"\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
