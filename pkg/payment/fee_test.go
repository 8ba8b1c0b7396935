package payment_test

import (
	"encoding/json"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"payonce/pkg/payment"
)

func won(t *testing.T, value string) payment.Fee {
	t.Helper()
	f, err := payment.ParseFee(value, "KRW")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseFee(t *testing.T) {
	for _, c := range []struct {
		value, currency string
		hundredths      int64
		written         string
	}{
		{"18.02", "KRW", 1802, "18.02"}, {"15.00", "KRW", 1500, "15"}, {"15.5", "KRW", 1550, "15.5"}, {"0.00", "KRW", 0, "0"}, {"0", "TWD", 0, "0.00"},
		{"-18.02", "KRW", -1802, "-18.02"}, {"-0.05", "KRW", -5, "-0.05"}, {"3.2", "TWD", 32000, "3.20"}, {"3.2001", "TWD", 32001, "3.2001"},
		{"3.201", "TWD", 32010, "3.201"}, {"999999999999999.99", "KRW", 99_999_999_999_999_999, "999999999999999.99"},
	} {
		f, err := payment.ParseFee(c.value, c.currency)
		if err != nil || f != (payment.Fee{Hundredths: c.hundredths, Currency: c.currency}) || f.Value() != c.written || f.IsZero() {
			t.Errorf("%s %s: got %+v written %s, %v", c.value, c.currency, f, f.Value(), err)
		}
	}
	for _, c := range []struct{ value, currency, field string }{
		{"18.025", "KRW", "value"}, {"1.00001", "TWD", "value"}, {"", "KRW", "value"}, {"-", "KRW", "value"}, {"+1", "KRW", "value"}, {"--1", "KRW", "value"},
		{"1.", "KRW", "value"}, {".5", "KRW", "value"}, {"1e3", "KRW", "value"}, {"01", "KRW", "value"}, {"1,000", "KRW", "value"}, {"1 ", "KRW", "value"},
		{"1.5.5", "KRW", "value"}, {"１", "KRW", "value"}, {"1000000000000000", "KRW", "value"}, {"999999999999999.9999", "TWD", "value"}, {"1", "USD", "currency"}, {"1", "", "currency"},
	} {
		f, err := payment.ParseFee(c.value, c.currency)
		var field *payment.FieldError
		if !errors.As(err, &field) || field.Field != c.field || !f.IsZero() {
			t.Errorf("%q %s: got %v, %v; want field %q refused", c.value, c.currency, f, err, c.field)
		}
	}
}

// What is written is read back as it was; a fee that could not be read back is not written.
func TestFeeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := payment.Fee{Hundredths: rapid.OneOf(rapid.Int64(), rapid.Int64Range(-300, 300)).Draw(t, "hundredths"), Currency: rapid.SampledFrom([]string{"KRW", "TWD", "USD"}).Draw(t, "currency")}
		data, err := json.Marshal(f)
		var read payment.Fee
		if err == nil {
			err = json.Unmarshal(data, &read)
			if err != nil || read != f {
				t.Fatalf("%+v was written %s and read as %+v, %v", f, data, read, err)
			}
		} else if _, parsed := payment.ParseFee(f.Value(), f.Currency); parsed == nil {
			t.Fatalf("%s cannot be written, and can be read: %v", f, err)
		}
	})
	for _, bad := range []string{`null`, `5`, `"5"`, `{}`, `{"currency":"KRW"}`, `{"value":5,"currency":"KRW"}`, `{"value":"5"}`, `{"value":"5","currency":"USD"}`} {
		var f payment.Fee
		if err := f.UnmarshalJSON([]byte(bad)); err == nil || !f.IsZero() {
			t.Errorf("%s was read as %v", bad, f)
		}
	}
}
