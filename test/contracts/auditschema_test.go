package contracts

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
)

// schemaOf is the JSON Schema of a type that encoding/json writes by its tags.
func schemaOf(of reflect.Type) object {
	switch {
	case of == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case of == reflect.TypeFor[payment.Money]():
		return object{"$ref": "../../pkg/events/schemas/payment.v1.json#/$defs/money"}
	}
	switch of.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Uint64, reflect.Int:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": schemaOf(of.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schemaOf(of.Elem())}
	case reflect.Struct:
		return structSchema(of)
	}
	panic("contracts: no schema for " + of.String())
}

func structSchema(of reflect.Type) object {
	properties, required := object{}, []string{}
	for _, field := range reflect.VisibleFields(of) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		properties[name] = schemaOf(field.Type)
		if options == "" {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

func TestSchemaOfAType(t *testing.T) {
	type inner struct {
		Name string `json:"name,omitempty"`
	}
	type outer struct {
		At    time.Time         `json:"at"`
		Items []inner           `json:"items"`
		Words map[string]string `json:"words,omitempty"`
	}
	want := object{"type": "object", "additionalProperties": false, "required": []string{"at", "items"}, "properties": object{
		"at": object{"type": "string", "format": "date-time"},
		"items": object{"type": []string{"array", "null"}, "items": object{
			"type": "object", "additionalProperties": false, "properties": object{"name": object{"type": "string"}},
		}},
		"words": object{"type": "object", "additionalProperties": object{"type": "string"}},
	}}
	if got := schemaOf(reflect.TypeFor[outer]()); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
