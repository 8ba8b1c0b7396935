package payment

import (
	"reflect"
	"testing"
	"time"
)

// Payments that differ in any field, also one that is made later, are not the same.
func TestEveryFieldTellsPaymentsApart(t *testing.T) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Payment]()) {
		var p, next Payment
		if field := reflect.ValueOf(&next).Elem().FieldByIndex(f.Index); !f.Anonymous {
			other(field)
			checkApart(t, f.Name, p, next)
		}
	}
	p := Payment{Annotations: []Annotation{{}}}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Annotation]()) {
		next := Payment{Annotations: []Annotation{{}}}
		other(reflect.ValueOf(&next.Annotations[0]).Elem().FieldByIndex(f.Index))
		checkApart(t, "Annotations."+f.Name, p, next)
	}
}

func checkApart(t *testing.T, field string, p, next Payment) {
	t.Helper()
	if identical(&p, &next) || !identical(&next, &next) {
		t.Errorf("payments that differ in %s are the same, or one is not the same as itself", field)
	}
}

// other gives a field a value that is not its zero value.
func other(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
		return
	case Money:
		v.Set(reflect.ValueOf(KRW(1)))
		return
	case Fee:
		v.Set(reflect.ValueOf(Fee{Currency: "KRW"}))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a": "b"}))
	default:
		panic("a field of a kind that this test does not know: " + v.Type().String())
	}
}
