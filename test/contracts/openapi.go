package contracts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// OpenAPI is an OpenAPI document, against which answers are held. It remembers what it has seen. It is safe for
// concurrent use.
type OpenAPI struct {
	*openapi3.T
	router routers.Router

	mu   sync.Mutex
	seen map[string]bool
}

// OpenOpenAPI reads a document and what it refers to.
func OpenOpenAPI(path string) (*OpenAPI, error) {
	loader := openapi3.NewLoader()
	loader.IsExternalRefsAllowed = true
	document, err := loader.LoadFromFile(path)
	if err != nil {
		return nil, err
	}
	document.Servers = nil // a test listens where it can
	// Without these two kin-openapi leaves out what is new in OpenAPI 3.1, or does not find the schemas.
	document.InternalizeRefs(context.Background(), nil)
	for _, schema := range document.Components.Schemas {
		schema.Value.SchemaID = ""
	}
	router, err := gorillamux.NewRouter(document)
	return &OpenAPI{T: document, router: router, seen: map[string]bool{}}, err
}

// Routes returns every method and path of the document, sorted.
func (d *OpenAPI) Routes() []string {
	var routes []string
	for path, item := range d.Paths.Map() {
		for method := range item.Operations() {
			routes = append(routes, method+" "+path)
		}
	}
	slices.Sort(routes)
	return routes
}

// Problems returns the types of all problems of the document, sorted.
func (d *OpenAPI) Problems() []string {
	return slices.Sorted(slices.Values(texts(d.Components.Schemas["problem"].Value.Properties["type"].Value.Enum)))
}

func texts(values []any) (all []string) {
	for _, value := range values {
		all = append(all, fmt.Sprint(value))
	}
	return all
}

// Check returns what in an answer the document does not say: a status, a problem, a header or a part of the body.
// What is asked for outside of the document must be refused as it says.
func (d *OpenAPI) Check(method, path string, status int, header http.Header, body []byte) error {
	path, _, _ = strings.Cut(path, "?")
	request := &http.Request{Method: method, URL: &url.URL{Path: path}, Header: http.Header{}}
	options := openapi3filter.Options{IncludeResponseStatus: true}
	if method == http.MethodHead { // as GET, without the body
		request.Method, options.ExcludeResponseBody = http.MethodGet, true
	}
	route, parameters, err := d.router.FindRoute(request)
	if err != nil {
		return d.outside(method, status, header, body, err)
	}
	id := fmt.Sprintf("%s %d", route.Operation.OperationID, status)
	input := openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route},
		Status:                 status, Header: header, Options: &options,
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(context.Background(), &input); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	response := route.Operation.Responses.Status(status).Value
	if len(response.Content) == 0 && len(body) > 0 {
		return fmt.Errorf("%s has no body", id)
	}
	documented := slices.Clone(everywhere)
	for name := range response.Headers {
		documented = append(documented, http.CanonicalHeaderKey(name))
	}
	for name := range header {
		if !slices.Contains(documented, name) {
			return fmt.Errorf("%s: the header %s is not in the document", id, name)
		}
	}
	if method != http.MethodHead || len(response.Content) == 0 {
		d.saw(id, problemType(body))
	}
	return nil
}

// CheckRequest returns what in a request the document does not allow. Who sends it is not checked.
func (d *OpenAPI) CheckRequest(method, target string, header http.Header, body string) error {
	request, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = header
	route, parameters, err := d.router.FindRoute(request)
	if err != nil {
		return err
	}
	return openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
		Request: request, PathParams: parameters, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	})
}

// outside checks the refusal of a path or a method that is not in the document.
func (d *OpenAPI) outside(method string, status int, header http.Header, body []byte, reason error) error {
	want, known := http.StatusNotFound, errors.Is(reason, routers.ErrMethodNotAllowed)
	if known {
		want = http.StatusMethodNotAllowed
	}
	if status != want || known != (header.Get("Allow") != "") {
		return fmt.Errorf("%w: status %d, Allow %q", reason, status, header.Get("Allow"))
	}
	if method == http.MethodHead {
		return nil
	}
	var problem any
	if err := json.Unmarshal(body, &problem); err != nil {
		return err
	}
	return d.Components.Schemas["problem"].Value.VisitJSON(problem, openapi3.EnableJSONSchema2020())
}

// everywhere are headers that every answer can have; info.description names them.
var everywhere = []string{
	"Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding", "Cache-Control", "X-Content-Type-Options",
	"Content-Security-Policy", "Referrer-Policy", "Strict-Transport-Security",
}

func problemType(body []byte) string {
	var p struct{ Type string }
	_ = json.Unmarshal(body, &p) // what is no problem has none
	return p.Type
}

func (d *OpenAPI) saw(id, kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[strings.TrimSpace(id+" "+kind)] = true
}

// Unseen returns what the document promises and no checked answer had, sorted: "deposit 409
// urn:payonce:problem:order_reused".
func (d *OpenAPI) Unseen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	promised := map[string]bool{}
	for _, item := range d.Paths.Map() {
		for _, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				for _, kind := range kindsOf(response.Value) {
					promised[strings.TrimSpace(operation.OperationID+" "+status+" "+kind)] = true
				}
			}
		}
	}
	maps.DeleteFunc(promised, func(name string, _ bool) bool { return d.seen[name] })
	return slices.Sorted(maps.Keys(promised))
}

// kindsOf returns the problems that a response can be; one empty text where it is none.
func kindsOf(response *openapi3.Response) []string {
	media := response.Content["application/problem+json"]
	if media == nil {
		return []string{""}
	}
	kinds := []string{""}
	for _, part := range append(openapi3.SchemaRefs{media.Schema}, media.Schema.Value.AllOf...) {
		if kind := part.Value.Properties["type"]; kind != nil && kind.Value.Const != nil {
			kinds = []string{fmt.Sprint(kind.Value.Const)}
		} else if kind != nil && len(kind.Value.Enum) > 0 {
			kinds = texts(kind.Value.Enum)
		}
	}
	return kinds
}
