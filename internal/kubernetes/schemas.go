package kubernetes

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// nack is written by hand, with the fields that we use: NACK is no Go module that can be downloaded everywhere.
//
//go:embed nack.yaml
var nack []byte

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// schemas check manifests, by apiVersion and kind.
type schemas map[string]*jsonschema.Schema

// group is an API group: its OpenAPI document, how its schemas' names begin, and the folder of its Go types.
type group struct{ document, prefix, folder string }

// groups are those that we use; the first has types that the others use.
var groups = []group{
	{"api__v1", "io.k8s.api.core.v1.", "core/v1"},
	{"apis__apps__v1", "io.k8s.api.apps.v1.", "apps/v1"},
	{"apis__batch__v1", "io.k8s.api.batch.v1.", "batch/v1"},
	{"apis__policy__v1", "io.k8s.api.policy.v1.", "policy/v1"},
	{"apis__networking.k8s.io__v1", "io.k8s.api.networking.v1.", "networking/v1"},
}

// load reads all schemas.
func load() (schemas, error) {
	all := schemas{}
	values, err := allEnums()
	if err != nil {
		return nil, err
	}
	folder, err := openAPI.folder()
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	var errs []error
	for _, g := range groups {
		errs = append(errs, all.addOpenAPI(compiler, filepath.Join(folder, "api/openapi-spec/v3", g.document+"_openapi.json"), values))
	}
	crds, err := keda.folder()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(crds, "config/crd/bases/keda.sh_scaledobjects.yaml"))
	errs = append(errs, err, all.addCRD(compiler, text))
	for _, one := range strings.Split(string(nack), "\n---\n") {
		errs = append(errs, all.addCRD(compiler, []byte(one)))
	}
	return all, errors.Join(errs...)
}

// allEnums are by the name of a schema.
func allEnums() (enums, error) {
	folder, err := types.folder()
	if err != nil {
		return nil, err
	}
	machinery, err := meta.folder()
	if err != nil {
		return nil, err
	}
	all := enums{}
	var core map[string][]any
	for _, g := range append(groups, group{"", "io.k8s.apimachinery.pkg.apis.meta.v1.", ""}) {
		where := filepath.Join(folder, g.folder)
		if g.folder == "" {
			where = filepath.Join(machinery, "pkg/apis/meta/v1")
		}
		found, values, err := enumsOf(where, core)
		if err != nil {
			return nil, err
		}
		if core == nil {
			core = values
		}
		for name, fields := range found {
			all[g.prefix+name] = fields
		}
	}
	return all, nil
}

// addOpenAPI adds the kinds of a document of Kubernetes.
func (s schemas) addOpenAPI(compiler *jsonschema.Compiler, file string, values enums) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	definitions, _ := at(document, "components", "schemas").(object)
	for name, definition := range definitions {
		seal(definition)
		for field, allowed := range values[name] {
			restrict(at(definition, "properties", field), allowed)
		}
	}
	if err := compiler.AddResource("file://"+file, document); err != nil {
		return err
	}
	if _, known := definitions[objectMeta]; known {
		if s[objectMeta], err = compiler.Compile("file://" + file + "#/components/schemas/" + objectMeta); err != nil {
			return err
		}
	}
	for name, definition := range definitions {
		kinds, _ := at(definition, "x-kubernetes-group-version-kind").([]any)
		if len(kinds) != 1 {
			continue // options and lists of every group
		}
		group, version, kind := at(kinds[0], "group"), at(kinds[0], "version"), fmt.Sprint(at(kinds[0], "kind"))
		if s[key(group, version, kind)], err = compiler.Compile("file://" + file + "#/components/schemas/" + name); err != nil {
			return err
		}
	}
	return nil
}

// addCRD adds the served versions of a CustomResourceDefinition. Its metadata is that of Kubernetes.
func (s schemas) addCRD(compiler *jsonschema.Compiler, text []byte) error {
	text, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	crd, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	versions, _ := at(crd, "spec", "versions").([]any)
	for _, version := range versions {
		name, kind := key(at(crd, "spec", "group"), at(version, "name"), at(crd, "spec", "names", "kind")), fmt.Sprint(at(crd, "spec", "names", "kind"))
		definition, ok := at(version, "schema", "openAPIV3Schema").(object)
		properties, ok2 := definition["properties"].(object)
		if !ok || !ok2 || at(version, "served") != true {
			continue
		}
		for _, text := range []string{"apiVersion", "kind"} {
			properties[text] = object{"type": "string"}
		}
		properties["metadata"] = object{}
		seal(definition)
		url := "crd:" + name + "/" + kind
		if err := compiler.AddResource(url, definition); err != nil {
			return err
		}
		if s[name], err = compiler.Compile(url); err != nil {
			return err
		}
	}
	if len(versions) == 0 {
		return errors.New("a CustomResourceDefinition has no version")
	}
	return nil
}

func key(group, version, kind any) string {
	if group == "" {
		return fmt.Sprintf("%v %v", version, kind)
	}
	return fmt.Sprintf("%v/%v %v", group, version, kind)
}

// seal refuses fields that a schema does not name, in it and in everything below.
func seal(schema any) {
	here, ok := schema.(object)
	if !ok {
		return
	}
	properties, ok := here["properties"].(object)
	if ok && here["additionalProperties"] == nil && here["x-kubernetes-preserve-unknown-fields"] == nil {
		here["additionalProperties"] = false
	}
	for _, property := range properties {
		seal(property)
	}
	for _, word := range []string{"items", "additionalProperties", "not"} {
		seal(here[word])
	}
}

// restrict allows only some values, of a text or of the texts of a list.
func restrict(schema any, allowed []any) {
	here, ok := schema.(object)
	switch {
	case ok && here["type"] == "array":
		restrict(here["items"], allowed)
	case ok:
		here["enum"] = allowed
	}
}

// at walks down by keys; nil where there is nothing.
func at(v any, path ...string) any {
	for _, key := range path {
		here, _ := v.(object)
		v = here[key]
	}
	return v
}
