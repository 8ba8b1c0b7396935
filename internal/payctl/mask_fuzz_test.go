package payctl

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/connectors/masking"
)

// FuzzMaskBody masks anything. No text of a document is shown that is not in a plain field.
func FuzzMaskBody(f *testing.F) {
	for _, text := range []string{
		`{"customer":{"name":"홍길동","phone":"010-1234-5678"},"amount":{"value":"10000","currency":"KRW"}}`,
		`{"010-1234-5678":["Hong Gildong",{"account":29910000000001}]}`, `"Hong Gildong"`, `["Hong Gildong"]`, `Hong Gildong`, `{"method":{"name":"Hong Gildong"}}`,
		`{"fields":{"customer":{"value":"Hong Gildong"}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		shown := maskBody(body)
		var doc any
		if json.Unmarshal(body, &doc) != nil {
			if text := string(body); len(text) > 40 && strings.Contains(shown, text) {
				t.Errorf("%q is shown: %q", body, shown)
			}
			return
		}
		var rest any
		if err := json.Unmarshal([]byte(shown), &rest); err != nil {
			return // a line of it was not printable, and is quoted
		}
		for _, text := range hiddenTexts("", rest) {
			t.Errorf("%q shows %q: %s", body, text, shown)
		}
	})
}

// hiddenTexts returns what is in a masked document and may not be.
func hiddenTexts(name string, value any) (texts []string) {
	switch x := value.(type) {
	case map[string]any:
		if isAmount(x) {
			return nil
		}
		for key, inner := range x {
			if key != mask && !masking.FieldName(key) {
				texts = append(texts, key)
			}
			texts = append(texts, hiddenTexts(key, inner)...)
		}
	case []any:
		for _, inner := range x {
			texts = append(texts, hiddenTexts("", inner)...)
		}
	case string:
		if x != mask && !slices.Contains(plainFields, name) {
			texts = append(texts, x)
		}
	case float64:
		if !slices.Contains(plainFields, name) {
			texts = append(texts, "a number")
		}
	}
	return texts
}

var anAmount = regexp.MustCompile(`^map\[currency:[A-Za-z]{3} value:[-+0-9.,e]{1,24}\]$`)

func isAmount(object map[string]any) bool { return anAmount.MatchString(fmt.Sprint(object)) }
