package masking_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

var command = payment.Command{
	Customer: payment.Customer{
		ID: "cust-17", Name: "홍길동", FirstName: "Ann", LastName: "Annabel", Email: "ann@example.com", Phone: "010-1234",
		IPAddress: "10.0.0.1", IDType: "RRN", IDNumber: "9001-X",
	},
	Account: payment.Account{Number: "12.34", Holder: "Annabel Lee"},
}

func TestText(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing personal", "Insufficient balance, code 42513", "Insufficient balance, code 42513"},
		{"full name", "홍길동 is blocked", "… is blocked"},
		{"first name", "Ann is blocked", "… is blocked"},
		{"a short name inside a longer one", "Annabel is blocked", "… is blocked"},
		{"both names inside the holder", "Annabel Lee is blocked", "… is blocked"},
		{"in another case", "ANNABEL LEE and aNN", "… and …"},
		{"email", "no mail to ann@example.com", "no mail to …"},
		{"phone", "call 010-1234", "call …"},
		{"IP address", "from 10.0.0.1", "from …"},
		{"a dot is a dot", "from 10a0b0c1", "from 10a0b0c1"},
		{"identity number", "RRN 9001-X", "RRN …"},
		{"customer number", "for CUST-17", "for …"},
		{"account", "to 12.34", "to …"},
		{"somebody else's address", "ask help@provider.example now", "ask … now"},
		{"six digits", "number 123456", "number …"},
		{"digits in groups", "number 1234-56 78", "number …"},
		{"control characters", "a\nb\x00c\t", "a b c"},
		{"empty", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := masking.Text(test.text, command); got != test.want {
				t.Errorf("have %q, want %q", got, test.want)
			}
		})
	}
}

// TestEveryOrderOfNames has the longer value in each of two fields: the order of the fields must not decide.
func TestEveryOrderOfNames(t *testing.T) {
	for _, names := range [][2]string{{"Kim", "Kimberly"}, {"Kimberly", "Kim"}} {
		cmd := payment.Command{Customer: payment.Customer{Name: names[0]}, Account: payment.Account{Holder: names[1]}}
		if got := masking.Text("Kimberly or Kim", cmd); got != "… or …" {
			t.Errorf("name %q, holder %q: have %q", names[0], names[1], got)
		}
	}
}

// TestSingleCharacters makes sure that a name of one letter does not cover a whole text.
func TestSingleCharacters(t *testing.T) {
	cmd := payment.Command{Customer: payment.Customer{FirstName: "e", LastName: "김"}}
	if got := masking.Text("refused 김치", cmd); got != "refused 김치" {
		t.Errorf("have %q", got)
	}
	cmd.Customer.FirstName = "김구" // two are a whole name
	if got := masking.Text("refused 김구", cmd); got != "refused …" {
		t.Errorf("have %q", got)
	}
}

// TestWithoutCommand covers what looks personal where it is not known whose text it is.
func TestWithoutCommand(t *testing.T) {
	if got := masking.Text("ann@example.com, 01012345678", payment.Command{}); got != "… …" {
		t.Errorf("have %q", got)
	}
}

func TestLength(t *testing.T) {
	exact := strings.Repeat("홍", masking.MaxText)
	for _, test := range []struct{ name, text, want string }{
		{"as long as allowed", exact, exact},
		{"longer", exact + "길", exact + "…"},
		{"much longer", strings.Repeat("홍", 100*masking.MaxText), exact + "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := masking.Text(test.text, payment.Command{}); got != test.want {
				t.Errorf("have %d characters, want %d", utf8.RuneCountInString(got), utf8.RuneCountInString(test.want))
			}
		})
	}
}

func TestCode(t *testing.T) {
	for code, want := range map[string]string{
		"": "", "426": "426", "30401": "30401", "awaiting_3ds-res": "awaiting_3ds-res", "awaiting 3ds result": "awaiting 3ds res…", "홍길동": "…", "01012345678": "…",
		"123456": "…", "ann@example.com": "…", "internal error": "internal error",
	} {
		if got := masking.Code(code); got != want {
			t.Errorf("%q: have %q, want %q", code, got, want)
		}
	}
}
