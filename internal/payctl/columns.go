package payctl

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// column is one field of a payout as the provider's Gate takes it (ECommPay's Korean banks page, "Payouts by using Gate").
type column struct {
	name  string
	field string // of a command, as a payment.FieldError names it
	set   func(*payment.Command, string)
	check func() check.Test // what must hold about a value alone; nil for nothing special
}

// The columns that are more than a text of the command.
const (
	projectColumn  = "general.project_id"
	orderColumn    = "general.payment_id"
	amountColumn   = "payment.amount"
	currencyColumn = "payment.currency"
)

// columns are all that a file has: what the Gate's payout requires, except for the signature.
var columns = []column{
	{projectColumn, "", func(*payment.Command, string) {}, check.Number},
	{orderColumn, "order", func(c *payment.Command, v string) { c.Order = v }, nil},
	{"customer.id", "customer.id", func(c *payment.Command, v string) { c.Customer.ID = v }, nil},
	{"customer.first_name", "customer.first_name", func(c *payment.Command, v string) { c.Customer.FirstName = v }, check.Name},
	{"customer.last_name", "customer.last_name", func(c *payment.Command, v string) { c.Customer.LastName = v }, check.Name},
	{"customer.email", "customer.email", func(c *payment.Command, v string) { c.Customer.Email = v }, nil},
	{"customer.ip_address", "customer.ip_address", func(c *payment.Command, v string) { c.Customer.IPAddress = v }, nil},
	{"account.number", "account.number", func(c *payment.Command, v string) { c.Account.Number = v }, accountNumber},
	{"account.customer_name", "account.holder", func(c *payment.Command, v string) { c.Account.Holder = v }, check.Name},
	{"account.bank_id", "account.bank_code", func(c *payment.Command, v string) { c.Account.BankCode = v }, check.Number},
	{amountColumn, "amount", func(*payment.Command, string) {}, nil},
	{currencyColumn, "amount.currency", func(*payment.Command, string) {}, nil},
}

func accountNumber() check.Test { return check.AccountNumber(check.MostDigits) }

// spellings maps what a header may call a column to its index: "customer.first_name",
// "customer_first_name", or "first_name" where that is plain. They are in small letters.
var spellings = func() map[string]int {
	all := map[string]int{}
	for i, c := range columns {
		group, bare, _ := strings.Cut(c.name, ".")
		all[c.name], all[group+"_"+bare] = i, i
		if bare != "id" && bare != "number" {
			all[bare] = i
		}
	}
	return all
}()

// columnOf names the column that a field of a command comes from; the field itself if none does.
func columnOf(field string) string {
	if field == "amount.value" {
		return amountColumn
	}
	for _, c := range columns {
		if c.field == field {
			return c.name
		}
	}
	return field
}

// readHeader returns for each place of a row the index of its column. A row with far more places than there are columns is no
// header, and gets one problem instead of one for each place: problems must not take more memory than the file.
func readHeader(line int, header []string) ([]int, []problem) {
	if n, most := len(header), 3*len(columns); n > most {
		return nil, []problem{{line, fmt.Sprintf("column %d", most+1), fmt.Sprintf("there are %d columns, and at most %d are read; the first line must name the columns", n, most)}}
	}
	var found []problem
	order, seen := make([]int, len(header)), map[int]bool{}
	for place, name := range header {
		name = strings.ToLower(columnName(name))
		i, known := spellings[name]
		switch {
		case name == "signature" || name == "general.signature" || name == "general_signature":
			found = append(found, problem{line, fmt.Sprintf("column %d", place+1), "signature is not a column of this file: each request is signed when it is sent"})
		case !known: // not shown: without a header it is a person's data
			found = append(found, problem{line, fmt.Sprintf("column %d", place+1), "is not a payout column; the first line must name the columns"})
		case seen[i]:
			found = append(found, problem{line, columns[i].name, "occurs twice"})
		}
		order[place], seen[i] = i, seen[i] || known
	}
	for i, c := range columns {
		if !seen[i] {
			found = append(found, problem{line, c.name, "the column is missing"})
		}
	}
	return order, found
}

// columnName takes off what editors and exports put around the name of a column: blanks, also those that no
// editor shows, and further byte order marks of files that were joined.
func columnName(name string) string {
	return strings.TrimFunc(name, func(r rune) bool { return unicode.IsSpace(r) || payment.UnseenCharacter(r) != "" })
}

// scientific is how a spreadsheet writes a long number whose digits it has dropped.
var scientific = regexp.MustCompile(`^[0-9]([.,][0-9]+)?[Ee]\+[0-9]+$`)

// asText is what to do about a value that a spreadsheet took for a number.
const asText = ": format the column as text and enter the value again"

// checkValue returns what is wrong with a value of this column, whatever the others say, or nothing.
func (c column) checkValue(value string) string {
	if problem := checkValue(value); problem != "" {
		return problem
	}
	if problem := payment.TextProblem(value); problem != "" {
		return problem
	}
	for _, test := range []func() check.Test{check.Text, c.check} {
		if test == nil {
			continue
		}
		if problem := test().Problem(value); problem != "" {
			return hinted(problem)
		}
	}
	return ""
}

// checkValue returns what is wrong with a value of any column and any file, or nothing.
func checkValue(value string) string {
	switch {
	case value == "":
		return "is required"
	case strings.TrimSpace(value) != value:
		return "begins or ends with a space"
	case scientific.MatchString(value):
		return hinted(check.RoundedNumber)
	}
	return ""
}

// hinted adds what to do where a spreadsheet is to blame.
func hinted(problem string) string {
	if strings.Contains(problem, "spreadsheet") {
		return problem + asText
	}
	return problem
}
