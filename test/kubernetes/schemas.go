package kubernetes

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/yaml"
)

// nack is written by hand, with the fields that we use: NACK is no Go module that can be downloaded everywhere.
//
//go:embed nack.yaml
var nack []byte

// ownRules are what we ask beyond the schemas, as JSON Schemas by kind.
//
//go:embed rules.yaml
var ownRules []byte

// documents are those of the API groups that we use. The first has what all others refer to.
var documents = []string{"api__v1", "apis__apps__v1", "apis__batch__v1", "apis__policy__v1", "apis__networking.k8s.io__v1"}

const objectMeta = "/api__v1.json#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// schemas lays out JSON Schemas for kubeconform in a folder.
type schemas struct {
	folder string
	rules  map[string]any            // ours, by kind
	enums  map[string]map[string]any // of Kubernetes, by schema and field
}

// newValidator returns kubeconform with the schemas of Kubernetes, KEDA and NACK, which it is given in an empty folder.
func newValidator(folder string) (validator.Validator, error) {
	s := schemas{folder: folder}
	source, err := openAPI.folder()
	if err != nil {
		return nil, err
	}
	crds, err := keda.folder()
	if err != nil {
		return nil, err
	}
	generated, err := os.ReadFile(filepath.Join(source, "pkg/generated/openapi/zz_generated.openapi.go"))
	s.enums = enumsOf(string(generated))
	errs := []error{err, yaml.Unmarshal(ownRules, &s.rules)}
	for _, name := range documents {
		errs = append(errs, s.addOpenAPI(filepath.Join(source, "api/openapi-spec/v3", name+"_openapi.json"), name))
	}
	scaledObject, err := os.ReadFile(filepath.Join(crds, "config/crd/bases/keda.sh_scaledobjects.yaml"))
	errs = append(errs, err, s.addCRD(scaledObject), s.addCRD(nack))
	v, err := validator.New([]string{folder + "/{{.Group}}-{{.ResourceAPIVersion}}-{{.ResourceKind}}.json"}, validator.Opts{Strict: true})
	return v, errors.Join(append(errs, err)...)
}

// problem returns what is wrong with a manifest.
func problem(v validator.Validator, manifest object) string {
	text, err := json.Marshal(manifest)
	if err != nil {
		return err.Error()
	}
	if result := v.ValidateResource(resource.Resource{Bytes: text}); result.Status != validator.Valid {
		return fmt.Sprintf("%v %v: %v", manifest["kind"], at(manifest, "metadata", "name"), result.Err)
	}
	return ""
}

var (
	aSchema   = regexp.MustCompile(`^func schema_(k8sio_api|pkg_apis)_(\w+)_(v\w+)_(\w+)\(`)
	aProperty = regexp.MustCompile(`^\t{5}"(\w+)": \{`)
	anEnum    = regexp.MustCompile(`Enum: +\[\]interface\{\}\{(.*)\}`)
)

// enumsOf reads the values that a field may have out of the Go code that Kubernetes makes its OpenAPI documents from.
// The published documents leave them out.
func enumsOf(generated string) map[string]map[string]any {
	found, schema, property := map[string]map[string]any{}, "", ""
	for line := range strings.Lines(generated) {
		if name := aSchema.FindStringSubmatch(line); name != nil {
			prefix := map[string]string{"k8sio_api": "io.k8s.api.", "pkg_apis": "io.k8s.apimachinery.pkg.apis."}[name[1]]
			schema = prefix + name[2] + "." + name[3] + "." + name[4]
			found[schema] = map[string]any{}
		} else if name := aProperty.FindStringSubmatch(line); name != nil {
			property = name[1]
		} else if values := anEnum.FindStringSubmatch(line); values != nil && schema != "" {
			var all []any
			if json.Unmarshal([]byte("["+values[1]+"]"), &all) == nil {
				found[schema][property] = all
			}
		}
	}
	return found
}

// addOpenAPI adds the kinds of a document of Kubernetes.
func (s schemas) addOpenAPI(file, name string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var document object
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	definitions, _ := at(document, "components", "schemas").(object)
	for schema, definition := range definitions {
		seal(definition)
		for field, values := range s.enums[schema] {
			restrict(at(definition, "properties", field), values)
		}
		// Options and lists are of many groups.
		if kinds, _ := at(definition, "x-kubernetes-group-version-kind").([]any); len(kinds) == 1 {
			reference := object{"$ref": "file://" + s.folder + "/" + name + ".json#/components/schemas/" + schema}
			err = errors.Join(err, s.addKind(at(kinds[0], "group"), at(kinds[0], "version"), at(kinds[0], "kind"), reference, at(definition, "properties", "spec") != nil))
		}
	}
	return errors.Join(err, s.write(name, document))
}

// addCRD adds the only version of a CustomResourceDefinition. Its metadata is that of Kubernetes.
func (s schemas) addCRD(text []byte) error {
	var crd object
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return err
	}
	versions, _ := at(crd, "spec", "versions").([]any)
	if len(versions) != 1 {
		return fmt.Errorf("a CustomResourceDefinition has %d versions", len(versions))
	}
	definition := at(versions[0], "schema", "openAPIV3Schema")
	properties, ok := at(definition, "properties").(object)
	if !ok {
		return errors.New("a CustomResourceDefinition has no schema")
	}
	properties["apiVersion"], properties["kind"] = object{"type": "string"}, object{"type": "string"}
	properties["metadata"] = object{"$ref": "file://" + s.folder + objectMeta}
	seal(definition)
	return s.addKind(at(crd, "spec", "group"), at(versions[0], "name"), at(crd, "spec", "names", "kind"), definition, true)
}

// addKind adds what kubeconform reads for a kind: its schema, that it has a name and what it is about, and our own rules.
func (s schemas) addKind(group, version, kind, schema any, spec bool) error {
	if group == "" {
		group = version // as kubeconform calls it
	}
	required := []string{"metadata"}
	if spec && kind != "Namespace" {
		required = append(required, "spec")
	}
	all := []any{schema, object{"required": required, "properties": object{"metadata": object{"required": []string{"name"}}}}}
	if own := s.rules[fmt.Sprint(kind)]; own != nil {
		all = append(all, own)
	}
	return s.write(strings.ToLower(fmt.Sprintf("%v-%v-%v", group, version, kind)), object{"allOf": all})
}

func (s schemas) write(name string, schema any) error {
	text, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.folder, name+".json"), text, 0o600)
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
func restrict(schema, allowed any) {
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
