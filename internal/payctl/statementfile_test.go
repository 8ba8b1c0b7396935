package payctl_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
)

// statementHeader and statementLine are a statement file in our own form. TIME is when the payment was made, in Korea.
const (
	statementHeader = "order,operation,amount,settled_amount,currency,status,reference,created_at,completed_at"
	statementLine   = "P-1,deposit,10000,9000,KRW,paid,PR-1,TIME,TIME"
)

// bookkeeping is a log with one deposit that settled just now, and a comparison of a file that was made two days later
// with yesterday, today and tomorrow: midnight may come while the test runs.
func bookkeeping(t *testing.T) (made time.Time, compare func(content string, args ...string) outcome) {
	t.Helper()
	conn, config := system(t)
	seoul := time.FixedZone("KST", 9*60*60)
	cmd := command("P-1")
	cmd.RequestedAt = time.Now().Truncate(time.Second)
	live(t, conn, payment.New(cmd), submitting, pending, settled)
	made = cmd.RequestedAt
	times := strings.NewReplacer("ZTIME", made.UTC().Format("2006-01-02T15:04:05.123Z07:00"), "UTIME", made.UTC().Format(time.DateTime),
		"STIME", made.In(seoul).Format("2006/01/02 15:04:05"), "TIME", made.In(seoul).Format(time.DateTime), "DAY", made.In(seoul).Format(time.DateOnly))
	return made, func(content string, args ...string) outcome {
		t.Helper()
		path := filepath.Join(t.TempDir(), "statement.csv")
		if err := os.WriteFile(path, []byte(times.Replace(content)), 0o600); err != nil {
			t.Fatal(err)
		}
		if written := made.Add(48 * time.Hour); os.Chtimes(path, written, written) != nil {
			t.Fatal("the file has no time")
		}
		from, to := made.In(seoul).AddDate(0, 0, -1), made.In(seoul).AddDate(0, 0, 1)
		return run(t, "", append([]string{
			"statements", "compare", shop, "--from", from.Format(time.DateOnly), "--to", to.Format(time.DateOnly), "--file", path, "--config", config,
		}, args...)...)
	}
}

func TestCompareWithAFile(t *testing.T) {
	t.Parallel()
	made, compare := bookkeeping(t)
	semicolons := strings.NewReplacer(",", ";").Replace
	more := statementHeader + "\n" + statementLine + "\n" + strings.Replace(statementLine, "P-1,", "P-9,", 1)
	tomorrow := made.In(time.FixedZone("KST", 9*60*60)).AddDate(0, 0, 1)
	for name, test := range map[string]struct {
		content  string
		args     []string
		code     int
		out, err string
	}{
		"agrees":                     {statementHeader + "\n" + statementLine, nil, 0, "compared=1 matched=1 findings=0 noted=0 lines=1", ""},
		"BOM, CRLF and semicolons":   {"\ufeff" + semicolons(statementHeader) + "\r\n" + semicolons(statementLine) + "\r\n", nil, 0, "matched=1", ""},
		"quotes":                     {statementHeader + "\n" + `"P-1","deposit","10000","9000","KRW","paid","PR-1","TIME",""`, nil, 0, "matched=1", ""},
		"a zone of its own":          {statementHeader + "\n" + strings.Replace(statementLine, "TIME", "ZTIME", 1), nil, 0, "matched=1", ""},
		"decimals that say nothing":  {statementHeader + "\n" + strings.Replace(statementLine, "10000,9000", "10000.00,9000.0", 1), nil, 0, "matched=1", ""},
		"not all columns":            {"created_at,status,order,amount,settled_amount\nTIME,paid,P-1,10000,9000", []string{"--operation", "deposit", "--currency", "KRW"}, 0, "matched=1", ""},
		"what moved alone":           {"created_at,status,order,settled_amount\nTIME,paid,P-1,9000", []string{"--operation", "deposit", "--currency", "KRW"}, 0, "matched=1", ""},
		"the provider's own names":   {"Payment ID;Secret;Sum;Cur.;State;Made\nP-1;x;9000;KRW;success;STIME", []string{"--operation", "deposit", "--columns", "order=Payment ID,settled_amount=Sum,currency=Cur.,status=State,created_at=Made", "--statuses", "success=paid"}, 0, "matched=1", ""},
		"a word nobody explained":    {"Payment ID;Sum;Cur.;State;Made\nP-1;9000;KRW;success;TIME", []string{"--operation", "deposit", "--columns", "order=Payment ID,settled_amount=Sum,currency=Cur.,status=State,created_at=Made"}, 1, "indeterminate deposit P-1", "findings: 1"},
		"another amount":             {statementHeader + "\n" + strings.Replace(statementLine, "9000", "10000", 1), nil, 1, "paid: 9000 KRW with us, 10000 KRW there", "findings: 1"},
		"another number, any may be": {statementHeader + "\n" + strings.Replace(statementLine, "PR-1", "PR-2", 1), nil, 0, "matched=1", ""},
		"another currency":           {statementHeader + "\n" + strings.Replace(statementLine, "KRW", "TWD", 1), nil, 1, "amount_differs deposit P-1", ""},
		"one more":                   {statementHeader + "\n" + statementLine + "\n" + strings.Replace(statementLine, "P-1,", "=1+1,", 1), []string{"--format", "csv"}, 1, "missing_here,'=1+1,deposit", "compared=2 matched=1 findings=1"},
		"twice":                      {statementHeader + "\n" + statementLine + "\n" + strings.Replace(statementLine, "PR-1", "PR-2", 1), nil, 1, "charged_twice deposit P-1", ""},
		"twice, without a number":    {statementHeader + "\n" + strings.Replace(statementLine, "PR-1", "", 1) + "\n" + strings.Replace(statementLine, "PR-1", "", 1), nil, 1, "charged_twice deposit P-1", ""},
		"a time without a zone":      {more, []string{"--format", "json"}, 1, `"at": "` + made.UTC().Format(time.RFC3339) + `"`, ""},
		"the last day is compared":   {more, []string{"--format", "json"}, 1, `"until": "` + tomorrow.AddDate(0, 0, 1).Format(time.DateOnly) + "T00:00:00+09:00", ""},
		"lines after it was made":    {statementHeader + "\nx,deposit,1,,KRW,declined,R," + made.Add(2*time.Hour).UTC().Format(time.RFC3339) + ",", []string{"--as-of", made.Add(30 * time.Minute).Format(time.RFC3339)}, 1, "missing_there deposit P-1", ""},
		"a list without it":          {statementHeader + "\n" + strings.Replace(statementLine, "P-1", "x", 1), nil, 1, "missing_here deposit x", "findings: 2"},
		"only names":                 {statementHeader, nil, 1, "missing_there deposit P-1", "findings: 1"},
		"other days":                 {statementHeader + "\n" + statementLine, []string{"--from", made.AddDate(0, 0, -10).Format(time.DateOnly), "--to", made.AddDate(0, 0, -9).Format(time.DateOnly)}, 0, "compared=0 matched=0 findings=0 noted=0 lines=1", ""},
		"in another zone":            {statementHeader + "\n" + strings.Replace(statementLine, "TIME", "UTIME", 1), []string{"--zone", "UTC"}, 0, "matched=1", ""},
		"made before":                {statementHeader, []string{"--as-of", made.Add(-time.Hour).Format(time.RFC3339), "--notes"}, 0, "moving deposit P-1", ""},
		"made within the margin":     {statementHeader, []string{"--as-of", made.Add(30 * time.Minute).Format(time.RFC3339), "--notes"}, 0, "not_covered deposit P-1", ""},
		"only the other operation":   {statementHeader + "\n" + statementLine, []string{"--operation", "payout"}, 0, "findings=0", ""},
	} {
		t.Run(name, func(t *testing.T) { compare(test.content, test.args...).expect(t, test.code, test.out, test.err) })
	}
}

// What is wrong with a file is shown line by line, without a value, and nothing is compared: exit code 2.
func TestCompareRefusesBadFiles(t *testing.T) {
	t.Parallel()
	_, compare := bookkeeping(t)
	swapped := func(old, with string) string {
		return statementHeader + "\n" + statementLine + "\n" + strings.Replace(strings.Replace(statementLine, "P-1", "P-2", 1), old, with, 1)
	}
	for name, test := range map[string]struct {
		content, says string
		args          []string
	}{
		"empty":                     {"", "line 1: the file is empty", nil},
		"no header":                 {statementLine, "line 1, column 1: is not a statement column", nil},
		"an unknown column":         {statementHeader + ",secret\n" + statementLine + ",x", "line 1, column 10: is not a statement column", nil},
		"a column is missing":       {"order,amount,currency,operation,created_at\n", "line 1, status: the column is missing", nil},
		"no amount at all":          {"order,currency,operation,status,created_at\n", "line 1, amount: the column is missing", nil},
		"no operation":              {"order,amount,currency,status,created_at\n", "line 1, operation: the column is missing", nil},
		"no currency":               {"order,amount,operation,status,created_at\n", "line 1, currency: the column is missing", nil},
		"a column twice":            {statementHeader + ",order\n", "line 1, order: occurs twice", nil},
		"a named column is missing": {"order,amount,currency,operation,status,created_at\n", "line 1, reference: the column is missing", []string{"--columns", "order=order,amount=amount,currency=currency,operation=operation,status=status,created_at=created_at,reference=No"}},
		"no order":                  {swapped("P-2", ""), "line 3, order: is required", nil},
		"too few columns":           {statementHeader + "\nP-1,deposit", "line 2: has 2 columns, the first line has 9", nil},
		"an odd operation":          {swapped("deposit", "refund"), "line 3, operation: must be deposit or payout", nil},
		"an odd amount":             {swapped("10000", "10.000,5"), "line 3: has 10 columns", nil},
		"separators in an amount":   {swapped("10000", `"10,000"`), "line 3, amount: must have no separators", nil},
		"a negative amount":         {swapped("10000", "-10000"), "line 3, amount: must be a decimal number", nil},
		"half a won":                {swapped("10000", "10000.5"), "line 3, amount: KRW has no decimals", nil},
		"a point and nothing":       {swapped("10000", "10000."), "line 3, amount: must be a decimal number", nil},
		"a shortened number":        {swapped("10000", "1E+15"), "line 3, amount: looks like a number that a spreadsheet rounded: format the column as text", nil},
		"a moved amount":            {swapped("9000", "x"), "line 3, settled_amount: must be a decimal number", nil},
		"no amount in a line":       {swapped("10000,9000", ","), "line 3, amount: is required", nil},
		"an odd currency":           {swapped("KRW", "WON"), "line 3, currency: must be one of", nil},
		"no currency in a line":     {swapped("KRW", ""), "line 3, currency: is required", nil},
		"no status":                 {swapped("paid", ""), "line 3, status: is required", nil},
		"a day without a time":      {swapped("TIME", "DAY"), "line 3, created_at: must be a time", nil},
		"no time":                   {swapped("TIME", ""), "line 3, created_at: is required", nil},
		"an odd second time":        {swapped("TIME,TIME", "TIME,soon"), "line 3, completed_at: must be a time", nil},
		"a blank":                   {swapped("P-2", " P-2"), "line 3, order: begins or ends with a space", nil},
		"a long text":               {swapped("PR-1", strings.Repeat("x", 300)), "line 3, reference: has more than 256 bytes", nil},
		"one payment twice":         {statementHeader + "\n" + statementLine + "\n" + statementLine, "line 3, reference: line 2 already has this reference and order", nil},
		"not UTF-8":                 {statementHeader + "\n" + statementLine + "\n\xff", "line 3: is not UTF-8", nil},
		"XLS":                       {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "line 1: is a spreadsheet, not CSV: export it as CSV", nil},
		"XLSX":                      {"PK\x03\x04\x14\x00", "line 1: is a spreadsheet, not CSV: export it as CSV", nil},
		"not CSV":                   {statementHeader + "\n" + `"P-1`, "line 2: is not CSV", nil},
		"both separators":           {"order;status,amount", "line 1: the first line has both", nil},
		"everything at once":        {statementHeader + "\n,refund,x,y,WON,,,z,z", "line 2, completed_at: must be a time", nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := compare(test.content, test.args...)
			o.expect(t, 2, "", test.says)
			if strings.Contains(o.out, "compared") || strings.Contains(o.errors, "P-2") || !strings.Contains(o.errors, "nothing was compared") {
				t.Errorf("%s%s", o.out, o.errors)
			}
		})
	}
	o := compare(statementHeader + strings.Repeat("\nx", 150))
	o.expect(t, 2, "", "and 50 more\n")
	if strings.Count(o.errors, ": has 1 columns") != 100 {
		t.Errorf("%s", o.errors)
	}
}

// What is asked for in a wrong way is refused before anything is read.
func TestCompareRefusesBadQuestions(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", nowhere)
	statement, now := file(t, "statement.csv", statementHeader), time.Now().In(time.FixedZone("KST", 9*60*60)) // days are meant there
	on := func(from, to int) []string {
		return []string{shop, "--from", now.AddDate(0, 0, from).Format(time.DateOnly), "--to", now.AddDate(0, 0, to).Format(time.DateOnly)}
	}
	dated := append(on(-2, -2), "--file", statement)
	for says, args := range map[string][]string{
		"takes PROVIDER":                     {},
		"is not configured":                  append([]string{"nobody"}, on(-2, -2)[1:]...),
		"are required: days like":            {shop},
		"days like 2026-11-21":               {shop, "--from", "2026-11-21T00:00:00Z", "--to", "2026-11-21"},
		"--to is before --from":              on(-2, -3),
		"at most 31 days":                    on(-40, -9),
		"the day is in the future":           {shop, "--from", "2100-01-01", "--to", "2100-01-01"},
		"the log keeps payments since":       {shop, "--from", "2020-01-01", "--to", "2020-01-01"},
		"since":                              append(on(-399, -399), "--margin", "24h"), // of the 400 days that it remembers
		"has no statement API":               on(-2, -2),
		"--operation: ecommpay-kr supports":  append(slices.Clone(dated), "--operation", "refund"),
		"--format must be":                   append(slices.Clone(dated), "--format", "xml"),
		"--margin and --grace":               append(slices.Clone(dated), "--margin", "25h"),
		"must be 0 to":                       append(slices.Clone(dated), "--grace", "-1s"),
		"--zone":                             append(slices.Clone(dated), "--zone", "Asia/Nowhere"),
		`"Local" is not a time zone`:         append(slices.Clone(dated), "--zone", "Local"),
		"--as-of must be a time":             append(slices.Clone(dated), "--as-of", "yesterday"),
		"--columns: \"name\" is not one of":  append(slices.Clone(dated), "--columns", "name=Name"),
		"no column given for order":          append(slices.Clone(dated), "--columns", "order="),
		"--statuses: \"good\" is not one of": append(slices.Clone(dated), "--statuses", "success=good"),
		"--currency: \"WON\"":                append(slices.Clone(dated), "--currency", "WON"),
		"--currency requires --file":         append(on(-2, -2), "--currency", "KRW"),
		"no such file":                       append(dated[:5:5], "--file", "nowhere.csv"),
		"is not a regular file":              append(dated[:5:5], "--file", t.TempDir()),
		"statements needs a command":         nil,
	} {
		t.Run(says, func(t *testing.T) {
			all := append([]string{"statements", "compare", "--config", config}, args...)
			if args == nil {
				all = []string{"statements"}
			}
			run(t, "", all...).expect(t, 2, "", says)
		})
	}
}
