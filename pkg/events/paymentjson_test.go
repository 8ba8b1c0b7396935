package events_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// fill gives a value of any type that an event has.
func fill(v reflect.Value, text string) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(begin.In(time.FixedZone("", 9*3600))))
		return
	case payment.Money:
		v.Set(reflect.ValueOf(payment.TWD(5)))
		return
	case payment.Fee:
		v.Set(reflect.ValueOf(payment.Fee{Hundredths: -1802, Currency: "KRW"}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		v.SetInt(-7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), text)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, text)
		fill(value, text)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	default:
		panic("a field of a kind that this test does not know: " + v.Type().String())
	}
}

func checkJSON(t *testing.T, what string, d events.PaymentData) {
	t.Helper()
	want, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := events.AppendData([]byte("before"), d); err != nil || string(got) != "before"+string(want) {
		t.Errorf("%s: wrote\n%s, %v, want\n%s", what, got, err, want)
	}
}

// An event has the bytes that encoding/json gives it, whichever fields it has, also ones that are made later.
func TestPaymentIsWrittenAsEncodingJSONWritesIt(t *testing.T) {
	checkJSON(t, "nothing", events.PaymentData{})
	for _, text := range []string{"", "plain", `a "quoted" \ one`, "홍길동", "<&>", "line\nend\x7f", "\u2028", "not UTF-8: \xff"} {
		var all events.PaymentData
		fill(reflect.ValueOf(&all).Elem(), text)
		checkJSON(t, "all fields: "+text, all)
		for _, f := range reflect.VisibleFields(reflect.TypeFor[events.PaymentData]()) {
			var one events.PaymentData
			fill(reflect.ValueOf(&one).Elem().FieldByIndex(f.Index), text)
			checkJSON(t, f.Name+": "+text, one)
		}
	}
}

// What encoding/json cannot write is an error, and no half of an event.
func TestPaymentThatCannotBeWritten(t *testing.T) {
	for what, d := range map[string]events.PaymentData{
		"an amount":      {Payment: payment.Payment{Amount: payment.Money{Minor: math.MaxInt64, Currency: "KRW"}}},
		"a settled one":  {Payment: payment.Payment{SettledAmount: payment.Money{Minor: 1, Currency: "XXX"}}},
		"a time":         {Payment: payment.Payment{ResumeAt: begin.AddDate(9000, 0, 0)}},
		"the last time":  {Payment: payment.Payment{UpdatedAt: begin.AddDate(9000, 0, 0)}},
		"in a transfer":  {Payment: payment.Payment{Transfers: []payment.Transfer{{Amount: payment.Money{Minor: -1, Currency: "KRW"}}}}},
		"a zone":         {Payment: payment.Payment{ProviderCompletedAt: begin.In(time.FixedZone("", 24*3600))}},
		"of annotations": {Payment: payment.Payment{Annotations: []payment.Annotation{{At: begin.AddDate(9000, 0, 0)}}}},
	} {
		if _, err := json.Marshal(d); err == nil {
			t.Fatalf("%s: encoding/json writes it", what)
		}
		if _, err := events.AppendData(nil, d); err == nil {
			t.Errorf("%s: written", what)
		}
	}
}
