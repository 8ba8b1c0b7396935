package payouts_test

import (
	"strings"
	"testing"
	"time"

	"payonce/internal/payouts"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/secret"
	"payonce/test/alloctest"
)

// FuzzPayoutFile reads anything as a file of payouts. What has no problem is a list of valid commands, and
// every problem is at a line of the file.
func FuzzPayoutFile(f *testing.F) {
	const header = "general.project_id,general.payment_id,customer.id,customer.first_name,customer.last_name,customer.email,customer.ip_address,account.number,account.customer_name,account.bank_id,payment.amount,payment.currency"
	const line = "200,P-1,100,Kon,Do,do@mail.com,248.1.1.1,950-001413-01-010,Do,140,10000,KRW"
	for _, text := range []string{header + "\n" + line, header + "\r\n" + strings.Replace(line, "P-1", "P 1", 1), strings.ReplaceAll(header+"\n"+line, ",", ";"), "\ufeff" + header, "\"", "", "\xff"} {
		f.Add([]byte(text))
	}
	now := time.Unix(1_790_000_000, 0)
	s := ecommpay.Settings{
		ProjectID: 200, Secret: secret.New("0123456789abcdef0123456789abcdef"), GateURL: "https://api.example.com",
		MerchantCallbackURL: "https://pay.example.com/webhooks/ecommpay-kr", ReturnURL: "https://shop.example/back",
	}
	conn, err := ecommpay.New("ecommpay-kr", s, httpcall.NewClient(httpcall.Options{}), func() time.Time { return now })
	if err != nil {
		f.Fatal(err)
	}
	to := payouts.Target{Provider: "ecommpay-kr", Project: "200", Connector: conn, Now: now}
	f.Fuzz(func(t *testing.T, text []byte) {
		alloctest.Linear(t, len(text), func() { payouts.Parse("payouts.csv", text, to) })
		got := payouts.Parse("payouts.csv", text, to)
		if len(got.Problems) > 0 {
			return
		}
		if len(got.Payouts) == 0 {
			t.Errorf("%q: no payouts and no problem", text)
		}
		for _, p := range got.Payouts {
			if err := p.Command.Validate(); err != nil || p.Command.Provider != to.Provider || p.Line < 2 {
				t.Errorf("%q: %+v, %v", text, p, err)
			}
		}
	})
}
