package connectors

import (
	"fmt"
	"maps"
	"slices"

	"payonce/pkg/payment"
)

// Schema returns the JSON Schema of a command that takes a way of a provider. command is the schema of all commands, which is
// not changed: this one is a part of it. What it refuses, [Check] refuses; what Check refuses beside that, because JSON Schema
// cannot say it, stands in the descriptions. Lengths count characters in Unicode's composed form.
func Schema(command map[string]any, provider string, c Connector, way Way) map[string]any {
	s := copied(command).(map[string]any)
	delete(s, "$id")
	delete(s, "$defs")
	s["title"] = fmt.Sprintf("A command: %s at %s in %s", way.Operation, provider, way.Currency)
	s["description"] = "What this way of paying needs. Anything else is refused, and so are texts with line breaks or with characters that cannot be seen."
	s["required"] = stringsOf(s["required"])
	properties := s["properties"].(map[string]any)
	properties["provider"] = map[string]any{"const": provider}
	properties["order"] = map[string]any{
		"type": "string", "pattern": fmt.Sprintf("^[A-Za-z0-9_-]{1,%d}$", min(c.Traits().MaxOrderLength, payment.MaxOrder)),
		"description": "The merchant's order number: the idempotency key.",
	}
	properties["operation"] = map[string]any{"const": way.Operation}
	switch {
	case way.Method == "":
		properties["method"] = map[string]any{"const": ""}
	case way.Default:
		properties["method"] = map[string]any{"enum": []string{"", way.Method}}
	default:
		properties["method"] = map[string]any{"const": way.Method}
		s["required"] = append(s["required"].([]string), "method")
	}
	properties["return_url"].(map[string]any)["description"] = "An absolute https or http URL without a user."
	properties["customer"].(map[string]any)["properties"].(map[string]any)["ip_address"].(map[string]any)["description"] = "An IP address."
	way.Form.Describe(s, way.Currency)
	slices.Sort(s["required"].([]string))
	return s
}

// copied returns a copy of what was read from JSON.
func copied(value any) any {
	switch value := value.(type) {
	case map[string]any:
		object := maps.Clone(value)
		for name, inner := range object {
			object[name] = copied(inner)
		}
		return object
	case []any:
		list := slices.Clone(value)
		for i, inner := range list {
			list[i] = copied(inner)
		}
		return list
	}
	return value
}

func stringsOf(list any) (texts []string) {
	all, _ := list.([]any)
	for _, one := range all {
		texts = append(texts, one.(string))
	}
	return texts
}
