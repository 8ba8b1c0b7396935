package payctl_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payonce/pkg/payment"
)

// header and line are a file as the example of a payout by Gate on ECommPay's Korean banks page has it.
const (
	header = "general.project_id,general.payment_id,customer.id,customer.first_name,customer.last_name,customer.email,customer.ip_address,account.number,account.customer_name,account.bank_id,payment.amount,payment.currency"
	line   = "200,P-1,100,Kon,Do,do@mail.com,248.1.1.1,950-001413-01-010,Do,140,10000,KRW"
)

func nth(n int) string { return strings.Replace(line, "P-1", fmt.Sprintf("P-%d", n), 1) }

// swap changes one value of the line.
func swap(old, with string) string { return strings.Replace(line, old, with, 1) }

func dryRun(t *testing.T, config, content string) outcome {
	t.Helper()
	return run(t, "", "payouts", "import", file(t, "payouts.csv", content), "--provider", shop, "--dry-run", "--config", config)
}

func TestGoodFiles(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", nowhere)
	underscored := strings.ReplaceAll(strings.ReplaceAll(header, ".", "_"), "ip_address", "ip_address")
	bare := "project_id,payment_id,customer_id,first_name,last_name,email,ip_address,account_number,customer_name,bank_id,amount,currency"
	for name, content := range map[string]string{
		"plain":            header + "\n" + line + "\n" + nth(2) + "\n",
		"no line end":      header + "\n" + line + "\n" + nth(2),
		"BOM and CRLF":     "\ufeff" + header + "\r\n" + line + "\r\n" + nth(2) + "\r\n",
		"semicolons":       strings.ReplaceAll(header+"\n"+line+"\n"+nth(2), ",", ";"),
		"empty lines":      header + "\n\n" + line + "\n\n" + nth(2) + "\n\n",
		"Korean":           header + "\n" + strings.Replace(line, "Kon,Do", "길동,홍", 1) + "\n" + strings.Replace(nth(2), "010,Do", "010,주식회사 홍", 1),
		"quotes":           header + "\n" + strings.Replace(line, "010,Do", `010,"Do, ""Kon"""`, 1) + "\n" + nth(2),
		"quoted semicolon": strings.ReplaceAll(header+"\n"+line+"\n"+nth(2), ",", ";") + "\n",
		"underscores":      underscored + "\n" + line + "\n" + nth(2),
		"bare names":       bare + "\n" + line + "\n" + nth(2),
		"capitals":         strings.ToUpper(header) + "\n" + line + "\n" + nth(2),
		"blanks in names":  "\ufeff\ufeff " + strings.ReplaceAll(strings.ReplaceAll(header, ",", " ,\u00a0"), "ip_address", "IP_Address") + "\n" + line + "\n" + nth(2),
		"lines of nothing": header + "\n,,,,,,,,,,,\n" + line + "\n , ,,,,,,,,,,\n,,\n" + nth(2) + "\n,,,,,,,,,,,\n",
		"names as typed":   header + "\n" + strings.Replace(line, "Kon,Do", "-길동,+홍", 1) + "\n" + strings.Replace(nth(2), "010,Do", "010,@홍", 1),
		"another order":    "payment.currency,payment.amount," + strings.TrimSuffix(header, ",payment.amount,payment.currency") + "\nKRW,10000," + strings.TrimSuffix(line, ",10000,KRW") + "\nKRW,10000," + strings.TrimSuffix(nth(2), ",10000,KRW"),
	} {
		t.Run(name, func(t *testing.T) {
			dryRun(t, config, content).expect(t, 0, "2 payouts, 20000 KRW in total: no problems. Nothing was sent.\n", "")
		})
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", nowhere)
	for _, c := range []struct{ name, content, says string }{
		{"empty", "", "line 1: the file is empty"},
		{"only a header", header, "line 1: no payouts below"},
		{"no header", line, "line 1, column 1: is not a payout column"},
		{"a column is missing", strings.Replace(header, "customer.email,", "", 1), "line 1, customer.email: the column is missing"},
		{"far too many columns", header + strings.Repeat(",", 60), "line 1, column 37: there are 72 columns, and at most 36 are read"},
		{"an unknown column", header + ",customer.phone", "line 1, column 13: is not a payout column"},
		{"the signature", header + ",general.signature", "line 1, column 13: signature is not a column"},
		{"a column twice", header + ",payment_id", "line 1, general.payment_id: occurs twice"},
		{"two separators", strings.Replace(header, ",", ";", 1), "line 1: the first line has both"},
		{"too few values", header + "\n" + strings.TrimSuffix(line, ",KRW"), "line 2: has 11 columns, the first line has 12"},
		{"only lines of nothing", header + "\n,,,,,,,,,,,\n,,,", "line 1: no payouts below"},
		{"a value is missing", header + "\n" + line + "\n" + swap("Kon", ""), "line 3, customer.first_name: is required"},
		{"a blank", header + "\n" + swap("Kon", "Kon "), "line 2, customer.first_name: begins or ends with a space"},
		{"a spreadsheet's number", header + "\n" + swap("950-001413-01-010", "9.50001E+13"), "line 2, account.number: looks like a number that a spreadsheet rounded: format the column as text"},
		{"another project", header + "\n" + swap("200", "0200"), "line 2, general.project_id: is not the project"},
		{"an order number", header + "\n" + swap("P-1", "P 1"), "line 2, general.payment_id: must be 1 to 64 characters"},
		{"an order twice", header + "\n" + line + "\n" + nth(2) + "\n" + line, "line 4, general.payment_id: stands in line 2 already"},
		{"an amount", header + "\n" + swap("10000", "10000.5"), "line 2, payment.amount: KRW has no decimals"},
		{"an amount with separators", header + "\n" + swap("10000", `"10,000"`), "line 2, payment.amount: must have no separators"},
		{"nothing to pay", header + "\n" + swap("10000", "0"), "line 2, payment.amount: must be positive"},
		{"a debt", header + "\n" + swap("10000", "-1"), "line 2, payment.amount: must be a decimal number"},
		{"a currency", header + "\n" + swap("KRW", "TWD"), "line 2, payment.currency: this provider accepts KRW"},
		{"an unknown currency", header + "\n" + swap("KRW", "krw"), "line 2, payment.currency: must be KRW or TWD"},
		{"an email", header + "\n" + swap("do@mail.com", "do"), "line 2, customer.email: must be an email"},
		{"an address", header + "\n" + swap("248.1.1.1", "248.1.1"), "line 2, customer.ip_address: must be an IP"},
		{"a bank", header + "\n" + swap(",140,", ",KB,"), "line 2, account.bank_id: must be the provider's number"},
		{"a long name", header + "\n" + swap("010,Do", "010,"+strings.Repeat("길", 257)), "line 2, account.customer_name: must have at most 256 characters"},
		{"a name over two lines", header + "\n" + swap("010,Do", "010,\"D\no\""), "line 2, account.customer_name: has a line break at position 2"},
		{"a lone quote", header + "\n" + swap("010,Do", `010,D"o`) + "\n" + swap("KRW", "TWD"), "line 2: is not CSV"},
		{"after a lone quote", header + "\n" + swap("010,Do", `010,D"o`) + "\n" + swap("KRW", "TWD"), "line 3, payment.currency"},
		{"a quote in the header", `"` + header, "line 1: is not CSV"},
		{"EUC-KR", header + "\n" + line + "\n" + strings.Replace(nth(2), "Kon", "\xb1\xe6\xb5\xbf", 1), "line 3: is not UTF-8"},
		{"UTF-16", "\xff\xfeg\x00", "line 1: is not UTF-8"},
		{"too much money", header + strings.Repeat("\n"+swap("10000", "999999999999999"), 1) + "\n" + strings.Replace(nth(2), "10000", "999999999999999", 1), "line 3, payment.amount: the sum of the file's amounts is too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := dryRun(t, config, c.content)
			o.expect(t, 1, c.says, "problems in the file: ")
			for _, private := range []string{"Kon", "길", "do@mail", "950-001413", "248.1.1"} {
				if strings.Contains(o.out+o.errors, private) {
					t.Errorf("%q is shown: %s", private, o.out)
				}
			}
		})
	}
}

// Every bad line is shown, not only the first.
func TestAllProblemsAreShown(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", nowhere)
	o := dryRun(t, config, header+"\n"+swap("Kon,Do", ",")+"\n"+nth(2)+"\n"+strings.Replace(nth(3), "KRW", "USD", 1)+"\n")
	want := "line 2, customer.first_name: is required\nline 2, customer.last_name: is required\nline 4, payment.currency: must be KRW or TWD\n"
	if o.out != want {
		t.Errorf("got %s", o.out)
	}
	path := file(t, "p.csv", header+"\n"+swap("Kon", ""))
	importFile(t, config, path, "--json").expect(t, 1,
		"\"problems\": [\n {\n \"line\": 2,\n \"column\": \"customer.first_name\",\n \"problem\": \"is required\"\n }\n ]", "nothing was sent")
}

func TestImportUsage(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", nowhere)
	path := file(t, "payouts.csv", header+"\n"+line)
	for _, c := range []struct {
		says string
		args []string
	}{
		{"--provider is required", []string{path}},
		{"takes FILE.csv, got 0 arguments", []string{"--provider", shop}},
		{`provider "acme" is not configured`, []string{path, "--provider", "acme"}},
		{"teemopay-kr is of kind teemopay", []string{path, "--provider", other}},
		{"no such file", []string{filepath.Join(t.TempDir(), "none.csv"), "--provider", shop}},
		{"not a regular file", []string{t.TempDir(), "--provider", shop}},
	} {
		run(t, "", append(with(config, by, "payouts", "import"), c.args...)...).expect(t, 2, "", c.says)
	}
	importFile(t, "none.yaml", path).expect(t, 2, "", "cannot be read")
	importFile(t, config, path).expect(t, 1, "1 payouts, 10000 KRW in total: 0 new", "connect to NATS")
}

// The bounds of a file hold.
func TestFileBounds(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", nowhere)
	path := file(t, "huge.csv", header)
	if err := os.Truncate(path, 64<<20+1); err != nil {
		t.Fatal(err)
	}
	importFile(t, config, path).expect(t, 2, "", "more than 64 MiB")
}

// What spreadsheets and copying make of a file is named, all of it at once, and nothing of it is sent.
func TestDamagedFilesAreRefused(t *testing.T) {
	t.Parallel()
	config := configuration(t, "nats://127.0.0.1:1", nowhere)
	const spreadsheet = ": format the column as text and enter the value again"
	number := map[string]string{
		"#N/A": "looks like an error value of a spreadsheet" + spreadsheet, "########": "looks like a spreadsheet's cell that was too narrow for its number" + spreadsheet,
		"nan": "looks like a program's word for a missing value", "undefined": "looks like a program's word for a missing value",
		"11012345678901.0": "looks like a number that a spreadsheet wrote with decimals" + spreadsheet,
		"1.10123E11":       "looks like a number that a spreadsheet rounded" + spreadsheet, "1.10123E+11": "looks like a number that a spreadsheet rounded" + spreadsheet,
		`="95000141301010"`: "looks like a formula of a spreadsheet" + spreadsheet, "'95000141301010": "begins with the apostrophe that a spreadsheet puts before a number kept as text" + spreadsheet,
		"950\u200b00141301010": "has a zero-width space at position 4", "950\u00a0001413": "has a no-break space at position 4",
		"９５０００１４１３０１０": "has a full-width digit at position 1", "950–001413–01": "has an en dash at position 4", "950 001413": "has a blank at position 4",
		"12345": "must have 6 to 20 digits",
	}
	var content, want strings.Builder
	content.WriteString(header)
	n := 1
	for value, problem := range number {
		n++
		content.WriteString("\n" + strings.Replace(nth(n), "950-001413-01-010", `"`+strings.ReplaceAll(value, `"`, `""`)+`"`, 1))
		fmt.Fprintf(&want, "line %d, account.number: %s\n", n, problem)
	}
	for column, c := range map[string][2]string{
		"account.bank_id":       {",140,", ",1.4E+02,"},
		"account.customer_name": {"010,Do", "010,#REF!"},
		"customer.first_name":   {"Kon", "홍\u200b"},
		"customer.last_name":    {"Do,do@", "???,do@"},
		"customer.id":           {",100,", ",undefined,"},
	} {
		n++
		content.WriteString("\n" + strings.Replace(nth(n), c[0], c[1], 1))
		fmt.Fprintf(&want, "line %d, %s: ", n, column)
		switch column {
		case "account.bank_id":
			want.WriteString("looks like a number that a spreadsheet rounded" + spreadsheet + "\n")
		case "account.customer_name":
			want.WriteString("looks like an error value of a spreadsheet" + spreadsheet + "\n")
		case "customer.first_name":
			want.WriteString("has a zero-width space at position 2\n")
		case "customer.last_name":
			want.WriteString("must have a letter\n")
		case "customer.id":
			want.WriteString("looks like a program's word for a missing value\n")
		}
	}
	n++
	content.WriteString("\n" + strings.NewReplacer("950-001413-01-010", "#N/A", ",140,", ",140.0,", "010,Do", "010,####").Replace(nth(n)))
	fmt.Fprintf(&want, "line %d, account.number: %s\nline %d, account.bank_id: looks like a number that a spreadsheet wrote with decimals%s\n", n, number["#N/A"], n, spreadsheet)
	o := dryRun(t, config, content.String())
	if o.code != 1 || o.out != want.String() {
		t.Errorf("exit %d\ngot\n%s\nwant\n%s", o.code, o.out, want.String())
	}
}

// The same payout with its names in Unicode's other form, as macOS writes them, is the same payout.
func TestImportReadsTheComposedForm(t *testing.T) {
	t.Parallel()
	conn, config := system(t)
	apart := strings.Replace(line, "Kon,Do", "\u1100\u1175\u11af\u1103\u1169\u11bc,\u1112\u1169\u11bc", 1)
	importFile(t, config, file(t, "a.csv", header+"\n"+apart)).expect(t, 0, "1 new", "")
	if m, err := conn.QueuedCommand(bounded(t), payment.Ref{Provider: shop, Order: "P-1"}); err != nil || !strings.Contains(string(m.Data), `"first_name":"길동"`) {
		t.Errorf("the message is not in the composed form: %v", err)
	}
	if cmd := queued(t, conn, "P-1"); cmd.Customer.FirstName != "길동" || cmd.Customer.LastName != "홍" {
		t.Errorf("queued %+q", cmd.Customer)
	}
	importFile(t, config, file(t, "b.csv", header+"\n"+strings.Replace(line, "Kon,Do", "길동,홍", 1))).expect(t, 0, "0 new, 1 already there", "")
}

// Bank ids are compared with what the provider says, before anything is sent; when it says nothing, that is reported.
func TestImportComparesBanks(t *testing.T) {
	t.Parallel()
	content := header + "\n" + swap(",140,", ",751,") + "\n" + nth(2)
	path := file(t, "p.csv", content)
	asked := configuration(t, "nats://127.0.0.1:1", gate(t, 200, twoBanks))
	importFile(t, asked, path, "--dry-run").expect(t, 1, "line 3, account.bank_id: is not in the provider's list of banks", "nothing was sent")
	importFile(t, asked, path).expect(t, 1, "line 3, account.bank_id: is not in the provider's list of banks", "nothing was sent")
	good := file(t, "g.csv", header+"\n"+swap(",140,", ",751,"))
	if o := importFile(t, asked, good, "--dry-run"); o.code != 0 || strings.Contains(o.out, "not compared") {
		t.Errorf("%+v", o)
	}
	silent := configuration(t, "nats://127.0.0.1:1", nowhere)
	importFile(t, silent, path, "--dry-run").expect(t, 0, "bank ids were not compared: cannot read the provider's list of banks: provider_unreachable\n2 payouts", "")
	importFile(t, silent, path, "--dry-run", "--json").expect(t, 0, `"banks_unchecked": "cannot read the provider's list of banks: provider_unreachable"`, "")
}
