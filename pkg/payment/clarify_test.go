package payment_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/payment"
)

type values = map[string]map[string]string

func TestClarificationCheck(t *testing.T) {
	asked := payment.Clarification{Fields: map[string][]string{"customer": {"first_name", "last_name"}, "avs_data": {"avs_post_code"}}}
	whole := func(change func(values)) values {
		v := values{"customer": {"first_name": "길동", "last_name": "홍"}, "avs_data": {"avs_post_code": "04524"}}
		change(v)
		return v
	}
	for name, c := range map[string]struct {
		asked  payment.Clarification
		values values
		field  string // of the error; empty when the values are taken
	}{
		"what was asked":      {asked, whole(func(values) {}), ""},
		"a field is missing":  {asked, whole(func(v values) { delete(v["customer"], "last_name") }), "fields.customer.last_name"},
		"a group is missing":  {asked, whole(func(v values) { delete(v, "avs_data") }), "fields.avs_data.avs_post_code"},
		"a field too many":    {asked, whole(func(v values) { v["customer"]["hong"] = "x" }), "fields"},
		"a group too many":    {asked, whole(func(v values) { v["hong"] = map[string]string{"x": "x"} }), "fields"},
		"the wrong group":     {asked, whole(func(v values) { v["avs_data"]["last_name"] = "x" }), "fields"},
		"an empty value":      {asked, whole(func(v values) { v["customer"]["last_name"] = "" }), "fields"},
		"nothing":             {asked, nil, "fields"},
		"only a schema":       {payment.Clarification{Schema: `{}`}, values{"any": {"thing": "x"}}, ""},
		"only a schema, none": {payment.Clarification{Schema: `{}`}, values{}, "fields"},
	} {
		err := c.asked.Check(c.values)
		var wrong *payment.FieldError
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (!errors.As(err, &wrong) || wrong.Field != c.field):
			t.Errorf("%s: %v, want an error of %s", name, err, c.field)
		case err != nil && strings.Contains(err.Error(), "hong"):
			t.Errorf("%s: the error repeats a name of the sender: %v", name, err)
		}
	}
}

func TestClarifiedLimits(t *testing.T) {
	groups := func(n int) values {
		v := values{}
		for i := range n {
			v[fmt.Sprint("g", i)] = map[string]string{"f": "x"}
		}
		return v
	}
	fields := func(n int) values {
		v := values{"g": {}}
		for i := range n {
			v["g"][fmt.Sprint("f", i)] = "x"
		}
		return v
	}
	named := func(group, field, value string) values { return values{group: {field: value}} }
	long := strings.Repeat("n", payment.MaxClarifiedName)
	for name, c := range map[string]struct {
		values values
		taken  bool
	}{
		"most groups": {groups(payment.MaxClarifiedGroups), true}, "a group too many": {groups(payment.MaxClarifiedGroups + 1), false},
		"most fields": {fields(payment.MaxClarifiedFields), true}, "a field too many": {fields(payment.MaxClarifiedFields + 1), false},
		"no fields": {fields(0), false}, "no group name": {named("", "f", "x"), false}, "no field name": {named("g", "", "x"), false},
		"longest names": {named(long, long, "x"), true}, "group name too long": {named(long+"n", "f", "x"), false},
		"field name too long": {named("g", long+"n", "x"), false}, "control character": {named("g", "f\n", "x"), false},
		"name that is not UTF-8": {named("g\xff", "f", "x"), false}, "value that is not UTF-8": {named("g", "f", "\xff"), false},
		"longest value":    {named("g", "f", strings.Repeat("v", payment.MaxClarifiedValue)), true},
		"value too long":   {named("g", "f", strings.Repeat("v", payment.MaxClarifiedValue+1)), false},
		"lines in a value": {named("g", "f", "1 Main Street\nSeoul"), true},
		"zero-width space": {named("g", "f", "홍\u200b길동"), false}, "damaged character": {named("g", "f", "홍\ufffd"), false},
		"changed direction": {named("g", "f", "\u202e홍"), false},
	} {
		if err := payment.ValidateClarified(c.values); (err == nil) != c.taken {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An action that was done is forgotten; one that the provider asked for meanwhile is not.
func TestActionDone(t *testing.T) {
	ask := func(field string) *payment.Action {
		return &payment.Action{Type: payment.ActionClarification, Clarification: &payment.Clarification{Fields: map[string][]string{"customer": {field}}}}
	}
	at := func(action *payment.Action) payment.Payment {
		p := must(t)(payment.Decide(payment.New(deposit()), payment.Observation{Kind: payment.Intend}, begin))
		return checkWritten(t, must(t)(payment.Decide(p, payment.Observation{Kind: payment.Accepted, Action: action}, begin)))
	}
	done := payment.Observation{Kind: payment.Accepted, ActionDone: ask("last_name")}
	if p := must(t)(payment.Decide(at(ask("last_name")), done, begin)); p.Action != nil || p.Status != payment.Pending || p.Revision != 3 {
		t.Errorf("done: %+v", p)
	}
	for name, c := range map[string]struct {
		p    payment.Payment
		o    payment.Observation
		kept string
	}{
		"another is asked for by now": {at(ask("first_name")), done, "first_name"},
		"not done":                    {at(ask("last_name")), payment.Observation{Kind: payment.Accepted}, "last_name"},
	} {
		if p, changed, err := payment.Decide(c.p, c.o, begin); changed || err != nil || p.Action.Clarification.Fields["customer"][0] != c.kept {
			t.Errorf("%s: %+v, %v, %v", name, p, changed, err)
		}
	}
	next := done
	next.Action = ask("email")
	if p := must(t)(payment.Decide(at(ask("last_name")), next, begin)); p.Action == nil || p.Action.Clarification.Fields["customer"][0] != "email" {
		t.Errorf("done, and asked for more: %+v", p.Action)
	}
	if _, changed, err := payment.Decide(at(nil), done, begin); changed || err != nil {
		t.Errorf("nothing was to be done: %v, %v", changed, err)
	}
}

func TestPaymentAsksForAClarification(t *testing.T) {
	question := &payment.Clarification{Schema: "{}"}
	asks := &payment.Action{Type: payment.ActionClarification, Clarification: question}
	for name, c := range map[string]struct {
		p    payment.Payment
		want string
		asks bool
	}{
		"it asks":                  {payment.Payment{Status: payment.Pending, Action: asks}, "{}", true},
		"without saying for what":  {payment.Payment{Status: payment.Pending, Action: &payment.Action{Type: payment.ActionClarification}}, "", true},
		"it wants something else":  {payment.Payment{Status: payment.Pending, Action: &payment.Action{Type: payment.ActionRedirect, Clarification: question}}, "", false},
		"it wants nothing":         {payment.Payment{Status: payment.Pending}, "", false},
		"it does not wait, ended":  {payment.Payment{Status: payment.Failed, Action: asks}, "", false},
		"it does not wait, parked": {payment.Payment{Status: payment.Parked, Action: asks}, "", false},
		"there is no payment":      {payment.Payment{}, "", false},
	} {
		if got, asks := c.p.Clarification(); asks != c.asks || got.Schema != c.want {
			t.Errorf("%s: %+v, %v", name, got, asks)
		}
	}
}
