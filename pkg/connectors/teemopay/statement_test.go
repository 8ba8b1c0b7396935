package teemopay_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
)

// envelopeOf wraps data as every answer is.
func envelopeOf(data string) string {
	return `{"code":200,"data":` + data + `,"msg":"success","traceId":"70fc57471a9143e3b7806d473cf33958.90.17727811039671545"}`
}

// mustLearnNothing fails the test unless err is classified and holds nothing of a customer.
func mustLearnNothing(t testing.TB, err error, class connectors.Class, providerCode string) {
	t.Helper()
	var classified *connectors.Error
	if !errors.As(err, &classified) || classified.Class != class || classified.ProviderCode != providerCode {
		t.Errorf("%v, want %s %s", err, class, providerCode)
	}
}

func TestBanksAreThoseOfPayouts(t *testing.T) {
	g := newGateway(t, reply("never"))
	c := connect(t, settings(t, g.URL), rand.Reader)
	list, err := c.Banks(testContext(t), payment.Payout)
	if err != nil || len(list) != 32 || list[0] != (connectors.Bank{Code: "002", Name: "Korea Development Bank"}) || list[31].Code != "092" {
		t.Errorf("%d banks, %+v, %v", len(list), list, err)
	}
	for _, bank := range list { // each is one that a payout may name
		cmd := payout("")
		cmd.Account.BankCode = bank.Code
		if err := connectors.Check(c, cmd); err != nil || bank.Name == "" {
			t.Errorf("%+v: %v", bank, err)
		}
	}
	if list, err := c.Banks(testContext(t), payment.Deposit); list != nil || err != nil {
		t.Errorf("for deposits: %v, %v", list, err)
	}
	if len(g.Requests()) != 0 {
		t.Error("the provider was asked")
	}
}

// The body holds a signature and nothing else, over the nonce alone (guides/authentication).
func TestBalanceSendsASignatureAlone(t *testing.T) {
	g := newGateway(t, reply(envelopeOf(`{"totalAmount":"12000.00","frozenAmount":"2000.00","availAmount":"10000.00"}`)))
	got, err := connect(t, settings(t, g.URL), fixedNonce{}).Balance(testContext(t))
	if want := []connectors.Balance{{Currency: "KRW", Available: payment.KRW(10000), Frozen: payment.KRW(2000)}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	r := g.Only(t)
	if f := fieldsOf(t, r.Body); r.String() != "POST /api/pay/merchant/balance" || len(f) != 1 || !strings.HasPrefix(string(r.Body), `{"sign":"`) {
		t.Errorf("sent %s %s", r.String(), r.Body)
	}
	if err := teemopay.Verify([]*rsa.PublicKey{&merchantKey().PublicKey}, r.Body, nonce); err != nil {
		t.Error(err)
	}
}

func TestBalance(t *testing.T) {
	for body, want := range map[string]struct {
		available, frozen int64
		code              string // of the error
	}{
		`{"frozenAmount":"0.00","availAmount":"0.00"}`:           {0, 0, ""},
		`{"frozenAmount":"0","availAmount":1000}`:                {1000, 0, ""},
		`{"frozenAmount":"15.15","availAmount":"984.85"}`:        {984, 15, ""}, // a fee takes parts of a won
		`{"frozenAmount":"0.00"}`:                                {0, 0, "200"},
		`{"availAmount":"1.00"}`:                                 {0, 0, "200"},
		`{"frozenAmount":"0.00","availAmount":null}`:             {0, 0, "200"},
		`{"frozenAmount":"0.00","availAmount":"-1.00"}`:          {0, 0, "200"},
		`{"frozenAmount":"0.00","availAmount":"1."}`:             {0, 0, "200"},
		`{"frozenAmount":"0.00","availAmount":"1.x"}`:            {0, 0, "200"},
		`{"frozenAmount":"0.00","availAmount":"1e3"}`:            {0, 0, "200"},
		`{"frozenAmount":"0.00","availAmount":{"value":"1.00"}}`: {0, 0, "200"},
		`null`: {0, 0, "200"},
		`[]`:   {0, 0, "http_200"},
	} {
		g := newGateway(t, reply(envelopeOf(body)))
		got, err := connect(t, settings(t, g.URL), rand.Reader).Balance(testContext(t))
		g.Only(t)
		if want.code != "" {
			if mustLearnNothing(t, err, connectors.InDoubt, want.code); got != nil {
				t.Errorf("%s: %+v", body, got)
			}
			continue
		}
		if err != nil || len(got) != 1 || got[0].Available != payment.KRW(want.available) || got[0].Frozen != payment.KRW(want.frozen) {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

var (
	billFrom = time.Date(2026, 2, 28, 15, 0, 0, 0, time.UTC) // 1 March, 00:00 in Korea
	billTo   = time.Date(2026, 3, 1, 14, 59, 59, 999_999_999, time.UTC)
)

// statementOf reads one page from a gateway that answers with body.
func statementOf(t testing.TB, op payment.Operation, cursor, body string) ([]connectors.StatementLine, string, error) {
	t.Helper()
	g := newGateway(t, reply(body))
	lines, next, err := connect(t, settings(t, g.URL), rand.Reader).Statement(testContext(t), billFrom, billTo, op, cursor)
	g.Only(t)
	return lines, next, err
}

func TestQuestionsThatAreNotAnswered(t *testing.T) {
	for body, code := range map[string]string{
		`{"code":416,"data":null,"msg":"Application not found","traceId":"x"}`: "416",
		`{"code":606,"msg":"PageIndex parsing failed"}`:                        "606",
		`{"code":200,"msg":"success"}`:                                         "200",
		`<html>`:                                                               "http_200",
	} {
		g := newGateway(t, reply(body))
		_, err := connect(t, settings(t, g.URL), rand.Reader).Balance(testContext(t))
		mustLearnNothing(t, err, connectors.InDoubt, code)
		_, _, err = statementOf(t, payment.Deposit, "", body)
		mustLearnNothing(t, err, connectors.InDoubt, code)
	}
	g := newGateway(t, reply(""))
	g.Close()
	c := connect(t, settings(t, g.URL), rand.Reader)
	_, err := c.Balance(testContext(t))
	mustLearnNothing(t, err, connectors.NotSent, "")
	_, _, err = c.Statement(testContext(t), billFrom, billTo, payment.Deposit, "")
	mustLearnNothing(t, err, connectors.NotSent, "")
}

func TestStatementSendsASignedQuery(t *testing.T) {
	for operation, kind := range map[payment.Operation]string{payment.Deposit: "PAYIN", payment.Payout: "PAYOUT"} {
		for _, cursor := range []string{"", "KgntH8WpwV0lKKYXQr8MY1EgdicDUz/V4l8nCk4QRty3"} {
			g := newGateway(t, reply(envelopeOf(`{"pageIndex":"x","records":[]}`)))
			lines, next, err := connect(t, settings(t, g.URL), rand.Reader).Statement(testContext(t), billFrom, billTo, operation, cursor)
			if len(lines) != 0 || next != "" || err != nil {
				t.Errorf("%v, %q, %v", lines, next, err)
			}
			r := g.Only(t)
			want := map[string]any{"type": kind, "pageSize": 500.0, "beginTime": "2026-03-01 00:00:00.000", "endTime": "2026-03-01 23:59:59.999"}
			if cursor != "" {
				want["pageIndex"] = cursor
			}
			sent := fieldsOf(t, r.Body)
			delete(sent, "sign")
			if r.String() != "POST /api/pay/transaction/queryList" || !reflect.DeepEqual(sent, want) {
				t.Errorf("sent %s %s", r.String(), r.Body)
			}
			if err := teemopay.Verify([]*rsa.PublicKey{&merchantKey().PublicKey}, r.Body, r.Header.Get("nonce")); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestStatementRefusesARangeThatTheProviderDoesNotTake(t *testing.T) {
	g := newGateway(t, reply("never"))
	c := connect(t, settings(t, g.URL), rand.Reader)
	for _, ask := range []struct {
		from, to time.Time
		op       payment.Operation
	}{
		{billTo, billFrom, payment.Deposit}, {billFrom, billFrom.Add(31*24*time.Hour + 1), payment.Deposit}, {billFrom, billTo, "refund"},
	} {
		_, _, err := c.Statement(testContext(t), ask.from, ask.to, ask.op, "")
		mustLearnNothing(t, err, connectors.NotSent, "")
	}
	if len(g.Requests()) != 0 {
		t.Error("the provider was asked")
	}
}

// record is one record of the page's example with changes: name and JSON value.
func record(kind string, changes ...string) string {
	values := map[string]string{
		"type": `"` + kind + `"`, "merchantOrderNo": `"OrderNoExample"`, "tradeNo": `"TS24052200000491357178416"`, "amount": `"5000.00"`,
		"transactionAmount": `"5000.00"`, "serviceAmount": `"26.00"`, "status": `2`, "settleStatus": `null`, "failReason": `null`,
		"createTime": `"2026-02-27 03:00:47"`, "completeTime": `"2026-02-27 03:01:08"`, "settleTime": `null`, "paymentList": `[]`,
	}
	for i := 0; i < len(changes); i += 2 {
		values[changes[i]] = changes[i+1]
	}
	var all []string
	for name, value := range values {
		all = append(all, `"`+name+`":`+value)
	}
	return "{" + strings.Join(all, ",") + "}"
}

func paid(number, amount string) string {
	return fmt.Sprintf(`{"paymentSingleOrderNo":"%s","paymentStatementAmount":"%s","settleStatus":0,"settleTime":null,"completeTime":"2026-02-27 03:01:08"}`, number, amount)
}

func TestStatementLines(t *testing.T) {
	const in, out = "PAYIN", "PAYOUT"
	list := func(entries ...string) string { return "[" + strings.Join(entries, ",") + "]" }
	transfers := func(amounts ...int64) (all []payment.Transfer) {
		for i, amount := range amounts {
			all = append(all, payment.Transfer{Reference: fmt.Sprintf("TSO%d", i+1), Amount: payment.KRW(amount)})
		}
		return all
	}
	none := []string{"transactionAmount", `"0.00"`}
	for name, c := range map[string]struct {
		record    string
		kind      payment.Kind
		settled   int64
		transfers []payment.Transfer
		code      string // of the reason
	}{
		"deposit in payment":       {record(in, append(none, "status", "1", "completeTime", "null")...), payment.Accepted, 0, nil, ""},
		"deposit paid":             {record(in, "paymentList", list(paid("TSO1", "5000.00"))), payment.Paid, 5000, transfers(5000), ""},
		"deposit paid twice":       {record(in, "transactionAmount", `"9000.00"`, "paymentList", list(paid("TSO1", "5000.00"), paid("TSO2", "4000"))), payment.Paid, 9000, transfers(5000, 4000), ""},
		"deposit paid, no list":    {record(in, "paymentList", "null"), payment.Paid, 5000, nil, ""},
		"deposit failed":           {record(in, append(none, "status", "3", "failReason", `"limit"`)...), payment.Declined, 0, nil, payment.ReasonDeclined},
		"deposit refunded":         {record(in, "status", "4", "paymentList", list(paid("TSO1", "5000.00"))), payment.Reversal, 0, nil, payment.ReasonReversed},
		"deposit refunded in part": {record(in, "status", "5"), payment.PartialReversal, 0, nil, payment.ReasonPartlyReversed},
		"payout in payment":        {record(out, append(none, "status", `"1"`)...), payment.Accepted, 0, nil, ""},
		"payout paid":              {record(out), payment.Paid, 5000, nil, ""},
		"payout failed":            {record(out, append(none, "status", "3")...), payment.Declined, 0, nil, payment.ReasonDeclined},
		"payout refunded":          {record(out, "status", "4"), payment.Reversal, 0, nil, payment.ReasonReversed},
		"payout refunded in part":  {record(out, "status", "5"), payment.PartialReversal, 0, nil, payment.ReasonPartlyReversed},

		"paid, the sum differs":   {record(in, "paymentList", list(paid("TSO1", "4000.00"))), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"a payment occurs twice":  {record(in, "transactionAmount", `"10000"`, "paymentList", list(paid("TSO1", "5000"), paid("TSO1", "5000"))), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"a payment of nothing":    {record(in, "paymentList", list(paid("TSO1", "0.00"))), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"a payment without name":  {record(in, "paymentList", list(paid("", "5000.00"))), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"a sum beyond an amount":  {record(in, "paymentList", list(paid("TSO1", "999999999999999"), paid("TSO2", "1"))), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"the list is no list":     {record(in, "paymentList", `{}`), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"paid nothing":            {record(out, none...), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"a payout with transfers": {record(out, "paymentList", list(paid("TSO1", "5000.00"))), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"in payment, money moved": {record(in, "status", "1"), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"failed, money moved":     {record(out, "status", "3"), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"no status":               {record(out, "status", "null"), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"status 6":                {record(out, "status", "6"), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"no amount":               {record(out, "amount", "null"), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
		"part of a won":           {record(out, "transactionAmount", `"5000.50"`), payment.Indeterminate, 0, nil, payment.ReasonIndeterminate},
	} {
		t.Run(name, func(t *testing.T) {
			op := payment.Deposit
			if strings.Contains(c.record, `"PAYOUT"`) {
				op = payment.Payout
			}
			lines, next, err := statementOf(t, op, "", envelopeOf(`{"pageIndex":"next","records":[`+c.record+`]}`))
			if err != nil || len(lines) != 1 || next != "" {
				t.Fatalf("%+v, %q, %v", lines, next, err)
			}
			line, o := lines[0], lines[0].Observation
			if line.Order != "OrderNoExample" || line.Operation != op || !line.CreatedAt.Equal(time.Date(2026, 2, 26, 18, 0, 47, 0, time.UTC)) {
				t.Errorf("%+v", line)
			}
			if o.Kind != c.kind || o.Source != payment.FromStatement || o.Reference != "TS24052200000491357178416" || o.SettledAmount.Minor != c.settled || !reflect.DeepEqual(o.Transfers, c.transfers) {
				t.Errorf("observed %+v", o)
			}
			if c.kind != payment.Indeterminate && o.Amount != payment.KRW(5000) {
				t.Errorf("ordered %s", o.Amount)
			}
			if (o.Reason == nil) != (c.code == "") || o.Reason != nil && o.Reason.Code != c.code {
				t.Errorf("reason %+v, want %q", o.Reason, c.code)
			}
		})
	}
}

func TestStatementThatCannotBeRead(t *testing.T) {
	for name, data := range map[string]string{
		"no records": `{"pageIndex":"x"}`, "null": `{"records":null}`, "no list": `{"records":{}}`, "a number": `{"records":[5]}`,
		"another operation": `{"records":[` + record("PAYOUT") + `]}`, "no order": `{"records":[` + record("PAYIN", "merchantOrderNo", `""`) + `]}`,
		"a wrong time":       `{"records":[` + record("PAYIN", "completeTime", `"yesterday"`) + `]}`,
		"another wrong time": `{"records":[` + record("PAYIN", "createTime", `"2026-02-30 00:00:00"`) + `]}`,
	} {
		if lines, _, err := statementOf(t, payment.Deposit, "", envelopeOf(data)); lines != nil {
			t.Errorf("%s: %+v", name, lines)
		} else {
			mustLearnNothing(t, err, connectors.InDoubt, "200")
		}
	}
}

func TestStatementPages(t *testing.T) {
	records := func(n int) string { return strings.TrimSuffix(strings.Repeat(record("PAYIN")+",", n), ",") }
	page := func(n int, index string) string {
		return envelopeOf(`{"pageIndex":` + index + `,"records":[` + records(n) + `]}`)
	}
	if lines, next, err := statementOf(t, payment.Deposit, "", page(500, `"second"`)); err != nil || len(lines) != 500 || next != "second" {
		t.Errorf("a full page: %d, %q, %v", len(lines), next, err)
	}
	if lines, next, err := statementOf(t, payment.Deposit, "second", page(499, `"third"`)); err != nil || len(lines) != 499 || next != "" {
		t.Errorf("the last page: %d, %q, %v", len(lines), next, err)
	}
	for _, index := range []string{`null`, `""`, `"second"`} { // it would end too early, or never
		_, _, err := statementOf(t, payment.Deposit, "second", page(500, index))
		mustLearnNothing(t, err, connectors.InDoubt, "200")
	}
}
