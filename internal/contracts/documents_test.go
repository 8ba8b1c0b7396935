package contracts

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// told are keys of a document that only explain, or say where a test environment runs.
var told = append([]string{"summary", "info", "servers", "example", "tags"}, annotations...)

// gone lists what an old OpenAPI or AsyncAPI document promises and a new one does not: a path, a subject, a status,
// a header, a field, a value. What is new is no break, except for what a caller then must send. The schemas that
// documents refer to are compared on their own.
func gone(at string, was, is any) (found []string) {
	switch old := was.(type) {
	case map[string]any:
		now, ok := is.(map[string]any)
		if !ok {
			return []string{at + ": was changed"}
		}
		for _, key := range keysOf(old) {
			if slices.Contains(told, key) && !isName(at) {
				continue
			}
			if _, has := now[key]; !has {
				found = append(found, at+"/"+key+": was removed")
				continue
			}
			found = append(found, gone(at+"/"+key, old[key], now[key])...)
		}
		if now["in"] != nil && now["required"] == true && old["required"] != true {
			found = append(found, at+": is needed now")
		}
	case []any:
		return goneOf(at, old, is)
	default:
		if !reflect.DeepEqual(was, is) {
			found = append(found, fmt.Sprintf("%s: was %v and is %v", at, was, is))
		}
	}
	return found
}

// isName says that the keys below a path are names of the wire and no words of the document's language.
func isName(at string) bool {
	return slices.Contains([]string{"properties", "headers", "channels", "messages", "operations", "paths"}, at[strings.LastIndexByte(at, '/')+1:])
}

func goneOf(at string, old []any, is any) (found []string) {
	now, ok := is.([]any)
	if !ok {
		return []string{at + ": was changed"}
	}
	if strings.HasSuffix(at, "/parameters") {
		for i, parameter := range now {
			p, _ := parameter.(map[string]any)
			if i >= len(old) && p["required"] == true {
				found = append(found, fmt.Sprintf("%s: %v is needed now", at, p["name"]))
			}
		}
	}
	for i, value := range old {
		switch _, nested := value.(map[string]any); {
		case nested && i < len(now):
			found = append(found, gone(fmt.Sprintf("%s/%d", at, i), value, now[i])...)
		case nested, !slices.ContainsFunc(now, func(other any) bool { return reflect.DeepEqual(value, other) }):
			found = append(found, fmt.Sprintf("%s: %v was removed", at, value))
		}
	}
	return found
}

func TestDocumentsOnlyGrow(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(released, "*", "*api.yaml"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		old, err := yamlDocument(file)
		if err != nil {
			t.Fatal(err)
		}
		now, err := yamlDocument(filepath.Join("../../docs/contracts", filepath.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range gone("", old, now) {
			t.Errorf("%s: %s", filepath.Base(file), problem)
		}
	}
}

// What must never be released is planted into today's documents, and additions that may.
func TestBreaksOfDocumentsAreFound(t *testing.T) {
	today := map[string]map[string]any{}
	for _, file := range []string{openAPI, asyncAPI} {
		var err error
		if today[file], err = yamlDocument(file); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ file, replace, with, want string }{
		"a subject is renamed":           {asyncAPI, "address: payment.settled.{provider}.{order}", "address: payments.settled.{provider}.{order}", "/channels/paymentSettled/address: was payment.settled.{provider}.{order} and is payments.settled.{provider}.{order}"},
		"a subject moves in its order":   {asyncAPI, "address: deadletter.{stream}.{provider}", "address: deadletter.{provider}.{stream}", "/channels/deadLetter/address: was"},
		"a channel is renamed":           {asyncAPI, "\n  paymentReversed:\n    address", "\n  paymentReverted:\n    address", "/channels/paymentReversed: was removed"},
		"a header is renamed":            {asyncAPI, "Payonce-Dead-Reason:\n            description", "Payonce-Reason:\n            description", "/components/messages/deadLetter/headers/properties/Payonce-Dead-Reason: was removed"},
		"a trace header goes":            {asyncAPI, "          ce-traceparent:\n", "          ce-trace:\n", "/components/messages/actionStored/headers/properties/ce-traceparent: was removed"},
		"an event's type is changed":     {asyncAPI, "              - payment.settled\n", "              - payment.paid\n", "/components/messages/paymentSettled/headers/properties/ce-type/enum: payment.settled was removed"},
		"an event has another schema":    {asyncAPI, "const: urn:payonce:schema:payment:v1", "const: urn:payonce:schema:payment:v2", "/components/messages/paymentConflict/headers/properties/ce-dataschema/const: was"},
		"an action can be missing":       {asyncAPI, "          - action\n", "", "/payload/required: action was removed"},
		"an event type more":             {asyncAPI, "              - payment.settled\n", "              - payment.settled\n              - payment.more\n", ""},
		"a path is renamed":              {openAPI, "  /v1/deposits:", "  /v1/deposit:", "/paths//v1/deposits: was removed"},
		"a status goes":                  {openAPI, `        "409": {$ref: "#/components/responses/reused"}` + "\n", "", "/paths//v1/deposits/post/responses/409: was removed"},
		"a problem goes":                 {openAPI, "            - urn:payonce:problem:order_reused\n", "", "/components/schemas/problem/properties/type/enum: urn:payonce:problem:order_reused was removed"},
		"a problem more":                 {openAPI, "            - urn:payonce:problem:order_reused\n", "            - urn:payonce:problem:order_reused\n            - urn:payonce:problem:more\n", ""},
		"a field of an answer goes":      {openAPI, "              stored_at: {type: string, format: date-time}\n", "", "/components/schemas/timeline/properties/events/items/properties/stored_at: was removed"},
		"a field of an answer is other":  {openAPI, "max_order_length: {type: integer,", "max_order_length: {type: string,", "max_order_length/type: was integer and is string"},
		"a field can be missing":         {openAPI, "required: [currency, available, frozen]", "required: [currency, available]", "/required: frozen was removed"},
		"a field more":                   {openAPI, "              stored_at: {type: string, format: date-time}\n", "              stored_at: {type: string, format: date-time}\n              colour: {type: string}\n", ""},
		"a header of an answer goes":     {openAPI, ", Location: {$ref: \"#/components/headers/location\"}}", "}", "/components/responses/accepted/headers/Location: was removed"},
		"a header can be missing":        {openAPI, "retryAfter: {description: Seconds until it is worth trying again., required: true,", "retryAfter: {description: Seconds until it is worth trying again., required: false,", "/components/headers/retryAfter/required: was true and is false"},
		"a caller must send more":        {openAPI, "          example: '\"1\"'\n", "          example: '\"1\"'\n        - {name: X-New, in: header, required: true, schema: {type: string}}\n", "/parameters: X-New is needed now"},
		"a caller may send more":         {openAPI, "          example: '\"1\"'\n", "          example: '\"1\"'\n        - {name: X-New, in: header, schema: {type: string}}\n", ""},
		"a body's field is not taken":    {openAPI, "        revision: {$ref: \"../../pkg/events/schemas/clarification.v1.json#/properties/revision\"}\n", "", "/components/schemas/clarification/properties/revision: was removed"},
		"a description is written again": {openAPI, "description: The API key is not for this, or no client certificate was shown.", "description: No.", ""},
		"what a status means is changed": {openAPI, "properties: {status: {enum: [ok, ready]}}", "properties: {status: {enum: [ok]}}", "/components/schemas/status/properties/status/enum: ready was removed"},
	} {
		text := string(read(t, c.file))
		planted := strings.Replace(text, c.replace, c.with, 1)
		if planted == text {
			t.Errorf("%s: nothing was planted", name)
			continue
		}
		file := filepath.Join(t.TempDir(), "planted.yaml")
		if err := os.WriteFile(file, []byte(planted), 0o600); err != nil {
			t.Fatal(err)
		}
		now, err := yamlDocument(file)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := gone("", today[c.file], now)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) == 0 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%s: have %q, want %q", name, got, c.want)
		}
	}
}
