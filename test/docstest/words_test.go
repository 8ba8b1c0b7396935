package docstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// retired are words that only this project used, or used for several things. docs/glossary.md has those that stay.
var retired = regexp.MustCompile(`(?i)\b(deeds?|desks?|strays?|stranded|hindrances?|heed|ladders?|rungs?|nudge[ds]?|sieves?|` +
	`yardsticks?|strangers?|forgers?|anew|mend(?:ed|s)?|unclear|taken[ _]back|taken in|in hand|receipts?|rivals?|trials?|stor(?:y|ies)|` +
	`patience|partlytakenback|takenback|personsettled|personfailed|waitsforrestart|collectless)\b`)

// noActor matches words that name no actor, in documents, and noActorInComments in comments. Both say who: the worker, a
// person, the upstream.
var (
	noActor           = regexp.MustCompile(`(?i)\b(whoever|anybody|somebody|everybody)\b|--because\b`)
	noActorInComments = regexp.MustCompile(`(?i)//.*\b(whoever|anybody|somebody|everybody|nobody)\b`)
)

var (
	anArticle = regexp.MustCompile(`([A-Z])([A-Z][a-z])`)
	aWordEnds = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)

// retiredIn returns the retired words of a text, also those within an identifier.
func retiredIn(text string) []string {
	text = anArticle.ReplaceAllString(text, "$1 $2")
	text = aWordEnds.ReplaceAllString(text, "$1 $2")
	return retired.FindAllString(strings.ReplaceAll(text, "_", " "), -1)
}

func TestRetiredWords(t *testing.T) {
	// What was published stays as it was, and some words are others'.
	except := []string{"CHANGELOG.md", "UPGRADING.md", "LICENSE", "words_test.go", "package-lock.json", "go.sum"}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := len(entry.Name()) > 2 && entry.Name()[0] == '.'
		if entry.IsDir() && (hidden || slices.Contains([]string{"bin", "secrets", "node_modules", "testdata", "released"}, entry.Name())) {
			return fs.SkipDir
		}
		if entry.IsDir() || slices.Contains(except, entry.Name()) || !slices.Contains(append(ofText, ".md"), filepath.Ext(name)) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if found := retiredIn(filepath.Base(name) + "\n" + string(text)); len(found) > 0 {
			slices.Sort(found)
			t.Errorf("%s uses %q, which docs/glossary.md or plain English has another word for", name, slices.Compact(found))
		}
		if found := noActor.FindAllString(string(text), -1); filepath.Ext(name) == ".md" && len(found) > 0 {
			t.Errorf("%s uses %q, which names no actor", name, found)
		}
		if found := noActorInComments.FindAllString(string(text), -1); filepath.Ext(name) == ".go" && len(found) > 0 {
			t.Errorf("%s has comments that name no actor: %q", name, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRetiredWordsAreFound(t *testing.T) {
	for text, want := range map[string]int{
		"a deed": 1, "newDeeds": 1, "given_by_desk": 1, "TestTakenBackTwice": 1, "recommended": 0, "history": 0, "the ladder": 1, "industrial": 0, "TestANewOne": 0,
	} {
		if got := retiredIn(text); len(got) != want {
			t.Errorf("%q: %q, want %d", text, got, want)
		}
	}
}
