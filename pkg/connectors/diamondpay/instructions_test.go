package diamondpay_test

import (
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/payment"
)

// informed is the second example of the KRW deposit page (v1) with other amounts, and with a plain link as there.
func informed(amount, display string) string {
	return strings.NewReplacer(`"amount": 50000`, `"amount": `+amount, `"display_amount": 49996`, display).Replace(detailedV1)
}

// What the customer is told to transfer, for a deposit of 50,000 won whose link cannot be used. No answer of the
// provider's may give an amount that is not close to the order's.
func TestDisplayAmount(t *testing.T) {
	for display, want := range map[string]payment.Money{
		`"display_amount": 5000000`:   payment.KRW(50000),
		`"display_amount": 4999600`:   payment.KRW(49996),
		`"display_amount": "4999600"`: payment.KRW(49996),
		`"display_amount": 5000400`:   payment.KRW(50004),
		`"display_amount": 49996`:     payment.KRW(49996), // close to the order in whole won only
		`"display_amount": "49996"`:   payment.KRW(49996),
		`"display_amount": 50000`:     payment.KRW(50000),
		`"display_amount": 50100`:     payment.KRW(50100), // a multiple of 100, and yet not 501 won
		`"display_amount": 4999996`:   payment.KRW(50000), // 49,999.96: no transfer is closer
		`"display_amount": 5000099`:   payment.KRW(50000),
		`"display_amount": 4500000`:   payment.KRW(45000), // a tenth
		`"display_amount": null`:      {},
		`"display_amount": ""`:        {},
		`"displayed": 1`:              {},
	} {
		o, err := submit(t, krwV1, deposit(payment.KRW(50000)), informed("5000000", display))
		if err != nil {
			t.Errorf("%s: %v", display, err)
			continue
		}
		mustEqual(t, o.Action, transfer(payment.TransferInstructions{AccountNumber: "201408150955", AccountHolder: "test_name", BankName: "test_bank", Amount: want, Reference: "26022"}))
	}
	for _, display := range []string{
		"0", "-4999600", "4999604", "4499900", "5500100", "499960", "499996", "500", "500000000", "4999600.0", `"49,996"`, `"49996 KRW"`, "true", "[]", "{}",
		"99999999999999999999",
	} {
		answer := informed("5000000", `"display_amount": `+display)
		e := classified(t, second(submit(t, krwV1, deposit(payment.KRW(50000)), answer)))
		const want = "display_amount is not an amount that can be transferred, and link is http, which allow_plain_links does not allow"
		if e.Class != connectors.InDoubt || !e.Known || e.Code != payment.ReasonNoInstructions || e.Message != want {
			t.Errorf("%s: %+v", display, e)
		}
		o, err := submit(t, plainLinks(krwV1), deposit(payment.KRW(50000)), answer) // the provider's page knows what is meant
		if err != nil {
			t.Errorf("%s: %v", display, err)
			continue
		}
		mustEqual(t, o.Action, redirect(linkV1, ""))
	}
}

// A deposit that was taken with nothing that the customer can use says why, in its reason, and nothing personal.
func TestNoInstructions(t *testing.T) {
	for answer, want := range map[string]string{
		`{}`:                             "",
		`{"link":"http://a.example/1"}`:  "receiver is missing",
		`{"link":"javascript:alert(1)"}`: "link must be an absolute URL",
		`{"link":"https://a.example/` + strings.Repeat("x", payment.MaxURL) + `"}`: "link is too long",
		`{"register_link":"https://a.example/r"}`:                                  "the customer must register, and link is missing",
		`{"link":"https://a.example/1","register_link":"http://a.example/r"}`:      "the customer must register, and register_link is http",
		`{"note":"x"}`: "there is no account to transfer to, and link is missing",
		`{"payment_info":{"payment_cl_id":"` + order + `","receiver":{"card_name":"홍길동"}}}`:                                                      "there is no account to transfer to, and link is missing",
		`{"payment_info":{"payment_cl_id":"` + order + `","receiver":{"card_number":"` + strings.Repeat("1", payment.MaxText+1) + `"}}}`:         "the transfer instructions are too long",
		`{"payment_info":{"payment_cl_id":"` + order + `","receiver":{"card_number":"1","card_number":"2"}},"link":"http://a.example/1"}`:        "receiver cannot be read",
		`{"payment_info":{"payment_cl_id":"` + order + `","amount":50000,"display_amount":1,"receiver":{"card_number":"1"}},"link":"ftp://a/1"}`: "display_amount is not an amount",
	} {
		e := classified(t, second(submit(t, krwV1, deposit(payment.KRW(500)), `{"error_code":"0000","data":`+answer+`}`)))
		switch {
		case want == "":
			want = "the answer has no data"
		case want == "receiver is missing":
			want = "there is no account to transfer to, and link is http, which allow_plain_links does not allow"
		}
		if e.Class != connectors.InDoubt || e.Code != payment.ReasonNoInstructions || !strings.Contains(e.Message, want) || strings.Contains(e.Message, "홍") || e.Known != strings.Contains(answer, order) {
			t.Errorf("%s: %+v, want %s", answer, e, want)
		}
	}
}

// The example of the v2 deposit page answers with another amount than it was asked for. Within what the account
// allows, the customer gets the amount that the provider named; beyond it the domain sees another amount.
func TestMaxAmountDifference(t *testing.T) {
	allow := func(a account, difference int64) account {
		return with(a, func(s *diamondpay.Settings) { s.MaxAmountDifference = difference })
	}
	v2 := func(amount string) string { return strings.Replace(acceptedV2, "5001000", amount, 1) }
	ordered := func(won int64) payment.Command { cmd := orderV2(); cmd.Amount = payment.KRW(won); return cmd }
	for _, c := range []struct {
		name      string
		account   account
		cmd       payment.Command
		answer    string
		named     payment.Money // what the provider named
		transfer  payment.Money // what the customer is told, where it is not the ordered amount
		tolerance int64
	}{
		{"the same amount", krwV2, ordered(50010), v2("5001000"), payment.KRW(50010), payment.Money{}, 0},
		{"none is allowed", krwV2, ordered(50000), v2("5001000"), payment.KRW(50010), payment.KRW(50010), 0},
		{"allowed, as the example of the page", allow(krwV2, 10), ordered(50000), v2("5001000"), payment.KRW(50010), payment.KRW(50010), 10},
		{"less", allow(krwV2, 100), ordered(50000), v2("4999600"), payment.KRW(49996), payment.KRW(49996), 100},
		{"the example's request and answer", allow(krwV2, 100), ordered(500000), v2("5001000"), payment.KRW(50010), payment.KRW(50010), 100},
		{"the answer names none", allow(krwV2, 100), ordered(50000), strings.Replace(acceptedV2, `"amount": 5001000,`, ``, 1), payment.Money{}, payment.Money{}, 100},
		{"v1", allow(krwV1, 10), deposit(payment.KRW(50000)), informed("5001000", `"x": 1`), payment.KRW(50010), payment.KRW(50010), 10},
		{"v1 with an amount to display", allow(krwV1, 10), deposit(payment.KRW(50000)), informed("5001000", `"display_amount": 5000500`), payment.KRW(50010), payment.KRW(50005), 10},
		{"dollars are whole ones", allow(twd, 2), depositTWD(), strings.ReplaceAll(snakeTWD, "48389", "48400"), payment.TWD(48400), payment.TWD(48400), 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := submit(t, c.account, c.cmd, c.answer)
			if err != nil {
				t.Fatal(err)
			}
			if o.Kind != payment.Accepted || o.Amount != c.named || o.AmountTolerance != c.tolerance || o.Action == nil || o.Action.Transfer == nil || o.Action.Transfer.Amount != c.transfer {
				t.Errorf("%+v, %+v", o, o.Action)
			}
		})
	}
}

// What the provider says later is compared within the same difference, and settled with what arrived; payouts have none.
func TestMaxAmountDifferenceAfterwards(t *testing.T) {
	a := with(krwV2, func(s *diamondpay.Settings) { s.MaxAmountDifference = 10 })
	for operation, tolerance := range map[payment.Operation]int64{payment.Deposit: 10, payment.Payout: 0} {
		for _, status := range []int{1, 2, 3, 4} {
			fields := fmt.Sprintf(`"amount":1001000,"status":%d`, status)
			if operation == payment.Deposit && status == 2 {
				fields += `,"real_amount":1000700`
			}
			o, err := lookup(t, a, operation, one(row(operation, fields)))
			if err != nil || o.Amount != payment.KRW(10010) || o.AmountTolerance != tolerance {
				t.Errorf("%s %d: %+v, %v", operation, status, o, err)
			}
			n, err := connect(t, a("https://gateway.example.com")).Webhook(nil, []byte(signedRow(t, diamondpay.MD5, operation, fields)), now)
			if err != nil || n.Observation.Amount != payment.KRW(10010) || n.Observation.AmountTolerance != tolerance {
				t.Errorf("%s %d: %+v, %v", operation, status, n, err)
			}
			if operation == payment.Deposit && status == 2 && (o.SettledAmount != payment.KRW(10007) || n.Observation.SettledAmount != payment.KRW(10007)) {
				t.Errorf("settled %s, %s", o.SettledAmount, n.Observation.SettledAmount)
			}
		}
	}
}
