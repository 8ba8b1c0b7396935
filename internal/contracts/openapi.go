package contracts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// OpenAPI is an OpenAPI 3.1 document, against which answers are held. It remembers what it has seen. It is safe
// for concurrent use.
type OpenAPI struct {
	base       string // URL of the document
	root       map[string]any
	operations []operation

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
	seen     map[string]bool
}

type operation struct {
	id, method, path string
	match            *regexp.Regexp
	responses        map[string]any
	pointer          string // of responses
}

// OpenOpenAPI reads a document. Schemas that it refers to are read when they are needed.
func OpenOpenAPI(path string) (*OpenAPI, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	root, err := yamlDocument(path)
	if err != nil {
		return nil, err
	}
	d := &OpenAPI{base: "file://" + absolute, root: root, compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{}}
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(d.base, root); err != nil {
		return nil, err
	}
	paths, _ := root["paths"].(map[string]any)
	for path, item := range paths {
		match := regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
		for method, o := range item.(map[string]any) {
			if object, ok := o.(map[string]any); ok && method != "parameters" {
				d.operations = append(d.operations, operation{
					object["operationId"].(string), strings.ToUpper(method), path, match, object["responses"].(map[string]any),
					"#/paths/" + escape(path) + "/" + method + "/responses",
				})
			}
		}
	}
	return d, nil
}

// yamlDocument reads YAML as the values that a JSON decoder gives.
func yamlDocument(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s is no object", path)
	}
	return object, nil
}

func escape(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}

// Routes returns every method and path of the document, sorted.
func (d *OpenAPI) Routes() []string {
	var routes []string
	for _, o := range d.operations {
		routes = append(routes, o.method+" "+o.path)
	}
	slices.Sort(routes)
	return routes
}

// Problems returns the types of all problems of the document, sorted.
func (d *OpenAPI) Problems() ([]string, error) {
	_, schema := d.follow("", map[string]any{"$ref": "#/components/schemas/problem/properties/type"})
	var kinds []string
	list, _ := schema["enum"].([]any)
	for _, kind := range list {
		text, ok := kind.(string)
		if !ok {
			return nil, fmt.Errorf("the problem %v is no text", kind)
		}
		kinds = append(kinds, text)
	}
	slices.Sort(kinds)
	return kinds, nil
}

// Check returns what in an answer the document does not say: a status, a problem, a header or a part of the body.
// What is asked for outside of the document must be refused as it says.
func (d *OpenAPI) Check(method, path string, status int, header http.Header, body []byte) error {
	path, _, _ = strings.Cut(path, "?")
	known := false
	for _, o := range d.operations {
		if !o.match.MatchString(path) {
			continue
		}
		known = true
		if o.method == method || o.method == http.MethodGet && method == http.MethodHead {
			return d.answered(o, method, status, header, body)
		}
	}
	want := http.StatusNotFound
	if known {
		want = http.StatusMethodNotAllowed
	}
	if status != want || known != (header.Get("Allow") != "") {
		return fmt.Errorf("outside of the document: status %d, Allow %q", status, header.Get("Allow"))
	}
	if method == http.MethodHead {
		return nil
	}
	return d.valid("#/components/schemas/problem", body)
}

func (d *OpenAPI) answered(o operation, method string, status int, header http.Header, body []byte) error {
	pointer, response := d.follow(o.pointer+"/"+strconv.Itoa(status), o.responses[strconv.Itoa(status)])
	if response == nil {
		return fmt.Errorf("%s has no status %d", o.id, status)
	}
	if err := d.headers(pointer, response, header); err != nil {
		return fmt.Errorf("%s %d: %w", o.id, status, err)
	}
	content, _ := response["content"].(map[string]any)
	media := header.Get("Content-Type")
	switch {
	case content == nil && len(body) > 0:
		return fmt.Errorf("%s %d has no body", o.id, status)
	case content == nil || content["*/*"] != nil:
		d.saw(o.id, status, "")
		return nil
	case content[media] == nil:
		return fmt.Errorf("%s %d has no %q", o.id, status, media)
	case method == http.MethodHead:
		return nil
	}
	if err := d.valid(pointer+"/content/"+escape(media)+"/schema", body); err != nil {
		return fmt.Errorf("%s %d: %w in %s", o.id, status, err, body)
	}
	d.saw(o.id, status, problemType(body))
	return nil
}

// follow resolves references within the document.
func (d *OpenAPI) follow(pointer string, value any) (string, map[string]any) {
	object, _ := value.(map[string]any)
	for ref, ok := object["$ref"].(string); ok && strings.HasPrefix(ref, "#/"); ref, ok = object["$ref"].(string) {
		pointer = ref
		var at any = d.root
		for token := range strings.SplitSeq(ref[2:], "/") {
			parent, _ := at.(map[string]any)
			at = parent[token]
		}
		object, _ = at.(map[string]any)
	}
	return pointer, object
}

// everywhere are headers that every answer can have; info.description tells of them.
var everywhere = []string{
	"Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding", "Cache-Control", "X-Content-Type-Options",
	"Content-Security-Policy", "Referrer-Policy", "Strict-Transport-Security",
}

func (d *OpenAPI) headers(pointer string, response map[string]any, header http.Header) error {
	documented, _ := response["headers"].(map[string]any)
	names := map[string]bool{}
	for name := range documented {
		names[http.CanonicalHeaderKey(name)] = true
	}
	for name := range header {
		if !names[name] && !slices.Contains(everywhere, name) {
			return fmt.Errorf("the header %s is not in the document", name)
		}
	}
	for name, value := range documented {
		at, object := d.follow(pointer+"/headers/"+escape(name), value)
		text := header.Get(name)
		if text == "" {
			if object["required"] == true {
				return fmt.Errorf("the header %s is missing", name)
			}
			continue
		}
		quoted, _ := json.Marshal(text)
		if number, err := strconv.Atoi(text); err == nil && object["schema"].(map[string]any)["type"] == "integer" {
			quoted = []byte(strconv.Itoa(number))
		}
		if err := d.valid(at+"/schema", quoted); err != nil {
			return fmt.Errorf("the header %s: %w", name, err)
		}
	}
	return nil
}

// valid holds a JSON document against the schema at a pointer.
func (d *OpenAPI) valid(pointer string, text []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	schema := d.schemas[pointer]
	if schema == nil {
		var err error
		if schema, err = d.compiler.Compile(d.base + pointer); err != nil {
			return err
		}
		d.schemas[pointer] = schema
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func problemType(body []byte) string {
	var p struct{ Type string }
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	return p.Type
}

func (d *OpenAPI) saw(id string, status int, kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[strings.TrimSpace(fmt.Sprintf("%s %d %s", id, status, kind))] = true
}

// Unseen returns what the document promises and no checked answer had, sorted: "deposit 409
// urn:payonce:problem:order_reused".
func (d *OpenAPI) Unseen() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	promised := map[string]bool{}
	for _, o := range d.operations {
		for status, value := range o.responses {
			_, response := d.follow("", value)
			if response == nil {
				return nil, errors.New(o.id + " " + status + " refers to nothing")
			}
			for _, kind := range kindsOf(response) {
				promised[strings.TrimSpace(o.id+" "+status+" "+kind)] = true
			}
		}
	}
	maps.DeleteFunc(promised, func(name string, _ bool) bool { return d.seen[name] })
	return slices.Sorted(maps.Keys(promised)), nil
}

// kindsOf returns the problems that a response can be; one empty text where it is none.
func kindsOf(response map[string]any) []string {
	content, _ := response["content"].(map[string]any)
	media, _ := content["application/problem+json"].(map[string]any)
	schema, _ := media["schema"].(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	kind, _ := properties["type"].(map[string]any)
	if one, ok := kind["const"].(string); ok {
		return []string{one}
	}
	list, _ := kind["enum"].([]any)
	var kinds []string
	for _, one := range list {
		kinds = append(kinds, one.(string))
	}
	if len(kinds) == 0 {
		return []string{""}
	}
	return kinds
}
