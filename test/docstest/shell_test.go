package docstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// aPage is a page of the documentation.
type aPage struct{ path, text string }

// allPages returns every Markdown page of the repository, by its path from the root.
func allPages(t *testing.T) (pages []aPage) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && (name == "testdata" || name == "node_modules" || len(name) > 2 && name[0] == '.') {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".md" {
			return nil
		}
		data, err := os.ReadFile(path)
		short, _ := filepath.Rel(root, path)
		pages = append(pages, aPage{filepath.ToSlash(short), string(data)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) == 0 {
		t.Fatal("no page is found")
	}
	return pages
}

// block is what is between two fences.
type block struct {
	language, text string
	line           int
}

// blocks returns the fenced blocks of a page, and the page without them.
func blocks(page string) (all []block, rest string) {
	var outside strings.Builder
	open, number := false, 0
	for line := range strings.Lines(page) {
		number++
		switch fence, found := strings.CutPrefix(strings.TrimSpace(line), "```"); {
		case found && !open:
			all = append(all, block{language: fence, line: number + 1})
			open = true
		case found:
			open = false
		case open:
			all[len(all)-1].text += line
		default:
			outside.WriteString(line)
		}
	}
	return all, outside.String()
}

var (
	assignment   = regexp.MustCompile(`^[A-Z_]+=`)
	substitution = regexp.MustCompile(`\$\(([^()]*)\)`)
)

// script splits what is in a block into commands of words: quotes, comments, redirections, ends of lines
// with a backslash, and commands whose output is used. Assignments are left out.
func script(text string) (commands [][]string) {
	for _, inner := range substitution.FindAllStringSubmatch(text, -1) {
		commands = append(commands, script(inner[1])...)
	}
	text = substitution.ReplaceAllString(text, "OUTPUT")
	text = strings.ReplaceAll(text, "\\\n", " ")
	s := splitter{}
	for _, c := range text + "\n" {
		s.take(c)
	}
	return append(commands, s.commands...)
}

// splitter is the state of script.
type splitter struct {
	commands [][]string
	words    []string
	word     strings.Builder
	begun    bool // a word has begun, even an empty one
	quote    rune
	comment  bool
	skip     bool // the next word is a file of a redirection
}

func (s *splitter) take(c rune) {
	switch {
	case s.comment && c != '\n':
	case s.quote != 0 && c == s.quote:
		s.quote = 0
	case s.quote != 0:
		s.word.WriteRune(c)
	case c == '\'' || c == '"':
		s.quote, s.begun = c, true
	case c == '#' && !s.begun:
		s.comment = true
	case strings.ContainsRune(" \t", c):
		s.endWord()
	case strings.ContainsRune("\n;|&", c):
		s.endWord()
		s.endCommand()
		s.comment = false
	case strings.ContainsRune("<>", c):
		s.endWord()
		s.skip = true
	default:
		s.word.WriteRune(c)
		s.begun = true
	}
}

func (s *splitter) endWord() {
	word := s.word.String()
	s.word.Reset()
	switch {
	case !s.begun:
		return
	case s.skip:
		s.skip = false
	case len(s.words) == 0 && assignment.MatchString(word):
	default:
		s.words = append(s.words, word)
	}
	s.begun = false
}

func (s *splitter) endCommand() {
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words = nil
}
