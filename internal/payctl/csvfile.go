package payctl

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// What a file may have. Who fixes the first problems of a file fixes the others with them.
const (
	maxFileBytes = 64 << 20
	maxColumns   = 200
	maxProblems  = 200
)

// problem is one thing that is wrong with a file. It holds no value of the file.
type problem struct {
	Line    int    `json:"line"`
	Column  string `json:"column,omitempty"`
	Problem string `json:"problem"`
}

func (p problem) String() string {
	if p.Column == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Problem)
	}
	return fmt.Sprintf("line %d, %s: %s", p.Line, p.Column, p.Problem)
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	about, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !about.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a regular file", path)
	case about.Size() > maxFileBytes:
		return nil, fmt.Errorf("%s: has more than %d MiB", path, maxFileBytes>>20)
	}
	return io.ReadAll(io.LimitReader(file, about.Size()))
}

// problems are those of one file: the first ones, and that there are more.
type problems []problem

func (p *problems) report(line int, column, text string) {
	switch len(*p) {
	case maxProblems:
	case maxProblems - 1:
		*p = append(*p, problem{line, "", "more problems follow and are not shown"})
	default:
		*p = append(*p, problem{line, column, text})
	}
}

// enough reports whether nothing more is taken.
func (p *problems) enough() bool { return len(*p) == maxProblems }

// wideLine returns the first line that has more columns than a file may have, 0 when there is none.
func wideLine(text []byte, separator rune) int {
	line := 1
	for one := range bytes.SplitSeq(text, []byte("\n")) {
		if bytes.Count(one, []byte(string(separator))) >= maxColumns {
			return line
		}
		line++
	}
	return 0
}

// notUTF8 returns the first line that is not UTF-8, 0 when all are.
func notUTF8(text []byte) int {
	if utf8.Valid(text) {
		return 0
	}
	line := 1
	for one := range bytes.SplitAfterSeq(text, []byte("\n")) {
		if !utf8.Valid(one) {
			break
		}
		line++
	}
	return line
}

// separatorOf looks at the first line: names of columns hold neither of the two.
func separatorOf(text []byte) (rune, error) {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	commas, semicolons := bytes.ContainsRune(first, ','), bytes.ContainsRune(first, ';')
	switch {
	case commas && semicolons:
		return 0, errors.New("the first line has both commas and semicolons; use one of them as the separator")
	case semicolons:
		return ';', nil
	}
	return ',', nil
}

// readRows reads a CSV text: the first line by header, which reports whether the others can be read, and each of them
// by row, at most so many and until there are enough problems. What is wrong with the text itself is reported with its line.
func readRows(text []byte, most int, found *problems, header func(line int, values []string) bool, row func(line int, values []string)) {
	report := found.report
	if spreadsheet(text) {
		report(1, "", "is a spreadsheet, not CSV: export it as CSV")
		return
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if line := notUTF8(text); line > 0 {
		report(line, "", "is not UTF-8: save the file as CSV UTF-8")
		return
	}
	separator, err := separatorOf(text)
	if err != nil {
		report(1, "", err.Error())
		return
	}
	if line := wideLine(text, separator); line > 0 {
		report(line, "", fmt.Sprintf("has more than %d columns", maxColumns))
		return
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = separator, -1
	columns := 0
	for read := 0; !found.enough(); read++ {
		values, err := r.Read()
		var syntax *csv.ParseError
		switch {
		case err == io.EOF && columns == 0:
			report(1, "", "the file is empty")
			return
		case err == io.EOF:
			return
		case errors.As(err, &syntax):
			report(syntax.StartLine, "", "is not CSV: "+syntax.Err.Error())
			if columns == 0 || read > most {
				return
			}
			continue
		}
		line, _ := r.FieldPos(0)
		switch {
		case columns == 0:
			if columns = len(values); !header(line, values) {
				return
			}
		case read > most:
			report(line, "", fmt.Sprintf("a file may have at most %d lines below the first", most))
			return
		case strings.TrimSpace(strings.Join(values, "")) == "": // spreadsheets write rows that were emptied
		case len(values) != columns:
			report(line, "", fmt.Sprintf("has %d columns, the first line has %d", len(values), columns))
		default:
			row(line, values)
		}
	}
}

// spreadsheet reports whether a file is an XLS or XLSX one, by how such files begin.
func spreadsheet(text []byte) bool {
	return bytes.HasPrefix(text, []byte("\xd0\xcf\x11\xe0")) || bytes.HasPrefix(text, []byte("PK\x03\x04"))
}
