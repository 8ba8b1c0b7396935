package ingress_test

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"payonce/pkg/connectors"
	"payonce/pkg/ingress"
)

const openAPI = "../../docs/contracts/openapi.yaml"

// openAPIDocument returns the document as JSON values.
func openAPIDocument(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return value.(map[string]any)
}

// at follows names through objects and references.
func at(t *testing.T, doc map[string]any, from any, names ...string) map[string]any {
	t.Helper()
	object, _ := from.(map[string]any)
	for {
		if ref, ok := object["$ref"].(string); ok && strings.HasPrefix(ref, "#/") {
			object = at(t, doc, doc, strings.Split(ref[2:], "/")...)
		}
		if len(names) == 0 {
			return object
		}
		next, ok := object[names[0]].(map[string]any)
		if !ok {
			return nil
		}
		object, names = next, names[1:]
	}
}

func inSource(t *testing.T, file, pattern string) (found []string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return found
}

func TestOpenAPIHasEveryRouteAndProblem(t *testing.T) {
	doc := openAPIDocument(t)
	var routes []string
	for path, item := range doc["paths"].(map[string]any) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			if item.(map[string]any)[method] != nil {
				routes = append(routes, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(routes)
	if want := inSource(t, "server.go", `handle\("([A-Z]+ /[^"]*)"`); !slices.Equal(routes, want) || len(want) < 11 {
		t.Errorf("the document has\n%q\nthe code\n%q", routes, want)
	}
	var kinds []string
	for _, kind := range at(t, doc, doc, "components", "schemas", "problem", "properties", "type")["enum"].([]any) {
		kinds = append(kinds, strings.TrimPrefix(kind.(string), ingress.ProblemPrefix))
	}
	if want := inSource(t, "problem.go", `(?m)^\tkind\w+ += "([a-z_]+)"`); !slices.Equal(kinds, want) || len(want) < 20 {
		t.Errorf("the document has the problems\n%q\nthe code\n%q", kinds, want)
	}
}

// TestOpenAPIExamplesAreTaken sends every operation with its examples, and holds the answers against the
// document.
func TestOpenAPIExamplesAreTaken(t *testing.T) {
	doc := openAPIDocument(t)
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	b := newBorder(t, func(o *ingress.Options) {
		o.Keys = o.Keys[1:]
		o.Registry = connectors.NewRegistry(map[string]connectors.Connector{"teemopay-kr": fakeConnector{}})
	})
	sent := 0
	for _, path := range []string{"/v1/deposits", "/v1/payments/{provider}/{order}", "/v1/payments/{provider}/{order}/events", "/v1/payouts", "/v1/providers",
		"/v1/providers/{provider}/banks", "/v1/providers/{provider}/balance", "/v1/payments/{provider}/{order}/clarification", "/webhooks/{provider}", "/healthz", "/readyz"} {
		for method, operation := range doc["paths"].(map[string]any)[path].(map[string]any) {
			if method == "parameters" {
				continue
			}
			body := ""
			if example, ok := at(t, doc, at(t, doc, operation)["requestBody"], "content", "application/json")["example"]; ok {
				text, err := json.Marshal(example)
				if err != nil {
					t.Fatal(err)
				}
				body = string(text)
			}
			url := strings.NewReplacer("{provider}", "teemopay-kr", "{order}", "D-1001").Replace(path)
			a := b.do(strings.ToUpper(method), url, body)
			mustBeDocumented(t, doc, compiler, at(t, doc, operation), method+" "+path, a)
			sent++
		}
	}
	if sent != len(doc["paths"].(map[string]any)) || b.queue.publishes() == 0 {
		t.Errorf("%d operations were sent, %d commands published", sent, b.queue.publishes())
	}
}

// mustBeDocumented checks an answer's schema; an answer that is no success must be a problem.
func mustBeDocumented(t *testing.T, doc map[string]any, compiler *jsonschema.Compiler, operation map[string]any, name string, a answer) {
	t.Helper()
	response := at(t, doc, operation, "responses", map[bool]string{true: "default", false: "202"}[a.status >= 300])
	if a.status == 200 {
		response = at(t, doc, operation, "responses", "200")
	}
	media := a.header.Get("Content-Type")
	schema := at(t, doc, response, "content", media)["schema"]
	if schema == nil {
		t.Errorf("%s: status %d of %s is not in the document", name, a.status, media)
		return
	}
	// The schema refers to others of the document, so it is compiled as a part of one.
	resource := "urn:part:" + operation["operationId"].(string)
	if err := compiler.AddResource(resource, map[string]any{"components": doc["components"], "part": schema}); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile(resource + "#/part")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
	if err == nil {
		err = compiled.Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v in %s", name, err, a.body)
	}
}
