package contracts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payonce/pkg/events"
)

// released holds a copy of each schema for each released version. A copy is never changed: a new version of
// a contract gets a new folder beside it.
const released = "../../docs/contracts/released"

var contracts = map[string]struct {
	now       []byte
	direction direction
}{
	"command.v1.json":       {events.CommandSchema, weRead},
	"clarification.v1.json": {events.ClarificationSchema, weRead},
	"payment.v1.json":       {events.PaymentSchema, weWrite},
}

func TestOnlyAdditionsSinceTheReleases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(released, "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < len(contracts) {
		t.Fatalf("%d released schemas, want %d or more", len(files), len(contracts))
	}
	for _, file := range files {
		contract, known := contracts[filepath.Base(file)]
		if !known {
			t.Errorf("%s was released and exists no more", file)
			continue
		}
		for _, problem := range breaks("", document(t, read(t, file)), document(t, contract.now), contract.direction) {
			t.Errorf("%s: %s", filepath.Base(file), problem)
		}
	}
}

// TestBreaksAreFound plants what must never be released into today's schemas, and additions that may.
func TestBreaksAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		file, replace, with string
		want                string // a part of the only problem; empty for an addition
	}{
		"a status is removed":          {"payment.v1.json", `"settled",`, ``, "/properties/status/enum: settled was removed"},
		"a status is added":            {"payment.v1.json", `"settled",`, `"settled", "frozen",`, ""},
		"a field is renamed":           {"payment.v1.json", `"revision": {`, `"version": {`, "/properties/revision: was removed"},
		"a field is added":             {"payment.v1.json", `"revision": {`, `"colour": {"type": "string"}, "revision": {`, ""},
		"a type is changed":            {"payment.v1.json", `"type": "integer"`, `"type": "number"`, "/properties/revision/type: was changed"},
		"a description is changed":     {"payment.v1.json", "Counts the events of this payment.", "Counts.", ""},
		"an event can lack a field":    {"payment.v1.json", `"revision",`, ``, "/required: [revision] can be missing now"},
		"an operation is refused":      {"command.v1.json", `"provider": {`, `"provider": {"maxLength": 3,`, "/properties/provider/maxLength: is a new rule"},
		"a command needs another":      {"command.v1.json", `"amount"` + "\n  ]", `"amount", "method"` + "\n  ]", "/required: [method] is needed now"},
		"a name is written otherwise":  {"command.v1.json", `^[a-z0-9-]{1,32}$`, `^[a-z]{1,32}$`, "/properties/provider/pattern: was changed"},
		"a clarification needs other":  {"clarification.v1.json", `"fields": {`, `"values": {`, "/properties/fields: was removed"},
		"a command may carry a colour": {"command.v1.json", `"provider": {`, `"colour": {"type": "string"}, "provider": {`, ""},
	} {
		contract := contracts[c.file]
		text := string(contract.now)
		planted := strings.Replace(text, c.replace, c.with, 1)
		if c.file == "payment.v1.json" && c.replace == `"revision",` { // the last list is that of the whole event
			at := strings.LastIndex(text, c.replace)
			planted = text[:max(at, 0)] + c.with + text[max(at, 0)+len(c.replace):]
		}
		if planted == text {
			t.Errorf("%s: nothing was planted", name)
			continue
		}
		got := strings.Join(breaks("", document(t, contract.now), document(t, []byte(planted)), contract.direction), "; ")
		if got != c.want {
			t.Errorf("%s: have %q, want %q", name, got, c.want)
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

func document(t *testing.T, text []byte) any {
	t.Helper()
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return doc
}
