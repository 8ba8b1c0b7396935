package ecommpay

import (
	"regexp"
	"slices"
	"strings"

	"payonce/pkg/payment"
)

// spoken is an amount that a document reports.
type spoken struct {
	place  string // e.g. "operation.sum_converted"
	amount payment.Money
	text   string // of what cannot be read as won
}

// sums are the amounts of a document that are about the same money.
type sums []spoken

// add reads the amounts under the paths. What is missing is left out: which fields a callback has is agreed
// with the provider.
func (s *sums) add(doc node, prefix string, paths ...[]string) {
	for _, path := range paths {
		if doc.missing(path...) {
			continue
		}
		one := spoken{place: prefix + strings.Join(path, ".")}
		var err error
		if one.amount, err = doc.won(path...); err != nil {
			one.text = foreignSum(doc.at(path...))
		}
		*s = append(*s, one)
	}
}

// first is the first amount, no amount where there is none.
func (s sums) first() payment.Money {
	if len(s) == 0 {
		return payment.Money{}
	}
	return s[0].amount
}

// unreadable returns that not all of them are won, with all of them, or nothing.
func (s sums) unreadable() string {
	if !slices.ContainsFunc(s, func(one spoken) bool { return one.text != "" }) {
		return ""
	}
	return "not all amounts are whole won: " + s.String()
}

// problem returns why the amounts cannot be believed, with all of them, or nothing.
func (s sums) problem() string {
	if slices.ContainsFunc(s, func(one spoken) bool { return one.text == "" && one.amount != s[0].amount }) && s.unreadable() == "" {
		return "the amounts differ: " + s.String()
	}
	return s.unreadable()
}

// other returns an amount that is not the ordered one.
func (s sums) other(ordered payment.Money) (payment.Money, bool) {
	i := slices.IndexFunc(s, func(one spoken) bool { return one.text == "" && one.amount != ordered })
	if i < 0 {
		return payment.Money{}, false
	}
	return s[i].amount, true
}

func (s sums) String() string {
	var texts []string
	for _, one := range s {
		text := one.text
		if text == "" {
			text = one.amount.String()
		}
		texts = append(texts, one.place+" "+text)
	}
	return strings.Join(texts, ", ")
}

// sumPattern is an amount that can be shown as it is, in whatever currency.
var sumPattern = regexp.MustCompile(`^-?[0-9]{1,18}(\.[0-9]{1,18})? [A-Z]{3}$`)

// foreignSum is the text of an amount that is no amount of won, if it is an amount at all.
func foreignSum(sum node) string {
	if text := sum.value("amount") + " " + sum.value("currency"); sumPattern.MatchString(text) {
		return text
	}
	return "unreadable"
}
