package payouts

import (
	"fmt"
	"strings"

	"payonce/internal/csvfile"
	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// column is one field of a payout as the provider's Gate takes it (ECommPay's Korean banks page, "Payouts by using Gate").
type column struct {
	name  string
	field string // of a command, as a payment.FieldError names it
	set   func(*payment.Command, string)
	test  check.Test // what must hold about a value alone, beside [check.Text]
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
	{projectColumn, "", func(*payment.Command, string) {}, check.Number()},
	{orderColumn, "order", func(c *payment.Command, v string) { c.Order = v }, anyText},
	{"customer.id", "customer.id", func(c *payment.Command, v string) { c.Customer.ID = v }, anyText},
	{"customer.first_name", "customer.first_name", func(c *payment.Command, v string) { c.Customer.FirstName = v }, check.Name()},
	{"customer.last_name", "customer.last_name", func(c *payment.Command, v string) { c.Customer.LastName = v }, check.Name()},
	{"customer.email", "customer.email", func(c *payment.Command, v string) { c.Customer.Email = v }, anyText},
	{"customer.ip_address", "customer.ip_address", func(c *payment.Command, v string) { c.Customer.IPAddress = v }, anyText},
	{"account.number", "account.number", func(c *payment.Command, v string) { c.Account.Number = v }, check.AccountNumber(check.MostDigits)},
	{"account.customer_name", "account.holder", func(c *payment.Command, v string) { c.Account.Holder = v }, check.Name()},
	{"account.bank_id", "account.bank_code", func(c *payment.Command, v string) { c.Account.BankCode = v }, check.Number()},
	{amountColumn, "amount", func(*payment.Command, string) {}, anyText},
	{currencyColumn, "amount.currency", func(*payment.Command, string) {}, anyText},
}

// anyText is the test of all columns, and the only one of most.
var anyText = check.Text()

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

// readHeader returns for each field of a row the index of its column. A row with far more fields than there are columns is no
// header, and gets one problem instead of one for each field: problems must not take more memory than the file.
func readHeader(line int, header []string) ([]int, []csvfile.Problem) {
	if n, most := len(header), 3*len(columns); n > most {
		return nil, []csvfile.Problem{{Line: line, Column: fmt.Sprintf("column %d", most+1), Problem: fmt.Sprintf("there are %d columns, and at most %d are read; the first line must name the columns", n, most)}}
	}
	var found []csvfile.Problem
	order, seen := make([]int, len(header)), map[int]bool{}
	for index, name := range header {
		name = strings.ToLower(csvfile.ColumnName(name))
		i, known := spellings[name]
		switch {
		case name == "signature" || name == "general.signature" || name == "general_signature":
			found = append(found, csvfile.Problem{Line: line, Column: fmt.Sprintf("column %d", index+1), Problem: "signature is not a column of this file: each request is signed when it is sent"})
		case !known: // not shown: without a header it is a person's data
			found = append(found, csvfile.Problem{Line: line, Column: fmt.Sprintf("column %d", index+1), Problem: "is not a payout column; the first line must name the columns"})
		case seen[i]:
			found = append(found, csvfile.Problem{Line: line, Column: columns[i].name, Problem: "occurs twice"})
		}
		order[index], seen[i] = i, seen[i] || known
	}
	for i, c := range columns {
		if !seen[i] {
			found = append(found, csvfile.Problem{Line: line, Column: c.name, Problem: "the column is missing"})
		}
	}
	return order, found
}

// checkValue returns what is wrong with a value of this column, whatever the others say, or nothing.
func (c column) checkValue(value string) string {
	if problem := csvfile.CheckValue(value); problem != "" {
		return problem
	}
	if problem := payment.TextProblem(value); problem != "" {
		return problem
	}
	for _, test := range []check.Test{anyText, c.test} {
		if problem := test.Problem(value); problem != "" {
			return csvfile.Hinted(problem)
		}
	}
	return ""
}
