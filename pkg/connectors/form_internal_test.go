package connectors

import (
	"reflect"
	"testing"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// twoWays has a way of its default method in one currency, and one of the other method in both.
type twoWays struct{ Connector }

func (twoWays) Form(op payment.Operation, method, currency string) (check.Form, bool) {
	name := map[string]string{"a": "customer.name", "b": "customer.phone", "": "customer.email"}[method]
	return check.Form{Fields: []check.Field{check.Required(name)}}, op == payment.Deposit && (method != "a" || currency == "KRW")
}

// TestFormOfACommand checks that the form that is looked up for a command is the one of the list of all ways.
func TestFormOfACommand(t *testing.T) {
	for _, traits := range []Traits{
		{Currencies: []string{"KRW", "TWD"}, Methods: map[payment.Operation][]string{payment.Deposit: {"a", "b"}}},
		{Currencies: []string{"KRW"}},
	} {
		for _, method := range []string{"", "a", "b", "c"} {
			for _, currency := range []string{"", "KRW", "TWD", "USD"} {
				for _, op := range payment.Operations() {
					cmd := payment.Command{Operation: op, Method: method, Amount: payment.Money{Minor: 1, Currency: currency}}
					ways := waysOf(twoWays{}, traits, op)
					exact := only(ways, func(w Way) bool {
						return w.Currency == currency && (w.Method == method || method == "" && w.Default)
					})
					form, ok := formOf(twoWays{}, traits, cmd)
					if ok != (len(exact) > 0) {
						t.Errorf("%s %q %q: found %t, of all ways %d are meant", op, method, currency, ok, len(exact))
					} else if ok && !reflect.DeepEqual(form.Check(cmd), exact[0].Form.Check(cmd)) {
						t.Errorf("%s %q %q: another form than that of the way", op, method, currency)
					}
				}
			}
		}
	}
}
