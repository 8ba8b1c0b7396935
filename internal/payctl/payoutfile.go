package payctl

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// Bounds of a file.
const (
	maxFileBytes = 64 << 20
	maxPayouts   = 100_000
)

// The metadata of an imported payout.
const (
	metadataFile = "import_file" // the file's name without its folder
	metadataLine = "import_line"
)

// problem is one thing that is wrong with a file. It holds no value of the file.
type problem struct {
	Line    int    `json:"line"`
	Column  string `json:"column,omitempty"`
	Problem string `json:"problem"`
}

// payout is one good line.
type payout struct {
	line int
	cmd  payment.Command
}

// target is the account that pays.
type target struct {
	provider  string
	project   string // as the file must name it
	connector connectors.Connector
	now       time.Time
}

// readPayouts reads and checks a whole file. The error says that it cannot be read at all; everything that
// is wrong inside is among the file's problems.
func readPayouts(path string, to target) (*file, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parsePayouts(filepath.Base(path), text, to), nil
}

func parsePayouts(name string, text []byte, to target) *file {
	f := &file{name: name, to: to, lines: map[string]int{}}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if line := notUTF8(text); line > 0 {
		f.report(line, "", "is not UTF-8: save the file as CSV UTF-8")
		return f
	}
	separator, err := separatorOf(text)
	if err != nil {
		f.report(1, "", err.Error())
		return f
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.FieldsPerRecord = separator, -1
	f.read(r)
	return f
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
		return 0, errors.New("the first line has both commas and semicolons; one of them must separate the columns")
	case semicolons:
		return ';', nil
	}
	return ',', nil
}

// file is a file that is being read.
type file struct {
	name     string
	to       target
	order    []int // of the columns
	rows     int   // below the header
	payouts  []payout
	problems []problem
	lines    map[string]int // order number → its first line
	total    payment.Money  // of the payouts
}

func (f *file) read(r *csv.Reader) {
	for header := true; ; header = false {
		row, err := r.Read()
		var syntax *csv.ParseError
		switch {
		case err == io.EOF && header:
			f.report(1, "", "the file is empty")
			return
		case err == io.EOF:
			if len(f.payouts)+len(f.problems) == 0 {
				f.report(1, "", "there are no payouts below the names of the columns")
			}
			return
		case errors.As(err, &syntax):
			f.report(syntax.StartLine, "", "is not CSV: "+syntax.Err.Error())
			if header {
				return
			}
			continue
		}
		line, _ := r.FieldPos(0)
		if header {
			if f.order, f.problems = readHeader(line, row); len(f.problems) > 0 {
				return
			}
			continue
		}
		if f.rows++; f.rows > maxPayouts {
			f.report(line, "", fmt.Sprintf("a file may have at most %d payouts", maxPayouts))
			return
		}
		f.row(line, row)
	}
}

func (f *file) report(line int, column, text string) {
	f.problems = append(f.problems, problem{line, column, text})
}

// row reads one payout, or reports everything that is wrong with it.
func (f *file) row(line int, row []string) {
	if len(row) != len(f.order) {
		f.report(line, "", fmt.Sprintf("has %d columns, the first line has %d", len(row), len(f.order)))
		return
	}
	if strings.Join(row, "") == "" {
		f.report(line, "", "is empty")
		return
	}
	before := len(f.problems)
	values := map[string]string{}
	cmd := payment.Command{
		Ref: payment.Ref{Provider: f.to.provider}, Operation: payment.Payout, RequestedAt: f.to.now,
		Metadata: map[string]string{metadataFile: f.name, metadataLine: strconv.Itoa(line)},
	}
	for place, value := range row {
		c := columns[f.order[place]]
		if text := checkValue(value); text != "" {
			f.report(line, c.name, text)
			continue
		}
		values[c.name] = value
		c.set(&cmd, value)
	}
	if project := values[projectColumn]; project != "" && project != f.to.project {
		f.report(line, projectColumn, "is not the project of this provider")
	}
	f.duplicate(line, cmd.Order)
	if len(f.problems) > before {
		return
	}
	if err := f.check(&cmd, values); err != nil {
		f.refuse(line, err)
		return
	}
	f.payouts = append(f.payouts, payout{line, cmd})
}

// duplicate reports an order number that stands in an earlier line.
func (f *file) duplicate(line int, order string) {
	if first, doubled := f.lines[order]; doubled && order != "" {
		f.report(line, orderColumn, fmt.Sprintf("stands in line %d already", first))
		return
	}
	f.lines[order] = line
}

// check reads the amount and asks the connector.
func (f *file) check(cmd *payment.Command, values map[string]string) (err error) {
	if cmd.Amount, err = payment.ParseMoney(values[amountColumn], values[currencyColumn]); err != nil {
		var wrong *payment.FieldError
		if errors.As(err, &wrong) {
			return &payment.FieldError{Field: "amount." + wrong.Field, Problem: wrong.Problem}
		}
		return err
	}
	if err := connectors.Check(f.to.connector, *cmd); err != nil {
		return err
	}
	if f.total, err = f.total.Add(cmd.Amount); err != nil {
		return &payment.FieldError{Field: "amount", Problem: "the amounts of the file are too large together"}
	}
	return nil
}

// refuse reports why a payout is not acceptable.
func (f *file) refuse(line int, err error) {
	var wrong *payment.FieldError
	if errors.As(err, &wrong) {
		f.report(line, columnOf(wrong.Field), wrong.Problem)
		return
	}
	f.report(line, "", "this payout is not taken") // the text is not known to be free of values
}
