package diamondpay

import (
	"strconv"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// reported reads the fee, in hundredths of a won or a dollar as all amounts, so that a fee of won can have a fraction (showdoc
// and kuipay, notifications and order queries), and success_time, which only the v2 queries tell. update_time is when the order
// changed last, and no page says that it is when the order succeeded.
func (f fields) reported(operation payment.Operation, currency string) (r payment.Report) {
	if name := kindOf(operation) + "_id"; f[name] != "" && reference(operation, f) == "" {
		r.Unread = append(r.Unread, payment.UnreadReference(name))
	}
	if text, told := f["fee"]; told {
		var err error
		if r.Fee, err = hundredths(text, currency); err != nil {
			r.Unread = append(r.Unread, payment.UnreadFee("fee"))
		}
	}
	switch text := f["success_time"]; text {
	case "", "0": // not succeeded
	default:
		seconds, err := strconv.ParseInt(text, 10, 64)
		if at := time.Unix(seconds, 0).UTC(); err == nil && payment.ValidTime(at) {
			r.CompletedAt = at
		} else {
			r.Unread = append(r.Unread, payment.UnreadTime("success_time"))
		}
	}
	return r
}

// hundredths reads a whole number of hundredths of a won or a dollar.
func hundredths(text, currency string) (payment.Fee, error) {
	digits, negative := strings.CutPrefix(text, "-")
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > maxUnits {
		return payment.Fee{}, errAmount
	}
	value := strconv.FormatUint(n/perWon, 10) + "." + strconv.FormatUint(n%perWon+perWon, 10)[1:]
	if negative {
		value = "-" + value
	}
	return payment.ParseFee(value, currency)
}
