package contracts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// specification is AsyncAPI's own schema of its documents, which "make contracts" installs.
const specification = "_schemas/node_modules/@asyncapi/specs/schemas/3.0.0.json"

// The document is as AsyncAPI 3.0 has it, and each of its references leads somewhere. "make contracts" runs this.
func TestAsyncAPIIsValid(t *testing.T) {
	var doc map[string]any
	if err := yaml.Unmarshal(read(t, asyncAPI), &doc); err != nil {
		t.Fatal(err)
	}
	for _, ref := range references(doc) {
		if file, _, _ := strings.Cut(ref, "#"); file != "" {
			read(t, filepath.Join(filepath.Dir(asyncAPI), file))
		} else if document(doc).at(ref) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	if _, err := os.Stat(specification); err != nil {
		t.Skip("the schema of AsyncAPI is not installed: make contracts")
	}
	schema, err := jsonschema.NewCompiler().Compile(specification)
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(){
		"a channel that is a text":       func() { doc["channels"] = map[string]any{"x": "y"} },
		"an action that is none":         func() { doc["operations"].(map[string]any)["sendParked"].(map[string]any)["action"] = "publish" },
		"a field that is not AsyncAPI's": func() { doc["topics"] = map[string]any{} },
	} {
		doc = map[string]any{}
		if err := yaml.Unmarshal(read(t, asyncAPI), &doc); err != nil {
			t.Fatal(err)
		}
		if spoil(); schema.Validate(doc) == nil {
			t.Errorf("%s is valid", name)
		}
	}
}

// references lists where $ref leads to.
func references(value any) (all []string) {
	switch value := value.(type) {
	case map[string]any:
		if ref, is := value["$ref"].(string); is {
			all = append(all, ref)
		}
		for _, below := range value {
			all = append(all, references(below)...)
		}
	case []any:
		for _, below := range value {
			all = append(all, references(below)...)
		}
	}
	return all
}
