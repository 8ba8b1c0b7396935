// Package payouts reads files of payouts, and queues what stands in them.
package payouts

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"payonce/internal/csvfile"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Most is how many payouts a file may have.
const Most = 100_000

// The metadata of an imported payout.
const (
	metadataFile = "import_file" // the file's name without its folder
	metadataLine = "import_line"
)

// Payout is one good line.
type Payout struct {
	Line    int
	Command payment.Command
}

// Target is the account that pays.
type Target struct {
	Provider  string
	Project   string // as the file must name it
	Connector connectors.Connector
	Now       time.Time
}

// ErrKind says that the format of a file is not that of a provider.
var ErrKind = errors.New("the file format is that of ECommPay's Dashboard")

// TargetOf returns the account of a provider. A file of ECommPay's Dashboard names a project, which only an account there has: of
// another kind the error is [ErrKind].
func TargetOf(name string, of config.Provider, connector connectors.Connector, now time.Time) (Target, error) {
	if of.Kind != ecommpay.Kind.Name {
		return Target{}, fmt.Errorf("%s is of kind %s; %w", name, of.Kind, ErrKind)
	}
	var settings ecommpay.Settings
	if err := of.Decode(&settings); err != nil {
		return Target{}, err
	}
	return Target{Provider: name, Project: strconv.FormatInt(settings.ProjectID, 10), Connector: connector, Now: now}, nil
}

// Read reads and checks a whole file. The error says that it cannot be read at all; everything that is wrong inside is among the
// file's problems.
func Read(path string, to Target) (*File, error) {
	text, err := csvfile.Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(filepath.Base(path), text, to), nil
}

// Parse is Read of a file that is in memory.
func Parse(name string, text []byte, to Target) *File {
	f := &File{Name: name, to: to, lines: map[string]int{}, sum: sha256.Sum256(text)}
	csvfile.ReadRows(text, Most, &f.Problems, f.header, f.row)
	if len(f.Payouts)+len(f.Problems) == 0 {
		f.report(1, "", "no payouts below the column names")
	}
	return f
}

// File is what stands in a file.
type File struct {
	Name     string
	Payouts  []Payout
	Problems csvfile.Problems
	Total    payment.Money // of the payouts, which have one currency

	to    Target
	order []int          // of the columns
	lines map[string]int // order number → its first line
	sum   [sha256.Size]byte
}

// Audited is the file as a record of AUDIT names it.
func (f *File) Audited() events.AuditFile {
	return events.AuditFile{Name: f.Name, SHA256: hex.EncodeToString(f.sum[:]), Payouts: len(f.Payouts)}
}

// header reads the names of the columns and reports whether the lines below can be read.
func (f *File) header(line int, names []string) bool {
	f.order, f.Problems = readHeader(line, names)
	return len(f.Problems) == 0
}

func (f *File) report(line int, column, text string) {
	f.Problems.Report(line, column, text)
}

// row reads one payout, or reports everything that is wrong with it.
func (f *File) row(line int, row []string) {
	before := len(f.Problems)
	values := map[string]string{}
	cmd := payment.Command{
		Ref: payment.Ref{Provider: f.to.Provider}, Operation: payment.Payout, RequestedAt: f.to.Now,
		Metadata: map[string]string{metadataFile: f.Name, metadataLine: strconv.Itoa(line)},
	}
	for index, value := range row {
		c := columns[f.order[index]]
		if text := c.checkValue(value); text != "" {
			f.report(line, c.name, text)
			continue
		}
		values[c.name] = value
		c.set(&cmd, value)
	}
	if project := values[projectColumn]; project != "" && project != f.to.Project {
		f.report(line, projectColumn, "is not the project of this provider")
	}
	cmd = cmd.Normalised()
	f.duplicate(line, cmd.Order)
	if len(f.Problems) > before {
		return
	}
	if err := f.check(&cmd, values); err != nil {
		f.refuse(line, err)
		return
	}
	f.Payouts = append(f.Payouts, Payout{line, cmd})
}

// duplicate reports an order number that is in an earlier line.
func (f *File) duplicate(line int, order string) {
	if first, doubled := f.lines[order]; doubled && order != "" {
		f.report(line, orderColumn, fmt.Sprintf("stands in line %d already", first))
		return
	}
	f.lines[order] = line
}

// check reads the amount and asks the connector.
func (f *File) check(cmd *payment.Command, values map[string]string) (err error) {
	if cmd.Amount, err = payment.ParseMoney(values[amountColumn], values[currencyColumn]); err != nil {
		var wrong *payment.FieldError
		if errors.As(err, &wrong) {
			return &payment.FieldError{Field: "amount." + wrong.Field, Problem: wrong.Problem}
		}
		return err
	}
	if err := connectors.Check(f.to.Connector, *cmd); err != nil {
		return err
	}
	if f.Total, err = f.Total.Add(cmd.Amount); err != nil {
		return &payment.FieldError{Field: "amount", Problem: "the sum of the file's amounts is too large"}
	}
	return nil
}

// refuse reports why a payout is not acceptable.
func (f *File) refuse(line int, err error) {
	problems := payment.ProblemsOf(err)
	for _, wrong := range problems {
		f.report(line, columnOf(wrong.Field), wrong.Problem)
	}
	if problems != nil {
		return
	}
	f.report(line, "", "this payout is not valid") // the text is not known to be free of values
}
