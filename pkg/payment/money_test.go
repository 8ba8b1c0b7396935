package payment_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"payonce/pkg/payment"
)

func TestParseMoneyReads(t *testing.T) {
	for _, c := range []struct {
		value, currency string
		want            payment.Money
		written         string
	}{
		{"10000", "KRW", payment.KRW(10000), "10000"},
		{"0", "KRW", payment.KRW(0), "0"},
		{"483.89", "TWD", payment.TWD(48389), "483.89"},
		{"483.8", "TWD", payment.TWD(48380), "483.80"},
		{"483", "TWD", payment.TWD(48300), "483.00"},
		{"0.05", "TWD", payment.TWD(5), "0.05"},
		{"999999999999999", "KRW", payment.KRW(999_999_999_999_999), "999999999999999"},
		{"999999999999999.99", "TWD", payment.TWD(99_999_999_999_999_999), "999999999999999.99"},
	} {
		got, err := payment.ParseMoney(c.value, c.currency)
		if err != nil || got != c.want || got.Value() != c.written {
			t.Errorf("%s %s: got %v written %s, %v", c.value, c.currency, got, got.Value(), err)
		}
	}
}

func TestParseMoneyRefuses(t *testing.T) {
	for _, c := range []struct{ value, currency, field string }{
		{"10.5", "KRW", "value"}, {"10.0", "KRW", "value"}, {"10000.", "KRW", "value"}, {"1.", "TWD", "value"}, {".5", "TWD", "value"},
		{"1.234", "TWD", "value"}, {"1.230", "TWD", "value"}, {"1.2.3", "TWD", "value"}, {".", "TWD", "value"}, {"", "KRW", "value"},
		{"1e5", "KRW", "value"}, {"1E5", "KRW", "value"}, {"+1", "KRW", "value"}, {"-1", "KRW", "value"}, {" 1", "KRW", "value"}, {"1 ", "KRW", "value"},
		{"1\n", "KRW", "value"}, {"1,000", "KRW", "value"}, {"1_000", "KRW", "value"}, {"0x10", "KRW", "value"}, {"NaN", "KRW", "value"}, {"Inf", "KRW", "value"},
		{"01", "KRW", "value"}, {"00", "KRW", "value"}, {"00.5", "TWD", "value"}, {"1\x00", "KRW", "value"},
		{"１０", "KRW", "value"}, {"٣", "KRW", "value"}, {"10\u200b", "KRW", "value"},
		{"1000000000000000", "KRW", "value"}, {"9223372036854775808", "KRW", "value"}, {strings.Repeat("9", 100), "TWD", "value"},
		{"1", "USD", "currency"}, {"1", "krw", "currency"}, {"1", "", "currency"},
	} {
		got, err := payment.ParseMoney(c.value, c.currency)
		var field *payment.FieldError
		if !errors.As(err, &field) || field.Field != c.field || got != (payment.Money{}) {
			t.Errorf("%q %s: got %v, %v; want field %q refused", c.value, c.currency, got, err, c.field)
		}
		if err != nil && len(c.value) > 3 && strings.Contains(err.Error(), c.value) {
			t.Errorf("the error %q holds the value", err)
		}
	}
}

func TestMoneyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"KRW", "TWD"}).Draw(t, "currency")
		limit := map[string]int64{"KRW": 999_999_999_999_999, "TWD": 99_999_999_999_999_999}[currency]
		m := payment.Money{Minor: rapid.Int64Range(0, limit).Draw(t, "minor"), Currency: currency}
		if got, err := payment.ParseMoney(m.Value(), currency); err != nil || got != m {
			t.Fatalf("%s: got %v, %v", m, got, err)
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got payment.Money
		if err := json.Unmarshal(data, &got); err != nil || got != m {
			t.Fatalf("%s: got %v, %v", data, got, err)
		}
	})
}

func TestMoneyText(t *testing.T) {
	for want, m := range map[string]payment.Money{
		"10000 KRW": payment.KRW(10000), "-5 KRW": payment.KRW(-5), "-0.05 TWD": payment.TWD(-5), "-12.00 TWD": payment.TWD(-1200),
		"-9223372036854775808 KRW": payment.KRW(math.MinInt64),
	} {
		if m.String() != want {
			t.Errorf("got %s, want %s", m, want)
		}
	}
	if !(payment.Money{}).IsZero() || payment.KRW(0).IsZero() {
		t.Error("zero won is an amount, no money is none")
	}
	if d, ok := payment.Decimals("TWD"); d != 2 || !ok {
		t.Error("TWD has two decimals")
	}
	if _, ok := payment.Decimals("USD"); ok {
		t.Error("USD is not known")
	}
}

func TestMoneyAdd(t *testing.T) {
	const most = 999_999_999_999_999
	for _, c := range []struct{ a, b, sum payment.Money }{
		{payment.KRW(1), payment.KRW(2), payment.KRW(3)},
		{payment.Money{}, payment.TWD(2), payment.TWD(2)},
		{payment.KRW(5), payment.KRW(0), payment.KRW(5)},
		{payment.KRW(5), payment.KRW(-7), payment.KRW(-2)},
		{payment.KRW(most - 1), payment.KRW(1), payment.KRW(most)},
	} {
		if got, err := c.a.Add(c.b); err != nil || got != c.sum {
			t.Errorf("%s + %s: got %s, %v", c.a, c.b, got, err)
		}
	}
	for _, c := range [][2]payment.Money{
		{payment.KRW(1), payment.TWD(1)}, {payment.KRW(1), {}},
		{payment.KRW(most), payment.KRW(1)}, {payment.KRW(-most), payment.KRW(-1)},
		{payment.KRW(math.MaxInt64), payment.KRW(1)}, {payment.KRW(math.MinInt64), payment.KRW(-1)}, {payment.KRW(math.MaxInt64), payment.KRW(math.MaxInt64)},
	} {
		if got, err := c[0].Add(c[1]); err == nil || got != (payment.Money{}) {
			t.Errorf("%s + %s: got %s, %v", c[0], c[1], got, err)
		}
	}
}

func TestMoneyJSON(t *testing.T) {
	if got, err := json.Marshal(payment.TWD(48389)); err != nil || string(got) != `{"value":"483.89","currency":"TWD"}` {
		t.Errorf("got %s, %v", got, err)
	}
	for text, field := range map[string]string{
		`{"value":10000,"currency":"KRW"}`:             "value",
		`{"value":null,"currency":"KRW"}`:              "value",
		`{"currency":"KRW"}`:                           "value",
		`{"value":"-1","currency":"KRW"}`:              "value",
		`{"value":"1"}`:                                "currency",
		`{"value":"1","currency":"EUR"}`:               "currency",
		`{"value":"1","currency":"KRW","unit":"cent"}`: "",
		`{"value":"1","currency":410}`:                 "",
		`"10000"`:                                      "",
		`10000`:                                        "",
		`null`:                                         "value",
		`[]`:                                           "",
	} {
		holder := struct{ M payment.Money }{}
		err := json.Unmarshal([]byte(`{"M":`+text+`}`), &holder)
		var refused *payment.FieldError
		if !errors.As(err, &refused) || refused.Field != field || !holder.M.IsZero() {
			t.Errorf("%s: got %v, %v; want field %q refused", text, holder.M, err, field)
		}
	}
}

// What MarshalJSON writes is read by a shorter way: it must not change what is read.
func TestMoneyJSONOfOthers(t *testing.T) {
	for text, want := range map[string]payment.Money{
		`{"value":"1","currency":"KRW"}`:                  payment.KRW(1),
		` { "currency" : "TWD" , "value" : "1" } `:        payment.TWD(100),
		`{"value":"\u0031","currency":"KRW"}`:             payment.KRW(1),
		`{"value":"1","currency":"K\u0052W"}`:             payment.KRW(1),
		`{"Value":"1","CURRENCY":"KRW"}`:                  payment.KRW(1),
		`{"value":"1","currency":"KRW","currency":"TWD"}`: payment.TWD(100),
		`{"value":"1","currency":"KRW","value":"2"}`:      payment.KRW(2),
	} {
		var got payment.Money
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		`{"value":"1","currency":"KRW","unit":"KRW"}`, `{"value":"1","currency":"KRW","currency":"EUR"}`, `{"value":"1\"","currency":"KRW"}`,
		`{"value":"","currency":"KRW"}`, `{"value":"1","currency":""}`,
	} {
		var got payment.Money
		if err := got.UnmarshalJSON([]byte(text)); err == nil || !got.IsZero() {
			t.Errorf("%s: read as %s", text, got)
		}
	}
}

// An event with such an amount could never be read again.
func TestMoneyRefusesToWriteWhatItDoesNotRead(t *testing.T) {
	for _, m := range []payment.Money{
		payment.KRW(-1), payment.KRW(1_000_000_000_000_000), payment.TWD(100_000_000_000_000_000), {Minor: 1, Currency: "USD"}, {Minor: 1},
	} {
		if got, err := json.Marshal(m); err == nil {
			t.Errorf("%s was written as %s", m, got)
		}
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"10000", "483.89", "1.", ".5", "01", "1e3", "-1", "１", "999999999999999.99", "9223372036854775808"} {
		f.Add(s, "KRW")
		f.Add(s, "TWD")
	}
	f.Fuzz(func(t *testing.T, value, currency string) {
		m, err := payment.ParseMoney(value, currency)
		if err != nil {
			if m != (payment.Money{}) {
				t.Fatalf("%q gives %v and %v", value, m, err)
			}
			return
		}
		// What was read is what was written, up to zeros behind the point.
		written := m.Value()
		whole, fraction, _ := strings.Cut(value, ".")
		if currency == "KRW" && written != value || currency == "TWD" && written != whole+"."+(fraction + "00")[:2] {
			t.Fatalf("%q was read as %s", value, m)
		}
		if again, err := payment.ParseMoney(written, currency); err != nil || again != m {
			t.Fatalf("%s was read as %v, %v", written, again, err)
		}
	})
}
