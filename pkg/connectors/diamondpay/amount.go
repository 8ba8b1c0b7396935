package diamondpay

import (
	"errors"
	"strconv"

	"payonce/pkg/payment"
)

// perWon is how many of the provider's units make one won (KRW deposit page: "假使Deposit 10000, please
// multiply by 100, pass in 1000000"). The cents of TWD are the provider's unit already.
const perWon = 100

// tolerance returns MaxAmountDifference in minor units of a currency.
func (s Settings) tolerance(currency string) int64 {
	if currency == krw {
		return s.MaxAmountDifference
	}
	return s.MaxAmountDifference * perWon
}

// maxUnits is the largest amount that fits the ten digits of a request (the deposit pages).
const maxUnits = 9_999_999_999

// maxDigits bounds a total of a balance, so that it fits an int64 and an amount of ours.
const maxDigits = 17

// units returns an amount in the provider's unit. An amount of at most maxWhole fits.
func units(m payment.Money) int64 {
	if m.Currency == krw {
		return m.Minor * perWon
	}
	return m.Minor
}

// maxWhole is the largest amount in whole won or dollars that a request can hold: in hundredths it has ten digits.
const maxWhole = maxUnits / perWon

// near reports whether two amounts of one currency are so close that one can be the other with a little put on or
// off to distinguish transfers: within a tenth of the second. A hundredfold is always further away.
func near(amount, of payment.Money) bool {
	difference := amount.Minor - of.Minor
	return amount.Minor > 0 && max(difference, -difference) <= of.Minor/10
}

// hundredfold reports whether what arrived is about a hundredth or a hundred times of the amount. The example of the
// KRW deposit page leaves room for whole won beside hundredths: such a difference is rather a unit than a payment.
func hundredfold(arrived, amount payment.Money) bool {
	scaled := func(m payment.Money) payment.Money {
		return payment.Money{Minor: m.Minor / perWon, Currency: m.Currency}
	}
	return near(arrived, scaled(amount)) || near(scaled(arrived), amount)
}

// displayed reads the display_amount of payment_info: what the customer must transfer for an order of the given
// amount. None means the order's amount; ok is false when it is no amount that can be transferred.
//
// No page says what the field is, nor in which unit. In the example of the KRW deposit page (v1) it is 49996 beside
// an amount of 50000: the provider takes a little off, so that it can distinguish the transfers. So it must be close
// to the amount, and its unit is the one in which it is: hundredths, as all amounts of the page, or whole won. In the
// example it is hundredths, 499.96 of 500 won. Won have no fraction, so where the difference is less than a won the
// closest that can be transferred is the order's amount, and exact is false; the page credits what arrives. A
// fraction further away is not rounded.
func displayed(info object, order payment.Money) (amount payment.Money, exact, ok bool) {
	text, named := info.fields()["display_amount"]
	if !named {
		return payment.Money{}, true, info.missing("display_amount") || string(info["display_amount"]) == `""`
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n > maxUnits {
		return payment.Money{}, false, false
	}
	asUnits := payment.Money{Minor: int64(n), Currency: order.Currency}
	if order.Currency != krw {
		return asUnits, true, near(asUnits, order)
	}
	asWon := payment.Money{Minor: asUnits.Minor / perWon, Currency: krw}
	fraction := asUnits.Minor - order.Minor*perWon
	switch {
	case asUnits.Minor%perWon == 0 && near(asWon, order):
		return asWon, true, true
	case max(fraction, -fraction) < perWon:
		return order, false, true
	default: // in whole won
		return asUnits, true, near(asUnits, order)
	}
}

var errAmount = errors.New("an amount is not a whole number of the currency's smallest unit")

// amount reads an amount in the provider's unit; none when it is missing. Won have no fraction, so that an
// amount in won that is no multiple of 100 is an error, and so is one that no request can have.
func (f fields) amount(name, currency string) (payment.Money, error) {
	text, ok := f[name]
	if !ok {
		return payment.Money{}, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n > maxUnits {
		return payment.Money{}, errAmount
	}
	minor := int64(n)
	if currency == krw {
		if minor%perWon != 0 {
			return payment.Money{}, errAmount
		}
		minor /= perWon
	}
	return payment.Money{Minor: minor, Currency: currency}, nil
}
