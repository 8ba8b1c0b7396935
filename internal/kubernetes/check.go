package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// problems returns what is wrong with a manifest, one line for each.
func (s schemas) problems(manifest object) []string {
	name := fmt.Sprintf("%v %v", manifest["kind"], at(manifest, "metadata", "name"))
	schema := s[fmt.Sprintf("%v %v", manifest["apiVersion"], manifest["kind"])]
	if schema == nil {
		return []string{fmt.Sprintf("%s: there is no schema for %v", name, manifest["apiVersion"])}
	}
	var found []string
	for _, one := range []struct {
		schema *jsonschema.Schema
		value  any
		at     string
	}{{schema, manifest, ""}, {s[objectMeta], manifest["metadata"], "/metadata"}} {
		value, err := plain(one.value)
		if err == nil {
			err = one.schema.Validate(value)
		}
		if failed, ok := err.(*jsonschema.ValidationError); ok {
			for _, leaf := range leaves(failed) {
				found = append(found, name+": "+one.at+leaf)
			}
		} else if err != nil {
			found = append(found, name+": "+err.Error())
		}
	}
	// The schemas leave out that these must be there; a Namespace needs no spec.
	if schema.Properties["spec"] != nil && manifest["spec"] == nil && manifest["kind"] != "Namespace" {
		found = append(found, name+": missing property 'spec'")
	}
	if at(manifest, "metadata", "name") == nil {
		found = append(found, name+": it has no name")
	}
	return found
}

// plain has only the types that JSON has.
func plain(v any) (any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
}

// leaves are the innermost reasons, without those that only say that others follow.
func leaves(e *jsonschema.ValidationError) (found []string) {
	if len(e.Causes) == 0 {
		return []string{"/" + strings.Join(e.InstanceLocation, "/") + ": " + e.ErrorKind.LocalizedString(message.NewPrinter(language.English))}
	}
	for _, cause := range e.Causes {
		found = append(found, leaves(cause)...)
	}
	return found
}
