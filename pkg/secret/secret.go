// Package secret holds values that must never be seen: keys, passwords, tokens. A [Value] prints,
// logs and encodes as a fixed text; only [Value.Reveal] gives it out.
package secret

import (
	"encoding"
	"fmt"
	"log/slog"
)

// Redacted is what a Value shows of itself.
const Redacted = "[secret]"

// Value is a secret text. The zero Value is empty. Two Values are compared by what Reveal returns, not
// with ==.
type Value struct {
	// A pointer, because fmt prints the unexported fields of foreign structs without asking Format.
	text *string
}

var (
	_ fmt.Formatter            = Value{}
	_ slog.LogValuer           = Value{}
	_ encoding.TextMarshaler   = Value{}
	_ encoding.TextUnmarshaler = (*Value)(nil)
)

// New wraps a secret text.
func New(text string) Value { return Value{text: &text} }

// Reveal returns the text. Call it where the secret is used, and nowhere else.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Empty reports whether there is no secret.
func (v Value) Empty() bool { return v.Reveal() == "" }

// Format writes [Redacted] for every verb, also %+v and %#v, and inside other structs.
func (Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue keeps the secret out of structured logs.
func (Value) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText keeps the secret out of JSON and YAML.
func (Value) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// UnmarshalText takes the secret from configuration.
func (v *Value) UnmarshalText(text []byte) error {
	*v = New(string(text))
	return nil
}
