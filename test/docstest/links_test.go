package docstest

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	aLink     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	aTitle    = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *#*$`)
	aFootnote = regexp.MustCompile(`(?m)^\[\^([a-z0-9-]+)\]:`)
	aNote     = regexp.MustCompile(`\[\^([a-z0-9-]+)\]`)
)

// anchors returns the names by which a page's headings are linked to, as GitNotifier makes them.
func anchors(page string) map[string]bool {
	_, outside := blocks(page)
	names, seen := map[string]bool{}, map[string]int{}
	for _, title := range aTitle.FindAllStringSubmatch(outside, -1) {
		text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(title[1], "$1")
		name := strings.Map(func(c rune) rune {
			switch {
			case unicode.IsLetter(c) || unicode.IsDigit(c) || c == '-' || c == '_':
				return unicode.ToLower(c)
			case c == ' ':
				return '-'
			}
			return -1
		}, text)
		if n := seen[name]; n > 0 {
			names[fmt.Sprintf("%s-%d", name, n)] = true
		}
		seen[name]++
		names[name] = true
	}
	return names
}

// badLinks returns what a page links to and is not there. headings are those of all pages, by path.
func badLinks(page aPage, headings map[string]map[string]bool) (bad []string) {
	_, outside := blocks(page.text)
	for _, link := range aLink.FindAllStringSubmatch(outside, -1) {
		target, anchor, _ := strings.Cut(link[1], "#")
		if strings.Contains(target, "://") {
			continue
		}
		where := page.path
		if target != "" {
			where = path.Join(path.Dir(page.path), target)
		}
		if exists(where) != nil || strings.HasPrefix(target, "/") || anchor != "" && !headings[where][anchor] {
			bad = append(bad, link[1])
		}
	}
	given, used := aFootnote.FindAllStringSubmatch(outside, -1), aNote.FindAllStringSubmatch(aFootnote.ReplaceAllString(outside, ""), -1)
	for _, pair := range [][2][][]string{{given, used}, {used, given}} {
		for _, note := range pair[0] {
			if !slices.ContainsFunc(pair[1], func(other []string) bool { return other[1] == note[1] }) {
				bad = append(bad, "[^"+note[1]+"]")
			}
		}
	}
	return bad
}

func headingsOf(pages []aPage) map[string]map[string]bool {
	headings := map[string]map[string]bool{}
	for _, page := range pages {
		headings[page.path] = anchors(page.text)
	}
	return headings
}

// Every link leads to a file and a heading that are there, and every footnote to its text.
func TestLinks(t *testing.T) {
	pages := allPages(t)
	headings := headingsOf(pages)
	for _, page := range pages {
		for _, bad := range badLinks(page, headings) {
			t.Errorf("%s links to %s, which is not there", page.path, bad)
		}
	}
}

func TestBrokenLinksAreSeen(t *testing.T) {
	pages := allPages(t)
	headings := headingsOf(pages)
	for _, wrong := range []string{"[a](none.md)", "[a](../CHANGELOG.md#none)", "[a](#none)", "[a](/docs/payctl.md)", "a[^1]", "[^2]: a", "[a](../README.md/x)"} {
		if len(badLinks(aPage{"docs/payctl.md", wrong}, headings)) != 1 {
			t.Errorf("%s is not seen", wrong)
		}
	}
	for _, right := range []string{"[a](payctl.md)", "[a](#dead-letters)", "[a](../README.md)", "[a](https://example.com/#x)", "a[^1]\n\n[^1]: b", "```text\n[a](none.md)\n```"} {
		if bad := badLinks(aPage{"docs/payctl.md", right}, headings); len(bad) > 0 {
			t.Errorf("%s is called wrong: %v", right, bad)
		}
	}
}

// Every page can be reached from README by links.
func TestEveryPageIsFound(t *testing.T) {
	pages := allPages(t)
	byPath := map[string]string{}
	for _, page := range pages {
		byPath[page.path] = page.text
	}
	reached, next := map[string]bool{}, []string{"README.md"}
	for len(next) > 0 {
		here := next[0]
		next = next[1:]
		if reached[here] {
			continue
		}
		reached[here] = true
		for _, link := range aLink.FindAllStringSubmatch(byPath[here], -1) {
			target, _, _ := strings.Cut(link[1], "#")
			where := path.Join(path.Dir(here), target)
			if _, page := byPath[where]; page {
				next = append(next, where)
			}
			for name := range byPath { // a link to a folder shows the pages in it
				if path.Dir(name) == where {
					next = append(next, name)
				}
			}
		}
	}
	for name := range byPath {
		if !reached[name] {
			t.Errorf("no way leads from README.md to %s", name)
		}
	}
}
