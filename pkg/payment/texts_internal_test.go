package payment

import (
	"testing"
	"testing/quick"

	"golang.org/x/text/unicode/norm"
)

// TestNormalisedOfANormalCommand holds that a command is only written anew where one of its texts is: a worker asks three
// times for each payment.
func TestNormalisedOfANormalCommand(t *testing.T) {
	cmd := Command{Ref: Ref{Provider: "p", Order: "O1"}, Customer: Customer{Name: "홍길동"}, Account: Account{LastDigits: []string{"12345"}}, ReturnURL: "https://example.com/é"}
	if n := testing.AllocsPerRun(100, func() { cmd = cmd.Normalised() }); n > 0 {
		t.Errorf("%.0f allocations for a command whose texts are composed", n)
	}
	texts := append(cmd.texts(), text{"return_url", &cmd.ReturnURL})
	if len(texts) != len(textFields)+2 {
		t.Fatalf("%d texts, %d fields", len(texts), len(textFields))
	}
	for _, of := range texts {
		old := *of.value
		*of.value = norm.NFD.String("각")
		if got := cmd.Normalised(); got.Text(of.field) == norm.NFD.String("각") || cmd.isNormal() {
			t.Errorf("%s is not composed", of.field)
		}
		*of.value = old
	}
	same := func(name, url, digits string) bool {
		c := Command{Customer: Customer{Name: name}, ReturnURL: url, Account: Account{LastDigits: []string{digits}}}
		a, b := c.Normalised(), c.normalised()
		return a.Customer == b.Customer && a.ReturnURL == b.ReturnURL && a.Account.LastDigits[0] == b.Account.LastDigits[0]
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}
