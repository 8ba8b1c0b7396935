package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/width"
)

// How many columns of a terminal the scenario and its table take at most.
const (
	scenarioWidth = 100
	tableWidth    = 120
)

// columns is how many columns of a terminal a text takes: Korean letters take two each.
func columns(text string) (n int) {
	for _, r := range text {
		n++
		if kind := width.LookupRune(r).Kind(); kind == width.EastAsianWide || kind == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}

// wrap breaks a text at its blanks into lines of at most so many columns, the second and later ones as far indented as the first.
func wrap(text string, most int) (lines []string) {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = indent + word
		case columns(line)+1+columns(word) > most:
			lines, line = append(lines, line), indent+word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// shorten leaves a text that is longer than so many columns its beginning.
func shorten(text string, most int) string {
	if columns(text) <= most {
		return text
	}
	end := 0
	for i, r := range text {
		if columns(text[:i])+columns(string(r)) > most-1 {
			break
		}
		end = i + len(string(r))
	}
	return text[:end] + "…"
}

// listed names fields by group: "customer.first_name and customer.last_name".
func listed(fields map[string][]string) string {
	var names []string
	for _, group := range slices.Sorted(maps.Keys(fields)) {
		for _, name := range slices.Sorted(slices.Values(fields[group])) {
			names = append(names, group+"."+name)
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return fmt.Sprintf("%s and %s", strings.Join(names[:last], ", "), names[last])
}
