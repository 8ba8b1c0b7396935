// Package csvfile reads CSV files that people export and edit, and says what is wrong with them by line and column.
package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// What a file may have. Who fixes the first problems of a file fixes the others with them.
const (
	MaxBytes    = 64 << 20
	maxColumns  = 200
	MaxProblems = 200
)

// Problem is one thing that is wrong with a file. It holds no value of the file.
type Problem struct {
	Line    int    `json:"line"`
	Column  string `json:"column,omitempty"`
	Problem string `json:"problem"`
}

func (p Problem) String() string {
	if p.Column == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Problem)
	}
	return fmt.Sprintf("line %d, %s: %s", p.Line, p.Column, p.Problem)
}

// Read reads a file of a bounded size.
func Read(path string) ([]byte, error) {
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
	case about.Size() > MaxBytes:
		return nil, fmt.Errorf("%s: has more than %d MiB", path, MaxBytes>>20)
	}
	return io.ReadAll(io.LimitReader(file, about.Size()))
}

// Problems are those of one file: the first ones, and that there are more.
type Problems []Problem

func (p *Problems) Report(line int, column, text string) {
	switch len(*p) {
	case MaxProblems:
	case MaxProblems - 1:
		*p = append(*p, Problem{line, "", "more problems follow and are not shown"})
	default:
		*p = append(*p, Problem{line, column, text})
	}
}

// Enough reports whether nothing more is taken.
func (p *Problems) Enough() bool { return len(*p) == MaxProblems }

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

// ReadRows reads a CSV text: the first line by header, which reports whether the others can be read, and each of them
// by row, at most so many and until there are enough problems. What is wrong with the text itself is reported with its line.
func ReadRows(text []byte, most int, found *Problems, header func(line int, values []string) bool, row func(line int, values []string)) {
	report := found.Report
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
	for read := 0; !found.Enough(); read++ {
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

// ColumnName takes off what editors and exports put around the name of a column: blanks, also those that no
// editor shows, and further byte order marks of files that were joined.
func ColumnName(name string) string {
	return strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) || payment.UnseenCharacter(r) != "" })
}

// scientific is how a spreadsheet writes a long number whose digits it has dropped.
var scientific = regexp.MustCompile(`^[0-9]([.,][0-9]+)?[Ee]\+[0-9]+$`)

// asText is what to do about a value that a spreadsheet took for a number.
const asText = ": format the column as text and enter the value again"

// CheckValue returns what is wrong with a value of any column and any file, or nothing. It holds nothing of the value.
func CheckValue(value string) string {
	switch {
	case value == "":
		return "is required"
	case strings.TrimSpace(value) != value:
		return "begins or ends with a space"
	case scientific.MatchString(value):
		return Hinted(check.RoundedNumber)
	}
	return ""
}

// Hinted adds what to do where a spreadsheet is to blame.
func Hinted(problem string) string {
	if strings.Contains(problem, "spreadsheet") {
		return problem + asText
	}
	return problem
}
