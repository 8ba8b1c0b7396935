package payment_test

import (
	"errors"
	"strings"
	"testing"

	"payonce/pkg/payment"
)

func TestOrderPrefixes(t *testing.T) {
	reserved := payment.OrderPrefixes{"shop": "S-", "game": "G"}
	for _, c := range []struct {
		upstream, order string
		free            bool
	}{
		{"shop", "S-1", true}, {"shop", "S-", true}, {"shop", "G1", false}, {"shop", "s-1", false}, {"shop", "1", false}, {"shop", "S", false},
		{"game", "G1", true}, {"game", "S-1", false}, {"game", "g1", false},
		{"other", "1", true}, {"other", "S1", true}, {"other", "s-1", true}, {"other", "S-1", false}, {"other", "G", false}, {"", "G1", false},
	} {
		err := reserved.Check(c.upstream, c.order)
		var wrong *payment.FieldError
		if (err == nil) != c.free || err != nil && (!errors.As(err, &wrong) || wrong.Field != "order") {
			t.Errorf("%s uses %s: %v", c.upstream, c.order, err)
		}
		if err != nil && c.upstream != "shop" && strings.Contains(err.Error(), "S-") || err != nil && strings.Contains(err.Error(), c.order) && c.order != "S" {
			t.Errorf("the error tells %v", err)
		}
	}
	if err := (payment.OrderPrefixes)(nil).Check("shop", "1"); err != nil {
		t.Error(err)
	}
}

func TestOrderPrefixesHaveNoNumberInCommon(t *testing.T) {
	for name, c := range map[string]struct {
		prefixes payment.OrderPrefixes
		good     bool
	}{
		"none": {nil, true}, "one": {payment.OrderPrefixes{"a": "A"}, true}, "two": {payment.OrderPrefixes{"a": "A-", "b": "B-"}, true},
		"one case": {payment.OrderPrefixes{"a": "A", "b": "a"}, true}, "the same": {payment.OrderPrefixes{"a": "A", "b": "A"}, false},
		"one begins the other": {payment.OrderPrefixes{"a": "AB", "b": "A"}, false}, "the other way": {payment.OrderPrefixes{"a": "A", "b": "A-1"}, false},
		"empty": {payment.OrderPrefixes{"a": ""}, false}, "too long": {payment.OrderPrefixes{"a": strings.Repeat("A", 17)}, false},
		"a character": {payment.OrderPrefixes{"a": "A."}, false}, "a name": {payment.OrderPrefixes{"a.b": "A"}, false},
	} {
		if err := c.prefixes.Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
