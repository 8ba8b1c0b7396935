package diamondpay

import (
	"errors"
	"strconv"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// perWon is how many of the provider's units make one won (seed 000: "假使Deposit 10000, please multiply
// by 100, pass in 1000000"). The cents of TWD are the provider's unit already.
const perWon = 100

// maxUnits is the largest amount that fits the ten digits of a request (seeds 000 to 002).
const maxUnits = 9_999_999_999

// maxDigits bounds an amount of an answer, so that it fits an int64 and an amount of ours.
const maxDigits = 17

// units returns an amount in the provider's unit. An amount that passed checkAmount fits.
func units(m payment.Money) int64 {
	if m.Currency == krw {
		return m.Minor * perWon
	}
	return m.Minor
}

// checkAmount refuses what a request cannot hold, without overflow.
func checkAmount(m payment.Money) check.Rule {
	limit := int64(maxUnits)
	if m.Currency == krw {
		limit /= perWon
	}
	return check.That(m.Minor <= limit, "amount.value", "must fit ten digits in hundredths of the currency")
}

var errAmount = errors.New("an amount is not a whole number of the currency's smallest unit")

// amount reads an amount in the provider's unit; none when it is missing. Won have no fraction, so that an
// amount in won that is no multiple of 100 is an error.
func (f fields) amount(name, currency string) (payment.Money, error) {
	text, ok := f[name]
	if !ok {
		return payment.Money{}, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || len(text) > maxDigits {
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
