package contracts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// explaining are the keys of an AsyncAPI document that no message can break.
var explaining = []string{"description", "summary", "title", "info", "servers", "examples", "tags"}

// document is an AsyncAPI document.
type document map[string]any

// promises lists what it says of addresses, headers and bodies, one line for each value. The order of a list does not
// count, and nor does whether something stands in the components or where it is used.
func (d document) promises(at string, value any) (all []string) {
	switch value := value.(type) {
	case map[string]any:
		if to, is := value["$ref"].(string); is && !strings.HasPrefix(at, "/channels/") && strings.HasPrefix(to, "#/") {
			return d.promises(at, d.at(to))
		}
		isName := strings.HasSuffix(at, "/properties") // names of the wire, not words of AsyncAPI
		for key, below := range value {
			switch {
			case key == "allOf" && !isName:
				all = append(all, d.promises(at, below)...)
			case at == "/components" && key != "messages": // counts where it is used
			case isName || !slices.Contains(explaining, key):
				all = append(all, d.promises(at+"/"+key, below)...)
			}
		}
	case []any:
		for _, below := range value {
			all = append(all, d.promises(at, below)...)
		}
	default:
		all = append(all, fmt.Sprintf("%s: %v", at, value))
	}
	return all
}

// at returns what a reference within the document leads to; nil where there is nothing.
func (d document) at(ref string) any {
	var value any = map[string]any(d)
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		inside, _ := value.(map[string]any)
		value = inside[name]
	}
	return value
}

// broken lists what one text of the document promises and another does not.
func broken(t *testing.T, was, is []byte) []string {
	t.Helper()
	var old, now map[string]any
	for text, into := range map[*[]byte]*map[string]any{&was: &old, &is: &now} {
		if err := yaml.Unmarshal(*text, into); err != nil {
			t.Fatal(err)
		}
	}
	kept := map[string]bool{}
	for _, promise := range document(now).promises("", now) {
		kept[promise] = true
	}
	return slices.DeleteFunc(document(old).promises("", old), func(promise string) bool { return kept[promise] })
}

// What was released of the messages is still promised. "make openapi" compares the OpenAPI document and the schemas.
func TestAsyncAPIOnlyGrows(t *testing.T) {
	files, err := filepath.Glob("../../docs/contracts/released/*/asyncapi.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		for _, promise := range broken(t, read(t, file), read(t, asyncAPI)) {
			t.Errorf("%s: %s was removed", file, promise)
		}
	}
	today := string(read(t, asyncAPI))
	for _, change := range []struct{ replace, with, want string }{
		{"address: payment.settled.{provider}.{order}", "address: payments.settled.{provider}.{order}", "/channels/paymentSettled/address: payment.settled"},
		{"Payonce-Dead-Reason:\n            description", "Payonce-Reason:\n            description", "/components/messages/deadLetter/headers/properties/Payonce-Dead-Reason"},
		{"              - payment.settled\n", "              - payment.paid\n", "/components/messages/paymentSettled/headers/properties/ce-type/enum: payment.settled"},
		{"        - action\n", "", "/components/messages/operatorDrop/payload/required: action"},
		{"              - payment.settled\n", "              - payment.settled\n              - payment.more\n", ""},
	} {
		planted := strings.Replace(today, change.replace, change.with, 1)
		got := strings.Join(broken(t, []byte(today), []byte(planted)), "\n")
		if planted == today || !strings.Contains(got, change.want) || change.want == "" && got != "" {
			t.Errorf("%q finds %q, want %q", change.with, got, change.want)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
