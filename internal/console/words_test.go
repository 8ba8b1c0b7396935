package console

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Every text that a page shows has Korean, with the same arguments, and every Korean text is used.
func TestEveryTextHasKorean(t *testing.T) {
	used := map[string]bool{}
	patterns := map[string]*regexp.Regexp{
		"templates/*.html": regexp.MustCompile(`[{( ]t "([^"]+)"`), "*.go": regexp.MustCompile(`(?:say(?:\(r\))?\(|word\(|again\(http\.\w+, |\badd\([^"\n{]+|return (?:d|operator\.Decision\{\}), )"([^"]+)"`),
	}
	for files, pattern := range patterns {
		names, err := filepath.Glob(files)
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				used[m[1]] = true
			}
		}
	}
	for _, kind := range []string{"status ", "stage ", "action "} {
		delete(used, kind) // with each below
	}
	for _, s := range events.Stages() {
		used["stage "+string(s)] = true
	}
	for _, a := range events.Actions() {
		used["action "+string(a)] = true
	}
	for text := range used {
		if kind, _, has := strings.Cut(text, " "); has && (kind == "stage" || kind == "action") && english[text] == "" {
			t.Errorf("%s has no English text", text)
		}
	}
	for _, text := range resultWords {
		used[text] = true
	}
	for _, text := range bulkActions {
		used[text] = true
	}
	for _, text := range decideTitles {
		used[text] = true
	}
	for _, text := range importResults {
		used[text] = true
	}
	for _, text := range endpointTitles {
		used[text] = true
	}
	for _, state := range []endpointState{stateMissing, stateDisabled, stateSilent, stateOpen, stateHalfOpen, stateEnabled} {
		used[state.Word] = true
	}
	used[reasonMissing] = true
	for _, s := range payment.Statuses() {
		used["status "+string(s)] = true
		if english["status "+string(s)] == "" {
			t.Errorf("%s has no English text", s)
		}
	}
	for _, op := range payment.Operations() {
		used[string(op)] = true
	}
	for _, text := range problems {
		used[text] = true
	}
	for _, name := range []string{"Now", "Needs a person", "Payments", "Parked", "Dead letters", "Approvals", "Audit", "Providers", "Ledgers", "Statements"} { // of the menu
		used[name] = true
	}
	verbs := regexp.MustCompile(`%[.0-9]*[a-z]`)
	for text := range used {
		if korean[text] == "" {
			t.Errorf("%q has no Korean", text)
		} else if strings.Count(text, "%") > 0 && len(verbs.FindAllString(text, -1)) != len(verbs.FindAllString(korean[text], -1)) {
			t.Errorf("%q has other arguments in Korean: %q", text, korean[text])
		}
	}
	for text := range korean {
		if !used[text] {
			t.Errorf("%q is shown nowhere", text)
		}
	}
}
