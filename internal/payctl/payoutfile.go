package payctl

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// maxPayouts is how many payouts a file may have.
const maxPayouts = 100_000

// The metadata of an imported payout.
const (
	metadataFile = "import_file" // the file's name without its folder
	metadataLine = "import_line"
)

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
	f := parsePayouts(filepath.Base(path), text, to)
	f.sum = sha256.Sum256(text)
	return f, nil
}

func parsePayouts(name string, text []byte, to target) *file {
	f := &file{name: name, to: to, lines: map[string]int{}}
	readRows(text, maxPayouts, &f.problems, f.header, f.row)
	if len(f.payouts)+len(f.problems) == 0 {
		f.report(1, "", "no payouts below the column names")
	}
	return f
}

// file is a file that is being read.
type file struct {
	name     string
	to       target
	order    []int // of the columns
	payouts  []payout
	problems problems
	lines    map[string]int // order number → its first line
	total    payment.Money  // of the payouts, which have one currency
	sum      [sha256.Size]byte
}

// header reads the names of the columns and reports whether the lines below can be read.
func (f *file) header(line int, names []string) bool {
	f.order, f.problems = readHeader(line, names)
	return len(f.problems) == 0
}

func (f *file) report(line int, column, text string) {
	f.problems.report(line, column, text)
}

// row reads one payout, or reports everything that is wrong with it.
func (f *file) row(line int, row []string) {
	before := len(f.problems)
	values := map[string]string{}
	cmd := payment.Command{
		Ref: payment.Ref{Provider: f.to.provider}, Operation: payment.Payout, RequestedAt: f.to.now,
		Metadata: map[string]string{metadataFile: f.name, metadataLine: strconv.Itoa(line)},
	}
	for place, value := range row {
		c := columns[f.order[place]]
		if text := c.checkValue(value); text != "" {
			f.report(line, c.name, text)
			continue
		}
		values[c.name] = value
		c.set(&cmd, value)
	}
	if project := values[projectColumn]; project != "" && project != f.to.project {
		f.report(line, projectColumn, "is not the project of this provider")
	}
	cmd = cmd.Normalised()
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

// duplicate reports an order number that is in an earlier line.
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
		return &payment.FieldError{Field: "amount", Problem: "the sum of the file's amounts is too large"}
	}
	return nil
}

// refuse reports why a payout is not acceptable.
func (f *file) refuse(line int, err error) {
	problems := payment.ProblemsOf(err)
	for _, wrong := range problems {
		f.report(line, columnOf(wrong.Field), wrong.Problem)
	}
	if problems != nil {
		return
	}
	f.report(line, "", "this payout is not valid") // the text is not known to be free of values
}
