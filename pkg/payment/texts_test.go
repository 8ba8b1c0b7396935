package payment_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"payonce/pkg/payment"
	"payonce/test/alloctest"
)

// nfd is 홍길동 as macOS writes it: nine characters of Hangul's alphabet.
const nfd = "\u1112\u1169\u11bc\u1100\u1175\u11af\u1103\u1169\u11bc"

// One order in Unicode's two forms is one order, whatever text is written in the other form, also one that is
// added later.
func TestFingerprintOfBothUnicodeForms(t *testing.T) {
	checked := 0
	eachLeaf(t, func(path string, set func(*payment.Command) reflect.Value) {
		composed, apart := fullCommand(), fullCommand()
		v, w := set(&composed), set(&apart)
		if v.Kind() != reflect.String {
			return
		}
		v.SetString("홍길동é")
		w.SetString(nfd + "e\u0301")
		checked++
		same := composed.Fingerprint() == apart.Fingerprint()
		if named := path == "provider" || path == "order" || path == "operation" || path == "customer.ip_address"; same == named {
			t.Errorf("%s: the same fingerprint: %v", path, same)
		}
		if got := apart.Normalised(); same && set(&got).String() != "홍길동é" {
			t.Errorf("%s: normalised to %q", path, set(&got).String())
		}
	}, "amount.Currency")
	if checked < 20 {
		t.Errorf("only %d checks", checked)
	}
	composed, apart := fullCommand(), fullCommand()
	composed.Metadata, apart.Metadata = map[string]string{"이름": "홍길동"}, map[string]string{"\u110b\u1175\u1105\u1173\u11b7": nfd}
	composed.Account.LastDigits, apart.Account.LastDigits = []string{"홍길동"}, []string{nfd}
	if composed.Fingerprint() != apart.Fingerprint() {
		t.Error("metadata or last digits: two fingerprints")
	}
	if got := apart.Normalised(); got.Metadata["\u110b\u1175\u1105\u1173\u11b7"] != nfd || apart.Account.LastDigits[0] != nfd {
		t.Error("the metadata is the upstream's, and the command itself is not changed")
	}
}

func TestFingerprintOfMetadataThatDiffersInItsFormOnly(t *testing.T) {
	one, two, three := fullCommand(), fullCommand(), fullCommand()
	one.Metadata = map[string]string{"é": "a", "e\u0301": "b"}
	two.Metadata = map[string]string{"é": "b", "e\u0301": "a"}
	three.Metadata = map[string]string{"é": "a"}
	if a, b, c := one.Fingerprint(), two.Fingerprint(), three.Fingerprint(); a == b || a == c || b == c {
		t.Error("two keys became one")
	}
}

// The fingerprint is in the log for as long as the log remembers: it never changes for a known command.
func TestFingerprintIsForEver(t *testing.T) {
	const want = "61dc6fd21b09fbbbd4d2fc948e1e33d6ad0305cca4ddd3020f5001262add4366"
	if got := fullCommand().Fingerprint(); got != want {
		t.Errorf("got %s", got)
	}
}

func TestLengthIsThatOfTheComposedForm(t *testing.T) {
	c := fullCommand()
	c.Customer.Name = strings.Repeat(nfd, payment.MaxText/3)
	if err := c.Validate(); err != nil {
		t.Errorf("%d syllables: %v", payment.MaxText/3*3, err)
	}
	c.Customer.Name = strings.Repeat(nfd, payment.MaxText/3+1)
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "256 characters") {
		t.Errorf("too long: %v", err)
	}
}

func TestUnseenCharactersAreNamed(t *testing.T) {
	for r, name := range map[rune]string{
		'\n': "a line break", '\t': "a tab", 0x00: "a control character", 0x7f: "a control character", 0x85: "a control character", 0x9b: "a control character",
		0xa0: "a no-break space", 0xad: "a soft hyphen", 0x61c: "a bidirectional control character", 0x1160: "an invisible Hangul filler", 0x2003: "an unusual blank",
		0x200b: "a zero-width space", 0x200c: "a zero-width non-joiner", 0x200d: "a zero-width joiner", 0x200e: "a bidirectional control character",
		0x202e: "a bidirectional control character", 0x2067: "a bidirectional control character", 0x2028: "a line break", 0x202f: "a no-break space",
		0x2060: "a word joiner", 0x2063: "an invisible formatting character", 0x2800: "a Braille pattern without dots", 0x3000: "a full-width space",
		0x3164: "an invisible Hangul filler", 0xe000: "a private-use character", 0xfe0f: "a variation selector", 0xfeff: "a byte order mark",
		0xfffd: "a damaged character (U+FFFD)", 0xffff: "an unassigned character", 0xe0041: "an invisible formatting character", 0xe0101: "a variation selector",
	} {
		for _, field := range []string{"customer.name", "customer.first_name", "account.holder", "account.number", "customer.id", "return_url"} {
			c := fullCommand()
			*map[string]*string{
				"customer.name": &c.Customer.Name, "customer.first_name": &c.Customer.FirstName, "account.holder": &c.Account.Holder,
				"account.number": &c.Account.Number, "customer.id": &c.Customer.ID, "return_url": &c.ReturnURL,
			}[field] = "홍길" + string(r) + "동"
			var refused *payment.FieldError
			if err := c.Validate(); !errors.As(err, &refused) || *refused != (payment.FieldError{Field: field, Problem: "has " + name + " at position 3"}) {
				t.Errorf("%s with %U: %v", field, r, err)
			}
		}
	}
	c := fullCommand()
	for _, name := range []string{"홍길동", "㈜길동", "O’Brien", "-홍길동", "+홍", "@홍", "=홍", "José Ñuñez", "王小明", "ﾎﾝ", "Müller-Lüdenscheidt Jr."} {
		if c.Customer.Name = name; c.Validate() != nil {
			t.Errorf("%q: %v", name, c.Validate())
		}
	}
}

func TestDescriptionMayHaveEmojiAndNothingThatChangesTheLine(t *testing.T) {
	c := fullCommand()
	if c.Description = "❤️ 👨‍👩‍👧\u00a0책"; c.Validate() != nil {
		t.Error(c.Validate())
	}
	for _, bad := range []string{"a\u202eb", "a\x1bb", "a\u2028b", "a\ufffdb", "a\u0085b"} {
		if c.Description = bad; c.Validate() == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// Every text of a command is found by its path, and nothing is allocated for it.
func TestTextOfAField(t *testing.T) {
	data := []byte(`{"provider":"provider","order":"order","method":"method","language":"language","description":"description","return_url":"return_url",
		"customer":{"id":"customer.id","name":"customer.name","first_name":"customer.first_name","last_name":"customer.last_name","email":"customer.email",
			"phone":"customer.phone","ip_address":"customer.ip_address","id_type":"customer.id_type","id_number":"customer.id_number"},
		"account":{"number":"account.number","holder":"account.holder","bank_code":"account.bank_code","bank_name":"account.bank_name"}}`)
	var c payment.Command
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	for _, value := range regexp.MustCompile(`:"([a-z_.]+)"`).FindAllStringSubmatch(string(data), -1) {
		if got := c.Text(value[1]); got != value[1] {
			t.Errorf("%s: %q", value[1], got)
		}
	}
	if got := c.Text("amount.value"); got != "" {
		t.Errorf("of what is no text: %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { c.Text("account.bank_name") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLineOfAReason(t *testing.T) {
	for want, r := range map[string]*payment.Reason{
		"":                                nil,
		"declined":                        {Code: payment.ReasonDeclined},
		"declined (426): no money":        {Code: payment.ReasonDeclined, ProviderCode: "426", Message: "no money"},
		"resolved_manually by kim: paid":  {Code: "resolved_manually", By: "kim", Message: "paid"},
		"declined (426) by kim: no money": {Code: payment.ReasonDeclined, ProviderCode: "426", By: "kim", Message: "no money"},
	} {
		if got := r.Line(); got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}

// It is asked for every message.
func TestNormalisedAllocatesNothing(t *testing.T) {
	cmd := payment.Command{
		Ref: payment.Ref{Provider: "acme-kr", Order: "o-1"}, Operation: payment.Deposit, Amount: payment.KRW(10000),
		Customer: payment.Customer{Name: "홍길동"}, Description: "books",
	}
	alloctest.None(t, func() {
		if got := cmd.Normalised(); got.Customer.Name != cmd.Customer.Name || got.Ref.Validate() != nil {
			t.Errorf("became %+v", got)
		}
	})
}
