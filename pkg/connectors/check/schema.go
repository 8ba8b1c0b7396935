package check

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"payonce/pkg/payment"
)

// The keywords of JSON Schema (2020-12) that tests have.
const (
	keyPattern   = "pattern"
	keyEnum      = "enum"
	keyMinLength = "minLength"
	keyMaxLength = "maxLength"
)

// Describe writes what the form needs into the JSON Schema of commands, whose properties are those of all commands. The
// schema refuses nothing that Check takes; what Check refuses beside it stands in the descriptions.
func (f Form) Describe(command map[string]any, currency string) {
	f.describeAmount(command, currency)
	for _, field := range f.Fields {
		switch {
		case field.list:
			field.describeList(command)
		case field.other != "":
			field.describeEither(command)
		default:
			maps.Copy(property(command, field.Name), field.schema(!field.Required, field.Required, field.codes))
			if field.Required {
				require(command, field.Name)
			}
		}
		field.note(command)
	}
	if f.WholeNote != "" {
		command["description"] = strings.TrimSpace(text(command["description"]) + " " + f.WholeNote)
	}
}

func (f Form) describeAmount(command map[string]any, currency string) {
	decimals, _ := payment.Decimals(currency)
	amount := map[string]any{
		"type": "object", "required": []string{"value", "currency"}, "additionalProperties": false,
		"properties": map[string]any{
			"value":    map[string]any{"type": "string", keyPattern: amountPattern(f.Least, f.Most, decimals), "description": f.amountNote(decimals)},
			"currency": map[string]any{"const": currency},
		},
	}
	command["properties"].(map[string]any)["amount"] = amount
	require(command, "amount")
}

func (f Form) amountNote(decimals int) string {
	note := "Positive."
	if f.Least > 0 {
		note = "At least " + strconv.FormatInt(f.Least, 10) + "."
	}
	if f.Most > 0 {
		note += " At most " + strconv.FormatInt(f.Most, 10) + strings.TrimSuffix("."+strings.Repeat("9", decimals), ".") + "."
	}
	return note
}

// schema returns the keywords for a text, which may be empty or must be more than blanks.
func (f Field) schema(mayBeEmpty, mustSaySomething bool, codes map[string]string) map[string]any {
	s := f.tested(mayBeEmpty, mustSaySomething)
	if len(codes) == 0 {
		return s
	}
	// A text with a code of its own counts as that code.
	var good []string
	for _, name := range slices.Sorted(maps.Keys(codes)) {
		if f.textProblem(codes[name]) == "" {
			good = append(good, name)
		}
	}
	s["not"] = map[string]any{keyEnum: slices.Sorted(maps.Keys(codes))}
	delete(s, "type")
	either := []any{s}
	if len(good) > 0 {
		either = append(either, map[string]any{keyEnum: good})
	}
	return map[string]any{"type": "string", "anyOf": either}
}

func (f Field) tested(mayBeEmpty, mustSaySomething bool) map[string]any {
	s := map[string]any{"type": "string"}
	var more []any // a second pattern does not fit into one object
	put := func(key string, value any) {
		if _, taken := s[key]; taken {
			more = append(more, map[string]any{key: value})
			return
		}
		s[key] = value
	}
	for _, test := range f.Tests {
		for _, key := range slices.Sorted(maps.Keys(test.schema)) {
			value := test.schema[key]
			if mayBeEmpty {
				value = orEmpty(key, value)
			}
			put(key, value)
		}
	}
	if mustSaySomething {
		put(keyPattern, notBlank.String())
	}
	if more != nil {
		s["allOf"] = more
	}
	return s
}

// orEmpty makes a keyword take the empty text, too.
func orEmpty(key string, value any) any {
	switch key {
	case keyEnum:
		return append([]string{""}, value.([]string)...)
	case keyMinLength:
		return 0
	case keyPattern:
		pattern := value.(string)
		if inner, begins := strings.CutPrefix(pattern, "^"); begins && strings.HasSuffix(inner, "$") && !strings.Contains(inner, "$|") {
			return "^(?:" + strings.TrimSuffix(inner, "$") + ")?$"
		}
		return "^$|" + pattern
	}
	return value
}

func (f Field) describeList(command map[string]any) {
	item := map[string]any{"type": "string"}
	for _, test := range f.Tests {
		maps.Copy(item, test.schema)
	}
	list := property(command, f.Name)
	list["minItems"], list["maxItems"], list["items"] = f.least, f.most, item
	if f.Required {
		require(command, f.Name)
	}
}

// describeEither says that the text of another field counts where this one has none.
func (f Field) describeEither(command map[string]any) {
	filled := nested(f.Name, map[string]any{keyMinLength: 1}, true)
	all, _ := command["allOf"].([]any)
	command["allOf"] = append(all, map[string]any{
		"if": filled, "then": nested(f.Name, f.schema(false, f.Required, f.codes), true),
		"else": nested(f.other, f.schema(!f.Required, f.Required, nil), f.Required),
	})
}

// note tells people in the description of a field what its schema cannot say.
func (f Field) note(command map[string]any) {
	var notes []string
	for _, test := range f.Tests {
		if test.note != "" && !slices.Contains(notes, test.note) {
			notes = append(notes, test.note)
		}
	}
	if f.other == "" {
		addNotes(command, f.Name, notes)
		return
	}
	addNotes(command, f.Name, append([]string{"or " + f.other}, notes...))
	if notes != nil {
		addNotes(command, f.other, append([]string{"where it is sent for " + f.Name}, notes...))
	}
}

func addNotes(command map[string]any, name string, notes []string) {
	if notes != nil {
		s := property(command, name)
		s["description"] = strings.TrimSpace(text(s["description"]) + " " + strings.Join(notes, "; "))
	}
}

// property returns the schema of a field of a command.
func property(command map[string]any, name string) map[string]any {
	for {
		object, rest, inside := strings.Cut(name, ".")
		next := command["properties"].(map[string]any)[object].(map[string]any)
		if !inside {
			return next
		}
		command, name = next, rest
	}
}

// require makes a field and the objects around it required.
func require(command map[string]any, name string) {
	object, rest, inside := strings.Cut(name, ".")
	required, _ := command["required"].([]string)
	if !slices.Contains(required, object) {
		command["required"] = append(required, object)
	}
	if inside {
		require(command["properties"].(map[string]any)[object].(map[string]any), rest)
	}
}

// nested is a schema of a field inside its objects.
func nested(name string, schema map[string]any, required bool) map[string]any {
	object, rest, inside := strings.Cut(name, ".")
	if inside {
		schema = nested(rest, schema, required)
	}
	s := map[string]any{"properties": map[string]any{object: schema}}
	if required {
		s["required"] = []string{object}
	}
	return s
}

func text(value any) string {
	s, _ := value.(string)
	return s
}
