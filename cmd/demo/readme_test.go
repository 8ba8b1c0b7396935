package main

import (
	"regexp"
	"strings"
	"testing"
)

// leftOut marks in README where lines of the scenario are left out.
const leftOut = "…"

// transcriptOf returns the lines that README shows.
func transcriptOf(t *testing.T, readme string) []string {
	t.Helper()
	_, after, found := strings.Cut(readme, "<!-- transcript")
	_, after, fenced := strings.Cut(after, "```text\n")
	text, _, ends := strings.Cut(after, "\n```")
	if !found || !fenced || !ends {
		t.Fatal("README has no transcript")
	}
	return strings.Split(text, "\n")
}

// varies is what differs from one run of the scenario to the next. A timeline may have more events on a slow
// machine: its first and its last stay the same. The bank's name is in the provider's answer only: it is not known
// where the answer came too late, and the payment was looked up.
var varies = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`^ *\d+\.\ds   `), "TIME   "},
	{regexp.MustCompile(`took \d+\.\d s`), "took TIME"},
	{regexp.MustCompile(`submitting → .*(settled|failed) \+\S+$`), "submitting → $1"},
	{regexp.MustCompile(`token=\S+`), "TOKEN"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`worker \d \(pid \d+\)`), "WORKER"},
	{regexp.MustCompile(`pids \d+ and \d+`), "PIDS"},
	{regexp.MustCompile(`account \d+`), "ACCOUNT"},
	{regexp.MustCompile(`ACCOUNT at (기업은행|the bank)$`), "ACCOUNT at BANK"},
	{regexp.MustCompile(`  +`), "  "},
}

// normal is a line without what varies.
func normal(line string) string {
	for _, v := range varies {
		line = v.what.ReplaceAllString(line, v.by)
	}
	return line
}

// firstWrong returns the first line of a transcript that a run did not print where the transcript has it: in
// order, and right after the line before, unless a line says that something is left out. Empty: there is none.
func firstWrong(transcript []string, run string) string {
	printed, at, anywhere := strings.Split(run, "\n"), 0, false
	for _, line := range transcript {
		if line == leftOut {
			anywhere = true
			continue
		}
		for anywhere && at < len(printed) && normal(line) != normal(printed[at]) {
			at++
		}
		if at == len(printed) || normal(line) != normal(printed[at]) {
			return line
		}
		at, anywhere = at+1, false
	}
	return ""
}

// A transcript that is wrong, out of order or shortened without a word is seen.
func TestWrongTranscriptIsSeen(t *testing.T) {
	const run = "  0.1s   one, pid\n\n  0.2s   two at 127.0.0.1:99\n  0.3s   three\nx  submitting → pending +1s → settled +2ms\nend"
	for shown, right := range map[string]bool{
		"  9.1s   one, pid\n\n  9.9s   two at 127.0.0.1:1": true, "  0.1s   one, pid\n…\n  0.3s   three\n…\nend": true,
		"…\nx     submitting → settled +9s\nend":          true,
		"  0.1s   one, pid\n  0.2s   two at 127.0.0.1:99": false, "…\n  0.3s   three\n  0.2s   two at 127.0.0.1:99": false, "…\n  0.3s   threes": false,
		"  0.1s   one, pid\n\n  0.3s   three": false, "…\nx  submitting → failed +9s": false, "…\nend\nmore": false, "two at 127.0.0.1:99": false,
	} {
		if wrong := firstWrong(strings.Split(shown, "\n"), run); (wrong == "") != right {
			t.Errorf("%q: %q", shown, wrong)
		}
	}
}
