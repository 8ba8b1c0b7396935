package payment_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
)

func fullCommand() payment.Command {
	c := deposit()
	c.Method, c.Language, c.Description, c.ReturnURL = "va", "ko", "a book", "https://shop.example/back"
	c.Customer = payment.Customer{
		ID: "7", Name: "홍길동", FirstName: "길동", LastName: "홍", Email: "a@b.example", Phone: "01012345678", IPAddress: "2001:db8::1",
		IDType: "RRN", IDNumber: "8001011234567",
	}
	c.Account = payment.Account{Number: "110", Holder: "홍길동", BankCode: "088", BankName: "Shinhan", LastDigits: []string{"12345"}}
	c.ExpiresAt, c.Metadata = begin.Add(time.Hour), map[string]string{"cart": "9", "CART": "10"}
	return c
}

func TestValidateTakes(t *testing.T) {
	if err := fullCommand().Validate(); err != nil {
		t.Error(err)
	}
	if err := deposit().Validate(); err != nil {
		t.Error(err)
	}
	c := fullCommand()
	c.Customer.Name, c.ReturnURL = strings.Repeat("길", payment.MaxText), strings.Repeat("u", payment.MaxURL)
	c.Metadata = map[string]string{strings.Repeat("k", payment.MaxMetadataKey): strings.Repeat("v", payment.MaxMetadataValue)}
	c.Account.LastDigits = make([]string, payment.MaxLastDigits)
	c.Order, c.Provider = strings.Repeat("A", 64), strings.Repeat("a", 32)
	if err := c.Validate(); err != nil {
		t.Errorf("at its limits: %v", err)
	}
}

func TestValidateRefuses(t *testing.T) {
	const private = "PRIVATE" // is in each refused value and must not be in the error
	keys := map[string]string{}
	for i := range payment.MaxMetadataKeys + 1 {
		keys[fmt.Sprint(private, i)] = ""
	}
	for _, x := range []struct {
		field  string
		change func(*payment.Command)
	}{
		{"provider", func(c *payment.Command) { c.Provider = "" }},
		{"provider", func(c *payment.Command) { c.Provider = private }},
		{"provider", func(c *payment.Command) { c.Provider = strings.Repeat("a", 33) }},
		{"provider", func(c *payment.Command) { c.Provider = "a.b" }},
		{"provider", func(c *payment.Command) { c.Provider = "a\n" }},
		{"order", func(c *payment.Command) { c.Order = "" }},
		{"order", func(c *payment.Command) { c.Order = private + "*" }},
		{"order", func(c *payment.Command) { c.Order = "D>1" }},
		{"order", func(c *payment.Command) { c.Order = "D-1\n" }},
		{"order", func(c *payment.Command) { c.Order = "Ｄ" }},
		{"order", func(c *payment.Command) { c.Order = strings.Repeat("A", 65) }},
		{"operation", func(c *payment.Command) { c.Operation = "" }},
		{"operation", func(c *payment.Command) { c.Operation = private }},
		{"amount", func(c *payment.Command) { c.Amount = payment.Money{} }},
		{"amount.value", func(c *payment.Command) { c.Amount = payment.KRW(0) }},
		{"amount.value", func(c *payment.Command) { c.Amount = payment.KRW(-987654) }},
		{"amount.value", func(c *payment.Command) { c.Amount = payment.KRW(1_000_000_000_000_000) }},
		{"amount.value", func(c *payment.Command) { c.Amount = payment.Money{Minor: 1, Currency: private} }},
		{"customer.ip_address", func(c *payment.Command) { c.Customer.IPAddress = private }},
		{"customer.ip_address", func(c *payment.Command) { c.Customer.IPAddress = "fe80::1%" + private }},
		{"return_url", func(c *payment.Command) { c.ReturnURL = private + strings.Repeat("u", payment.MaxURL) }},
		{"return_url", func(c *payment.Command) { c.ReturnURL = "https://" + private + "\r\nX: y" }},
		{"return_url", func(c *payment.Command) { c.ReturnURL = private + "\xff" }},
		{"account.last_digits", func(c *payment.Command) { c.Account.LastDigits = make([]string, payment.MaxLastDigits+1) }},
		{"account.last_digits[1]", func(c *payment.Command) { c.Account.LastDigits = []string{"1", private + "\x00"} }},
		{"requested_at", func(c *payment.Command) { c.RequestedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"expires_at", func(c *payment.Command) {
			c.ExpiresAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600))
		}},
		{"expires_at", func(c *payment.Command) { c.ExpiresAt = time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)) }},
		{"metadata", func(c *payment.Command) { c.Metadata = keys }},
		{"metadata", func(c *payment.Command) { c.Metadata = map[string]string{"": private} }},
		{"metadata", func(c *payment.Command) {
			c.Metadata = map[string]string{private + strings.Repeat("k", payment.MaxMetadataKey): ""}
		}},
		{"metadata", func(c *payment.Command) {
			c.Metadata = map[string]string{"k": private + strings.Repeat("v", payment.MaxMetadataValue)}
		}},
		{"metadata", func(c *payment.Command) { c.Metadata = map[string]string{"k": private + "\xff"} }},
		{"metadata", func(c *payment.Command) { c.Metadata = map[string]string{private + "\xff": "v"} }},
	} {
		c := fullCommand()
		x.change(&c)
		var refused *payment.FieldError
		if err := c.Validate(); !errors.As(err, &refused) || refused.Field != x.field {
			t.Errorf("got %v, want field %q refused", err, x.field)
		} else if text := fmt.Sprintf("%v %+v", err, *refused); strings.Contains(text, private) || strings.Contains(text, "987654") {
			t.Errorf("the error holds the value: %s", text)
		}
	}
}

// Every text of a command has a limit and takes no control characters, also one that is added later.
func TestEveryTextIsValidated(t *testing.T) {
	checked := 0
	eachLeaf(t, func(path string, set func(*payment.Command) reflect.Value) {
		for _, bad := range []string{strings.Repeat("x", payment.MaxURL+1), "PRIVATE\x00", "PRIVATE\x7f", "PRIVATE\r\n", "PRIVATE\xff"} {
			c := fullCommand()
			v := set(&c)
			if v.Kind() != reflect.String {
				return
			}
			v.SetString(bad)
			checked++
			var refused *payment.FieldError
			err := c.Validate()
			if !errors.As(err, &refused) || strings.Contains(err.Error(), "PRIVATE") {
				t.Errorf("%s = %q: got %v", path, bad[:min(len(bad), 10)], err)
			} else if refused.Field != path {
				t.Errorf("%s: the error names %s", path, refused.Field)
			}
		}
	}, "amount.Currency")
	if checked < 20*5 {
		t.Errorf("only %d checks", checked)
	}
}

func TestFingerprintOfEqualMeanings(t *testing.T) {
	for name, pair := range map[string][2]string{
		"order and blanks": {
			`{"provider":"p","order":"1","operation":"deposit","amount":{"value":"10000","currency":"KRW"},"customer":{"name":"x","id":"1"},"metadata":{"a":"1","b":"2"}}`,
			"\n{ \"metadata\" : {\"b\":\"2\", \"a\":\"1\"}, \"customer\":{\"id\":\"1\",\"name\":\"\\u0078\"},\"amount\":{\"currency\":\"KRW\",\"value\":\"10000\"},\"operation\":\"deposit\",\"order\":\"1\",\"provider\":\"p\"}\t",
		},
		"decimals": {
			`{"provider":"p","order":"1","amount":{"value":"100","currency":"TWD"}}`, `{"provider":"p","order":"1","amount":{"value":"100.00","currency":"TWD"}}`,
		},
		"requested_at": {
			`{"provider":"p","order":"1","requested_at":"2026-11-22T00:00:00Z"}`, `{"provider":"p","order":"1"}`,
		},
		"zone": {
			`{"provider":"p","order":"1","expires_at":"2026-11-22T00:00:00Z"}`, `{"provider":"p","order":"1","expires_at":"2026-11-22T09:00:00.000+09:00"}`,
		},
		"nothing and empty": {
			`{"provider":"p","order":"1"}`, `{"provider":"p","order":"1","method":"","customer":{},"account":{"last_digits":[]},"metadata":{},"return_url":null}`,
		},
	} {
		var c [2]payment.Command
		for i := range pair {
			if err := json.Unmarshal([]byte(pair[i]), &c[i]); err != nil {
				t.Fatal(name, err)
			}
		}
		if a, b := c[0].Fingerprint(), c[1].Fingerprint(); a != b || len(a) != 64 {
			t.Errorf("%s: %s and %s", name, a, b)
		}
	}
}

// Each field of a command is part of its meaning, also one that is added later; only RequestedAt is not.
func TestFingerprintDiffersForEachField(t *testing.T) {
	seen := map[string]string{fullCommand().Fingerprint(): "unchanged"}
	eachLeaf(t, func(path string, set func(*payment.Command) reflect.Value) {
		c := fullCommand()
		change(t, path, set(&c))
		print := c.Fingerprint()
		if other, same := seen[print]; same != (path == "requested_at") {
			t.Errorf("with another %s the fingerprint is that of %q", path, other)
		}
		seen[print] = path
	}, "")
	for name, alter := range map[string]func(*payment.Command){
		"no method":       func(c *payment.Command) { c.Method = "" },
		"no metadata":     func(c *payment.Command) { c.Metadata = nil },
		"an empty value":  func(c *payment.Command) { c.Metadata["more"] = "" },
		"two last digits": func(c *payment.Command) { c.Account.LastDigits = append(c.Account.LastDigits, "1") },
		"no last digits":  func(c *payment.Command) { c.Account.LastDigits = nil },
	} {
		c := fullCommand()
		alter(&c)
		if other, same := seen[c.Fingerprint()]; same {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
	}
}

func change(t *testing.T, path string, v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = x.Add(time.Second)
		return
	case *[]string:
		*x = []string{"54321"}
		return
	case *map[string]string:
		*x = map[string]string{"cart": "9", "CART": "11"}
		return
	}
	switch v.Kind() {
	case reflect.String:
		if path == "amount.Currency" {
			v.SetString("TWD")
			return
		}
		v.SetString(v.String() + "x")
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	default:
		t.Fatalf("%s is a %s: say here how to change it", path, v.Type())
	}
}

// eachLeaf visits every field of a command that holds no further fields. set returns the field in a
// command.
func eachLeaf(t *testing.T, visit func(path string, set func(*payment.Command) reflect.Value), skip string) {
	t.Helper()
	var walk func(typ reflect.Type, path string, index []int)
	walk = func(typ reflect.Type, path string, index []int) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" { // no part of what is asked for
				continue
			}
			if name == "" && !f.Anonymous {
				name = f.Name
			}
			at, here := strings.TrimPrefix(path+"."+name, "."), append(append([]int{}, index...), i)
			if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
				walk(f.Type, strings.TrimSuffix(at, "."), here)
			} else if at != skip {
				visit(at, func(c *payment.Command) reflect.Value { return reflect.ValueOf(c).Elem().FieldByIndex(here) })
			}
		}
	}
	walk(reflect.TypeFor[payment.Command](), "", nil)
}

// The panic is for programmers; nothing that was decoded or validated reaches it.
func TestFingerprintPanicsForWhatCannotBeWritten(t *testing.T) {
	c := deposit()
	c.Amount = payment.KRW(-1)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	t.Log(c.Fingerprint())
}

func TestNew(t *testing.T) {
	c := fullCommand()
	c.RequestedAt = begin.In(time.FixedZone("KST", 9*3600))
	p := payment.New(c)
	want := payment.Payment{
		Ref: c.Ref, Operation: payment.Deposit, Status: payment.Requested, Amount: payment.KRW(10000), Fingerprint: c.Fingerprint(),
		RequestedAt: begin, UpdatedAt: begin, Metadata: c.Metadata,
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v", p)
	}
	c.Metadata = map[string]string{"": "an event with this key breaks its schema"}
	if p := payment.New(c); p.Metadata != nil {
		t.Errorf("got %v", p.Metadata)
	}
}

func TestRef(t *testing.T) {
	if got := (payment.Ref{Provider: "p", Order: "o"}).String(); got != "p/o" {
		t.Error(got)
	}
	for _, op := range payment.Operations() {
		if !op.Valid() {
			t.Error(op)
		}
	}
	if payment.Operation("refund").Valid() {
		t.Error("refund is no operation")
	}
}
