package console

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"payonce/pkg/payment"
)

// Every text that a page shows has Korean, with the same arguments, and every Korean text is used.
func TestEveryTextHasKorean(t *testing.T) {
	used := map[string]bool{}
	patterns := map[string]*regexp.Regexp{
		"templates/*.html": regexp.MustCompile(`[{( ]t "([^"]+)"`), "*.go": regexp.MustCompile(`(?:say|word)\("([^"]+)"`),
	}
	for files, pattern := range patterns {
		names, err := filepath.Glob(files)
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
				used[m[1]] = true
			}
		}
	}
	delete(used, "status ") // with each status below
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
	for _, name := range []string{"Now", "Needs a person", "Payments", "Parked", "Dead letters", "Audit", "Providers"} { // of the menu
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
